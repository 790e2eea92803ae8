//! What the company says it does, did or will do. What a reply may commit it to is little: to note,
//! ask, pass on, look, call. So the verbs are listed, and a sentence about the company with another
//! verb is read by a manager first, as is anything it says it will not do.

use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNFIT, spanish_acts, words};

const NAME: &str = "commitments";

/// Verbs of the company.
pub(super) static ACTS: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::listed(include_str!("words/acts.txt")));
/// Verbs of the tenant.
static TENANT_ACTS: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::listed(include_str!("words/tenant_acts.txt")));

/// Whoever acts for the company, by itself or with a verb joined to it.
const PRONOUNS: &[&str] = &[
    "i", "we", "they", "he", "she", "someone", "somebody", "nobody", "everyone", "no-one",
];
const DECIDERS: &[&str] = &[
    "manager",
    "team",
    "owner",
    "office",
    "person",
    "landlord",
    "member",
    "supervisor",
    "staff",
    "management",
    "colleague",
    "company",
    "department",
];
/// Who is held up as an example.
const OTHERS: &[&str] = &[
    "people",
    "everybody",
    "others",
    "tenants",
    "residents",
    "families",
    "neighbors",
    "everyone",
];
/// Between a subject and its verb.
static BETWEEN: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::listed(include_str!("words/between.txt")));
const AUXILIARIES: &[&str] = &[
    "will", "would", "can", "could", "may", "might", "has", "is", "'ll", "'s", "should",
];

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let all = cut(draft.reply);
    for (at, sentence) in draft.said.sentences.iter().enumerate() {
        if draft.said.questions.contains(&at) {
            continue;
        }
        let words = cut(draft.words(sentence));
        let plain: Vec<&str> = words.iter().map(String::as_str).collect();
        let named = DECIDERS.iter().any(|d| all.iter().any(|w| w == d))
            || all.iter().any(|w| w == "someone")
            || grounds.gives_orders;
        // "I hope he feels better", and "he anotado" is no English.
        let wished = plain.iter().any(|w| {
            matches!(
                *w,
                "hope" | "hoping" | "wish" | "wishing" | "glad" | "sorry"
            )
        });
        let stranger = !named
            && !wished
            && plain.iter().enumerate().any(|(i, w)| {
                matches!(*w, "they" | "he" | "she")
                    && !plain.get(i + 1).is_some_and(|next| {
                        ["ado", "ido", "cho", "to"]
                            .iter()
                            .any(|e| next.ends_with(e))
                    })
            });
        if stranger {
            return Finding::failed(NAME, UNFIT, "others", "speaks of people nobody mentioned");
        }
        if let Some(code) = english(&plain).or_else(|| spanish_acts::unlisted(&plain)) {
            return Finding::failed(
                NAME,
                UNFIT,
                code,
                "says that the company or the tenant does what no rule or fact names",
            );
        }
    }
    Finding::passed(NAME)
}

fn english(words: &[&str]) -> Option<&'static str> {
    for (at, word) in words.iter().enumerate() {
        let rest = words.get(at + 1..).unwrap_or_default();
        let opens = at == 0
            || words
                .get(at - 1)
                .is_some_and(|w| matches!(*w, "," | "most" | "other"));
        if opens && OTHERS.contains(word) && rest.first().is_some_and(|w| *w != ",") {
            return Some("everyone");
        }
        let pronoun = PRONOUNS.contains(word);
        let decider =
            DECIDERS.contains(word) && rest.first().is_some_and(|w| AUXILIARIES.contains(w));
        if (pronoun || decider)
            && let Some(code) = acts(rest, word)
        {
            return Some(code);
        }
        let before = at.checked_sub(1).and_then(|i| words.get(i)).copied();
        // "As much as you can" leaves its verb out; "in most places you could" agrees to something.
        let compared = before.is_some_and(|w| {
            matches!(
                w,
                "as" | "what" | "how" | "if" | "than" | "when" | "that" | "soon" | "once"
            )
        });
        let freed = *word == "you" && may_act(rest, compared);
        if freed {
            return Some("tenant");
        }
    }
    None
}

