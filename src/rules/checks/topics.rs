//! Topics the model must never bring up (rules R18, R20): whatever the tenant asked.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::rules::content;

const NAME: &str = "forbidden_topics";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let property = grounds.tenant.and_then(|t| t.property_name.as_deref());
    let found = content::topics(draft.reply, &draft.said, property)
        .into_iter()
        // The others have checks of their own.
        .find(|topic| matches!(topic.rule, "R18" | "R20"));
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
