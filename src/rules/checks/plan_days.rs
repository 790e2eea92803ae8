//! Days of a plan: its start, its payments and its end.

use chrono::{Days, NaiveDate};

use super::{Draft, Grounds};
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement};

/// "The first payment is today"
pub(super) fn is_first_payment(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    words.windows(2).any(|w| {
        matches!(w[0].as_str(), "first" | "primer")
            && (w[1].starts_with("pay") || w[1].starts_with("pag") || w[1].starts_with("abon"))
    })
}

/// "Could the first payment be this Friday?": asks for a start that the plan rules admit, as long as
/// it is no deadline.
pub(super) fn is_proposed_start(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: NaiveDate,
) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let days = (date - grounds.today).num_days();
    (0..=i64::from(grounds.settings.plans.max_start_days)).contains(&days)
        && (!super::dates::has_digit(draft.words(&figure.span)) || !starts_payment(draft, figure))
        && has(&[
            "start", "begin", "first", "empez", "empiec", "comenz", "comienc", "inici", "primer",
        ])
        && !has(&[
            "due", "by", "before", "antes", "deadline", "later", "tardar", "must", "debe",
        ])
}

/// "Start with $100 on January 5": an amount for a day that nobody named.
pub(super) fn starts_payment(draft: &Draft<'_>, figure: &Statement) -> bool {
    draft.said.figures.iter().any(|f| {
        f.sentence == figure.sentence
            && matches!(f.what, Stated::Money { .. })
            && f.span.end <= figure.span.start
            && figure.span.start - f.span.end < 5
    })
}

/// "$125 a week starting in February", when a plan has to start within 30 days.
pub(super) fn is_late_start(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: NaiveDate,
) -> bool {
    let days = (date - grounds.today).num_days();
    let before = plain_words(draft.reply.get(..figure.span.end).unwrap_or_default());
    let starts = before.iter().rev().take(5).any(|w| {
        [
            "start", "begin", "empez", "empiec", "comenz", "comienc", "inici", "partir", "arranc",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    let declined = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "not"
                | "no"
                | "cant"
                | "cannot"
                | "isnt"
                | "too"
                | "far"
                | "later"
                | "unable"
                | "wont"
                | "muy"
                | "tarde"
                | "lejos"
                | "past"
                | "beyond"
                | "sooner"
                | "before"
                | "antes"
                | "within"
                | "wouldnt"
                | "demasiado"
                | "doesnt"
        )
    });
    days > i64::from(grounds.settings.plans.max_start_days) && starts && !declined
}

/// "From September 11 through November 27", when the tenant named the first day only.
pub(super) fn is_end(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: NaiveDate,
) -> bool {
    let begins = grounds.said_any(&[
        "start",
        "starting",
        "begin",
        "beginning",
        "empezar",
        "empiezo",
        "comenzar",
        "comienzo",
        "from",
        "desde",
    ]);
    let before = plain_words(draft.reply.get(..figure.span.end).unwrap_or_default());
    let ends = before.iter().rev().take(8).any(|w| {
        matches!(
            w.as_str(),
            "through"
                | "take"
                | "until"
                | "last"
                | "final"
                | "finish"
                | "end"
                | "ending"
                | "hasta"
                | "ultimo"
        )
    });
    let weeks = u64::from(grounds.settings.plans.max_weeks);
    begins
        && ends
        && grounds
            .asked
            .iter()
            .flat_map(|s| &s.figures)
            .any(|f| match f.what {
                Stated::Date {
                    date: Some(start), ..
                } => (1..weeks).any(|n| start.checked_add_days(Days::new(7 * n)) == Some(date)),
                _ => false,
            })
}

/// A day of a plan whose start is known.
pub(super) fn is_instalment(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    grounds.offers.iter().any(|offer| {
        let weeks = u64::from(offer.weeks.unwrap_or(grounds.settings.plans.max_weeks));
        offer.start.is_some_and(|start| {
            (0..weeks).any(|n| start.checked_add_days(Days::new(7 * n)) == Some(date))
        })
    })
}

/// "The first payment would be on September 14", when the tenant starts on the 7th.
pub(super) fn is_other_instalment(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: NaiveDate,
) -> bool {
    let sentence = draft
        .said
        .sentences
        .get(figure.sentence)
        .cloned()
        .unwrap_or_default();
    let before = draft
        .reply
        .get(sentence.start..figure.span.start)
        .unwrap_or_default();
    // "The last payment being $65, and next Friday is fine as a start": two statements.
    let turn = [", and ", ", y ", " but ", " pero "];
    let clause = turn.iter().filter_map(|t| before.rfind(t)).max();
    let words = plain_words(before.get(clause.unwrap_or(0)..).unwrap_or_default());
    let says = |stems: &[&str]| {
        words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)))
            && words
                .iter()
                .any(|w| w.starts_with("pay") || w.starts_with("pag") || w.starts_with("abon"))
    };
    let over = words.iter().any(|w| {
        ["finish", "done", "end", "complete", "termin", "acab"]
            .iter()
            .any(|s| w.starts_with(s))
    });
    let starts: Vec<NaiveDate> = grounds.offers.iter().filter_map(|o| o.start).collect();
    if starts.is_empty() || draft.said.questions.contains(&figure.sentence) {
        return false;
    }
    let needed = |weekly| {
        let n = grounds.payments_needed(weekly, grounds.debt()?)?;
        u32::try_from(n).ok()
    };
    let last = |o: &super::Terms| {
        let weeks = u64::from(o.weeks.or_else(|| needed(o.weekly))?);
        o.start?
            .checked_add_days(Days::new(7 * weeks.checked_sub(1)?))
    };
    let ends: Vec<NaiveDate> = grounds.offers.iter().filter_map(last).collect();
    if says(&["last", "final", "ultim"]) || over {
        return !ends.is_empty() && !ends.contains(&date);
    }
    // "$130 weekly starting December 18", when the tenant starts on the 11th.
    let starting = words.iter().rev().take(4).any(|w| {
        [
            "start", "begin", "empez", "empiez", "comenz", "comienz", "partir", "inici",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    (starting || says(&["first", "primer"])) && !starts.contains(&date)
}
