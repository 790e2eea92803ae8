//! Sentences whose sense lies in what they answer, or that tell the tenant what to do: bare agreement,
//! half a verb, "Lowered, Sam", "Sell something".

use super::remarks::holds_contact;
use super::{Draft, Grounds};
use crate::reading::plain_words;
use crate::reading::statements::Stated;

/// The whole reply says yes, and not to what.
pub(super) fn agrees(draft: &Draft<'_>, grounds: &Grounds<'_>, name: &[String]) -> bool {
    // A bare "Yes." says yes to whatever was asked.
    let words = plain_words(draft.reply);
    let bare = [
        "yes", "no", "si", "ok", "okay", "sure", "agreed", "correct", "claro", "correcto",
    ];
    let agrees = |w: &String| {
        bare.contains(&w.as_str())
            || name.contains(w)
            || matches!(
                w.as_str(),
                "thats"
                    | "that"
                    | "is"
                    | "right"
                    | "true"
                    | "exactly"
                    | "asi"
                    | "es"
                    | "cierto"
                    | "it"
                    | "absolutely"
                    | "of"
                    | "course"
                    | "not"
                    | "much"
                    | "mucho"
                    | "poco"
                    | "nothing"
                    | "todavia"
                    | "aun"
                    | "yet"
                    | "honestly"
                    | "actually"
                    | "frankly"
                    | "sincerely"
                    | "sinceramente"
                    | "honestamente"
                    | "realmente"
            )
    };
    let agreed = words.iter().all(agrees) && !grounds.texts.is_empty();
    words.len() <= 2 && words.iter().any(|w| bare.contains(&w.as_str()))
        || agreed
        || only_agrees(draft, grounds, &words)
}

