//! The stages, in the order a text meets them.

mod afresh;
pub mod claim;
pub mod context;
pub mod decide;
pub mod deliver;
pub mod draft;
pub mod escalate;
mod handover;
pub mod intake;
pub mod ledger;
#[cfg(test)]
mod never;
pub mod notify;
pub mod plan;
mod planned;
pub mod retry;
pub mod route;
mod silence;
#[cfg(test)]
mod testing;
pub mod timer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::engine::Stage;
use crate::engine::runner::{self, Engine};
use crate::events::{Entry, StageInput, Stream};
use crate::rules::gate::Gate;
use crate::stages::handover::HandoverSettings;

pub use handover::HandoverSettings as Handover;
pub use planned::PlanningSettings;

/// A stage as the rest of the program sees it.
pub struct Row {
    /// Durable consumer, mark, metric label.
    pub name: &'static str,
    /// What it reads.
    pub subjects: &'static [&'static str],
    /// Its consumer as the server must have it.
    pub consumer: &'static str,
    /// One question it answers, for the README.
    pub question: &'static str,
    /// What it may say, for the README; checked by a test.
    pub emits: &'static str,
    start: fn(Arc<Engine>, &StageSettings) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The settings of all stages.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// Duplicates.
    pub intake: intake::IntakeSettings,
    /// The model's limits.
    pub draft: draft::DraftSettings,
    /// Thresholds.
    pub routing: crate::rules::routing::RoutingSettings,
    /// Sending.
    pub deliver: deliver::DeliverSettings,
    /// How long a draft's figures are taken for true.
    pub balance_fresh: chrono::TimeDelta,
    /// Retries.
    pub retry: retry::RetrySettings,
    /// Plans.
    pub planning: PlanningSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
    /// What may leave.
    pub gate: Gate,
}

macro_rules! stages {
    ($($stage:ident in $module:ident, $question:literal, emits $emits:literal, with $settings:expr;)*) => {
        /// The table. A stage that is not in it is dead code, and the compiler says so.
        pub static STAGES: &[Row] = &[$(Row {
            name: <$module::$stage as Stage>::NAME,
            subjects: <<$module::$stage as Stage>::In as StageInput>::SUBJECTS,
            consumer: include_str!(concat!("../nats/consumers/", stringify!($module), ".json")),
            question: $question,
            emits: $emits,
            start: |engine, settings| {
                let build: fn(&StageSettings) -> $module::$stage = $settings;
                let stage = Arc::new(build(settings));
                Box::pin(runner::run(engine, stage, stream_of::<$module::$stage>()))
            },
        }),*];
    };
}

stages! {
    Intake in intake, "Is the text new, and what turn does it open?",
        emits "turn.opened, reply.approved, escalation.raised, consent.revoked, consent.granted, consent.window_set, hold.placed, approval.superseded",
        with |s| intake::Intake {
            settings: s.intake.clone(), handover: s.handover.clone(), gate: s.gate.clone(),
        };
    Context in context, "Who wrote, what is owed, what was said before?",
        emits "turn.ready, escalation.raised, payment_plan.detected",
        with |s| context::Context {
            routing: s.routing, planning: s.planning, handover: s.handover.clone(),
        };
    Draft in draft, "What would the model answer?",
        emits "reply.drafted, escalation.raised, payment_plan.detected",
        with |s| draft::Draft {
            settings: s.draft.clone(), planning: s.planning, handover: s.handover.clone(),
        };
    Route in route, "Who answers: nobody, a manager, a person?",
        emits "reply.approved, approval.requested, escalation.raised",
        with |s| route::Route {
            settings: s.routing, handover: s.handover.clone(), gate: s.gate.clone(),
        };
    ClaimDraft in claim, "Who works on a draft?",
        emits "approval.claimed",
        with |_| claim::ClaimDraft;
    Decide in decide, "What did the manager decide?",
        emits "approval.approved, approval.modified, approval.escalated, approval.refused, reply.approved, escalation.raised, turn.opened",
        with |s| decide::Decide {
            handover: s.handover.clone(), gate: s.gate.clone(), fresh: s.balance_fresh,
            checks: s.draft.checks.clone(), planning: s.planning,
        };
    Escalate in escalate, "What do people do about escalations?",
        emits "escalation.raised, escalation.assigned, escalation.resolved",
        with |s| escalate::Escalate { handover: s.handover.clone() };
    Retry in retry, "What is tried again?",
        emits "turn.opened",
        with |s| retry::Retry { settings: s.retry };
    Deliver in deliver, "Did the text reach the SMS Agent, once?",
        emits "reply.sent, delivery.held, delivery.failed, delivery.suppressed, consent.revoked, escalation.raised",
        with |s| deliver::Deliver {
            settings: s.deliver.clone(), handover: s.handover.clone(), gate: s.gate.clone(),
        };
    Ledger in ledger, "What did a manager enter about who may be texted?",
        emits "consent.revoked, consent.granted, consent.window_set, consent.window_lifted, hold.placed, hold.lifted",
        with |s| ledger::Ledger { gate: s.gate.clone() };
    Plan in plan, "Is there a plan, and do the rules admit it?",
        emits "payment_plan.detected",
        with |s| plan::Plan { planning: s.planning };
    Timer in timer, "What has nobody done in time?",
        emits "approval.expired, escalation.raised, escalation.overdue",
        with |s| timer::Timer { handover: s.handover.clone() };
    Notify in notify, "Do the managers know?",
        emits "notification.sent",
        with |_| notify::Notify;
}

/// The stream a stage reads: that of its subjects, which must agree. A test checks it.
pub fn stream_of<S: Stage>() -> Stream {
    stream_of_subjects(<S::In as StageInput>::SUBJECTS)
}

/// The stream that keeps all of `subjects`.
pub fn stream_of_subjects(subjects: &[&str]) -> Stream {
    subjects
        .first()
        .and_then(|subject| Entry::of(subject))
        .map_or(Stream::Story, |e| e.stream)
}

impl Row {
    /// The stage of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        STAGES.iter().find(|row| row.name == name)
    }

    /// The stream it reads.
    pub fn stream(&self) -> Stream {
        stream_of_subjects(self.subjects)
    }

    /// Runs it until the engine stops.
    pub fn start(&self, engine: Arc<Engine>, settings: &StageSettings) -> Running {
        (self.start)(engine, settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_reads_one_stream_and_says_only_what_is_listed() {
        for row in STAGES {
            for subject in row.subjects {
                let entry = Entry::of(subject).expect("a subject in the list of events");
                assert_eq!(entry.stream, row.stream(), "{}: {subject}", row.name);
            }
            for subject in row.emits.split(", ") {
                assert!(
                    Entry::of(subject).is_some(),
                    "{} emits unknown {subject}",
                    row.name
                );
            }
        }
    }
}
