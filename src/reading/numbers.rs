//! Numbers, in digits and in English and Spanish words (labelling guide §1.8).

use std::collections::HashMap;

use super::lexicon::{Lexicon, Sym, sym};
use super::tokens::{Figure, Token};

/// Largest value built from words, in hundredths; see the limit on figures.
const MAX_HUNDREDTHS: i64 = 100_000_000;

#[derive(Debug, Clone, Copy)]
enum Part {
    Value(i64),
    Hundred,
    Thousand,
}

/// The number words and the few words that join them.
#[derive(Debug)]
pub(crate) struct NumberWords {
    parts: HashMap<Sym, Part>,
    articles: [Sym; 3],
    joiners: [Sym; 2],
    couple: Sym,
    buck: Sym,
    dozens: [Sym; 2],
    of: Sym,
    half: Sym,
}

/// A number read from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub hundredths: i64,
    /// Token after the last one of the number.
    pub end: usize,
    /// Written with digits.
    pub digits: bool,
    /// Written with a thousands comma, decimals or `k`: only money is.
    pub grouped: bool,
}

impl NumberWords {
    pub(super) fn load(data: &str, lexicon: &mut Lexicon) -> Self {
        let mut parts = HashMap::new();
        for line in data.lines().filter(|l| !l.starts_with('#')) {
            let Some((value, words)) = line.split_once(':') else {
                continue;
            };
            let part = match value.trim() {
                "x100" => Part::Hundred,
                "x1000" => Part::Thousand,
                digits => match digits.parse() {
                    Ok(v) => Part::Value(v),
                    Err(_) => continue,
                },
            };
            for word in words.split_whitespace() {
                parts.insert(lexicon.intern(word), part);
            }
        }
        Self {
            parts,
            articles: ["a", "un", "una"].map(|w| lexicon.intern(w)),
            joiners: ["and", "y"].map(|w| lexicon.intern(w)),
            couple: lexicon.intern("couple"),
            buck: lexicon.intern("buck"),
            dozens: ["dozen", "docena"].map(|w| lexicon.intern(w)),
            of: lexicon.intern("of"),
            half: lexicon.intern("half"),
        }
    }

    /// The number that starts at token `at`, the longest one.
    pub(super) fn read(&self, tokens: &[Token], text: &str, at: usize) -> Option<Number> {
        let first = tokens.get(at)?;
        if let Some(figure) = first.figure {
            let Figure::Number {
                hundredths,
                grouped,
            } = figure
            else {
                return None;
            };
            return Some(self.after_digits(tokens, text, at, hundredths, grouped));
        }
        self.words(tokens, at)
    }

    fn part(&self, tokens: &[Token], at: usize) -> Option<Part> {
        self.parts.get(&tokens.get(at)?.sym).copied()
    }

    /// `1k`, `1.5k`, `2 hundred`, `2 mil`.
    fn after_digits(
        &self,
        tokens: &[Token],
        text: &str,
        at: usize,
        hundredths: i64,
        grouped: bool,
    ) -> Number {
        let plain = Number {
            hundredths,
            end: at + 1,
            digits: true,
            grouped,
        };
        let Some(next) = tokens.get(at + 1) else {
            return plain;
        };
        let factor = if next.glued && text[next.start..next.end].eq_ignore_ascii_case("k") {
            1_000
        } else {
            match self.part(tokens, at + 1) {
                Some(Part::Hundred) => 100,
                Some(Part::Thousand) => 1_000,
                _ => return plain,
            }
        };
        match hundredths.checked_mul(factor) {
            Some(v) if v <= MAX_HUNDREDTHS => Number {
                hundredths: v,
                end: at + 2,
                digits: true,
                grouped: true,
            },
            _ => plain,
        }
    }

