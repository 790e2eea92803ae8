//! What is old is forgotten. The database decides what that is (`migrations/0018`): the service may
//! ask for it and may delete no conversation by itself.

use std::collections::BTreeMap;

use super::{Db, Tx};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

/// Rows that went, by table.
pub type Counts = BTreeMap<String, i64>;

/// From when on what is kept.
#[derive(Debug, Clone, Copy)]
pub struct Cutoffs {
    /// Conversations with activity since then.
    pub conversations: DateTime<Utc>,
    /// Dead letters closed since then.
    pub letters: DateTime<Utc>,
    /// Marks and attempts since then.
    pub marks: DateTime<Utc>,
}

/// Forgets up to `most` conversations. `None`: another replica is at it.
pub async fn conversations(
    tx: &mut Tx<'_>,
    cutoffs: &Cutoffs,
    most: i32,
) -> Result<Option<Counts>, sqlx::Error> {
    let counts: Option<Json<Counts>> = sqlx::query_scalar("select purge_conversations($1, $2)")
        .bind(cutoffs.conversations)
        .bind(most)
        .fetch_one(&mut **tx)
        .await?;
    Ok(counts.map(|counts| counts.0))
}

/// Forgets what is left of messages, up to `most` rows of a kind. `None` as above.
pub async fn remains(
    tx: &mut Tx<'_>,
    cutoffs: &Cutoffs,
    most: i32,
) -> Result<Option<Counts>, sqlx::Error> {
    let counts: Option<Json<Counts>> = sqlx::query_scalar("select purge_remains($1, $2, $3, $4)")
        .bind(cutoffs.conversations)
        .bind(cutoffs.letters)
        .bind(cutoffs.marks)
        .bind(most)
        .fetch_one(&mut **tx)
        .await?;
    Ok(counts.map(|counts| counts.0))
}

/// When the newest purge ended.
pub async fn last_run(pool: &Db) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar("select max(finished_at) from purge_runs")
        .fetch_one(pool)
        .await
}

/// A purge that ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// Conversations without activity since then went.
    pub cutoff: DateTime<Utc>,
    /// What went.
    pub counts: Counts,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Writes a purge down.
pub async fn note(pool: &Db, run: &Run) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into purge_runs (id, cutoff, counts, started_at, finished_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(run.id)
    .bind(run.cutoff)
    .bind(Json(&run.counts))
    .bind(run.started_at)
    .bind(run.finished_at)
    .execute(pool)
    .await?;
    Ok(())
}
