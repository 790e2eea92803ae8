//! What a text of ours must not say (`rules.md` R18, R20, R26, R30), whoever wrote it.
//!
//! There is one table of such topics, and this is its reader: phrases in
//! `reading/data/replies_topics.txt`, words in all their forms in [`stems`]. The gate asks
//! [`findings`] about every text in the moment of sending, the checks of drafts ask [`topics`] and
//! leave less to the model than the gate leaves to a person.

pub(super) mod stems;

use std::ops::Range;

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::DeliveryKind;
use crate::reading::plain_words;
use crate::reading::statements::{self, Phrase, Statements};

/// Something a text must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// Whether a manager may send it all the same, with a reason.
    pub may_be_overridden: bool,
}

/// Whom an entry of the table binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binds {
    /// Every text, a manager's too.
    Everybody,
    /// Drafts only: a person may well write "your lease renewal" or "you can pay by debit card".
    TheModel,
}

/// A forbidden topic in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The rule.
    pub rule: &'static str,
    /// The section of the table it stands in.
    pub reason: &'static str,
    /// Whom it binds.
    pub binds: Binds,
    /// Where, in bytes.
    pub span: Range<usize>,
}

/// The rule behind a section of the table, and whom it binds. A section without a rule here is not
/// about topics; a test knows all of them.
fn rule_of(name: &str, reason: &str) -> Option<(&'static str, Binds)> {
    Some(match (name, reason) {
        ("forbidden", "eviction" | "court" | "police" | "credit") => ("R18", Binds::Everybody),
        ("forbidden", "place" | "law" | "debt") => ("R18", Binds::TheModel),
        ("forbidden", "shaming") => ("R20", Binds::Everybody),
        ("forbidden", "threat" | "tone") => ("R20", Binds::TheModel),
        ("person", "claim") => ("R26", Binds::Everybody),
        ("person", "human" | "self") => ("R26", Binds::TheModel),
        ("secrets", "number") => ("R30", Binds::Everybody),
        ("secrets", "ask") => ("R30", Binds::TheModel),
        _ => return None,
    })
}

/// Every forbidden topic in a text that has been read, without those that are only the property's
/// name: "Oak Court" is no court.
pub fn topics(text: &str, said: &Statements, property: Option<&str>) -> Vec<Topic> {
    let phrases = said.phrases.iter().filter_map(|phrase: &Phrase| {
        let (rule, binds) = rule_of(phrase.name, phrase.reason)?;
        Some(Topic {
            rule,
            reason: phrase.reason,
            binds,
            span: phrase.span.clone(),
        })
    });
    let stems = stems::all(text, stems::TOPICS.iter().map(|(stem, ..)| *stem));
    let stems = stems.filter_map(|(at, span)| {
        let (_, rule, binds) = stems::TOPICS.get(at)?;
        Some(Topic {
            rule,
            reason: "topic",
            binds: *binds,
            span,
        })
    });
    phrases
        .chain(stems)
        .filter(|topic| !is_property(text, &topic.span, property))
        .collect()
}

/// Part of the property's name, with another of its words beside it.
fn is_property(text: &str, span: &Range<usize>, property: Option<&str>) -> bool {
    let Some(property) = property else {
        return false;
    };
    let property = plain_words(property);
    let part = |range: Option<&str>| plain_words(range.unwrap_or_default());
    let inside = part(text.get(span.clone()));
    let (before, after) = (part(text.get(..span.start)), part(text.get(span.end..)));
    let beside = before.last().is_some_and(|w| property.contains(w))
        || after.first().is_some_and(|w| property.contains(w));
    !inside.is_empty() && inside.iter().all(|w| property.contains(w)) && beside
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
        let phrase = words(phrase);
        said.windows(phrase.len()).any(|part| part == phrase)
    })
}

