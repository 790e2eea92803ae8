//! What the tenant's words and the account come to: single payments, shares, counts, and the balances
//! that payments may be meant for.

use super::{Grounds, vouched};
use crate::domain::Cents;
use crate::reading::statements::{Stated, Statements};

/// Words of a payment apart from weekly ones.
const APART: &[&str] = &[
    "today", "now", "down", "first", "upfront", "front", "then", "rest", "after", "tomorrow",
    "already", "hoy", "ahora", "luego", "despues", "resto", "entrada", "enganche", "primero",
    "manana", "ya", "lump",
];

/// A number that the reader of texts could not tell for sure ("cover 350 of it") is an amount when it
/// is as large as one.
fn amount_of(what: Stated) -> Option<Cents> {
    match what {
        Stated::Money { amount, .. } => Some(amount),
        Stated::Number(hundredths) if hundredths >= 5_000 => Some(Cents::new(hundredths)),
        _ => None,
    }
}

impl Grounds<'_> {
    /// Amounts the tenant named.
    pub fn own_amounts(&self) -> impl Iterator<Item = Cents> + '_ {
        self.own
            .iter()
            .flat_map(|s| &s.figures)
            .filter_map(|f| amount_of(f.what))
    }

    /// Single payments the tenant names: not those with a rhythm, and beside an offer only where the
    /// texts speak of a payment apart from it; shares of the debt as the amounts they come to.
    pub fn singles(&self) -> Vec<Cents> {
        let apart = self.offers.is_empty()
            || self
                .own
                .iter()
                .flat_map(|s| &s.figures)
                .any(|f| matches!(f.what, Stated::Date { .. }))
            || self.said_any(APART);
        // "200 now and then 200 a week": the same amount twice, once as a single payment.
        let twice = |amount: &Cents| {
            self.own.iter().any(|s| {
                let same = s
                    .figures
                    .iter()
                    .filter(|f| amount_of(f.what) == Some(*amount));
                same.count() > 1
            }) && self.said_any(APART)
        };
        let recurring =
            |amount: &Cents| self.offers.iter().any(|o| o.weekly == *amount) && !twice(amount);
        let single = |s: &Statements| -> Vec<Cents> {
            let figures = s.figures.iter().enumerate();
            figures
                .filter_map(|(i, f)| {
                    let next = s.figures.get(i + 1).map(|f| f.what);
                    let rhythm = matches!(next, Some(Stated::Period { .. }));
                    amount_of(f.what).filter(|_| !rhythm)
                })
                .collect()
        };
        let named = self.own.iter().flat_map(single);
        // "Split it in 10" names no ten dollars.
        let least = self.settings.plans.min_weekly;
        let mut out: Vec<Cents> = named
            .filter(|a| apart && !recurring(a) && *a >= least)
            .collect();
        out.extend(self.shares());
        out
    }

    /// Parts of the debt the tenant names: "25%", "a third".
    fn shares(&self) -> Vec<Cents> {
        let pays = [
            "pay", "paying", "pago", "pagar", "doy", "give", "down", "send", "put",
        ];
        let Some(debt) = self.debt().filter(|_| self.said_any(&pays)) else {
            return Vec::new();
        };
        let percents = self
            .own
            .iter()
            .flat_map(|s| &s.figures)
            .filter_map(|f| match f.what {
                Stated::Percent(h) if (1..10_000).contains(&h) => {
                    debt.checked_mul(h).and_then(|c| c.divided_by(10_000))
                }
                _ => None,
            });
        let mut out: Vec<Cents> = percents.collect();
        let words = [
            ("third", 3),
            ("tercio", 3),
            ("tercera", 3),
            ("quarter", 4),
            ("cuarta", 4),
        ];
        for (word, by) in words {
            if self.said_any(&[word]) {
                out.extend(debt.divided_by(by));
                out.extend(debt.divided_by_ceil(by));
            }
        }
        out
    }

    /// Weeks or payments the tenant counts.
    pub fn counts(&self) -> Vec<i64> {
        let all = self.own.iter().flat_map(|s| &s.figures);
        let mut counts: Vec<i64> = all.filter_map(vouched::weeks).collect();
        if !self.gives_orders {
            for (text, said) in self.texts.iter().zip(&self.asked) {
                let days = said.figures.iter();
                counts.extend(days.filter_map(|f| vouched::counted_day(text, f)));
            }
        }
        counts
    }

    /// Whether an open text asks what it comes to in lengths it names: "how much for 8 or 10 weeks".
    pub fn asks_lengths(&self) -> bool {
        self.asked.iter().any(|s| {
            !s.figures
                .iter()
                .any(|f| matches!(f.what, Stated::Money { marked: true, .. }))
                && s.figures
                    .iter()
                    .filter(|f| vouched::weeks(f).is_some())
                    .count()
                    > 0
        }) && !self.promises
            && self
                .offers
                .iter()
                .all(|o| o.weekly < self.settings.plans.min_weekly)
    }

    /// Whether an amount was named in the conversation before, by either side.
    pub fn named_before(&self, amount: Cents) -> bool {
        self.earlier.contains(&amount)
    }

    /// What payments may be meant to pay: the debt, what is left of it after single payments, and,
    /// when the tenant speaks of two parts, its halves.
    pub fn bases(&self) -> Vec<Cents> {
        self.parts()
    }

    /// Whether the open texts name the amount, whatever they order.
    pub fn asks_for(&self, amount: Cents) -> bool {
        let mut figures = self.asked.iter().flat_map(|s| &s.figures);
        figures.any(|f| matches!(f.what, Stated::Money { amount: own, .. } if own == amount))
    }

    /// Whether the tenant used one of these folded words.
    pub fn said_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.own_words.contains(*w))
    }

    /// The balances and, when the tenant speaks of two parts, half of the debt.
    pub fn parts(&self) -> Vec<Cents> {
        let mut out = self.balances();
        if let Some(debt) = self.debt().filter(|_| self.halves()) {
            out.extend(debt.divided_by(2));
            out.extend(debt.divided_by_ceil(2));
        }
        out
    }

    /// Whether the tenant speaks of two parts.
    pub fn halves(&self) -> bool {
        self.said_any(&[
            "half", "halves", "mitad", "two", "dos", "2", "split", "partes",
        ])
    }

    /// How many payments of an amount a debt takes.
    pub fn payments_needed(&self, amount: Cents, debt: Cents) -> Option<i64> {
        (amount > Cents::ZERO).then(|| (debt.get() + amount.get() - 1).div_euclid(amount.get()))
    }

    /// What is left of the debt after payments the tenant named, and the debt itself first.
    pub fn balances(&self) -> Vec<Cents> {
        let Some(debt) = self.debt() else {
            return Vec::new();
        };
        let own = self.singles();
        let mut out = vec![debt];
        let mut all = debt;
        for amount in &own {
            out.extend(debt.checked_sub(*amount).filter(|c| *c > Cents::ZERO));
            if let Some(left) = all.checked_sub(*amount).filter(|c| *c > Cents::ZERO) {
                all = left;
                out.push(left);
            }
        }
        out
    }
}