    fn words(&self, tokens: &[Token], start: usize) -> Option<Number> {
        let mut at = start;
        let first = tokens.get(at)?.sym;
        let mut group: i64 = 0;
        let mut total: i64 = 0;
        let mut last: i64 = 0;
        let mut seen = false;
        let article = usize::from(self.articles.contains(&first));
        let sym_at = |i: usize| tokens.get(i).map(|t| t.sym);
        if sym_at(start + article) == Some(self.buck)
            && matches!(
                self.part(tokens, start + article + 1),
                Some(Part::Value(10..=99))
            )
        {
            // "a buck fifty": the hundred of people who pay in hundreds.
            (group, last, seen) = (100, 100, true);
            at = start + article + 1;
        } else if article == 1 && sym_at(start + 1).is_some_and(|s| self.dozens.contains(&s)) {
            at = start + 1;
        } else if article == 1 || first == self.couple || first == self.half {
            // `a hundred`, `a couple (of) hundred`, `half a grand`; the article alone is no number.
            let mut next = at + 1;
            let mut value = 1;
            let mut couple = first == self.couple;
            if article == 1 && tokens.get(next).is_some_and(|t| t.sym == self.couple) {
                couple = true;
                next += 1;
            }
            if couple {
                value = 2;
                if tokens.get(next).is_some_and(|t| t.sym == self.of) {
                    next += 1;
                }
            }
            if first == self.half {
                let grand = tokens
                    .get(next)
                    .is_some_and(|t| self.articles.contains(&t.sym))
                    && matches!(self.part(tokens, next + 1), Some(Part::Thousand));
                return grand.then_some(Number {
                    hundredths: 50_000,
                    end: next + 2,
                    digits: false,
                    grouped: true,
                });
            }
            if matches!(
                self.part(tokens, next),
                Some(Part::Hundred | Part::Thousand)
            ) {
                group = value;
                seen = true;
                at = next;
            } else if self.part(tokens, at).is_none() {
                return None;
            }
        }
        loop {
            let joined = seen
                && tokens
                    .get(at)
                    .is_some_and(|t| self.joiners.contains(&t.sym));
            // "twenty-five"; "twenty-thirty" is a range and ends here.
            let dashed = sym_at(at) == Some(sym::DASH)
                && match (last, self.part(tokens, at + 1)) {
                    (20..=90, Some(Part::Value(1..=9))) => true,
                    // "one-fifty"
                    (1..=9, Some(Part::Value(20..=90))) => true,
                    _ => false,
                };
            let from = if joined || dashed { at + 1 } else { at };
            let Some(part) = self.part(tokens, from) else {
                break;
            };
            match part {
                Part::Value(v) => {
                    if !seen {
                        group = v;
                    } else if joined && !(last >= 100 || (v < 10 && (20..=90).contains(&last))) {
                        break;
                    } else if last >= 100 && v < 100 || (20..=90).contains(&last) && v < 10 {
                        group += v;
                    } else if !joined && (1..=19).contains(&last) && total == 0 && v >= 10 {
                        // `one fifty`, `twelve fifty`: hundreds said without the word.
                        group = group * 100 + v;
                    } else if last >= 1_000 {
                        group += v;
                    } else {
                        break;
                    }
                    last = v;
                }
                Part::Hundred => {
                    if joined || group >= 100 {
                        break;
                    }
                    group = group.max(1) * 100;
                    last = 100;
                }
                Part::Thousand => {
                    if joined || total > 0 {
                        break;
                    }
                    total = group.max(1) * 1_000;
                    group = 0;
                    last = 1_000;
                }
            }
            seen = true;
            at = from + 1;
        }
        let value = total.checked_add(group)?.checked_mul(100)?;
        (seen && value <= MAX_HUNDREDTHS).then_some(Number {
            hundredths: value,
            end: at,
            digits: false,
            grouped: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::reading::model::MODEL;
    use crate::reading::tokens::tokenize;

    #[test]
    fn number_words_follow_the_guide() {
        for (text, value) in [
            ("a hundred fifty", 150),
            ("one fifty", 150),
            ("two hundred", 200),
            ("two hundred and twenty five", 225),
            ("2 hundred", 200),
            ("hunnid", 100),
            ("1k", 1_000),
            ("a grand", 1_000),
            ("twelve hundred", 1_200),
            ("twelve fifty", 1_250),
            ("sixty five", 65),
            ("sixty-five", 65),
            ("a couple hundred", 200),
            ("a buck twenty five", 125),
            ("a dozen", 12),
            ("una docena", 12),
            ("cincuenta", 50),
            ("cien", 100),
            ("ciento cincuenta", 150),
            ("treinta y cinco", 35),
            ("mil", 1_000),
            ("mil doscientos", 1_200),
            ("dos mil", 2_000),
            ("doscientos cincuenta y cinco", 255),
        ] {
            let tokens = tokenize(text, &MODEL);
            let number = MODEL.numbers.read(&tokens, text, 0);
            assert_eq!(
                number.map(|n| (n.hundredths / 100, n.end)),
                Some((value, tokens.len())),
                "{text}"
            );
        }
    }
}
