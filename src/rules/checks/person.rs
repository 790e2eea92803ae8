//! The service never claims to be a person (rules R26).

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::plain_words;

const NAME: &str = "person";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let claims = draft.said.named("person").any(|p| {
        // "This is Stanton Management": the company may say its name.
        let company = grounds
            .settings
            .company_name
            .as_deref()
            .map(plain_words)
            .unwrap_or_default();
        let after = plain_words(draft.reply.get(p.span.start..).unwrap_or_default());
        let own = !company.is_empty()
            && after
                .iter()
                .skip(1)
                .take(3)
                .any(|w| Some(w) == company.first());
        !own
    });
    if claims {
        Finding::failed(
            NAME,
            FORBIDDEN,
            "human",
            "claims or suggests that a person writes",
        )
    } else {
        Finding::passed(NAME)
    }
}
