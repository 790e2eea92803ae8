//! A promise of one payment (labelling guide §2).

use std::ops::Range;

use chrono::NaiveDate;

use super::context::{Context, Cue, CueKind, Side};
use super::dates;
use super::lexicon::sym;
use super::offers::Candidate;
use super::stance::{Stance, judge};
use super::words::Class;
use crate::domain::money::Cents;

/// A commitment, offer or question that offers one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The figure; `None` for "all of it", "the rest", "half".
    pub amount: Option<Cents>,
    /// Date words as written, ISO when they hold a year; `None` for vague ones.
    pub when: Option<String>,
    /// `when` as a date, when the words name one.
    pub when_date: Option<NaiveDate>,
    /// Two or more one-off instalments: this is the first still to be paid.
    pub needs_review: bool,
    /// Byte range of the promise in the text.
    pub span: Range<usize>,
}

/// One payment at a date.
#[derive(Debug, Clone)]
struct Item {
    amount: Option<Cents>,
    /// Unit of the amount or of the word that stands for it.
    what: Option<usize>,
    when: Option<Range<usize>>,
    start: usize,
    end: usize,
}

/// Finds the promise, if any. `plans` are the amounts with a period: never part of a promise.
pub(crate) fn read(c: &Context, plans: &[Candidate], reference: NaiveDate) -> Option<Promise> {
    let mut items: Vec<Item> = Vec::new();
    let mut at = 0;
    while at < c.units.len() {
        let sentence = c.sentence(at);
        for clause in clauses(c, sentence.clone()) {
            items.extend(in_clause(c, clause, plans));
        }
        at = sentence.end + 1;
    }
    let first = items.first()?.clone();
    // "I'll send 200 friday. The rest next friday" are two; the same date said twice is one.
    let review = items
        .iter()
        .skip(1)
        .any(|i| i.what.is_some() && (i.when.is_some() || first.when.is_some()));
    let when = first.when.clone().or_else(|| {
        // "I'll pay you. Friday." – a date alone in its sentence completes the promise.
        let next = first.end..c.units.len();
        next.into_iter()
            .find(|i| c.is_date(*i) && c.sentence(*i).len() <= 3)
            .map(|d| d..d + 1)
    });
    let words = when.map(|w| dates::words(c, w));
    Some(Promise {
        amount: first.amount,
        when_date: words
            .as_ref()
            .and_then(|(_, unit)| dates::resolve(c, *unit, reference)),
        when: words.map(|(w, _)| w),
        needs_review: review,
        span: c.bytes(first.start..first.end),
    })
}

/// Parts of a sentence between adversatives.
fn clauses(c: &Context, sentence: Range<usize>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = sentence.start;
    for i in sentence.clone() {
        if c.is(i, Class::Adversative) {
            out.push(start..i);
            start = i + 1;
        }
    }
    out.push(start..sentence.end);
    out
}

