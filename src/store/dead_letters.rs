//! Messages that could not be worked on, as they came.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Tx, column};
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

/// A letter is worked on again, or somebody is done with it.
#[derive(Debug, Clone)]
pub struct LetterUpdate {
    /// Which.
    pub id: DeadLetterId,
    /// `redriven` or `resolved`.
    pub status: &'static str,
    /// The stage and the message that must forget each other, for `redriven`.
    pub forget: Option<(EventId, String)>,
    /// Who.
    pub by: String,
    /// In their words.
    pub note: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Also takes back the handled mark and the count of attempts: the message has its tries anew.
pub(super) async fn update(tx: &mut Tx<'_>, rows: &[LetterUpdate]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update dead_letters d set
           status = u.status, updated_at = u.at,
           redrive_count = d.redrive_count + (u.status = 'redriven')::integer,
           history = d.history || jsonb_build_object(
             'status', u.status, 'by', u.by, 'note', u.note, 'at', u.at)
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
           as u(id, status, by, note, at)
         where d.id = u.id",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.status))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.note.as_deref()))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    let forget: Vec<&(EventId, String)> = rows.iter().filter_map(|r| r.forget.as_ref()).collect();
    if forget.is_empty() {
        return Ok(());
    }
    for table in ["handled_events", "attempts"] {
        let sql = format!(
            "delete from {table} h using unnest($1::uuid[], $2::text[]) as u(event, stage)
             where h.event_id = u.event and h.stage = u.stage"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(column(&forget, |f| f.0.0))
            .bind(column(&forget, |f| f.1.as_str()))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// A letter as stored.
#[derive(Debug, Clone)]
pub struct StoredLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// `sms`, `notification`, `workflow`, `event`.
    pub kind: String,
    /// `open`, `redriven`, `resolved`.
    pub status: String,
    /// The stage that gave up.
    pub stage: String,
    /// The subject it came on.
    pub subject: String,
    /// The message's id.
    pub event: EventId,
    /// Why.
    pub reason: String,
    /// What went wrong last.
    pub last_error: String,
    /// Its workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Its conversation.
    pub conversation_id: Option<ConversationId>,
    /// The message's headers.
    pub headers: Value,
    /// The message's body.
    pub payload: Vec<u8>,
    /// How often it was tried.
    pub attempts: i32,
    /// How often somebody had it tried again.
    pub redrive_count: i32,
    /// Who did what with it.
    pub history: Value,
    /// When first.
    pub first_attempt_at: DateTime<Utc>,
    /// When last.
    pub last_attempt_at: DateTime<Utc>,
    /// When it was parked.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, kind, status, stage, subject, event_id, reason, last_error, workflow_id,
    conversation_id, headers, payload, attempts, redrive_count, history, first_attempt_at,
    last_attempt_at, created_at, updated_at";

fn from_row(row: &PgRow) -> Result<StoredLetter, sqlx::Error> {
    Ok(StoredLetter {
        id: DeadLetterId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        status: row.try_get("status")?,
        stage: row.try_get("stage")?,
        subject: row.try_get("subject")?,
        event: EventId(row.try_get("event_id")?),
        reason: row.try_get("reason")?,
        last_error: row.try_get("last_error")?,
        workflow_id: row
            .try_get::<Option<Uuid>, _>("workflow_id")?
            .map(WorkflowId),
        conversation_id: row
            .try_get::<Option<String>, _>("conversation_id")?
            .map(ConversationId::from_stored),
        headers: row.try_get::<Json<Value>, _>("headers")?.0,
        payload: row.try_get("payload")?,
        attempts: row.try_get("attempts")?,
        redrive_count: row.try_get("redrive_count")?,
        history: row.try_get::<Json<Value>, _>("history")?.0,
        first_attempt_at: row.try_get("first_attempt_at")?,
        last_attempt_at: row.try_get("last_attempt_at")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// One letter.
pub async fn with_id(pool: &Db, id: DeadLetterId) -> Result<Option<StoredLetter>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from dead_letters where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The newest open letter of a workflow's own way, not of its notifications.
pub async fn open_of(pool: &Db, workflow: WorkflowId) -> Result<Option<DeadLetterId>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from dead_letters
         where workflow_id = $1 and status = 'open' and kind <> 'notification'
         order by created_at desc limit 1",
    )
    .bind(workflow.0)
    .fetch_optional(pool)
    .await?;
    Ok(id.map(DeadLetterId))
}

/// Letters by id, locked.
pub(super) async fn locked(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<StoredLetter>, sqlx::Error> {
    let sql =
        format!("select {COLUMNS} from dead_letters where id = any($1) order by id for update");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// What a list of letters is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// Exact status; `None` for all.
    pub status: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// One conversation.
    pub conversation: Option<String>,
    /// Newest first.
    pub descending: bool,
    /// Page size.
    pub limit: i64,
    /// Rows to skip.
    pub offset: i64,
}

impl LetterFilter {
    fn conditions(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from dead_letters where true");
        let equal = [
            ("status", &self.status),
            ("kind", &self.kind),
            ("conversation_id", &self.conversation),
        ];
        for (column, value) in equal {
            if let Some(value) = value {
                sql.push(format!(" and {column} = "))
                    .push_bind(value.clone());
            }
        }
    }
}

/// A page of letters and how many there are in all.
pub async fn list(
    pool: &Db,
    filter: &LetterFilter,
) -> Result<(Vec<StoredLetter>, i64), sqlx::Error> {
    let mut count = QueryBuilder::new("select count(*)");
    filter.conditions(&mut count);
    let total: i64 = count.build_query_scalar().fetch_one(pool).await?;
    let mut page = QueryBuilder::new("select ");
    page.push(COLUMNS);
    filter.conditions(&mut page);
    let direction = if filter.descending { "desc" } else { "asc" };
    page.push(format!(
        " order by created_at {direction}, id {direction} limit "
    ))
    .push_bind(filter.limit)
    .push(" offset ")
    .push_bind(filter.offset);
    let rows = page.build().fetch_all(pool).await?;
    Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, total))
}
