//! The tokenizer: words, figures and the few marks that carry meaning.
//!
//! Tokens keep their byte range in the original text, always on character boundaries, because spans
//! and start words are reported "as written" (labelling guide §1.5).

use super::fold::{Folded, fold};
use super::lexicon::{Lexicon, Sym, sym};
use super::model::Model;
use super::spelling::Spelling;

/// Longest text read, in bytes; the rest is ignored. Inbound texts have at most 2,000 characters and
/// plan requests 5,000; four bytes a character is the worst case of UTF-8.
pub(crate) const MAX_BYTES: usize = 20_000;

/// What a token of digits says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// A plain number in hundredths; `grouped` when it was written with a thousands comma or
    /// decimals, which only money is.
    Number { hundredths: i64, grouped: bool },
    /// `100-150`, in hundredths.
    Range(i64, i64),
    /// `1st`, `15th`.
    Ordinal(u32),
    /// `11/20`, `12/05/2025`, `2025-12-05`.
    Date {
        month: u32,
        day: u32,
        year: Option<i32>,
    },
    /// A clock time, phone number or other digits that are never an amount (labelling guide §1.2).
    Other,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub sym: Sym,
    pub start: usize,
    pub end: usize,
    pub figure: Option<Figure>,
    /// No blank between this token and the one before.
    pub glued: bool,
}

/// Splits a text. Never fails; at most one token per character.
pub(crate) fn tokenize(text: &str, model: &Model) -> Vec<Token> {
    split(text, &model.lexicon, &model.masks, &model.spelling)
}

/// The same for a table with words of its own.
pub(super) fn split(
    text: &str,
    lexicon: &Lexicon,
    masks: &Masks,
    spelling: &Spelling,
) -> Vec<Token> {
    let mut cut = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut scanner = Scanner {
        text: &text[..cut],
        at: 0,
        lexicon,
        masks,
        spelling,
        tokens: Vec::with_capacity(text.len() / 4 + 4),
        word: String::with_capacity(24),
        blank_before: true,
    };
    scanner.run();
    scanner.tokens
}

/// Profanities that people write with stars (`f**k`).
#[derive(Debug, Default)]
pub(crate) struct Masks {
    pub words: Vec<(String, Sym)>,
}

impl Masks {
    /// A run of stars stands for one or more letters.
    fn find(&self, masked: &str) -> Option<Sym> {
        if masked.len() > 16 {
            return None;
        }
        let fits = |word: &str| star_match(masked.as_bytes(), word.as_bytes());
        // One star for one letter is the usual way; `*ss` is not a cut-off longer word.
        let same_length = |word: &str| word.len() == masked.len() && fits(word);
        self.words
            .iter()
            .find(|(w, _)| same_length(w))
            .or_else(|| self.words.iter().find(|(w, _)| fits(w)))
            .map(|(_, s)| *s)
    }
}

