//! Payment-plan rules: which plan is meant, whether it is admissible, what to offer instead and when
//! each instalment is due (HTTP contract §4).
//!
//! Everything is integer cents and whole weeks. Limits are data in [`PlanSettings`]; a rule that
//! fails is reported by a code with a sentence for people, never as an error.

mod counter;
mod finding;
mod schedule;
mod source;
mod verdict;

pub use counter::{CounterOffer, counter_offers, suggestion};
pub use finding::{PlanFinding, find};
pub use schedule::{Instalment, schedule};
pub use source::{
    ModelPlan, PlanRequest, ResolvedPlan, Source, TenantPlan, parse_plan_fields, parse_plan_line,
    resolve, resolve_offers,
};
pub use verdict::{Issue, IssueCode, PlanContext, Status, Verdict, judge};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::money::Cents;

/// Limits of the plan rules (HTTP contract §10 and §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// `MIN_WEEKLY_PAYMENT`: exactly this much is fine.
    pub min_weekly: Cents,
    /// `MAX_PAYMENT_WEEKS`: exactly this many is fine.
    pub max_weeks: u32,
    /// `AUTO_APPROVE_MAX_WEEKS`.
    pub auto_approve_max_weeks: u32,
    /// Smallest share of the debt a plan must cover, in percent.
    pub min_coverage_percent: u32,
    /// Latest start, in days after today.
    pub max_start_days: u32,
    /// Confidence from which a plan may be approved unread, in ten-thousandths.
    pub min_confidence: u32,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            min_weekly: Cents::from_dollars(25),
            max_weeks: 12,
            auto_approve_max_weeks: 12,
            min_coverage_percent: 90,
            max_start_days: 30,
            min_confidence: 8_500,
        }
    }
}

/// A plan as offered: an amount each week for a number of weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Cents a week.
    pub weekly_amount: Cents,
    /// `None` when nobody said how long.
    pub weeks: Option<u32>,
    /// The first payment, when known.
    pub start_date: Option<NaiveDate>,
}

impl Plan {
    /// Weekly amount times weeks; `None` without weeks or beyond what money can hold.
    #[must_use]
    pub fn total(&self) -> Option<Cents> {
        self.weekly_amount.checked_mul(i64::from(self.weeks?))
    }
}

/// The debt a plan is measured by: the tenant's portion if positive, else the amount owed if
/// positive, else unknown (HTTP contract §4.1).
#[must_use]
pub fn debt_basis(tenant_portion: Option<Cents>, amount_owed: Option<Cents>) -> Option<Cents> {
    tenant_portion
        .filter(|p| *p > Cents::ZERO)
        .or_else(|| amount_owed.filter(|a| *a > Cents::ZERO))
}

#[cfg(test)]
mod properties;
