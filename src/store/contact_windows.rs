//! When a number wants no texts (`rules.md` R10): what was said, where, and who lifted it.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Batch, Db, Tx, column, consents};
use crate::domain::{ContactWindowId, ConversationId, EventId, Phone, Quiet, WorkflowId};

/// Hours without texts, from now on.
#[derive(Debug, Clone)]
pub struct NewContactWindow {
    /// Its id.
    pub id: ContactWindowId,
    /// The number.
    pub phone: Phone,
    /// The hours.
    pub quiet: Vec<Quiet>,
    /// `text`, `manager`, `email` or `voicemail`.
    pub source: &'static str,
    /// Where it was said, when it was said in a text.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of the text.
    pub workflow_id: Option<WorkflowId>,
    /// The text.
    pub text_id: Option<EventId>,
    /// What a manager wrote about it.
    pub note: Option<String>,
    /// `tenant`, or a manager.
    pub by: String,
    /// When it reached us.
    pub at: DateTime<Utc>,
}

/// Hours that count no longer.
#[derive(Debug, Clone)]
pub struct LiftedContactWindow {
    /// Which.
    pub id: ContactWindowId,
    /// The number.
    pub phone: Phone,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Rare: no need for a set.
pub(super) async fn set(tx: &mut Tx<'_>, rows: &[NewContactWindow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let quiet: Vec<String> = row.quiet.iter().map(Quiet::to_string).collect();
        sqlx::query(
            "insert into contact_windows
               (id, phone_number, quiet, source, conversation_id, workflow_id, text_id, note, set_by, set_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(row.id.0)
        .bind(row.phone.as_str())
        .bind(quiet)
        .bind(row.source)
        .bind(row.conversation_id.as_ref().map(ConversationId::as_str))
        .bind(row.workflow_id.map(|w| w.0))
        .bind(row.text_id.map(|t| t.0))
        .bind(row.note.as_deref())
        .bind(&row.by)
        .bind(row.at)
        .execute(&mut **tx)
        .await?;
    }
    let phones: Vec<&str> = rows.iter().map(|r| r.phone.as_str()).collect();
    // A manager may write down hours of a number that never wrote.
    if let Some(first) = rows.first() {
        let mut numbers = Batch::default();
        consents::ensure(&mut numbers, &phones, first.at);
        numbers.run(&mut **tx).await?;
    }
    copy_to_numbers(tx, &phones).await
}

pub(super) async fn lift(tx: &mut Tx<'_>, rows: &[LiftedContactWindow]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update contact_windows w set lifted_by = u.by, lift_reason = u.reason, lifted_at = u.at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as u(id, by, reason, at)
         where w.id = u.id and w.lifted_at is null",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.reason.as_str()))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    let phones: Vec<&str> = rows.iter().map(|r| r.phone.as_str()).collect();
    copy_to_numbers(tx, &phones).await?;
    // What waits for an hour may leave earlier now: the gate is asked anew at once.
    sqlx::query(
        "update deliveries d set not_before = least(d.not_before, u.at)
         from unnest($1::text[], $2::timestamptz[]) as u(phone, at)
         where d.phone_number = u.phone and d.status = 'held'",
    )
    .bind(phones)
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn copy_to_numbers(tx: &mut Tx<'_>, phones: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update consents c set quiet = array(
           select distinct span from contact_windows w cross join unnest(w.quiet) as span
           where w.phone_number = c.phone_number and w.lifted_at is null order by span)
         where c.phone_number = any($1)",
    )
    .bind(phones)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Hours as stored. What a later version wrote and this one cannot read is left out: it must not stop
/// every send.
pub(super) fn quiet_of(row: &PgRow) -> Result<Vec<Quiet>, sqlx::Error> {
    let spans: Vec<String> = row.try_get("quiet")?;
    Ok(spans.iter().filter_map(|span| span.parse().ok()).collect())
}

/// A contact window as stored.
#[derive(Debug, Clone)]
pub struct ContactWindow {
    /// Its id.
    pub id: ContactWindowId,
    /// The number.
    pub phone: Phone,
    /// The hours.
    pub quiet: Vec<Quiet>,
    /// How it was said.
    pub source: String,
    /// Where.
    pub conversation_id: Option<String>,
    /// The text that said so.
    pub text_id: Option<Uuid>,
    /// What a manager wrote about it.
    pub note: Option<String>,
    /// Who.
    pub set_by: String,
    /// When.
    pub set_at: DateTime<Utc>,
    /// Who lifted it, why, when.
    pub lifted: Option<(String, String, DateTime<Utc>)>,
}

fn from_row(row: &PgRow) -> Result<ContactWindow, sqlx::Error> {
    let by: Option<String> = row.try_get("lifted_by")?;
    let at: Option<DateTime<Utc>> = row.try_get("lifted_at")?;
    let reason: Option<String> = row.try_get("lift_reason")?;
    Ok(ContactWindow {
        id: ContactWindowId(row.try_get("id")?),
        phone: Phone::from_stored(row.try_get("phone_number")?),
        quiet: quiet_of(row)?,
        source: row.try_get("source")?,
        conversation_id: row.try_get("conversation_id")?,
        text_id: row.try_get("text_id")?,
        note: row.try_get("note")?,
        set_by: row.try_get("set_by")?,
        set_at: row.try_get("set_at")?,
        lifted: by
            .zip(at)
            .map(|(by, at)| (by, reason.unwrap_or_default(), at)),
    })
}

const COLUMNS: &str =
    "id, phone_number, quiet, source, conversation_id, text_id, note, set_by, set_at,
    lifted_by, lift_reason, lifted_at";

/// One contact window.
pub async fn with_id(pool: &Db, id: ContactWindowId) -> Result<Option<ContactWindow>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from contact_windows where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// What a list of contact windows is asked for.
#[derive(Debug, Clone)]
pub struct WindowFilter {
    /// Only standing ones, or only lifted ones.
    pub active: Option<bool>,
    /// Only of this number.
    pub phone: Option<String>,
    /// Page size.
    pub limit: i64,
    /// Page start.
    pub offset: i64,
}

/// A page of contact windows, newest first, with the count of all.
pub async fn list(
    pool: &Db,
    filter: &WindowFilter,
) -> Result<(Vec<ContactWindow>, i64), sqlx::Error> {
    const WHERE: &str = "where ($1::boolean is null or (lifted_at is null) = $1)
        and ($2::text is null or phone_number = $2)";
    let sql = format!(
        "select {COLUMNS} from contact_windows {WHERE} order by set_at desc, id limit $3 offset $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.active)
        .bind(&filter.phone)
        .bind(filter.limit)
        .bind(filter.offset)
        .fetch_all(pool)
        .await?;
    let sql = format!("select count(*) from contact_windows {WHERE}");
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(filter.active)
        .bind(&filter.phone)
        .fetch_one(pool)
        .await?;
    let page: Result<Vec<ContactWindow>, _> = rows.iter().map(from_row).collect();
    Ok((page?, total))
}
