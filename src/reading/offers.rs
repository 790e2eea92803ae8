//! Finds every amount with a period: candidates for a plan, whoever they belong to.

use super::context::Context;
use super::lexicon::sym;
use super::units::{Duration, Entity, Length, Period, PeriodKind};
use super::words::Class;
use crate::domain::money::Cents;

/// An amount with how often it would be paid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Unit of the amount.
    pub money: usize,
    /// Units the candidate covers.
    pub start: usize,
    pub end: usize,
    /// The amount of one payment.
    pub amount: Cents,
    pub period: Period,
    /// Weeks when the form itself states them ("8 weeks of 75", "600 over 6 weeks").
    pub weeks: Option<i64>,
    pub range: bool,
    /// A total spread over a time: that is an offer by its form.
    pub spread: bool,
}

/// Most words between an amount and its period: "50 toward what i owe every week".
const REACH_RIGHT: usize = 8;
/// Most words between a leading period and its amount: "every friday ill drop off 95".
const REACH_LEFT: usize = 7;

/// All candidates, in order of their amounts.
pub(crate) fn find(c: &Context) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut used = vec![false; c.units.len()];
    let mut at = 0;
    while at < c.units.len() {
        if c.money(at).is_some() {
            let candidate = twice_dated(c, at)
                .or_else(|| instalments(c, at))
                .or_else(|| paid_off(c, at))
                .or_else(|| each_of(c, at))
                .or_else(|| times_weeks(c, at))
                .or_else(|| spread(c, at))
                .or_else(|| period_after(c, at))
                .or_else(|| period_before(c, at, &used));
            if let Some(candidate) = candidate {
                for slot in &mut used[candidate.start..candidate.end] {
                    *slot = true;
                }
                at = at.max(candidate.end.saturating_sub(1));
                found.push(candidate);
            }
        }
        at += 1;
    }
    found
}

fn candidate(
    c: &Context,
    at: usize,
    period: Period,
    start: usize,
    end: usize,
) -> Option<Candidate> {
    let money = c.money(at)?;
    Some(Candidate {
        money: at,
        start: start.min(at),
        end: end.max(at + 1),
        amount: money.amount,
        period,
        weeks: None,
        range: money.range,
        spread: false,
    })
}

/// "75 a week", "50 toward it every friday".
fn period_after(c: &Context, at: usize) -> Option<Candidate> {
    let mut words = 0;
    for i in at + 1..c.units.len() {
        match c.units[i].entity {
            Entity::Period(p) => return candidate(c, at, p, at, i + 1),
            Entity::Money(_) => return None,
            Entity::Duration(_) => {
                // "for 8 weeks of weekly payments" is not this form; a duration in between is
                // rare and harmless: "50 for 8 weeks, every friday".
                words += 1;
            }
            _ => {}
        }
        // "Forty five dollars. Weekly."
        if c.ends_sentence(i) && i == at + 1 && c.sentence(i + 1).len() == 1 {
            return strong_period(c, i + 1).and_then(|p| candidate(c, at, p, at, i + 2));
        }
        let stop = c.ends_sentence(i)
            || c.is(i, Class::Adversative)
            || c.is(i, Class::Then)
            || c.is(i, Class::Copula) && c.period(i + 1).is_none();
        // After a comma only the period itself may follow: "50, every week".
        let comma = c.sym(i) == sym::COMMA && c.period(i + 1).is_none();
        words += 1;
        if stop || comma || words > REACH_RIGHT {
            return None;
        }
        // "200 and every week ..." starts another thing unless the period follows at once.
        let ended_by_and = (c.is(i, Class::And) || is_pay_word(c, i)) && c.period(i + 1).is_none();
        if ended_by_and {
            return None;
        }
    }
    None
}

fn strong_period(c: &Context, at: usize) -> Option<Period> {
    c.period(at).filter(|p| p.kind != PeriodKind::Weak)
}