fn in_clause(c: &Context, clause: Range<usize>, plans: &[Candidate]) -> Vec<Item> {
    let mut commits: Vec<Cue> = c
        .cues
        .iter()
        .filter(|q| {
            q.side == Side::Left
                && matches!(q.kind, CueKind::Commit | CueKind::CommitWeak)
                && clause.contains(&q.start)
        })
        .copied()
        .collect();
    commits.sort_by_key(|q| (q.start, usize::MAX - q.end));
    let blocked = |kind: CueKind, range: Range<usize>| c.cues_in(kind, range).next().is_some();
    if blocked(CueKind::Hedge, clause.clone())
        || blocked(CueKind::Condition, clause.clone())
        || blocked(CueKind::Wish, clause.clone())
    {
        return Vec::new();
    }
    let negated = |q: &Cue| {
        c.cues.iter().any(|n| {
            n.kind == CueKind::NotPromise && n.start <= q.start && n.end > q.start
                || n.kind == CueKind::NotPromise
                    && n.start >= q.start
                    && n.start < q.end
                    && n.end > q.end
                // "le acabo de mandar": it is done.
                || n.kind == CueKind::Paid
                    && q.kind == CueKind::CommitWeak
                    && (q.start + 1..q.end).contains(&n.start)
                    && n.end > q.end
                || n.kind == CueKind::Reject
                    && n.side == Side::Left
                    && n.start <= q.start
                    && n.end >= q.end
                    && n.end - n.start > q.end - q.start
        })
    };
    let asks_time = |q: &Cue| {
        // "can you give me until the 10th to pay": nothing is promised in such a clause unless a
        // commitment comes before it.
        c.cues_in(CueKind::NotPromise, clause.start..q.start)
            .any(|n| n.end == q.start || q.start - n.end <= 2)
    };
    let mut items: Vec<Item> = Vec::new();
    let mut from = clause.start;
    for (n, q) in commits.iter().enumerate() {
        if q.start < from && n > 0 || negated(q) || asks_time(q) {
            continue;
        }
        let end = commits[n + 1..]
            .iter()
            .map(|next| next.start)
            .find(|s| *s >= q.end)
            .unwrap_or(clause.end);
        // "el lunes le doy 100 y el dia 30 le doy 250": the day right before the next commitment is its.
        let led = earlier_date(c, from..q.start.max(from)).is_some();
        let end = match end.checked_sub(1) {
            Some(day) if led && day > q.end && end < clause.end && c.is_date(day) => day,
            _ => end,
        };
        let purpose = c.cues_in(CueKind::Purpose, q.end..end);
        let end = purpose.map(|p| p.start).min().unwrap_or(end);
        let scope = q.start..end;
        let mut found = payments(c, scope.clone(), plans);
        // "el martes le pago 350": the verb is also the noun for what is paid.
        found = without_verb(c, found, q);
        if let Some(what) = fronted(c, from..q.start.max(from), q, &found, plans) {
            let when = found.first().and_then(|i| i.when.clone());
            found = vec![item(
                c.money(what).map(|m| m.amount),
                Some(what),
                when,
                what,
            )];
        }
        // "can I pay it off over 10 weeks" asks for a plan, it promises nothing.
        let terms = (q.start..end).any(|i| {
            c.period(i).is_some()
                || c.duration(i).is_some()
                || c.is(i, Class::Payment) && i >= q.end
                || c.is(i, Class::Spread)
        });
        if terms && found.iter().all(|i| i.amount.is_none() && i.when.is_none()) {
            continue;
        }
        // A routine question: "can I pay with a money order".
        let routine = c.asks(q.start)
            && found.iter().all(|i| {
                i.amount.is_none()
                    && i.when.is_none()
                    && !i.what.is_some_and(|w| is_remainder(c, w))
            });
        if routine {
            continue;
        }
        if q.kind == CueKind::CommitWeak && found.iter().all(|i| is_vague(c, i)) {
            continue;
        }
        if found.is_empty() {
            // Nor does a routine question: "can I pay with zelle".
            let question = c.asks(q.start);
            if q.kind == CueKind::CommitWeak || question || !about_payment(c, q, end) {
                continue;
            }
            found.push(Item {
                amount: None,
                what: None,
                when: None,
                start: q.start,
                end,
            });
        }
        // "friday ill pay", "mañana le deposito todo": the date may stand before.
        let lead = earlier_date(c, from..q.start.max(from));
        if let Some(first) = found.first_mut()
            && first.when.is_none()
        {
            first.when = lead;
        }
        if q.kind == CueKind::CommitWeak && found.iter().all(|i| i.what.is_none()) {
            continue;
        }
        from = end;
        items.extend(found);
    }
    if items.is_empty() {
        items = bare_payments(c, clause, plans);
    }
    items
}

/// "los otros 200 se los doy el 28", "the rest I'll bring friday": the payment right before the
/// commitment, when nothing after it names one.
fn fronted(
    c: &Context,
    before: Range<usize>,
    q: &Cue,
    found: &[Item],
    plans: &[Candidate],
) -> Option<usize> {
    let named = |i: &Item| i.what.is_some_and(|w| !c.is(w, Class::WholePronoun));
    if found.len() > 1 || found.iter().any(named) {
        return None;
    }
    // "esos 450 se los llevo", "y los 300 que faltan se los doy"
    let pair = ["se", "te"].map(|w| c.model.lexicon.get(w));
    if pair.contains(&Some(c.sym(q.start))) {
        let near = (before.start.max(q.start.saturating_sub(5))..q.start).rev();
        let free = |i: &usize| c.money(*i).is_some() && !plans.iter().any(|p| p.money == *i);
        if let Some(at) = near.into_iter().find(free) {
            return Some(at);
        }
    }
    let at = q.start.checked_sub(1).filter(|at| before.contains(at))?;
    let planned = plans.iter().any(|p| p.start <= at && at < p.end);
    let amount = c.money(at).is_some() && !planned && !is_for_a_bill(c, at);
    let rest = is_remainder(c, at) && !c.is(at, Class::Half);
    (amount && other_before(c, at) || rest).then_some(at)
}

