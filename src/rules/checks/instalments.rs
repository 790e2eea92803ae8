//! The arithmetic of instalments, in one place. Payments of an amount come to a sum and leave a rest; a
//! balance takes so many of them, the last one smaller. Whatever a reply counts or adds up about
//! payments has to be one of these, worked out from an amount somebody may name.

use super::shortfalls::{says_limit, says_longer, says_short};
use super::vouched::{self, role};
use super::{Draft, Grounds};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

/// How an amount and a number of payments belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// They pay the balance, and one payment fewer would not.
    Finishes,
    /// All but a smaller last one, which the reply names.
    AllButLast,
    /// They pay the balance, in more weeks than a plan may have, and the reply says so.
    TooLong,
    /// They pay a part, and the reply says so or names what they come to or leave.
    Part,
}

/// How so many payments of an amount belong to what is owed; `None` when they do not.
pub(super) fn fit(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    sentence: usize,
    amount: Cents,
    payments: i64,
) -> Option<Fit> {
    if vouched::is_pair(draft, grounds, amount, payments) {
        return Some(Fit::Finishes);
    }
    // "5 payments of $90 and a last one of $55", of $505: any amount may be proposed that adds up.
    let exact = |base: &Cents| {
        let rest = amount
            .checked_mul(payments)
            .and_then(|paid| base.checked_sub(paid));
        rest.is_some_and(|rest| rest > Cents::ZERO && rest < amount && adds_last(draft, rest))
    };
    let proposed = amount >= grounds.settings.plans.min_weekly
        && payments >= 1
        && payments < i64::from(grounds.settings.plans.max_weeks)
        && bases_for(draft, grounds, amount).iter().any(exact);
    if proposed {
        return Some(Fit::AllButLast);
    }
    if payments < 1 || !may_be_named(draft, grounds, sentence, amount) {
        return None;
    }
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let enough = amount >= grounds.settings.plans.min_weekly;
    // What the rules compute is a plan only with the length it was computed for.
    let is_spoken = spoken(grounds, amount);
    for base in bases_for(draft, grounds, amount) {
        let needed = grounds.payments_needed(amount, base)?;
        let paid = amount.checked_mul(payments)?;
        let rest = base.checked_sub(paid)?;
        if payments == needed && needed > longest && says_limit(draft, grounds, sentence) {
            return Some(Fit::TooLong);
        }
        if payments == needed && needed <= longest && enough && is_spoken {
            return Some(Fit::Finishes);
        }
        let smaller = rest < amount && names(draft, rest) && adds_last(draft, rest);
        if payments + 1 == needed && needed <= longest && enough && smaller {
            return Some(Fit::AllButLast);
        }
        if payments == longest && needed > longest && says_longer(draft, sentence) {
            return Some(Fit::TooLong);
        }
        let counted = grounds.counts().contains(&payments) || payments == longest;
        // "In 8 weeks, with a last payment of $50": the last one is one of them.
        let last = payments + 1 == needed && speaks_of_last(draft);
        let left = rest != amount && names(draft, rest) && !last;
        if payments < needed
            && (names(draft, paid) || left || counted && says_short(draft, sentence))
        {
            return Some(Fit::Part);
        }
    }
    None
}

/// Whether an amount is the smaller last payment of an offered one.
pub(super) fn names_last(draft: &Draft<'_>, grounds: &Grounds<'_>, last: Cents) -> bool {
    let offered = grounds
        .offers
        .iter()
        .chain(&grounds.counters)
        .map(|o| o.weekly);
    offered.chain(grounds.own_amounts()).any(|weekly| {
        bases_for(draft, grounds, weekly).into_iter().any(|base| {
            grounds
                .payments_needed(weekly, base)
                .and_then(|n| weekly.checked_mul(n - 1))
                .and_then(|paid| base.checked_sub(paid))
                == Some(last)
        })
    })
}

/// What payments of an amount may be for: the debt, or a rest of it that the reply names, or whose
/// first payment it names.
pub(super) fn bases_for(draft: &Draft<'_>, grounds: &Grounds<'_>, amount: Cents) -> Vec<Cents> {
    let debt = grounds.debt();
    let visible = |base: &Cents| {
        let before = debt
            .and_then(|d| d.checked_sub(*base))
            .filter(|first| *first != amount);
        names(draft, *base) && *base != amount || before.is_some_and(|first| names(draft, first))
    };
    let mut all = grounds.bases();
    all.retain(|base| Some(*base) == debt || visible(base));
    all
}

/// An amount of payments that may be talked of at all: one that was offered, computed or named by the
/// tenant; in a refusal also one from a text that gives orders.
fn may_be_named(draft: &Draft<'_>, grounds: &Grounds<'_>, sentence: usize, amount: Cents) -> bool {
    let ordered = |s: &crate::reading::statements::Statements| {
        s.figures
            .iter()
            .any(|f| matches!(f.what, Stated::Money { amount: own, .. } if own == amount))
    };
    spoken(grounds, amount)
        || vouched::computed(draft, grounds, amount)
        || grounds.asked.iter().any(ordered)
            && (says_short(draft, sentence) || says_limit(draft, grounds, sentence))
}

