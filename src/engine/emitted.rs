//! A decision's events become messages: ids that are the same on every run, CloudEvents headers.

use chrono::{DateTime, Utc};

use super::committer::Job;
use super::decision::{Emit, SaidBefore};
use crate::domain::EventId;
use crate::events::{Entry, Event};
use crate::store::handled::Kept;

/// Bytes of a body. The server refuses 256 KB, and what is committed must be publishable: it would be
/// tried for ever.
const LARGEST_EVENT: usize = 200 * 1024;

/// Gives each event its id and headers. The id follows from the cause, the stage and the ordinal.
pub(super) fn keep(job: &Job, emits: Vec<Emit>, now: DateTime<Utc>) -> Result<Vec<Kept>, String> {
    let time = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    emits
        .into_iter()
        .enumerate()
        .map(|(ordinal, emit)| {
            let body = emit
                .body
                .map_err(|error| format!("event {}: {error}", emit.subject))?;
            if body.get().len() > LARGEST_EVENT {
                return Err(format!("event {} is too large to publish", emit.subject));
            }
            let id = job.event.caused(job.stage, ordinal);
            if let Some(said) = emit.said_before {
                return Ok(Kept {
                    id,
                    subject: emit.subject.to_owned(),
                    headers: as_they_were(said),
                    body,
                });
            }
            let mut headers = vec![
                ("ce-specversion".to_owned(), "1.0".to_owned()),
                ("ce-id".to_owned(), id.to_string()),
                ("ce-type".to_owned(), emit.subject.to_owned()),
                (
                    "ce-source".to_owned(),
                    format!("orchestrator/{}", job.stage),
                ),
                ("ce-time".to_owned(), time.clone()),
                ("ce-correlationid".to_owned(), job.correlation_id.clone()),
                ("ce-causationid".to_owned(), job.event.to_string()),
            ];
            let optional = [
                ("ce-subject", emit.conversation.map(|c| c.to_string())),
                ("ce-workflowid", emit.workflow.map(|w| w.to_string())),
                (
                    "ce-dataschema",
                    Entry::of(emit.subject).map(Entry::data_schema),
                ),
                ("traceparent", job.traceparent.clone()),
                (
                    "ce-arrivedat",
                    job.arrived_at
                        .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)),
                ),
            ];
            for (name, value) in optional {
                headers.extend(value.map(|value| (name.to_owned(), value)));
            }
            Ok(Kept {
                id,
                subject: emit.subject.to_owned(),
                headers,
                body,
            })
        })
        .collect()
}

/// What an event is about that no message led to.
pub(crate) struct About {
    /// `ce-subject`.
    pub conversation: Option<String>,
    /// `ce-workflowid`.
    pub workflow: Option<String>,
    /// `ce-correlationid`.
    pub correlation_id: String,
}

/// An event that no message led to: a moment has come.
pub(crate) fn unprompted<E: Event>(
    source: &str,
    id: EventId,
    body: &E,
    about: About,
    now: DateTime<Utc>,
) -> Result<Kept, serde_json::Error> {
    let time = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let headers = [
        ("ce-specversion", Some("1.0".to_owned())),
        ("ce-id", Some(id.to_string())),
        ("ce-type", Some(E::SUBJECT.to_owned())),
        ("ce-source", Some(source.to_owned())),
        ("ce-time", Some(time)),
        ("ce-correlationid", Some(about.correlation_id)),
        ("ce-subject", about.conversation),
        ("ce-workflowid", about.workflow),
        (
            "ce-dataschema",
            Entry::of(E::SUBJECT).map(Entry::data_schema),
        ),
    ];
    let set = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Kept {
        id,
        subject: E::SUBJECT.to_owned(),
        headers: set.collect(),
        body: serde_json::value::to_raw_value(body)?,
    })
}

/// The headers a message had, under the id it had. Nobody waits for it any more, and the stream must
/// not take it for the double it is.
fn as_they_were(said: SaidBefore) -> Vec<(String, String)> {
    let ours = ["ce-id", "ce-source", "reply-subject"];
    let kept = said.headers.into_iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("nats-") && !ours.contains(&name.as_str())
    });
    // Read back as the same id, whatever its publisher called it.
    let id = ("ce-id".to_owned(), said.event.to_string());
    let source = ("ce-source".to_owned(), "orchestrator/retry".to_owned());
    [id, source].into_iter().chain(kept).collect()
}
