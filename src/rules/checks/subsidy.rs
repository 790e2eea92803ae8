//! Voucher tenants (rules R19): asked for their own portion only, never told of the subsidy.

use super::{Draft, FORBIDDEN, Finding, Grounds, UNGROUNDED};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::Stated;

const NAME: &str = "subsidy";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if let Some(all) = hidden_total(grounds) {
        let tells = draft.said.figures.iter().any(|f| match f.what {
            Stated::Money { amount, .. } => amount == all,
            _ => false,
        });
        if tells {
            return Finding::failed(
                NAME,
                FORBIDDEN,
                "total",
                "the amount that includes the subsidy",
            );
        }
    }
    let named = draft.said.named("subsidy").any(|p| {
        let words = plain_words(draft.words(&p.span));
        !words.iter().all(|w| grounds.own_words.contains(w))
    });
    if named {
        return Finding::failed(NAME, UNGROUNDED, "voucher", "speaks of the subsidy unasked");
    }
    Finding::passed(NAME)
}

/// What all parties owe together, when the tenant owes only a part and did not name it.
fn hidden_total(grounds: &Grounds<'_>) -> Option<Cents> {
    let tenant = grounds.tenant?;
    let portion = tenant.tenant_portion.filter(|p| *p > Cents::ZERO)?;
    tenant.amount_owed.filter(|all| *all != portion)
}
