//! Dates: days the tenant named, instalments of a plan with a start, and weekdays that fit.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::vouched::role;
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

const NAME: &str = "dates";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let figures = &draft.said.figures;
    for (at, figure) in figures.iter().enumerate() {
        let Stated::Date { date, weekday, how } = figure.what else {
            continue;
        };
        if is_ordinal(draft, figure) {
            continue;
        }
        // "Friday, December 4": the weekday belongs to the date that follows.
        let next = figures.get(at + 1).filter(|f| beside(draft, figure, f));
        if let (Some(weekday), Some(next)) = (weekday, next)
            && let Stated::Date {
                date: Some(date), ..
            } = next.what
        {
            if date.weekday() != weekday {
                return Finding::failed(NAME, UNGROUNDED, "weekday", "a date with another weekday");
            }
            continue;
        }
        let numbered = matches!(how, "day" | "month_day") || has_digit(draft.words(&figure.span));
        if numbered
            && let (Some(date), Some(weekday)) = (date, weekday)
            && date.weekday() != weekday
        {
            return Finding::failed(NAME, UNGROUNDED, "weekday", "a date with another weekday");
        }
        if !is_known(draft, grounds, figure, date, weekday, how, numbered) {
            return Finding::failed(NAME, UNGROUNDED, "date", "a day that nobody named");
        }
    }
    Finding::passed(NAME)
}

/// "The first payment", "the second one": no day, though the grammar of dates knows "the first".
fn is_ordinal(draft: &Draft<'_>, figure: &Statement) -> bool {
    let words = plain_words(draft.words(&figure.span));
    let after = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let counted = |w: &String| {
        matches!(
            w.as_str(),
            "payment"
                | "payments"
                | "one"
                | "pago"
                | "pagos"
                | "installment"
                | "cuota"
                | "abono"
                | "week"
                | "semana"
                | "thing"
                | "step"
                | "paso"
        )
    };
    let ordinal = [
        "first", "second", "third", "primer", "primero", "primera", "segundo", "tercer",
    ];
    words.iter().any(|w| ordinal.contains(&w.as_str()))
        && (words.iter().any(counted) || after.iter().take(4).any(counted))
}

fn has_digit(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
}

fn beside(draft: &Draft<'_>, a: &Statement, b: &Statement) -> bool {
    matches!(b.what, Stated::Date { .. })
        && draft
            .reply
            .get(a.span.end..b.span.start)
            .is_some_and(|gap| matches!(gap.trim(), "" | "," | "(" | "the" | ", the" | "el" | "-"))
}

fn is_known(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: Option<NaiveDate>,
    weekday: Option<Weekday>,
    how: &str,
    numbered: bool,
) -> bool {
    if is_greeting(draft, figure) {
        return true;
    }
    let due = role(draft, figure, "due");
    if how == "today" && !due {
        return true;
    }
    // "Would you like to start this week?" leaves the day to the tenant.
    let asks = draft.said.questions.contains(&figure.sentence);
    let at_once = matches!(
        draft.words(&figure.span).to_lowercase().as_str(),
        "now" | "ahora"
    );
    if at_once || asks && how == "today" {
        return true;
    }
    let vague = matches!(
        how,
        "this_week" | "next_week" | "this_month" | "next_month" | "event"
    );
    if asks && weekday.is_none() && vague {
        return true;
    }
    let own = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .chain(&grounds.company.figures);
    let words = plain_words(draft.words(&figure.span));
    let mut own_dates = own.filter_map(|f| match f.what {
        Stated::Date { date, weekday, how } => Some((date, weekday, how)),
        _ => None,
    });
    if numbered {
        return own_dates.any(|(own, ..)| own.is_some() && own == date)
            || date.is_some_and(|d| is_instalment(grounds, d) || is_after(grounds, d));
    }
    own_dates.any(|(own, own_weekday, own_how)| {
        let same_day =
            weekday.is_some() && (own_weekday == weekday || own.map(|d| d.weekday()) == weekday);
        same_day
            || weekday.is_none()
                && own_how == how
                && (date == own
                    && (date.is_some() || words.iter().all(|w| grounds.own_words.contains(w))))
    }) || date.is_some_and(|d| weekday.is_some() && is_instalment(grounds, d))
}

/// "December 5", when the tenant said "in two weeks".
fn is_after(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    let named = |text: &str, f: &Statement| {
        let days = match f.what {
            Stated::Count {
                hundredths: Some(n),
                unit: Unity::Day,
            } => n / 100,
            Stated::Count {
                hundredths: Some(n),
                unit: Unity::Week,
            } => n * 7 / 100,
            _ => return false,
        };
        let before = plain_words(text.get(..f.span.end).unwrap_or_default());
        let within = before
            .iter()
            .rev()
            .take(4)
            .any(|w| matches!(w.as_str(), "in" | "en" | "dentro" | "after"));
        within && (date - grounds.today).num_days() == days
    };
    !grounds.gives_orders
        && grounds
            .texts
            .iter()
            .zip(&grounds.asked)
            .any(|(text, said)| said.figures.iter().any(|f| named(text, f)))
}

/// A day of a plan whose start is known.
fn is_instalment(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    grounds.offers.iter().any(|offer| {
        let weeks = u64::from(offer.weeks.unwrap_or(grounds.settings.plans.max_weeks));
        offer.start.is_some_and(|start| {
            (0..weeks).any(|n| start.checked_add_days(Days::new(7 * n)) == Some(date))
        })
    })
}

/// "Have a great weekend": no day is meant.
fn is_greeting(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let last = plain_words(before).pop().unwrap_or_default();
    matches!(
        last.as_str(),
        "great"
            | "good"
            | "nice"
            | "wonderful"
            | "lovely"
            | "happy"
            | "enjoy"
            | "buen"
            | "feliz"
            | "excelente"
            | "bonito"
            | "lindo"
            | "blessed"
            | "restful"
    )
}
