//! Weekly amounts: offered, proposed or derived from a length, and nothing else.

use super::vouched::{self, role};
use super::{Draft, Grounds, instalments};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

/// The period right after or before an amount: payments in so many weeks.
pub(super) fn period_beside(draft: &Draft<'_>, figure: &Statement) -> Option<(i64, i64)> {
    draft.said.figures.iter().find_map(|f| match f.what {
        Stated::Period { payments, weeks } if f.sentence == figure.sentence => {
            let gap = if f.span.start >= figure.span.end {
                draft.reply.get(figure.span.end..f.span.start)
            } else {
                None
            };
            gap.is_some_and(|g| g.trim().is_empty())
                .then_some((payments, weeks))
        }
        _ => None,
    })
}

pub(super) fn wrong_weekly(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> Option<(&'static str, &'static str)> {
    let period = period_beside(draft, figure).unwrap_or((1, 1));
    // "Wednesday the 1st and Wednesday the 15th, $465 each time": single payments the tenant named.
    let single =
        period_beside(draft, figure).is_none() && grounds.own_amounts().any(|a| a == amount);
    let days = |s: &crate::reading::statements::Statements| {
        s.figures
            .iter()
            .filter(|f| matches!(f.what, Stated::Date { .. }))
            .count()
            > 1
    };
    if single && grounds.offers.is_empty() && grounds.asked.iter().any(days) {
        return None;
    }
    // "What could you put toward the $1,600 each week?"
    let asked = draft.said.questions.contains(&figure.sentence);
    if asked && grounds.debt() == Some(amount) && is_toward(draft, figure) {
        return None;
    }
    if period != (1, 1) {
        // Another rhythm is only repeated, never proposed: the plan rules count weeks.
        let same = |s: &crate::reading::statements::Statements| {
            s.figures.windows(2).any(|pair| match pair {
                [a, b] => {
                    matches!(a.what, Stated::Money { amount: own, .. } if own == amount)
                        && matches!(b.what, Stated::Period { payments, weeks } if (payments, weeks) == period)
                }
                _ => false,
            }) || s.figures.windows(2).any(|pair| match pair {
                // "biweekly 100"
                [a, b] => {
                    matches!(a.what, Stated::Period { payments, weeks } if (payments, weeks) == period)
                        && matches!(b.what, Stated::Money { amount: own, .. } if own == amount)
                }
                _ => false,
            })
        };
        let converted = amount
            .checked_mul(period.0)
            .and_then(|total| total.divided_by(period.1))
            .is_some_and(|weekly| grounds.offers.iter().any(|o| o.weekly == weekly));
        let weekly = amount
            .checked_mul(period.0)
            .and_then(|total| total.divided_by(period.1))
            .unwrap_or_default();
        let lengths = vouched::lengths_of(draft, grounds, figure);
        let finishes = lengths
            .iter()
            .any(|n| vouched::is_pair(draft, grounds, weekly, *n))
            || rhythm_finishes(draft, grounds, figure, amount, period);
        let longest = i64::from(grounds.settings.plans.max_weeks);
        // "$300 every other week would take longer than 12 weeks"
        let takes_longer = || {
            let needed = grounds
                .debt()
                .and_then(|d| grounds.payments_needed(amount, d));
            needed.is_some_and(|n| n * period.1 > longest * period.0)
                && super::shortfalls::says_longer(draft, figure.sentence)
        };
        let short = lengths.contains(&longest)
            && (super::shortfalls::says_short(draft, figure.sentence) || takes_longer());
        if !(lengths.is_empty() || finishes || short)
            && lengths
                .iter()
                .any(|n| !grounds.own.iter().any(|s| counts(s, *n)))
        {
            return Some(("period", "an amount and a length that do not fit"));
        }
        return (!grounds.own.iter().any(same) && !converted)
            .then_some(("period", "an amount for a period that nobody offered"));
    }
    if grounds.debt() == Some(amount) && is_paid_weekly(draft, figure) {
        return None;
    }
    if is_converted(draft, grounds, figure, amount) {
        return None;
    }
    if converts_wrongly(draft, figure) {
        return Some((
            "converted",
            "two rhythms of payment that do not come to the same",
        ));
    }
    let minimum = amount == grounds.settings.plans.min_weekly && role(draft, figure, "minimum");
    if minimum {
        return None;
    }
    let asks = draft.said.questions.contains(&figure.sentence);
    let admissible = grounds.offers.iter().any(|o| grounds.admits(*o));
    // "It would have to be weekly: 10 payments of $43. How does that look?", to 100 a fortnight.
    let asks_next = draft.said.questions.contains(&(figure.sentence + 1))
        && grounds
            .own
            .iter()
            .flat_map(|s| &s.figures)
            .any(|f| matches!(f.what, Stated::Period { payments, weeks } if payments != weeks));
    // "What about 8 weeks instead": what the length they name comes to.
    let their_length = grounds.asked.iter().flat_map(|s| &s.figures).any(|f| {
        vouched::weeks(f).is_some_and(|n| {
            n > 1
                && vouched::lengths_of(draft, grounds, figure).contains(&n)
                && vouched::is_pair(draft, grounds, amount, n)
        })
    });
    let proposes = asks
        || asks_next
        || their_length
        || role(draft, figure, "instead")
        || !admissible && !role(draft, figure, "attributed")
        || grounds.own_amounts().any(|a| a == amount)
        || grounds.asks_lengths();
    let halves = grounds.debt().is_some_and(|debt| {
        grounds.halves()
            && (debt.divided_by(2) == Some(amount) || debt.divided_by_ceil(2) == Some(amount))
    });
    if halves && period_beside(draft, figure).is_none() {
        return None;
    }
    let offered = grounds.offers.iter().any(|o| o.weekly == amount);
    if role(draft, figure, "attributed") && !offered && !grounds.own_amounts().any(|a| a == amount)
    {
        return Some(("attributed", "a weekly amount the tenant did not name"));
    }
    if !offered && !grounds.offers.is_empty() && !proposes {
        return Some(("replaced", "a weekly amount in place of the offered one"));
    }
    if !offered && !asks && demands(draft, figure) && admissible {
        return Some((
            "replaced",
            "asks for more than an offer that the rules admit",
        ));
    }
    if let Some(wrong) = contradicts(draft, grounds, figure, amount) {
        return Some(wrong);
    }
    if comes_short_of_exact(draft, grounds, figure, amount) {
        return Some((
            "exact",
            "payments that do not come to what they are said to",
        ));
    }
    if pairs_in_order(draft, grounds, figure) {
        return None;
    }
    let lengths = vouched::lengths_of(draft, grounds, figure);
    // The length may be a limit in the same sentence ("for up to 12 weeks").
    let fine = if lengths.is_empty() {
        vouched::is_weekly(draft, grounds, amount)
            || grounds.named_before(amount)
            || asks && divides(draft, grounds, amount)
            || grounds.gives_orders
                && (super::shortfalls::says_short(draft, figure.sentence)
                    || super::refusal::is_refused(draft, &figure.span))
                && grounds.asks_for(amount)
    } else {
        instalments::is_proven_payment(draft, grounds, figure, amount)
    };
    (!fine).then_some((
        "weekly",
        "a weekly amount that no offer or plan rule explains",
    ))
}

/// "Would it help to pay the $1,210 weekly?": in weekly payments, not so much each week.
fn is_paid_weekly(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let definite = before
        .last()
        .is_some_and(|w| matches!(w.as_str(), "the" | "los" | "your" | "sus"));
    definite
        && before.iter().rev().take(4).any(|w| {
            w.starts_with("pay")
                || w.starts_with("pag")
                || w.starts_with("clear")
                || w.starts_with("split")
                || w.starts_with("cubr")
        })
}

/// "We'd really need $150 a week".
fn demands(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    words.windows(2).any(|w| {
        matches!(w[0].as_str(), "we" | "wed" | "i" | "id" | "must" | "have")
            && matches!(w[1].as_str(), "need" | "require" | "really" | "pay")
    }) || words
        .windows(3)
        .any(|w| w[0] == "have" && w[1] == "to" && w[2] == "pay")
        || words
            .iter()
            .any(|w| w.starts_with("necesitamos") || w.starts_with("requerimos"))
}

/// "$200 every other Friday is like $100 a week": the tenant's amount in weekly terms.
fn is_converted(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    dateless(draft).windows(2).any(|pair| match pair {
        [a, b] => match (a.what, b.what) {
            (Stated::Money { amount: own, .. }, Stated::Period { payments, weeks }) => {
                let weekly = own.checked_mul(payments).and_then(|c| c.divided_by(weeks));
                a.sentence == figure.sentence
                    && a.span != figure.span
                    && weeks > payments
                    && weekly == Some(amount)
                    && grounds.own_amounts().any(|named| named == own)
            }
            _ => false,
        },
        _ => false,
    })
}

/// "$150 every two weeks is $100 a week".
fn converts_wrongly(draft: &Draft<'_>, figure: &Statement) -> bool {
    draft.said.named("equals").any(|p| {
        let inside = |f: &&Statement| p.span.start <= f.span.start && f.span.end <= p.span.end;
        if !inside(&figure) {
            return false;
        }
        // "Every other Friday" is a day and a rhythm: the rhythm counts.
        let figures: Vec<&Statement> = draft
            .said
            .figures
            .iter()
            .filter(inside)
            .filter(|f| !matches!(f.what, Stated::Date { .. }))
            .collect();
        let weekly: Vec<Cents> = figures
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] => match (a.what, b.what) {
                    (Stated::Money { amount, .. }, Stated::Period { payments, weeks }) => {
                        amount.checked_mul(payments)?.divided_by(weeks)
                    }
                    _ => None,
                },
                _ => None,
            })
            .collect();
        weekly.iter().any(|w| Some(w) != weekly.first())
    })
}

