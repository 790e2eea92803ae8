//! How far the SMS Agent's tables were read, and the reading itself.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Db, Tx};

/// Begins to read after `position`, unless somebody has begun before.
pub async fn begin(
    pool: &Db,
    source: &str,
    position: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into relay_cursors (source, position, updated_at) values ($1, $2, $3)
         on conflict (source) do nothing",
    )
    .bind(source)
    .bind(position)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}

/// The position; `None` before anybody has begun.
pub async fn position(pool: &Db, source: &str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select position from relay_cursors where source = $1")
        .bind(source)
        .fetch_optional(pool)
        .await
}

/// The position, held until the transaction ends; `None` while another replica holds it.
pub async fn hold(tx: &mut Tx<'_>, source: &str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select position from relay_cursors where source = $1 for update skip locked",
    )
    .bind(source)
    .fetch_optional(&mut **tx)
    .await
}

/// Everything up to here is published.
pub async fn advance(
    tx: &mut Tx<'_>,
    source: &str,
    position: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("update relay_cursors set position = $2, updated_at = $3 where source = $1")
        .bind(source)
        .bind(position)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The ids that were passed without having been seen.
pub async fn missing(tx: &mut Tx<'_>, source: &str) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar("select message_id from relay_missing where source = $1 order by message_id")
        .bind(source)
        .fetch_all(&mut **tx)
        .await
}

/// Remembers ids that are passed without having been seen.
pub async fn miss(
    tx: &mut Tx<'_>,
    source: &str,
    ids: &[i64],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into relay_missing (source, message_id, noticed_at)
         select $1, id, $3 from unnest($2::bigint[]) as id on conflict do nothing",
    )
    .bind(source)
    .bind(ids)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An id has turned up, or has been waited for long enough.
pub async fn stop_missing(
    tx: &mut Tx<'_>,
    source: &str,
    ids: &[i64],
    noticed_before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from relay_missing
         where source = $1 and (message_id = any($2) or noticed_at < $3)",
    )
    .bind(source)
    .bind(ids)
    .bind(noticed_before)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A row of the agent's, as far as we need it.
#[derive(Clone)]
pub struct AgentRow {
    /// Its id.
    pub id: i64,
    /// A tenant wrote it.
    pub inbound: bool,
    /// The agent's number of the conversation.
    pub conversation: Option<i64>,
    /// The conversation's phone, or who sent the text.
    pub phone: Option<String>,
    /// As far as the agent knows.
    pub tenant: Option<String>,
    /// The provider's id.
    pub sid: Option<String>,
    /// The text.
    pub content: Option<String>,
    /// From the provider's own form, which the agent keeps.
    pub num_media: Option<i32>,
    /// When the agent stored it.
    pub at: Option<DateTime<Utc>>,
}

/// The highest id the agent has given.
pub async fn newest(agent: &Db) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select coalesce(max(id), 0)::bigint from sms_messages")
        .fetch_one(agent)
        .await
}

/// Rows above `position`, and those of `missing` that are there by now, by id. Rows of both
/// directions, or a text of our own would look like an id that is missing. `zone` is where the
/// agent's zoneless times belong; the provider's form is an optional column.
pub async fn rows(
    agent: &Db,
    position: i64,
    missing: &[i64],
    zone: &str,
    limit: i64,
) -> Result<Vec<AgentRow>, sqlx::Error> {
    let mut tx = agent.begin_read_only().await?;
    let found = sqlx::query(
        "select m.id::bigint as id, m.direction = 'inbound' as inbound, c.id::bigint as conversation,
                coalesce(c.phone_number_canonical, m.from_number) as phone,
                c.tenant_id::text as tenant, m.twilio_sid as sid, m.message_content as content,
                m.created_at at time zone $4 as at,
                case when to_jsonb(m) #>> '{raw_webhook_data,NumMedia}' ~ '^[0-9]{1,3}$'
                     then (to_jsonb(m) #>> '{raw_webhook_data,NumMedia}')::integer end as num_media
         from sms_messages m left join sms_conversations c on c.id = m.conversation_id
         where m.id > $1 or m.id = any($2) order by m.id limit $3",
    )
    .bind(position)
    .bind(missing)
    .bind(limit)
    .bind(zone)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    found.iter().map(from_row).collect()
}

fn from_row(row: &PgRow) -> Result<AgentRow, sqlx::Error> {
    Ok(AgentRow {
        id: row.try_get("id")?,
        inbound: row.try_get("inbound")?,
        conversation: row.try_get("conversation")?,
        phone: row.try_get("phone")?,
        tenant: row.try_get("tenant")?,
        sid: row.try_get("sid")?,
        content: row.try_get("content")?,
        num_media: row.try_get("num_media")?,
        at: row.try_get("at")?,
    })
}
