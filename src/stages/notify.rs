//! Do the managers know?
//!
//! in: `approval.requested`, `escalation.raised`, `escalation.overdue`,
//! `payment_plan.detected`, `workflow.failed` · out: `notification.sent`
//!
//! At least once: a second e-mail is acceptable, none is not. Never in the way of a text.

mod message;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use self::message::message;
use crate::domain::{ConversationId, StepName, WorkflowId};
use crate::engine::{Decision, Effect, EffectResult, Incoming, Io, Stage, StageError};
use crate::events::{
    ApprovalRequested, EscalationOverdue, EscalationRaised, Event, Invalid, NotificationSent,
    PlanDetected, Received, StageInput, WorkflowFailed,
};
use crate::neighbours::notifications::Notified;
use crate::store::notifications::SentNotification;
use crate::store::steps::Step;
use crate::store::{Case, Needs};

/// The stage.
pub struct Notify;

/// What is known before anybody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// How long the notification service is left alone, if it is.
    pub refused: Option<Duration>,
}

/// Attempts before a notification is parked.
const A_DAY_OF_HALF_MINUTES: i32 = 24 * 120;

/// What managers are told about.
#[derive(Debug, Clone)]
pub enum Notifiable {
    /// A draft waits.
    Approval(Box<ApprovalRequested>),
    /// A person has to look.
    Escalation(Box<EscalationRaised>),
    /// Nobody was done with an escalation in time.
    Overdue(Box<EscalationOverdue>),
    /// A tenant offers a plan.
    Plan(Box<PlanDetected>),
    /// A workflow could not be finished.
    Failure(WorkflowFailed),
}

impl StageInput for Notifiable {
    const SUBJECTS: &'static [&'static str] = &[
        ApprovalRequested::SUBJECT,
        EscalationRaised::SUBJECT,
        EscalationOverdue::SUBJECT,
        PlanDetected::SUBJECT,
        WorkflowFailed::SUBJECT,
    ];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        match subject {
            ApprovalRequested::SUBJECT => {
                Event::decode(body, received).map(|e| Self::Approval(Box::new(e)))
            }
            EscalationRaised::SUBJECT => {
                Event::decode(body, received).map(|e| Self::Escalation(Box::new(e)))
            }
            EscalationOverdue::SUBJECT => {
                Event::decode(body, received).map(|e| Self::Overdue(Box::new(e)))
            }
            PlanDetected::SUBJECT => Event::decode(body, received).map(|e| Self::Plan(Box::new(e))),
            WorkflowFailed::SUBJECT => Event::decode(body, received).map(Self::Failure),
            _ => Err(Invalid::body(
                "is not on a subject that managers are told about",
            )),
        }
    }
}

impl Notifiable {
    fn workflow(&self) -> WorkflowId {
        match self {
            Self::Approval(e) => e.workflow_id,
            Self::Escalation(e) => e.workflow_id,
            Self::Overdue(e) => e.workflow_id,
            Self::Plan(e) => e.workflow_id,
            Self::Failure(e) => e.workflow_id,
        }
    }

    fn conversation(&self) -> &ConversationId {
        match self {
            Self::Approval(e) => &e.conversation_id,
            Self::Escalation(e) => &e.conversation_id,
            Self::Overdue(e) => &e.conversation_id,
            Self::Plan(e) => &e.conversation_id,
            Self::Failure(e) => &e.conversation_id,
        }
    }
}

type Told = Incoming<Notifiable>;

impl Stage for Notify {
    const NAME: &'static str = "notify";
    const DEAD_KIND: &'static str = "notification";
    const ASKS_OUTSIDE: bool = true;
    /// While the service is down its messages come back again and again.
    const WAITS_FOR_ITS_TURN: bool = true;
    type In = Notifiable;
    type Found = Found;

    /// About a day with pauses of at most half a minute; time during which nobody is asked, because the
    /// circuit is open, does not count.
    fn max_attempts(&self, default: i32) -> i32 {
        default.max(A_DAY_OF_HALF_MINUTES)
    }

    async fn gather(&self, _event: &Told, io: &Io) -> Result<Found, StageError> {
        let refused = io.neighbours.notifications.refuses();
        Ok(Found { refused })
    }

    fn needs(&self, event: &Told, _found: &Found) -> Needs {
        Needs {
            conversation: Some(event.body.conversation().clone()),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Told, found: &Found, _case: &Case, _now: DateTime<Utc>) -> Decision {
        match found.refused {
            Some(after) => not_asked(event, after),
            None => Decision::act(Effect::Notify(message(event))),
        }
    }

    fn conclude(
        &self,
        event: &Told,
        _found: &Found,
        result: &EffectResult,
        _case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let EffectResult::Notified(notified) = result else {
            return Decision::never("configuration", "not an answer to a notification");
        };
        let workflow = event.body.workflow();
        let step = Step::done(workflow, StepName::NotificationSent, now);
        match notified {
            Notified::Sent(tracking_id) => {
                let kind = message(event).kind;
                let sent = NotificationSent {
                    about: event.envelope.id,
                    workflow_id: workflow,
                    kind: kind.to_owned(),
                    tracking_id: tracking_id.clone(),
                };
                Decision::done()
                    .change(SentNotification {
                        about: event.envelope.id,
                        workflow_id: workflow,
                        kind,
                        tracking_id: tracking_id.clone(),
                        at: now,
                    })
                    .change(step.with(json!({ "kind": kind })))
                    .emit(&sent, event.body.conversation(), workflow)
            }
            Notified::Later {
                after,
                detail,
                absent,
            } => {
                let age = now - event.envelope.received_at;
                if *absent && age > chrono::TimeDelta::minutes(10) {
                    return Decision::never("permanent_failure", detail.clone());
                }
                let wanted = after.unwrap_or_default().min(Duration::from_secs(60));
                Decision::retry(wanted.max(pause(event)), detail.clone())
            }
            Notified::NotAsked { after } => not_asked(event, *after),
            Notified::Refused { reason, detail } => Decision::never(reason, detail.clone()),
        }
    }

    /// The text's own workflow goes on; only the notification is lost, and its dead letter says so.
    fn give_up(&self, event: &Told, reason: &str, now: DateTime<Utc>) -> Decision {
        let step = Step::done(event.body.workflow(), StepName::NotificationSent, now);
        Decision::done().change(step.failed(json!({ "reason": reason })))
    }
}

/// Waits for the circuit, and a moment of its own on top: one probe is enough.
fn not_asked(event: &Told, after: Duration) -> Decision {
    let share = event.envelope.id.share_of(Duration::from_secs(1));
    let after = after.min(Duration::from_secs(60));
    Decision::wait(after + share, "the notification service is left alone")
}

fn pause(event: &Told) -> Duration {
    let doublings = u32::try_from(event.envelope.delivered.clamp(1, 7) - 1).unwrap_or(0);
    // The circuit sets the pace of an outage; this only keeps one message from being a nuisance.
    Duration::from_secs(2_u64.pow(doublings)).min(Duration::from_secs(30))
}

#[cfg(test)]
mod tests;
