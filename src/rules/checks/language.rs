//! Language: what the tenant prefers, or the language they wrote in.

use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::domain::Language;
use crate::reading::language_of;

const NAME: &str = "language";

/// From here a guess about a text is believed.
const CLEAR: f32 = 0.75;

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let accepted = accepted(grounds);
    if accepted.is_empty() {
        return Finding::passed(NAME);
    }
    let fail = |code| Finding::failed(NAME, UNGROUNDED, code, "not in the tenant's language");
    // Figures and names belong to no language.
    let whole = language_of(&letters(draft.reply));
    if words(draft.reply) >= 3 && whole.confidence >= 0.6 && !accepted.contains(&whole.code) {
        return fail("language");
    }
    for sentence in &draft.said.sentences {
        let text = draft.reply.get(sentence.clone()).unwrap_or_default();
        let own: Vec<&str> = text
            .split_whitespace()
            .filter(|w| {
                !crate::reading::plain_words(w)
                    .iter()
                    .all(|w| grounds.fact_words.contains(w))
            })
            .collect();
        let text = own.join(" ");
        let guess = language_of(&letters(&text));
        // "That's a strong plan" is English, though "plan" is Spanish too.
        let own = accepted.iter().map(|code| particles(&text, code)).max();
        if words(&text) >= 4
            && guess.confidence >= 0.9
            && !accepted.contains(&guess.code)
            && own.unwrap_or(0) <= particles(&text, guess.code)
        {
            return fail("mixed");
        }
    }
    Finding::passed(NAME)
}

/// The language of the texts when clear. The file's too, when it says something else than the
/// default and the texts do not contradict a default.
fn accepted(grounds: &Grounds<'_>) -> Vec<&'static str> {
    if let Some(code) = asked_for(grounds) {
        return vec![code];
    }
    let preferred = grounds.tenant.map(|t| code(t.language_preference));
    let written = written(&grounds.texts);
    let mut all: Vec<&'static str> = written.into_iter().collect();
    match preferred {
        // English is also what the Monitor says when it does not know.
        Some("en") if !all.is_empty() => {}
        Some(code) if !all.contains(&code) => all.push(code),
        _ => {}
    }
    // "Thanks" from somebody who prefers Spanish may be answered in either.
    let short = language_of(&letters(&grounds.texts.join(" ")));
    if short.confidence > 0.95 && !all.contains(&short.code) {
        all.push(short.code);
    }
    all
}

/// "Can you write in English", "en español por favor": the language the last text asks for by name.
fn asked_for(grounds: &Grounds<'_>) -> Option<&'static str> {
    if grounds.gives_orders {
        return None;
    }
    let text = grounds.texts.last()?;
    text.split(['.', '?', '!', ','])
        .find_map(|part| asked_in(&crate::reading::plain_words(part)))
}

fn asked_in(words: &[String]) -> Option<&'static str> {
    let asks = words.iter().any(|w| {
        [
            "write", "speak", "text", "talk", "please", "pls", "plz", "can", "could", "escrib",
            "habl", "favor", "pued", "podria", "porfa",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    let named = words.windows(2).find_map(|pair| match pair {
        [a, b] if matches!(a.as_str(), "in" | "en") => match b.as_str() {
            "english" | "ingles" => Some("en"),
            "spanish" | "espanol" => Some("es"),
            _ => None,
        },
        _ => None,
    });
    named.filter(|_| asks && words.len() <= 8)
}

/// The language the texts are clearly written in.
pub(super) fn written(texts: &[&str]) -> Option<&'static str> {
    let joined = letters(&texts.join(" "));
    let guess = language_of(&joined);
    (words(&joined) >= 3 && guess.confidence >= CLEAR).then_some(guess.code)
}

fn code(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Spanish => "es",
        Language::Portuguese => "pt",
        Language::French => "fr",
    }
}

/// How many of a language's commonest little words a text has.
fn particles(text: &str, code: &str) -> usize {
    let list: &[&str] = match code {
        "en" => &[
            "the", "thats", "that", "is", "are", "you", "your", "i", "we", "of", "for", "and",
            "it", "its", "this", "would", "to",
        ],
        "es" => &[
            "el", "la", "los", "las", "de", "que", "y", "por", "su", "sus", "con", "en", "es",
            "le", "se", "un", "una", "lo",
        ],
        _ => &[],
    };
    let words = crate::reading::plain_words(text);
    words.iter().filter(|w| list.contains(&w.as_str())).count()
}

fn letters(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_numeric() || c == '$' { ' ' } else { c })
        .collect()
}

fn words(text: &str) -> usize {
    text.split_whitespace()
        .filter(|w| w.chars().any(char::is_alphabetic))
        .count()
}