fn counts(said: &crate::reading::statements::Statements, n: i64) -> bool {
    said.figures.iter().any(|f| vouched::weeks(f) == Some(n))
}

/// "Would $50 a week work?", where it pays the debt in no plan; "$160 a week isn't enough", which nobody
/// offered.
fn contradicts(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> Option<(&'static str, &'static str)> {
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let covers = instalments::bases_for(draft, grounds, amount)
        .iter()
        .any(|base| {
            grounds
                .payments_needed(amount, *base)
                .is_some_and(|n| n <= longest)
        });
    let short = super::shortfalls::says_short(draft, figure.sentence);
    let words = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&words.unwrap_or_default()));
    let proposes = draft.said.questions.contains(&figure.sentence)
        && words.iter().any(|w| {
            [
                "would", "could", "podria", "puede", "sería", "seria", "manage", "possible",
                "doable",
            ]
            .iter()
            .any(|s| w.starts_with(s))
        });
    let more = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "more" | "above" | "higher" | "mas" | "than" | "from"
        )
    });
    if grounds.debt().is_some() && !covers && proposes && !short && !more {
        return Some(("short", "proposes payments that do not cover the balance"));
    }
    let spoken = grounds.offers.iter().any(|o| o.weekly == amount)
        || grounds.own_amounts().any(|own| own == amount)
        || grounds.named_before(amount)
        || grounds.asks_for(amount);
    let first = draft.said.figures.iter().find(|f| {
        f.sentence == figure.sentence
            && matches!(f.what, Stated::Money { amount, .. } if grounds.debt() != Some(amount))
    });
    let denied = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "not"
                | "no"
                | "doesnt"
                | "wont"
                | "wouldnt"
                | "isnt"
                | "below"
                | "under"
                | "little"
                | "low"
                | "short"
        )
    });
    let minimum = amount == grounds.settings.plans.min_weekly;
    // "I can't do the 20th, but $112 a week would cover it": what is turned down is something else.
    let turned = words
        .iter()
        .any(|w| matches!(w.as_str(), "but" | "pero" | "however"));
    (!turned
        && short
        && denied
        && !spoken
        && !minimum
        && first.is_some_and(|f| f.span == figure.span))
    .then_some(("denied", "turns down an amount that nobody offered"))
}

