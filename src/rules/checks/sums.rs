//! What payments come to and leave: every sum that follows from the amounts and counts of a reply.

use super::instalments::{bases_for, fit, names, speaks_of_last};
use super::{Draft, Grounds, vouched};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::Stated;

/// What payments come to, and what they leave.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Sums of payments.
    pub(super) paid: Vec<Cents>,
    /// What is owed after them; the last payment.
    pub(super) rest: Vec<Cents>,
    /// What they exceed the balance by.
    pub(super) over: Vec<Cents>,
}

impl Sums {
    /// Every sum that follows from the amounts and counts that tenant and reply name.
    pub(super) fn of(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Self {
        let mut sums = Self::default();
        let said = &draft.said.figures;
        let own_counts = grounds.counts();
        let longest = i64::from(grounds.settings.plans.max_weeks);
        let named = |amount: Cents| names(draft, amount);
        let mut amounts: Vec<Cents> = grounds.offers.iter().map(|o| o.weekly).collect();
        let least = grounds.settings.plans.min_weekly;
        amounts.extend(grounds.own_amounts().filter(|a| *a >= least));
        amounts.extend(
            grounds
                .counters
                .iter()
                .map(|o| o.weekly)
                .filter(|a| named(*a)),
        );
        for figure in said {
            let Stated::Money { amount, .. } = figure.what else {
                continue;
            };
            if grounds.debt() == Some(amount) {
                continue;
            }
            let lengths = vouched::lengths_of(draft, grounds, figure);
            let own = |n: &i64| fit(draft, grounds, figure.sentence, amount, *n).is_some();
            if lengths.iter().any(own) || vouched::computed(draft, grounds, amount) {
                amounts.push(amount);
            }
        }
        amounts.sort_unstable();
        amounts.dedup();
        for amount in amounts.into_iter().filter(|a| *a > Cents::ZERO) {
            // Only counts that belong to the amount: any count with any amount would prove too much.
            let mut counts = own_counts.clone();
            for figure in said {
                if matches!(figure.what, Stated::Money { amount: at, .. } if at == amount) {
                    counts.extend(vouched::lengths_of(draft, grounds, figure));
                }
            }
            let after_one = is_after_one(draft);
            for base in bases_for(draft, grounds, amount) {
                let whole = grounds.debt() == Some(base);
                let one = (after_one && whole).then_some(1);
                let Some(needed) = grounds.payments_needed(amount, base) else {
                    continue;
                };
                for n in counts
                    .iter()
                    .copied()
                    .chain(one)
                    .chain([needed.min(longest)])
                {
                    if (1..=needed.max(longest)).contains(&n) {
                        sums.add(base, amount, n);
                    }
                }
                // The smaller last payment.
                let last = amount
                    .checked_mul(needed - 1)
                    .and_then(|p| base.checked_sub(p));
                sums.rest.extend(last.filter(|last| *last != amount));
            }
        }
        let own: Vec<Cents> = grounds.own_amounts().collect();
        for (at, first) in own.iter().enumerate() {
            let pairs = own
                .iter()
                .skip(at + 1)
                .filter_map(|second| first.checked_add(*second));
            sums.paid.extend(pairs);
        }
        // Single payments one after another.
        let mut all = Cents::ZERO;
        for single in grounds.singles() {
            all = all.checked_add(single).unwrap_or(all);
            sums.paid.push(all);
        }
        sums
    }

    fn add(&mut self, base: Cents, amount: Cents, payments: i64) {
        let Some(paid) = amount.checked_mul(payments) else {
            return;
        };
        self.paid.push(paid);
        let positive = |c: &Cents| *c > Cents::ZERO;
        let left = base.checked_sub(paid).filter(positive);
        self.rest
            .extend(left.filter(|left| *left != amount || payments == 1));
        self.over.extend(paid.checked_sub(base).filter(positive));
    }

    /// Whether it is any of them.
    pub(super) fn has(&self, sum: Cents) -> bool {
        self.paid.contains(&sum) || self.rest.contains(&sum) || self.over.contains(&sum)
    }
}

/// The amounts of a sentence with the lengths that belong to them.
pub(super) fn pairs(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    sentence: usize,
) -> Vec<(Cents, i64)> {
    let inside = draft.said.figures.iter().filter(|f| f.sentence == sentence);
    inside
        .filter_map(|f| match f.what {
            Stated::Money { amount, .. } if grounds.debt() != Some(amount) => {
                let lengths = vouched::lengths_of(draft, grounds, f);
                Some(lengths.into_iter().map(move |n| (amount, n)))
            }
            _ => None,
        })
        .flatten()
        .collect()
}

/// What the payments counted in a sentence come to.
pub(super) fn products(draft: &Draft<'_>, grounds: &Grounds<'_>, sentence: usize) -> Vec<Cents> {
    let pairs = pairs(draft, grounds, sentence).into_iter();
    pairs
        .filter_map(|(amount, n)| amount.checked_mul(n))
        .collect()
}

/// "Could you pay $600 first and then $200 for 12 weeks?": a question whose payments come to the debt.
pub(super) fn proposal_adds_up(draft: &Draft<'_>, grounds: &Grounds<'_>, sentence: usize) -> bool {
    let pairs = pairs(draft, grounds, sentence);
    let [(each, n)] = pairs.as_slice() else {
        return false;
    };
    let single = draft.said.figures.iter().find_map(|f| match f.what {
        Stated::Money { amount, .. } if f.sentence == sentence && amount != *each => {
            (grounds.debt() != Some(amount)).then_some(amount)
        }
        _ => None,
    });
    let paid = each
        .checked_mul(*n)
        .zip(single)
        .and_then(|(paid, single)| paid.checked_add(single));
    draft.said.questions.contains(&sentence)
        && *n <= i64::from(grounds.settings.plans.max_weeks)
        && *each >= grounds.settings.plans.min_weekly
        && paid.is_some()
        && paid == grounds.debt()
}

/// "After today's payment", "después del primer pago": one payment.
pub(super) fn is_after_one(draft: &Draft<'_>) -> bool {
    let words = plain_words(draft.reply);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    has(&[
        "after", "once", "despues", "luego", "tras", "leaves", "leaving", "deja",
    ]) && has(&[
        "first", "todays", "today", "that", "primer", "primero", "hoy", "one", "payment",
    ])
}

/// Whether payments that the reply names pay the debt to the cent, a first or last one included.
pub(super) fn adds_up(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    let Some(debt) = grounds.debt() else {
        return false;
    };
    let counts: Vec<i64> = draft
        .said
        .figures
        .iter()
        .filter_map(|f| vouched::count(draft, f))
        .collect();
    let amounts = draft.said.figures.iter().filter_map(|f| match f.what {
        Stated::Money { amount, .. } if amount != debt => Some(amount),
        _ => None,
    });
    let mut paid = amounts.flat_map(|a| {
        counts
            .iter()
            .filter_map(move |n| Some((a, *n, a.checked_mul(*n)?)))
    });
    paid.any(|(amount, n, paid)| {
        // "12 payments, the last one $15"
        let last = amount
            .checked_mul(n - 1)
            .and_then(|paid| debt.checked_sub(paid))
            .filter(|last| *last > Cents::ZERO && *last < amount);
        if speaks_of_last(draft) && last.is_some_and(|last| names(draft, last)) {
            return true;
        }
        let apart = debt
            .checked_sub(paid)
            .filter(|rest| *rest >= Cents::ZERO && *rest != amount);
        apart.is_some_and(|rest| rest == Cents::ZERO || names(draft, rest))
    })
}
