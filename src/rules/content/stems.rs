//! Words in all their forms: Spanish verbs have too many to list.

use std::ops::Range;

use super::Binds;
use crate::reading::plain_words;

/// Words of ours that begin so are about a topic that a rule forbids.
pub(super) const TOPICS: &[(&str, &str, Binds)] = &[
    ("evict", "R18", Binds::Everybody),
    ("desaloj", "R18", Binds::Everybody),
    ("desahuci", "R18", Binds::Everybody),
    ("despej", "R18", Binds::Everybody),
    ("foreclos", "R18", Binds::Everybody),
    ("repossess", "R18", Binds::Everybody),
    ("garnish", "R18", Binds::Everybody),
    ("embarg", "R18", Binds::Everybody),
    ("penhora", "R18", Binds::Everybody),
    ("lawsuit", "R18", Binds::Everybody),
    ("litigat", "R18", Binds::Everybody),
    ("tribunal", "R18", Binds::Everybody),
    ("juzgad", "R18", Binds::Everybody),
    ("demandar", "R18", Binds::Everybody),
    ("demandamos", "R18", Binds::Everybody),
    ("prosecut", "R18", Binds::Everybody),
    ("alguacil", "R18", Binds::Everybody),
    ("policia", "R18", Binds::Everybody),
    ("sheriff", "R18", Binds::Everybody),
    ("arrest", "R18", Binds::Everybody),
    ("encarcel", "R18", Binds::Everybody),
    ("deport", "R18", Binds::Everybody),
    ("inmigra", "R18", Binds::Everybody),
    ("immigra", "R18", Binds::Everybody),
    ("amenaz", "R20", Binds::Everybody),
    ("verguenz", "R20", Binds::Everybody),
    ("sinverguenz", "R20", Binds::Everybody),
    ("irresponsab", "R20", Binds::Everybody),
    ("mentiros", "R20", Binds::Everybody),
    ("estupid", "R20", Binds::Everybody),
    ("idiot", "R20", Binds::Everybody),
    ("deadbeat", "R20", Binds::Everybody),
    ("fuck", "R20", Binds::Everybody),
    ("shit", "R20", Binds::Everybody),
    ("bitch", "R20", Binds::Everybody),
    ("asshole", "R20", Binds::Everybody),
    // A person may have to name these: a tenant's lawyer, a tenant's own words.
    ("attorney", "R18", Binds::TheModel),
    ("lawyer", "R18", Binds::TheModel),
    ("abogad", "R18", Binds::TheModel),
    ("homeless", "R18", Binds::TheModel),
    ("lockout", "R18", Binds::TheModel),
    ("bankrupt", "R18", Binds::TheModel),
    ("bancarrota", "R18", Binds::TheModel),
    ("threaten", "R20", Binds::TheModel),
];

/// "Sin embargo" says "however".
const HARMLESS: (&str, &str) = ("sin", "embargo");

/// Every place where a word begins with one of the stems, with the stem's number.
pub(in crate::rules) fn all<'a>(
    text: &'a str,
    stems: impl Iterator<Item = &'a str> + Clone + 'a,
) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
    let mut at = 0;
    let mut before = String::new();
    text.split_inclusive(|c: char| !c.is_alphanumeric())
        .filter_map(move |word| {
            let start = at;
            at += word.len();
            let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
            let plain = plain_words(bare).concat();
            let harmless = (before.as_str(), plain.as_str()) == HARMLESS;
            let found = stems
                .clone()
                .position(|stem| plain.starts_with(stem))
                .filter(|_| !harmless);
            if !plain.is_empty() {
                before = plain;
            }
            Some((found?, start..start + bare.len()))
        })
}