/// `the other 200`, `los otros 200`.
fn other_before(c: &Context, at: usize) -> bool {
    let other = ["other", "otros", "otras", "last", "remaining"];
    let word = at.checked_sub(1).map(|i| c.sym(i));
    word.is_some_and(|w| other.iter().any(|o| c.model.lexicon.get(o) == Some(w)))
}

/// Drops what only the verb of the commitment named.
fn without_verb(c: &Context, mut found: Vec<Item>, q: &Cue) -> Vec<Item> {
    let verbs = ["pago", "abono", "deposito"];
    let verb = |i: &Item| {
        let named = |w: usize| {
            verbs
                .iter()
                .any(|v| c.model.lexicon.get(v) == Some(c.sym(w)))
        };
        i.amount.is_none() && i.what.is_some_and(|w| w < q.end && named(w))
    };
    if found.len() > 1 && verb(&found[0]) {
        let when = found.remove(0).when;
        found[0].when = found[0].when.take().or(when);
    }
    found
}

/// "I'll get it later", "you'll have everything": with a verb that is not of paying, something must
/// say that money is meant.
fn is_vague(c: &Context, item: &Item) -> bool {
    item.amount.is_none()
        && item.when.is_none()
        && item.what.is_none_or(|w| c.is(w, Class::WholePronoun))
}

/// Whether a commitment without an object is about paying: it says a verb of paying, so only a
/// following "attention" or question word spoils it. What is sent has to be named.
fn about_payment(c: &Context, q: &Cue, end: usize) -> bool {
    let sends = (q.start..q.end).any(|i| c.is(i, Class::SendVerb));
    !sends && !(q.end..end.min(q.end + 2)).any(|i| c.is(i, Class::Third))
        || (q.end..end).any(|i| c.is_date(i))
}

fn earlier_date(c: &Context, range: Range<usize>) -> Option<Range<usize>> {
    range.rev().find_map(|i| {
        if c.is_date(i) {
            return Some(i..i + 1);
        }
        (c.is(i, Class::EventLead))
            .then(|| dates::event_end(c, i).map(|e| i..e))
            .flatten()
    })
}

/// Amounts (or words for them) with their dates, after a commitment.
fn payments(c: &Context, scope: Range<usize>, plans: &[Candidate]) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    let mut i = scope.start;
    while i < scope.end {
        let planned = plans.iter().any(|p| p.start <= i && i < p.end);
        if let Some(money) = c.money(i).filter(|_| !planned && !is_for_a_bill(c, i)) {
            // "half (250) friday" and "the other 300" are one payment each.
            match out.last_mut() {
                Some(last)
                    if last.amount.is_none() && (last.when.is_none() || last.what.is_none()) =>
                {
                    last.amount = Some(money.amount);
                    last.what = Some(i);
                    last.end = i + 1;
                }
                _ => out.push(item(Some(money.amount), Some(i), None, i)),
            }
        } else if (is_whole(c, i) || is_left_over(c, i)) && !planned && !spoken_of(c, i) {
            match out.last_mut() {
                Some(last) if last.when.is_none() => {}
                Some(last) if last.what.is_none() => last.what = Some(i),
                // "pay the 300 friday for rent": a plain word after a date is no second payment.
                Some(_) if !is_remainder(c, i) => {}
                _ => out.push(item(None, Some(i), None, i)),
            }
        } else if c.is_date(i) && !until(c, i) {
            set_date(&mut out, i..i + 1, i);
        } else if c.is(i, Class::EventLead)
            && let Some(end) = dates::event_end(c, i)
        {
            set_date(&mut out, i..end, i);
            i = end;
            continue;
        }
        i += 1;
    }
    out
}

/// "120 del carro", "90 for daycare": the sender's other bills.
fn is_for_a_bill(c: &Context, money: usize) -> bool {
    c.cues.iter().any(|q| {
        q.kind == CueKind::Bill
            && q.side == Side::Right
            && (money + 1..=money + 2).contains(&q.start)
    })
}

