//! Blanks that a template left: `[name]`, `{amount}`, `<date>`, `XX`, `$___`.

use super::{Draft, Finding, Grounds, UNGROUNDED};

const NAME: &str = "placeholders";

pub(super) fn check(draft: &Draft<'_>, _grounds: &Grounds<'_>) -> Finding {
    let text = draft.reply;
    let bracketed = text.contains(['[', ']', '{', '}', '<', '>', '_', '|', '~']);
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '$' && c != '/');
    let blank = words.into_iter().any(|w| {
        matches!(
            w,
            "XX" | "XXX"
                | "XXXX"
                | "xx"
                | "xxx"
                | "xxxx"
                | "TBD"
                | "TBA"
                | "N/A"
                | "n/a"
                | "null"
                | "None"
                | "undefined"
                | "NaN"
                | "INSERT"
                | "insert"
                | "NAME"
                | "AMOUNT"
                | "DATE"
                | "nil"
                | "NULL"
                | "$X"
                | "$XX"
                | "$XXX"
                | "$"
                | "TODO"
        )
    });
    if bracketed || blank {
        return Finding::failed(
            NAME,
            UNGROUNDED,
            "placeholder",
            "a blank that was not filled in",
        );
    }
    Finding::passed(NAME)
}
