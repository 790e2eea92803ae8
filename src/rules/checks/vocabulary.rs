//! Words: a reply is made of a small vocabulary. What is worded otherwise may be as harmless, but nobody
//! has read that kind of sentence yet, and most wrong replies nobody thought of give themselves away by
//! a word that no right one needs: technicians, churches, chests of gold.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNFIT, links, words};
use crate::reading::plain_words;

const NAME: &str = "vocabulary";

static ENGLISH: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words::listed(include_str!("words/vocabulary_english.txt"))
        .into_iter()
        .collect()
});

/// Whole words, and beginnings of words.
static SPANISH: LazyLock<(HashSet<&str>, Vec<&str>)> = LazyLock::new(|| {
    let (stems, whole): (Vec<&str>, Vec<&str>) =
        words::listed(include_str!("words/vocabulary_spanish.txt"))
            .into_iter()
            .partition(|w| w.ends_with('*'));
    let stems = stems.into_iter().map(|s| s.trim_end_matches('*')).collect();
    (whole.into_iter().collect(), stems)
});

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let mut text = draft.reply.to_owned();
    for link in links::links(draft.reply) {
        // Their own check compares them with the company's.
        text = text.replace(&link, " ");
    }
    let mut strange = false;
    for sentence in &sentences(&text) {
        let words = plain_words(sentence);
        // Stems of one language may begin words of the other.
        let english = words.iter().filter(|w| english(w)).count();
        let spanish = words.iter().filter(|w| spanish(w)).count();
        let known = |w: &&String| !known(w, grounds, english >= spanish);
        let unknown = words.iter().filter(known).count();
        // Sympathy and thanks name what they are for, refusals and what is passed on what they
        // are about.
        let spared = if is_kind(&words) || hands_on(&words) {
            2
        } else {
            usize::from(asks(sentence, &words))
        };
        strange |= unknown > spared;
    }
    match strange.then_some(()) {
        Some(_) => Finding::failed(
            NAME,
            UNFIT,
            "word",
            "a word that neither the tenant nor a usual reply uses",
        ),
        None => Finding::passed(NAME),
    }
}

fn sentences(text: &str) -> Vec<String> {
    text.split_inclusive(['.', '!', '?', ';', '\n'])
        .map(str::to_owned)
        .collect()
}

/// A sentence that thanks or feels with the tenant, and turns to nothing else.
fn is_kind(words: &[String]) -> bool {
    let starts = |stems: &[&str]| {
        words
            .iter()
            .take(6)
            .any(|w| stems.iter().any(|s| w.starts_with(s)))
    };
    let turns = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "but"
                | "pero"
                | "however"
                | "so"
                | "if"
                | "si"
                | "unless"
                | "until"
                | "aunque"
                | "will"
                | "well"
                | "ill"
                | "must"
        )
    });
    !turns
        && starts(&[
            "thank",
            "gracias",
            "agradec",
            "appreciat",
            "sorry",
            "siento",
            "sentimos",
            "lament",
            "wish",
            "hope",
            "espero",
            "esperamos",
            "ojala",
            "condolenc",
            "pesame",
            "sympath",
            "thought",
            "understand",
            "entiend",
            "entend",
            "comprend",
            "congrat",
            "felicid",
            "glad",
            "alegr",
        ])
}

/// A sentence that refuses or leaves something to a person.
fn hands_on(words: &[String]) -> bool {
    let has = |list: &[&str]| words.iter().any(|w| list.iter().any(|s| w.starts_with(s)));
    let refused = words.windows(2).any(|w| {
        matches!(
            (w[0].as_str(), w[1].as_str()),
            ("not", "able" | "sure" | "certain")
                | ("i" | "we", "cant" | "cannot")
                | ("dont", "have" | "see" | "know")
                | ("no", "puedo" | "podemos" | "tengo" | "tenemos" | "veo")
        )
    });
    let passed = has(&[
        "team",
        "person",
        "someone",
        "colleague",
        "equipo",
        "alguien",
        "companer",
    ]) && has(&[
        "ask", "pass", "share", "review", "check", "look", "help", "reach", "contact", "call",
        "touch", "follow", "pid", "ped", "revis", "comuni", "pas", "ayud", "explic", "atend",
        "contest", "let",
    ]);
    refused || passed
}

/// A question that leaves the answer open.
fn asks(sentence: &str, words: &[String]) -> bool {
    sentence.trim_end().ends_with('?')
        && words.iter().any(|w| {
            matches!(
                w.as_str(),
                "what"
                    | "which"
                    | "when"
                    | "how"
                    | "share"
                    | "tell"
                    | "que"
                    | "cual"
                    | "cuando"
                    | "cuanto"
                    | "como"
                    | "decirme"
                    | "decirnos"
                    | "contarnos"
                    | "anything"
                    | "algo"
                    | "is"
                    | "would"
            )
        })
}

fn known(word: &str, grounds: &Grounds<'_>, in_english: bool) -> bool {
    word.chars().any(|c| c.is_ascii_digit())
        || word.chars().count() == 1
        || grounds.fact_words.contains(word)
        || said(word, &grounds.own_words)
        || if in_english {
            english(word)
        } else {
            spanish(word)
        }
}

/// The tenant's own word, in this form or another.
fn said(word: &str, own: &HashSet<String>) -> bool {
    own.contains(word)
        || word.chars().count() >= 4
            && own.iter().any(|w| {
                let shared = w
                    .chars()
                    .zip(word.chars())
                    .take_while(|(a, b)| a == b)
                    .count();
                let longest = w.chars().count().max(word.chars().count());
                shared >= 4 && longest - shared <= 3
            })
}

fn english(word: &str) -> bool {
    if ENGLISH.contains(word) {
        return true;
    }
    let base = |end: &str, instead: &str| {
        word.strip_suffix(end).is_some_and(|stem| {
            stem.len() >= 3 && ENGLISH.contains(format!("{stem}{instead}").as_str())
        })
    };
    let doubled = |end: &str| {
        word.strip_suffix(end).is_some_and(|stem| {
            let mut chars = stem.chars().rev();
            let last = chars.next();
            last == chars.next()
                && ENGLISH.contains(stem.get(..stem.len().saturating_sub(1)).unwrap_or_default())
        })
    };
    [
        ("s", ""),
        ("es", ""),
        ("ies", "y"),
        ("d", ""),
        ("ed", ""),
        ("ied", "y"),
        ("ing", ""),
        ("ing", "e"),
        ("ly", ""),
        ("ily", "y"),
        ("er", ""),
        ("r", ""),
        ("est", ""),
        ("ier", "y"),
    ]
    .iter()
    .any(|(end, instead)| base(end, instead))
        || doubled("ing")
        || doubled("ed")
}

/// "Explique" is a form of "explicar", "llegue" of "llegar", "empiece" of "empezar".
fn soft(word: &str) -> String {
    word.replace("que", "ce")
        .replace("qui", "ci")
        .replace("gue", "ge")
        .replace("gui", "gi")
}

fn spanish(word: &str) -> bool {
    let (whole, stems) = &*SPANISH;
    let soft = soft(word);
    whole.contains(word)
        || stems
            .iter()
            .any(|s| word.starts_with(s) || soft.starts_with(s))
}
