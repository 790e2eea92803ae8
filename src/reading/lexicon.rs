//! The words the reader knows, as small integers.
//!
//! Every word of every phrase table is interned once; a text's words are then looked up once each
//! and all later work compares integers. That, not a set of regular expressions, is what keeps the
//! price of a text flat while the tables grow.

use std::collections::HashMap;

/// A word or symbol as an integer; see the constants in [`sym`] for those that are not words.
pub(crate) type Sym = u32;

/// Symbols that are not words. Patterns name them in capitals (`NUM`, `MONEY`, `DATE` …).
pub(crate) mod sym {
    use super::Sym;

    pub(crate) const UNKNOWN: Sym = 0;
    pub(crate) const STOP: Sym = 1;
    pub(crate) const QUESTION: Sym = 2;
    pub(crate) const BANG: Sym = 3;
    pub(crate) const COMMA: Sym = 4;
    pub(crate) const NUM: Sym = 5;
    pub(crate) const DOLLAR: Sym = 6;
    pub(crate) const SLASH: Sym = 7;
    pub(crate) const DASH: Sym = 8;
    pub(crate) const HASH: Sym = 9;
    pub(crate) const PERCENT: Sym = 10;
    pub(crate) const COLON: Sym = 11;
    pub(crate) const ORDINAL: Sym = 12;
    pub(crate) const NUMERIC_DATE: Sym = 13;
    pub(crate) const CLOCK: Sym = 14;
    pub(crate) const JUNK: Sym = 15;
    pub(crate) const NUM_RANGE: Sym = 16;
    pub(crate) const MONEY: Sym = 17;
    pub(crate) const DATE: Sym = 18;
    pub(crate) const PERIOD: Sym = 19;
    pub(crate) const DURATION: Sym = 20;
    pub(crate) const ELLIPSIS: Sym = 21;
    /// An unknown word written with one capital letter, for the trigger tables.
    pub(crate) const NAME: Sym = 22;
    pub(crate) const FIRST_WORD: Sym = 32;

    /// How patterns spell the symbols.
    pub(crate) const NAMES: [(&str, Sym); 23] = [
        ("UNKNOWN", UNKNOWN),
        ("STOP", STOP),
        ("QM", QUESTION),
        ("BANG", BANG),
        ("COMMA", COMMA),
        ("NUM", NUM),
        ("DOLLAR", DOLLAR),
        ("SLASH", SLASH),
        ("DASH", DASH),
        ("HASH", HASH),
        ("PERCENT", PERCENT),
        ("COLON", COLON),
        ("ORD", ORDINAL),
        ("NDATE", NUMERIC_DATE),
        ("CLOCK", CLOCK),
        ("JUNK", JUNK),
        ("NRANGE", NUM_RANGE),
        ("MONEY", MONEY),
        ("DATE", DATE),
        ("PERIOD", PERIOD),
        ("DURATION", DURATION),
        ("ELLIPSIS", ELLIPSIS),
        ("NAME", NAME),
    ];

    /// Ends a sentence: no phrase and no cue reaches across it.
    pub(crate) const fn ends_sentence(s: Sym) -> bool {
        matches!(s, STOP | QUESTION | BANG | ELLIPSIS)
    }
}

/// Interned words plus spelling variants that stand for one of them.
#[derive(Debug)]
pub(crate) struct Lexicon {
    ids: HashMap<Box<str>, Sym>,
    next: Sym,
}

impl Lexicon {
    pub(super) fn new() -> Self {
        Self {
            ids: HashMap::new(),
            next: sym::FIRST_WORD,
        }
    }

    /// The id of a word, making one if it is new. The word must already be folded.
    pub(super) fn intern(&mut self, word: &str) -> Sym {
        if let Some(id) = self.ids.get(word) {
            return *id;
        }
        let id = self.next;
        self.next += 1;
        self.ids.insert(word.into(), id);
        id
    }

    /// Reads lines `canonical: variant variant …`. A variant that is itself a word of a phrase table
    /// would silently split a phrase, so variants are loaded before any table.
    pub(super) fn load_variants(&mut self, data: &str) {
        for line in data.lines() {
            let line = line.split('#').next().unwrap_or("");
            let Some((canonical, variants)) = line.split_once(':') else {
                continue;
            };
            let id = self.intern(canonical.trim());
            for variant in variants.split_whitespace() {
                self.ids.insert(variant.into(), id);
            }
        }
    }

    pub(super) fn get(&self, word: &str) -> Option<Sym> {
        self.ids.get(word).copied()
    }

    /// Number of distinct ids; the length of tables indexed by [`Sym`].
    pub(super) const fn size(&self) -> usize {
        self.next as usize
    }
}
