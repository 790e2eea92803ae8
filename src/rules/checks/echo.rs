//! The prompt must not come back, word for word or in the model's own.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::plain_words;
use crate::rules::prompt::TEMPLATE;

const NAME: &str = "echo";

/// So many words in a row are no accident.
const RUN: usize = 6;

/// Of the template in use, taken apart once and not for every reply.
static OURS: LazyLock<HashSet<Vec<String>>> = LazyLock::new(|| runs_of(TEMPLATE));

fn runs_of(template: &str) -> HashSet<Vec<String>> {
    let words = plain_words(template);
    words.windows(RUN).map(<[String]>::to_vec).collect()
}

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
    let reply = plain_words(draft.reply);
    let told = |runs: &HashSet<Vec<String>>| reply.windows(RUN).any(|run| runs.contains(run));
    let repeats = match grounds.template == TEMPLATE {
        true => told(&OURS),
        false => told(&runs_of(grounds.template)),
    };
    if repeats {
        return fail("prompt");
    }
    // A bare obedient word ("APPROVED", "BANANA") answers nothing but the order.
    if grounds.gives_orders && plain_words(draft.reply).len() <= 2 {
        return fail("order");
    }
    Finding::passed(NAME)
}