/// "Right, congratulations!": says yes first and then nothing that would show to what.
fn only_agrees(draft: &Draft<'_>, grounds: &Grounds<'_>, words: &[String]) -> bool {
    let asked = grounds.texts.iter().any(|t| {
        let own = plain_words(t);
        !own.iter()
            .any(|w| w.starts_with("thank") || w.starts_with("gracias") || w == "ok")
    });
    let agrees = words.first().is_some_and(|w| {
        matches!(
            w.as_str(),
            "yes"
                | "yep"
                | "yeah"
                | "right"
                | "correct"
                | "sure"
                | "si"
                | "claro"
                | "seguro"
                | "asi"
                | "absolutely"
                | "certainly"
                | "definitely"
                | "indeed"
                | "exactly"
                | "exacto"
                | "correcto"
                | "cierto"
                | "true"
                | "agreed"
                | "understood"
                | "desde"
        )
    });
    let told = words.iter().any(|w| {
        [
            "automat",
            "assist",
            "asist",
            "team",
            "manager",
            "person",
            "someone",
            "office",
            "gerente",
            "equipo",
            "alguien",
            "help",
            "ayud",
            "pass",
            "note",
            "anot",
            "pay",
            "pag",
            "text",
            "question",
            "pregunt",
            "reach",
            "call",
            "llam",
            "escrib",
            "write",
            "ask",
            "repl",
            "answer",
            "here",
            "whenever",
            "moment",
            "time",
            "available",
            "ready",
            "respond",
            "contest",
            "aqui",
            "balance",
            "saldo",
            "semana",
            "week",
            "portion",
            "parte",
            "sorry",
            "care",
            "hear",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    let figure = draft
        .said
        .figures
        .iter()
        .any(|f| matches!(f.what, Stated::Money { .. }));
    asked && agrees && !told && !figure && draft.said.questions.is_empty()
}

/// "It can, Priya, if you wait", "Possibly": what it says depends on what was asked.
pub(super) fn answers_shortly(sentence: &str) -> bool {
    let raw: Vec<&str> = sentence.split_whitespace().take(3).collect();
    let word = |at: usize| {
        raw.get(at)
            .map(|w| plain_words(w).concat())
            .unwrap_or_default()
    };
    let ends = |at: usize| {
        raw.get(at)
            .is_some_and(|w| w.ends_with([',', '.', '!', ';']))
            || raw.len() == at + 1
    };
    let subject = matches!(
        word(0).as_str(),
        "it" | "that" | "this" | "they" | "we" | "you" | "i"
    );
    let modal = matches!(
        word(1).as_str(),
        "can"
            | "could"
            | "may"
            | "might"
            | "will"
            | "would"
            | "does"
            | "do"
            | "did"
            | "is"
            | "are"
            | "has"
            | "have"
            | "wont"
            | "doesnt"
            | "isnt"
            | "should"
            | "must"
            | "cant"
    );
    subject && modal && ends(1)
        || word(0) == "depende" && ends(0)
        || matches!(
            word(0).as_str(),
            "maybe"
                | "perhaps"
                | "possibly"
                | "probably"
                | "quiza"
                | "quizas"
                | "probablemente"
                | "posiblemente"
                | "depends"
                | "never"
                | "nunca"
                | "jamas"
        )
}

/// "Lowered, Sam", "Enviado al 203": a sentence that begins with what was done.
pub(super) fn tells_done(sentence: &str) -> bool {
    let words = plain_words(sentence);
    let Some(first) = words.first() else {
        return false;
    };
    let done = first.len() > 4
        && (first.ends_with("ed")
            || ["ado", "ada", "ido", "ida", "ados", "idos"]
                .iter()
                .any(|e| first.ends_with(e)));
    let fine = [
        "noted",
        "need",
        "indeed",
        "agreed",
        "excited",
        "pleased",
        "delighted",
        "tired",
        "based",
        "anotado",
        "entendido",
        "comprendido",
        "cuidado",
        "demasiado",
        "estimado",
        "estimada",
        "bienvenido",
        "bienvenida",
        "apuntado",
        "acordado",
        "perdida",
        "perdido",
        "cada",
        "nada",
        "encantado",
        "encantada",
        "dividido",
        "divided",
        "sabado",
        "saludos",
        "todos",
        "received",
        "recibido",
        "spread",
        "understood",
        "asked",
        "confirmed",
        "shared",
    ];
    // "Entendido y borrado."
    let named = |w: &str| {
        let written = sentence.split_whitespace();
        let mut written = written.filter(|raw| plain_words(raw).concat() == w);
        written.any(|raw| {
            raw.chars()
                .find(|c| c.is_alphabetic())
                .is_some_and(char::is_uppercase)
        })
    };
    let short = words.len() <= 4
        && words.iter().skip(1).any(|w| {
            w.len() > 5
                && ["ado", "ada", "ido", "ida"].iter().any(|e| w.ends_with(e))
                && !fine.contains(&w.as_str())
                && !named(w)
        });
    short || done && !fine.contains(&first.as_str())
}

/// "Pay what you owe", "Deje el dinero con Tony": an order, unless it is one to get in touch or
/// names a way to pay that its own check has compared.
pub(super) fn orders_tenant(draft: &Draft<'_>, sentence: &std::ops::Range<usize>) -> bool {
    if holds_contact(draft, sentence) {
        return false;
    }
    let words = plain_words(draft.words(sentence));
    let at = |n: usize| words.get(n).map_or("", String::as_str);
    match at(0) {
        "think" | "imagine" | "learn" | "save" | "cut" | "grow" | "skip" | "pay" | "bring"
        | "hand" | "wire" | "mail" | "drop" | "borrow" | "sell" | "sign" | "leave" | "ask"
        | "find" | "stop" | "quit" | "go" | "come" | "put" | "apply" | "budget" => true,
        "send" => !matches!(at(1), "us" | "me" | "a"),
        "give" => !matches!((at(1), at(2)), ("us" | "me" | "them", "a")),
        "get" => !matches!(at(1), "in" | "well" | "back" | "some"),
        "pague" | "paga" | "mande" | "deje" | "firme" | "venda" | "consiga" | "pida" | "traiga"
        | "deposite" | "entregue" | "abone" | "venga" | "vaya" | "busque" => true,
        _ => false,
    }
}
