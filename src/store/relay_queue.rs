//! Texts on their way from the SMS Agent to the stream (`relay_queue`). Written by the relay alone,
//! one small statement each: at most a few texts a second come through a webhook.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::{Db, Tx, column};

/// A text as the provider posted it.
#[derive(Clone)]
pub struct QueuedText {
    /// The provider's id.
    pub sid: String,
    /// As posted; checked when it is published.
    pub sender: String,
    /// As posted; empty for a picture.
    pub content: String,
    /// Pictures and the like.
    pub num_media: i32,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// A text somebody has to do something about.
#[derive(Clone)]
pub struct DueText {
    /// Its place in the order of arrival.
    pub id: i64,
    /// What it says.
    pub text: QueuedText,
    /// As it was published.
    pub event: Option<Value>,
    /// Tries so far.
    pub attempts: i32,
}

/// Which kind of work is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The agent's answer is not known.
    Forwarding,
    /// The agent has it, the stream does not.
    Ready,
    /// The stream has it; whether a stage has is to be seen.
    Published,
}

impl Waiting {
    fn as_str(self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::Ready => "ready",
            Self::Published => "published",
        }
    }
}

/// Notes a text before the agent is asked. `false`: it is known already.
pub async fn note(
    pool: &Db,
    text: &QueuedText,
    look_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query(
        "insert into relay_queue (message_sid, state, sender, content, num_media, received_at, due_at)
         values ($1, 'forwarding', $2, $3, $4, $5, $6) on conflict (message_sid) do nothing",
    )
    .bind(&text.sid)
    .bind(&text.sender)
    .bind(&text.content)
    .bind(text.num_media)
    .bind(text.received_at)
    .bind(look_at)
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// The agent has said yes: what it was given counts, whatever was noted under that id before. A
/// text that is further on stays as it is, and its row, which the drain may hold, is not waited for.
pub async fn confirm(pool: &Db, text: &QueuedText) -> Result<(), sqlx::Error> {
    let bind = |sql: &'static str| {
        sqlx::query(sql)
            .bind(&text.sid)
            .bind(&text.sender)
            .bind(&text.content)
            .bind(text.num_media)
            .bind(text.received_at)
    };
    let new = bind(
        "insert into relay_queue (message_sid, state, sender, content, num_media, received_at, due_at)
         values ($1, 'ready', $2, $3, $4, $5, $5) on conflict (message_sid) do nothing",
    );
    if new.execute(pool).await?.rows_affected() == 1 {
        return Ok(());
    }
    let known = bind(
        "update relay_queue set state = 'ready', sender = $2, content = $3, num_media = $4,
           due_at = $5, attempts = 0, last_error = null, finished_at = null
         where message_sid = $1 and state in ('forwarding', 'unconfirmed')",
    );
    known.execute(pool).await?;
    Ok(())
}

/// The agent has said no: there is nothing to remember.
pub async fn forget(pool: &Db, sid: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from relay_queue where message_sid = $1 and state = 'forwarding'")
        .bind(sid)
        .execute(pool)
        .await?;
    Ok(())
}

/// Due texts, held until the transaction ends: other replicas do not see them. Of each sender only
/// the oldest, so that nobody overtakes himself.
pub async fn hold(
    tx: &mut Tx<'_>,
    waiting: Waiting,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DueText>, sqlx::Error> {
    let rows = sqlx::query(
        "select d.id, d.message_sid, d.sender, d.content, d.num_media, d.attempts, d.received_at, d.event
         from relay_queue d
         where d.state = $1 and d.due_at <= $2
           and not exists (select 1 from relay_queue e
                           where e.sender = d.sender and e.id < d.id and e.state = 'ready')
         order by d.id limit $3 for update skip locked",
    )
    .bind(waiting.as_str())
    .bind(now)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &PgRow) -> Result<DueText, sqlx::Error> {
    Ok(DueText {
        id: row.try_get("id")?,
        text: QueuedText {
            sid: row.try_get("message_sid")?,
            sender: row
                .try_get::<Option<String>, _>("sender")?
                .unwrap_or_default(),
            content: row
                .try_get::<Option<String>, _>("content")?
                .unwrap_or_default(),
            num_media: row.try_get("num_media")?,
            received_at: row.try_get("received_at")?,
        },
        event: row.try_get("event")?,
        attempts: row.try_get("attempts")?,
    })
}

/// What became of a due text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The stream has it. Kept as it was published, until somebody has handled it.
    Published {
        /// The body.
        event: Value,
        /// When to see whether somebody has.
        due_at: DateTime<Utc>,
    },
    /// A stage has handled it: what it said is needed no longer.
    Taken,
    /// The agent has it after all: now it may be published.
    Ready,
    /// Not now.
    Later {
        /// Why.
        error: Option<String>,
        /// When again.
        due_at: DateTime<Utc>,
    },
    /// It can never be published; kept for a person.
    Refused(String),
    /// The agent neither said yes nor has it; kept for a person.
    Unconfirmed(String),
}

