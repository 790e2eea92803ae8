//! Fees and interest (rules R17): the service knows of none, so it neither adds nor denies any.

use super::{Draft, Finding, Grounds, UNGROUNDED};

const NAME: &str = "fees";

pub(super) fn check(draft: &Draft<'_>, _grounds: &Grounds<'_>) -> Finding {
    match draft.said.named("fees").next() {
        Some(_) => Finding::failed(
            NAME,
            UNGROUNDED,
            "fee",
            "speaks of fees, penalties or interest",
        ),
        None => Finding::passed(NAME),
    }
}
