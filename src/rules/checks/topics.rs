//! Topics the model must never bring up (rules R18, R20): whatever the tenant asked.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::rules::content;

const NAME: &str = "forbidden_topics";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    // "Linden Court Homes" may be the company's name as well.
    let property = grounds.tenant.and_then(|t| t.property_name.as_deref());
    let names = [property, grounds.settings.company_name.as_deref()];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let found = content::topics(draft.reply, &draft.said, Some(names.as_str()))
        .into_iter()
        // The others have checks of their own.
        .filter(|topic| matches!(topic.rule, "R18" | "R20"))
        // "Nothing to be ashamed of", "if you have trouble": words that both kinds of reply use.
        .find(|topic| {
            let soft = matches!(
                topic.reason,
                "threat" | "shaming" | "tone" | "law" | "place"
            );
            !(soft && draft.clearly_right(&topic.span, grounds))
        });
    match found {
        Some(topic) => Finding::failed(
            NAME,
            FORBIDDEN,
            topic.reason,
            "a topic that only a person may raise",
        ),
        None => Finding::passed(NAME),
    }
}