/// Everything in a text that a rule forbids whoever wrote it, each rule once.
pub fn findings(
    text: &str,
    kind: DeliveryKind,
    own_domains: &[String],
    property: Option<&str>,
) -> Vec<Finding> {
    // No topic depends on the day.
    let said = statements::read(text, NaiveDate::default());
    let mut rules: Vec<&'static str> = topics(text, &said, property)
        .into_iter()
        .filter(|topic| topic.binds == Binds::Everybody)
        .map(|topic| topic.rule)
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
        findings(text, DeliveryKind::Auto, &own, None)
            .into_iter()
            .map(|f| f.rule)
            .collect()
    }

    /// What the gate refused when it had a table of its own; no entry may get lost.
    const REFUSED: &[(&str, &str)] = &[
        (
            "R18",
            "eviction, evicted, court, courts, lawsuits, sue you, suing, legal action, police, sheriff, marshal, arrest, jail, prison, garnish, credit report, credit score, credit bureau, collections agency, collection agency, notice to quit",
        ),
        (
            "R18",
            "desalojo, desalojaremos, tribunal, corte, demanda judicial, acción legal, acciones legales, policía, cárcel, embargo, embargaremos, buró de crédito, reporte de crédito, despejo, processo judicial, ação judicial, prisão, cadeia, penhora",
        ),
        (
            "R20",
            "deadbeat, shame on you, pathetic, lazy, stupid, idiot, fucking, shit, bitch, asshole, damn, sinvergüenza, estúpida, mentiroso, idiota, vergonha",
        ),
        (
            "R26",
            "I am a real person, I'm a real person, I am a human, I'm a human, I am human, I'm human, I'm not a bot, I am not a robot, not an automated, soy una persona, no soy un robot, no soy un bot, sou uma pessoa, não sou um robô",
        ),
        (
            "R30",
            "card number, credit card number, debit card number, CVV, social security number, SSN, bank account number, routing number, account number, número de tarjeta, número de seguro social, número de cuenta, número do cartão, número da conta",
        ),
    ];

    #[test]
    fn nothing_the_gate_ever_refused_is_missing_from_the_one_table() {
        for (rule, phrases) in REFUSED {
            for phrase in phrases.split(", ") {
                let text = format!("Well {phrase} indeed");
                assert!(rules(&text).contains(rule), "{text}: {:?}", rules(&text));
            }
        }
    }

    #[test]
    fn every_section_about_topics_has_its_rule() {
        let table = include_str!("../reading/data/replies_topics.txt");
        let headers = table.lines().filter_map(|line| {
            let header = line.strip_prefix('[')?.strip_suffix(']')?;
            header.split_once(' ')
        });
        for (name, reason) in headers {
            let about_topics = matches!(name, "forbidden" | "person" | "secrets");
            assert_eq!(
                rule_of(name, reason).is_some(),
                about_topics,
                "{name} {reason}"
            );
        }
    }

    #[test]
    fn threats_insults_lies_and_questions_for_cards_are_found() {
        let cases: [(&str, &[&str]); 15] = [
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
            // What the model may not say and a person may.
            (
                "Your lease renewal is ready. Ask your lawyer if in doubt; you can pay by debit card.",
                &[],
            ),
            ("Sin embargo, puede pagar el viernes.", &[]),
            ("Without a plan it gets harder; that is urgent.", &[]),
        ];
        for (text, found) in cases {
            assert_eq!(rules(text), found, "{text}");
        }
    }

    #[test]
    fn the_name_of_the_property_is_no_court() {
        let of = |text| findings(text, DeliveryKind::Auto, &[], Some("Oak Court Apartments")).len();
        assert_eq!(of("Thanks for writing to Oak Court."), 0);
        assert_eq!(of("We will see you in court."), 1);
    }

    #[test]
    fn a_manager_may_say_what_they_are_and_override_what_is_not_a_lie() {
        let own = [];
        let of = |text, kind| findings(text, kind, &own, None);
        assert!(of("I am a real person", DeliveryKind::Modified).is_empty());
        let overridable = |text| of(text, DeliveryKind::Modified)[0].may_be_overridden;
        assert!(overridable("The court date is Monday"));
        assert!(!of("I am a real person", DeliveryKind::Approved)[0].may_be_overridden);
    }
}
