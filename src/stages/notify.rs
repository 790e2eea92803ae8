//! Do the managers know?
//!
//! in: `approval.requested`, `escalation.raised`, `workflow.failed` · out: `notification.sent`
//!
//! At least once: a second e-mail is acceptable, none is not. Never in the way of a text.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{ConversationId, EscalationType, Severity, StepName, WorkflowId};
use crate::engine::{Decision, Effect, EffectResult, Incoming, Io, Stage, StageError};
use crate::events::{
    ApprovalRequested, EscalationRaised, Event, Invalid, NotificationSent, Received, StageInput,
    WorkflowFailed,
};
use crate::neighbours::notifications::{Notification, Notified};
use crate::store::notifications::SentNotification;
use crate::store::steps::Step;
use crate::store::{Case, Needs};

/// The stage.
pub struct Notify;

/// What managers are told about.
#[derive(Debug, Clone)]
pub enum Notifiable {
    /// A draft waits.
    Approval(Box<ApprovalRequested>),
    /// A person has to look.
    Escalation(Box<EscalationRaised>),
    /// A workflow could not be finished.
    Failure(WorkflowFailed),
}

impl StageInput for Notifiable {
    const SUBJECTS: &'static [&'static str] = &[
        ApprovalRequested::SUBJECT,
        EscalationRaised::SUBJECT,
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
            Self::Failure(e) => e.workflow_id,
        }
    }

    fn conversation(&self) -> &ConversationId {
        match self {
            Self::Approval(e) => &e.conversation_id,
            Self::Escalation(e) => &e.conversation_id,
            Self::Failure(e) => &e.conversation_id,
        }
    }
}

type Told = Incoming<Notifiable>;

impl Stage for Notify {
    const NAME: &'static str = "notify";
    const DEAD_KIND: &'static str = "notification";
    const ASKS_OUTSIDE: bool = true;
    type In = Notifiable;
    type Found = ();

    /// About an hour with pauses of at most a minute.
    fn max_attempts(&self, default: i32) -> i32 {
        default.max(60)
    }

    async fn gather(&self, _event: &Told, _io: &Io) -> Result<(), StageError> {
        Ok(())
    }

    fn needs(&self, event: &Told, (): &()) -> Needs {
        Needs {
            conversation: Some(event.body.conversation().clone()),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Told, (): &(), _case: &Case, _now: DateTime<Utc>) -> Decision {
        Decision::act(Effect::Notify(message(event)))
    }

    fn conclude(
        &self,
        event: &Told,
        (): &(),
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
            Notified::Refused { reason, detail } => Decision::never(reason, detail.clone()),
        }
    }

    /// The text's own workflow goes on; only the notification is lost, and its dead letter says so.
    fn give_up(&self, event: &Told, reason: &str, now: DateTime<Utc>) -> Decision {
        let step = Step::done(event.body.workflow(), StepName::NotificationSent, now);
        Decision::done().change(step.failed(json!({ "reason": reason })))
    }
}

fn pause(event: &Told) -> Duration {
    let doublings = u32::try_from(event.envelope.delivered.clamp(1, 7) - 1).unwrap_or(0);
    Duration::from_secs(2_u64.pow(doublings)).min(Duration::from_secs(60))
}

/// Readable by itself: who, what was said, what would be answered, what to do.
fn message(event: &Told) -> Notification {
    let correlation_id = event.envelope.correlation_id.clone();
    let ids = |kind: &str, extra: Vec<(&'static str, String)>| {
        let mut metadata = vec![
            ("event", kind.to_owned()),
            ("workflow_id", event.body.workflow().to_string()),
            ("conversation_id", event.body.conversation().to_string()),
            ("correlation_id", correlation_id.clone()),
        ];
        metadata.extend(extra);
        metadata
    };
    match &event.body {
        Notifiable::Approval(asked) => approval(
            asked,
            &correlation_id,
            ids(
                "approval_required",
                vec![("response_queue_id", asked.response_queue_id.to_string())],
            ),
        ),
        Notifiable::Escalation(raised) => escalation(
            raised,
            &correlation_id,
            ids(
                "escalation",
                vec![("escalation_id", raised.escalation_id.to_string())],
            ),
        ),
        Notifiable::Failure(failed) => Notification {
            kind: "workflow_failed",
            subject: "A tenant's text could not be processed".to_owned(),
            body: format!(
                "Conversation {} stopped at stage {} ({}). The text is kept as dead letter {}.\n\
                 Please answer the tenant yourself or have the item retried.",
                failed.conversation_id, failed.stage, failed.reason, failed.dead_letter_id,
            ),
            severity: Severity::High,
            metadata: ids("workflow_failed", vec![]),
            correlation_id: correlation_id.clone(),
        },
    }
}

fn who<'a>(name: Option<&'a String>, conversation: &'a ConversationId) -> &'a str {
    name.map_or(conversation.as_str(), String::as_str)
}

fn approval(
    asked: &ApprovalRequested,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(asked.tenant_name.as_ref(), &asked.conversation_id);
    let english = match &asked.ai_response_en {
        Some(english) => format!("\nIn English:\n  {english}\n"),
        None => String::new(),
    };
    Notification {
        kind: "approval_required",
        subject: format!("A drafted reply to {who} waits for you"),
        body: format!(
            "{who} wrote:\n  {}\n\nDrafted reply ({} % sure, waits because of {}):\n  {}\n{english}\n\
             Decide until {}: POST /orchestrate/approve-response with response_queue_id {} and \
             action approve, modify, escalate or reject.",
            asked.tenant_message,
            asked.confidence_score.percent(),
            asked.routing_reason.as_str().replace('_', " "),
            asked.ai_response,
            asked.expires_at.format("%Y-%m-%d %H:%M UTC"),
            asked.response_queue_id,
        ),
        severity: Severity::Medium,
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

fn escalation(
    raised: &EscalationRaised,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(raised.tenant_name.as_ref(), &raised.conversation_id);
    let said = match &raised.tenant_message {
        Some(said) => format!("\n\n{who} wrote:\n  {said}"),
        None => String::new(),
    };
    let kind = raised.escalation_type.as_str().replace('_', " ");
    Notification {
        kind: "escalation",
        subject: format!("[{}] {who}: {kind}", raised.severity.as_str()),
        body: format!(
            "{}{said}\n\n{} Escalation {}, conversation {}.",
            raised.reason,
            advice(raised.escalation_type, who),
            raised.escalation_id,
            raised.conversation_id,
        ),
        severity: raised.severity,
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

/// What to do. Never "answer them" where no text is allowed, or where one may have arrived.
fn advice(kind: EscalationType, who: &str) -> String {
    match kind {
        EscalationType::OptOut => {
            format!("Nothing will be texted to {who} any more; please do not text either.")
        }
        EscalationType::WrongNumber => {
            "Nothing was sent. Please do not text this number; check the tenant's file.".to_owned()
        }
        EscalationType::DeliveryFailed => {
            format!("Please see what {who} has received before anything is sent again.")
        }
        EscalationType::SelfHarm => {
            format!("Nothing was sent. Please call {who} now; in danger call 911, or 988 for help.")
        }
        _ => format!("Nothing was sent automatically. Please answer {who} yourself."),
    }
}

#[cfg(test)]
mod tests;
