//! Days that follow from what was said without being named as dates: of the month, of the week, of the
//! opening hours, and about when a plan ends.

use chrono::{Datelike, Days, NaiveDate};

use super::{Draft, Grounds};
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement};

/// Months in English and Spanish.
const MONTHS: [(&str, &str); 12] = [
    ("january", "enero"),
    ("february", "febrero"),
    ("march", "marzo"),
    ("april", "abril"),
    ("may", "mayo"),
    ("june", "junio"),
    ("july", "julio"),
    ("august", "agosto"),
    ("september", "septiembre"),
    ("october", "octubre"),
    ("november", "noviembre"),
    ("december", "diciembre"),
];

/// "De lunes a viernes de 8:30 a 5:00": a time of the company's facts in the same sentence.
pub(super) fn says_hours(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    is_range_of_days(draft, figure)
        || draft.said.figures.iter().any(|f| {
            f.sentence == figure.sentence
                && matches!(f.what, Stated::Digits)
                && draft.words(&f.span).contains(':')
                && grounds
                    .settings
                    .company_facts
                    .as_deref()
                    .is_some_and(|facts| facts.contains(draft.words(&f.span)))
        })
}

/// "Mon-Fri", "de lunes a viernes": two weekdays joined, as opening hours name them.
fn is_range_of_days(draft: &Draft<'_>, figure: &Statement) -> bool {
    let day = |f: &&Statement| {
        matches!(
            f.what,
            Stated::Date {
                weekday: Some(_),
                ..
            }
        )
    };
    let days: Vec<&Statement> = draft.said.figures.iter().filter(day).collect();
    days.windows(2).any(|pair| {
        let [a, b] = pair else { return false };
        let gap = draft.reply.get(a.span.end..b.span.start).unwrap_or("?");
        let gap = gap.trim().to_lowercase();
        let joined = ["-", "–", "to", "through", "thru", "a"].contains(&gap.as_str());
        joined && (a.span == figure.span || b.span == figure.span)
    })
}

/// "Would Fridays work for you?", "¿Le quedan bien los viernes?"
pub(super) fn is_proposed_day(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let plural = plain_words(draft.words(&figure.span))
        .iter()
        .any(|w| w.ends_with("days") || w.ends_with("bados") || w.ends_with("domingos"))
        || plain_words(draft.reply.get(..figure.span.start).unwrap_or_default())
            .last()
            .is_some_and(|w| matches!(w.as_str(), "los" | "cada" | "every" | "each"));
    plural
        && has(&[
            "work", "good", "suit", "best", "prefer", "like", "bien", "conv", "sirv", "gust",
            "parec",
        ])
        && !has(&[
            "due", "by", "before", "antes", "deadline", "later", "tardar", "must",
        ])
}

/// "Friday, December 4", when the tenant wrote "el 4 de dic": the day's number and a word that begins
/// its month, side by side.
pub(super) fn is_spelled(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    let Some((english, spanish)) = usize::try_from(date.month0())
        .ok()
        .and_then(|m| MONTHS.get(m))
    else {
        return false;
    };
    let day = |w: &String| is_day_number(w, date);
    let month = |w: &String| {
        w.len() >= 3 && (english.starts_with(w.as_str()) || spanish.starts_with(w.as_str()))
    };
    !grounds.gives_orders
        && (date - grounds.today).num_days().abs() < 180
        && grounds.texts.iter().any(|text| {
            plain_words(text).windows(3).any(|w| match w {
                [a, b, c] => day(a) && (month(b) || b == "de" && month(c)) || month(b) && day(c),
                _ => false,
            }) || matches!(plain_words(text).as_slice(), [a, b] if month(a) && day(b) || day(a) && month(b))
        })
}

fn is_day_number(word: &str, date: NaiveDate) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
    digits.parse() == Ok(date.day())
}

/// "December 3", when the tenant's check comes "the 3rd of every month" or "los dias 15 y 30": the
/// next such day.
pub(super) fn is_monthly(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    let recurring = |words: &[String]| {
        words.iter().any(|w| {
            matches!(
                w.as_str(),
                "month" | "monthly" | "mes" | "dias" | "quincena" | "15th" | "payday"
            )
        }) || words
            .windows(2)
            .any(|w| matches!((w[0].as_str(), w[1].as_str()), ("the" | "el", _)))
    };
    !grounds.gives_orders
        && (0..=31).contains(&(date - grounds.today).num_days())
        && grounds.texts.iter().any(|text| {
            let words = plain_words(text);
            // "15 y 30" are days when "dias", "the" or "el" says so, not dollars.
            recurring(&words)
                && !text.contains('$')
                && words.iter().enumerate().any(|(at, w)| {
                    let before = at
                        .checked_sub(1)
                        .and_then(|i| words.get(i))
                        .map_or("", String::as_str);
                    let ordinal = ["st", "nd", "rd", "th"].iter().any(|e| w.ends_with(e));
                    let led = matches!(before, "the" | "el" | "dias" | "dia" | "y" | "and" | "los");
                    (ordinal || led) && is_day_number(w, date)
                })
        })
}

/// "You'd be done around the end of April", when the tenant asks whether weekly payments end by May:
/// the last of them, if they began this week, is within ten days of it.
pub(super) fn is_about_the_end(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: Option<NaiveDate>,
) -> bool {
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let about = before.iter().rev().take(4).any(|w| {
        matches!(
            w.as_str(),
            "around" | "about" | "roughly" | "near" | "alrededor" | "aproximadamente"
        )
    });
    let last = |o: &super::Terms| {
        let debt = grounds.debt()?;
        let needed = grounds.payments_needed(o.weekly, debt)?;
        let weeks = u64::try_from(needed.checked_sub(1)?).ok()?;
        o.start
            .unwrap_or(grounds.today)
            .checked_add_days(Days::new(7 * weeks))
    };
    let words = plain_words(draft.words(&figure.span));
    let month = |end: NaiveDate| {
        let names = MONTHS.get(usize::try_from(end.month0()).unwrap_or_default());
        let named = names.is_some_and(|(en, es)| words.iter().any(|w| w == en || w == es));
        let late = before
            .iter()
            .rev()
            .take(3)
            .chain(&words)
            .any(|w| matches!(w.as_str(), "end" | "late" | "fines" | "finales"));
        // "End of April" is read as the month.
        let same = date.is_none_or(|d| d.day() == 1 && d.month() == end.month());
        same && named && (!late || end.day() > 20)
    };
    about
        && grounds
            .offers
            .iter()
            .filter_map(last)
            .any(|end| date.is_some_and(|d| (d - end).num_days().abs() <= 10) || month(end))
}
