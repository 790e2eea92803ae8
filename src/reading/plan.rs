//! The payment plan a text offers (labelling guide §1).

use std::ops::Range;

use chrono::NaiveDate;

use super::context::{Context, Cue, CueKind, Side};
use super::dates;
use super::offers::{self, Candidate, weeks_of};
use super::stance::{Stance, judge};
use super::terms::{date_beside, down_payment, pay_frequency, start_words};
use super::units::{Length, PeriodKind};
use super::words::Class;
use crate::domain::money::Cents;

/// The tenant's own present offer of recurring payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOffer {
    /// Amount a week, rounded half up to the cent (labelling guide §1.3).
    pub weekly_amount: Cents,
    /// Number of weeks when stated; never computed from a balance (§1.4).
    pub weeks: Option<u32>,
    /// The words that say when payments begin, as written (§1.5).
    pub start: Option<String>,
    /// `start` as a date, when the words name one; relative words count from the reference date.
    pub start_date: Option<NaiveDate>,
    /// A separate first payment (§1.6).
    pub down_payment: Option<Cents>,
    /// A range, a paycheck of unknown frequency, or a down payment without a figure.
    pub needs_review: bool,
    /// Byte range of the offer in the text.
    pub span: Range<usize>,
}

/// Finds the plan, if any.
pub(crate) fn read(c: &Context, reference: NaiveDate) -> Option<PlanOffer> {
    let mut candidates = offers::find(c);
    if candidates.is_empty() {
        return None;
    }
    let mut stances: Vec<Stance> = candidates
        .iter()
        .map(|o| {
            let stance = judge(c, o.money, o.start, o.end, &candidates);
            match stance {
                // A total spread over weeks proposes by its form, unless something says no.
                Stance::Foreign | Stance::Refused(CueKind::Ask | CueKind::Other)
                    if o.spread && proposed_inside(c, o) =>
                {
                    Stance::Offered
                }
                Stance::Foreign if o.spread && !has_foreign_left(c, o) => Stance::Bare,
                other => other,
            }
        })
        .collect();
    accept_reported(c, &candidates, &mut stances);
    drop_doubles(c, &candidates, &mut stances);
    let carried = carry_over(c, &candidates, &stances);
    candidates.extend(carried.iter().copied());
    stances.extend(carried.iter().map(|_| Stance::Offered));

    let chosen = candidates
        .iter()
        .zip(&stances)
        .filter(|(_, s)| s.offers())
        .map(|(o, _)| *o)
        .max_by_key(|o| o.money)?;
    finish(c, &chosen, &candidates, reference)
}

/// "I owe 600, can I do it in 6 weekly payments": what is owed is offered by what follows it.
fn proposed_inside(c: &Context, o: &Candidate) -> bool {
    let mut offers = c.cues_in(CueKind::Offer, o.money + 1..o.end);
    // "my balance is 900, split it in 9 weeks"
    let told = (o.money + 1..o.end).any(|i| c.is(i, Class::SpreadVerb));
    told || offers.any(|q| q.side == Side::Left)
}

fn has_foreign_left(c: &Context, o: &Candidate) -> bool {
    c.cues
        .iter()
        .any(|q| q.kind == CueKind::Other && q.side == Side::Left && q.end == o.money)
}

/// "You said 100 a week and I'm ok with that": a later acceptance takes over what was reported.
fn accept_reported(c: &Context, candidates: &[Candidate], stances: &mut [Stance]) {
    for (o, s) in candidates.iter().zip(stances.iter_mut()) {
        let reported = matches!(
            s,
            Stance::Refused(CueKind::Report | CueKind::Ask | CueKind::Past | CueKind::Reject)
        );
        if !reported {
            continue;
        }
        // "100 is a lot but fine": a refusal is taken back by what follows the "but".
        let refused = matches!(s, Stance::Refused(CueKind::Reject));
        // "used to send 60 a week no problem": how it went then, not whether it will do now.
        let past = matches!(s, Stance::Refused(CueKind::Past));
        let from = o.end;
        // "80 a week was the old deal": part of what is reported, no acceptance.
        let told = |at: usize| {
            let report = |r: &Cue| r.kind == CueKind::Report && r.side == Side::Right;
            let within = |r: &Cue| (r.start..r.end).contains(&at);
            c.cues.iter().any(|r| report(r) && within(r))
        };
        let accepted = c.cues.iter().any(|q| {
            q.kind == CueKind::Accept
                && !told(q.start)
                && q.start >= from + usize::from(past)
                && (!refused || (from..q.end).any(|i| c.is(i, Class::Adversative)))
                && !(from..q.start).any(|i| c.money(i).is_some())
                && !(q.start.saturating_sub(2)..q.start).any(|i| c.is(i, Class::Negator))
                && !c.is(q.end, Class::Negator)
                && !c.cues.iter().any(|n| {
                    n.kind == CueKind::Reject
                        && turned(c, from, n.start, refused)
                        && n.start <= q.end
                })
        });
        if accepted {
            *s = Stance::Offered;
        }
    }
}

