//! Parks what cannot be worked on: nothing is lost, and somebody sees it.

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Decision, Envelope, Reply};
use crate::domain::{DeadLetterId, Outcome, WorkflowStatus};
use crate::events::{DeadLettered, WorkflowFailed};
use crate::store::attempts::Attempts;
use crate::store::conversations::ConversationUpdate;
use crate::store::dead_letters::DeadLetter;
use crate::store::workflows::WorkflowUpdate;

/// A message given up, as it came.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// What surrounds it.
    pub envelope: Envelope,
    /// Its headers.
    pub headers: Option<HeaderMap>,
    /// Its body, byte for byte.
    pub payload: Bytes,
    /// The stage that gives up.
    pub stage: &'static str,
    /// `sms`, `notification`, `workflow`, `event`.
    pub kind: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What went wrong last, without personal data.
    pub detail: String,
    /// Earlier failures.
    pub attempts: Option<Attempts>,
}

/// Of a header that came twice, the last.
fn headers_of(parcel: &Parcel) -> Map<String, Value> {
    let all = parcel.headers.iter().flat_map(HeaderMap::iter);
    all.flat_map(|(name, values)| {
        let value = |value: &HeaderValue| (name.to_string(), value.as_str().into());
        values.iter().map(value)
    })
    .collect()
}

/// The dead letter's id: the same however often the message is given up.
pub fn letter_id(envelope: &Envelope, stage: &str) -> DeadLetterId {
    DeadLetterId(envelope.id.row(&format!("dead/{stage}")))
}

/// Keeps the message and tells the operators.
pub fn park(parcel: &Parcel, now: DateTime<Utc>) -> Decision {
    let envelope = &parcel.envelope;
    let id = letter_id(envelope, parcel.stage);
    let attempts = parcel.attempts.map_or(1, |a| a.count);
    let letter = DeadLetter {
        id,
        kind: parcel.kind,
        stage: parcel.stage,
        subject: envelope.subject.clone(),
        event: envelope.id,
        reason: parcel.reason,
        last_error: parcel.detail.clone(),
        workflow_id: envelope.workflow,
        conversation_id: envelope.conversation.clone(),
        headers: Value::Object(headers_of(parcel)),
        payload: parcel.payload.to_vec(),
        attempts,
        first_attempt_at: parcel.attempts.map_or(now, |a| a.first_at),
        last_attempt_at: now,
    };
    let told = DeadLettered {
        dead_letter_id: id,
        kind: parcel.kind.to_owned(),
        stage: parcel.stage.to_owned(),
        subject: envelope.subject.clone(),
        event_id: envelope.id,
        reason: parcel.reason.to_owned(),
        detail: parcel.detail.clone(),
        attempts,
        parked_at: now,
    };
    Decision::done().change(letter).emit_loose(
        &told,
        envelope.conversation.clone(),
        envelope.workflow,
    )
}

/// A workflow that will not be finished: it says so, and its turn no longer stands in the way of
/// the next text.
pub fn fail_workflow(
    envelope: &Envelope,
    stage: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Decision {
    let (Some(workflow), Some(conversation)) = (envelope.workflow, &envelope.conversation) else {
        return Decision::nothing("no workflow had begun");
    };
    let failed = WorkflowFailed {
        workflow_id: workflow,
        conversation_id: conversation.clone(),
        stage: stage.to_owned(),
        reason: reason.to_owned(),
        dead_letter_id: letter_id(envelope, stage),
    };
    Decision::done()
        .change(WorkflowUpdate {
            status: Some(WorkflowStatus::Failed),
            outcome: Some(Outcome::Failed),
            error: Some(format!("{stage}: {reason}")),
            ended: true,
            ..WorkflowUpdate::of(workflow, now)
        })
        .change(ConversationUpdate {
            only_if_carried_by: Some(workflow),
            ..ConversationUpdate::closing(conversation)
        })
        .emit(&failed, conversation, workflow)
        .reply(Reply::Workflow(workflow))
}
