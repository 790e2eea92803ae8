//! Failed attempts, counted by us.

use super::Db;
use chrono::{DateTime, Utc};

use crate::domain::EventId;

/// What is known about earlier failures of a message at a stage.
#[derive(Debug, Clone, Copy)]
pub struct Attempts {
    /// How many failed.
    pub count: i32,
    /// When the first one did.
    pub first_at: DateTime<Utc>,
}

/// Adds a failure and says how many there were.
pub async fn failed(
    pool: &Db,
    event: EventId,
    stage: &str,
    error: &str,
    at: DateTime<Utc>,
) -> Result<Attempts, sqlx::Error> {
    let (count, first_at) = sqlx::query_as(
        "insert into attempts (event_id, stage, count, last_error, first_at, last_at)
         values ($1, $2, 1, $3, $4, $4)
         on conflict (event_id, stage) do update
           set count = attempts.count + 1, last_error = excluded.last_error, last_at = excluded.last_at
         returning count, first_at",
    )
    .bind(event.0)
    .bind(stage)
    .bind(error)
    .bind(at)
    .fetch_one(pool)
    .await?;
    Ok(Attempts { count, first_at })
}

/// Notes that a suspected message begins, alone, and says how often it has done so without coming back.
pub async fn begun_alone(
    pool: &Db,
    event: EventId,
    stage: &str,
    at: DateTime<Utc>,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar(
        "insert into attempts (event_id, stage, count, alone, last_error, first_at, last_at)
         values ($1, $2, 0, 1, 'delivered again and again', $3, $3)
         on conflict (event_id, stage) do update set alone = attempts.alone + 1
         returning alone",
    )
    .bind(event.0)
    .bind(stage)
    .bind(at)
    .fetch_one(pool)
    .await
}

/// It came back: whatever became of it, it does not kill its worker.
pub async fn survived(pool: &Db, event: EventId, stage: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update attempts set alone = 0 where event_id = $1 and stage = $2 and alone > 0")
        .bind(event.0)
        .bind(stage)
        .execute(pool)
        .await?;
    Ok(())
}

/// How many attempts failed so far.
pub async fn count(pool: &Db, event: EventId, stage: &str) -> Result<i32, sqlx::Error> {
    let count: Option<i32> =
        sqlx::query_scalar("select count from attempts where event_id = $1 and stage = $2")
            .bind(event.0)
            .bind(stage)
            .fetch_optional(pool)
            .await?;
    Ok(count.unwrap_or(0))
}