/// Whether a refusal counts against the acceptance after it: the one taken back by a "but" does not.
fn turned(c: &Context, from: usize, refusal: usize, taken_back: bool) -> bool {
    let past = |i: usize| !taken_back || (from..i).any(|k| c.is(k, Class::Adversative));
    refusal >= from && past(refusal)
}

/// "not 100 a week" style pairs are judged one by one; nothing is dropped here but amounts of a
/// question that offers a choice of terms ("is it 100 a week or 150 a week?").
fn drop_doubles(c: &Context, candidates: &[Candidate], stances: &mut [Stance]) {
    for i in 1..candidates.len() {
        let joined = candidates[i].start.saturating_sub(candidates[i - 1].end) <= 1
            && (candidates[i - 1].end..candidates[i].start).any(|u| c.is(u, Class::Or));
        if joined
            && stances[i] == Stance::Bare
            && let Stance::Refused(kind) = stances[i - 1]
        {
            stances[i] = Stance::Refused(kind);
        }
    }
}

/// Figures without a period that take over the period of an earlier one (§1.2): "you said 100 a
/// week, I can do 60", "60 a week... no, 45".
fn carry_over(c: &Context, candidates: &[Candidate], stances: &[Stance]) -> Vec<Candidate> {
    let mut carried = Vec::new();
    for at in 0..c.units.len() {
        let Some(money) = c.money(at) else { continue };
        if candidates
            .iter()
            .any(|o| o.money == at || o.start <= at && at < o.end)
        {
            continue;
        }
        let before = candidates
            .iter()
            .zip(stances)
            .filter(|(o, _)| o.end <= at)
            .max_by_key(|(o, _)| o.money);
        let from = match before {
            Some((o, s)) => {
                let corrected = c.cues.iter().any(|q| {
                    q.kind == CueKind::Correct
                        && q.start >= o.end
                        && (leads_to(c, q.end, at)
                            || q.end <= at
                                && judge(c, at, at, at + 1, candidates) == Stance::Offered)
                });
                // "80 a week but 60 would be safer", "100 a week? I was thinking 60"
                let asked = c.sym(c.sentence(o.money).end) == super::lexicon::sym::QUESTION
                    && c.sentence(at).start > o.end;
                let turned = asked || (o.end..at).any(|i| c.is(i, Class::Adversative));
                let lowered = turned
                    && money.amount < o.amount
                    && judge(c, at, at, at + 1, candidates) == Stance::Offered;
                // "100 a week. wait that's too much. 60"
                let refused_since = c.sentence(at).start > o.end
                    && c.cues_in(CueKind::Reject, o.end..at).next().is_some()
                    && own_figure(c, at, candidates);
                let lowered = lowered || refused_since;
                let corrected = corrected || lowered || closes(c, o.end, at);
                let foreign = *s == Stance::Foreign && !taken_out(c, o.end, at);
                let refused = matches!(s, Stance::Refused(_));
                // A condition spoils figures of its own sentence, not the period.
                let own = refused && !foreign && own_figure(c, at, candidates);
                let share = *s == Stance::Foreign
                    && !foreign
                    && judge(c, at, at, at + 1, candidates) == Stance::Offered;
                (corrected && !foreign || own || share).then_some(o)
            }
            None => candidates
                .iter()
                .zip(stances)
                .find(|(o, s)| {
                    o.start > at
                        && o.start - at <= 4
                        && **s == Stance::Refused(CueKind::Reject)
                        && contrasted(c, at, o.money)
                })
                .map(|(o, _)| o),
        };
        let Some(from) = from else { continue };
        if is_separate(c, at) {
            continue;
        }
        carried.push(Candidate {
            money: at,
            start: at,
            end: at + 1,
            amount: money.amount,
            period: from.period,
            weeks: None,
            range: money.range,
            spread: false,
        });
    }
    carried
}

/// "I make 520 a week and can put 80 of it on the rent", "gano 450 por semana, de ahi le doy 60": a
/// share comes as often as what it is taken of.
fn taken_out(c: &Context, from: usize, at: usize) -> bool {
    let word = |i: usize, of: &[&str]| of.iter().any(|w| c.model.lexicon.get(w) == Some(c.sym(i)));
    let of = (at + 1..at + 4).any(|i| {
        word(i, &["of", "from"]) && word(i + 1, &["it", "that"])
            || word(i, &["de"]) && word(i + 1, &["ahi", "eso", "esos", "ese"])
    });
    let led = (from..at).any(|i| {
        word(i, &["de"]) && word(i + 1, &["ahi", "eso", "esos", "ese"])
            || word(i, &["from", "of"]) && word(i + 1, &["that", "it"])
    });
    of || led
}

