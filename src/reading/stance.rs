//! Whose figure an amount is and what the sender does with it (labelling guide §1.1, §1.2).

use super::bare::{bare, is_rent};
use super::context::{Context, Cue, CueKind, Side};
use super::lexicon::sym;
use super::offers::Candidate;
use super::payer::{is_joint, is_other, is_share};
use super::words::Class;

/// What the sender does with an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Offers it now.
    Offered,
    /// Offers it without a word that says so: "75 a week".
    Bare,
    /// Rejected, reported, past, asked for: its period still carries over.
    Refused(CueKind),
    /// Another thing altogether: rent, wages, somebody else's plan.
    Foreign,
}

impl Stance {
    pub(super) const fn offers(self) -> bool {
        matches!(self, Self::Offered | Self::Bare)
    }
}

/// Judges the amount at unit `money`, whose words run to `end`. `others` are the amounts with a
/// period of their own.
pub(crate) fn judge(
    c: &Context,
    money: usize,
    start: usize,
    end: usize,
    others: &[Candidate],
) -> Stance {
    let left = left_cue(c, money, start, others);
    let right = right_cue(c, money, end, others);
    let sentence = c.sentence(money);
    let whole = |kind| {
        c.cues_in(kind, sentence.clone())
            .any(|q| q.side == Side::Whole && !after_adversative(c, q.start, q.end, money))
    };
    if whole(CueKind::Condition) {
        return Stance::Refused(CueKind::Condition);
    }
    if whole(CueKind::Wish) || mocked(c, sentence.clone(), money) {
        return Stance::Refused(CueKind::Wish);
    }
    let share = others
        .iter()
        .find(|o| o.money == money)
        .is_some_and(|o| is_share(c, o));
    if share || is_rent(c, money) || parted_from_period(c, money, end) {
        return Stance::Foreign;
    }
    match (left, right) {
        (_, Some(CueKind::Bill)) => Stance::Foreign,
        (_, Some(CueKind::Reject)) if exceeded(c, money) => Stance::Offered,
        (_, Some(CueKind::Reject)) => Stance::Refused(CueKind::Reject),
        (Some(CueKind::Wish), _) => Stance::Refused(CueKind::Wish),
        (Some(CueKind::Other), right) if right != Some(CueKind::Offer) || names_it(c, money) => {
            Stance::Foreign
        }
        (left, Some(CueKind::Other)) if left != Some(CueKind::Offer) => Stance::Foreign,
        (left, Some(CueKind::Past)) if left != Some(CueKind::Offer) => {
            Stance::Refused(CueKind::Past)
        }
        (left, Some(CueKind::Report)) if left != Some(CueKind::Offer) => {
            Stance::Refused(CueKind::Report)
        }
        (Some(CueKind::Offer), _) => Stance::Offered,
        (Some(kind @ (CueKind::Past | CueKind::Reject)), _) => Stance::Refused(kind),
        (_, Some(CueKind::Offer)) => Stance::Offered,
        // "I talked to my wife, its 50 a week": only a question asks.
        (Some(CueKind::Ask), None) if told(c, money) => bare(c, money),
        (Some(kind), _) => Stance::Refused(kind),
        (None, _) => bare(c, money),
    }
}

/// "pago 950 de renta al mes": what the amount is for stands between it and its period.
fn parted_from_period(c: &Context, money: usize, end: usize) -> bool {
    c.cues.iter().any(|q| {
        q.side == Side::Right
            && names_another_thing(q.kind)
            && q.start == money + 1
            && q.end < end
            && !c.is(q.start, Class::Beside)
    })
}

/// Whether the word before the amount is no more than "its" or "thats", in a sentence that is no
/// question.
fn told(c: &Context, money: usize) -> bool {
    let empty = ["its", "thats"].map(|w| c.model.lexicon.get(w));
    let sentence = c.sentence(money);
    c.sym(sentence.end) != sym::QUESTION
        && money > sentence.start + 1
        && c.cues_in(CueKind::Other, sentence.start..money)
            .next()
            .is_none()
        && !(sentence.start..money).any(|i| c.money(i).is_some())
        && empty.contains(&Some(c.sym(money - 1)))
}

