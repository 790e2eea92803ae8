//! Properties of the plan rules over all plans and debts.

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::*;

fn context(debt: Option<i64>) -> PlanContext {
    PlanContext {
        today: NaiveDate::from_ymd_opt(2026, 11, 21).unwrap(),
        debt_basis: debt.map(Cents::new),
        confidence: None,
        failed_plan_on_record: false,
        conflicting: false,
        needs_review: false,
    }
}

fn plan(cents: i64, weeks: Option<u32>, days: Option<i64>) -> Plan {
    let today = context(None).today;
    Plan {
        weekly_amount: Cents::new(cents),
        weeks,
        start_date: days.and_then(|d| {
            if d < 0 {
                today.checked_sub_days(Days::new(d.unsigned_abs()))
            } else {
                today.checked_add_days(Days::new(d.unsigned_abs()))
            }
        }),
    }
}

proptest! {
    #[test]
    fn instalments_sum_to_the_payable_total(
        cents in 1i64..100_000_000,
        weeks in 1u32..=520,
        debt in proptest::option::of(1i64..1_000_000_000),
    ) {
        let plan = plan(cents, Some(weeks), None);
        let context = context(debt);
        let verdict = judge(&plan, &context, &PlanSettings::default());
        let payable = verdict.payable_total.unwrap();
        let parts = schedule(&plan, payable, context.today);
        let sum: i64 = parts.iter().map(|p| p.amount.get()).sum();
        prop_assert_eq!(sum, payable.get());
        prop_assert!(parts.iter().all(|p| p.amount > Cents::ZERO && p.amount <= plan.weekly_amount));
        prop_assert!(parts.len() <= weeks as usize);
        prop_assert!(parts.windows(2).all(|w| (w[1].due_date - w[0].due_date).num_days() == 7));
    }

    #[test]
    fn every_counter_offer_is_valid_and_there_are_at_most_three(
        cents in 1i64..10_000_000,
        weeks in proptest::option::of(1u32..=520),
        days in proptest::option::of(-60i64..120),
        debt in proptest::option::of(1i64..50_000_000),
        max_weeks in 0u32..60,
    ) {
        let settings = PlanSettings { max_weeks, ..PlanSettings::default() };
        let plan = plan(cents, weeks, days);
        let context = context(debt);
        let offers = counter_offers(&plan, &context, &settings);
        prop_assert!(offers.len() <= 3);
        for offer in &offers {
            prop_assert!(judge(&offer.plan, &context, &settings).is_valid, "{:?}", offer);
        }
        if judge(&plan, &context, &settings).is_valid {
            prop_assert!(offers.is_empty());
        } else if max_weeks > 0 {
            prop_assert!(!offers.is_empty());
        }
    }

    #[test]
    fn a_verdict_never_panics_and_never_asks_for_more_than_is_owed(
        cents in proptest::num::i64::ANY,
        weeks in proptest::option::of(proptest::num::u32::ANY),
        debt in proptest::option::of(proptest::num::i64::ANY),
    ) {
        let context = context(debt);
        let verdict = judge(&plan(cents, weeks, None), &context, &PlanSettings::default());
        if let (Some(payable), Some(debt)) = (verdict.payable_total, context.debt_basis) {
            prop_assert!(payable <= debt);
        }
    }

    #[test]
    fn any_text_is_read_as_a_plan_line_without_a_panic(text in "(PAYMENT_PLAN:)?\\PC{0,60}") {
        let _ = parse_plan_line(&text);
    }
}