/// Words after which a period says when wages come, not when rent is paid.
fn is_pay_word(c: &Context, i: usize) -> bool {
    c.cues
        .iter()
        .any(|q| q.kind == super::context::CueKind::PayFrequency && q.start <= i && i < q.end)
}

/// "every friday ill drop off 95", "weekly payments of 50".
fn period_before(c: &Context, at: usize, used: &[bool]) -> Option<Candidate> {
    let mut words = 0;
    for i in (0..at).rev() {
        if let Some(p) = c.period(i) {
            let strong = p.kind != PeriodKind::Weak;
            let wages = is_pay_word(c, i);
            return (strong && !used[i] && !wages)
                .then(|| candidate(c, at, p, i, at + 1))
                .flatten();
        }
        let stop = c.money(i).is_some()
            || c.ends_sentence(i)
            || c.is(i, Class::Adversative)
            || c.is(i, Class::Then);
        words += 1;
        if stop || words > REACH_LEFT {
            return None;
        }
    }
    None
}

/// "8 weeks of 75", "10 payments of 60 one a week", "4 pagos de 100 semanales".
fn instalments(c: &Context, at: usize) -> Option<Candidate> {
    let joined =
        c.is(at.checked_sub(1)?, Class::Of) || c.sym(at - 1) == c.model.lexicon.get("x")?;
    let d_at = if joined { at.checked_sub(2)? } else { at - 1 };
    let duration = c.duration(d_at)?;
    match duration.length {
        Length::Weeks(w) if joined => {
            // The unit of the duration is the period: "8 weeks of 75", "3 months of 400".
            let word = c.units[d_at];
            let monthly =
                (word.first..word.last).any(|t| c.model.classes.is(c.tokens[t].sym, Class::Month));
            let fortnight = (word.first..word.last)
                .any(|t| c.model.classes.is(c.tokens[t].sym, Class::Fortnight));
            let own = following_period(c, at);
            let (period, end) = own.unwrap_or((
                Period::plain(
                    1,
                    if monthly {
                        4
                    } else if fortnight {
                        2
                    } else {
                        1
                    },
                ),
                at + 1,
            ));
            let mut found = candidate(c, at, period, d_at, end)?;
            found.weeks = Some(w);
            found.range |= duration.range;
            Some(found)
        }
        Length::Payments(n) if joined => {
            let (period, end) = match (duration.period, following_period(c, at)) {
                (Some(p), _) => (p, at + 1),
                (None, Some(found)) => found,
                (None, None) => return None,
            };
            let mut found = candidate(c, at, period, d_at, end)?;
            found.weeks = weeks_of(Length::Payments(n), period);
            found.range |= duration.range;
            Some(found)
        }
        _ => None,
    }
}

/// "6 weekly installments for the 600", "en 8 pagos semanales los 360": the article makes it the whole.
fn paid_off(c: &Context, at: usize) -> Option<Candidate> {
    let article = at.checked_sub(1).filter(|i| c.is(*i, Class::LeadCut))?;
    let of = c.is(article.checked_sub(1)?, Class::LeadCut) || c.is(article - 1, Class::Of);
    let d_at = if of {
        article.checked_sub(2)?
    } else {
        article - 1
    };
    let duration = c.duration(d_at)?;
    let weeks = weeks_of(duration.length, duration.period?)?;
    let mut found = candidate(c, at, Period::plain(1, 1), d_at, at + 1)?;
    found.amount = c.money(at)?.amount.divided_by(weeks)?;
    found.weeks = Some(weeks);
    found.range |= duration.range;
    found.spread = true;
    Some(found)
}

