//! Cards, bank accounts, social security numbers and passwords are never asked for (rules R30).

use super::{Draft, FORBIDDEN, Finding, Grounds};

const NAME: &str = "secrets";

pub(super) fn check(draft: &Draft<'_>, _grounds: &Grounds<'_>) -> Finding {
    match draft.said.named("secrets").next() {
        Some(_) => Finding::failed(
            NAME,
            FORBIDDEN,
            "secret",
            "speaks of card, bank or identity numbers",
        ),
        None => Finding::passed(NAME),
    }
}