/// "5 payments of $55 and you're exactly done", of $265: covered, but not to the cent.
fn comes_short_of_exact(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    let exact = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "exactly" | "justo" | "exacto" | "exactamente" | "justos"
        )
    });
    let bases = grounds.bases();
    exact
        && !super::sums::adds_up(draft, grounds)
        && vouched::lengths_of(draft, grounds, figure).iter().all(|n| {
            amount
                .checked_mul(*n)
                .is_none_or(|paid| !bases.contains(&paid))
        })
}

/// "$145 every two weeks would take 20 weeks": counted in weeks, or in payments.
fn rhythm_finishes(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
    period: (i64, i64),
) -> bool {
    let counted = |n: i64, wanted: bool| {
        draft.said.figures.iter().any(|f| {
            f.sentence == figure.sentence
                && vouched::weeks(f) == Some(n)
                && matches!(
                    f.what,
                    Stated::Count {
                        unit: Unity::Payment,
                        ..
                    }
                ) == wanted
        })
    };
    let bases = instalments::bases_for(draft, grounds, amount);
    bases.iter().any(|base| {
        grounds
            .payments_needed(amount, *base)
            .is_some_and(|n| counted(n, true) || counted(n * period.1 / period.0, false))
    })
}

/// "$1,040 would be left. Could you do $130 a week?": a question about payments that pay a balance to
/// the cent, in a length that is not named.
fn divides(draft: &Draft<'_>, grounds: &Grounds<'_>, amount: Cents) -> bool {
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let bases = instalments::bases_for(draft, grounds, amount);
    amount >= grounds.settings.plans.min_weekly
        && bases
            .iter()
            .any(|base| (2..=longest).any(|n| amount.checked_mul(n) == Some(*base)))
}