/// "12 weeks, 45 each": the count first, then what each of them brings.
fn each_of(c: &Context, at: usize) -> Option<Candidate> {
    let comma = at.checked_sub(1).filter(|i| c.sym(*i) == sym::COMMA)?;
    let duration = c.duration(comma.checked_sub(1)?)?;
    let each = c.model.lexicon.get("each")?;
    let Length::Weeks(weeks) = duration.length else {
        return None;
    };
    if c.sym(at + 1) != each || c.period(at + 2).is_some() {
        return None;
    }
    let mut found = candidate(c, at, Period::plain(1, 1), comma - 1, at + 2)?;
    found.weeks = Some(weeks);
    found.range |= duration.range;
    Some(found)
}

/// "150 x 3 weeks", "300 x 4 months": the unit of the duration is the period.
fn times_weeks(c: &Context, at: usize) -> Option<Candidate> {
    let x = c.model.lexicon.get("x")?;
    let duration = c.duration(at + 2).filter(|_| c.sym(at + 1) == x)?;
    let Length::Weeks(weeks) = duration.length else {
        return None;
    };
    let unit = c.units[at + 2];
    let monthly =
        (unit.first..unit.last).any(|t| c.model.classes.is(c.tokens[t].sym, Class::Month));
    // "150 a week x 3 weeks" never comes here: its period follows the amount.
    let period = Period::plain(1, if monthly { 4 } else { 1 });
    let mut found = candidate(c, at, period, at, at + 3)?;
    found.weeks = Some(weeks);
    found.range |= duration.range;
    Some(found)
}

/// A period within a few words after an amount.
fn following_period(c: &Context, at: usize) -> Option<(Period, usize)> {
    for i in at + 1..(at + 5).min(c.units.len()) {
        if let Some(p) = c.period(i) {
            return Some((p, i + 1));
        }
        if c.ends_sentence(i) || c.money(i).is_some() {
            return None;
        }
    }
    None
}

/// "the 600 over 6 weeks", "split 960 into 4 monthly payments".
fn spread(c: &Context, at: usize) -> Option<Candidate> {
    let sentence = c.sentence(at);
    let before = (sentence.start..at)
        .rev()
        .take(6)
        .any(|i| c.is(i, Class::Spread));
    let after = (at + 1..sentence.end.min(at + 9)).any(|i| c.is(i, Class::Spread));
    let mut cue = before || after;
    let own = sentence.end.min(at + 11);
    let next = told_in_next(c, at, &sentence);
    cue |= !next.is_empty();
    for i in (at + 1..own).chain(next) {
        // "1200 / 12 weeks"
        if c.is(i, Class::Spread) || c.sym(i) == sym::SLASH {
            cue = true;
        }
        if c.money(i).is_some() || c.period(i).is_some() || c.is(i, Class::Adversative) {
            return None;
        }
        let Some(d) = c.duration(i) else { continue };
        // "100 a week over 8 weeks" was excluded above: its period comes first. "600 over 6 weeks
        // at 100 a week" has its own figure.
        if following_money(c, i) {
            return None;
        }
        let weeks = match (d.length, d.period) {
            (Length::Weeks(w), _) if cue && !c.is(i - 1, Class::DurationPast) => w,
            (Length::Payments(n), Some(p)) => weeks_of(Length::Payments(n), p)?,
            (Length::Payments(n), None) if cue || c.is(i - 1, Class::DurationLead) => {
                let (p, _) = following_period(c, i)?;
                weeks_of(Length::Payments(n), p)?
            }
            _ => return None,
        };
        let money = c.money(at)?;
        let mut found = candidate(c, at, Period::plain(1, 1), at, i + 1)?;
        found.amount = money.amount.divided_by(weeks)?;
        found.weeks = Some(weeks);
        found.range |= d.range;
        found.spread = true;
        return Some(found);
    }
    None
}

