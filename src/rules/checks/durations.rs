//! Durations: how late, how long a plan runs, how long anything takes.

use super::vouched::{self, role};
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::statements::{Stated, Statement, Unity};

const NAME: &str = "durations";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    for figure in &draft.said.figures {
        let Stated::Count { hundredths, unit } = figure.what else {
            continue;
        };
        if !is_known(draft, grounds, figure, hundredths, unit) {
            let why = "a length of time that no fact or plan explains";
            return Finding::failed(NAME, UNGROUNDED, "duration", why);
        }
    }
    Finding::passed(NAME)
}

fn is_known(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    hundredths: Option<i64>,
    unit: Unity,
) -> bool {
    let Some(hundredths) = hundredths else {
        let vague = |f: &Statement| {
            matches!(
                f.what,
                Stated::Count {
                    hundredths: None,
                    ..
                }
            )
        };
        return unit == Unity::Payment || grounds.own.iter().flat_map(|s| &s.figures).any(vague);
    };
    if role(draft, figure, "late") {
        return is_how_late(grounds, hundredths, unit);
    }
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let weeks = vouched::weeks(figure);
    if role(draft, figure, "maximum") && !role(draft, figure, "weekly") {
        return weeks == Some(longest);
    }
    let same = |f: &Statement| f.what == figure.what;
    // A length beyond the limit may be repeated only to refuse it.
    if weeks.is_some_and(|w| w > longest) && unit != Unity::Payment {
        let sentence = draft
            .said
            .sentences
            .get(figure.sentence)
            .cloned()
            .unwrap_or_default();
        let needed = |n: i64| {
            grounds
                .offers
                .iter()
                .any(|o| vouched::is_needed_but_long(draft, grounds, o.weekly, n))
        };
        if weeks.is_some_and(needed) {
            return true;
        }
        return grounds.own.iter().flat_map(|s| &s.figures).any(same)
            && (super::refusal::is_refused(draft, &figure.span)
                || exceeds(draft.words(&sentence)));
    }
    if grounds.own.iter().flat_map(|s| &s.figures).any(same)
        || grounds.company.figures.iter().any(same)
    {
        return true;
    }
    let Some(weeks) = weeks else {
        return false;
    };
    if unit == Unity::Payment && weeks == 1 || weeks == longest {
        return true;
    }
    let plans = grounds.offers.iter().chain(&grounds.counters);
    if plans.clone().any(|p| p.weeks.map(i64::from) == Some(weeks)) {
        return true;
    }
    // What a weekly amount named in the reply or by the tenant takes to pay the debt.
    let named = draft.said.figures.iter().filter_map(|f| match f.what {
        Stated::Money { amount, .. } => Some(amount),
        _ => None,
    });
    let amounts = named
        .chain(plans.map(|p| p.weekly))
        .chain(grounds.own_amounts().filter(|_| unit == Unity::Payment));
    weeks <= longest.max(52)
        && amounts
            .filter(|a| *a >= grounds.settings.plans.min_weekly)
            .any(|a| {
                vouched::is_all_but_last(draft, grounds, a, weeks)
                    || grounds
                        .balances()
                        .iter()
                        .any(|debt| grounds.payments_needed(a, *debt) == Some(weeks) && weeks > 1)
            })
}

/// "24 weeks is longer than we can offer".
fn exceeds(sentence: &str) -> bool {
    let words = crate::reading::plain_words(sentence);
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "longer"
                | "limit"
                | "maximum"
                | "exceeds"
                | "past"
                | "too"
                | "most"
                | "beyond"
                | "max"
                | "maximo"
                | "limite"
                | "excede"
                | "supera"
                | "over"
        )
    })
}

/// Exactly the days of the account; weeks and months as people round them.
fn is_how_late(grounds: &Grounds<'_>, hundredths: i64, unit: Unity) -> bool {
    let Some(days) = grounds.tenant.and_then(|t| t.days_late) else {
        return false;
    };
    let count = hundredths / 100;
    let rounded = |size: i64| count == days / size || count == (days + size / 2) / size;
    hundredths % 100 == 0
        && match unit {
            Unity::Day => count == days,
            Unity::Week => count > 0 && rounded(7),
            Unity::Month => count > 0 && rounded(30),
            _ => false,
        }
}
