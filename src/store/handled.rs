//! Which stage has handled which event, and what it emitted because of it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::Postgres;
use uuid::Uuid;

use super::{Batch, Db, Tx, column};
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

/// What stands in the column of older binaries, when events are in the newer one: nothing they can read,
/// and so nothing they could take for a mark without events.
const ELSEWHERE: &str = r#"[{"id": "in events"}]"#;

impl Kept {
    /// By which readers know it: a parked message that was said again has another message id.
    fn known_as(&self) -> Uuid {
        let named = self.headers.iter().find(|(name, _)| name == "ce-id");
        let id = named.and_then(|(_, id)| id.parse().ok());
        id.unwrap_or(self.id.0)
    }
}

/// What a mark keeps, column by column.
struct Columns {
    events: Vec<Option<String>>,
    ids: Vec<String>,
    subjects: Vec<String>,
}

impl Columns {
    fn of<'a>(marks: impl Iterator<Item = &'a [Kept]>) -> Result<Self, sqlx::Error> {
        let mut all = Self {
            events: Vec::new(),
            ids: Vec::new(),
            subjects: Vec::new(),
        };
        for kept in marks {
            let text = (!kept.is_empty()).then(|| serde_json::to_string(kept));
            all.events.push(text.transpose().map_err(encode)?);
            let ids: Vec<String> = kept.iter().map(|k| k.known_as().to_string()).collect();
            all.ids.push(ids.join(","));
            let subjects: Vec<&str> = kept.iter().map(|k| k.subject.as_str()).collect();
            all.subjects.push(subjects.join(","));
        }
        Ok(all)
    }
}

fn encode(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// The events of a mark, whoever wrote it.
fn read(events: Option<String>, emitted: &str) -> Result<Vec<Kept>, sqlx::Error> {
    let text = events.as_deref().unwrap_or(emitted);
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Sets the marks. The statement says how many were new: fewer than given means that another replica
/// handled one of them meanwhile, and the whole transaction must be given up.
///
/// # Errors
/// An event that cannot be written as JSON.
pub(crate) fn mark(all: &mut Batch, rows: &[Mark<'_>]) -> Result<(), sqlx::Error> {
    let kept = Columns::of(rows.iter().map(|r| r.emitted))?;
    set(
        all,
        column(rows, |r| r.event.0),
        column(rows, |r| r.stage),
        kept,
    );
    Ok(())
}

/// Remembers events that no message caused, under their own ids: what a timer says is lost like
/// anything else.
pub async fn remember(db: &Db, by: &str, events: &[Kept]) -> Result<(), sqlx::Error> {
    let kept = Columns::of(events.chunks(1))?;
    let mut all = Batch::default();
    set(
        &mut all,
        column(events, |e| e.id.0),
        column(events, |_| by),
        kept,
    );
    all.run(db).await?;
    Ok(())
}

fn set(all: &mut Batch, events: Vec<Uuid>, stages: Vec<&str>, kept: Columns) {
    all.add(
        // The moment of the writing, not of the transaction's beginning: the sweep follows it, and a
        // transaction may have waited long for its locks.
        "insert into handled_events (event_id, stage, emitted, events, event_ids, subjects, handled_at)
         select event, stage, case when events is null then '[]' else $6::jsonb end, events,
                string_to_array(ids, ',')::uuid[], string_to_array(subjects, ','), clock_timestamp()
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
           as t(event, stage, events, ids, subjects)
         on conflict do nothing",
    )
    .bind(events)
    .bind(stages)
    .bind(kept.events)
    .bind(kept.ids)
    .bind(kept.subjects)
    .bind(ELSEWHERE);
}

/// The kept events of marks that are set already.
pub(crate) async fn find<'e, E: sqlx::Executor<'e, Database = Postgres>>(
    db: E,
    events: &[(EventId, &'static str)],
) -> Result<Vec<(EventId, String, Vec<Kept>)>, sqlx::Error> {
    let rows: Vec<(Uuid, String, Option<String>, String)> = sqlx::query_as(
        "select h.event_id, h.stage, h.events, h.emitted::text
         from unnest($1::uuid[], $2::text[]) as u(event, stage)
         join handled_events h on h.event_id = u.event and h.stage = u.stage",
    )
    .bind(column(events, |e| e.0.0))
    .bind(column(events, |e| e.1))
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(event, stage, events, emitted)| Ok((EventId(event), stage, read(events, &emitted)?)))
        .collect()
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
