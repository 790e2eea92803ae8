//! Which language a text is written in (labelling guide §4).
//!
//! Word lists decide for the languages tenants write most; letters decide for other scripts. Only
//! when the lists know too little is a statistical detector asked: on texts of three words it errs
//! more often than it helps, and it knows no Haitian Creole.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::fold::{Folded, fold};
use super::script;

/// A guess with how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LanguageGuess {
    /// ISO 639-1 (`ht` for Haitian Creole, `tl` for Tagalog).
    pub code: &'static str,
    /// 0 to 1. A text without words is `en` with 0.
    pub confidence: f32,
}

const CODES: [&str; 12] = [
    "en", "es", "pt", "fr", "ht", "tl", "vi", "it", "de", "so", "sw", "pl",
];

/// Bits of the languages that code names.
const EN: u16 = 1;
const ES: u16 = 2;
const PT: u16 = 4;

/// Weight of a word that only one language has, of letters typical for one, and of endings.
const SURE: u32 = 12;

/// Words common to both or without a language: they never count (guide §4).
const NEUTRAL: &[&str] = &[
    "ok", "okay", "no", "zelle", "venmo", "cashapp", "paypal", "app", "portal", "lol", "jaja",
    "haha", "stop", "hud",
];

/// One-word keywords whose language the guide fixes.
const KEYWORDS: &[(&str, &str)] = &[
    ("stop", "en"),
    ("no", "en"),
    ("ok", "en"),
    ("info", "en"),
    ("alto", "es"),
    ("parar", "es"),
    ("cancelar", "es"),
    ("ayuda", "es"),
];

type Lists = HashMap<&'static str, u16>;

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let mut lists: Lists = HashMap::new();
    for line in include_str!("data/languages.txt").lines() {
        let Some((code, words)) = line.split_once(": ") else {
            continue;
        };
        let Some(bit) = CODES.iter().position(|c| *c == code) else {
            continue;
        };
        for word in words.split_whitespace() {
            *lists.entry(word).or_default() |= 1 << bit;
        }
    }
    lists
});

/// Guesses the language of a text. Linear in its length.
pub(crate) fn guess(text: &str) -> LanguageGuess {
    if let Some(found) = script::guess(text) {
        return found;
    }
    let mut count = Counter::default();
    let mut word = String::with_capacity(16);
    let mut marks = 0u16;
    let mut digits = false;
    // A trailing blank closes the last word.
    for c in text.chars().chain(std::iter::once(' ')) {
        match fold(c) {
            Folded::Letter(l) => {
                word.push(l);
                marks |= script::letter_hint(c);
            }
            Folded::Nothing => {}
            Folded::Apostrophe if !word.is_empty() => {}
            Folded::Digit(_) => digits = true,
            _ => {
                if !word.is_empty() && !digits {
                    count.word(&word, marks);
                }
                word.clear();
                marks = 0;
                digits = false;
            }
        }
    }
    count.decide(text)
}

#[derive(Default)]
struct Counter {
    scores: [u32; CODES.len()],
    first: Option<usize>,
    words: u32,
    known: u32,
    neutral: Option<&'static str>,
    /// Words of the lists that only Spanish, only Portuguese has.
    spanish: u32,
    portuguese: u32,
}

impl Counter {
    fn word(&mut self, word: &str, marks: u16) {
        if let Some((_, code)) = KEYWORDS.iter().find(|(w, _)| *w == word) {
            self.neutral.get_or_insert(code);
        }
        // Spelled-out keywords and initials say nothing; "i", "y" and "q" (que) are words.
        let letter = word.len() == 1 && !matches!(word, "i" | "y" | "q");
        if letter || NEUTRAL.contains(&word) {
            return;
        }
        self.words += 1;
        let listed = LISTS.get(word).copied().unwrap_or(0);
        if listed != 0 {
            self.known += 1;
            self.spanish += u32::from(listed == ES);
            self.portuguese += u32::from(listed == PT);
            // A word that English or Spanish shares with a rarer language speaks mostly for the
            // former two; one they share with each other for neither more than the other.
            let languages = listed.count_ones();
            let common = listed & 0b11;
            if languages > 1 && common != 0 {
                self.add(common, SURE * 3 / 4 / common.count_ones());
                self.add(listed & !0b11, SURE / 3);
            } else {
                self.add(listed, SURE / languages.min(4));
            }
        } else {
            let hint = endings(word);
            self.add(hint, SURE / 4);
        }
        self.add(marks, SURE / 2);
    }

