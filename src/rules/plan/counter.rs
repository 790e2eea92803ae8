//! Counter-offers: the nearest admissible plans to one that is not.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{PlanContext, covers_share, judge, latest_start};
use super::{Plan, PlanSettings};
use crate::domain::money::Cents;

/// Most counter-offers made.
const MOST: usize = 3;

/// An admissible plan with the reason it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CounterOffer {
    /// A plan that the rules admit.
    pub plan: Plan,
    /// Stable code: `keep_amount`, `keep_weeks`, `longest` or `shortest`.
    pub reason: String,
}

/// Up to three admissible plans near the offered one, nearest first. Each of them passes
/// [`judge`] without an issue. None when the offer is fine as it is, or when the debt cannot be
/// covered within the limits.
///
/// Without a known debt only the limits count: the amount is raised to the minimum, the weeks cut to
/// the maximum.
#[must_use]
pub fn counter_offers(
    plan: &Plan,
    context: &PlanContext,
    settings: &PlanSettings,
) -> Vec<CounterOffer> {
    // A contradiction between sources is no property of the offered figures.
    let context = PlanContext {
        conflicting: false,
        ..*context
    };
    if judge(plan, &context, settings).is_valid || settings.max_weeks == 0 {
        return Vec::new();
    }
    let start_date = admissible_start(plan.start_date, context.today, settings);
    let amount = plan.weekly_amount.max(settings.min_weekly);
    let asked = plan.weeks.map(|w| w.clamp(1, settings.max_weeks));
    let mut found: Vec<CounterOffer> = Vec::new();
    let mut propose = |weekly_amount: Option<Cents>, weeks: Option<u32>, reason: &str| {
        let (Some(weekly_amount), Some(weeks)) = (weekly_amount, weeks) else {
            return;
        };
        let plan = Plan {
            weekly_amount,
            weeks: Some(weeks),
            start_date,
        };
        let repeated = found
            .iter()
            .any(|o| (o.plan.weekly_amount, o.plan.weeks) == (weekly_amount, Some(weeks)));
        if found.len() < MOST && !repeated && judge(&plan, &context, settings).is_valid {
            found.push(CounterOffer {
                plan,
                reason: reason.to_owned(),
            });
        }
    };
    match context.debt_basis {
        None => {
            propose(
                Some(amount),
                asked.or(Some(settings.max_weeks)),
                "keep_amount",
            );
        }
        Some(debt) => {
            let whole = |weeks: u32| even_amount(debt, weeks).map(|a| a.max(settings.min_weekly));
            // Their amount, as long as it takes; a plan that already covers enough keeps its weeks.
            let enough = asked.filter(|w| {
                amount
                    .checked_mul(i64::from(*w))
                    .is_some_and(|t| covers_share(t, debt, settings.min_coverage_percent))
            });
            let needed = weeks_needed(debt, amount).filter(|w| *w <= settings.max_weeks);
            propose(Some(amount), enough.or(needed), "keep_amount");
            propose(asked.and_then(whole), asked, "keep_weeks");
            propose(
                whole(settings.max_weeks),
                Some(settings.max_weeks),
                "longest",
            );
            let middle = settings.max_weeks.div_ceil(2);
            propose(whole(middle), Some(middle), "shortest");
        }
    }
    found
}

/// The plan to suggest when nobody has offered one: the longest, in whole dollars. `None` when the
/// limits admit none.
#[must_use]
pub fn suggestion(debt: Cents, settings: &PlanSettings) -> Option<(Cents, u32)> {
    let weekly = even_amount(debt, settings.max_weeks)?.max(settings.min_weekly);
    let weeks =
        weeks_needed(debt, weekly).filter(|weeks| (1..=settings.max_weeks).contains(weeks))?;
    Some((weekly, weeks))
}

/// The smallest amount of whole dollars a week that pays a debt in a number of weeks; people pay
/// round figures, and the last instalment shrinks to what is owed.
fn even_amount(debt: Cents, weeks: u32) -> Option<Cents> {
    let cents = debt.divided_by_ceil(i64::from(weeks))?;
    cents
        .get()
        .checked_add(99)
        .map(|c| Cents::new(c.div_euclid(100) * 100))
}

fn weeks_needed(debt: Cents, weekly: Cents) -> Option<u32> {
    if weekly <= Cents::ZERO {
        return None;
    }
    u32::try_from(debt.divided_by_ceil(weekly.get())?.get()).ok()
}

fn admissible_start(
    start: Option<NaiveDate>,
    today: NaiveDate,
    settings: &PlanSettings,
) -> Option<NaiveDate> {
    let latest = latest_start(today, settings).unwrap_or(today);
    start.map(|s| s.clamp(today, latest))
}
