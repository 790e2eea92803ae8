//! Who pays: the subject of the verb that governs an amount (labelling guide §1.2, "other people's
//! plans").

use super::context::{Context, Cue};
use super::offers::Candidate;
use super::words::Class;

/// Most words between a subject and its verb: "my cousin over in building 4 will".
const SUBJECT_REACH: usize = 7;

/// Whether the subject of an offering phrase is somebody else: "catholic charities is willing to
/// pay 75 a week". A phrase that names the tenant itself ("ill do") has its subject.
pub(crate) fn is_other(c: &Context, offer: &Cue, barrier: usize) -> bool {
    if (offer.start..offer.end).any(|i| c.is(i, Class::Speaker)) {
        return false;
    }
    let first = barrier.max(offer.start.saturating_sub(SUBJECT_REACH));
    for i in (first..offer.start).rev() {
        if c.is(i, Class::Speaker) {
            return false;
        }
        if !c.is(i, Class::Third) && !c.is(i, Class::Agency) {
            continue;
        }
        // "me and my sister will", "with my son i can"
        let joined = |k: usize| c.is(k, Class::And) || c.is(k, Class::Beside);
        return !(i.saturating_sub(3)..i).any(joined);
    }
    false
}

/// "my mom and me will give": the tenant pays too.
pub(crate) fn is_joint(c: &Context, other: &Cue) -> bool {
    (other.start..other.end).any(|i| c.is(i, Class::And) && c.is(i + 1, Class::Speaker))
}

/// "voucher covers 740 a month, i cover 268 a month": beside what an agency pays, a monthly figure is
/// the tenant's share of the rent, unless a word of will or ability makes it an offer.
pub(crate) fn is_share(c: &Context, candidate: &Candidate) -> bool {
    let monthly = candidate.period.payments == 1 && candidate.period.weeks == 4;
    let before = c.sentence(candidate.money).start..candidate.money;
    let agency = before.clone().find(|i| c.is(*i, Class::Agency));
    let willing = |i: usize| c.is(i, Class::Inverted) || c.is(i, Class::Willing);
    let turned = |i: usize| c.is(i, Class::Consequence) || c.is(i, Class::Adversative);
    monthly && agency.is_some_and(|a| !(a..before.end).any(|i| willing(i) || turned(i)))
}
