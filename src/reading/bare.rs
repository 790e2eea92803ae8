//! Amounts that nothing is said of: "75 a week" offers, "gym 40 a month" does not.

use super::context::{Context, Cue, CueKind};
use super::lexicon::sym;
use super::stance::Stance;
use super::units::Entity;
use super::words::Class;
use crate::domain::money::Cents;

/// A word that says nothing of offers before the amount names another thing ("gym", "chemo copay"),
/// so there may be none; after it one may be an afterthought.
const STRANGE_BEFORE: usize = 0;
const STRANGE_AFTER: usize = 1;

/// No cue at all. A bare offer stands alone or among words that say nothing else.
pub(crate) fn bare(c: &Context, money: usize) -> Stance {
    // "the 75 a week": an amount both know of, which only an acceptance makes an offer.
    let known = money > 0 && c.is(money - 1, Class::Known) && c.period(money + 1).is_some();
    // "after that 75 a week"
    let after = money > 1 && (c.is(money - 2, Class::LeadKeep) || c.is(money - 2, Class::LeadCut));
    if known && !after {
        return Stance::Refused(CueKind::Report);
    }
    let sentence = c.sentence(money);
    let asked = c.sym(sentence.end) == sym::QUESTION;
    let (mut before, mut after) = (0, 0);
    let mut other = false;
    let mut copula = false;
    for i in sentence.clone() {
        let earlier = i < money && (c.money(i).is_some() || c.is(i, Class::Consequence));
        // "payday is the 1st and the 15th here, 140 each time"
        let paydays = |q: &Cue| q.kind == CueKind::PayFrequency && q.end <= i;
        let told = c.sym(i) == sym::COMMA && c.cues.iter().any(paydays);
        // "Hey its Tasha in 14B, 60 a week"
        let parted = c.sym(i) == sym::COMMA || c.sym(i) == sym::COLON;
        let first = sentence.start;
        // "until i find something better, 50 a week"
        let aside = c.is(first, Class::Afterthought) || c.is(first, Class::Until);
        let greeted =
            parted && (aside || c.is(first, Class::Greeting) || introduces(c, i) && !other);
        let turned = c.is(i, Class::Adversative);
        if earlier || i < money && (told || greeted || turned) {
            // "rent is 1100, so 60 a week": what led up to the offer does not colour it.
            (before, copula, other) = (0, false, false);
            continue;
        }
        if turned || told || i > money && c.is(i, Class::Afterthought) {
            break;
        }
        if c.units[i].entity != Entity::None {
            continue;
        }
        let s = c.sym(i);
        // "50 weekly, depends on my hours": an afterthought, which a cue would have to make foreign.
        if s == sym::COMMA && i > money && c.period(i - 1).is_some() {
            break;
        }
        if s < sym::FIRST_WORD && s != sym::UNKNOWN {
            continue;
        }
        // "it is", "biweekly is best for me"
        let empty = |b: usize| c.is(b, Class::Pronoun) || c.period(b).is_some();
        if c.is(i, Class::Copula) && i < money && !(i > 0 && empty(i - 1)) {
            copula = true;
        }
        other |= c.is(i, Class::Third);
        // What follows "starting" says when, not what: "starting when my taxes come".
        if i > money && (c.is(i, Class::StartLead) || c.is(i, Class::Until)) {
            break;
        }
        // "80 a week no wait 70": the correction is judged with its own figure.
        let corrects = |q: &Cue| q.kind == CueKind::Correct && (q.start..q.end).contains(&i);
        if c.cues.iter().any(corrects) {
            if i > money {
                break;
            }
            continue;
        }
        let said_of_offers = [
            Class::Benign,
            Class::Currency,
            Class::StartLead,
            Class::Whole,
            Class::Down,
            Class::Then,
        ];
        if said_of_offers.iter().any(|class| c.is(i, *class)) {
            continue;
        }
        if i < money {
            before += 1;
        } else {
            after += 1;
        }
    }
    // Somebody else in the clause, or a question: then one strange word is enough to doubt it.
    let doubted = (other || asked) && after > 0;
    if copula || before > STRANGE_BEFORE || doubted || after > STRANGE_AFTER {
        return Stance::Foreign;
    }
    Stance::Bare
}

/// Above this a month a habit ("I pay 925 a month") is rent.
const RENT: Cents = Cents::from_dollars(450);

/// "I pay 925 a month on the 1st": a monthly figure of that size that is only told of is rent.
pub(crate) fn is_rent(c: &Context, money: usize) -> bool {
    let large = c.money(money).is_some_and(|m| m.amount > RENT);
    let monthly = |i: usize| c.period(i).is_some_and(|p| (p.payments, p.weeks) == (1, 4));
    let sentence = c.sentence(money);
    let told = (sentence.start..money).any(|i| c.is(i, Class::Habit));
    let spread = sentence.clone().any(|i| c.duration(i).is_some());
    let willing = |i: usize| c.is(i, Class::Willing) || c.is(i, Class::Inverted);
    let offered = (sentence.start..money).any(willing);
    large && told && !spread && !offered && (money + 1..sentence.end).any(monthly)
}

/// "soy Ana del 4, 50 por semana", "ya tengo trabajo, 50": the clause before the comma or colon says who
/// writes.
fn introduces(c: &Context, comma: usize) -> bool {
    let first = c.sentence(comma).start;
    (first..comma).any(|i| c.is(i, Class::Speaker) || c.is(i, Class::Introduced))
        || c.sym(comma) == sym::COLON
}