/// "i make 350 a week, thats all we got": what names another thing stands right before the amount, so
/// the words after it are said of that. "Since I lost the second job 75 a week is what I can do" is
/// an offer.
fn names_it(c: &Context, money: usize) -> bool {
    c.cues.iter().any(|q| {
        q.kind == CueKind::Other && q.side == Side::Left && q.end <= money + 1 && q.end + 1 >= money
    })
}

/// "500 a week? let me ask my money printer": the sentence itself, or the one that answers its
/// question and names no figure of its own.
fn mocked(c: &Context, sentence: std::ops::Range<usize>, money: usize) -> bool {
    // "im not made of money but 60 a week i can do"
    let meant = |q: &Cue| !after_adversative(c, q.start, q.end, money);
    let mock = |range| c.cues_in(CueKind::Mock, range).any(meant);
    let echoed = matches!(
        c.sym(sentence.end),
        sym::QUESTION | sym::BANG | sym::ELLIPSIS
    );
    let answer = (sentence.end..c.units.len()).find(|i| !c.ends_sentence(*i));
    let answer = answer.map(|i| c.sentence(i)).filter(|_| echoed);
    // "95 a week? i make 210": wages are what answers the question.
    let wages = |a: &std::ops::Range<usize>| {
        let figure = |q: &Cue| q.side == Side::Left && c.money(q.end).is_some();
        a.clone().filter(|i| c.money(*i).is_some()).count() == 1
            && c.cues_in(CueKind::Other, a.clone()).any(figure)
            && c.cues_in(CueKind::Offer, a.clone())
                .all(|q| q.end - q.start < 2)
    };
    if c.sym(sentence.end) == sym::QUESTION && answer.as_ref().is_some_and(wages) {
        return true;
    }
    mock(sentence) || answer.is_some_and(|a| !a.clone().any(|i| c.money(i).is_some()) && mock(a))
}

/// "mas de 70 por semana no puedo": what is refused is anything above the amount.
fn exceeded(c: &Context, money: usize) -> bool {
    c.cues
        .iter()
        .any(|q| q.kind == CueKind::Excess && (q.end == money || q.end == money + 1))
}

/// A condition or wish before "but" does not reach past it, and the other way round.
fn after_adversative(c: &Context, cue_start: usize, cue_end: usize, money: usize) -> bool {
    let between = if cue_end <= money {
        cue_end..money
    } else {
        money..cue_start.max(money)
    };
    between.into_iter().any(|i| c.is(i, Class::Adversative))
}

/// The nearest cue to the left that reaches the amount.
fn left_cue(c: &Context, money: usize, start: usize, others: &[Candidate]) -> Option<CueKind> {
    let barrier = barrier_left(c, money, start, others);
    let wished = c.cues.iter().any(|q| {
        q.kind == CueKind::Wish && q.side == Side::Left && q.start >= barrier && q.end <= money + 1
    });
    // "I wish I could do": the wish governs whatever follows it.
    if wished {
        return Some(CueKind::Wish);
    }
    let nearest = c
        .cues
        .iter()
        .filter(|q| {
            q.side == Side::Left
                && q.start >= barrier
                && q.end <= money + 1
                && is_stance(q.kind)
                && !((names_another_thing(q.kind) || q.kind == CueKind::Past)
                    && set_apart(c, q.end, money))
                && !(q.kind == CueKind::Reject && spent(c, q, money))
                && !(q.kind == CueKind::Other && is_joint(c, q))
                && !(q.kind == CueKind::Offer && is_other(c, q, barrier))
        })
        // A cue that takes the amount in ends one unit later and would beat every other; what
        // counts is where its words end.
        // "what would you say to": of two with the same words the one that offers knows more of them.
        .max_by_key(|q| {
            let offers = q.kind == CueKind::Offer;
            (q.end.min(money), usize::MAX - q.start, offers)
        });
    let taken_back = nearest
        .filter(|q| q.kind == CueKind::Offer)
        .and_then(|q| taken_back(c, q, barrier));
    taken_back
        .or(nearest.map(|q| q.kind))
        .or_else(|| inherited(c, money, barrier, others))
}

