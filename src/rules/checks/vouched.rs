//! Which weekly amounts, lengths and totals follow from facts and plan rules.

use super::{Draft, Grounds};
use crate::domain::Cents;
use crate::reading::statements::{Stated, Statement, Unity};

/// Weeks or payments a sentence counts, without those that are a limit or how late the rent is.
pub(super) fn lengths(draft: &Draft<'_>, sentence: usize) -> Vec<i64> {
    let plain = |f: &&Statement| {
        f.sentence == sentence && !role(draft, f, "maximum") && !role(draft, f, "late")
    };
    draft
        .said
        .figures
        .iter()
        .filter(plain)
        .filter_map(weeks)
        .collect()
}

/// The lengths that belong to an amount: those between it and the next amount, else those between
/// the amount before and it.
pub(super) fn lengths_of(draft: &Draft<'_>, figure: &Statement) -> Vec<i64> {
    let money = |f: &&Statement| {
        f.sentence == figure.sentence && matches!(f.what, Stated::Money { marked: true, .. })
    };
    let figures = &draft.said.figures;
    let starts = figures.iter().filter(money).map(|f| f.span.start);
    let next = starts.clone().find(|s| *s > figure.span.start);
    let last = figures
        .iter()
        .filter(money)
        .map(|f| f.span.end)
        .rfind(|e| *e <= figure.span.start);
    let between = |from: usize, to: usize| -> Vec<i64> {
        figures
            .iter()
            .filter(|f| f.sentence == figure.sentence && f.span.start >= from && f.span.end <= to)
            .filter(|f| !role(draft, f, "maximum") && !role(draft, f, "late"))
            .filter_map(weeks)
            .collect()
    };
    let after = between(figure.span.end, next.unwrap_or(usize::MAX));
    if !after.is_empty() {
        return after;
    }
    let before = between(last.unwrap_or(0), figure.span.start);
    let alone = !figures.iter().any(|f| {
        f.span != figure.span
            && f.sentence == figure.sentence
            && role(draft, f, "weekly")
            && matches!(f.what, Stated::Money { .. })
    });
    if before.is_empty() && alone {
        // "$75 a week would pay the $1,800 in 12 weeks"
        between(0, usize::MAX)
    } else {
        before
    }
}

/// "Seven payments of $75 and a last one of $42": all but the last, which the reply names.
pub(super) fn is_all_but_last(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    weekly: Cents,
    payments: i64,
) -> bool {
    let rest = weekly
        .checked_mul(payments)
        .zip(grounds.debt())
        .and_then(|(paid, debt)| debt.checked_sub(paid))
        .filter(|rest| *rest > Cents::ZERO && *rest < weekly);
    rest.is_some_and(|rest| {
        let named =
            |f: &Statement| matches!(f.what, Stated::Money { amount, .. } if amount == rest);
        draft.said.figures.iter().any(named)
    })
}

/// The count of weeks or payments, months as four weeks.
pub(super) fn weeks(figure: &Statement) -> Option<i64> {
    match figure.what {
        Stated::Count {
            hundredths: Some(h),
            unit: Unity::Week | Unity::Payment,
        } if h % 100 == 0 => Some(h / 100),
        Stated::Count {
            hundredths: Some(h),
            unit: Unity::Month,
        } => Some(h * 4 / 100),
        _ => None,
    }
}

/// Whether a figure begins or ends a phrase of that name: gaps may hold other figures.
pub(super) fn role(draft: &Draft<'_>, figure: &Statement, name: &str) -> bool {
    draft.said.named(name).any(|p| {
        p.span.start == figure.span.start && p.span.end >= figure.span.end
            || p.span.end == figure.span.end && p.span.start <= figure.span.start
    })
}

/// Whether so much a week for so many weeks is a plan somebody offered or the rules would propose.
/// The tenant's own weeks may not be replaced by others, except by what the rules compute.
pub(super) fn is_pair(grounds: &Grounds<'_>, weekly: Cents, weeks: i64) -> bool {
    let known = |t: &super::Terms| t.weekly == weekly && t.weeks.map(i64::from) == Some(weeks);
    if grounds.offers.iter().chain(&grounds.counters).any(known) {
        return true;
    }
    // Finishing exactly: one payment fewer would not cover the debt.
    weeks <= i64::from(grounds.settings.plans.max_weeks)
        && weekly >= grounds.settings.plans.min_weekly
        && debts(grounds).iter().any(|debt| {
            // Whole dollars may be rounded up; cents are the result of a division, or wrong.
            let exact = debt.divided_by(weeks) == Some(weekly)
                || debt.divided_by_ceil(weeks) == Some(weekly);
            // More than five dollars above the even share is no rounding: $296 for $269.
            let own = grounds.offers.iter().any(|o| o.weekly == weekly)
                || grounds.own_amounts().any(|a| a == weekly);
            let rounded = debt
                .divided_by_ceil(weeks)
                .is_some_and(|even| (weekly.get() - even.get()).abs() <= 500);
            (exact || weekly.get() % 100 == 0 && (own || rounded))
                && grounds.payments_needed(weekly, *debt) == Some(weeks)
        })
}