/// Offered, worked out from an offer, or named in the conversation.
fn spoken(grounds: &Grounds<'_>, amount: Cents) -> bool {
    let mut plans = grounds.offers.iter().chain(&grounds.counters);
    plans.any(|p| p.weekly == amount)
        || grounds.own_amounts().any(|own| own == amount)
        || grounds.named_before(amount)
}

pub(super) fn names(draft: &Draft<'_>, sum: Cents) -> bool {
    let is = |f: &Statement| matches!(f.what, Stated::Money { amount, .. } if amount == sum);
    sum > Cents::ZERO && draft.said.figures.iter().any(is)
}

pub(super) fn speaks_of_last(draft: &Draft<'_>) -> bool {
    let last = ["last", "final", "ultim"];
    plain_words(draft.reply)
        .iter()
        .any(|w| last.iter().any(|s| w.starts_with(s)))
}

/// "And a last one of $55" comes on top of the payments counted before; "with the last one $55" is one
/// of them.
pub(super) fn adds_last(draft: &Draft<'_>, last: Cents) -> bool {
    draft.said.figures.iter().any(|f| {
        let before = draft.reply.get(..f.span.start).unwrap_or_default();
        let words = plain_words(before);
        let near = words.iter().rev().take(7);
        let and = near.clone().position(|w| {
            matches!(
                w.as_str(),
                "and" | "y" | "plus" | "then" | "mas" | "luego" | "followed" | "e"
            )
        });
        let with = near
            .clone()
            .position(|w| matches!(w.as_str(), "with" | "con" | "being" | "siendo"));
        matches!(f.what, Stated::Money { amount, .. } if amount == last)
            && and.is_some_and(|and| with.is_none_or(|with| and < with))
    })
}

/// Whether a number of weeks or payments follows from an amount in play: what the balance takes, all
/// but the last, what is left of them, or how many fewer one amount takes than another.
pub(super) fn counts(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    n: i64,
    unit: Unity,
) -> bool {
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let said = &draft.said.figures;
    let money = |f: &&Statement| {
        matches!(f.what, Stated::Money { .. })
            && (unit == Unity::Payment || is_recurring(draft, grounds, f))
    };
    let amounts = said.iter().filter(money).filter_map(|f| match f.what {
        Stated::Money { amount, .. } if grounds.debt() != Some(amount) => Some(amount),
        _ => None,
    });
    // "70 a week. how long", where the reader sees no offer.
    let rhythm = |f: &Statement| matches!(f.what, Stated::Period { .. });
    let weekly = grounds.own.iter().flat_map(|s| &s.figures).any(rhythm)
        || grounds.said_any(&["weeks", "semanas", "long"]);
    let own = grounds
        .own_amounts()
        .filter(|_| unit == Unity::Payment || weekly && n > longest);
    let offered = grounds
        .offers
        .iter()
        .chain(grounds.counters.iter().filter(|p| names(draft, p.weekly)))
        .map(|p| p.weekly);
    // "10 weeks instead", at the amount that was spoken of before.
    let before = grounds.earlier.iter().copied().filter(|a| names(draft, *a));
    let amounts: Vec<Cents> = amounts
        .chain(own)
        .chain(offered)
        .chain(before)
        .filter(|a| *a >= grounds.settings.plans.min_weekly)
        .collect();
    let after = plain_words(draft.reply.get(figure.span.start..).unwrap_or_default());
    let near = |list: &[&str]| after.iter().take(5).any(|w| list.contains(&w.as_str()));
    if !is_further(draft, figure)
        && amounts
            .iter()
            .any(|a| n > 0 && fit(draft, grounds, figure.sentence, *a, n).is_some())
    {
        return true;
    }
    let needed: Vec<i64> = amounts
        .iter()
        .flat_map(|a| {
            bases_for(draft, grounds, *a)
                .into_iter()
                .map(move |b| (a, b))
        })
        .filter_map(|(a, base)| grounds.payments_needed(*a, base))
        .filter(|n| *n <= longest)
        .collect();
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let led = before.iter().rev().take(2).any(|w| {
        matches!(
            w.as_str(),
            "other" | "another" | "remaining" | "otros" | "otras" | "restantes" | "demas"
        )
    });
    // "Six more payments", "nueve semanas más": what is left after those that were counted.
    let more = led
        || near(&[
            "more",
            "mas",
            "left",
            "restantes",
            "remaining",
            "faltarian",
            "after",
            "later",
        ]);
    let mut counted = grounds.counts();
    counted.extend(
        said.iter()
            .filter(|f| f.span != figure.span)
            .filter_map(|f| vouched::count(draft, f)),
    );
    counted.push(1);
    let rest = more
        && needed
            .iter()
            .any(|all| counted.iter().any(|k| all - k == n));
    // "Three weeks sooner": the difference of two lengths.
    let sooner = near(&[
        "sooner", "earlier", "faster", "fewer", "less", "antes", "menos", "quicker",
    ]);
    let lengths: Vec<i64> = needed
        .iter()
        .copied()
        .chain([longest])
        .chain(counted)
        .collect();
    let differs = sooner && needed.iter().any(|a| lengths.iter().any(|b| b - a == n));
    rest || differs
}

