//! Durations: how late, how long a plan runs, how long anything takes.

use super::vouched::{self, role};
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::statements::{Stated, Statement, Unity};

const NAME: &str = "durations";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if draft
        .said
        .figures
        .iter()
        .any(|f| is_strange_rhythm(draft, grounds, f))
    {
        let why = "a rhythm of payments that no offer or plan rule has";
        return Finding::failed(NAME, UNGROUNDED, "rhythm", why);
    }
    for figure in &draft.said.figures {
        let Stated::Count { hundredths, unit } = figure.what else {
            continue;
        };
        if claims_cover(draft, grounds, figure) {
            let why = "payments that do not cover what they are said to";
            return Finding::failed(NAME, UNGROUNDED, "cover", why);
        }
        if !is_known(draft, grounds, figure, hundredths, unit) {
            let why = "a length of time that no fact or plan explains";
            return Finding::failed(NAME, UNGROUNDED, "duration", why);
        }
    }
    Finding::passed(NAME)
}

/// "On the 1st of each month", "monthly payments": plans are weekly. Beside an amount the rhythm is
/// compared with it; elsewhere it has to be asked about, refused or handed on.
fn is_strange_rhythm(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let Stated::Period { payments, weeks } = figure.what else {
        return false;
    };
    let digits = |text: &str| -> Vec<String> {
        crate::reading::plain_words(text)
            .into_iter()
            .filter(|w| w.starts_with(|c: char| c.is_ascii_digit()))
            .collect()
    };
    let dated = digits(draft.words(&figure.span))
        .into_iter()
        .filter(|w| *w != weeks.to_string() && *w != payments.to_string())
        .any(|w| !grounds.own_words.contains(&w) && !grounds.fact_words.contains(&w));
    let weekly = payments == weeks;
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let handed_on = has(&[
        "manager", "team", "person", "someone", "review", "ask", "gerente", "equipo", "persona",
        "alguien",
    ]);
    // "You get paid every two weeks" speaks of the tenant's income.
    let income = has(&[
        "income", "check", "paycheck", "get", "paid", "earn", "ingreso", "cheque", "sueldo",
        "cobra", "gana",
    ]);
    let open = draft.said.questions.contains(&figure.sentence)
        || handed_on
        || income
        || super::refusal::is_refused(draft, &figure.span);
    let beside_amount = draft
        .said
        .figures
        .iter()
        .any(|f| f.sentence == figure.sentence && matches!(f.what, Stated::Money { .. }));
    !weekly && !open && !beside_amount || dated && !open
}

/// "$110 a week covers the $1,275 in 11 weeks": the rules may admit less than all, but then it is not
/// covered.
fn claims_cover(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let Some(n) = vouched::weeks(figure) else {
        return false;
    };
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let stems = ["cover", "cubr", "clear", "liquid", "caught", "terminar"];
    let covers = words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let denies = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "not"
                | "no"
                | "doesnt"
                | "wont"
                | "wouldnt"
                | "dont"
                | "short"
                | "only"
                | "most"
                | "leaves"
                | "but"
                | "cant"
                | "within"
                | "up"
                | "least"
                | "minimum"
                | "start"
                | "need"
                | "could"
        )
    });
    let Some(debt) = grounds.debt().filter(|_| covers && !denies) else {
        return false;
    };
    let balances = grounds.balances();
    let mut weekly = draft.said.figures.iter().filter_map(|f| match f.what {
        Stated::Money { amount, .. }
            if f.sentence == figure.sentence && !balances.contains(&amount) =>
        {
            Some(amount)
        }
        _ => None,
    });
    let only = weekly.next().filter(|_| weekly.next().is_none());
    let rest = words.iter().any(|w| {
        w.starts_with("rest") || matches!(w.as_str(), "remaining" | "after" | "despues" | "plus")
    });
    only.and_then(|w| w.checked_mul(n))
        .is_some_and(|total| total < debt && !rest)
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
    // "It's 29 days as of today", to "how many days late am I".
    let asked = grounds.said_any(&[
        "late", "behind", "overdue", "atraso", "atrasado", "atrasada",
    ]);
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let given = crate::reading::plain_words(before);
    let given = given.iter().rev().take(2).any(|w| {
        matches!(
            w.as_str(),
            "have"
                | "in"
                | "within"
                | "next"
                | "another"
                | "get"
                | "tiene"
                | "en"
                | "otros"
                | "give"
                | "for"
        )
    });
    if unit == Unity::Day && asked && !given && is_how_late(grounds, hundredths, unit) {
        return true;
    }
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let weeks = vouched::weeks(figure);
    if role(draft, figure, "maximum") && !role(draft, figure, "weekly") {
        return weeks == Some(longest);
    }
    let same = |f: &Statement| f.what == figure.what;
    // "Your two payments", when the tenant named two days.
    let days = grounds.own.iter().map(|s| {
        s.figures
            .iter()
            .filter(|f| matches!(f.what, Stated::Date { .. }))
            .count()
    });
    if unit == Unity::Payment
        && days
            .max()
            .is_some_and(|n| n > 1 && i64::try_from(n * 100) == Ok(hundredths))
    {
        return true;
    }
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
        // "$350 today and the rest in three weeks" is no plan of three payments.
        Stated::Money { amount, .. } if unit == Unity::Payment || role(draft, f, "weekly") => {
            Some(amount)
        }
        _ => None,
    });
    let amounts = named
        .chain(plans.map(|p| p.weekly))
        .chain(grounds.own_amounts().filter(|_| unit == Unity::Payment));
    // "Over 10 weeks it's $62.50"
    let divided = |f: &Statement| match f.what {
        Stated::Money { amount, .. } if f.sentence == figure.sentence => {
            grounds.balances().iter().any(|debt| {
                debt.divided_by(weeks) == Some(amount)
                    || debt.divided_by_ceil(weeks) == Some(amount)
            })
        }
        _ => false,
    };
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let spread = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()))
        .iter()
        .any(|w| {
            matches!(
                w.as_str(),
                "over"
                    | "each"
                    | "per"
                    | "weekly"
                    | "semanal"
                    | "semanales"
                    | "cada"
                    | "split"
                    | "spread"
                    | "across"
            )
        });
    if spread && weeks > 1 && weeks <= longest && draft.said.figures.iter().any(divided) {
        return true;
    }
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