/// The debt, and what is left of it after single payments the tenant named.
fn debts(grounds: &Grounds<'_>) -> Vec<Cents> {
    grounds.balances()
}

/// Whether so much a week, without a length beside it, is the tenant's amount or one that pays the
/// debt in a length that was named or is the longest.
pub(super) fn is_weekly(draft: &Draft<'_>, grounds: &Grounds<'_>, weekly: Cents) -> bool {
    let plans = grounds.offers.iter().chain(&grounds.counters);
    if plans.clone().any(|t| t.weekly == weekly) || weekly == grounds.settings.plans.min_weekly {
        return true;
    }
    let own = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .filter_map(weeks_of);
    // "Split it in 6?"
    let split = grounds.asked.iter().flat_map(|s| &s.figures);
    let split = split.filter_map(|f| match f.what {
        Stated::Number(n) => Some(n / 100),
        Stated::Money {
            amount,
            marked: false,
        } => Some(amount.get() / 100),
        _ => None,
    });
    let split = split.filter(|n| (2..=i64::from(grounds.settings.plans.max_weeks)).contains(n));
    let own = own.chain(split);
    let named = draft.said.figures.iter().filter_map(weeks_of);
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let mut lengths = own.chain(named).chain([longest]);
    weekly >= grounds.settings.plans.min_weekly && lengths.any(|n| is_pair(grounds, weekly, n))
}

fn weeks_of(figure: &Statement) -> Option<i64> {
    weeks(figure).filter(|n| *n > 0)
}

/// So many payments, counted in the same sentence, pay the debt, whatever their rhythm.
pub(super) fn finishes(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let count = |f: &Statement| match f.what {
        Stated::Count {
            hundredths: Some(n),
            unit: Unity::Payment,
        } if f.sentence == figure.sentence => Some(n / 100),
        _ => None,
    };
    let needed: Vec<i64> = debts(grounds)
        .iter()
        .filter_map(|debt| grounds.payments_needed(amount, *debt))
        .collect();
    draft
        .said
        .figures
        .iter()
        .filter_map(count)
        .any(|n| needed.contains(&n))
}

/// "At $50 a week it would take 18 weeks, and plans run up to 12": the tenant's amount, what it
/// takes and the limit.
pub(super) fn is_needed_but_long(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    weekly: Cents,
    n: i64,
) -> bool {
    let longest = i64::from(grounds.settings.plans.max_weeks);
    n > longest
        && grounds.offers.iter().any(|o| o.weekly == weekly)
        && draft
            .said
            .figures
            .iter()
            .filter_map(weeks)
            .any(|w| w == longest)
        && debts(grounds)
            .iter()
            .any(|debt| grounds.payments_needed(weekly, *debt) == Some(n))
}

/// Totals, final payments and shortfalls of the plans that the reply or the tenant names.
pub(super) fn totals(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Vec<Cents> {
    let mut out = Vec::new();
    let debt = grounds.debt();
    let mut add = |weekly: Cents, weeks: i64| {
        let Some(total) = weekly.checked_mul(weeks) else {
            return;
        };
        out.push(total);
        let Some(debt) = debt else { return };
        out.extend(debt.checked_sub(total).filter(|c| *c > Cents::ZERO));
        out.extend(total.checked_sub(debt).filter(|c| *c > Cents::ZERO));
        if total >= debt {
            out.push(debt);
            let before = weekly
                .checked_mul(weeks - 1)
                .and_then(|b| debt.checked_sub(b));
            out.extend(before.filter(|c| *c > Cents::ZERO));
        }
    };
    // A plan the rules would propose counts when the reply names it: else its rest would excuse any.
    let spoken = |weekly: Cents| {
        let named =
            |f: &Statement| matches!(f.what, Stated::Money { amount, .. } if amount == weekly);
        draft.said.figures.iter().any(named)
    };
    let counters = grounds.counters.iter().filter(|c| spoken(c.weekly));
    for plan in grounds.offers.iter().chain(counters) {
        match (plan.weeks, debt) {
            (Some(weeks), _) => add(plan.weekly, i64::from(weeks)),
            (None, Some(debt)) => {
                if let Some(n) = grounds.payments_needed(plan.weekly, debt) {
                    add(plan.weekly, n);
                }
            }
            (None, None) => {}
        }
    }
    for n in draft.said.figures.iter().filter_map(weeks_of) {
        for plan in &grounds.offers {
            add(plan.weekly, n);
        }
    }
    // Amount and length side by side in the reply: whether they may stand is asked elsewhere, but
    // what they come to is arithmetic.
    for figure in &draft.said.figures {
        let Stated::Money { amount, .. } = figure.what else {
            continue;
        };
        if role(draft, figure, "weekly") {
            for n in lengths(draft, figure.sentence) {
                add(amount, n);
            }
            if lengths(draft, figure.sentence).is_empty() {
                let longest = i64::from(grounds.settings.plans.max_weeks);
                let asked = draft
                    .said
                    .figures
                    .iter()
                    .filter_map(weeks)
                    .any(|n| n == longest);
                if asked {
                    add(amount, longest);
                }
            }
        }
    }
    out
}
