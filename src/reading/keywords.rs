//! Keywords that are a whole message: STOP, HELP, START and their kin (labelling guide §3 opt_out,
//! help_request; carrier keyword lists).

use super::lexicon::{Sym, sym};
use super::model::Model;
use super::tokens::Token;

/// A message that is nothing but a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// STOP, UNSUBSCRIBE, ALTO …: no more texts.
    Stop,
    /// HELP, INFO, AYUDA.
    Help,
    /// START or UNSTOP only: a "yes" answers a question, it does not renew a consent.
    Start,
}

/// Language of a keyword message (labelling guide §4).
pub(crate) fn language(tokens: &[Token], text: &str, model: &Model) -> &'static str {
    let spanish = [
        "alto", "parar", "pare", "cancelar", "ayuda", "ayudame", "ayudeme",
    ];
    let portuguese = model.lexicon.get("ajuda");
    if tokens.iter().any(|t| Some(t.sym) == portuguese) {
        return "pt";
    }
    let spaced = joined(tokens, text, &[]);
    let is_spanish = spanish
        .iter()
        .any(|w| *w == spaced || tokens.iter().any(|t| model.lexicon.get(w) == Some(t.sym)));
    if is_spanish { "es" } else { "en" }
}

impl Keyword {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Help => "help",
            Self::Start => "start",
        }
    }
}

/// Keywords by kind; several words are one keyword written apart ("OPT OUT").
const KEYWORDS: &[(&[&str], Keyword)] = &[
    (&["stop"], Keyword::Stop),
    (&["stopall"], Keyword::Stop),
    (&["stop", "all"], Keyword::Stop),
    (&["stop", "now"], Keyword::Stop),
    (&["cancel", "all"], Keyword::Stop),
    (&["end", "all"], Keyword::Stop),
    (&["alto", "ya"], Keyword::Stop),
    (&["pare", "ya"], Keyword::Stop),
    (&["unsubscribe"], Keyword::Stop),
    (&["cancel"], Keyword::Stop),
    (&["end"], Keyword::Stop),
    (&["quit"], Keyword::Stop),
    (&["revoke"], Keyword::Stop),
    (&["optout"], Keyword::Stop),
    (&["opt", "out"], Keyword::Stop),
    (&["remove"], Keyword::Stop),
    (&["alto"], Keyword::Stop),
    (&["parar"], Keyword::Stop),
    (&["pare"], Keyword::Stop),
    (&["cancelar"], Keyword::Stop),
    (&["arret"], Keyword::Stop),
    (&["td"], Keyword::Stop),
    (&["help"], Keyword::Help),
    (&["info"], Keyword::Help),
    (&["ayuda"], Keyword::Help),
    (&["help", "me"], Keyword::Help),
    (&["ayudame"], Keyword::Help),
    (&["ayudeme"], Keyword::Help),
    (&["ajuda"], Keyword::Help),
    (&["start"], Keyword::Start),
    (&["unstop"], Keyword::Start),
];

/// Every word of every keyword.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().flat_map(|(words, _)| words.iter().copied())
}

const COURTESY: &[&str] = &[
    "please", "thanks", "thank", "you", "por", "favor", "gracias", "porfavor", "porfa", "obrigado",
];

/// The keyword a message consists of, ignoring case, spacing, punctuation, emoji and courtesy.
pub(crate) fn read(tokens: &[Token], text: &str, model: &Model) -> Option<Keyword> {
    if tokens.len() > 24 {
        return None;
    }
    let id = |w: &str| model.lexicon.get(w);
    let courtesy: Vec<Option<Sym>> = COURTESY.iter().map(|w| id(w)).collect();
    let words: Vec<Sym> = tokens
        .iter()
        .map(|t| t.sym)
        .filter(|s| *s == sym::UNKNOWN || *s == sym::NUM || *s >= sym::FIRST_WORD)
        .filter(|s| !courtesy.contains(&Some(*s)))
        .collect();
    let found = KEYWORDS.iter().find(|(keyword, _)| {
        // The same keyword repeated ("STOP STOP STOP") is still only the keyword.
        !words.is_empty()
            && words.len().is_multiple_of(keyword.len())
            && words.chunks(keyword.len()).all(|chunk| {
                chunk
                    .iter()
                    .zip(keyword.iter())
                    .all(|(s, w)| id(w) == Some(*s) && *s != sym::UNKNOWN)
            })
    });
    if let Some((_, keyword)) = found {
        return Some(*keyword);
    }
    let joined = joined(tokens, text, &courtesy);
    KEYWORDS
        .iter()
        .find(|(keyword, _)| joined.len() >= 3 && keyword.concat() == joined)
        .map(|(_, keyword)| *keyword)
}

/// "S T O P", "st op", "St0p": the letters of a short message, as some phones and people space them.
fn joined(tokens: &[Token], text: &str, courtesy: &[Option<Sym>]) -> String {
    tokens
        .iter()
        .filter(|t| t.end - t.start == 1 || !courtesy.contains(&Some(t.sym)))
        .filter_map(|t| text.get(t.start..t.end))
        .flat_map(str::chars)
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_lowercase() {
            '0' => 'o',
            '3' => 'e',
            '1' => 'i',
            letter => letter,
        })
        .collect()
}