/// The verb after a subject of the company.
fn acts(rest: &[&str], subject: &str) -> Option<&'static str> {
    if matches!(subject, "nobody" | "no-one" | "everyone") {
        return Some("everyone");
    }
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        match *word {
            // "I can't waive it" refuses; "I can't wait to" is none, but commits to nothing either.
            "can't" | "cannot" | "couldn't" | "unable" | "isn't" | "aren't" | "haven't"
            | "hasn't" | "wouldn't" | "didn't" => return None,
            "not" if rest.get(at + 1).is_some_and(|w| *w != "going") => {
                let will = rest
                    .get(..at)
                    .is_some_and(|b| b.iter().any(|w| matches!(*w, "will" | "'ll")));
                let able = rest
                    .get(at + 1..)
                    .is_some_and(|a| a.iter().take(2).any(|w| *w == "able"));
                return (will && !able).then_some("will_not");
            }
            "don't" | "doesn't" => {
                let verb = rest.get(at + 1..).unwrap_or_default();
                let fine = verb.iter().take(2).any(|w| {
                    matches!(
                        *w,
                        "have"
                            | "see"
                            | "know"
                            | "show"
                            | "find"
                            | "offer"
                            | "want"
                            | "set"
                            | "allow"
                            | "think"
                            | "make"
                            | "accept"
                            | "decide"
                            | "give"
                            | "get"
                            | "mean"
                            | "need"
                            | "approve"
                    )
                });
                return (!fine).then_some("does_not");
            }
            "won't" => {
                let able = rest
                    .get(at + 1..)
                    .is_some_and(|a| a.iter().take(3).any(|w| *w == "able"));
                return (!able).then_some("will_not");
            }
            "never" | "not" => return Some("will_not"),
            w if BETWEEN.contains(&w) || w.ends_with("ly") && w != "reply" => {}
            _ => break,
        }
        at += 1;
    }
    let verb = rest.get(at)?;
    let after = rest.get(at + 1..).unwrap_or_default();
    let near = |n: usize, list: &[&str]| after.iter().take(n).any(|w| list.contains(w));
    let starts = |list: &[&str]| list.iter().any(|s| verb.starts_with(s));
    let fine = match *verb {
        "," | "." => true,
        // "We have Thursday, November 26 down for your payment"
        "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday"
        | "tomorrow" | "today" => true,
        // Common verbs that stand for much: only with what they may stand for.
        "make" | "making" if near(1, &["sure", "certain"]) => {
            near(10, &["manager", "team", "someone", "person", "they"])
                && !near(3, &["you", "nobody", "no-one"])
        }
        "make" | "made" | "making" => {
            near(3, &["note", "notes", "plan", "payment", "decision", "this"])
        }
        "take" | "took" | "taking" | "taken" => {
            near(3, &["note", "down", "look", "message", "over", "from"])
        }
        "put" => near(3, &["note", "touch", "together", "down"]),
        "keep" | "keeping" | "kept" => near(
            4,
            &[
                "posted", "mind", "updated", "eye", "informed", "helping", "note",
            ],
        ),
        "let" | "letting" => near(8, &["know"]),
        "give" => near(
            4,
            &[
                "call",
                "message",
                "details",
                "note",
                "information",
                "breakdown",
            ],
        ),
        "leave" | "left" => near(3, &["note", "message"]),
        "run" | "running" => near(10, &["manager", "team", "someone", "person", "office"]),
        // "We're glad you reached out"
        "you" | "that" => true,
        "same" => near(1, &["page"]),
        "send" | "sending" => near(
            4,
            &[
                "manager", "team", "office", "someone", "message", "question", "request", "note",
                "offer", "proposal",
            ],
        ),
        "bring" => near(4, &["manager", "team", "someone"]),
        "sure" => {
            near(10, &["manager", "team", "someone", "person"])
                && !near(3, &["you", "nobody", "no-one"])
        }
        w if tells(w) && near(1, &["her", "him", "his", "your"]) => false,
        "hear" | "heard" => !near(3, &["before"]),
        "expect" => !near(2, &["better", "more"]),
        "there" | "over" | "out" => false,
        "come" | "coming" => near(2, &["up"]),
        w if w.starts_with('$') || w.chars().any(|c| c.is_ascii_digit()) => true,
        _ => starts(&ACTS),
    };
    (!fine).then_some("company")
}

