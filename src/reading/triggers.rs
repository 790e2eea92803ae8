//! The thirteen triggers (labelling guide §3).

use std::ops::Range;

use super::lexicon::{Sym, sym};
use super::model::Model;
use super::pattern::Hit;
use super::tokens::Token;

/// What a text may call for besides an answer. The order says nothing about severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// Has a lawyer in this matter.
    AttorneyRepresented,
    /// Filed, filing or considering.
    Bankruptcy,
    /// A cause in their life that hurts their ability to pay.
    Hardship,
    /// Asks who this is, for a person, or for help.
    HelpRequest,
    /// Insults or threats aimed at the staff.
    HostileLanguage,
    /// Will or may take legal action.
    LegalThreat,
    /// Will go to the press or a regulator.
    MediaOrRegulatorThreat,
    /// Asks not to be texted.
    OptOut,
    /// Contests the debt.
    PaymentDispute,
    /// Wants to die or to hurt themselves.
    SelfHarm,
    /// Wants a manager.
    SupervisorRequest,
    /// Offers a plan outside the limits.
    UnrealisticProposal,
    /// Is not the person sought.
    WrongNumber,
}

impl Trigger {
    /// All triggers, sorted by name.
    pub const ALL: [Self; 13] = [
        Self::AttorneyRepresented,
        Self::Bankruptcy,
        Self::Hardship,
        Self::HelpRequest,
        Self::HostileLanguage,
        Self::LegalThreat,
        Self::MediaOrRegulatorThreat,
        Self::OptOut,
        Self::PaymentDispute,
        Self::SelfHarm,
        Self::SupervisorRequest,
        Self::UnrealisticProposal,
        Self::WrongNumber,
    ];

    /// The name used in the labelling guide and in escalations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttorneyRepresented => "attorney_represented",
            Self::Bankruptcy => "bankruptcy",
            Self::Hardship => "hardship",
            Self::HelpRequest => "help_request",
            Self::HostileLanguage => "hostile_language",
            Self::LegalThreat => "legal_threat",
            Self::MediaOrRegulatorThreat => "media_or_regulator_threat",
            Self::OptOut => "opt_out",
            Self::PaymentDispute => "payment_dispute",
            Self::SelfHarm => "self_harm",
            Self::SupervisorRequest => "supervisor_request",
            Self::UnrealisticProposal => "unrealistic_proposal",
            Self::WrongNumber => "wrong_number",
        }
    }

    /// The trigger of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// A trigger with the words that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerHit {
    /// What was found.
    pub trigger: Trigger,
    /// Byte range in the text, on character boundaries.
    pub span: Range<usize>,
    /// Why, as a stable code (the header of the phrase table).
    pub reason: &'static str,
}

/// The symbols of a text, with a word that is nobody's but a name's set apart.
fn syms(text: &str, tokens: &[Token]) -> Vec<Sym> {
    tokens
        .iter()
        .map(|t| {
            let word = text.get(t.start..t.end).unwrap_or("");
            if t.sym == sym::UNKNOWN && is_name(word) {
                sym::NAME
            } else {
                t.sym
            }
        })
        .collect()
}

/// "Keisha", not "WORKING" and not "da".
fn is_name(word: &str) -> bool {
    let mut letters = word.chars().filter(|c| c.is_alphabetic());
    letters.next().is_some_and(char::is_uppercase)
        && letters.clone().next().is_some()
        && letters.all(char::is_lowercase)
}

/// All triggers of the phrase tables, one hit each, in name order.
pub(crate) fn read(text: &str, tokens: &[Token], model: &Model) -> Vec<TriggerHit> {
    let syms = syms(text, tokens);
    let mut hits: Vec<Hit> = Vec::new();
    model.triggers.hits(&syms, &mut hits);
    let mut found: Vec<TriggerHit> = Vec::new();
    for hit in hits.iter().filter(|h| !h.tag.exception) {
        let label = model.triggers.label(hit.tag);
        let Some(trigger) = Trigger::from_name(label.name) else {
            continue;
        };
        let excepted = hits.iter().any(|e| {
            e.tag.exception
                && e.start < hit.end
                && hit.start < e.end
                && model
                    .triggers
                    .label(e.tag)
                    .name
                    .split('+')
                    .any(|name| name == label.name)
        });
        if excepted {
            continue;
        }
        let span = match (tokens.get(hit.start), tokens.get(hit.end.saturating_sub(1))) {
            (Some(a), Some(b)) if b.end >= a.start => a.start..b.end,
            _ => continue,
        };
        match found.iter_mut().find(|f| f.trigger == trigger) {
            // The longest evidence is shown.
            Some(f) if f.span.len() < span.len() => {
                f.span = span;
                f.reason = label.reason;
            }
            Some(_) => {}
            None => found.push(TriggerHit {
                trigger,
                span,
                reason: label.reason,
            }),
        }
    }
    found.sort_by_key(|f| f.trigger.as_str());
    found
}

/// Every match of the trigger tables, exceptions too, with the line that gave it.
pub(super) fn evidence(
    text: &str,
    tokens: &[Token],
    model: &Model,
) -> Vec<(&'static str, &'static str, Range<usize>)> {
    let syms = syms(text, tokens);
    let mut hits: Vec<Hit> = Vec::new();
    model.triggers.hits(&syms, &mut hits);
    let bytes = |h: &Hit| {
        let start = tokens.get(h.start).map_or(0, |t| t.start);
        let end = h.end.checked_sub(1).and_then(|i| tokens.get(i));
        start..end.map_or(start, |t| t.end).max(start)
    };
    hits.iter()
        .map(|h| {
            let label = model.triggers.label(h.tag);
            (label.name, model.triggers.line(h.tag), bytes(h))
        })
        .collect()
}
