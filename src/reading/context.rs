//! What the plan and promise readers share: units, cues and where sentences end.

use std::ops::Range;

use super::lexicon::{Sym, sym};
use super::model::Model;
use super::pattern::Hit;
use super::tokens::Token;
use super::units::{Duration, Entity, Money, Period, Unit, group};
use super::words::Class;

/// Kinds of cues, the headers of `data/cues.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CueKind {
    Offer,
    Reject,
    Report,
    Past,
    Wish,
    /// Sarcasm: what is said of a money tree is meant of the question before it too.
    Mock,
    Ask,
    Other,
    /// What the amount before is for: another bill, whatever the verb says.
    Bill,
    /// "I got 45": the tenant's own figure, an offer only after a refused one.
    Own,
    Condition,
    Correct,
    Accept,
    Down,
    PayFrequency,
    Commit,
    CommitWeak,
    Paid,
    Hedge,
    NotPromise,
    /// "more than": with a refusal after the amount it offers the amount itself.
    Excess,
    /// What a visit is for: "to talk about the balance".
    Purpose,
}

/// Which amounts a cue governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those after it.
    Left,
    /// Those before it.
    Right,
    /// All of its sentence.
    Whole,
}

/// A cue in the text: units `start..end`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cue {
    pub kind: CueKind,
    pub side: Side,
    pub start: usize,
    pub end: usize,
}

/// One text, grouped and searched for cues.
pub(crate) struct Context<'a> {
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub model: &'a Model,
    pub units: Vec<Unit>,
    pub cues: Vec<Cue>,
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token], model: &'a Model) -> Self {
        let units = group(tokens, text, model);
        let syms: Vec<Sym> = units.iter().map(|u| u.sym).collect();
        let mut hits: Vec<Hit> = Vec::new();
        // Cues matter only where there is something to pay: an amount, a date or a word for one.
        let relevant = units.iter().any(|u| {
            matches!(u.entity, Entity::Money(_) | Entity::Date(_))
                || model.classes.is(u.sym, Class::Whole)
        });
        if relevant || units.len() < 40 {
            model.cues.hits(&syms, &mut hits);
        }
        let cues = hits
            .iter()
            .filter_map(|h| {
                let label = model.cues.label(h.tag);
                let kind = match label.name {
                    "offer" => CueKind::Offer,
                    "reject" => CueKind::Reject,
                    "report" => CueKind::Report,
                    "past" => CueKind::Past,
                    "wish" => CueKind::Wish,
                    "mock" => CueKind::Mock,
                    "ask" => CueKind::Ask,
                    "other" => CueKind::Other,
                    "own" => CueKind::Own,
                    "bill" => CueKind::Bill,
                    "cond" => CueKind::Condition,
                    "correct" => CueKind::Correct,
                    "accept" => CueKind::Accept,
                    "down" => CueKind::Down,
                    "payfreq" => CueKind::PayFrequency,
                    "commit" => CueKind::Commit,
                    "commit_weak" => CueKind::CommitWeak,
                    "paid" => CueKind::Paid,
                    "hedge" => CueKind::Hedge,
                    "not_promise" => CueKind::NotPromise,
                    "purpose" => CueKind::Purpose,
                    "excess" => CueKind::Excess,
                    _ => return None,
                };
                let side = match label.reason {
                    "left" => Side::Left,
                    "right" => Side::Right,
                    _ => Side::Whole,
                };
                Some(Cue {
                    kind,
                    side,
                    start: h.start,
                    end: h.end,
                })
            })
            .collect();
        Self {
            text,
            tokens,
            model,
            units,
            cues,
        }
    }

    pub(super) fn sym(&self, unit: usize) -> Sym {
        self.units.get(unit).map_or(sym::STOP, |u| u.sym)
    }

    pub(super) fn is(&self, unit: usize, class: Class) -> bool {
        self.units
            .get(unit)
            .is_some_and(|u| u.entity == Entity::None && self.model.classes.is(u.sym, class))
    }

    pub(super) fn ends_sentence(&self, unit: usize) -> bool {
        sym::ends_sentence(self.sym(unit))
    }

    pub(super) fn money(&self, unit: usize) -> Option<Money> {
        match self.units.get(unit)?.entity {
            Entity::Money(m) => Some(m),
            _ => None,
        }
    }

    pub(super) fn period(&self, unit: usize) -> Option<Period> {
        match self.units.get(unit)?.entity {
            Entity::Period(p) => Some(p),
            _ => None,
        }
    }

    pub(super) fn duration(&self, unit: usize) -> Option<Duration> {
        match self.units.get(unit)?.entity {
            Entity::Duration(d) => Some(d),
            _ => None,
        }
    }

    pub(super) fn is_date(&self, unit: usize) -> bool {
        matches!(
            self.units.get(unit).map(|u| u.entity),
            Some(Entity::Date(_))
        )
    }

    /// The sentence around a unit, without its closing mark.
    pub(super) fn sentence(&self, unit: usize) -> Range<usize> {
        let start = (0..unit)
            .rev()
            .find(|i| self.ends_sentence(*i))
            .map_or(0, |i| i + 1);
        let end = (unit..self.units.len())
            .find(|i| self.ends_sentence(*i))
            .unwrap_or(self.units.len());
        start..end
    }

    /// Whether the clause at a unit is a question by its mark or its inverted verb.
    pub(super) fn asks(&self, unit: usize) -> bool {
        self.sym(self.sentence(unit).end) == sym::QUESTION || self.is(unit, Class::Inverted)
    }

    /// Byte range of units `range` in the text.
    pub(super) fn bytes(&self, range: Range<usize>) -> Range<usize> {
        let start = self
            .units
            .get(range.start)
            .and_then(|u| self.tokens.get(u.first))
            .map_or(0, |t| t.start);
        let end = range
            .end
            .checked_sub(1)
            .and_then(|i| self.units.get(i))
            .and_then(|u| self.tokens.get(u.last.saturating_sub(1)))
            .map_or(start, |t| t.end);
        start..end.max(start)
    }

    /// Cues of one kind and side inside `range`.
    pub(super) fn cues_in(
        &self,
        kind: CueKind,
        range: Range<usize>,
    ) -> impl Iterator<Item = &Cue> + '_ {
        self.cues
            .iter()
            .filter(move |c| c.kind == kind && c.start >= range.start && c.end <= range.end)
    }
}
