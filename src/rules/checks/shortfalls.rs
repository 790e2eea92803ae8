//! Sentences that say that payments are too small, too few or take too long. Such a sentence may name
//! figures that no plan has.

use super::{Draft, Grounds, vouched};
use crate::reading::plain_words;
use crate::reading::statements::Stated;

/// The words after the last "but", or all.
pub(super) fn after_turn(words: &[String]) -> &[String] {
    let turn = words
        .iter()
        .rposition(|w| matches!(w.as_str(), "but" | "pero" | "however"));
    words.get(turn.unwrap_or(0)..).unwrap_or_default()
}

/// "It would take longer than 12 weeks".
pub(super) fn says_longer(draft: &Draft<'_>, sentence: usize) -> bool {
    let words = words_of(draft, sentence);
    !affirms(after_turn(&words))
        && words.iter().any(|w| {
            [
                "longer", "more", "past", "beyond", "exce", "pasa", "mas", "supera", "over",
            ]
            .iter()
            .any(|stem| w.starts_with(stem))
        })
}

/// Folded words of a sentence.
pub(super) fn words_of(draft: &Draft<'_>, sentence: usize) -> Vec<String> {
    let span = draft.said.sentences.get(sentence).cloned();
    plain_words(draft.words(&span.unwrap_or_default()))
}

pub(super) fn refuses(words: &[String]) -> bool {
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "not"
                | "no"
                | "cant"
                | "cannot"
                | "unable"
                | "doesnt"
                | "wont"
                | "wouldnt"
                | "dont"
                | "isnt"
                | "couldnt"
                | "arent"
                | "tampoco"
                | "ni"
        )
    })
}

/// "$660 wouldn't cover it", "se queda corto": a sentence says that payments are too few or too small.
pub(super) fn says_short(draft: &Draft<'_>, sentence: usize) -> bool {
    let words = words_of(draft, sentence);
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let reach = [
        "cover", "reach", "enough", "cubr", "alcanz", "lleg", "complet", "suffic", "clear",
        "finish", "get", "pay", "termin", "quite", "fit", "below",
    ];
    if affirms(after_turn(&words)) {
        return false;
    }
    refuses(&words) && has(&reach)
        || has(&[
            "short", "below", "falt", "corto", "insuf", "debajo", "apart",
        ])
        || words.windows(2).any(|w| {
            matches!(
                (w[0].as_str(), w[1].as_str()),
                ("less", "than")
                    | ("menos", "que")
                    | ("menos", "de" | "del")
                    | ("too", "little" | "low" | "small")
                    | ("muy", "poco")
                    | (
                        "only",
                        "cover" | "covers" | "reaches" | "reach" | "pays" | "gets" | "comes"
                    )
                    | (
                        "solo",
                        "cubre" | "cubren" | "cubriria" | "cubririan" | "llega"
                    )
                    | ("under", "the")
            )
        })
}

/// "24 weeks, and 12 is the longest": a sentence names the limit of the plan rules, or refuses.
pub(super) fn says_limit(draft: &Draft<'_>, grounds: &Grounds<'_>, sentence: usize) -> bool {
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let limit = draft.said.figures.iter().any(|f| {
        f.sentence <= sentence + 1
            && f.sentence + 1 >= sentence
            && (vouched::count(draft, f) == Some(longest)
                || matches!(f.what, Stated::Number(n) if n == longest * 100))
    });
    let words = words_of(draft, sentence);
    // "December 11 is fine, but": what comes after the turn counts.
    let words = after_turn(&words);
    limit && !affirms(words)
        || refuses(words)
        || words.windows(2).any(|w| {
            matches!(
                (w[0].as_str(), w[1].as_str()),
                ("more", "than") | ("mas", "de")
            )
        }) && !affirms(words)
        || words.iter().any(|w| {
            [
                "longer", "past", "exced", "pasa", "supera", "beyond", "exceed", "over", "above",
            ]
            .iter()
            .any(|stem| w.starts_with(stem))
        }) && !affirms(words)
}

/// "That works": agrees, whatever else the sentence names.
pub(super) fn affirms(words: &[String]) -> bool {
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "works"
                | "fine"
                | "okay"
                | "ok"
                | "approved"
                | "deal"
                | "perfecto"
                | "trato"
                | "lets"
                | "hagamos"
                | "dejemos"
                | "quedamos"
                | "agreed"
                | "perfect"
                | "acordado"
                | "acuerdo"
                | "doable"
        )
    }) && !refuses(words)
}

/// Whether a sentence says that payments are too small, too few or take too long.
pub(super) fn says_short_or_long(draft: &Draft<'_>, sentence: usize) -> bool {
    let words = words_of(draft, sentence);
    says_short(draft, sentence) || refuses(&words) || says_longer(draft, sentence) || {
        let need = ["need", "necesit", "tard", "toma", "take", "llev"];
        words.iter().any(|w| need.iter().any(|s| w.starts_with(s)))
    }
}
