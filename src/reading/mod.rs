//! The deterministic reader of inbound texts (labelling guide, whole document).
//!
//! A text is folded and tokenized once; tokens are grouped into amounts, periods, durations and
//! dates; cue phrases around amounts decide what the sender does with them; phrase tables find the
//! triggers. Every phrase is data in `data/`; the code holds the grammar only. A text costs a few
//! microseconds and the work is linear in its length.

mod amounts;
mod bare;
mod contact_times;
mod context;
mod dates;
mod doubt;
mod durations;
mod figures;
mod fold;
mod keywords;
mod language;
mod lexicon;
mod model;
mod numbers;
mod offers;
mod pattern;
mod payer;
mod phrases;
mod plan;
mod promise;
mod script;
mod secrets;
mod sensitive;
mod spelling;
mod stance;
mod stated;
pub mod statements;
mod terms;
mod tokens;
mod triggers;
mod units;
mod words;

use chrono::NaiveDate;

pub use contact_times::{ContactTimes, read as contact_times};
pub use doubt::may_be_opt_out;
pub use keywords::Keyword;
pub use language::LanguageGuess;
pub use plan::PlanOffer;
pub use promise::Promise;
pub use secrets::without_secrets;
pub use sensitive::sensitive_matter;
pub use triggers::{Trigger, TriggerHit};

use crate::domain::money::Cents;

/// Offers longer than this many weeks are unrealistic (labelling guide §3).
const LONGEST_REALISTIC_WEEKS: u32 = 12;
/// Offers below this weekly amount are unrealistic (labelling guide §3).
const SMALLEST_REALISTIC: Cents = Cents::from_dollars(25);

/// What one text says. All spans are byte ranges of the text on character boundaries.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The tenant's own present offer of recurring payments (§1).
    pub plan: Option<PlanOffer>,
    /// A promise of one payment (§2); never together with a plan.
    pub promise: Option<Promise>,
    /// Triggers in name order, one hit each (§3).
    pub triggers: Vec<TriggerHit>,
    /// The keyword the whole message consists of.
    pub keyword: Option<Keyword>,
    /// Language of the message (§4).
    pub language: LanguageGuess,
    /// Whether a person should look at the plan or promise (guide, "needs_review").
    pub needs_review: bool,
}

impl Reading {
    /// Whether a trigger was found.
    #[must_use]
    pub fn has(&self, trigger: Trigger) -> bool {
        self.triggers.iter().any(|t| t.trigger == trigger)
    }
}

/// Compiles the embedded tables now instead of at the first text.
pub fn warm_up() {
    std::sync::LazyLock::force(&model::MODEL);
    statements::warm_up();
}

/// Reads one text. Never fails and never panics; `reference` is the day relative dates count from,
/// in the company's time zone. Text beyond about 5,000 characters is ignored.
#[must_use]
pub fn read(text: &str, reference: NaiveDate) -> Reading {
    let model = &*model::MODEL;
    let tokens = tokens::tokenize(text, model);
    let keyword = keywords::read(&tokens, text, model);
    let mut triggers = triggers::read(text, &tokens, model);
    let language = match keyword {
        Some(_) => LanguageGuess {
            code: keywords::language(&tokens, text, model),
            confidence: 1.0,
        },
        None => language::guess(text),
    };
    let (mut plan, mut promise) = (None, None);
    match keyword {
        Some(k) => apply_keyword(k, &mut triggers, text),
        None => {
            let context = context::Context::new(text, &tokens, model);
            let candidates = offers::find(&context);
            plan = plan::read(&context, reference);
            if plan.is_none() {
                promise = promise::read(&context, &candidates, reference);
            }
        }
    }
    if let Some(p) = &plan
        && (p.weeks.is_some_and(|w| w > LONGEST_REALISTIC_WEEKS)
            || p.weekly_amount < SMALLEST_REALISTIC)
    {
        triggers.push(TriggerHit {
            trigger: Trigger::UnrealisticProposal,
            span: p.span.clone(),
            reason: "plan_limits",
        });
        triggers.sort_by_key(|t| t.trigger.as_str());
    }
    let needs_review = plan.as_ref().is_some_and(|p| p.needs_review)
        || promise.as_ref().is_some_and(|p| p.needs_review);
    Reading {
        plan,
        promise,
        triggers,
        keyword,
        language,
        needs_review,
    }
}

/// A keyword is the whole message, so nothing else is read into it.
fn apply_keyword(keyword: Keyword, triggers: &mut Vec<TriggerHit>, text: &str) {
    let trigger = match keyword {
        Keyword::Stop => Trigger::OptOut,
        Keyword::Help => Trigger::HelpRequest,
        Keyword::Start => {
            triggers.clear();
            return;
        }
    };
    triggers.clear();
    let start = text.len() - text.trim_start().len();
    triggers.push(TriggerHit {
        trigger,
        span: start..text.trim_end().len().max(start),
        reason: "keyword",
    });
}

/// The language of a text.
#[must_use]
pub fn language_of(text: &str) -> LanguageGuess {
    language::guess(text)
}

/// The words of a text, folded: lower case, without marks. For comparing labels.
#[must_use]
pub fn plain_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match fold::fold(c) {
            fold::Folded::Letter(l) => {
                if let Some(word) = words.last_mut() {
                    word.push(l);
                }
            }
            fold::Folded::Digit(d) => {
                if let Some(word) = words.last_mut() {
                    word.push(char::from(b'0' + d));
                }
            }
            fold::Folded::Nothing | fold::Folded::Apostrophe => {}
            fold::Folded::Mark(_) => words.push(String::new()),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// How a text was grouped and which cues were found, for people who extend the tables.
#[must_use]
pub fn trace(text: &str) -> String {
    use std::fmt::Write as _;
    let model = &*model::MODEL;
    let tokens = tokens::tokenize(text, model);
    let c = context::Context::new(text, &tokens, model);
    let mut out = String::new();
    for (table, faults) in &model.faults {
        for fault in faults {
            let (file, line) = (fault.file, fault.line);
            let _ = writeln!(out, "{table} file {file} line {line}: {}", fault.what);
        }
    }
    for (i, u) in c.units.iter().enumerate() {
        let words = text.get(c.bytes(i..i + 1)).unwrap_or("");
        let _ = writeln!(out, "{i} {words:?} {:?}", u.entity);
    }
    for q in &c.cues {
        let words = text.get(c.bytes(q.start..q.end)).unwrap_or("");
        let _ = writeln!(out, "{:?} {:?} {words:?}", q.kind, q.side);
    }
    let candidates = offers::find(&c);
    for o in &candidates {
        let stance = stance::judge(&c, o.money, o.start, o.end, &candidates);
        let _ = writeln!(out, "{o:?} {stance:?}");
    }
    for (label, line, range) in triggers::evidence(text, &tokens, model) {
        let words = text.get(range).unwrap_or("");
        let _ = writeln!(out, "{label} {words:?} by: {line}");
    }
    out
}

#[cfg(test)]
mod tests;
