//! The second layer: tokens grouped into amounts, periods, durations and dates.
//!
//! Cue phrases are matched over units, so "100 to 150" or "every other friday" is one symbol to
//! them and a phrase need not know how figures are written.

use super::lexicon::{Sym, sym};
use super::model::Model;
use super::numbers::Number;
use super::pattern::Hit;
use super::tokens::{Figure, Token};
use super::words::Class;
use crate::domain::money::Cents;

/// An amount of money in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money {
    pub amount: Cents,
    /// Given as a range or choice; `amount` is the lower bound (labelling guide §1.7).
    pub range: bool,
    /// With a dollar sign or a word for dollars.
    pub marked: bool,
}

/// How often a payment is made, as payments per `weeks` weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub payments: i64,
    pub weeks: i64,
    pub kind: PeriodKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeriodKind {
    Plain,
    /// `a week`: counts only after an amount.
    Weak,
    /// Per paycheck; the frequency is elsewhere or unknown.
    Paycheck,
}

impl Period {
    pub(super) const fn plain(payments: i64, weeks: i64) -> Self {
        Self {
            payments,
            weeks,
            kind: PeriodKind::Plain,
        }
    }
}

/// `8 weeks`, `2 months`, `4 payments`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration {
    pub length: Length,
    /// `6 to 8 weeks`: the lower bound was taken.
    pub range: bool,
    /// "4 weekly payments": the period named with the count.
    pub period: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Weeks(i64),
    /// A number of payments of the plan's own period.
    Payments(i64),
    /// A bare number after `x`: weeks or payments.
    Times(i64),
    /// `a few weeks`.
    Vague,
}

/// One unit: a word, a mark or an entity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub sym: Sym,
    /// Tokens `first..last`.
    pub first: usize,
    pub last: usize,
    pub entity: Entity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    None,
    Money(Money),
    Period(Period),
    Duration(Duration),
    /// Index of the label in the date table.
    Date(u16),
    /// A bare number that is no amount.
    Number(i64),
}

/// Groups the tokens of a text into units.
pub(crate) fn group(tokens: &[Token], text: &str, model: &Model) -> Vec<Unit> {
    let syms: Vec<Sym> = tokens.iter().map(|t| t.sym).collect();
    let mut grouper = Grouper {
        tokens,
        syms: &syms,
        text,
        model,
        units: Vec::with_capacity(tokens.len()),
        hits: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.len() {
        let unit = grouper.unit(at);
        at = unit.last;
        grouper.units.push(unit);
    }
    grouper.units
}

/// State of one pass over the tokens.
pub(crate) struct Grouper<'a> {
    pub tokens: &'a [Token],
    pub syms: &'a [Sym],
    pub text: &'a str,
    pub model: &'a Model,
    pub units: Vec<Unit>,
    hits: Vec<Hit>,
}

