//! A plan as managers and other services see it: the offer, the verdict, what to offer instead and
//! when each payment would be due.

use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CounterOffer, Instalment, Plan, PlanContext, PlanSettings, ResolvedPlan, Source, Verdict,
    counter_offers, debt_basis, judge, schedule,
};
use crate::domain::TenantContext;

/// A plan that was found and judged. Amounts are cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanFinding {
    /// What is offered.
    pub plan: Plan,
    /// Which source gave its amount.
    pub source: Source,
    /// Confidence of the reading in ten-thousandths, when somebody gave one.
    pub confidence: Option<u32>,
    /// What the rules say.
    pub verdict: Verdict,
    /// Admissible plans near it; empty when it is admissible itself.
    pub counter_offers: Vec<CounterOffer>,
    /// Its instalments, summing exactly to the payable total; empty when nobody said how long.
    /// Without a stated start the first one falls a week from today.
    pub schedule: Vec<Instalment>,
}

/// Judges a resolved plan against what is known of the tenant. A tenant who is not known has no
/// debt to compare with and no failed plan on record.
#[must_use]
pub fn find(
    resolved: &ResolvedPlan,
    tenant: Option<&TenantContext>,
    confidence: Option<u32>,
    today: NaiveDate,
    settings: &PlanSettings,
) -> PlanFinding {
    let context = PlanContext {
        today,
        debt_basis: tenant.and_then(|t| debt_basis(t.tenant_portion, t.amount_owed)),
        confidence,
        failed_plan_on_record: tenant.is_some_and(|t| t.failed_payment_plans > 0),
        conflicting: resolved.conflicting,
        needs_review: resolved.needs_review,
    };
    let verdict = judge(&resolved.plan, &context, settings);
    let first_due = today.checked_add_days(Days::new(7)).unwrap_or(today);
    let instalments = verdict
        .payable_total
        .map(|total| schedule(&resolved.plan, total, first_due));
    PlanFinding {
        plan: resolved.plan,
        source: resolved.source,
        confidence,
        counter_offers: counter_offers(&resolved.plan, &context, settings),
        schedule: instalments.unwrap_or_default(),
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cents, Language, TenantId};
    use crate::rules::plan::{Status, TenantPlan, resolve_offers};

    fn tenant(portion: i64, failed: i64) -> TenantContext {
        TenantContext {
            tenant_id: TenantId::from_stored("1".into()),
            tenant_name: None,
            amount_owed: Some(Cents(124_700)),
            tenant_portion: Some(Cents(portion)),
            days_late: None,
            payment_reliability_score: None,
            failed_payment_plans: failed,
            successful_payment_plans: 0,
            language_preference: Language::English,
            property_name: None,
            unit_name: None,
            status: None,
        }
    }

    fn offer(dollars: i64, weeks: u32) -> ResolvedPlan {
        let said = TenantPlan {
            weekly_amount: Some(Cents::from_dollars(dollars)),
            weeks: Some(weeks),
            ..TenantPlan::default()
        };
        resolve_offers(Some(&said), None).expect("an offer")
    }

    fn found(plan: &ResolvedPlan, tenant: Option<&TenantContext>) -> PlanFinding {
        let today = "2026-11-21".parse().expect("a day");
        find(plan, tenant, None, today, &PlanSettings::default())
    }

    #[test]
    fn a_voucher_tenants_plan_is_measured_by_the_own_portion() {
        let finding = found(&offer(75, 8), Some(&tenant(56_700, 0)));
        assert_eq!(finding.verdict.status, Status::Validated);
        assert_eq!(finding.verdict.payable_total, Some(Cents(56_700)));
        let dues: i64 = finding.schedule.iter().map(|i| i.amount.0).sum();
        assert_eq!(dues, 56_700);
        assert_eq!(finding.schedule.len(), 8);
        assert_eq!(finding.schedule[0].due_date.to_string(), "2026-11-28");
        assert_eq!(finding.counter_offers, []);
    }

    #[test]
    fn a_tenant_who_broke_a_plan_is_looked_at_by_a_person() {
        let finding = found(&offer(75, 8), Some(&tenant(56_700, 1)));
        assert!(finding.verdict.is_valid);
        assert_eq!(finding.verdict.status, Status::NeedsReview);
    }

    #[test]
    fn without_a_known_debt_only_the_limits_count() {
        let finding = found(&offer(30, 4), None);
        assert_eq!(finding.verdict.covers_debt, None);
        assert_eq!(finding.verdict.status, Status::Validated);
    }

    #[test]
    fn too_little_gets_something_to_answer_with() {
        let finding = found(&offer(10, 4), Some(&tenant(56_700, 0)));
        assert_eq!(finding.verdict.status, Status::Invalid);
        assert!(!finding.counter_offers.is_empty());
    }
}