/// "not gonna | be able to do", "did we | agree on", "they say you | take": an offering phrase without
/// a subject of its own belongs to the refusal or report that it continues.
fn taken_back(c: &Context, offer: &Cue, barrier: usize) -> Option<CueKind> {
    // "cant do more than", "dont mind": the refusal is part of the offer.
    let overlaps = |q: &&Cue| q.start < offer.end && offer.start < q.end;
    let excess = c.cues.iter().filter(overlaps);
    if c.is(offer.start, Class::Negator) || excess.into_iter().any(|q| q.kind == CueKind::Excess) {
        return None;
    }
    let own = (offer.start..offer.end).any(|i| c.is(i, Class::Speaker));
    let continues = |q: &&Cue| {
        let kind = match q.kind {
            CueKind::Ask => !own || q.end > offer.start,
            CueKind::Reject => !own || q.end > offer.start && doubts(c, q),
            CueKind::Report => !(own || q.start > 0 && c.is(q.start - 1, Class::Speaker)),
            _ => false,
        };
        kind && q.side == Side::Left
            && q.start >= barrier
            && q.start < offer.start
            && (offer.start..=offer.end).contains(&q.end)
    };
    let cue = c.cues.iter().filter(continues).min_by_key(|q| q.start)?;
    Some(cue.kind)
}

/// "idk if | I can do", "cant see how | I could": a doubt about what the tenant itself can do.
fn doubts(c: &Context, cue: &Cue) -> bool {
    let about = ["if", "whether", "how", "si"].map(|w| c.model.lexicon.get(w));
    (cue.start..cue.end).any(|i| about.contains(&Some(c.sym(i))))
}

/// "250 a week aint happening, 140": the refusal is of the figure before it and ends at the comma.
fn spent(c: &Context, left: &Cue, money: usize) -> bool {
    let earlier = |i: usize| c.money(i).is_some() || c.period(i).is_some();
    let of_earlier = |q: &Cue| {
        let overlaps = q.start < left.end && left.start < q.end;
        let beside = (q.start.saturating_sub(3)..q.start).any(earlier);
        q.kind == CueKind::Reject && q.side == Side::Right && overlaps && beside
    };
    let parted = (left.end..money).any(|i| c.sym(i) == sym::COMMA || c.sym(i) == sym::DASH);
    parted && c.cues.iter().any(of_earlier)
}

/// "I get fewer hours now, 60 a week": what names another thing stands close, or there is no comma.
fn set_apart(c: &Context, cue_end: usize, money: usize) -> bool {
    money.saturating_sub(cue_end) > 2 && (cue_end..money).any(|i| c.sym(i) == sym::COMMA)
}

const fn is_stance(kind: CueKind) -> bool {
    matches!(
        kind,
        CueKind::Offer
            | CueKind::Reject
            | CueKind::Report
            | CueKind::Past
            | CueKind::Wish
            | CueKind::Ask
            | CueKind::Other
            | CueKind::Bill
    )
}

fn barrier_left(c: &Context, money: usize, start: usize, others: &[Candidate]) -> usize {
    let own = |i: usize| i >= start;
    for i in (0..money).rev() {
        // "I get SSI monthly so 250 a month": the conclusion is not coloured by its reason.
        if c.ends_sentence(i) || c.is(i, Class::Adversative) || c.is(i, Class::Consequence) {
            return i + 1;
        }
        if tells_paydays(c, i, money) {
            return i + 1;
        }
        let other = c.money(i).is_some() && !own(i)
            || others
                .iter()
                .any(|o| o.money != money && o.start <= i && i < o.end && !(own(i)));
        if other {
            return i + 1;
        }
    }
    0
}

