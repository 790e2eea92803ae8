//! How long a plan runs (labelling guide §1.4): weeks, months and counted payments.

use super::lexicon::sym;
use super::tokens::Figure;
use super::units::{Duration, Entity, Grouper, Length, Period};
use super::words::Class;

/// Longest duration taken seriously, in weeks: ten years. Above it a figure is something else.
const MAX_WEEKS: i64 = 520;

/// The duration that starts at a token, with the token after it.
pub(crate) fn read(g: &Grouper, at: usize) -> Option<(Duration, usize)> {
    if let Some(found) = times(g, at) {
        return Some(found);
    }
    if g.is(at, Class::Month) && lead(g, at) && g.is(at + 1, Class::And) && is_half(g, at + 2) {
        // "por mes y medio"
        let duration = Duration {
            length: Length::Weeks(6),
            range: false,
            period: None,
        };
        return Some((duration, at + 3));
    }
    // "por mes y medio" from its first word: else "por mes" is a period.
    if g.is(at, Class::DurationLead)
        && g.is(at + 1, Class::Month)
        && g.is(at + 2, Class::And)
        && is_half(g, at + 3)
    {
        let duration = Duration {
            length: Length::Weeks(6),
            range: false,
            period: None,
        };
        return Some((duration, at + 4));
    }
    let (count, range, mut end, article) = count(g, at)?;
    while g.is(end, Class::CountFiller) || g.sym(end) == sym::DASH {
        end += 1;
    }
    if g.is(end, Class::Of) && !article {
        // "a couple of weeks"
        end += 1;
    }
    // "eight (8) weeks": the figure repeats the word.
    if g.sym(end) == sym::COMMA
        && g.number(end + 1).map(|n| Some(n.hundredths)) == Some(count)
        && g.sym(end + 2) == sym::COMMA
    {
        end += 3;
    }
    let mut period = named_period(g, end);
    // "3 mensualidades": what names the period is what is counted.
    if let Some((_, after)) = period
        && !(g.is(end, Class::Payment) && length(g, after, count).is_none())
    {
        end = after;
    }
    let unit = end;
    let (mut length, unit_is_time) = length(g, unit, count).or_else(|| of_them(g, unit, count))?;
    end = unit + 1;
    // "pagos semanales": Spanish names the period after the noun.
    if matches!(length, Length::Payments(_)) {
        if period.is_none() {
            period = named_period(g, end);
            if let Some((_, after)) = period {
                end = after;
            }
        }
    } else {
        period = None;
    }
    if g.is(end, Class::And) {
        // "a month and a half", "mes y medio"
        let half = end + 1 + usize::from(g.is(end + 1, Class::A));
        if is_half(g, half) && g.is(unit, Class::Month) {
            if let Length::Weeks(w) = length {
                length = Length::Weeks(w + 2);
            }
            end = half + 1;
        }
    }
    if let (Length::Weeks(w), true) = (length, unit_is_time)
        && let Some((more, after)) = smaller_unit(g, unit, end)
    {
        length = Length::Weeks(w.saturating_add(more).min(MAX_WEEKS));
        end = after;
    }
    // "85 wk for 5 wks": no plan runs that long, the figure is an amount.
    let long = matches!(length, Length::Weeks(w) if w > 60);
    if long && !lead(g, at) && g.is(unit, Class::Week) {
        return None;
    }
    // "a week", "one month" need a word before that makes them a duration.
    if article && unit_is_time && !lead(g, at) {
        return None;
    }
    Some((
        Duration {
            length,
            range,
            period: period.map(|(p, _)| p),
        },
        end,
    ))
}

/// "2 years and 3 months", "1 month 2 weeks": the rest in the next smaller unit.
fn smaller_unit(g: &Grouper, unit: usize, end: usize) -> Option<(i64, usize)> {
    let joined = g.is(end, Class::And) || g.sym(end) == sym::COMMA;
    let number = g.number(if joined { end + 1 } else { end })?;
    let smaller = g.is(unit, Class::Year) && g.is(number.end, Class::Month)
        || g.is(unit, Class::Month) && g.is(number.end, Class::Week);
    match length(g, number.end, number.hundredths)? {
        (Length::Weeks(w), true) if smaller => Some((w, number.end + 1)),
        _ => None,
    }
}

/// `x 8`, `x8`, `times 8`: not followed by a unit, which [`count`] would have taken with it.
fn times(g: &Grouper, at: usize) -> Option<(Duration, usize)> {
    let token = g.tokens.get(at)?;
    let word = &g.text[token.start..token.end];
    if !word.eq_ignore_ascii_case("x") && word != "*" {
        return None;
    }
    let n = g.number(at + 1)?;
    let value = whole(n.hundredths)?;
    // "x 8 weekly payments" counts payments; "x 6 every two weeks" is a count and then a period.
    let unit = |at: usize| length(g, at, value.saturating_mul(100)).is_some();
    let follows_unit = unit(n.end) || named_period(g, n.end).is_some_and(|(_, end)| unit(end));
    let amount_before = matches!(
        g.units.last().map(|u| u.entity),
        Some(Entity::Money(_) | Entity::Period(_))
    );
    (amount_before && !follows_unit && value <= 104).then_some((
        Duration {
            length: Length::Times(value),
            range: false,
            period: None,
        },
        n.end,
    ))
}

