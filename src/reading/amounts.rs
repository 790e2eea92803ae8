//! Amounts of money (labelling guide §1.2 last line, §1.7, §1.8).

use super::lexicon::sym;
use super::numbers::Number;
use super::tokens::Figure;
use super::units::{Entity, Grouper, Money};
use super::words::Class;
use crate::domain::money::Cents;

/// Bare figures below this many hundredths are counts, not dollars: nobody offers "4 a week", but
/// "2 a day" is how medicine and cigarettes are told.
const SMALLEST_BARE: i64 = 500;

/// What is divided when an amount is said to be "of" it.
const PART_OF: &[&str] = &["it", "that", "this", "my", "what", "which"];

/// The amount that starts at a token, with the token after it.
pub(crate) fn read(g: &Grouper, at: usize) -> Option<(Money, usize)> {
    let lead = g.is(at, Class::RangeLead);
    let mut start = at;
    if lead {
        start = at + 1;
    }
    if let Some(Figure::Range(low, _)) = figure(g, start) {
        let end = currency(g, start + 1);
        let counted = g.is(end, Class::Counted) && end == start + 1;
        if counted || !fits(g, at, start) {
            return None;
        }
        return money(low, true, end > start + 1, end);
    }
    // Another country's money is not what a tenant owes here; advertisements name it.
    let written = g.tokens.get(start).and_then(|t| g.text.get(..t.start))?;
    if written.ends_with(['£', '€', '₹']) {
        return None;
    }
    let (first, mut end, marked) = one(g, start, lead)?;
    let (mut low, mut range, mut marked) = (first.hundredths, false, marked);
    if !lead && !fits(g, at, start) && !marked {
        return None;
    }
    // "90 - 120 weekly": the dash between blanks.
    let dashed = g.sym(end) == sym::DASH && !lead;
    let joined = g.is(end, Class::RangeJoin) || dashed || lead && g.is(end, Class::And);
    // "30 or maybe 40", "50, maybe 60": the filler may stand for the joining word.
    let mut next = end + usize::from(joined || g.sym(end) == sym::COMMA);
    let filler = g.is(next, Class::RangeFiller) && !lead;
    next += usize::from(filler);
    if (joined || filler && !g.is(end, Class::And))
        && let Some((second, second_end, second_marked)) = one(g, next, lead)
    {
        // "a" joins only figures of like size ("de 60 a 80"); "50 a 2" is something else.
        let like = second.hundredths.saturating_mul(10) >= low
            && second.hundredths <= low.saturating_mul(10);
        let choice = g.is(end, Class::Or) || lead;
        let bare = second_marked || second.hundredths >= SMALLEST_BARE;
        let counted = !second_marked && g.is(second_end, Class::Counted);
        if like && bare && !counted && (choice || second.hundredths > low) {
            low = low.min(second.hundredths);
            range = true;
            marked |= second_marked;
            end = second_end;
        }
    }
    if lead && !range {
        return None;
    }
    if !marked && !range {
        if is_clock(g, at, end, low) {
            return None;
        }
        // "100 of it": a part of money is money, "10 of them" are payments.
        let part = g.named(end, &["of"]) && g.named(end + 1, PART_OF);
        let counted = g.is(end, Class::Counted) && !part && !names_a_period(g, end, low);
        if low < SMALLEST_BARE || counted {
            return None;
        }
        if g.sym(end) == sym::PERCENT
            || is_phone(g, start, end)
            || first.digits && is_year(g, at, low)
        {
            return None;
        }
        // `14B`: a letter stuck to the figure that is no known unit of money or time.
        if g.tokens.get(end).is_some_and(|t| {
            t.glued
                && (t.sym == sym::UNKNOWN || t.end - t.start == 1)
                && g.text.as_bytes()[t.start].is_ascii_alphabetic()
                && !matches!(&g.text[t.start..t.end], "x" | "X" | "a" | "n" | "ish")
                // "75p/w"; "150p daily" are pence.
                && !(g.text[t.start..t.end] == *"p" && g.sym(end + 1) == sym::SLASH)
        }) {
            return None;
        }
    }
    money(
        part_of(g, at).map_or(low, |parts| low / parts),
        range,
        marked,
        end,
    )
}

/// "half of 600", "la mitad de los 800": the whole is named, a part of it is paid.
fn part_of(g: &Grouper, at: usize) -> Option<i64> {
    let before = at.checked_sub(1)?;
    let article = g.is(before, Class::LeadCut) && !g.is(before, Class::Of);
    let of = before.checked_sub(usize::from(article))?;
    let joined = g.named(of, &["of", "de"]);
    let part = if joined { of.checked_sub(1)? } else { of };
    if !(joined || article) {
        return None;
    }
    if g.named(part, &["half", "mitad"]) {
        Some(2)
    } else if joined && g.named(part, &["third", "tercio"]) {
        Some(3)
    } else if joined && g.named(part, &["fourth", "quarter"]) {
        Some(4)
    } else {
        None
    }
}

fn money(low: i64, range: bool, marked: bool, end: usize) -> Option<(Money, usize)> {
    (low > 0).then_some((
        Money {
            amount: Cents::new(low),
            range,
            marked,
        },
        end,
    ))
}

fn figure(g: &Grouper, at: usize) -> Option<Figure> {
    g.tokens.get(at).and_then(|t| t.figure)
}

