//! A text that gives orders to the model: whatever was answered, a person reads it first.

use super::{Draft, Finding, Grounds, UNFIT};

const NAME: &str = "orders";

pub(super) fn check(_draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if grounds.gives_orders {
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
