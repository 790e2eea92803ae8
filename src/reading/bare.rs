//! Amounts that nothing is said of: "75 a week" offers, "gym 40 a month" does not.

use super::context::{Context, CueKind};
use super::lexicon::sym;
use super::stance::Stance;
use super::units::Entity;
use super::words::Class;

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
        let paydays = |q: &super::context::Cue| q.kind == CueKind::PayFrequency && q.end <= i;
        let told = c.sym(i) == sym::COMMA && c.cues.iter().any(paydays);
        // "Hey its Tasha in 14B, 60 a week"
        let greeted = c.sym(i) == sym::COMMA && c.is(sentence.start, Class::Greeting);
        let turned = c.is(i, Class::Adversative);
        if earlier || i < money && (told || greeted || turned) {
            // "rent is 1100, so 60 a week": what led up to the offer does not colour it.
            (before, copula, other) = (0, false, false);
            continue;
        }
        if turned || told {
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
        let corrected = |q: &super::context::Cue| q.kind == CueKind::Correct && q.start == i;
        if i > money && c.cues.iter().any(corrected) {
            break;
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