fn star_match(masked: &[u8], word: &[u8]) -> bool {
    match masked.split_first() {
        None => word.is_empty(),
        Some((b'*', rest)) => {
            // `**` may hide any number of letters from one up, so stars are taken together.
            let rest = &rest[rest.iter().take_while(|b| **b == b'*').count()..];
            (1..=word.len()).any(|n| star_match(rest, &word[n..]))
        }
        Some((letter, rest)) => word.first() == Some(letter) && star_match(rest, &word[1..]),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    lexicon: &'a Lexicon,
    masks: &'a Masks,
    spelling: &'a Spelling,
    tokens: Vec<Token>,
    word: String,
    blank_before: bool,
}

impl Scanner<'_> {
    fn peek_at(&self, at: usize) -> Option<(char, usize)> {
        let c = self.text.get(at..)?.chars().next()?;
        Some((c, at + c.len_utf8()))
    }

    fn run(&mut self) {
        while let Some((c, next)) = self.peek_at(self.at) {
            match fold(c) {
                Folded::Letter(_) => self.read_word(),
                Folded::Digit(_) => self.read_figure(),
                Folded::Nothing | Folded::Apostrophe => self.at = next,
                Folded::Mark('*' | '@') if self.starts_masked(next) => self.read_word(),
                Folded::Mark(mark) => {
                    self.read_mark(mark, next);
                }
            }
        }
    }

    fn starts_masked(&self, next: usize) -> bool {
        self.peek_at(next)
            .is_some_and(|(c, _)| matches!(fold(c), Folded::Letter(_)))
    }

    fn push(&mut self, sym: Sym, start: usize, end: usize, figure: Option<Figure>) {
        let glued = !self.blank_before;
        self.blank_before = false;
        self.tokens.push(Token {
            sym,
            start,
            end,
            figure,
            glued,
        });
        self.at = end;
    }

    fn read_word(&mut self) {
        let start = self.at;
        let mut at = start;
        let mut apostrophe = false;
        self.word.clear();
        while let Some((c, next)) = self.peek_at(at) {
            let following = self.peek_at(next).map(|(c, _)| fold(c));
            let letter_follows = matches!(following, Some(Folded::Letter(_)));
            match fold(c) {
                Folded::Letter(l) => self.word.push(l),
                Folded::Nothing => {}
                Folded::Apostrophe if letter_follows && !self.word.is_empty() => {
                    self.word.push('\'');
                    apostrophe = true;
                }
                Folded::Apostrophe => break,
                Folded::Mark('*') => self.word.push('*'),
                // `dumb@$$`
                Folded::Mark('@' | '#')
                    if letter_follows || following == Some(Folded::Mark('$')) =>
                {
                    self.word.push('*');
                }
                Folded::Mark('$')
                    if letter_follows
                        || following == Some(Folded::Mark('$'))
                        || self.word.ends_with('*') =>
                {
                    self.word.push('*');
                }
                // `!` inside a word is a letter only in the usual two disguises; otherwise
                // `ok!thanks` would become one word.
                Folded::Mark('!')
                    if letter_follows
                        && (self.word.ends_with("sh") || self.word == "b")
                        && following == Some(Folded::Letter('t')) =>
                {
                    self.word.push('*');
                }
                Folded::Digit(d) if self.leet(next) => self.word.push(char::from(b'0' + d)),
                Folded::Digit(_) if self.disguised(next) => self.word.push('*'),
                Folded::Digit(_) | Folded::Mark(_) => break,
            }
            at = next;
        }
        // A trailing star is emphasis (`*please*`) unless the rest is a masked profanity.
        let id = self.lookup(apostrophe);
        self.push(id, start, at.max(start + 1), None);
    }

    /// True when the letters and digits around here form a word the tables know (`gr8`, `2morrow`).
    fn leet(&self, after: usize) -> bool {
        self.whole(after)
            .is_some_and(|whole| self.lexicon.get(&whole).is_some())
    }

    /// True when the digit here stands for a letter of a masked word: `b1tch`, `a55hole`.
    fn disguised(&self, after: usize) -> bool {
        let letter = |c: char| match c {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            other => other,
        };
        self.whole(after).is_some_and(|w| {
            self.masks
                .find(&w.chars().map(letter).collect::<String>())
                .is_some()
        })
    }

    /// The word so far with the letters and digits that go on from it.
    fn whole(&self, after: usize) -> Option<String> {
        let mut whole = self.word.clone();
        let mut at = self.at + self.word.len();
        // Only plain ASCII words are written this way, so bytes and characters agree; anything
        // else simply fails the lookup.
        if at > after || after - at != 1 || !self.text.is_char_boundary(at) {
            return None;
        }
        while let Some((c, next)) = self.peek_at(at) {
            if !c.is_ascii_alphanumeric() || whole.len() > 12 {
                break;
            }
            whole.push(c.to_ascii_lowercase());
            at = next;
        }
        Some(whole)
    }

    fn lookup(&mut self, apostrophe: bool) -> Sym {
        if self.word.contains('*') {
            if let Some(s) = self.masks.find(&self.word) {
                return s;
            }
            self.word.retain(|c| c != '*');
        }
        if apostrophe {
            if let Some(s) = self.lexicon.get(&self.word) {
                return s;
            }
            self.word.retain(|c| c != '\'');
        }
        if let Some(s) = self.lexicon.get(&self.word) {
            return s;
        }
        // Drawn-out words: `stooop`, `pleaseee`. Doubled letters are tried before single ones.
        for keep in [2, 1] {
            if let Some(short) = squeeze(&self.word, keep)
                && let Some(s) = self.lexicon.get(&short)
            {
                return s;
            }
        }
        self.spelling.find(&self.word).unwrap_or(sym::UNKNOWN)
    }

    fn read_mark(&mut self, mark: char, next: usize) {
        let start = self.at;
        let s = match mark {
            ' ' => {
                self.blank_before = true;
                self.at = next;
                return;
            }
            '.' => {
                let dots = self.text[start..]
                    .bytes()
                    .take_while(|b| *b == b'.')
                    .count();
                if dots > 1 {
                    self.push(sym::ELLIPSIS, start, start + dots, None);
                    return;
                }
                if self.after_abbreviation() {
                    self.at = next;
                    return;
                }
                sym::STOP
            }
            '\u{2026}' => sym::ELLIPSIS,
            '\n' | ';' => sym::STOP,
            '?' => sym::QUESTION,
            '!' => sym::BANG,
            ',' | '(' | ')' => sym::COMMA,
            '$' => sym::DOLLAR,
            '/' => sym::SLASH,
            '-' | '~' => sym::DASH,
            '#' => sym::HASH,
            '%' => sym::PERCENT,
            ':' => sym::COLON,
            '&' => self.lexicon.get("and").unwrap_or(sym::UNKNOWN),
            '+' => self.lexicon.get("plus").unwrap_or(sym::UNKNOWN),
            '@' => self.lexicon.get("at").unwrap_or(sym::UNKNOWN),
            _ => {
                // Quotes, emoji and the like say nothing the reader uses.
                self.at = next;
                self.blank_before = true;
                return;
            }
        };
        let end = next.max(start + 1);
        self.push(s, start, end, None);
    }

    /// `Ms.` and single letters (`p.m.`) do not end a sentence.
    fn after_abbreviation(&self) -> bool {
        let Some(last) = self.tokens.last() else {
            return true;
        };
        if last.end != self.at || last.figure.is_some() {
            return false;
        }
        let word = &self.text[last.start..last.end];
        word.len() == 1 && word.bytes().all(|b| b.is_ascii_alphabetic())
            || [
                "mr", "ms", "mrs", "dr", "sr", "sra", "srta", "apt", "st", "vs", "aprox",
            ]
            .iter()
            .any(|a| word.eq_ignore_ascii_case(a))
    }

    fn read_figure(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start;
        // Non-ASCII digits fold to digits but are not figures here; they are stepped over.
        if !bytes[start].is_ascii_digit() {
            let next = self.peek_at(start).map_or(start + 1, |(_, n)| n);
            self.push(sym::JUNK, start, next, Some(Figure::Other));
            return;
        }
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        while digit(end) || (end > start && separates(bytes, end) && digit(end + 1)) {
            end += 1;
        }
        let body = &self.text[start..end];
        let (s, figure) = super::figures::classify(body);
        let suffix = &bytes[end..bytes.len().min(end + 2)];
        let ends_there = !bytes.get(end + 2).is_some_and(u8::is_ascii_alphabetic);
        let ordinal = ["st", "nd", "rd", "th"]
            .iter()
            .any(|o| suffix.eq_ignore_ascii_case(o.as_bytes()));
        let clock = ["am", "pm"]
            .iter()
            .any(|o| suffix.eq_ignore_ascii_case(o.as_bytes()));
        if ends_there && ordinal && body.len() <= 2 {
            let day = body.parse().unwrap_or(0);
            self.push(sym::ORDINAL, start, end + 2, Some(Figure::Ordinal(day)));
            return;
        }
        if let Some((s, until)) = self.leet_from_digit(end) {
            self.push(s, start, until, None);
            return;
        }
        if ends_there && clock {
            self.push(sym::CLOCK, start, end + 2, Some(Figure::Other));
            return;
        }
        self.push(s, start, end, Some(figure));
    }

    /// `2morrow`, `4ever`: a word of the tables that begins with a digit.
    fn leet_from_digit(&self, end: usize) -> Option<(Sym, usize)> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if self.at + length <= end || length > 12 {
            return None;
        }
        let word = rest[..length].to_ascii_lowercase();
        self.lexicon.get(&word).map(|s| (s, self.at + length))
    }
}

fn separates(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b',' | b'.' | b':' | b'/' | b'-'))
}

/// Shortens runs of three and more equal letters; `None` when there is none.
fn squeeze(word: &str, keep: usize) -> Option<String> {
    let mut out = String::with_capacity(word.len());
    let (mut last, mut run, mut changed) = ('\0', 0, false);
    for c in word.chars() {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        out.push(c);
        if run >= 3 {
            changed = true;
        }
    }
    if !changed {
        return None;
    }
    let mut short = String::with_capacity(out.len());
    let chars: Vec<char> = out.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let mut j = i;
        while j < chars.len() && chars[j] == chars[i] {
            j += 1;
        }
        let n = if j - i >= 3 { keep } else { j - i };
        short.extend(std::iter::repeat_n(chars[i], n));
        i = j;
    }
    Some(short)
}
