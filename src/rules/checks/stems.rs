//! Words in all their forms: Spanish verbs have too many to list.

use std::ops::Range;

use crate::reading::plain_words;

/// Forms that never stand in a reply (rules R18, R20).
pub(super) const TOPICS: &[&str] = &[
    "evict",
    "desaloj",
    "desahuci",
    "foreclos",
    "garnish",
    "lawsuit",
    "litigat",
    "attorney",
    "lawyer",
    "abogad",
    "tribunal",
    "juzgad",
    "alguacil",
    "policia",
    "sheriff",
    "arrest",
    "deport",
    "demandar",
    "demandamos",
    "demandare",
    "embarg",
    "repossess",
    "homeless",
    "verguenz",
    "irresponsab",
    "amenaz",
    "threaten",
    "inmigra",
    "immigra",
    "encarcel",
    "prosecut",
    "lockout",
    "bankrupt",
    "bancarrota",
];

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
pub(super) fn find(text: &str, stems: &[&str]) -> Option<Range<usize>> {
    let mut at = 0;
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let start = at;
        at += word.len();
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let plain = plain_words(bare).concat();
        if stems.iter().any(|s| plain.starts_with(s)) {
            return Some(start..start + bare.len());
        }
    }
    None
}
