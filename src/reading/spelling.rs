//! Words with one slip of the thumb ("contcat", "nubmer", "messging").
//!
//! Every way to leave one letter out of the listed words is kept in one map. Two words one slip apart
//! share such a form, so a strange word is looked up whole and with each letter left out: its length
//! in look-ups, whatever the size of the list. Rejected: any distance over the whole lexicon, which
//! reads "massage" and "contract" as what they are not.

use std::collections::{HashMap, HashSet};

use super::lexicon::{Lexicon, Sym};

/// Shorter words have too many honest neighbours ("stop" and "step"); `data/variants.txt` lists theirs.
const SHORTEST: usize = 5;
/// Longest word looked up; it bounds the work for one word.
const LONGEST: usize = 20;

/// The words that are recognised with one slip.
#[derive(Debug, Default)]
pub(crate) struct Spelling {
    /// A listed word, whole or less one letter, to the words it can come from.
    forms: HashMap<Box<str>, Vec<u16>>,
    words: Vec<(Box<str>, Sym)>,
    /// Honest words that are one slip away from a listed one.
    honest: HashSet<Box<str>>,
}

impl Spelling {
    /// The list that every reading of texts shares, for a lexicon of its own.
    pub(super) fn shared(lexicon: &mut Lexicon) -> Self {
        Self::load(
            include_str!("data/spelling.txt"),
            include_str!("data/spelling_honest.txt"),
            lexicon,
        )
    }

    /// Reads the list of words and the list of their honest neighbours.
    pub(super) fn load(list: &str, honest: &str, lexicon: &mut Lexicon) -> Self {
        fn words(data: &str) -> impl Iterator<Item = &str> {
            let lines = data.lines().filter(|line| !line.starts_with('#'));
            lines.flat_map(str::split_whitespace)
        }
        let mut spelling = Self {
            honest: words(honest).map(Box::from).collect(),
            ..Self::default()
        };
        for word in words(list) {
            let Ok(id) = u16::try_from(spelling.words.len()) else {
                break;
            };
            spelling.words.push((word.into(), lexicon.intern(word)));
            for form in std::iter::once(word.to_owned()).chain(shortened(word)) {
                let ids = spelling.forms.entry(form.into()).or_default();
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
            }
        }
        spelling
    }

    /// The listed word that a word of no table is one slip away from.
    pub(super) fn find(&self, word: &str) -> Option<Sym> {
        let plain = word.bytes().all(|b| b.is_ascii_lowercase());
        if !plain || !(SHORTEST..=LONGEST).contains(&word.len()) || self.honest.contains(word) {
            return None;
        }
        let near = |form: &str| {
            let ids = self.forms.get(form)?;
            let mut words = ids.iter().filter_map(|id| self.words.get(usize::from(*id)));
            words
                .find(|(listed, _)| one_slip(word.as_bytes(), listed.as_bytes()))
                .map(|(_, s)| *s)
        };
        near(word).or_else(|| shortened(word).find_map(|form| near(&form)))
    }
}

/// A word with each of its letters left out in turn.
fn shortened(word: &str) -> impl Iterator<Item = String> + '_ {
    (0..word.len()).filter_map(|i| Some(format!("{}{}", word.get(..i)?, word.get(i + 1..)?)))
}

/// Whether two different words of ASCII letters are one insertion, omission, replacement or swap of
/// neighbours apart. The first letter is the one people get right.
fn one_slip(a: &[u8], b: &[u8]) -> bool {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if start == 0 {
        return false;
    }
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev());
    let end = end.take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    match (a, b) {
        ([], [_]) | ([_], [] | [_]) => true,
        ([p, q], [r, s]) => p == s && q == r,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::reading::model::MODEL;

    #[test]
    fn one_slip_is_forgiven_two_are_not() {
        for (typed, meant) in [
            ("contcat", "contact"),
            ("contac", "contact"),
            ("contaact", "contact"),
            ("contavt", "contact"),
            ("nubmer", "number"),
            ("suicdal", "suicidal"),
            ("mensjes", "mensajes"),
        ] {
            assert_eq!(
                MODEL.spelling.find(typed),
                MODEL.lexicon.get(meant),
                "{typed}"
            );
        }
        for other in [
            "contract",
            "massage",
            "testing",
            "lumber",
            "cntct",
            "ontact",
            "alon\u{e9}",
        ] {
            assert_eq!(MODEL.spelling.find(other), None, "{other}");
        }
    }

    #[test]
    fn a_word_of_a_table_is_never_mended() {
        // "texted" is one slip from "texte"; what the tables know is looked up first.
        for word in ["texts", "brother", "lease", "contract"] {
            let known = MODEL.lexicon.get(word);
            assert!(
                known.is_some() || MODEL.spelling.find(word).is_none(),
                "{word}"
            );
        }
    }
}