/// "I get paid twice a month and can do 150": when wages come says nothing of the offer after it.
fn tells_paydays(c: &Context, at: usize, money: usize) -> bool {
    let ends_here = |q: &&Cue| q.kind == CueKind::PayFrequency && q.end == at + 1;
    let next = at + 1;
    c.cues.iter().any(|q| ends_here(&q))
        && next < money
        && (c.sym(next) == sym::COMMA || c.sym(next) == sym::DASH || c.is(next, Class::And))
}

/// "I was paying 300 down and 50 a week": joined amounts share what is said of the first.
fn inherited(c: &Context, money: usize, barrier: usize, others: &[Candidate]) -> Option<CueKind> {
    let joined = barrier > 0
        && c.money(barrier - 1).is_some()
        && money - barrier <= 4
        && (barrier..money).any(|i| {
            c.is(i, Class::And)
                || c.is(i, Class::Or)
                || c.model.lexicon.get("plus") == Some(c.sym(i))
        });
    if !joined {
        return None;
    }
    let first = barrier - 1;
    let asked = c.sym(c.sentence(money).end) == sym::QUESTION;
    match left_cue(c, first, first, others) {
        Some(CueKind::Ask) if !asked => None,
        kind @ Some(
            CueKind::Past
            | CueKind::Reject
            | CueKind::Report
            | CueKind::Ask
            | CueKind::Wish
            | CueKind::Offer,
        ) => kind,
        // "my rent is 900 and 100 a week" – the second is not rent.
        Some(CueKind::Other) if money - barrier <= 2 => Some(CueKind::Other),
        _ => None,
    }
}

/// "1200 de renta al mes": what an amount is for may stand between it and its period.
const fn names_another_thing(kind: CueKind) -> bool {
    matches!(kind, CueKind::Other | CueKind::Bill)
}

/// The nearest cue to the right, before another amount or "but".
fn right_cue(c: &Context, money: usize, end: usize, others: &[Candidate]) -> Option<CueKind> {
    let mut limit = c.units.len();
    for i in end..c.units.len() {
        let other = c.money(i).is_some() && i != money
            || others.iter().any(|o| o.money != money && o.start == i);
        // "ninety five though, that I could manage": said of the figure itself.
        let trailing = i == end && c.sym(i + 1) == sym::COMMA;
        if trailing && c.is(i, Class::Adversative) {
            continue;
        }
        if other || c.is(i, Class::Adversative) || c.sym(i) == sym::STOP || c.sym(i) == sym::BANG {
            limit = i;
            break;
        }
        // A question about the offer may be a sentence of its own ("50 a week? does that work"),
        // but "you want 75 a week? I could do 35" begins another figure.
        if c.sym(i) == sym::QUESTION && c.is(i + 1, Class::Own) {
            limit = i;
            break;
        }
    }
    c.cues
        .iter()
        .filter(|q| {
            q.side == Side::Right
                && (q.start >= end || q.start == money + 1 && names_another_thing(q.kind))
                && q.start < limit
                && is_stance(q.kind)
                && !introduces_next(c, q, limit)
        })
        .filter(|q| {
            // "100 a week depending on my tips" is an offer, "100 a week in tips" is not: what an
            // amount is for stands right beside it.
            let reach = if names_another_thing(q.kind) { 0 } else { 14 };
            q.start.saturating_sub(end) <= reach
        })
        .min_by_key(|q| (q.start, usize::MAX - q.end, q.kind != CueKind::Bill))
        .map(|q| q.kind)
}

/// "you said 100 a week, I can do 60": the words belong to the amount that follows them.
fn introduces_next(c: &Context, right: &Cue, limit: usize) -> bool {
    // "y'all want 90 a week lol I got 45"
    let own = |q: &Cue| q.kind == CueKind::Own && q.start <= right.start && q.end == limit + 1;
    c.money(limit).is_some() && c.cues.iter().any(own)
        || c.money(limit).is_some()
            && right.kind == CueKind::Offer
            && c.cues.iter().any(|left| {
                left.side == Side::Left
                    && is_stance(left.kind)
                    && left.start <= right.start
                    && left.end > right.start
                    && left.end + 2 >= limit
            })
}
