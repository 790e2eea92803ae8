//! Which stage has handled which event, and what it emitted because of it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::Postgres;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Db, Tx, column};
use crate::domain::EventId;

/// An event that a stage emitted, kept until its mark is purged so that it can be published again
/// with the same id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub id: EventId,
    /// Its subject, without prefix.
    pub subject: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Box<serde_json::value::RawValue>,
}

/// A mark to set.
#[derive(Debug)]
pub struct Mark<'a> {
    /// The event.
    pub event: EventId,
    /// The stage.
    pub stage: &'static str,
    /// What it emitted.
    pub emitted: &'a [Kept],
}

/// Sets the marks and says how many were new. Fewer than given: another replica handled one of
/// them meanwhile, and the whole transaction must be given up.
pub(crate) async fn mark(tx: &mut Tx<'_>, rows: &[Mark<'_>]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        // The moment of the writing, not of the transaction's beginning: the sweep follows it, and a
        // transaction may have waited long for its locks.
        "insert into handled_events (event_id, stage, emitted, handled_at)
         select *, clock_timestamp() from unnest($1::uuid[], $2::text[], $3::jsonb[])
         on conflict do nothing",
    )
    .bind(column(rows, |r| r.event.0))
    .bind(column(rows, |r| r.stage))
    .bind(column(rows, |r| Json(r.emitted)))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// The kept events of marks that are set already.
pub(crate) async fn find<'e, E: sqlx::Executor<'e, Database = Postgres>>(
    db: E,
    events: &[(EventId, &'static str)],
) -> Result<Vec<(EventId, String, Vec<Kept>)>, sqlx::Error> {
    let rows: Vec<(Uuid, String, Json<Vec<Kept>>)> = sqlx::query_as(
        "select h.event_id, h.stage, h.emitted
         from unnest($1::uuid[], $2::text[]) as u(event, stage)
         join handled_events h on h.event_id = u.event and h.stage = u.stage",
    )
    .bind(column(events, |e| e.0.0))
    .bind(column(events, |e| e.1))
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(event, stage, kept)| (EventId(event), stage, kept.0))
        .collect())
}

/// Which of these events a stage has handled.
pub async fn among(
    tx: &mut Tx<'_>,
    events: &[EventId],
    stage: &str,
) -> Result<Vec<EventId>, sqlx::Error> {
    let found: Vec<Uuid> = sqlx::query_scalar(
        "select event_id from handled_events where event_id = any($1) and stage = $2",
    )
    .bind(column(events, |e| e.0))
    .bind(stage)
    .fetch_all(&mut **tx)
    .await?;
    Ok(found.into_iter().map(EventId).collect())
}

/// The kept events of each mark, if it is set.
pub(super) async fn each(
    db: &Db,
    events: &[(EventId, &'static str)],
) -> Result<Vec<Option<Vec<Kept>>>, sqlx::Error> {
    let mut found: HashMap<(EventId, String), Vec<Kept>> = find(db, events)
        .await?
        .into_iter()
        .map(|(event, stage, kept)| ((event, stage), kept))
        .collect();
    let kept = |(event, stage): &(EventId, &str)| found.remove(&(*event, (*stage).to_owned()));
    Ok(events.iter().map(kept).collect())
}
