//! What managers were told: one row per event, so that nobody is told twice knowingly.

use chrono::{DateTime, Utc};

use super::{Batch, column};
use crate::domain::{EventId, WorkflowId};

/// A notification that went out.
#[derive(Debug, Clone)]
pub struct SentNotification {
    /// The event it is about.
    pub about: EventId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// `approval_required`, `escalation`, `workflow_failed`.
    pub kind: &'static str,
    /// The service's receipt.
    pub tracking_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) fn insert(all: &mut Batch, rows: &[SentNotification]) {
    all.add(
        "insert into notifications (id, about_event, workflow_id, kind, tracking_id, sent_at)
         select gen_random_uuid(), * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
         on conflict (about_event) do nothing",
    )
    .bind(column(rows, |r| r.about.0))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.kind))
    .bind(column(rows, |r| r.tracking_id.as_deref()))
    .bind(column(rows, |r| r.at));
}