/// Verbs that bring something to somebody's ears.
fn tells(verb: &str) -> bool {
    [
        "text", "call", "tell", "told", "contact", "inform", "email", "send", "remind", "ask",
    ]
    .iter()
    .any(|s| verb.starts_with(s))
}

/// "You can stop whenever", "you won't have to": what the tenant may do or need not do.
fn may_act(rest: &[&str], compared: bool) -> bool {
    let mut at = 0;
    let Some(first) = rest.first() else {
        return false;
    };
    let modal = matches!(
        *first,
        "can"
            | "may"
            | "will"
            | "could"
            | "'ll"
            | "won't"
            | "don't"
            | "get"
            | "needn't"
            | "shouldn't"
    );
    if !modal {
        return false;
    }
    if matches!(*first, "won't" | "needn't" | "shouldn't") {
        return true;
    }
    if *first == "don't" {
        let excused = matches!(rest.get(1..3), Some(["have" | "need", "to"]));
        let small = rest.get(3).is_some_and(|w| {
            matches!(
                *w,
                "explain" | "apologize" | "answer" | "give" | "decide" | "share" | "be"
            )
        });
        // "You don't have to pay it all at once"
        let at_once = rest
            .iter()
            .any(|w| matches!(*w, "once" | "alone" | "yourself" | "now"));
        return excused && !small && !at_once;
    }
    at += 1;
    while rest.get(at).is_some_and(|w| {
        matches!(
            *w,
            "also"
                | "just"
                | "always"
                | "still"
                | "then"
                | "either"
                | "be"
                | "able"
                | "to"
                | "only"
                | "certainly"
        ) || w.ends_with("ly")
    }) {
        at += 1;
    }
    if matches!(rest.get(at..at + 2), Some(["stop", next]) if *next != "by") {
        return true;
    }
    let elided = rest.get(at).is_none_or(|w| *w == ",");
    if elided && !compared && matches!(*first, "can" | "could" | "may" | "will") {
        return true;
    }
    rest.get(at).is_some_and(|verb| {
        verb.chars().all(char::is_alphabetic) && !TENANT_ACTS.iter().any(|s| verb.starts_with(s))
    })
}

/// Lower-case words; contractions apart ("we'll" is "we" and "'ll"); a mark that turns is a comma.
fn cut(text: &str) -> Vec<String> {
    let text = text
        .to_lowercase()
        .replace(['’', '‘'], "'")
        .replace("no one", "no-one")
        .replace("go ahead and ", "");
    let mut out = Vec::new();
    for raw in text.split_whitespace() {
        let core = raw.trim_matches(|c: char| !c.is_alphanumeric() && c != '$');
        let joined = ["'ll", "'ve", "'d", "'m", "'re", "'s"]
            .iter()
            .find_map(|end| core.strip_suffix(end).map(|stem| (stem, *end)));
        match joined {
            Some((stem, end)) if PRONOUNS.contains(&stem) || stem == "you" => {
                out.push(stem.to_owned());
                out.push(end.to_owned());
            }
            _ if core.is_empty() => {}
            _ => out.push(core.to_owned()),
        }
        if raw.ends_with([',', ':', ';', '-', '—']) || core.is_empty() {
            out.push(",".to_owned());
        }
    }
    out
}
