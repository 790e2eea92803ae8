//! Remarks without a figure: thanks, sympathy, questions, offers of help. Threats, promises and claims
//! can be worded in more ways than any list holds; what a reply needs to say without a figure cannot.
//! So a clause that is none of the known remarks is read by a manager first.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNFIT, words};
use crate::reading::plain_words;
use crate::reading::statements::Stated;

const NAME: &str = "remarks";

/// Beginnings of words, one of which marks a clause as a remark that may stand alone.
static CUES: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::listed(include_str!("words/remark_cues.txt")));

/// Whole clauses, folded, that say only yes, fine or whose text it is.
static SMALL: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    words::listed(include_str!("words/small.txt"))
        .into_iter()
        .collect()
});

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let name = grounds
        .tenant
        .and_then(|t| t.tenant_name.as_deref())
        .map(plain_words)
        .unwrap_or_default();
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
            )
    };
    let agreed = words.iter().all(agrees) && !grounds.texts.is_empty();
    if words.len() <= 2 && words.iter().any(|w| bare.contains(&w.as_str())) || agreed {
        return Finding::failed(NAME, UNFIT, "bare", "agrees without saying to what");
    }
    if only_agrees(draft, grounds, &words) {
        return Finding::failed(NAME, UNFIT, "bare", "agrees without saying to what");
    }
    for (at, sentence) in draft.said.sentences.iter().enumerate() {
        if draft.said.questions.contains(&at) {
            continue;
        }
        if answers_shortly(draft.words(sentence)) {
            return Finding::failed(NAME, UNFIT, "bare", "agrees without saying to what");
        }
        if tells_done(draft.words(sentence)) {
            let why = "says that something was done";
            return Finding::failed(NAME, UNFIT, "done", why);
        }
        if orders_tenant(draft, sentence) {
            return Finding::failed(NAME, UNFIT, "demand", "tells the tenant what to do");
        }
        for clause in clauses(draft.reply, sentence.clone()) {
            if has_figure(draft, &clause) {
                continue;
            }
            let words = plain_words(&without_dates(draft, &clause));
            if holds_contact(draft, &clause) {
                // Their own checks know whether they may stand.
                continue;
            }
            let small = words.iter().all(|w| {
                SMALL.contains(w.as_str()) || name.contains(w) || grounds.fact_words.contains(w)
            });
            let cued = words.iter().any(|w| CUES.iter().any(|c| w.starts_with(*c)));

            if !(small || cued || refuses(&words) || asks_nothing(&words)) {
                return Finding::failed(
                    NAME,
                    UNFIT,
                    "remark",
                    "a statement of a kind the service does not know",
                );
            }
        }
    }
    Finding::passed(NAME)
}

/// "It can, Priya, if you wait", "Possibly": what it says depends on what was asked.
fn answers_shortly(sentence: &str) -> bool {
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
fn tells_done(sentence: &str) -> bool {
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
    done && !fine.contains(&first.as_str())
}

/// "Pay what you owe", "Deje el dinero con Tony": an order, unless it is one to get in touch or
/// names a way to pay that its own check has compared.
fn orders_tenant(draft: &Draft<'_>, sentence: &std::ops::Range<usize>) -> bool {
    if holds_contact(draft, sentence) {
        return false;
    }
    let words = plain_words(draft.words(sentence));
    let at = |n: usize| words.get(n).map_or("", String::as_str);
    match at(0) {
        "pay" | "bring" | "hand" | "wire" | "mail" | "drop" | "borrow" | "sell" | "sign"
        | "leave" | "ask" | "find" | "stop" | "quit" | "go" | "come" | "put" | "apply"
        | "budget" => true,
        "send" => !matches!(at(1), "us" | "me" | "a"),
        "give" => !matches!((at(1), at(2)), ("us" | "me" | "them", "a")),
        "get" => !matches!(at(1), "in" | "well" | "back" | "some"),
        "pague" | "paga" | "mande" | "deje" | "firme" | "venda" | "consiga" | "pida" | "traiga"
        | "deposite" | "entregue" | "abone" | "venga" | "vaya" | "busque" => true,
        _ => false,
    }
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

/// Sums, lengths and shares are compared by their own checks; a bare date proves nothing.
fn has_figure(draft: &Draft<'_>, clause: &std::ops::Range<usize>) -> bool {
    draft.said.figures.iter().any(|f| {
        clause.contains(&f.span.start)
            && matches!(
                f.what,
                Stated::Money { .. }
                    | Stated::Count { .. }
                    | Stated::Percent(_)
                    | Stated::Period { .. }
            )
    })
}

/// A link or phone number in a clause, or around it: their own checks know whether they may stand.
fn holds_contact(draft: &Draft<'_>, clause: &std::ops::Range<usize>) -> bool {
    let reply = draft.reply;
    let start = reply.get(..clause.start).unwrap_or_default();
    let from = start
        .rfind(char::is_whitespace)
        .map_or(0, |at| at + 1)
        .min(clause.start);
    let rest = reply.get(clause.end..).unwrap_or_default();
    let to = clause.end + rest.find(char::is_whitespace).unwrap_or(rest.len());
    let text = reply.get(from..to).unwrap_or_default();
    !super::links::links(text).is_empty() || !super::phones::numbers(text).is_empty()
}

/// A clause without its date words, which their own check has compared.
fn without_dates(draft: &Draft<'_>, clause: &std::ops::Range<usize>) -> String {
    let mut text = draft.words(clause).to_owned();
    let dates = draft.said.figures.iter().rev().filter(|f| {
        matches!(f.what, Stated::Date { .. })
            && clause.start <= f.span.start
            && f.span.end <= clause.end
    });
    for date in dates {
        let (from, to) = (date.span.start - clause.start, date.span.end - clause.start);
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, " ");
        }
    }
    text
}

