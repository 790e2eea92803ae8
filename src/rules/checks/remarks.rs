//! Remarks without a figure: thanks, sympathy, questions, offers of help. Threats, promises and claims
//! can be worded in more ways than any list holds; what a reply needs to say without a figure cannot.
//! So a clause that is none of the known remarks is read by a manager first.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNFIT, terse, words};
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
    if terse::agrees(draft, grounds, &name) {
        return Finding::failed(NAME, UNFIT, "bare", "agrees without saying to what");
    }
    for (at, sentence) in draft.said.sentences.iter().enumerate() {
        if draft.said.questions.contains(&at) {
            continue;
        }
        if terse::answers_shortly(draft.words(sentence)) {
            return Finding::failed(NAME, UNFIT, "bare", "agrees without saying to what");
        }
        if terse::tells_done(draft.words(sentence)) {
            let why = "says that something was done";
            return Finding::failed(NAME, UNFIT, "done", why);
        }
        if terse::orders_tenant(draft, sentence) {
            return Finding::failed(NAME, UNFIT, "demand", "tells the tenant what to do");
        }
        for clause in clauses(draft.reply, sentence.clone()) {
            if has_figure(draft, &clause) || quotes_company(draft, grounds, &clause) {
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

            let scheduled = covers_all(grounds, &words) || is_schedule(draft, &clause, &words);
            if !(small || cued || scheduled || refuses(&words) || asks_nothing(&words)) {
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

/// "You can come from Monday to Friday, 8:30 am to 5 pm": times the company itself gives, which their
/// own check has compared.
fn quotes_company(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    clause: &std::ops::Range<usize>,
) -> bool {
    draft.said.figures.iter().any(|f| {
        clause.contains(&f.span.start)
            && matches!(f.what, Stated::Digits | Stated::Number(_))
            && grounds.company.figures.iter().any(|c| c.what == f.what)
    })
}

/// A link or phone number in a clause, or around it: their own checks know whether they may stand.
pub(super) fn holds_contact(draft: &Draft<'_>, clause: &std::ops::Range<usize>) -> bool {
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

/// "That would cover your balance", when what the tenant names does.
fn covers_all(grounds: &Grounds<'_>, words: &[String]) -> bool {
    let says = words
        .iter()
        .any(|w| w.starts_with("cover") || w.starts_with("cubr"));
    let pays = grounds
        .debt()
        .is_some_and(|debt| grounds.own_amounts().any(|a| a >= debt));
    let plan = !grounds.offers.is_empty() && grounds.offers.iter().all(|o| grounds.admits(*o));
    says && (pays || plan) && words.len() <= 8
}

/// "That plan would finish on August 7": a date that its own check has compared, and what of the plan
/// falls on it.
fn is_schedule(draft: &Draft<'_>, clause: &std::ops::Range<usize>, words: &[String]) -> bool {
    let dated = draft.said.figures.iter().any(|f| {
        matches!(f.what, Stated::Date { date: Some(_), .. }) && clause.contains(&f.span.start)
    });
    let stems = [
        "finish", "end", "complet", "start", "begin", "first", "last", "final", "payment", "plan",
        "termin", "empez", "empiez", "comenz", "comienz", "primer", "ultim", "pago",
    ];
    dated && words.len() <= 8 && words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)))
}

/// "I can't", "we aren't able", "no podemos".
fn refuses(words: &[String]) -> bool {
    let depends = words.windows(4).any(|w| {
        matches!(w[0].as_str(), "depends" | "depende")
            && matches!(w[3].as_str(), "many" | "weeks" | "semanas")
    });
    depends
        || words.windows(2).any(|w| {
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
                    | ("within", "our" | "the")
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
