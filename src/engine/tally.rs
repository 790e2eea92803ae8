//! What a round of decisions counts for, noted before they are written and counted once they are
//! committed. Counting where decisions are made would count every rollback.

use chrono::{DateTime, Utc};

use super::Decision;
use super::committer::Job;
use crate::domain::{Action, EscalationType, Severity};
use crate::events::{Event as _, ReplyDrafted};
use crate::ops::metrics::Metrics;
use crate::rules::gate::Verdict;
use crate::store::Change;

enum Count {
    /// Outcome, and the rule that stopped the text.
    Gate(&'static str, &'static str),
    SmsReceived,
    AiResponse,
    Decision(Action),
    /// Seconds from arrival to decision.
    Processing(f64),
    ManagersDecision(&'static str),
    Escalation(EscalationType, Severity),
    Plan(&'static str),
}

/// The actions of managers; any other word would be a label of its own.
const MANAGERS_ACTIONS: [&str; 4] = ["approve", "modify", "escalate", "reject"];

/// What a round counts for.
pub(super) struct Tally(Vec<Count>);

impl Tally {
    /// Of decisions that are about to be written.
    pub(super) fn of(
        jobs: &[&Job],
        decided: &[Result<Decision, String>],
        now: DateTime<Utc>,
    ) -> Self {
        let mut counts = Vec::new();
        for (job, decision) in jobs.iter().zip(decided) {
            let Ok(decision) = decision else { continue };
            let mut answered = false;
            for change in &decision.changes {
                answered |= note(change, &mut counts);
            }
            if let (true, Some(arrived)) = (answered, job.arrived_at) {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days")]
                let seconds = (now - arrived).num_milliseconds().max(0) as f64 / 1000.0;
                counts.push(Count::Processing(seconds));
            }
            let drafted = |subject: &&str| *subject == ReplyDrafted::SUBJECT;
            if decision
                .emits
                .iter()
                .map(|e| e.subject)
                .any(|s| drafted(&s))
            {
                counts.push(Count::AiResponse);
            }
        }
        Self(counts)
    }

    /// They are committed.
    pub(super) fn count(&self, metrics: &Metrics) {
        let none: &[&str] = &[];
        for count in &self.0 {
            match count {
                Count::Gate(outcome, rule) => {
                    metrics.gate.with_label_values(&[outcome, rule]).inc();
                }
                Count::SmsReceived => metrics.sms_received.with_label_values(none).inc(),
                Count::AiResponse => metrics.ai_responses.with_label_values(none).inc(),
                Count::Decision(action) => {
                    let action = action.as_str();
                    metrics.decisions.with_label_values(&[action]).inc();
                }
                Count::Processing(seconds) => metrics
                    .processing_seconds
                    .with_label_values(none)
                    .observe(*seconds),
                Count::ManagersDecision(action) => metrics
                    .approval_decisions
                    .with_label_values(&[action])
                    .inc(),
                Count::Escalation(kind, severity) => metrics
                    .escalations
                    .with_label_values(&[kind.as_str(), severity.as_str()])
                    .inc(),
                Count::Plan(status) => metrics.payment_plans.with_label_values(&[status]).inc(),
            }
        }
    }
}

/// Notes what a change counts for, and says whether it is the outcome of a text.
fn note(change: &Change, counts: &mut Vec<Count>) -> bool {
    match change {
        Change::GateDecision(kept) => {
            let outcome = kept.judgement.outcome();
            match kept.judgement.verdict {
                Verdict::Permit(_) => counts.push(Count::Gate(outcome, "none")),
                _ => {
                    let rules = kept.judgement.rules.iter();
                    counts.extend(rules.map(|rule| Count::Gate(outcome, rule)));
                }
            }
        }
        Change::Text(_) => counts.push(Count::SmsReceived),
        Change::Workflow(update) => match update.action {
            None | Some(Action::Pending) => {}
            Some(action) => {
                counts.push(Count::Decision(action));
                return action != Action::Merged;
            }
        },
        Change::Audit(audit) => {
            let known = MANAGERS_ACTIONS
                .iter()
                .find(|known| **known == audit.action);
            counts.extend(known.map(|action| Count::ManagersDecision(action)));
        }
        Change::Escalation(new) => {
            let raised = &new.raised;
            counts.push(Count::Escalation(raised.escalation_type, raised.severity));
        }
        Change::Plan(seen) => counts.push(Count::Plan(seen.detected.status.as_str())),
        _ => {}
    }
    false
}
