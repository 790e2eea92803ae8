//! What is late. Only looked for here; whether anything follows is decided under the locks.

use super::Db;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::domain::{ConversationId, DraftId, EscalationId, Severity, WorkflowId};
use crate::events::{Awaited, WorkflowDue};

/// Drafts that should have been decided.
pub async fn undecided(
    pool: &Db,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<WorkflowDue>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, conversation_id, workflow_id, expires_at as due_at from ai_response_queue
         where status = 'pending' and expires_at <= $1 order by expires_at limit $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| due(row, Awaited::Decision(DraftId(row.try_get("id")?))))
        .collect()
}

/// Conversations in which a text of ours has had no answer for more than `patience`.
pub async fn unanswered(
    pool: &Db,
    now: DateTime<Utc>,
    patience: TimeDelta,
    limit: i64,
) -> Result<Vec<WorkflowDue>, sqlx::Error> {
    let rows = sqlx::query(
        "select id as conversation_id, turn_workflow_id as workflow_id, last_outbound_at,
                last_outbound_at + $3 as due_at
         from conversations
         where last_outbound_at is not null
           and last_outbound_at > coalesce(last_inbound_at, '-infinity')
           and last_outbound_at > coalesce(silence_noted_at, '-infinity')
           and last_outbound_at < $1
         order by last_outbound_at limit $2",
    )
    .bind(now - patience)
    .bind(limit)
    .bind(sqlx::postgres::types::PgInterval {
        months: 0,
        days: 0,
        microseconds: patience.num_microseconds().unwrap_or(i64::MAX),
    })
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| due(row, Awaited::Answer(row.try_get("last_outbound_at")?)))
        .collect()
}

/// Escalations that somebody should have been done with, by their severity.
pub async fn unresolved(
    pool: &Db,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<WorkflowDue>, sqlx::Error> {
    let severities = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let seconds = severities.map(|s| s.expected_within().num_seconds());
    let rows = sqlx::query(
        "select e.id, e.conversation_id, e.workflow_id,
                e.created_at + make_interval(secs => s.seconds) as due_at
         from unnest($1::text[], $2::float8[]) as s(severity, seconds)
         join escalation_events e on e.severity = s.severity
         where e.status <> 'resolved' and e.reminded_at is null
           and e.created_at + make_interval(secs => s.seconds) <= $3
         order by e.created_at limit $4",
    )
    .bind(severities.map(Severity::as_str))
    .bind(seconds.map(|s| f64::from(i32::try_from(s).unwrap_or(i32::MAX))))
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| due(row, Awaited::Resolution(EscalationId(row.try_get("id")?))))
        .collect()
}

fn due(row: &PgRow, awaited: Awaited) -> Result<WorkflowDue, sqlx::Error> {
    Ok(WorkflowDue {
        awaited,
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        workflow_id: row
            .try_get::<Option<Uuid>, _>("workflow_id")?
            .map(WorkflowId),
        due_at: row.try_get("due_at")?,
    })
}
