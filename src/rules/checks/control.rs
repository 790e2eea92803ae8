//! Control lines, JSON and markup have no place in a text.

use super::{Draft, FORBIDDEN, Finding, Grounds};

const NAME: &str = "control_lines";

/// Marks that only formats use.
const MARKS: &[&str] = &[
    "payment_plan",
    "escalate:",
    "escalation:",
    "```",
    "{\"",
    "\"}",
    "\":",
    "</",
    "/>",
    "<br",
    "<|",
    "|>",
    "[inst",
    "**",
    "__",
    "##",
    "weekly=",
    "weeks=",
    "start=",
    "&nbsp",
    "&amp",
    "\\n",
    "\\u",
    "role:",
    "assistant:",
    "system:",
    "user:",
    "tenant:",
    "reply:",
    "sms:",
    "response:",
];

pub(super) fn check(draft: &Draft<'_>, _grounds: &Grounds<'_>) -> Finding {
    let lower = draft.reply.to_lowercase();
    let marked =
        MARKS.iter().any(|m| lower.contains(m)) || draft.said.named("control").next().is_some();
    let hidden = draft.reply.chars().any(|c| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
    });
    let tagged = lower.find('<').is_some_and(|at| {
        lower[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
            && lower[at..].contains('>')
    });
    let markdown = lower.lines().any(|l| l.trim_start().starts_with("# ")) || lower.contains("](");
    if marked || hidden || tagged || markdown {
        return Finding::failed(
            NAME,
            FORBIDDEN,
            "control",
            "control words or markup in the text",
        );
    }
    Finding::passed(NAME)
}
