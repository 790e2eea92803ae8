//! What managers were told: one row per event, so that nobody is told twice knowingly.

use chrono::{DateTime, Utc};

use super::{Tx, column};
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

pub(super) async fn insert(tx: &mut Tx<'_>, rows: &[SentNotification]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into notifications (id, about_event, workflow_id, kind, tracking_id, sent_at)
         select gen_random_uuid(), * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
         on conflict (about_event) do nothing",
    )
    .bind(column(rows, |r| r.about.0))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.kind))
    .bind(column(rows, |r| r.tracking_id.as_deref()))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
