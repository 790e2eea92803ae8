//! Messages that could not be worked on, as they came.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

use super::{Tx, column};
use crate::domain::{ConversationId, DeadLetterId, EventId, WorkflowId};

/// A message to park.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// `sms`, `notification`, `workflow`, `event`.
    pub kind: &'static str,
    /// The stage that gave up.
    pub stage: &'static str,
    /// The subject it came on.
    pub subject: String,
    /// The message's id.
    pub event: EventId,
    /// `attempts_exhausted`, `permanent_failure`, `unknown_outcome`, `configuration`, `invalid_message`.
    pub reason: &'static str,
    /// What went wrong last, without personal data.
    pub last_error: String,
    /// The workflow it belonged to.
    pub workflow_id: Option<WorkflowId>,
    /// Its conversation.
    pub conversation_id: Option<ConversationId>,
    /// The message's headers.
    pub headers: Value,
    /// The message's body, byte for byte.
    pub payload: Vec<u8>,
    /// How often it was tried.
    pub attempts: i32,
    /// When first.
    pub first_attempt_at: DateTime<Utc>,
    /// When last.
    pub last_attempt_at: DateTime<Utc>,
}

pub(super) async fn insert(tx: &mut Tx<'_>, rows: &[DeadLetter]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into dead_letters
           (id, kind, stage, subject, event_id, reason, last_error, workflow_id, conversation_id,
            headers, payload, attempts, first_attempt_at, last_attempt_at, created_at, updated_at)
         select id, kind, stage, subject, event, reason, error, workflow, conversation, headers,
                payload, attempts, first_at, last_at, last_at, last_at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[],
                     $7::text[], $8::uuid[], $9::text[], $10::jsonb[], $11::bytea[], $12::integer[],
                     $13::timestamptz[], $14::timestamptz[])
           as t(id, kind, stage, subject, event, reason, error, workflow, conversation, headers,
                payload, attempts, first_at, last_at)
         on conflict (event_id, stage) do update
           set status = 'open', reason = excluded.reason, last_error = excluded.last_error,
               attempts = excluded.attempts, last_attempt_at = excluded.last_attempt_at,
               updated_at = excluded.updated_at",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.kind))
    .bind(column(rows, |r| r.stage))
    .bind(column(rows, |r| r.subject.as_str()))
    .bind(column(rows, |r| r.event.0))
    .bind(column(rows, |r| r.reason))
    .bind(column(rows, |r| r.last_error.as_str()))
    .bind(column(rows, |r| r.workflow_id.map(|w| w.0)))
    .bind(column(rows, |r| {
        r.conversation_id.as_ref().map(ConversationId::as_str)
    }))
    .bind(column(rows, |r| Json(&r.headers)))
    .bind(column(rows, |r| r.payload.as_slice()))
    .bind(column(rows, |r| r.attempts))
    .bind(column(rows, |r| r.first_attempt_at))
    .bind(column(rows, |r| r.last_attempt_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