/// "I owe 900. can I split it over 9 weeks": the sentence after a total that says how to spread it.
/// Empty when the total's own sentence goes on with figures, or the next one has its own.
fn told_in_next(
    c: &Context,
    at: usize,
    sentence: &std::ops::Range<usize>,
) -> std::ops::Range<usize> {
    let none = 0..0;
    let figures =
        |i: usize| c.money(i).is_some() || c.period(i).is_some() || c.duration(i).is_some();
    if sentence.end + 1 >= c.units.len() || (at + 1..sentence.end).any(figures) {
        return none;
    }
    let next = c.sentence(sentence.end + 1);
    let next = next.start..next.end.min(next.start + 14);
    let spread = next.clone().any(|i| c.is(i, Class::Spread))
        || next.clone().any(|i| {
            matches!(
                c.duration(i).map(|d| (d.length, d.period)),
                Some((Length::Payments(_), Some(_)))
            )
        });
    let other = next.clone().any(|i| c.money(i).is_some());
    if spread && !other { next } else { none }
}

/// Another amount with "at" or a comma right after a duration: the weekly figure itself.
fn following_money(c: &Context, duration: usize) -> bool {
    (duration + 1..(duration + 4).min(c.units.len()))
        .any(|i| c.money(i).is_some() && (c.is(i - 1, Class::Of) || c.is(i - 1, Class::LeadCut)))
}

/// "50 on the 1st and 50 on the 15th every month": twice a month, averaged when the two differ.
fn twice_dated(c: &Context, at: usize) -> Option<Candidate> {
    let date_after = |i: usize| (i + 1..(i + 4).min(c.units.len())).find(|j| c.is_date(*j));
    let first = c.money(at)?;
    let d1 = date_after(at)?;
    let second_at = (d1 + 1..(d1 + 4).min(c.units.len())).find(|i| c.money(*i).is_some())?;
    // "1200 in 3 months, 400 every month": the second has no day of its own; "the 15th of every
    // month" has.
    let dated_month = |i: usize| {
        c.period(i).is_some_and(|p| p.weeks == 4)
            && (c.units[i].first..c.units[i].last).any(|t| c.tokens[t].sym == sym::ORDINAL)
    };
    if date_after(second_at).is_none()
        && !(second_at + 1..(second_at + 4).min(c.units.len())).any(dated_month)
    {
        return None;
    }
    let second = c.money(second_at)?;
    // "each month I'd send 80 on the 5th plus another 80 on the 20th"
    let every_month = |i: usize| c.period(i).is_some_and(|p| (p.payments, p.weeks) == (1, 4));
    let led = (at.saturating_sub(4)..at).any(every_month);
    let last = date_after(second_at).unwrap_or(second_at);
    let mut monthly = led.then_some(last);
    for i in second_at + 1..(second_at + 6).min(c.units.len()) {
        if c.period(i).is_some_and(|p| p.weeks == 4) {
            monthly = Some(i);
        }
        if c.ends_sentence(i) {
            break;
        }
    }
    let end = monthly? + 1;
    let sum = first.amount.checked_add(second.amount)?;
    let mut found = candidate(c, at, Period::plain(1, 2), at, end)?;
    found.amount = sum.divided_by(2)?;
    Some(found)
}

/// Weeks that a count of payments of a period takes; `None` when not a whole number of weeks.
pub(crate) fn weeks_of(length: Length, period: Period) -> Option<i64> {
    match length {
        Length::Weeks(w) => Some(w),
        Length::Payments(n) | Length::Times(n) => {
            let product = n.checked_mul(period.weeks)?;
            (product % period.payments == 0)
                .then_some(product / period.payments)
                .filter(|w| *w > 0)
        }
        Length::Vague => None,
    }
}