/// "I can't", "we aren't able", "no podemos".
fn refuses(words: &[String]) -> bool {
    words.windows(2).any(|w| {
        matches!(
            (w[0].as_str(), w[1].as_str()),
            ("dont" | "doesnt", "see" | "show" | "have" | "know")
                | ("i" | "we", "cant" | "cannot" | "arent" | "couldnt")
                | ("im" | "am" | "are" | "were", "not" | "unable")
                | ("not" | "isnt", "able" | "something" | "possible")
                | (
                    "no",
                    "podemos" | "puedo" | "es" | "esta" | "se" | "tengo" | "tenemos" | "veo"
                )
                | (
                    "look" | "looking",
                    "for" | "out" | "forward" | "into" | "at"
                )
                | ("down", "for")
                | ("works", "out" | "well" | "great")
                | ("they", "see")
                | ("from", "here")
                | ("eye", "out" | "on")
                | ("work" | "working", "with")
                | ("you", "prefer" | "owe")
        )
    })
}

/// Invitations that leave everything to the tenant.
fn asks_nothing(words: &[String]) -> bool {
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "lets"
                | "please"
                | "favor"
                | "if"
                | "once"
                | "want"
                | "could"
                | "cuando"
                | "podria"
                | "gustaria"
                | "quiere"
        )
    })
}

/// A sentence, cut where it turns.
fn clauses(text: &str, sentence: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    let words = text.get(sentence.clone()).unwrap_or_default();
    let mut cuts = vec![0];
    for turn in [
        ", but ",
        " but ",
        ", pero ",
        " pero ",
        "; ",
        ", and we",
        ", so ",
        ", or ",
        " because ",
    ] {
        cuts.extend(words.match_indices(turn).map(|(at, _)| at));
    }
    let conditional = plain_words(words).first().is_some_and(|w| {
        matches!(
            w.as_str(),
            "once"
                | "when"
                | "whenever"
                | "if"
                | "cuando"
                | "si"
                | "after"
                | "while"
                | "as"
                | "until"
        )
    });
    // "Thanks Ada, it posted today": what follows a greeting stands for itself.
    for (at, _) in words.match_indices(", ") {
        let rest = words.get(at + 2..).unwrap_or_default();
        let next = plain_words(rest);
        let opens = next.first().is_some_and(|w| {
            matches!(
                w.as_str(),
                "it" | "its"
                    | "you"
                    | "youre"
                    | "youll"
                    | "that"
                    | "thats"
                    | "this"
                    | "they"
                    | "your"
                    | "nobody"
                    | "no"
                    | "not"
                    | "we"
                    | "were"
                    | "well"
                    | "weve"
                    | "quedese"
                    | "aqui"
                    | "nadie"
                    | "usted"
                    | "su"
                    | "eso"
                    | "ya"
                    | "le"
                    | "les"
                    | "todo"
            )
        });
        if opens && next.len() >= 3 && !conditional {
            cuts.push(at);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let ends = cuts
        .iter()
        .skip(1)
        .copied()
        .chain(std::iter::once(words.len()));
    cuts.iter()
        .zip(ends)
        .map(|(from, to)| sentence.start + from..sentence.start + to)
        .filter(|c| {
            text.get(c.clone())
                .is_some_and(|t| t.chars().any(char::is_alphabetic))
        })
        .collect()
}