/// "Toward the $1,600": what is to be paid off, not a payment.
fn is_toward(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = plain_words(before);
    let near = words.iter().rev().take(3);
    near.clone().any(|w| {
        matches!(
            w.as_str(),
            "toward" | "towards" | "against" | "hacia" | "cubrir" | "cover" | "off"
        )
    })
}

/// "At 12 weeks it's $30, and at 10 weeks it's $36": as many lengths as amounts, each with its own.
pub(super) fn pairs_in_order(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let inside = || {
        draft
            .said
            .figures
            .iter()
            .filter(|f| f.sentence == figure.sentence)
    };
    let lengths: Vec<i64> = inside().filter_map(|f| vouched::count(draft, f)).collect();
    let balances = grounds.balances();
    let amounts: Vec<Cents> = inside()
        .filter_map(|f| match f.what {
            Stated::Money { amount, .. } if !balances.contains(&amount) => Some(amount),
            _ => None,
        })
        .collect();
    let fits = |(amount, weeks): (&Cents, &i64)| {
        instalments::fit(draft, grounds, figure.sentence, *amount, *weeks).is_some()
    };
    !lengths.is_empty() && lengths.len() == amounts.len() && amounts.iter().zip(&lengths).all(fits)
}

/// The figures without days: "every other Friday" is a day and a rhythm, and the rhythm counts.
fn dateless<'d>(draft: &'d Draft<'_>) -> Vec<&'d Statement> {
    let day = |f: &&Statement| matches!(f.what, Stated::Date { .. });
    draft.said.figures.iter().filter(|f| !day(f)).collect()
}
