//! Cards, bank accounts, social security numbers and passwords are never asked for (rules R30).

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::plain_words;

const NAME: &str = "secrets";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let facts = grounds.settings.company_facts.as_deref();
    let facts = plain_words(facts.unwrap_or_default()).join(" ");
    // "A debit card in the portal", when the company's facts name it so.
    let quoted = |p: &&crate::reading::statements::Phrase| {
        let words = plain_words(draft.words(&p.span)).join(" ");
        facts.contains(&words) && !words.contains("number") && !words.contains("numero")
    };
    match draft.said.named("secrets").find(|p| !quoted(p)) {
        Some(_) => Finding::failed(
            NAME,
            FORBIDDEN,
            "secret",
            "speaks of card, bank or identity numbers",
        ),
        None => Finding::passed(NAME),
    }
}
