//! Date words: as written for the record, and as a date for the plan (labelling guide §1.5, §2).

use std::ops::Range;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::context::Context;
use super::lexicon::sym;
use super::tokens::{Figure, Token};
use super::units::Entity;
use super::words::Class;

/// Longest event kept as `start` or `when`, in units.
const MAX_EVENT: usize = 8;

/// Names of weekdays and months in order; a spelling variant shares the id of its canonical word.
const WEEKDAYS: [[&str; 3]; 7] = [
    ["monday", "mondays", "lunes"],
    ["tuesday", "tuesdays", "martes"],
    ["wednesday", "wednesdays", "miercoles"],
    ["thursday", "thursdays", "jueves"],
    ["friday", "fridays", "viernes"],
    ["saturday", "saturdays", "sabado"],
    ["sunday", "sundays", "domingo"],
];
const MONTHS: [[&str; 2]; 12] = [
    ["january", "enero"],
    ["february", "febrero"],
    ["march", "marzo"],
    ["april", "abril"],
    ["may", "mayo"],
    ["june", "junio"],
    ["july", "julio"],
    ["august", "agosto"],
    ["september", "septiembre"],
    ["october", "octubre"],
    ["november", "noviembre"],
    ["december", "diciembre"],
];
const ORDINALS: [(&str, u32); 16] = [
    ("first", 1),
    ("primero", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
    ("ninth", 9),
    ("tenth", 10),
    ("eleventh", 11),
    ("twelfth", 12),
    ("fifteenth", 15),
    ("twentieth", 20),
    ("thirtieth", 30),
];

/// The words of a date without leading prepositions and articles; ISO when they hold a year. Returns
/// the words and the unit of the date.
pub(crate) fn words(c: &Context, range: Range<usize>) -> (String, usize) {
    let unit = range.start;
    if let Some(date) = with_year(c, unit) {
        return (date.format("%Y-%m-%d").to_string(), unit);
    }
    let mut first = c.units[unit].first;
    let last = c.units[range.end.max(unit + 1) - 1].last;
    while first + 1 < last && c.model.classes.is(c.tokens[first].sym, Class::LeadCut) {
        first += 1;
    }
    // "before the 5th", "antes del 15": these leads change the meaning and are kept.
    if let Some(lead) = kept_lead(c, unit, first) {
        first = lead;
    }
    let start = c.tokens[first].start;
    let end = c.tokens[last - 1].end;
    (c.text.get(start..end).unwrap_or("").trim().to_owned(), unit)
}

fn kept_lead(c: &Context, unit: usize, first: usize) -> Option<usize> {
    if first != c.units[unit].first && !matches!(c.units[unit].entity, Entity::Date(_)) {
        return None;
    }
    let mut at = c.units[unit].first;
    for _ in 0..2 {
        at = at.checked_sub(1)?;
        if c.model.classes.is(c.tokens[at].sym, Class::LeadKeep) {
            return Some(at);
        }
        if !c.model.classes.is(c.tokens[at].sym, Class::LeadCut) {
            return None;
        }
    }
    None
}

/// End of the event that begins at a unit ("when my taxes come"); `None` for a vague one ("when i
/// can") or a question.
pub(crate) fn event_end(c: &Context, at: usize) -> Option<usize> {
    // "as soon as", "después de que": the event begins after all of its lead.
    let mut lead = at + 1;
    while lead < at + 4 && (c.is(lead, Class::EventLead) || is_que(c, lead)) {
        lead += 1;
    }
    // "as soon as i am able"
    let able = c.is(lead, Class::Own) && c.is(lead + 2, Class::EventVague);
    if able || (lead..lead + 2).any(|i| c.is(i, Class::EventVague) && vague(c, i)) {
        return None;
    }
    let mut end = lead;
    while end < c.units.len() && end - at < MAX_EVENT {
        if c.ends_sentence(end)
            || c.sym(end) == sym::COMMA
            || c.money(end).is_some()
            || c.is(end, Class::EventEnd) && end > lead
        {
            break;
        }
        end += 1;
    }
    // One word makes an event in Spanish ("cuando cobre"), in English it takes a subject.
    let word = |of: &[&str]| of.iter().any(|w| c.model.lexicon.get(w) == Some(c.sym(at)));
    // "starting after finals", but not "after that"
    let noun = word(&["after"]) && !c.is(lead, Class::Pronoun) && lead == at + 1;
    let single = noun || word(&["cuando", "apenas"]);
    (end >= lead + if single { 1 } else { 2 }).then_some(end)
}

fn is_que(c: &Context, at: usize) -> bool {
    c.model.lexicon.get("que") == Some(c.sym(at)) || c.model.lexicon.get("de") == Some(c.sym(at))
}

/// "when i can", "cuando pueda", but not "when i get paid".
fn vague(c: &Context, at: usize) -> bool {
    let word = |i: usize| {
        c.units
            .get(i)
            .and_then(|u| c.tokens.get(u.first))
            .map_or("", |t| &c.text[t.start..t.end])
    };
    let is_subject = matches!(word(at), "i" | "I" | "we" | "We" | "get" | "feel");
    if is_subject {
        c.is(at + 1, Class::EventVague) && !matches!(word(at + 1), "get" | "i" | "we" | "feel")
    } else {
        true
    }
}

fn with_year(c: &Context, unit: usize) -> Option<NaiveDate> {
    let u = c.units.get(unit)?;
    let Entity::Date(_) = u.entity else {
        return None;
    };
    let tokens = &c.tokens[u.first..u.last];
    if let Some(Figure::Date {
        month,
        day,
        year: Some(year),
    }) = tokens.iter().find_map(|t| match t.figure {
        Some(f @ Figure::Date { .. }) => Some(f),
        _ => None,
    }) {
        return NaiveDate::from_ymd_opt(year, month, day);
    }
    let month = month_of(c, tokens)?;
    let mut numbers = tokens.iter().filter_map(number);
    let (a, b) = (numbers.next()?, numbers.next()?);
    let (day, year) = if a > 31 { (b, a) } else { (a, b) };
    NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|y| *y >= 1990)?, month, day)
}