/// One figure with its marks: `$75`, `75$`, `75 bucks`, `usd75`.
fn one(g: &Grouper, at: usize, between: bool) -> Option<(Number, usize, bool)> {
    let signed = g.sym(at) == sym::DOLLAR || g.is(at, Class::CurrencyCode);
    let mut number = g.number(if signed { at + 1 } else { at })?;
    let mut end = currency(g, number.end);
    let named = signed || end > number.end;
    let marked = named || number.grouped && number.hundredths >= 10_000;
    if named && let Some((cents, after)) = cents(g, end, number.hundredths, between) {
        number.hundredths += cents;
        end = after;
    }
    Some((number, end, marked))
}

/// Cents said after whole dollars: `20 dollars 43 cents`, `$20 and 43c`, `15 dolares con 50`. Without
/// the word only beside a small sum: "300 dollars and 50 a week" are two amounts.
fn cents(g: &Grouper, end: usize, dollars: i64, between: bool) -> Option<(i64, usize)> {
    let joined = g.is(end, Class::CentsJoin);
    let number = g.number(if joined { end + 1 } else { end })?;
    let two_digits = (1_000..10_000).contains(&number.hundredths);
    let whole = dollars % 100 == 0 && number.hundredths % 100 == 0;
    if !whole || number.hundredths >= 10_000 {
        return None;
    }
    if g.is(number.end, Class::Cents) {
        return Some((number.hundredths / 100, number.end + 1));
    }
    let alone = !g.is(number.end, Class::Counted) && currency(g, number.end) == number.end;
    (dollars < 10_000 && two_digits && alone && !between)
        .then_some((number.hundredths / 100, number.end))
}

/// "the check at 5", "around 9": an hour, unless a period follows ("about 10 a day").
fn is_clock(g: &Grouper, at: usize, end: usize, hundredths: i64) -> bool {
    hundredths <= 1_200
        && at > 0
        && g.is(at - 1, Class::ClockLead)
        && !g.is(end, Class::PeriodLead)
        && g.sym(end) != sym::SLASH
}

fn currency(g: &Grouper, at: usize) -> usize {
    if g.sym(at) == sym::DOLLAR
        && !g
            .tokens
            .get(at + 1)
            .is_some_and(|t| t.glued && t.figure.is_some())
        || g.is(at, Class::Currency)
    {
        at + 1
    } else if g.is(at, Class::Of) && g.is(at + 1, Class::Currency) {
        at + 2
    } else {
        at
    }
}

/// "75wk", "85 wk for 5 wks": the noun after the figure is a period, for nobody counts so many weeks.
fn names_a_period(g: &Grouper, at: usize, hundredths: i64) -> bool {
    let time = g.is(at, Class::Week) || g.is(at, Class::Month);
    time && (hundredths > 6_000 || g.tokens.get(at).is_some_and(|t| t.glued) && hundredths > 2_600)
}

/// Whether the words before allow a bare figure to be an amount.
fn fits(g: &Grouper, at: usize, start: usize) -> bool {
    if at == 0 {
        return true;
    }
    let before = at - 1;
    // "mi vecina del 5", "la del 12": where somebody lives.
    let whose = |i: usize| g.is(i, Class::Third) || g.named(i, &["la", "el", "los", "familia"]);
    if g.named(before, &["del"]) && before.checked_sub(1).is_some_and(whose) {
        return false;
    }
    if matches!(g.sym(before), sym::HASH | sym::COLON)
        && g.is(before.wrapping_sub(1), Class::Numbered)
        || g.sym(before) == sym::HASH
        || g.is(before, Class::Numbered)
    {
        return false;
    }
    // A letter stuck to the front: `B14`, `apt3`.
    let glued_word = g.tokens[start].glued
        && g.text.as_bytes()[g.tokens[before].start].is_ascii_alphabetic()
        && !g.text[g.tokens[before].start..g.tokens[before].end].eq_ignore_ascii_case("x");
    let previous_is_number = matches!(g.units.last().map(|u| u.entity), Some(Entity::Number(_)))
        && !g.tokens[start].glued;
    // "9 to 5 every day": the second end of a span that is no range of amounts.
    let span_end = g.is(before, Class::RangeJoin)
        && matches!(
            g.units.iter().rev().nth(1).map(|u| u.entity),
            Some(Entity::Number(_) | Entity::Money(_))
        )
        && !g.is(before, Class::Or);
    !(span_end || glued_word || previous_is_number && is_phone(g, before, before + 1))
}

/// `555 0121`: three digits and four, or a figure followed by a dash and a longer one.
fn is_phone(g: &Grouper, start: usize, end: usize) -> bool {
    let digits = |at: usize| {
        g.tokens
            .get(at)
            .filter(|t| t.figure.is_some())
            .map_or(0, |t| t.end - t.start)
    };
    let (own, next) = (digits(start), digits(end));
    let before = start.checked_sub(1).map_or(0, digits);
    own == 3 && next >= 3
        || own == 4 && before == 3
        || own == 3 && before == 3
        || own == 3
            && g.sym(end) == sym::COMMA
            && digits(end + 1) == 3
            && g.tokens.get(end).is_some_and(|t| t.glued)
}

/// A year after a month, `in` or `since`.
fn is_year(g: &Grouper, at: usize, hundredths: i64) -> bool {
    (199_000..=203_900).contains(&hundredths)
        && at > 0
        && (g.is(at - 1, Class::MonthName)
            || g.is(at - 1, Class::LeadCut)
            || g.is(at - 1, Class::LeadKeep)
            || g.is(at - 1, Class::DurationPast)
            || matches!(g.units.last().map(|u| u.entity), Some(Entity::Date(_))))
}
