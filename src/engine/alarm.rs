//! Wakes texts that wait for an hour of the day.
//!
//! The rows are the timers: nothing is lost with a process, and any number of replicas may look. Each
//! says the same event with the same id, so the stream keeps one, and a second one would find the
//! first one's mark. An event that got lost is said again at the next look, because its row still
//! waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::value::to_raw_value;

use super::runner::Engine;
use crate::domain::EventId;
use crate::events::{DeliveryDue, Entry, Event as _};
use crate::store::deliveries::{self, Due};
use crate::store::handled::Kept;

/// The most texts that are woken at once: when the day begins, all of the night's are due.
const AT_ONCE: i64 = 500;

/// How long an event that was said is not said again. Longer than its way through the stage usually
/// is, shorter than anybody should wait for a lost one.
const SAID_FOR: TimeDelta = TimeDelta::minutes(5);

/// Looks every so often until told to stop.
pub async fn run(engine: Arc<Engine>, every: Duration) {
    let mut said: HashMap<EventId, DateTime<Utc>> = HashMap::new();
    while !engine.stop.is_cancelled() {
        let now = engine.clock.now();
        said.retain(|_, at| now - *at < SAID_FOR);
        if let Err(error) = wake(&engine, &mut said, now).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "waiting texts are looked for again"
            );
        }
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

async fn wake(
    engine: &Engine,
    said: &mut HashMap<EventId, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let waiting = i64::try_from(said.len()).unwrap_or(i64::MAX);
    let limit = AT_ONCE.saturating_add(waiting);
    let due = deliveries::due(&engine.io.db, now, limit).await?;
    let mut events = Vec::new();
    for due in due {
        let id = id_of(&due);
        if !said.contains_key(&id) {
            events.push(event(due, id, now)?);
        }
    }
    if events.is_empty() {
        return Ok(());
    }
    engine.publisher.publish(&events).await?;
    said.extend(events.iter().map(|event| (event.id, now)));
    tracing::info!(texts = events.len(), "their hour has come");
    Ok(())
}

/// One per text and opening, whoever says it.
fn id_of(due: &Due) -> EventId {
    let opening = due.not_before.timestamp_micros().to_string();
    EventId(EventId(due.id.0).row(&opening))
}

fn event(due: Due, id: EventId, now: DateTime<Utc>) -> anyhow::Result<Kept> {
    let body = DeliveryDue {
        not_before: due.not_before,
        reply: serde_json::from_value(due.released)?,
    };
    let mut headers: Vec<(String, String)> = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", id.to_string()),
        ("ce-type", DeliveryDue::SUBJECT.to_owned()),
        ("ce-source", "orchestrator/alarm".to_owned()),
        ("ce-time", now.to_rfc3339_opts(SecondsFormat::Millis, true)),
        ("ce-subject", body.reply.conversation_id.to_string()),
        ("ce-workflowid", body.reply.workflow_id.to_string()),
        ("ce-correlationid", due.id.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let schema = Entry::of(DeliveryDue::SUBJECT).map(Entry::data_schema);
    headers.extend(schema.map(|schema| ("ce-dataschema".to_owned(), schema)));
    Ok(Kept {
        id,
        subject: DeliveryDue::SUBJECT.to_owned(),
        headers,
        body: to_raw_value(&body)?,
    })
}
