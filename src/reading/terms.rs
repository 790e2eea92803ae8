//! The terms around an offer: pay frequency, start and down payment (labelling guide §1.3, §1.5,
//! §1.6).

use std::ops::Range;

use super::context::{Context, CueKind, Side};
use super::dates;
use super::lexicon::Sym;
use super::offers::Candidate;
use super::stance::{Stance, judge};
use super::units::{Entity, Period, PeriodKind};
use super::words::Class;
use crate::domain::money::Cents;

/// "I get paid biweekly so I can do 200 each check".
pub(super) fn pay_frequency(c: &Context, chosen: &Candidate) -> Option<Period> {
    let plain = |i: usize| {
        c.period(i)
            .filter(|p| p.kind != PeriodKind::Paycheck)
            .map(|p| Period {
                kind: PeriodKind::Plain,
                ..p
            })
    };
    c.cues
        .iter()
        .filter(|q| q.kind == CueKind::PayFrequency)
        .find_map(|q| (q.start..q.end).find_map(plain))
        .or_else(|| {
            // "200 out of each biweekly check"
            (chosen.start..(chosen.end + 4).min(c.units.len())).find_map(plain)
        })
        .or_else(|| {
            // "the 5th and the 20th, 130 each time": each of the payments just named.
            let each = |t: usize| named(c, c.tokens[t].sym, EACH_TIME);
            let unit = (chosen.start..chosen.end).find(|i| c.period(*i).is_some())?;
            let counted = (c.units[unit].first..c.units[unit].last).any(each);
            let sentence = c.sentence(chosen.money);
            counted.then(|| sentence.filter(|i| *i != unit).find_map(plain))?
        })
}

/// Words that say a payment is one of those whose days are named elsewhere in the sentence.
const EACH_TIME: &[&str] = &[
    "time", "times", "vez", "uno", "one", "those", "dates", "pop",
];

fn named(c: &Context, word: Sym, words: &[&str]) -> bool {
    words.iter().any(|w| c.model.lexicon.get(w) == Some(word))
}

/// The date or event after "starting", or of a stated first payment.
pub(super) fn start_words(c: &Context, chosen: &Candidate) -> Option<Range<usize>> {
    for i in 0..c.units.len() {
        if !c.is(i, Class::StartLead) {
            continue;
        }
        // "starting", "starting on the", "a partir del": up to three words, then the date.
        let own = |j: usize| chosen.start <= j && j < chosen.end || c.is(j, Class::StartFiller);
        for j in (i + 1..(i + 9).min(c.units.len())).filter(|j| !own(*j)) {
            if c.is_date(j) {
                return Some(j..j + 1);
            }
            if c.is(j, Class::EventLead)
                && let Some(end) = dates::event_end(c, j)
            {
                return Some(j..end);
            }
            // "a partir del 15": a bare number right after the article is a day.
            if is_day_number(c, j) && c.is(j - 1, Class::LeadCut) {
                return Some(j..j + 1);
            }
            if c.sym(j) == super::lexicon::sym::CLOCK || c.ends_sentence(j) {
                break;
            }
            let small = c.is(j, Class::LeadCut)
                || c.is(j, Class::LeadKeep)
                || c.is(j, Class::Of)
                || c.is(j, Class::A)
                || c.is(j, Class::Whole)
                || c.is(j, Class::Payment);
            if !small {
                break;
            }
        }
    }
    first_payment(c, chosen).or_else(|| from_on(c))
}

/// A bare number that can be a day of the month.
fn is_day_number(c: &Context, at: usize) -> bool {
    match c.units[at].entity {
        Entity::Number(n) => (1..=31).contains(&n),
        Entity::Money(m) => !m.marked && !m.range && (100..=3_100).contains(&m.amount.get()),
        _ => false,
    }
}

/// "I'd make the first one on 11/20", "first payment friday".
fn first_payment(c: &Context, chosen: &Candidate) -> Option<Range<usize>> {
    let sentence_end = |i: usize| c.sentence(i).end;
    (0..c.units.len())
        .filter(|i| c.is(*i, Class::First))
        .find_map(|i| {
            (i + 1..sentence_end(i).min(i + 7))
                .take_while(|j| c.money(*j).is_none() || *j == chosen.money)
                .find(|j| c.is_date(*j))
        })
        .map(|d| d..d + 1)
}

/// "as of monday", "from friday on", "desde el viernes".
fn from_on(c: &Context) -> Option<Range<usize>> {
    let from = ["from", "desde"].map(|w| c.model.lexicon.get(w));
    let as_of = c.model.lexicon.get("as");
    (1..c.units.len())
        .filter(|i| c.is_date(*i))
        .find(|i| {
            let lead = |back: usize, set: &[Option<u32>]| {
                i.checked_sub(back)
                    .is_some_and(|b| set.contains(&Some(c.sym(b))))
            };
            // The date may have taken the "of" in: "as of Dec 3".
            let of = c
                .model
                .classes
                .is(c.tokens[c.units[*i].first].sym, Class::Of);
            lead(1, &from)
                || lead(2, &from)
                || lead(2, &[as_of]) && c.is(i - 1, Class::Of)
                || lead(1, &[as_of]) && of
        })
        .map(|d| d..d + 1)
}