impl Grouper<'_> {
    pub(super) fn is(&self, at: usize, class: Class) -> bool {
        self.syms
            .get(at)
            .is_some_and(|s| self.model.classes.is(*s, class))
    }

    pub(super) fn sym(&self, at: usize) -> Sym {
        self.syms.get(at).copied().unwrap_or(sym::STOP)
    }

    /// Whether the word at a token is one of these.
    pub(super) fn named(&self, at: usize, words: &[&str]) -> bool {
        let word = self.sym(at);
        words
            .iter()
            .any(|w| self.model.lexicon.get(w) == Some(word))
    }

    pub(super) fn number(&self, at: usize) -> Option<Number> {
        self.model.numbers.read(self.tokens, self.text, at)
    }

    /// The longest reading at a token wins; on a tie the order period, duration, date, amount.
    fn unit(&mut self, at: usize) -> Unit {
        let period = self.period(at);
        let duration = super::durations::read(self, at);
        // "over a month" after an amount: a time, not "a month" as a period.
        let period = match (period, duration) {
            // "200 a month for a year" too.
            (Some((p, end)), Some((_, other)))
                if (p.kind == PeriodKind::Weak || p.weeks == 48) && other >= end =>
            {
                None
            }
            (period, _) => period,
        };
        let date = self.longest_date(at);
        let money = super::amounts::read(self, at);
        let mut best = Unit {
            sym: self.sym(at),
            first: at,
            last: at + 1,
            entity: Entity::None,
        };
        let mut consider = |sym: Sym, last: usize, entity: Entity| {
            if last > best.last || (last == best.last && best.entity == Entity::None) {
                best = Unit {
                    sym,
                    first: at,
                    last,
                    entity,
                };
            }
        };
        if let Some((p, end)) = period {
            consider(sym::PERIOD, end, Entity::Period(p));
        }
        if let Some((d, end)) = duration {
            consider(sym::DURATION, end, Entity::Duration(d));
        }
        if let Some((label, end)) = date {
            consider(sym::DATE, end, Entity::Date(label));
        }
        if let Some((m, end)) = money {
            consider(sym::MONEY, end, Entity::Money(m));
        }
        if best.entity == Entity::None
            && let Some(n) = self.number(at).filter(|n| n.digits)
        {
            best = Unit {
                sym: sym::NUM,
                first: at,
                last: n.end,
                entity: Entity::Number(n.hundredths / 100),
            };
        }
        best
    }

    fn longest_date(&mut self, at: usize) -> Option<(u16, usize)> {
        self.hits.clear();
        self.model.dates.hits_at(self.syms, at, &mut self.hits);
        // "400 Dec 1" is an amount and a date: no day is above 31.
        let too_large = matches!(
            self.tokens[at].figure,
            Some(Figure::Number { hundredths, .. }) if hundredths > 3_100
        );
        if too_large {
            return None;
        }
        let hit = self.longest_free(at)?;
        // "split in 8 weeks" spreads a total: the words are then no date.
        let spread = self.model.dates.label(hit.tag).reason == "relative"
            && self
                .units
                .iter()
                .rev()
                .take(5)
                .take_while(|u| !sym::ends_sentence(u.sym))
                .any(|u| u.entity == Entity::None && self.model.classes.is(u.sym, Class::Spread));
        let follows = (hit.end..hit.end + 3).any(|i| self.is(i, Class::Spread));
        if spread || follows && self.model.dates.label(hit.tag).reason == "relative" {
            return None;
        }
        Some((hit.tag.label, hit.end))
    }

    /// The longest date that takes no amount in: "a partir del lunes 75 por semana", "starting dec 5 75 a
    /// week".
    fn longest_free(&mut self, at: usize) -> Option<Hit> {
        let found = std::mem::take(&mut self.hits);
        let free = |h: &Hit| {
            let last = h.end - 1;
            let Some(Figure::Number { hundredths, .. }) = self.tokens[last].figure else {
                return true;
            };
            let year = (190_000..=210_000).contains(&hundredths);
            last == at || year || hundredths <= 3_100
        };
        let mut hit = *found.iter().max_by_key(|h| (free(h), h.end))?;
        let last = hit.end - 1;
        let number = matches!(self.tokens[last].figure, Some(Figure::Number { .. }));
        if last > at && number && (!free(&hit) || self.period(hit.end).is_some()) {
            hit.end = last;
        }
        Some(hit)
    }

    fn period(&mut self, at: usize) -> Option<(Period, usize)> {
        self.hits.clear();
        self.model.periods.hits_at(self.syms, at, &mut self.hits);
        // Strong forms first: "a week" inside "once a week" must not win by order of lines.
        let hit = *self.hits.iter().max_by_key(|h| {
            let strong = self.model.periods.label(h.tag).reason == "strong";
            (h.end, strong)
        })?;
        let label = self.model.periods.label(hit.tag);
        let count = || {
            (hit.start..hit.end)
                .find_map(|i| self.number(i).filter(|n| n.hundredths >= 200))
                .map(|n| (n.hundredths / 100).clamp(1, 366))
                .or_else(|| (hit.start..hit.end).find_map(|i| self.ordinal(i)))
                .unwrap_or(2)
        };
        let mut period = match label.name {
            "weekly" => Period::plain(1, 1),
            "biweekly" | "semimonthly" => Period::plain(1, 2),
            "monthly" => Period::plain(1, 4),
            "yearly" => Period::plain(1, 48),
            "daily" => Period::plain(7, 1),
            "n_weekly" => Period::plain(count(), 1),
            "n_weeks" => Period::plain(1, count()),
            "n_months" => Period::plain(1, 4 * count()),
            "n_days" => {
                // "cada ocho dias" is a week and "cada 15 dias" a fortnight (labelling guide §1.3).
                match count() {
                    8 => Period::plain(1, 1),
                    15 => Period::plain(1, 2),
                    28..=31 => Period::plain(1, 4),
                    days => Period::plain(7, days),
                }
            }
            "paycheck" => Period {
                payments: 1,
                weeks: 2,
                kind: PeriodKind::Paycheck,
            },
            _ => return None,
        };
        let beside = matches!(self.units.last().map(|u| u.entity), Some(Entity::Money(_)));
        // "85 wk": the bare noun is a period only right after the amount.
        if label.reason == "tight" && !beside {
            return None;
        }
        if label.reason == "weak" {
            if !self.amount_is_near() {
                return None;
            }
            period.kind = PeriodKind::Weak;
        }
        Some((period, hit.end))
    }

    /// "third", "4th", "tercer": which of the weeks.
    fn ordinal(&self, at: usize) -> Option<i64> {
        let words: [&[&str]; 4] = [
            &["third", "tercer", "tercera", "3rd"],
            &["fourth", "cuarto", "cuarta", "4th"],
            &["fifth", "5th"],
            &["sixth", "6th"],
        ];
        let token = self.tokens.get(at)?;
        let word = self.text.get(token.start..token.end)?.to_ascii_lowercase();
        let found = words
            .iter()
            .zip(3..)
            .find(|(w, _)| w.contains(&word.as_str()));
        found.map(|(_, weeks)| weeks)
    }

    /// An amount within the last few units, with nothing between that ends its phrase.
    fn amount_is_near(&self) -> bool {
        self.units
            .iter()
            .rev()
            .take(6)
            .take_while(|u| !sym::ends_sentence(u.sym) && !matches!(u.entity, Entity::Period(_)))
            .any(|u| matches!(u.entity, Entity::Money(_)))
    }
}
