//! Every other figure: counts, ordinals, codes, clock times, unit numbers.

use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement};

const NAME: &str = "figures";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    for figure in &draft.said.figures {
        let loose = matches!(figure.what, Stated::Number(_) | Stated::Digits);
        if loose && !is_known(draft, grounds, figure) {
            return Finding::failed(
                NAME,
                UNGROUNDED,
                "figure",
                "a number or time that nobody stated",
            );
        }
    }
    if let Some(at) = unread_digit(draft) {
        let known = run_around(draft.reply, at).is_some_and(|run| is_word_known(grounds, run));
        if !known {
            return Finding::failed(NAME, UNGROUNDED, "figure", "digits that cannot be read");
        }
    }
    Finding::passed(NAME)
}

/// A digit that no figure covers: nothing with a digit in it may pass unread.
fn unread_digit(draft: &Draft<'_>) -> Option<usize> {
    let covered = |at: usize| draft.said.figures.iter().any(|f| f.span.contains(&at));
    draft
        .reply
        .char_indices()
        .find(|(at, c)| c.is_numeric() && !covered(*at))
        .map(|(at, _)| at)
}

/// Whether a loose figure is one the tenant, the facts or the company named.
pub(super) fn is_known(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let mut known = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .chain(&grounds.company.figures);
    // "4D" is no 4.
    let run = run_around(draft.reply, figure.span.start).unwrap_or_default();
    let digits = run.chars().any(char::is_numeric);
    if digits && run.chars().any(char::is_alphabetic) {
        return is_word_known(grounds, run);
    }
    if !matches!(figure.what, Stated::Digits) && known.any(|f| f.what == figure.what) {
        return true;
    }
    // "Splitting it in two", when the tenant asked for two payments.
    let counted = |f: &Statement| match (f.what, figure.what) {
        (Stated::Count { hundredths, .. }, Stated::Number(n)) => hundredths == Some(n),
        (
            Stated::Count { hundredths, .. },
            Stated::Money {
                amount,
                marked: false,
            },
        ) => hundredths == Some(amount.get()),
        _ => false,
    };
    if grounds.own.iter().flat_map(|s| &s.figures).any(counted) {
        return true;
    }
    if is_list_mark(draft.reply, &figure.span) || is_small_count(draft, figure) {
        return true;
    }
    let longest = i64::from(grounds.settings.plans.max_weeks) * 100;
    let weeks = grounds
        .offers
        .iter()
        .chain(&grounds.counters)
        .filter_map(|o| o.weeks);
    if let Stated::Number(n) = figure.what
        && (n == longest || weeks.map(|w| i64::from(w) * 100).any(|w| w == n))
    {
        return true;
    }
    run_around(draft.reply, figure.span.start).is_some_and(|run| is_word_known(grounds, run))
        || is_hour(draft, grounds, figure)
}

/// "5 pm", when "5pm" was said.
fn is_hour(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let digits = draft.words(&figure.span);
    let after = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let joined = after
        .first()
        .filter(|w| matches!(w.as_str(), "am" | "pm"))
        .map(|half| format!("{digits}{half}"));
    joined
        .is_some_and(|hour| grounds.own_words.contains(&hour) || grounds.fact_words.contains(&hour))
}

/// `1)`, `2.` at the beginning of a line or after a blank: counting what is listed.
fn is_list_mark(text: &str, span: &std::ops::Range<usize>) -> bool {
    let digit = text
        .get(span.clone())
        .is_some_and(|d| matches!(d, "1" | "2" | "3"));
    let closed = text
        .get(span.end..)
        .is_some_and(|rest| rest.starts_with(')'));
    digit && closed
}

/// "two options", "the 1st payment", "both": a count of what is in the same text.
fn is_small_count(draft: &Draft<'_>, figure: &Statement) -> bool {
    let n = match figure.what {
        Stated::Number(n) => n,
        Stated::Money {
            amount,
            marked: false,
        } => amount.get(),
        _ => return false,
    };
    let rest = draft.reply.get(figure.span.end..).unwrap_or_default();
    let next = plain_words(rest).into_iter().next().unwrap_or_default();
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    // "the last one in week ten"
    if before
        .last()
        .is_some_and(|w| matches!(w.as_str(), "week" | "semana"))
        && (100..=1200).contains(&n)
    {
        return true;
    }
    (100..=1200).contains(&n)
        && matches!(
            next.as_str(),
            "options"
                | "ways"
                | "choices"
                | "questions"
                | "things"
                | "opciones"
                | "formas"
                | "payment"
                | "maneras"
                | "preguntas"
                | "lunes"
                | "martes"
                | "miercoles"
                | "jueves"
                | "viernes"
                | "sabados"
                | "domingos"
                | "mondays"
                | "tuesdays"
                | "wednesdays"
                | "thursdays"
                | "fridays"
                | "saturdays"
                | "sundays"
                | "installment"
                | "pago"
                | "cuota"
        )
}

/// The letters and digits around a place, with the marks inside a code or number.
fn run_around(text: &str, at: usize) -> Option<&str> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | ':' | '/' | '.' | ',');
    let start = text.get(..at)?.rfind(|c: char| !inside(c)).map_or(0, |i| {
        i + text[i..].chars().next().map_or(1, char::len_utf8)
    });
    let end = text
        .get(at..)?
        .find(|c: char| !inside(c))
        .map_or(text.len(), |i| at + i);
    Some(
        text.get(start..end)?
            .trim_matches(|c: char| !c.is_alphanumeric()),
    )
}

fn is_word_known(grounds: &Grounds<'_>, run: &str) -> bool {
    let words = plain_words(run);
    let known = |w: &String| grounds.own_words.contains(w) || grounds.fact_words.contains(w);
    !words.is_empty() && words.iter().all(known)
}
