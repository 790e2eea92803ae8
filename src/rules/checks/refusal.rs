//! Whether a clause refuses what it names, or hands it to a person: "I can't waive rent", "I'll ask a
//! manager about more time".

use std::ops::Range;

use super::Draft;
use crate::reading::plain_words;

/// Words that turn a clause into a refusal, wherever they stand in it.
const REFUSING: &[&str] = &[
    "cant",
    "cannot",
    "unable",
    "couldnt",
    "isnt",
    "arent",
    "imposible",
    "impossible",
    "beyond",
    "outside",
];
/// Two words that do.
const PAIRS: &[(&str, &str)] = &[
    ("not", "able"),
    ("not", "something"),
    ("not", "possible"),
    ("not", "allowed"),
    ("can", "not"),
    ("dont", "offer"),
    ("dont", "have"),
    ("dont", "allow"),
    ("dont", "give"),
    ("not", "offer"),
    ("no", "puedo"),
    ("no", "podemos"),
    ("no", "es"),
    ("no", "esta"),
    ("no", "ofrecemos"),
    ("no", "hay"),
    ("no", "estoy"),
    ("not", "authorized"),
    ("not", "an"),
    ("no", "puede"),
    ("not", "available"),
    ("do", "not"),
    ("does", "not"),
    ("is", "not"),
    ("are", "not"),
    ("no", "se"),
    ("may", "not"),
    ("could", "not"),
    ("not", "certain"),
    ("not", "sure"),
    ("no", "tengo"),
    ("no", "tenemos"),
    ("no", "cuento"),
    ("no", "contamos"),
    ("menos", "de"),
    ("no", "alcanza"),
    ("no", "basta"),
    ("no", "cubre"),
    ("dont", "know"),
    ("not", "enough"),
    ("doesnt", "cover"),
    ("wouldnt", "cover"),
    ("less", "than"),
    ("below", "what"),
    ("not", "up"),
    ("isnt", "up"),
    ("not", "mine"),
    ("isnt", "mine"),
    ("not", "in"),
    ("cant", "do"),
    ("not", "within"),
];
/// Who else decides.
const DECIDERS: &[&str] = &[
    "manager",
    "supervisor",
    "someone",
    "person",
    "team",
    "gerente",
    "encargado",
    "encargada",
    "alguien",
    "persona",
    "equipo",
    "supervisora",
    "colleague",
];
/// What they are asked to do, in forms that promise nothing yet.
const ASKED: &[&str] = &[
    "ask",
    "request",
    "review",
    "consider",
    "discuss",
    "look",
    "decide",
    "check",
    "pass",
    "forward",
    "share",
    "pedir",
    "pedire",
    "preguntar",
    "preguntare",
    "consultar",
    "consultare",
    "revisar",
    "revise",
    "solicitud",
    "pasar",
    "pasare",
    "decidir",
    "considerar",
    "question",
    "talk",
    "speak",
    "hablar",
    "let",
    "contact",
];

/// The clause around a phrase refuses it or only passes it on.
pub(super) fn is_refused(draft: &Draft<'_>, span: &Range<usize>) -> bool {
    let words = plain_words(clause(draft.reply, span));
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let beside = |a: &str, b: &str| {
        words
            .windows(2)
            .any(|w| matches!(w, [first, second] if first == a && second == b))
    };
    // "I can't wait to give you a discount"
    let eager = beside("cant", "wait") || beside("cannot", "wait");
    // "No le puedo prometer", "eso no lo podemos", "no te lo puedo dar".
    let apart = words.iter().enumerate().any(|(at, word)| {
        let mut after = words.iter().skip(at + 1).map(String::as_str);
        let pronouns = [
            "le", "lo", "la", "les", "los", "las", "se", "te", "me", "nos", "selo",
        ];
        let next = after.by_ref().find(|w| !pronouns.contains(w));
        word == "no"
            && next.is_some_and(|w| {
                matches!(
                    w,
                    "puedo"
                        | "podemos"
                        | "puede"
                        | "prometo"
                        | "pueden"
                        | "podria"
                        | "podriamos"
                        | "depende"
                        | "corresponde"
                        | "toca"
                        | "autoriza"
                        | "ofrecemos"
                        | "manejo"
                        | "manejamos"
                        | "tengo"
                        | "decido"
                        | "alcanzo"
                )
            })
    });
    let pair = apart || PAIRS.iter().any(|(a, b)| beside(a, b));
    (has(REFUSING) || pair) && !eager || has(DECIDERS) && has(ASKED) && !decided(&words)
}

/// "A manager reviewed and approved it" passes nothing on.
fn decided(words: &[String]) -> bool {
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "approved"
                | "agreed"
                | "granted"
                | "reviewed"
                | "decided"
                | "accepted"
                | "aprobo"
                | "acepto"
                | "autorizo"
                | "authorized"
                | "confirmed"
                | "said"
                | "told"
                | "dijo"
        )
    })
}

/// From the last sentence mark, comma or "but" before a place to the next one after it.
fn clause<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    let marks = ['.', '!', '?', ';', ',', ':', '\n', '—'];
    let before = text.get(..span.start).unwrap_or_default();
    let mut start = before
        .char_indices()
        .rfind(|(_, c)| marks.contains(c))
        .map_or(0, |(at, c)| at + c.len_utf8());
    for turn in [" but ", " pero ", " however ", " instead ", " so ", " and "] {
        start = start.max(before.rfind(turn).map_or(0, |at| at + turn.len()));
    }
    let after = text.get(span.end..).unwrap_or_default();
    let mut end = after.find(marks).unwrap_or(after.len());
    for turn in [" but ", " pero ", " however ", " instead "] {
        end = end.min(after.find(turn).unwrap_or(after.len()));
    }
    text.get(start.min(span.start)..span.end + end)
        .unwrap_or(text)
}
