//! What a text of ours must not say (`rules.md` R18, R20, R26, R30), whoever wrote it.
//!
//! One function, [`findings`]; the phrases are data.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::DeliveryKind;

/// Phrases by rule; see the file's own head.
const FORBIDDEN: &str = include_str!("content/forbidden.txt");

/// Something a text must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// Whether a manager may send it all the same, with a reason.
    pub may_be_overridden: bool,
}

struct Phrase {
    rule: &'static str,
    words: Vec<String>,
    /// The last word may go on.
    open: bool,
}

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let lines = FORBIDDEN
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .filter_map(|line| {
            let (rule, phrase) = line.split_once(": ")?;
            let open = phrase.ends_with('*');
            Some(Phrase {
                rule,
                words: words(phrase.trim_end_matches('*')),
                open,
            })
        })
        .collect()
});

impl Phrase {
    fn is_in(&self, text: &[String]) -> bool {
        let last = self.words.len().saturating_sub(1);
        let same = |(at, (said, word)): (usize, (&String, &String))| {
            said == word || (self.open && at == last && said.starts_with(word.as_str()))
        };
        text.windows(self.words.len())
            .any(|said| said.iter().zip(&self.words).enumerate().all(same))
    }
}

/// Lower case, without accents and punctuation.
fn words(text: &str) -> Vec<String> {
    let folded: String = text
        .nfkd()
        .filter(|c| !is_combining_mark(*c) && !matches!(c, '\'' | '’'))
        .collect();
    let folded = folded.to_lowercase();
    let words = folded.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether all words of one of the phrases occur one after the other in a text.
pub fn says_any(text: &str, phrases: &[&str]) -> bool {
    let said = words(text);
    phrases.iter().any(|phrase| {
        Phrase {
            rule: "",
            words: words(phrase),
            open: false,
        }
        .is_in(&said)
    })
}

/// Everything in a text that a rule forbids, each rule once.
pub fn findings(text: &str, kind: DeliveryKind, own_domains: &[String]) -> Vec<Finding> {
    let said = words(text);
    let mut rules: Vec<&'static str> = PHRASES
        .iter()
        .filter(|phrase| phrase.is_in(&said))
        .map(|phrase| phrase.rule)
        .collect();
    if links(text).any(|link| !is_ours(&link, own_domains)) {
        rules.push("R30");
    }
    // A manager who writes "I am a person" tells the truth.
    if kind == DeliveryKind::Modified {
        rules.retain(|rule| *rule != "R26");
    }
    rules.sort_unstable();
    rules.dedup();
    rules
        .into_iter()
        .map(|rule| Finding {
            rule,
            may_be_overridden: matches!(rule, "R18" | "R20" | "R30"),
        })
        .collect()
}

/// What a phone would make a link of.
fn links(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().filter_map(|word| {
        let word = word
            .trim_matches(|c: char| !c.is_alphanumeric() && c != '/')
            .to_lowercase();
        let host = word
            .split_once("://")
            .map_or(word.as_str(), |(_, rest)| rest);
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        let (name, end) = host.rsplit_once('.')?;
        let named =
            !name.is_empty() && name.chars().any(char::is_alphabetic) && !word.contains('@');
        // "Friday.Please" is a missing blank, not a link, unless somebody wrote one.
        let known = matches!(
            end,
            "com"
                | "net"
                | "org"
                | "io"
                | "co"
                | "us"
                | "ly"
                | "me"
                | "info"
                | "biz"
                | "gov"
                | "edu"
                | "app"
                | "link"
                | "gl"
                | "to"
        );
        (word.contains("://") || (named && known)).then_some(word)
    })
}

/// `https`, and a domain of ours or below one.
fn is_ours(link: &str, own_domains: &[String]) -> bool {
    let host = match link.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return false,
        None => link,
    };
    let host = host.split(['/', '?', '#', ':']).next().unwrap_or_default();
    own_domains.iter().any(|own| {
        host == own
            || host
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        let own = ["pay.example.com".to_owned()];
        findings(text, DeliveryKind::Auto, &own)
            .into_iter()
            .map(|f| f.rule)
            .collect()
    }

    #[test]
    fn every_line_of_the_list_can_be_found() {
        assert!(PHRASES.len() > 40);
        for phrase in PHRASES.iter() {
            let text = format!("well, {} indeed", phrase.words.join(" "));
            assert!(rules(&text).contains(&phrase.rule), "{text}");
        }
        for line in FORBIDDEN
            .lines()
            .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        {
            assert!(line.starts_with('R') && line.contains(": "), "{line}");
        }
    }

    #[test]
    fn threats_insults_lies_and_questions_for_cards_are_found() {
        let cases: [(&str, &[&str]); 12] = [
            ("We will start an eviction.", &["R18"]),
            ("Si no paga, habrá un DESALOJO", &["R18"]),
            ("vamos chamar a polícia", &["R18"]),
            ("This goes on your credit report", &["R18"]),
            ("Pay up, you deadbeat", &["R20"]),
            ("No, I'm a real person", &["R26"]),
            ("Please text me your card number", &["R30"]),
            ("Go to bit.ly/abc now", &["R30"]),
            ("Pay at http://pay.example.com/x", &["R30"]),
            (
                "Pay at https://pay.example.com/x or see us. Thanks.Bye",
                &[],
            ),
            (
                "Thanks! $75.00 a week works. Mr. Smith will call by 5 p.m.",
                &[],
            ),
            ("Thank you for your courtesy; park in the courtyard", &[]),
        ];
        for (text, found) in cases {
            assert_eq!(rules(text), found, "{text}");
        }
    }

    #[test]
    fn a_manager_may_say_what_they_are_and_override_what_is_not_a_lie() {
        let own = [];
        assert!(findings("I am a real person", DeliveryKind::Modified, &own).is_empty());
        let overridable = |text| findings(text, DeliveryKind::Modified, &own)[0].may_be_overridden;
        assert!(overridable("The court date is Monday"));
        assert!(!findings("I am a real person", DeliveryKind::Approved, &own)[0].may_be_overridden);
    }
}