    fn add(&mut self, bits: u16, weight: u32) {
        for (i, score) in self.scores.iter_mut().enumerate() {
            if bits & (1 << i) != 0 {
                *score += weight;
            }
        }
        if self.first.is_none() && bits.count_ones() == 1 {
            self.first = Some(bits.trailing_zeros() as usize);
        }
    }

    fn decide(&self, text: &str) -> LanguageGuess {
        let guess = |code, confidence| LanguageGuess { code, confidence };
        if self.words == 0 {
            return match self.neutral {
                Some(code) => guess(code, 0.9),
                None => guess("en", 0.0),
            };
        }
        // Tenants here write English or Spanish unless something says otherwise.
        let mut scores = self.scores;
        for prior in &mut scores[..2] {
            *prior += if *prior > 0 { SURE / 6 } else { 0 };
        }
        let best = scores.iter().copied().max().unwrap_or(0);
        let at = match self.first {
            Some(first) if scores[first] == best => first,
            _ => scores.iter().position(|s| *s == best).unwrap_or(0),
        };
        let second = |but: usize| {
            let others = scores.iter().enumerate().filter(|(i, _)| *i != but);
            others.map(|(_, s)| *s).max().unwrap_or(0)
        };
        // Spanish and Portuguese share most small words, which count for Spanish; one that only
        // Portuguese has decides when none is only Spanish ("me deixa em paz por favor").
        let (spanish, portuguese) = (ES.trailing_zeros() as usize, PT.trailing_zeros() as usize);
        let (at, second) = match (self.spanish, self.portuguese) {
            (0, 1..) if at == spanish => (portuguese, best / 2),
            _ => (at, second(at)),
        };
        // Lists know at least a third of the words and one language leads: no need to ask.
        let enough = self.known * 3 >= self.words && best > second;
        if !enough
            && self.words >= 2
            && let Some(found) = statistical(text, best == 0)
        {
            return found;
        }
        #[allow(clippy::cast_precision_loss)]
        let confidence = if best == 0 {
            0.2
        } else {
            0.5 + 0.5 * (best - second) as f32 / best as f32
        };
        guess(CODES[at], confidence)
    }
}

/// Endings that mark a word as one language when the lists do not have it.
fn endings(word: &str) -> u16 {
    if word.len() < 4 {
        return 0;
    }
    let ends = |list: &[&str]| list.iter().any(|e| word.ends_with(e));
    if ends(&["cao", "coes", "oes", "inho", "inha", "mente", "agem"]) && !word.ends_with("mente") {
        return PT;
    }
    if ends(&[
        "cion", "ando", "iendo", "ito", "ita", "aba", "aron", "ieron", "arme", "arle", "erme",
        "dad", "ces", "illo", "illa", "uro", "aje", "aria", "eria",
    ]) {
        return ES;
    }
    if ends(&[
        "ing", "tion", "ight", "ould", "ness", "ment", "ally", "ed", "ck", "th", "ly", "ow", "ee",
        "ish", "ful", "sh", "ll", "tch", "oo", "ey", "rk", "nt",
    ]) {
        return EN;
    }
    0
}

/// The statistical detector, restricted to Latin-script results the lists could not exclude.
fn statistical(text: &str, knows_nothing: bool) -> Option<LanguageGuess> {
    let info = whatlang::detect(text)?;
    let code = script::iso(info.lang())?;
    #[allow(clippy::cast_possible_truncation)]
    let confidence = info.confidence() as f32;
    // With some evidence from the lists only a confident answer overrules them.
    let long = text.len() >= 24;
    (knows_nothing && text.len() >= 12 || long && confidence > 0.9).then_some(LanguageGuess {
        code,
        confidence: confidence.min(0.9),
    })
}