fn number(t: &Token) -> Option<u32> {
    match t.figure? {
        Figure::Number { hundredths, .. } => u32::try_from(hundredths / 100).ok(),
        Figure::Ordinal(n) => Some(n),
        _ => None,
    }
}

fn month_of(c: &Context, tokens: &[Token]) -> Option<u32> {
    let find = |s| {
        MONTHS
            .iter()
            .position(|names| names.iter().any(|n| c.model.lexicon.get(n) == Some(s)))
    };
    tokens
        .iter()
        .find_map(|t| find(t.sym))
        .and_then(|i| u32::try_from(i + 1).ok())
}

pub(super) fn weekday_of(c: &Context, tokens: &[Token]) -> Option<Weekday> {
    let find = |s| {
        WEEKDAYS
            .iter()
            .position(|names| names.iter().any(|n| c.model.lexicon.get(n) == Some(s)))
    };
    tokens
        .iter()
        .find_map(|t| find(t.sym))
        .and_then(|i| u8::try_from(i).ok())
        .and_then(|i| Weekday::try_from(i).ok())
}

/// The calendar date of date words, counted from the reference date; `None` for events and words
/// without a day ("in december" gives the first of it).
pub(crate) fn resolve(c: &Context, unit: usize, today: NaiveDate) -> Option<NaiveDate> {
    let u = c.units.get(unit)?;
    let tokens = &c.tokens[u.first..u.last];
    if matches!(u.entity, Entity::Number(1..=31) | Entity::Money(_)) {
        // "a partir del 15": the caller has seen that it can be a day.
        return day(c, tokens, today);
    }
    let Entity::Date(label) = u.entity else {
        return None;
    };
    let reason = c.model.dates.labels.get(usize::from(label))?.reason;
    match reason {
        "today" => Some(today),
        "tomorrow" => today.checked_add_days(Days::new(1)),
        "overmorrow" => today.checked_add_days(Days::new(2)),
        "weekday" => {
            let weekday = weekday_of(c, tokens)?;
            let ahead =
                (7 + weekday.num_days_from_monday() - today.weekday().num_days_from_monday()) % 7;
            // "friday" said on a friday means the next one: today has its own word.
            let ahead = if ahead == 0 { 7 } else { ahead };
            let next = has_word(c, tokens, &["next", "proximo", "siguiente"]);
            let same_week = today.weekday().num_days_from_monday() < weekday.num_days_from_monday();
            // "next friday" in an earlier part of the same week is the friday of next week.
            let extra = if next && same_week { 7 } else { 0 };
            today.checked_add_days(Days::new(u64::from(ahead + extra)))
        }
        "day" | "month_day" => day(c, tokens, today),
        "month" => {
            let month = month_of(c, tokens)?;
            next_in_year(today, month, 1)
        }
        "next_week" => today.checked_add_days(Days::new(u64::from(
            7 - today.weekday().num_days_from_monday(),
        ))),
        "this_week" => Some(today),
        "next_month" => first_of_next_month(today),
        "this_month" | "month_end" => first_of_next_month(today)?.pred_opt(),
        "relative" => {
            let count = (u.first..u.last)
                .find_map(|t| c.model.numbers.read(c.tokens, c.text, t))
                .map_or(1, |n| n.hundredths / 100);
            let count = u64::try_from(count).ok().filter(|n| *n <= 1_000)?;
            let any = |class| tokens.iter().any(|t| c.model.classes.is(t.sym, class));
            if any(Class::Month) {
                today.checked_add_months(Months::new(u32::try_from(count).ok()?))
            } else if any(Class::Week) {
                today.checked_add_days(Days::new(7 * count))
            } else if any(Class::Fortnight) {
                today.checked_add_days(Days::new(14 * count))
            } else if any(Class::Day) {
                today.checked_add_days(Days::new(count))
            } else {
                Some(today)
            }
        }
        _ => None,
    }
}

