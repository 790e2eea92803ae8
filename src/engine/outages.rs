//! Publishes the changes of this process's circuits. Best effort: a circuit is the state of one
//! process, and its metric has the truth; while NATS is away there is nobody to tell.

use chrono::SecondsFormat;
use serde_json::value::to_raw_value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::publisher::Publisher;
use crate::domain::EventId;
use crate::events::{CircuitChanged, Entry, Event};
use crate::store::handled::Kept;

/// Changes that wait to be published; there are six circuits, and a change of one takes a while.
pub const AT_ONCE: usize = 64;

/// Publishes until the service stops.
pub async fn publish(
    mut changes: mpsc::Receiver<CircuitChanged>,
    publisher: Publisher,
    stop: CancellationToken,
) {
    let process = Uuid::new_v4();
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        let Some(change) = change else { return };
        let published = match event(&change, process) {
            Ok(event) => {
                let event = [event];
                tokio::select! {
                    () = stop.cancelled() => return,
                    published = publisher.publish(&event) => {
                        published.map_err(anyhow::Error::from)
                    }
                }
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = published {
            let error = format!("{error:#}");
            tracing::warn!(
                circuit = change.circuit,
                error,
                "a change was not published"
            );
        }
    }
}

fn event(change: &CircuitChanged, process: Uuid) -> Result<Kept, serde_json::Error> {
    let id = EventId(Uuid::now_v7());
    let subject = CircuitChanged::SUBJECT;
    let time = change
        .changed_at
        .to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut headers: Vec<(String, String)> = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", id.to_string()),
        ("ce-type", subject.to_owned()),
        ("ce-source", format!("orchestrator/process/{process}")),
        ("ce-time", time),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let schema = Entry::of(subject).map(Entry::data_schema);
    headers.extend(schema.map(|schema| ("ce-dataschema".to_owned(), schema)));
    Ok(Kept {
        id,
        subject: subject.to_owned(),
        headers,
        body: to_raw_value(change)?,
    })
}
