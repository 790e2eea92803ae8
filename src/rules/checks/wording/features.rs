//! What of a reply counts: its words, two and three of them in a row, two with one between, and three
//! to five letters in a row of each word; the tenant's words too, as "of course" answers a question.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::reading::plain_words;
use crate::rules::checks::{Grounds, links, words};

/// Unknown words beyond these count no more.
const MOST_UNKNOWN: usize = 5;
const UNKNOWN: [&str; MOST_UNKNOWN] = ["UNK1", "UNK2", "UNK3", "UNK4", "UNK5"];

/// Words that company facts write with a capital and that are no names of places.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words::listed(include_str!("common.txt"))
        .into_iter()
        .collect()
});

/// The features of one reply.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Features {
    /// Every feature, each once, in a fixed order. Sorted at the end: a reply has several hundred, and a
    /// tree of them was the dearest part of the checks.
    pub all: Vec<String>,
    /// Its plain words that are neither names nor words of the company's facts.
    plain: BTreeSet<String>,
}

impl Features {
    /// Reads a reply.
    #[must_use]
    pub fn of(reply: &str, grounds: &Grounds<'_>) -> Self {
        let mut out = Self::default();
        let mut row = vec!["^".to_owned()];
        row.extend(masked(reply, grounds));
        row.push("$".to_owned());
        for (at, word) in row.iter().enumerate() {
            out.all.push(word.clone());
            if let Some(next) = row.get(at + 1) {
                out.all.push(format!("{word} {next}"));
                if let Some(third) = row.get(at + 2) {
                    out.all.push(format!("{word} {next} {third}"));
                    out.all.push(format!("{word} _ {third}"));
                }
            }
            if word.chars().all(char::is_lowercase) {
                if !grounds.fact_words.contains(word) {
                    out.plain.insert(word.clone());
                }
                out.letters(word);
            }
        }
        let own = grounds.texts.iter().flat_map(|text| tokens(text));
        out.all.extend(
            own.filter(|w| w.chars().all(char::is_lowercase))
                .map(|w| format!("t:{w}")),
        );
        out.all.sort_unstable();
        out.all.dedup();
        out
    }

    fn letters(&mut self, word: &str) {
        let letters: Vec<char> = format!("<{word}>").chars().collect();
        for length in 3..=5 {
            for part in letters.windows(length) {
                self.all.push(format!("c:{}", String::from_iter(part)));
            }
        }
    }

    /// The features a table knows, and as many marks as there are words it does not know.
    pub fn known(&self, is_known: impl Fn(&str) -> bool) -> Vec<&str> {
        let strange = self.plain.iter().filter(|w| !is_known(w)).count();
        let marks = UNKNOWN.iter().take(strange).copied();
        let marks = marks.filter(|mark| is_known(mark));
        let own = self.all.iter().map(String::as_str).filter(|f| is_known(f));
        own.chain(marks).collect()
    }

    /// The marks of unknown words, for the one who learns a table.
    #[must_use]
    pub fn marks() -> &'static [&'static str] {
        &UNKNOWN
    }
}

/// Words and marks of a reply, with `NAME`, `DAY`, `MONTH`, `FACT`, `LINK` and `PHONE` for what other
/// checks compare.
fn masked(reply: &str, grounds: &Grounds<'_>) -> Vec<String> {
    let mut text = reply.to_owned();
    for link in links::links(reply) {
        text = text.replace(&link, " \u{1}LINK ");
    }
    let name = grounds.tenant.and_then(|t| t.tenant_name.as_deref());
    let name = plain_words(name.unwrap_or_default());
    let places = places(grounds);
    let mut out: Vec<String> = Vec::new();
    for word in tokens(&text) {
        let word = match word.as_str() {
            w if name.iter().any(|n| n == w) => "NAME".to_owned(),
            w if is_day(w) => "DAY".to_owned(),
            w if is_month(w) => "MONTH".to_owned(),
            w if places.contains(w) => "FACT".to_owned(),
            _ => word,
        };
        let again = word == "FACT" && out.last().is_some_and(|last| last == "FACT");
        if !again {
            out.push(word);
        }
    }
    out
}

/// Capitalised words of the company's facts, its name and the property's: streets and the like.
fn places(grounds: &Grounds<'_>) -> HashSet<String> {
    let property = grounds.tenant.and_then(|t| t.property_name.as_deref());
    let facts = [
        grounds.settings.company_facts.as_deref(),
        grounds.settings.company_name.as_deref(),
        property,
    ];
    facts
        .into_iter()
        .flatten()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| word.chars().next().is_some_and(char::is_uppercase))
        .flat_map(plain_words)
        .filter(|word| word.len() > 1 && !COMMON.contains(word.as_str()))
        .collect()
}

fn is_day(word: &str) -> bool {
    const DAYS: &str = " monday tuesday wednesday thursday friday saturday sunday lunes martes miercoles jueves viernes sabado domingo ";
    DAYS.contains(&format!(" {word} "))
}

fn is_month(word: &str) -> bool {
    // "May" is a verb more often.
    const MONTHS: &str = " january february march april june july august september october november december enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre ";
    MONTHS.contains(&format!(" {word} "))
}

/// Folded words and sentence marks; `MONEY` for an amount with its sign, `NUM` for other digits,
/// `PHONE` for a phone number.
fn tokens(text: &str) -> Vec<String> {
    let folded: Vec<char> = text
        .nfkd()
        .filter(|c| !is_combining_mark(*c) && !matches!(c, '\'' | '’' | '‘' | '´' | '`'))
        .collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&c) = folded.get(at) {
        let rest = folded.get(at..).unwrap_or_default();
        let run = |is: &dyn Fn(char) -> bool| rest.iter().take_while(|c| is(**c)).count();
        if c == '\u{1}' {
            out.push("LINK".to_owned());
            at += 5;
        } else if c.is_alphabetic() {
            let length = run(&char::is_alphabetic);
            let word: String = rest.iter().take(length).collect();
            out.push(word.to_lowercase());
            at += length;
        } else if c.is_ascii_digit() {
            let mut length = run(&|c| c.is_ascii_digit() || matches!(c, ',' | ':' | '.' | '-'));
            while rest.get(length - 1).is_some_and(|c| !c.is_ascii_digit()) {
                length -= 1;
            }
            let digits = rest.iter().take(length).filter(|c| c.is_ascii_digit());
            let money = at > 0 && folded.get(..at).is_some_and(|b| b.ends_with(&['$']));
            let figure = match digits.count() {
                _ if money => "MONEY",
                7.. => "PHONE",
                _ => "NUM",
            };
            out.push(figure.to_owned());
            at += length;
        } else {
            if matches!(c, '.' | '?' | '!' | ',' | ';' | ':') {
                out.push(c.to_string());
            }
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_letters_are_told_apart() {
        let all = "You’d owe $1,385.00, Señora: 12 x $8. Call 860-555-0177 by 5.";
        let words = "youd owe MONEY , senora : NUM x MONEY . call PHONE by NUM .";
        assert_eq!(tokens(all).join(" "), words);
    }
}