/// The date of words that hold a figure or a month: "Friday, December 4" is the fourth, whatever
/// weekday stands before it.
pub(super) fn numbered(c: &Context, tokens: &[Token], today: NaiveDate) -> Option<NaiveDate> {
    let figure = tokens
        .iter()
        .any(|t| matches!(t.figure, Some(Figure::Date { .. } | Figure::Ordinal(_))));
    let month = month_of(c, tokens).is_some() && tokens.iter().any(|t| t.figure.is_some());
    (figure || month).then(|| day(c, tokens, today)).flatten()
}

fn has_word(c: &Context, tokens: &[Token], words: &[&str]) -> bool {
    tokens
        .iter()
        .any(|t| words.iter().any(|w| c.model.lexicon.get(w) == Some(t.sym)))
}

fn day(c: &Context, tokens: &[Token], today: NaiveDate) -> Option<NaiveDate> {
    if let Some((month, day, year)) = tokens.iter().find_map(|t| match t.figure {
        Some(Figure::Date { month, day, year }) => Some((month, day, year)),
        _ => None,
    }) {
        return match year {
            Some(y) => NaiveDate::from_ymd_opt(y, month, day),
            None => next_in_year(today, month, day),
        };
    }
    let figure = tokens.iter().find_map(number).or_else(|| {
        tokens.iter().find_map(|t| {
            ORDINALS
                .iter()
                .find(|(w, _)| c.model.lexicon.get(w) == Some(t.sym))
                .map(|(_, n)| *n)
        })
    });
    let day = figure.or_else(|| {
        (0..tokens.len()).find_map(|i| {
            c.model
                .numbers
                .read(tokens, c.text, i)
                .and_then(|n| u32::try_from(n.hundredths / 100).ok())
        })
    })?;
    if let Some(month) = month_of(c, tokens) {
        let year = tokens
            .iter()
            .filter_map(number)
            .find(|n| (1990..2100).contains(n));
        return match year.and_then(|y| i32::try_from(y).ok()) {
            Some(y) => NaiveDate::from_ymd_opt(y, month, day),
            None => next_in_year(today, month, day),
        };
    }
    // The next such day of the month; months without it ("31st") are passed over.
    let mut first = today.with_day(1)?;
    if has_word(c, tokens, &["next", "proximo"]) {
        first = first.checked_add_months(Months::new(1))?;
    }
    for _ in 0..3 {
        if let Some(date) = first.with_day(day)
            && date >= today
        {
            return Some(date);
        }
        first = first.checked_add_months(Months::new(1))?;
    }
    None
}

fn next_in_year(today: NaiveDate, month: u32, day: u32) -> Option<NaiveDate> {
    (0..5).find_map(|ahead| {
        NaiveDate::from_ymd_opt(today.year() + ahead, month, day).filter(|d| *d >= today)
    })
}

fn first_of_next_month(today: NaiveDate) -> Option<NaiveDate> {
    today.with_day(1)?.checked_add_months(Months::new(1))
}