fn set_date(out: &mut Vec<Item>, range: Range<usize>, at: usize) {
    match out.last_mut() {
        Some(last) if last.when.is_none() => {
            last.end = range.end;
            last.when = Some(range);
        }
        Some(_) => {}
        None => out.push(item(None, None, Some(range), at)),
    }
}

fn item(amount: Option<Cents>, what: Option<usize>, when: Option<Range<usize>>, at: usize) -> Item {
    Item {
        amount,
        what,
        end: when.as_ref().map_or(at + 1, |w| w.end),
        when,
        start: at,
    }
}

fn until(c: &Context, at: usize) -> bool {
    at > 0
        && (c.is(at - 1, Class::Until)
            || at > 1 && c.is(at - 2, Class::Until) && c.is(at - 1, Class::LeadCut))
}

fn is_whole(c: &Context, i: usize) -> bool {
    c.is(i, Class::Whole) || c.is(i, Class::Half)
}

/// "what's left", "whats owed": the rest by a clause.
fn is_left_over(c: &Context, i: usize) -> bool {
    let word = |i: usize, of: &[&str]| of.iter().any(|w| c.model.lexicon.get(w) == Some(c.sym(i)));
    word(i, &["left", "owed", "due", "remaining", "owe"])
        && (i.saturating_sub(2)..i).any(|b| word(b, &["what", "whats"]))
}

/// "call me about the rest": talked of, not paid.
fn spoken_of(c: &Context, i: usize) -> bool {
    let word = |i: usize, of: &[&str]| of.iter().any(|w| c.model.lexicon.get(w) == Some(c.sym(i)));
    if c.is(i, Class::WholePronoun) && i > 0 && word(i - 1, &["about", "sobre"]) {
        return true;
    }
    // "about half friday" is a figure, "about the rest" a topic.
    i > 1
        && word(i - 1, &["the", "my", "that", "this", "el", "la"])
        && word(i - 2, &["about", "regarding", "discuss", "sobre"])
}

/// `rest`, `other half`: words that mean a further payment.
fn is_remainder(c: &Context, i: usize) -> bool {
    let other = ["other", "otra", "otro"];
    let other = i > 0
        && other
            .iter()
            .any(|w| c.model.lexicon.get(w) == Some(c.sym(i - 1)));
    c.is(i, Class::Half)
        || other
        || [
            "rest",
            "remainder",
            "remaining",
            "balance",
            "resto",
            "restante",
        ]
        .iter()
        .any(|w| c.model.lexicon.get(w) == Some(c.sym(i)))
}

/// "300 now and 300 on the 15th", "half now half in 2 weeks", "400 friday": no verb at all.
fn bare_payments(c: &Context, clause: Range<usize>, plans: &[Candidate]) -> Vec<Item> {
    let spoiled = c.cues.iter().any(|q| {
        clause.contains(&q.start)
            && matches!(
                q.kind,
                CueKind::Paid
                    | CueKind::NotPromise
                    | CueKind::Other
                    | CueKind::Report
                    | CueKind::Past
                    | CueKind::Reject
                    | CueKind::Ask
            )
    });
    if spoiled {
        return Vec::new();
    }
    let found: Vec<Item> = payments(c, clause.clone(), plans)
        .into_iter()
        .filter(|i| i.when.is_some() && i.what.is_some_and(|w| !c.is(w, Class::WholePronoun)))
        .collect();
    let strange = clause
        .clone()
        .filter(|i| {
            let s = c.sym(*i);
            let word = s == sym::UNKNOWN || s >= sym::FIRST_WORD;
            word && !c.is(*i, Class::Benign)
                && !is_whole(c, *i)
                && c.units[*i].entity == super::units::Entity::None
                && !c.is(*i, Class::Currency)
                && !c.is(*i, Class::LeadCut)
                && !c.is(*i, Class::Then)
                && !c.is(*i, Class::A)
        })
        .count();
    let offered = found.first().is_some_and(|i| {
        i.what
            .filter(|w| c.money(*w).is_some())
            .is_some_and(|w| judge(c, w, w, w + 1, plans) == Stance::Offered)
    });
    if strange > 1 && !offered {
        return Vec::new();
    }
    found
}
