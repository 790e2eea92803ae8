//! Whether a drafted reply may be believed. The model writes; every figure and every promise in what
//! it wrote is compared with the facts, the plan rules and the tenant's own words.
//!
//! One file a check, all of one shape: `fn(&Draft, &Grounds) -> Finding`. A check is pure, knows
//! nothing of the others and costs microseconds. The model's rating is a ceiling: a failed check
//! lowers it to the check's own ceiling and nothing ever raises it, so a clean reply keeps exactly
//! what the model gave it.

mod amounts;
mod balances;
mod claims;
mod control;
mod dates;
mod days;
mod durations;
mod echo;
mod fees;
mod figures;
mod grounds;
mod instalments;
mod language;
mod length;
mod links;
mod mentions;
mod names;
mod orders;
mod percentages;
mod person;
mod phones;
mod placeholders;
mod plan_days;
mod promises;
mod refusal;
mod secrets;
mod segments;
mod shortfalls;
mod stems;
mod subsidy;
mod sums;
mod third_parties;
mod topics;
mod vouched;
mod weekly;
pub mod wording;
mod words;

pub use grounds::{CheckSettings, Grounds, Terms};
pub use segments::{Encoding, Segments, segments};

use crate::domain::{Confidence, Finding};
use crate::reading::statements::{self, Statements};

/// An invented figure or promise: a manager may repair the text, so it may still be queued.
pub const UNGROUNDED: f64 = 0.60;
/// Something that must never be texted, not even by a hurried manager: a person takes over.
pub const FORBIDDEN: f64 = 0.30;
/// Right, but not fit to be sent as it is.
pub const UNFIT: f64 = 0.80;

/// Log odds of a reply, and of the sentence alone, below which a phrase is excused.
const EXCUSED: f64 = -2.5;
const EXCUSED_ALONE: f64 = 0.5;
/// The same for words of threats and shame.
const UNDOUBTED: f64 = -3.0;
const UNDOUBTED_ALONE: f64 = -1.0;

/// A reply with what it states, read once for all checks.
pub struct Draft<'a> {
    /// The text for the tenant.
    pub reply: &'a str,
    /// Its figures and phrases.
    pub said: Statements,
    /// Log odds that a reply worded like this is wrong (`wording.rs`).
    odds: f64,
}

impl<'a> Draft<'a> {
    /// Reads a reply. Dates in it count from the same day as the tenant's.
    pub fn read(reply: &'a str, grounds: &Grounds<'_>) -> Self {
        Self {
            reply,
            said: statements::read(reply, grounds.today),
            odds: wording::score(reply, grounds),
        }
    }

    /// A phrase that wrong replies use stands in one that otherwise reads like a right one: "that takes
    /// care of all of it". Of 360 wrong replies that only such phrases gave away, two read so when the
    /// table had not seen them, and both named a way to pay, which is never excused.
    fn excuses(&self, span: &std::ops::Range<usize>, grounds: &Grounds<'_>) -> bool {
        // A long harmless text must not carry a short promise.
        self.odds < EXCUSED && self.alone(span, grounds) < EXCUSED_ALONE
    }

    /// The same for words that only now and then stand in a right reply: reply and sentence both have to
    /// read like right ones without doubt.
    fn clearly_right(&self, span: &std::ops::Range<usize>, grounds: &Grounds<'_>) -> bool {
        self.odds < UNDOUBTED && self.alone(span, grounds) < UNDOUBTED_ALONE
    }

    fn alone(&self, span: &std::ops::Range<usize>, grounds: &Grounds<'_>) -> f64 {
        let sentence = self.said.sentences.iter().find(|s| s.contains(&span.start));
        sentence.map_or(self.odds, |s| wording::score(self.words(s), grounds))
    }

    /// The words of a span.
    pub fn words(&self, span: &std::ops::Range<usize>) -> &'a str {
        self.reply.get(span.clone()).unwrap_or_default()
    }
}

type Check = fn(&Draft<'_>, &Grounds<'_>) -> Finding;

/// All checks, in the order they are shown.
const CHECKS: &[Check] = &[
    amounts::check,
    percentages::check,
    dates::check,
    durations::check,
    figures::check,
    links::check,
    phones::check,
    names::check,
    promises::check,
    claims::check,
    fees::check,
    topics::check,
    subsidy::check,
    third_parties::check,
    person::check,
    secrets::check,
    language::check,
    length::check,
    control::check,
    placeholders::check,
    echo::check,
    orders::check,
    wording::check,
];

/// What the checks make of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One finding a check.
    pub findings: Vec<Finding>,
    /// The lowest ceiling of the failed ones.
    pub ceiling: Confidence,
}

impl Default for Judgement {
    /// Nothing was checked, so nothing is wrong.
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            ceiling: Confidence::ONE,
        }
    }
}

impl Judgement {
    /// The model's rating under the ceiling.
    pub fn cap(&self, rating: Confidence) -> Confidence {
        rating.min(self.ceiling)
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| !f.passed)
    }
}

/// The check of amounts.
pub const AMOUNTS: &str = amounts::NAME;

/// Every amount of money in a text that the grounds do not explain, as written (rules R17).
pub fn unexplained_amounts(text: &str, grounds: &Grounds<'_>) -> Vec<String> {
    amounts::unexplained(&Draft::read(text, grounds), grounds)
}

/// Runs every check.
#[must_use]
pub fn judge(reply: &str, grounds: &Grounds<'_>) -> Judgement {
    let draft = Draft::read(reply, grounds);
    let findings: Vec<Finding> = CHECKS.iter().map(|check| check(&draft, grounds)).collect();
    let ceiling = findings
        .iter()
        .filter_map(|f| f.ceiling)
        .min()
        .unwrap_or(Confidence::ONE);
    Judgement { findings, ceiling }
}

#[cfg(test)]
mod tests;