/// "4 more payments", "nueve semanas más": counts those that are left, not all.
pub(super) fn is_further(draft: &Draft<'_>, figure: &Statement) -> bool {
    let after = plain_words(draft.reply.get(figure.span.start..).unwrap_or_default());
    after
        .iter()
        .skip(1)
        .take(2)
        .any(|w| matches!(w.as_str(), "more" | "mas"))
}

/// Said to be paid again and again: with a rhythm, or with a length right beside it.
pub(super) fn is_recurring(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let dated = draft.said.figures.iter().any(|f| {
        f.sentence == figure.sentence
            && matches!(f.what, Stated::Date { .. })
            && (f.span.start >= figure.span.end && f.span.start - figure.span.end < 12)
    });
    role(draft, figure, "weekly")
        || !dated && !vouched::lengths_of(draft, grounds, figure).is_empty()
}

/// Whether a figure is a payment that a length beside it proves.
pub(super) fn is_proven_payment(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let lengths = vouched::lengths_of(draft, grounds, figure);
    let fits = |n: &i64| fit(draft, grounds, figure.sentence, amount, *n).is_some();
    // "At $110 that's 5 more payments"
    let further = |f: &Statement| {
        f.sentence == figure.sentence
            && is_further(draft, f)
            && vouched::count(draft, f).is_some_and(|n| {
                lengths.contains(&n) && counts(draft, grounds, f, n, Unity::Payment)
            })
    };
    lengths.iter().any(fits)
        || may_be_named(draft, grounds, figure.sentence, amount)
            && draft.said.figures.iter().any(further)
}

/// Whether payments of an amount for the length beside it pay what is owed.
pub(super) fn finishes(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let lengths = vouched::lengths_of(draft, grounds, figure);
    lengths.iter().any(|n| {
        let fit = fit(draft, grounds, figure.sentence, amount, *n);
        matches!(fit, Some(Fit::Finishes | Fit::AllButLast))
    })
}

/// Whether a figure is what so many payments of another amount in the same or the sentence before come
/// to: "$600 over 8 weeks at $75".
pub(super) fn is_proven_total(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    total: Cents,
) -> bool {
    let near = |f: &&Statement| {
        f.sentence <= figure.sentence && f.sentence + 1 >= figure.sentence && f.span != figure.span
    };
    let said = || draft.said.figures.iter().filter(near);
    let counts: Vec<i64> = said().filter_map(|f| vouched::count(draft, f)).collect();
    said().any(|f| match f.what {
        Stated::Money { amount, .. } if grounds.debt() != Some(amount) => counts.iter().any(|n| {
            amount.checked_mul(*n) == Some(total)
                && fit(draft, grounds, f.sentence, amount, *n).is_some()
        }),
        _ => false,
    })
}

/// Whether the reply states a plan in full that pays the debt and that the tenant had a part in: their
/// amount or their length, after the first payment they named.
pub(super) fn restates(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    // "$145 every paycheck": plans are weekly.
    let other =
        |f: &Statement| matches!(f.what, Stated::Period { payments, weeks } if payments != weeks);
    let rhythm = [
        "paycheck",
        "paychecks",
        "check",
        "month",
        "monthly",
        "mes",
        "quincena",
        "biweekly",
        "cheque",
    ];
    if grounds.own.iter().flat_map(|s| &s.figures).any(other) || grounds.said_any(&rhythm) {
        return false;
    }
    draft.said.figures.iter().any(|f| match f.what {
        Stated::Money { amount, .. } if grounds.debt() != Some(amount) => {
            let lengths = vouched::lengths_of(draft, grounds, f);
            lengths.iter().any(|n| {
                let theirs =
                    grounds.own_amounts().any(|own| own == amount) || grounds.counts().contains(n);
                let within = *n <= i64::from(grounds.settings.plans.max_weeks)
                    && amount >= grounds.settings.plans.min_weekly;
                // All but a smaller last one, when that is named.
                let fit = fit(draft, grounds, f.sentence, amount, *n);
                let least = n + i64::from(fit == Some(Fit::AllButLast) || speaks_of_last(draft));
                let pays = |base: &Cents| grounds.payments_needed(amount, *base) <= Some(least);
                theirs
                    && within
                    && bases_for(draft, grounds, amount).iter().any(pays)
                    && matches!(fit, Some(Fit::Finishes | Fit::AllButLast))
            })
        }
        _ => false,
    })
}