/// The duration that belongs to a candidate: the nearest one of its sentence that is introduced as
/// one ("for 8 weeks") or stands beside it.
pub(crate) fn duration_for(
    c: &Context,
    candidate: &Candidate,
    all: &[Candidate],
) -> Option<Duration> {
    let sentence = c.sentence(candidate.money);
    let free = |i: usize| {
        !all.iter()
            .any(|o| o.money != candidate.money && o.weeks.is_some() && o.start <= i && i < o.end)
    };
    let limit = all
        .iter()
        .filter(|o| o.money > candidate.money)
        .map(|o| o.start)
        .min()
        .unwrap_or(usize::MAX);
    let after = (candidate.money + 1..sentence.end.min(limit))
        .find(|i| c.duration(*i).is_some() && free(*i) && introduced(c, *i, candidate.end));
    let floor = all
        .iter()
        .filter(|o| o.money < candidate.money)
        .map(|o| o.end)
        .max()
        .unwrap_or(0);
    let before = || {
        (sentence.start.max(floor)..candidate.money)
            .rev()
            .find(|i| {
                // "8 weeks, 25 a week"
                let beside = *i + 2 >= candidate.start && !c.is(*i + 1, Class::DurationNot);
                c.duration(*i).is_some() && (beside || introduced(c, *i, usize::MAX))
            })
    };
    // "50 a week. For 8 weeks." – the next sentence may hold nothing but the duration.
    let next_sentence = || {
        let start = sentence.end + 1;
        (start..(start + 3).min(c.units.len()).min(limit))
            .find(|i| c.duration(*i).is_some() && introduced(c, *i, start))
    };
    after
        .or_else(before)
        .or_else(next_sentence)
        .and_then(|i| c.duration(i))
}

fn introduced(c: &Context, at: usize, candidate_end: usize) -> bool {
    // "a payment plan of 50 a week" counts no payments.
    if c.duration(at)
        .is_some_and(|d| d.length == Length::Payments(1))
    {
        return false;
    }
    // "every friday after for 6 weeks": there "after" is of the period, not of the duration.
    let led = at > 0 && c.is(at - 1, Class::DurationLead);
    let past = (at.saturating_sub(2)..at)
        .any(|i| c.is(i, Class::DurationPast) && !(led && c.is(i, Class::Then)));
    let spoiled = c.is(at + 1, Class::DurationNot);
    if past || spoiled {
        return false;
    }
    let words = |i: usize, of: &[&str]| of.iter().any(|w| c.model.lexicon.get(w) == Some(c.sym(i)));
    // "seven weeks in a row", "call it 8 weeks"
    let in_a_row = words(at + 1, &["in"]) && words(at + 3, &["row"]);
    let called = at > 1 && words(at - 1, &["it"]) && words(at - 2, &["call", "make", "say"]);
    // "200 monthly, it would take me 4 months"
    let takes = (at.saturating_sub(3)..at)
        .any(|i| words(i, &["take", "takes", "toma", "tomaria", "serian", "be"]));
    // "85 a week for you, 6 weeks"
    let closing = at > 0 && c.sym(at - 1) == sym::COMMA && at + 1 == c.sentence(at).end;
    if in_a_row || called || takes || closing {
        return true;
    }
    if matches!(
        c.duration(at).map(|d| d.length),
        Some(Length::Times(_) | Length::Payments(_))
    ) {
        return true;
    }
    // "for at least 3 months", "biweekly, probably 3 months"
    let filler = |i: usize| {
        let at_least = ["at", "least", "most"].map(|w| c.model.lexicon.get(w));
        c.is(i, Class::RangeFiller) || at_least.contains(&Some(c.sym(i)))
    };
    let first = (at.saturating_sub(3)..at)
        .rev()
        .take_while(|i| filler(*i))
        .last()
        .unwrap_or(at);
    let first = first - usize::from(first < at && first > 0 && c.sym(first - 1) == sym::COMMA);
    let lead = first > 0 && c.is(first - 1, Class::DurationLead)
        || at > 0 && (c.is(at - 1, Class::DurationLead) || c.is(at - 1, Class::Spread))
        || at > 1 && c.is(at - 2, Class::DurationLead) && !c.is(at - 1, Class::And);
    // "in 6 weeks" is a date and never reaches here; a bare duration counts right beside.
    lead || first <= candidate_end.saturating_add(1) && candidate_end != usize::MAX
        || c.sentence(at).len() <= 3
}