/// "75 a week, nah hold up my phone bill went up, 65": a figure that ends its sentence after a turn.
fn closes(c: &Context, from: usize, at: usize) -> bool {
    let comma = |i: usize| c.sym(i) == super::lexicon::sym::COMMA;
    let ends = at + 1 == c.sentence(at).end
        || comma(at + 1)
        || c.is(at + 1, Class::And)
        || c.is(at + 1, Class::Adversative);
    // "so 50", "now 60"
    let led = at > 0 && (c.is(at - 1, Class::Consequence) || c.is_date(at - 1));
    let set_off = at > from && (comma(at - 1) || led && at > from + 1 && comma(at - 2));
    let corrected = |q: &Cue| q.kind == CueKind::Correct && q.start >= from && q.end <= at;
    let turns = (from..at).any(|i| c.is(i, Class::Adversative)) || c.cues.iter().any(corrected);
    ends && set_off && turns
}

/// "scratch that, 85": nothing but a comma between the correction and its figure.
fn leads_to(c: &Context, end: usize, at: usize) -> bool {
    end == at || end + 1 == at && c.sym(end) == super::lexicon::sym::COMMA
}

/// "60 not 100 a week", "60 instead of 100 a week".
fn contrasted(c: &Context, at: usize, money: usize) -> bool {
    c.cues
        .iter()
        .any(|q| q.kind == CueKind::Reject && q.start > at && q.start <= at + 2 && q.end <= money)
}

/// The figure is the tenant's own present offer.
fn own_figure(c: &Context, at: usize, candidates: &[Candidate]) -> bool {
    match judge(c, at, at, at + 1, candidates) {
        Stance::Offered => true,
        // "100 is too much. 60." – a figure alone in its sentence or clause.
        Stance::Bare | Stance::Foreign
            if c.cues
                .iter()
                .any(|q| q.kind == CueKind::Own && q.end == at + 1) =>
        {
            true
        }
        Stance::Bare => {
            let sentence = c.sentence(at);
            // "not 80 a week, 50"
            let last =
                at + 1 == sentence.end && at > 0 && c.sym(at - 1) == super::lexicon::sym::COMMA;
            sentence.len() <= 3 || last || at > 0 && c.is(at - 1, Class::Adversative)
        }
        _ => false,
    }
}

/// A dated or total figure is a payment of its own, not a new weekly amount.
fn is_separate(c: &Context, at: usize) -> bool {
    let dated = (at + 1..(at + 3).min(c.units.len())).any(|i| c.is_date(i) && !starts(c, i))
        || at > 0 && c.is_date(at - 1) && !starts(c, at - 1);
    let down = c
        .cues
        .iter()
        .any(|q| q.kind == CueKind::Down && q.side == Side::Right && q.start == at + 1);
    dated || down
}

fn starts(c: &Context, date: usize) -> bool {
    (date.saturating_sub(2)..date).any(|i| c.is(i, Class::StartLead))
}

fn finish(
    c: &Context,
    chosen: &Candidate,
    all: &[Candidate],
    reference: NaiveDate,
) -> Option<PlanOffer> {
    let mut review = chosen.range;
    let mut period = chosen.period;
    if period.kind == PeriodKind::Paycheck {
        match pay_frequency(c, chosen) {
            Some(p) => period = p,
            None => review = true,
        }
    }
    let weekly = chosen.amount.scaled(period.payments, period.weeks)?;
    let mut weeks = chosen.weeks;
    if weeks.is_none()
        && let Some(duration) = offers::duration_for(c, chosen, all)
    {
        weeks = weeks_of(duration.length, duration.period.unwrap_or(period));
        review |= duration.range && weeks.is_some() && !matches!(duration.length, Length::Vague);
    }
    // "540 over 12 weeks which is 45 a week": the same said twice.
    if weeks.is_none() {
        let same = |o: &&Candidate| o.spread && o.amount == weekly;
        weeks = all.iter().find(same).and_then(|o| o.weeks);
    }
    let start = start_words(c, chosen);
    let mut start_unit = start;
    let (down, down_review) = down_payment(c, chosen, all);
    let mut down_payment = None;
    match down {
        Some((at, amount)) if amount == chosen.amount => {
            // Equal to the recurring amount: it is the first instalment (§1.6).
            start_unit = start_unit.or_else(|| date_beside(c, at).map(|d| d..d + 1));
        }
        Some((_, amount)) => down_payment = Some(amount),
        None => review |= down_review,
    }
    let start = start_unit.map(|range| dates::words(c, range));
    let start_date = start
        .as_ref()
        .and_then(|(_, unit)| dates::resolve(c, *unit, reference));
    Some(PlanOffer {
        weekly_amount: weekly,
        weeks: weeks.and_then(|w| u32::try_from(w).ok()),
        start: start.map(|(words, _)| words),
        start_date,
        down_payment,
        needs_review: review,
        span: c.bytes(chosen.start..chosen.end),
    })
    .filter(|p| p.weekly_amount > Cents::ZERO)
}
