//! Words in all their forms: Spanish verbs have too many to list.

use std::ops::Range;

use crate::rules::content;

/// Forms of concessions: only in a refusal.
pub(super) const CONCESSIONS: &[&str] = &[
    "waiv",
    "forgiv",
    "forgav",
    "discount",
    "refund",
    "reimburs",
    "postpon",
    "perdonar",
    "perdonam",
    "perdonad",
    "condon",
    "descont",
    "descuent",
    "rebaj",
    "reembols",
    "prorrog",
    "aplaz",
    "pospon",
    "pospus",
    "exoner",
    "guarant",
    "garantiz",
    "prometo",
    "promete",
    "defer",
    "suspend",
    "moratori",
    "amnist",
    "bonific",
    "exempt",
    "eximi",
    "subsidiz",
    "compensat",
    "regala",
    "gratuit",
    "congel",
];

/// Where a word begins with one of the stems.
pub(super) fn find(text: &str, stems: &'static [&'static str]) -> Option<Range<usize>> {
    let mut found = content::stems::all(text, stems.iter().copied());
    found.next().map(|(_, span)| span)
}
