//! Wording: how likely a reply that reads like this one is wrong. Promises, threats and claims can be
//! put in more words than any list holds, and so can thanks and sympathy. Lists of what may be said
//! blocked one good reply in ten, lists of what may not let one wrong one in fifteen pass; a sum of
//! small weights over words, parts of words and their neighbours does better on replies by writers
//! nobody had read (docs/drafting.md has the figures). Figures say nothing here: their own checks
//! compare them with facts, and they stand as `MONEY` or `NUM`.
//!
//! The weights are learned from labelled replies by `orchestrator learn` (`evaluation/learning.rs`)
//! and kept as a table in the repository, so that a decision is the same everywhere.

mod features;

pub use features::Features;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Draft, Finding, Grounds, UNFIT};

const NAME: &str = "wording";

/// Log odds above which a manager reads the reply first. Higher sends more wrong ones, lower blocks
/// more good ones; found on files that were not learned from.
const LIMIT: f64 = -0.5;
static WEIGHTS: LazyLock<Weights> =
    LazyLock::new(|| Weights::parse(include_str!("wording/weights.txt")));

/// A learned table: what each feature adds to the log odds.
#[derive(Debug, Default)]
pub struct Weights {
    base: f64,
    of: HashMap<String, f64>,
}

impl Weights {
    /// A table of these.
    #[must_use]
    pub fn new(base: f64, of: HashMap<String, f64>) -> Self {
        Self { base, of }
    }

    /// The base in the first line, then lines of a weight, a tab and a feature; others are skipped.
    #[must_use]
    pub fn parse(data: &str) -> Self {
        let mut lines = data.lines().filter(|line| !line.starts_with('#'));
        let base = lines.next().and_then(|line| line.trim().parse().ok());
        let of = lines.filter_map(|line| {
            let (weight, feature) = line.split_once('\t')?;
            Some((feature.to_owned(), weight.parse().ok()?))
        });
        Self::new(base.unwrap_or_default(), of.collect())
    }

    /// Log odds that a reply with these features is wrong.
    #[must_use]
    pub fn score(&self, features: &Features) -> f64 {
        let known = features.known(|f| self.of.contains_key(f));
        let sum: f64 = known.iter().filter_map(|f| self.of.get(*f)).sum();
        self.base + sum / scale(known.len())
    }
}

/// Long replies have more features; without a scale they would always be the surer ones.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a text has no 2^52 words")]
pub fn scale(features: usize) -> f64 {
    (features.max(1) as f64).sqrt()
}

/// What the learned table makes of a reply.
#[must_use]
pub fn score(reply: &str, grounds: &Grounds<'_>) -> f64 {
    WEIGHTS.score(&Features::of(reply, grounds))
}

pub(super) fn check(draft: &Draft<'_>, _grounds: &Grounds<'_>) -> Finding {
    if draft.odds > LIMIT {
        Finding::failed(NAME, UNFIT, "wording", "reads like replies that were wrong")
    } else {
        Finding::passed(NAME)
    }
}
