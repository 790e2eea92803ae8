//! The dated schedule of a plan.

use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::domain::money::Cents;

/// One payment of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instalment {
    /// When it is due.
    pub due_date: NaiveDate,
    /// How much.
    pub amount: Cents,
}

/// The instalments of a plan, one a week from its start (or `first_due` when it has none), summing
/// exactly to `payable_total`.
///
/// The last instalments shrink (contract §4.1): each is the weekly amount or what is left; weeks
/// after the debt is paid have no instalment. Empty without weeks or a positive total.
#[must_use]
pub fn schedule(plan: &Plan, payable_total: Cents, first_due: NaiveDate) -> Vec<Instalment> {
    let start = plan.start_date.unwrap_or(first_due);
    let mut left = payable_total;
    let mut out = Vec::new();
    if plan.weekly_amount <= Cents::ZERO {
        return out;
    }
    for week in 0..u64::from(plan.weeks.unwrap_or(0)) {
        if left <= Cents::ZERO {
            break;
        }
        let amount = plan.weekly_amount.min(left);
        let (Some(due_date), Some(rest)) = (
            start.checked_add_days(Days::new(7 * week)),
            left.checked_sub(amount),
        ) else {
            break;
        };
        out.push(Instalment { due_date, amount });
        left = rest;
    }
    out
}