pub(super) fn date_beside(c: &Context, at: usize) -> Option<usize> {
    (at + 1..(at + 5).min(c.units.len()))
        .take_while(|i| !c.is(*i, Class::Then) && c.money(*i).is_none())
        .find(|i| c.is_date(*i))
        .or_else(|| {
            (at.saturating_sub(8)..at)
                .rev()
                .take_while(|i| !c.ends_sentence(*i) && c.money(*i).is_none())
                .find(|i| c.is_date(*i))
        })
}

/// "400 y de ahi 80 por semana", "250 tonight, follow it up with 60 per week".
fn from_there(c: &Context, at: usize) -> bool {
    let words = ["ahi", "follow", "following", "adelante", "there"];
    words
        .map(|w| c.model.lexicon.get(w))
        .contains(&Some(c.sym(at)))
}

/// A separate first payment: its unit and amount, or a sign that there is one without a figure.
pub(super) fn down_payment(
    c: &Context,
    chosen: &Candidate,
    all: &[Candidate],
) -> (Option<(usize, Cents)>, bool) {
    let sentence = c.sentence(chosen.money);
    let window = previous_sentence(c, sentence.start)..sentence.end;
    let free = |i: usize| !all.iter().any(|o| o.start <= i && i < o.end);
    for at in window.clone() {
        let Some(money) = c.money(at) else { continue };
        if !free(at) {
            continue;
        }
        let marked = c.cues.iter().any(|q| {
            q.kind == CueKind::Down
                && (q.side == Side::Right && q.start > at && q.start <= at + 2
                    || q.side == Side::Left
                        && q.end == at
                        && (q.start..q.end).any(|i| c.is(i, Class::Down)))
        });
        let then = at < chosen.money && {
            let between = at + 1..chosen.start;
            let link = between
                .clone()
                .any(|i| c.is(i, Class::Then) || c.is(i, Class::And) || is_plus(c, i));
            let dated = date_beside(c, at).is_some();
            let after = chosen.end..(chosen.end + 3).min(c.units.len());
            let link = link || after.into_iter().any(|i| c.is(i, Class::Then));
            let link = link || dated && between.clone().any(|i| from_there(c, i));
            let later = |i: usize| c.is(i, Class::Then) || from_there(c, i);
            link && (dated || between.clone().any(later))
        };
        if !(marked || then) {
            continue;
        }
        let stance = judge(c, at, at, at + 1, all);
        if matches!(
            stance,
            Stance::Foreign | Stance::Refused(CueKind::Past | CueKind::Other | CueKind::Report)
        ) && !marked
        {
            continue;
        }
        return (Some((at, money.amount)), false);
    }
    let unstated = window
        .clone()
        .any(|i| part_now(c, i, chosen.start, &window));
    (None, unstated)
}

/// "half now then 100 a week", "hoy la mitad y luego 50": a first payment without a figure. The rent
/// itself is none (labelling guide §1.1, "on top of rent").
fn part_now(c: &Context, i: usize, offer: usize, window: &Range<usize>) -> bool {
    let is_rent = |i: usize| named(c, c.sym(i), &["rent", "renta", "alquiler"]);
    let some = named(
        c,
        c.sym(i),
        &["chunk", "chunks", "piece", "bit", "pedazo", "poquito"],
    );
    if is_rent(i) || is_rent(i + 1) || !(c.is(i, Class::Half) || c.is(i, Class::Whole) || some) {
        return false;
    }
    // "back at work full time now", "el primer pago seria el 12/10": no part of the debt.
    let of_time = named(c, c.sym(i + 1), &["time", "day", "days", "tiempo", "dia"]);
    if of_time || i.checked_sub(1).is_some_and(|b| c.is(b, Class::First)) {
        return false;
    }
    let linked = |from: usize, link: fn(&Context, usize) -> bool| {
        (from..offer).any(|k| c.is(k, Class::Then) || link(c, k))
    };
    let joined = |c: &Context, k: usize| c.is(k, Class::And) || is_plus(c, k);
    let after = (i + 1..(i + 5).min(window.end)).any(|j| {
        let marked = c.is_date(j) || c.is(j, Class::Down);
        marked && !c.is(j - 1, Class::LeadKeep) && linked(j, joined)
    });
    // The day said first binds less: only "then" makes the part the first of two payments.
    let before = c.is(i, Class::Half)
        && (window.start.max(i.saturating_sub(5))..i).any(|j| c.is_date(j))
        && linked(i, |_, _| false);
    after || before
}

fn is_plus(c: &Context, i: usize) -> bool {
    let plus = c.model.lexicon.get("plus");
    c.units[i].entity == Entity::None && Some(c.sym(i)) == plus
}

fn previous_sentence(c: &Context, start: usize) -> usize {
    match start.checked_sub(2) {
        Some(i) => c.sentence(i).start,
        None => start,
    }
}
