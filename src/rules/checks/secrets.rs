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
    // "I'm not sure about debit cards", to the tenant who asks whether cards are taken: a kind of card,
    // no number of one, and nothing granted.
    let asked = !grounds.gives_orders
        && grounds.said_any(&[
            "card", "cards", "debit", "credit", "tarjeta", "tarjetas", "debito", "credito",
        ]);
    let unsure = |p: &&crate::reading::statements::Phrase| {
        let words = plain_words(draft.words(&p.span));
        let private = words.iter().any(|w| {
            [
                "num", "digit", "photo", "foto", "pic", "cvv", "cvc", "pin", "pass", "contra",
                "bank", "cuenta", "account", "code", "codigo", "ssn", "social",
            ]
            .iter()
            .any(|s| w.starts_with(s))
        });
        let handed_on = draft.said.sentences.get(p.sentence).is_some_and(|s| {
            plain_words(draft.words(s)).iter().any(|w| {
                matches!(
                    w.as_str(),
                    "sure"
                        | "know"
                        | "tell"
                        | "ask"
                        | "seguro"
                        | "segura"
                        | "decir"
                        | "decirle"
                        | "pregunte"
                        | "preguntar"
                )
            })
        });
        asked && !private && (super::refusal::is_refused(draft, &p.span) || handed_on)
    };
    match draft
        .said
        .named("secrets")
        .find(|p| !quoted(p) && !unsure(p))
    {
        Some(_) => Finding::failed(
            NAME,
            FORBIDDEN,
            "secret",
            "speaks of card, bank or identity numbers",
        ),
        None => Finding::passed(NAME),
    }
}