/// Writes down what became of a text.
pub async fn settle(
    tx: &mut Tx<'_>,
    id: i64,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let query = match outcome {
        Outcome::Published { event, due_at } => sqlx::query(
            "update relay_queue set state = 'published', sender = null, content = null,
               attempts = 0, last_error = null, due_at = $2, event = $3 where id = $1",
        )
        .bind(id)
        .bind(due_at)
        .bind(event),
        Outcome::Taken => sqlx::query(
            "update relay_queue set state = 'taken', event = null, last_error = null,
               finished_at = $2 where id = $1",
        )
        .bind(id)
        .bind(now),
        Outcome::Ready => sqlx::query(
            "update relay_queue set state = 'ready', due_at = $2, attempts = 0, last_error = null
             where id = $1",
        )
        .bind(id)
        .bind(now),
        // A stream that was away says nothing about whether a stage has handled what was published
        // before: the next look at that must not come the later for it.
        Outcome::Later { error, due_at } => sqlx::query(
            "update relay_queue set due_at = $2, last_error = $3,
               attempts = attempts + (state <> 'published' or $3::text is null)::integer
             where id = $1",
        )
        .bind(id)
        .bind(due_at)
        .bind(error),
        Outcome::Refused(why) | Outcome::Unconfirmed(why) => {
            let state = match outcome {
                Outcome::Refused(_) => "refused",
                _ => "unconfirmed",
            };
            sqlx::query(
                "update relay_queue set state = $3, last_error = $4, finished_at = $2
                 where id = $1",
            )
            .bind(id)
            .bind(now)
            .bind(state)
            .bind(why)
        }
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Keeps a text that never was in the queue and can never be published.
pub async fn keep_refused(
    executor: impl PgExecutor<'_>,
    text: &QueuedText,
    why: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into relay_queue (message_sid, state, sender, content, num_media, last_error,
                                  received_at, due_at, finished_at)
         values ($1, 'refused', $2, $3, $4, $5, $6, $6, $6) on conflict (message_sid) do nothing",
    )
    .bind(&text.sid)
    .bind(&text.sender)
    .bind(&text.content)
    .bind(text.num_media)
    .bind(why)
    .bind(text.received_at)
    .execute(executor)
    .await?;
    Ok(())
}

/// A text that was published without having been in the queue.
pub struct PublishedText {
    /// The provider's id.
    pub sid: String,
    /// The body.
    pub event: Value,
    /// When it was sent.
    pub received_at: DateTime<Utc>,
}

/// Keeps published texts until somebody has handled them; a known one stays as it is.
pub async fn keep_published(
    tx: &mut Tx<'_>,
    texts: &[PublishedText],
    due_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into relay_queue (message_sid, state, event, received_at, due_at)
         select sid, 'published', event, received, $4
         from unnest($1::text[], $2::jsonb[], $3::timestamptz[]) as t(sid, event, received)
         on conflict (message_sid) do nothing",
    )
    .bind(column(texts, |t| t.sid.as_str()))
    .bind(column(texts, |t| &t.event))
    .bind(column(texts, |t| t.received_at))
    .bind(due_at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many texts are in each state that wants attention.
pub async fn counts(pool: &Db) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select s, (select count(*) from relay_queue where state = s)
         from unnest(array['forwarding', 'ready', 'published', 'refused', 'unconfirmed']) as s",
    )
    .fetch_all(pool)
    .await
}

/// Forgets what was taken before `before`: the ids, which recognise a provider that posts the same
/// text again.
pub async fn prune(pool: &Db, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let gone = sqlx::query("delete from relay_queue where state = 'taken' and finished_at < $1")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(gone.rows_affected())
}
