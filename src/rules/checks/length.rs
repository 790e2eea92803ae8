//! Length: one segment is the aim the model is told, three are the most that is sent unread.

use super::{Draft, Finding, Grounds, UNFIT};

const NAME: &str = "length";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let size = super::segments(draft.reply);
    if size.count > grounds.settings.max_segments {
        return Finding::failed(
            NAME,
            UNFIT,
            "segments",
            "takes more SMS segments than allowed",
        );
    }
    if size.count == 0 || !draft.reply.chars().any(char::is_alphanumeric) {
        return Finding::failed(NAME, UNFIT, "empty", "says nothing");
    }
    Finding::passed(NAME)
}
