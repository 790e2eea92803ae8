//! A text that gives orders to the model: the answer may go out unread only when it clearly reads like
//! one that does not follow them. What the text states is no ground for any figure then
//! (`grounds.rs`), so an answer that repeats one fails its own check.

use super::{Draft, Finding, Grounds, UNFIT};

const NAME: &str = "orders";

/// Log odds of `wording`, stricter than its own limit.
const LIMIT: f64 = -1.5;

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if grounds.gives_orders && draft.odds > LIMIT {
        Finding::failed(
            NAME,
            UNFIT,
            "orders",
            "the tenant's text tells the model what to say or do",
        )
    } else {
        Finding::passed(NAME)
    }
}
