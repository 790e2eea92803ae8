//! Percentages and fractions.

use super::sums::Sums;
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::plain_words;
use crate::reading::statements::Stated;

const NAME: &str = "percentages";

/// Folded words for shares of something.
const FRACTIONS: &[&str] = &[
    "half", "mitad", "quarter", "quarters", "thirds", "fourth", "tercio", "tercios", "double",
    "doble", "triple", "twice", "halfway",
];

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let known = |what: Stated| {
        let mut all = grounds
            .own
            .iter()
            .flat_map(|s| &s.figures)
            .chain(&grounds.company.figures);
        all.any(|f| f.what == what)
    };
    for figure in &draft.said.figures {
        let Stated::Percent(hundredths) = figure.what else {
            continue;
        };
        if !known(figure.what)
            && !is_coverage(grounds, hundredths)
            && !is_share(draft, grounds, hundredths)
        {
            return Finding::failed(NAME, UNGROUNDED, "percentage", "a share that nobody stated");
        }
    }
    let words = plain_words(draft.reply);
    let parted = words.windows(2).find_map(|pair| match pair {
        [a, b] => matches!(
            (a.as_str(), b.as_str()),
            ("third" | "fifth" | "tenth", "of") | ("tercera" | "cuarta" | "quinta", "parte")
        )
        .then_some(a),
        _ => None,
    });
    let fraction = words
        .iter()
        .enumerate()
        .find(|(at, w)| {
            let checks = words
                .get(at + 1)
                .is_some_and(|next| next.starts_with("check"));
            FRACTIONS.contains(&w.as_str()) && !checks
        })
        .map(|(_, w)| w)
        .or(parted);
    if fraction.is_some_and(|w| {
        !grounds.own_words.contains(w) && !grounds.halves() && !is_half(draft, grounds)
    }) {
        return Finding::failed(
            NAME,
            UNGROUNDED,
            "fraction",
            "a part of something that nobody named",
        );
    }
    // A sign the reader of figures did not reach.
    let signs = draft.reply.matches('%').count();
    let read = draft
        .said
        .figures
        .iter()
        .filter(|f| matches!(f.what, Stated::Percent(_)))
        .count();
    if signs > read {
        return Finding::failed(
            NAME,
            UNGROUNDED,
            "percentage",
            "a share that cannot be read",
        );
    }
    Finding::passed(NAME)
}

/// The reply names the half itself, which the amounts are checked for.
fn is_half(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    is_share(draft, grounds, 5000)
}

/// "That's 50% of it": an amount that the reply names, or the tenant, and that payments come to is so
/// much of the debt. The amounts are checked for it.
fn is_share(draft: &Draft<'_>, grounds: &Grounds<'_>, hundredths: i64) -> bool {
    let Some(share) = grounds
        .debt()
        .and_then(|debt| debt.checked_mul(hundredths)?.divided_by(10_000))
    else {
        return false;
    };
    let named = |f: &crate::reading::statements::Statement| matches!(f.what, Stated::Money { amount, .. } if amount == share);
    let own = grounds.own_amounts().any(|own| own == share);
    own || draft.said.figures.iter().any(named) && Sums::of(draft, grounds).paid.contains(&share)
}

/// What part of the debt an offered plan covers.
fn is_coverage(grounds: &Grounds<'_>, hundredths: i64) -> bool {
    grounds.offers.iter().any(|offer| {
        grounds
            .verdict(*offer)
            .coverage_permille
            .is_some_and(|permille| {
                permille * 10 == hundredths || (permille + 5) / 10 * 100 == hundredths
            })
    })
}
