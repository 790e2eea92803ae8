//! The prompt must not come back, word for word or in the model's own.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::plain_words;

const NAME: &str = "echo";

/// So many words in a row are no accident.
const RUN: usize = 7;

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let fail = |code| {
        Finding::failed(
            NAME,
            FORBIDDEN,
            code,
            "repeats or speaks of its instructions",
        )
    };
    if draft.said.named("echo").next().is_some() {
        return fail("instructions");
    }
    let template = plain_words(grounds.template);
    let reply = plain_words(draft.reply);
    if reply
        .windows(RUN)
        .any(|run| template.windows(RUN).any(|told| told == run))
    {
        return fail("prompt");
    }
    // A bare obedient word ("APPROVED", "BANANA") answers nothing but the order.
    if grounds.gives_orders && plain_words(draft.reply).len() <= 2 {
        return fail("order");
    }
    Finding::passed(NAME)
}
