//! Names: the tenant's, the property's, the company's, and those the tenant used.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNGROUNDED, words};
use crate::reading::{language_of, plain_words};

const NAME: &str = "names";

/// After these words in a greeting comes a name.
const GREETINGS: &[&str] = &[
    "hi",
    "hello",
    "hey",
    "dear",
    "hola",
    "estimado",
    "estimada",
    "thanks",
    "gracias",
    "mr",
    "mrs",
    "ms",
    "miss",
    "sr",
    "sra",
    "srta",
    "senor",
    "senora",
    "don",
    "dona",
    "morning",
    "afternoon",
    "evening",
];

/// Capitalised words that are no names.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words::listed(include_str!("words/capitalised.txt"))
        .into_iter()
        .collect()
});

/// First names that are written small as well; with a capital any unknown word counts.
static FIRST_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words::listed(include_str!("words/first_names.txt"))
        .into_iter()
        .collect()
});

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let fail = |code, why| Finding::failed(NAME, UNGROUNDED, code, why);
    let mut tenant = grounds
        .tenant
        .and_then(|t| t.tenant_name.as_deref())
        .map(plain_words)
        .unwrap_or_default();
    // "Jo-Beth" is one word here and two in the file.
    let joined: Vec<String> = grounds
        .tenant
        .and_then(|t| t.tenant_name.as_deref())
        .into_iter()
        .flat_map(str::split_whitespace)
        .map(|part| plain_words(part).concat())
        .collect();
    tenant.extend(joined.iter().cloned());
    let known = |word: &str| {
        tenant.iter().any(|t| t == word)
            || grounds.fact_words.contains(word)
            || grounds.own_words.contains(word)
            || grounds.own_words.contains(&format!("{word}s"))
            || COMMON.contains(word)
    };
    let words = cut(draft.reply);
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|i| words.get(i));
        // "The plan you made with Ms. Green" greets nobody.
        let titled = |b: &Word| {
            matches!(
                b.plain.as_str(),
                "mr" | "mrs"
                    | "ms"
                    | "miss"
                    | "sr"
                    | "sra"
                    | "srta"
                    | "senor"
                    | "senora"
                    | "don"
                    | "dona"
            ) && at >= 2
                && words.get(at - 2).is_some_and(|w| {
                    !w.closes && !w.comma && !GREETINGS.contains(&w.plain.as_str())
                })
        };
        let greeted = before.is_some_and(|b| {
            (!word.opens || b.plain == "ms") && GREETINGS.contains(&b.plain.as_str()) && !titled(b)
        });
        let vocative = word.opens && word.comma || before.is_some_and(|b| b.comma) && word.closes;
        let is_name = word.capital && !word.opens || FIRST_NAMES.contains(word.plain.as_str());
        if greeted && (is_name || word.capital) {
            // Whoever is greeted is the tenant, whatever names the texts hold.
            if !tenant.is_empty()
                && !tenant.contains(&word.plain)
                && !COMMON.contains(word.plain.as_str())
            {
                return fail("addressee", "greets somebody else than the tenant");
            }
            continue;
        }
        // "Mon-Fri": known words joined by a hyphen.
        let joined = |parts: &[String]| parts.len() > 1 && parts.iter().all(|part| known(part));
        if known(&word.plain) || joined(&word.parts) {
            continue;
        }
        // "Anytime, Greg!": what stands before the tenant's name is no name.
        let next_known = words.get(at + 1).is_some_and(|n| tenant.contains(&n.plain));
        let opener =
            word.opens && word.capital && word.comma && !next_known && !is_dictionary(&word.plain);
        if is_name && !is_sentence_case(&words)
            || opener
            || vocative && FIRST_NAMES.contains(word.plain.as_str())
        {
            return fail("name", "a name that is not in the file");
        }
    }
    Finding::passed(NAME)
}

struct Word {
    plain: String,
    /// Its words one by one, when it is several joined by hyphens.
    parts: Vec<String>,
    capital: bool,
    /// First of a sentence.
    opens: bool,
    comma: bool,
    closes: bool,
}

fn cut(text: &str) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::new();
    let mut opens = true;
    for raw in text.split_whitespace() {
        // A dash or slash joins words that are looked at one by one.
        for part in raw.split(['/', '—', '–']) {
            let core = part.trim_matches(|c: char| !c.is_alphanumeric());
            let ends = part.ends_with(['.', '!', '?', ':', ';', '…']) || part.ends_with("\"");
            if core.is_empty() {
                opens |= ends || part.contains(['-', '•', '*', '(', '"']);
                continue;
            }
            let letters = core.chars().next().is_some_and(char::is_alphabetic);
            let parts = plain_words(core.trim_end_matches("'s").trim_end_matches("’s"));
            let plain = parts.concat();
            let quoted = part.starts_with(['"', '“', '¿', '¡', '(']);
            let abbreviation = matches!(
                plain.as_str(),
                "mr" | "mrs" | "ms" | "dr" | "sr" | "sra" | "srta" | "ud" | "uds"
            );
            if letters {
                out.push(Word {
                    plain,
                    parts,
                    capital: core.chars().next().is_some_and(char::is_uppercase),
                    opens: opens || quoted,
                    comma: part.ends_with([',', ':', '!', '-']),
                    closes: ends,
                });
            }
            opens = ends && !abbreviation;
        }
    }
    if let Some(last) = out.last_mut() {
        last.closes = true;
    }
    out
}

/// A text all in capitals, or with a capital on every word, names nobody by them.
fn is_sentence_case(words: &[Word]) -> bool {
    words.len() >= 6 && words.iter().filter(|w| w.capital).count() * 10 >= words.len() * 8
}

/// A word that a language knows: "Unfortunately," opens a sentence, "Jessica," names somebody.
fn is_dictionary(word: &str) -> bool {
    let ends = ["ly", "mente", "ed", "ing", "ado", "ido", "s"];
    word.len() <= 3
        || ends.iter().any(|e| word.ends_with(e))
        || matches!(
            word,
            "understood"
                | "great"
                | "perfect"
                | "noted"
                | "however"
                | "thank"
                | "today"
                | "also"
                | "and"
                | "entendido"
                | "perfecto"
                | "excelente"
                | "claro"
                | "gracias"
                | "bueno"
                | "bien"
                | "anotado"
                | "listo"
                | "therefore"
                | "meanwhile"
                | "hello"
                | "welcome"
                | "sorry"
                | "well"
                | "then"
                | "right"
                | "sure"
                | "fine"
                | "alright"
                | "entiendo"
                | "correcto"
                | "hola"
                | "first"
                | "next"
                | "good"
                | "that"
                | "this"
                | "tambien"
                | "ademas"
                | "mientras"
                | "primero"
                | "luego"
                | "saludos"
                | "buenas"
                | "buenos"
                | "just"
                | "once"
                | "after"
                | "course"
                | "cool"
                | "awesome"
        )
        || language_of(word).confidence >= 1.0
}
