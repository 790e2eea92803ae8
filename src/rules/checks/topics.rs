//! Topics the model must never bring up (rules R18, R20): whatever the tenant asked.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::domain::DeliveryKind;
use crate::reading::plain_words;
use crate::reading::statements::Phrase;
use crate::rules::content;

const NAME: &str = "forbidden_topics";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    // What the gate would refuse is not worth a manager's click either.
    let refused = content::findings(draft.reply, DeliveryKind::Auto, &[])
        .iter()
        .any(|f| f.rule != "R30");
    let property = grounds.tenant.and_then(|t| t.property_name.as_deref());
    if refused
        && property.is_none_or(|name| content::findings(name, DeliveryKind::Auto, &[]).is_empty())
    {
        return Finding::failed(NAME, FORBIDDEN, "gate", "words that the gate refuses");
    }
    let stem = super::stems::find(draft.reply, super::stems::TOPICS);
    if stem.is_some_and(|at| !in_property(draft, grounds, &at)) {
        return Finding::failed(
            NAME,
            FORBIDDEN,
            "topic",
            "a topic that only a person may raise",
        );
    }
    let found = draft
        .said
        .named("forbidden")
        .find(|p| !is_property(draft, grounds, p));
    match found {
        Some(phrase) => Finding::failed(
            NAME,
            FORBIDDEN,
            phrase.reason,
            "a topic that only a person may raise",
        ),
        None => Finding::passed(NAME),
    }
}

/// "Oak Court": part of the property's name, with another of its words beside it.
fn is_property(draft: &Draft<'_>, grounds: &Grounds<'_>, phrase: &Phrase) -> bool {
    in_property(draft, grounds, &phrase.span)
}

fn in_property(draft: &Draft<'_>, grounds: &Grounds<'_>, span: &std::ops::Range<usize>) -> bool {
    let Some(property) = grounds.tenant.and_then(|t| t.property_name.as_deref()) else {
        return false;
    };
    let property = plain_words(property);
    let inside = plain_words(draft.words(span));
    let before = plain_words(draft.reply.get(..span.start).unwrap_or_default());
    let after = plain_words(draft.reply.get(span.end..).unwrap_or_default());
    let beside = before.last().is_some_and(|w| property.contains(w))
        || after.first().is_some_and(|w| property.contains(w));
    !inside.is_empty() && inside.iter().all(|w| property.contains(w)) && beside
}