/// "80 weekly, 10 of them": payments by a pronoun.
fn of_them(g: &Grouper, at: usize, count: Option<i64>) -> Option<(Length, bool)> {
    let them = ["them", "those", "these", "ellos", "ellas", "esos", "estos"];
    let joined = at.checked_sub(1).is_some_and(|i| g.is(i, Class::Of));
    let payments = whole(count?).filter(|n| (2..=104).contains(n))?;
    (joined && g.named(at, &them)).then_some((Length::Payments(payments), false))
}

fn whole(hundredths: i64) -> Option<i64> {
    (hundredths % 100 == 0 && hundredths > 0).then_some(hundredths / 100)
}

/// The count: hundredths, whether a range, the token after, whether only an article.
fn count(g: &Grouper, at: usize) -> Option<(Option<i64>, bool, usize, bool)> {
    if let Some(Figure::Range(low, _)) = g.tokens.get(at)?.figure {
        return Some((Some(low), true, at + 1, false));
    }
    if g.is(at, Class::Few) {
        return Some((None, false, at + 1, false));
    }
    let couple = |i: usize| {
        g.tokens
            .get(i)
            .is_some_and(|t| matches!(&g.text[t.start..t.end], "couple" | "par" | "Couple" | "cpl"))
    };
    if couple(at) {
        return Some((Some(200), false, at + 1, false));
    }
    if g.is(at, Class::A) {
        if couple(at + 1) {
            return Some((Some(200), false, at + 2, false));
        }
        if g.is(at + 1, Class::Few) {
            return Some((None, false, at + 2, false));
        }
        let of_many = g.number(at).is_some_and(|n| n.end > at + 1);
        if !of_many {
            return Some((Some(100), false, at + 1, true));
        }
    }
    if is_half(g, at) && g.is(at + 1, Class::A) {
        return Some((Some(50), false, at + 2, true));
    }
    if is_half(g, at) && g.is(at + 1, Class::Year) {
        return Some((Some(50), false, at + 1, true));
    }
    if g.sym(at) == sym::DOLLAR {
        return None;
    }
    let n = g.number(at)?;
    let mut end = n.end;
    let mut low = n.hundredths;
    let mut range = false;
    if g.is(end, Class::RangeJoin)
        && let Some(m) = g.number(end + 1)
        && m.hundredths > low
        && m.hundredths <= low.saturating_mul(4)
    {
        range = true;
        end = m.end;
    } else if g.is(end, Class::And) {
        // "two and a half months"
        let half = end + 1 + usize::from(g.is(end + 1, Class::A));
        if is_half(g, half) {
            low += 50;
            end = half + 1;
        }
    }
    Some((Some(low), range, end, false))
}

fn is_half(g: &Grouper, at: usize) -> bool {
    g.is(at, Class::Half)
        || g.tokens
            .get(at)
            .is_some_and(|t| matches!(&g.text[t.start..t.end], "medio" | "media"))
}

fn lead(g: &Grouper, at: usize) -> bool {
    at > 0 && (g.is(at - 1, Class::DurationLead) || g.is(at - 1, Class::Spread))
}

/// Length for a count of the unit at a token, and whether the unit is one of time.
fn length(g: &Grouper, unit: usize, count: impl Into<Option<i64>>) -> Option<(Length, bool)> {
    let count: Option<i64> = count.into();
    let is_money_list = |class| g.is(unit, class);
    let time = is_money_list(Class::Week)
        || is_money_list(Class::Month)
        || is_money_list(Class::Year)
        || is_money_list(Class::Day)
        || is_money_list(Class::Fortnight);
    let payment = is_money_list(Class::Payment);
    let paycheck = is_money_list(Class::Paycheck);
    if !(time || payment || paycheck) {
        return None;
    }
    let Some(hundredths) = count else {
        return Some((Length::Vague, time));
    };
    if payment || paycheck {
        let n = whole(hundredths).filter(|n| *n <= MAX_WEEKS)?;
        return Some((Length::Payments(n), false));
    }
    let scaled = |weeks: i64| whole(hundredths.checked_mul(weeks)?);
    let weeks = if is_money_list(Class::Week) {
        scaled(1)
    } else if is_money_list(Class::Month) {
        scaled(4)
    } else if is_money_list(Class::Year) {
        scaled(48)
    } else if is_money_list(Class::Fortnight) {
        scaled(2)
    } else {
        let days = whole(hundredths)?;
        match (days % 7, days % 30) {
            (0, _) => Some(days / 7),
            (_, 0) => Some(days / 30 * 4),
            _ => None,
        }
    };
    match weeks {
        Some(w) if (1..=MAX_WEEKS).contains(&w) => Some((Length::Weeks(w), true)),
        _ => None,
    }
}

/// `weekly`, `monthly`, `quincenales` beside a count of payments.
fn named_period(g: &Grouper, at: usize) -> Option<(Period, usize)> {
    let token = g.tokens.get(at)?;
    let mut hits = Vec::new();
    g.model.periods.hits_at(g.syms, at, &mut hits);
    let hit = hits
        .iter()
        .filter(|h| g.model.periods.label(h.tag).reason == "strong")
        .max_by_key(|h| h.end)?;
    let period = match g.model.periods.label(hit.tag).name {
        "weekly" => Period::plain(1, 1),
        "biweekly" | "semimonthly" => Period::plain(1, 2),
        "monthly" => Period::plain(1, 4),
        _ => return None,
    };
    // One word only: "8 every week" is an amount, "8 weekly payments" a count.
    let adjective = hit.end - hit.start <= 3 && token.figure.is_none();
    adjective.then_some((period, hit.end))
}
