//! Every other figure: counts, ordinals, codes, clock times, unit numbers.

use super::{Draft, Finding, Grounds, UNGROUNDED, instalments, vouched};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

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
    if let Some(n) = vouched::count(draft, figure)
        && instalments::counts(draft, grounds, figure, n, Unity::Week)
    {
        return true;
    }
    if is_excess(draft, grounds, figure) {
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
    let number = match figure.what {
        Stated::Number(n) => Some(n),
        Stated::Money {
            amount,
            marked: false,
        } => Some(amount.get()),
        _ => None,
    };
    // "El primer pago de $65, y son 9 en total"
    let total = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let counts = total.starts_with(&["en", "total"].map(str::to_owned))
        || total.starts_with(&["in", "total"].map(str::to_owned))
        || total.starts_with(&["in", "all"].map(str::to_owned));
    if let Some(n) = number
        && counts
        && instalments::counts(draft, grounds, figure, n / 100, Unity::Payment)
    {
        return true;
    }
    if let Some(n) = number
        && (is_repeated(draft, grounds, n / 100, figure) || multiplies(draft, grounds, figure))
    {
        return true;
    }
    if let Some(n) = number
        && (n == longest || weeks.map(|w| i64::from(w) * 100).any(|w| w == n))
    {
        return true;
    }
    run_around(draft.reply, figure.span.start).is_some_and(|run| is_word_known(grounds, run))
        || is_hour(draft, grounds, figure)
}

/// "12 x $120": so many payments, when so many of that amount are a plan or pay the debt.
pub(super) fn multiplies(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    times(draft).iter().any(|(count, amount, n)| {
        *count == figure.span
            && instalments::fit(draft, grounds, figure.sentence, *amount, *n).is_some()
    })
}

/// "12 x $120 = $1,440": the product, and the factor that is an amount.
pub(super) fn is_product(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    times(draft).iter().any(|(_, weekly, n)| {
        let fits = instalments::fit(draft, grounds, figure.sentence, *weekly, *n).is_some();
        let product = weekly.checked_mul(*n) == Some(amount)
            && draft
                .reply
                .get(..figure.span.start)
                .is_some_and(|before| before.trim_end().ends_with('='));
        fits && (amount == *weekly && is_factor(draft, figure) || product)
    })
}

/// "10 x $250 = $1,500": a product that is none.
pub(super) fn is_wrong_product(draft: &Draft<'_>, figure: &Statement, amount: Cents) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    before.trim_end().ends_with('=')
        && times(draft).iter().any(|(count, weekly, n)| {
            let near = count.end <= figure.span.start && figure.span.start - count.start < 24;
            near && weekly.checked_mul(*n) != Some(amount)
        })
}

fn is_factor(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let sign = |c: char| matches!(c, 'x' | '×' | '*');
    before.trim_end().ends_with(sign) || after.trim_start().starts_with(sign)
}

/// Every "N x $A" and "$A x N": where the count stands, the amount and the count.
fn times(draft: &Draft<'_>) -> Vec<(std::ops::Range<usize>, Cents, i64)> {
    let count = |f: &Statement| match f.what {
        Stated::Number(h)
        | Stated::Count {
            hundredths: Some(h),
            ..
        } => Some(h / 100),
        Stated::Money {
            amount,
            marked: false,
        } => Some(amount.get() / 100),
        _ => None,
    };
    let money = |f: &Statement| match f.what {
        Stated::Money {
            amount,
            marked: true,
        } => Some(amount),
        _ => None,
    };
    let pair = |pair: &[Statement]| {
        let [a, b] = pair else { return None };
        let gap = draft.reply.get(a.span.end..b.span.start).unwrap_or("-");
        // The sign may belong to the figure that was read.
        let around = draft
            .reply
            .get(a.span.start..b.span.end)
            .unwrap_or_default();
        let sign = |t: &str| matches!(t.trim(), "x" | "×" | "*" | "times" | "por" | "veces");
        let joined = gap.trim().is_empty()
            && around.contains([' ', 'x', '×'])
            && around.contains(['x', '×', '*']);
        if !(sign(gap) || joined) {
            return None;
        }
        match (count(a), money(b), money(a), count(b)) {
            (Some(n), Some(amount), ..) => Some((a.span.clone(), amount, n)),
            (_, _, Some(amount), Some(n)) => Some((b.span.clone(), amount, n)),
            _ => None,
        }
    };
    draft.said.figures.windows(2).filter_map(pair).collect()
}

/// "$50 three times and $45 at the end": all payments but the last, or all of them.
fn is_repeated(draft: &Draft<'_>, grounds: &Grounds<'_>, n: i64, figure: &Statement) -> bool {
    let after = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let repeats = after
        .first()
        .is_some_and(|w| matches!(w.as_str(), "times" | "veces"));
    let weekly = grounds
        .offers
        .iter()
        .chain(&grounds.counters)
        .map(|o| o.weekly);
    repeats
        && weekly
            .into_iter()
            .any(|weekly| instalments::fit(draft, grounds, figure.sentence, weekly, n).is_some())
}

/// "16 weeks, 4 more than a plan can have": a length less the longest.
pub(super) fn is_excess(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let (Stated::Number(hundredths)
    | Stated::Money {
        amount: Cents(hundredths),
        marked: false,
    }) = figure.what
    else {
        return false;
    };
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let after = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let more = after
        .first()
        .is_some_and(|w| matches!(w.as_str(), "more" | "over" | "mas" | "too" | "de"));
    let mut lengths = draft.said.figures.iter().filter_map(vouched::weeks);
    more && lengths.any(|n| (n - longest) * 100 == hundredths)
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
    // "Los dos", "the two", both of what was named.
    let both = n == 200
        && before.last().is_some_and(|w| {
            matches!(
                w.as_str(),
                "los" | "las" | "the" | "these" | "esos" | "estos"
            )
        });
    both || (100..=1200).contains(&n)
        && matches!(
            next.as_str(),
            "options"
                | "dates"
                | "fechas"
                | "amounts"
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
