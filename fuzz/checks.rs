//! What must hold for any text whatever. The fuzz targets and the property tests of the ordinary
//! test run share these bodies.

use chrono::NaiveDate;
use orchestrator::domain::money::Cents;
use orchestrator::reading::{self, Trigger};
use orchestrator::rules::plan::parse_plan_line;

/// The reader never panics, its spans are slices of the text, and what it gives is in bounds.
pub(crate) fn reader(text: &str) {
    let day = NaiveDate::from_ymd_opt(2025, 11, 17).expect("a day");
    let reading = reading::read(text, day);
    for hit in &reading.triggers {
        assert!(text.get(hit.span.clone()).is_some(), "{:?}", hit.span);
    }
    let names: Vec<&str> = reading
        .triggers
        .iter()
        .map(|t| t.trigger.as_str())
        .collect();
    assert!(names.windows(2).all(|w| w[0] < w[1]), "{names:?}");
    if let Some(plan) = &reading.plan {
        assert!(text.get(plan.span.clone()).is_some(), "{:?}", plan.span);
        assert!(plan.weekly_amount > Cents::ZERO);
        assert!(plan.weeks != Some(0));
        assert!(plan.down_payment.is_none_or(|d| d > Cents::ZERO));
        assert!(reading.promise.is_none(), "a plan and a promise");
        let outside =
            plan.weeks.is_some_and(|w| w > 12) || plan.weekly_amount < Cents::from_dollars(25);
        assert_eq!(outside, reading.has(Trigger::UnrealisticProposal));
    } else {
        assert!(!reading.has(Trigger::UnrealisticProposal));
    }
    if let Some(promise) = &reading.promise {
        assert!(
            text.get(promise.span.clone()).is_some(),
            "{:?}",
            promise.span
        );
        assert!(promise.amount.is_none_or(|a| a > Cents::ZERO));
    }
    assert!((0.0..=1.0).contains(&reading.language.confidence));
    assert!((2..=3).contains(&reading.language.code.len()));
    assert_eq!(reading, reading::read(text, day), "reading twice differs");
}

/// What is read as money is written so that it reads the same.
pub(crate) fn money(text: &str) {
    if let Ok(amount) = Cents::parse(text) {
        assert_eq!(Cents::parse(&amount.to_string()), Ok(amount), "{text:?}");
        assert!((amount.as_dollars_f64() * 100.0 - amount.get() as f64).abs() < 0.5);
    }
}

/// A plan line is read whole or not at all, within the limits.
pub(crate) fn plan_line(text: &str) {
    if let Some(plan) = parse_plan_line(text) {
        assert!(plan.weekly_amount.is_some_and(|a| a > Cents::ZERO));
        assert!(plan.weeks.is_none_or(|w| w > 0));
    }
}
