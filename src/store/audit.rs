//! Who decided what about a draft: original, final, reason. Rows are only ever added.

use chrono::{DateTime, Utc};
use sqlx::Row;
use uuid::Uuid;

use super::{Batch, Db, column};
use crate::domain::DraftId;

/// A decision to keep.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Its id.
    pub id: Uuid,
    /// The draft.
    pub draft_id: DraftId,
    /// `approve`, `modify`, `escalate`, `reject`.
    pub action: String,
    /// What the model had written.
    pub original: String,
    /// What is sent.
    pub final_response: Option<String>,
    /// Why a person took over.
    pub reason: Option<String>,
    /// The decider's notes.
    pub notes: Option<String>,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) fn insert(all: &mut Batch, rows: &[Audit]) {
    all.add(
        "insert into approval_audit_log (id, response_queue_id, action, original_response,
                                         final_response, reason, notes, approved_by, created_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                              $7::text[], $8::text[], $9::timestamptz[])",
    )
    .bind(column(rows, |r| r.id))
    .bind(column(rows, |r| r.draft_id.0))
    .bind(column(rows, |r| r.action.as_str()))
    .bind(column(rows, |r| r.original.as_str()))
    .bind(column(rows, |r| r.final_response.as_deref()))
    .bind(column(rows, |r| r.reason.as_deref()))
    .bind(column(rows, |r| r.notes.as_deref()))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.at));
}

/// The draft a decision was about, by the decision's id.
pub async fn draft_of(pool: &Db, decision: Uuid) -> Result<Option<DraftId>, sqlx::Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("select response_queue_id from approval_audit_log where id = $1")
            .bind(decision)
            .fetch_optional(pool)
            .await?;
    Ok(id.map(DraftId))
}

/// The decisions about a draft, oldest first.
pub async fn of_draft(pool: &Db, draft: DraftId) -> Result<Vec<Audit>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, action, original_response, final_response, reason, notes, approved_by, created_at
         from approval_audit_log where response_queue_id = $1 order by created_at, id",
    )
    .bind(draft.0)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Audit {
                id: row.try_get("id")?,
                draft_id: draft,
                action: row.try_get("action")?,
                original: row.try_get("original_response")?,
                final_response: row.try_get("final_response")?,
                reason: row.try_get("reason")?,
                notes: row.try_get("notes")?,
                by: row.try_get("approved_by")?,
                at: row.try_get("created_at")?,
            })
        })
        .collect()
}
