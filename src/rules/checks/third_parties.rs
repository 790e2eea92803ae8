//! Other people (rules R21): nobody else's business, and ours told to nobody else.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::Trigger;
use crate::reading::plain_words;
use crate::reading::statements::Stated;

const NAME: &str = "third_parties";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let found = draft.said.named("third_party").any(|p| {
        // "Sorry about your mother", when the tenant wrote of her, tells nobody anything.
        let words = plain_words(draft.words(&p.span));
        let last = words.last().map(String::as_str).unwrap_or_default();
        let owned = words
            .first()
            .is_some_and(|w| matches!(w.as_str(), "your" | "su" | "tu" | "sus"));
        let mentioned = is_mentioned(grounds, last) && words.len() <= 3;
        let before = plain_words(draft.reply.get(..p.span.start).unwrap_or_default());
        let told = before.iter().rev().take(2).any(|w| {
            matches!(
                w.as_str(),
                "told"
                    | "tell"
                    | "text"
                    | "call"
                    | "inform"
                    | "contact"
                    | "notify"
                    | "email"
                    | "update"
                    | "remind"
                    | "called"
                    | "texted"
                    | "contacted"
                    | "informed"
                    | "ask"
                    | "asked"
                    | "avisar"
                    | "avise"
                    | "avisamos"
                    | "avisare"
                    | "llamar"
                    | "llamare"
                    | "llamamos"
                    | "decirle"
                    | "dije"
                    | "dijimos"
                    | "conte"
                    | "informar"
                    | "informamos"
            )
        });
        // "I can't share anything about other residents"
        let refused = super::refusal::is_refused(draft, &p.span) && draft.excuses(&p.span, grounds);
        !refused && (!mentioned || !owned || told || grounds.gives_orders)
    });
    if found {
        return Finding::failed(NAME, FORBIDDEN, "others", "speaks of or to other people");
    }
    let stranger = grounds
        .texts
        .iter()
        .any(|t| crate::reading::read(t, grounds.today).has(Trigger::WrongNumber));
    if stranger && tells(draft, grounds) {
        return Finding::failed(
            NAME,
            FORBIDDEN,
            "stranger",
            "tells somebody else of the account",
        );
    }
    Finding::passed(NAME)
}

/// Words for the same relative.
const RELATIVES: &[&[&str]] = &[
    &["father", "dad", "daddy", "pops"],
    &["mother", "mom", "mum", "mama", "ma"],
    &[
        "son", "daughter", "kid", "kids", "child", "baby", "boy", "girl",
    ],
    &["padre", "papa", "papi"],
    &["madre", "mama", "mami"],
    &["hijo", "hija", "nino", "nina", "bebe"],
    &["esposo", "marido"],
    &["esposa", "mujer"],
];

/// Whether the tenant spoke of the same person: "your father", to "my dad passed away".
fn is_mentioned(grounds: &Grounds<'_>, relative: &str) -> bool {
    let same = |group: &&&[&str]| group.contains(&relative);
    // "Lo primero es su familia", to "mi hija está en el hospital".
    let family = matches!(relative, "family" | "familia")
        && RELATIVES.iter().any(|group| grounds.said_any(group));
    grounds.own_words.contains(relative)
        || family
        || RELATIVES
            .iter()
            .filter(same)
            .any(|group| grounds.said_any(group))
}

/// A name, an amount or a word for debt.
fn tells(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    let words = plain_words(draft.reply);
    let name = grounds
        .tenant
        .and_then(|t| t.tenant_name.as_deref())
        .map(plain_words)
        .unwrap_or_default();
    let debt = [
        "debt", "owe", "owes", "owed", "rent", "balance", "payment", "renta", "debe", "deuda",
        "saldo", "pago",
    ];
    draft
        .said
        .figures
        .iter()
        .any(|f| matches!(f.what, Stated::Money { .. }))
        || words
            .iter()
            .any(|w| name.contains(w) || debt.contains(&w.as_str()))
}
