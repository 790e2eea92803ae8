//! What surrounds a body: CloudEvents 1.0 in NATS headers.

use async_nats::HeaderMap;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Names;
use crate::domain::{Arrival, ConversationId, EventId, WorkflowId};
use crate::events::{Entry, Stream};

/// Everything about a message but its body.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// `ce-id`, or derived from the stream and the sequence for a bare message.
    pub id: EventId,
    /// Without prefix.
    pub subject: String,
    /// `ce-subject`.
    pub conversation: Option<ConversationId>,
    /// `ce-workflowid`.
    pub workflow: Option<WorkflowId>,
    /// One id for everything a request causes.
    pub correlation_id: String,
    /// W3C trace context, handed on as it came.
    pub traceparent: Option<String>,
    /// `ce-arrivedat`: when the text or command that caused it reached the stream. What comes from
    /// outside has just arrived, whatever it says.
    pub arrived_at: Option<DateTime<Utc>>,
    /// Where somebody waits for an answer, if they may.
    pub reply_subject: Option<String>,
    /// As the HTTP header of the same name.
    pub idempotency_key: Option<String>,
    /// Answer as soon as the text is stored (RFC 7240 `respond-async`).
    pub respond_async: bool,
    /// One of us wrote it, or somebody who says so: never a reason to trust it.
    pub is_ours: bool,
    /// The version in `ce-dataschema`, if it names this subject's schema.
    pub schema_version: Option<u32>,
    /// Its place in the order of arrival.
    pub arrival: Arrival,
    /// When the stream stored it.
    pub received_at: DateTime<Utc>,
    /// How often the server has delivered it, this time included.
    pub delivered: i64,
    /// Its message id is its event's: the stream itself has refused whatever came twice within its
    /// window. What is said again on purpose has another one.
    pub said_once: bool,
}

/// What our `ce-source` begins with.
const OURS: &str = "orchestrator/";

/// A decoded message.
#[derive(Debug, Clone)]
pub struct Incoming<T> {
    /// What surrounds it.
    pub envelope: Envelope,
    /// What it says.
    pub body: T,
}

/// What the server says about a message.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// When the message's stream was made.
    pub stream_created: DateTime<Utc>,
    /// The message's place.
    pub arrival: Arrival,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
    /// How often it was delivered.
    pub delivered: i64,
}

impl Envelope {
    /// Reads the headers. Nothing in them can be wrong enough to refuse a message: an id that is
    /// not a UUID still identifies it (through a hash), and everything else is optional.
    pub fn read(subject: &str, headers: Option<&HeaderMap>, origin: Origin, names: &Names) -> Self {
        let header = |name: &str| {
            headers
                .and_then(|h| h.get(name))
                .map(async_nats::HeaderValue::as_str)
        };
        let id = match header("ce-id").map(str::trim).filter(|id| !id.is_empty()) {
            // Ids are unique per source only: two publishers may both count from 1.
            Some(id) => {
                let source = header("ce-source").unwrap_or_default();
                let ours = source.starts_with(OURS);
                let named =
                    || Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{source}\n{id}").as_bytes());
                Uuid::try_parse(id)
                    .ok()
                    .filter(|_| ours)
                    .unwrap_or_else(named)
            }
            // The sequence starts at 1 again in a new stream; the time of its making does not.
            None => Uuid::new_v5(
                &Uuid::NAMESPACE_OID,
                format!(
                    "{}/{}",
                    origin.stream_created.to_rfc3339(),
                    origin.arrival.sequence
                )
                .as_bytes(),
            ),
        };
        let correlation = header("ce-correlationid")
            .or_else(|| header("X-Correlation-ID"))
            .filter(|text| is_correlation_id(text));
        Self {
            id: EventId(id),
            subject: names.plain(subject).to_owned(),
            conversation: header("ce-subject").and_then(|text| ConversationId::parse(text).ok()),
            workflow: header("ce-workflowid").and_then(WorkflowId::parse),
            correlation_id: correlation.map_or_else(|| id.to_string(), str::to_owned),
            traceparent: header("traceparent").map(str::to_owned),
            arrived_at: arrived_at(
                header("ce-arrivedat"),
                names.plain(subject),
                origin.stored_at,
            ),
            reply_subject: header("Reply-Subject")
                .filter(|subject| names.may_reply_to(subject))
                .map(str::to_owned),
            idempotency_key: header("Idempotency-Key").map(str::to_owned),
            respond_async: header("Prefer").is_some_and(|text| text.contains("respond-async")),
            is_ours: header("ce-source").is_some_and(|source| source.starts_with(OURS)),
            schema_version: header("ce-dataschema")
                .and_then(|name| {
                    name.strip_prefix("urn:orchestrator:schema:")?
                        .rsplit_once(':')
                })
                .filter(|(of, _)| *of == names.plain(subject))
                .and_then(|(_, version)| version.parse().ok()),
            arrival: origin.arrival,
            received_at: origin.stored_at,
            delivered: origin.delivered,
            said_once: header("Nats-Msg-Id")
                .and_then(|known| Uuid::try_parse(known).ok())
                .is_some_and(|known| known == id),
        }
    }

    /// Nobody can have handled it, as far as can be known without asking: who asks first saves a question
    /// for every text. (Said again after the stream's window, by somebody who lay still for minutes
    /// between committing and publishing, it is gathered for twice; its mark is found at the commit.)
    pub fn is_surely_new(&self) -> bool {
        self.delivered <= 1 && self.said_once
    }
}

impl Envelope {
    /// Whether a later version of its subject than this binary's is in it: its fields may mean
    /// something else, even where they can be read.
    pub fn is_newer(&self) -> bool {
        let known = Entry::of(&self.subject).map(|entry| entry.version);
        self.is_ours && self.schema_version > known
    }
}

fn arrived_at(
    header: Option<&str>,
    subject: &str,
    stored_at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let outside = Entry::of(subject).is_some_and(|entry| entry.stream == Stream::Inbound);
    if outside {
        return Some(stored_at);
    }
    let at = DateTime::parse_from_rfc3339(header?).ok()?;
    Some(at.to_utc())
}

/// The form a correlation id must have to be taken over: `[A-Za-z0-9._:-]{1,128}`.
pub fn is_correlation_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(created: i64, sequence: i64) -> Origin {
        Origin {
            stream_created: DateTime::from_timestamp(created, 0).expect("a time"),
            arrival: Arrival { epoch: 1, sequence },
            stored_at: DateTime::UNIX_EPOCH,
            delivered: 1,
        }
    }

    fn read(headers: &[(&str, &str)], origin: Origin) -> Envelope {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        Envelope::read("sms.received", Some(&map), origin, &Names::default())
    }

    #[test]
    fn a_bare_message_is_known_by_its_place_in_its_stream() {
        let first = read(&[], origin(100, 1));
        assert_eq!(
            first.id,
            read(&[], origin(100, 1)).id,
            "the same on redelivery"
        );
        assert_ne!(first.id, read(&[], origin(100, 2)).id);
        assert_ne!(
            first.id,
            read(&[], origin(200, 1)).id,
            "a stream made anew starts at 1 again"
        );
    }

    #[test]
    fn a_cloud_event_is_known_by_its_id_and_source() {
        let id = |source, id, origin| read(&[("ce-id", id), ("ce-source", source)], origin).id;
        assert_eq!(
            id("agent", "SM1", origin(100, 1)),
            id("agent", "SM1", origin(200, 9))
        );
        assert_ne!(
            id("agent", "1", origin(100, 1)),
            id("other", "1", origin(100, 1))
        );
        let uuid = "0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b";
        assert_eq!(
            id("orchestrator/bridge", uuid, origin(1, 1)).to_string(),
            uuid
        );
        assert_ne!(
            id("agent", uuid, origin(1, 1)).to_string(),
            uuid,
            "nobody else names our events"
        );
    }

    #[test]
    fn a_newer_version_of_ours_is_told_from_anybody_elses() {
        let newer = |source: &str, schema: &str| {
            let headers = [
                ("ce-id", "1"),
                ("ce-source", source),
                ("ce-dataschema", schema),
            ];
            read(&headers, origin(1, 1)).is_newer()
        };
        let schema = |version| format!("urn:orchestrator:schema:sms.received:{version}");
        assert!(newer("orchestrator/bridge", &schema(2)));
        assert!(!newer("orchestrator/bridge", &schema(1)));
        assert!(!newer("agent", &schema(2)), "their versions are their own");
        assert!(!newer("orchestrator/bridge", "urn:other:sms.received:2"));
        assert!(!newer(
            "orchestrator/bridge",
            "urn:orchestrator:schema:turn.opened:2"
        ));
    }

    #[test]
    fn an_answer_address_outside_the_inboxes_is_ignored() {
        let reply = |to| read(&[("Reply-Subject", to)], origin(1, 1)).reply_subject;
        assert_eq!(reply("_INBOX.x.1").as_deref(), Some("_INBOX.x.1"));
        assert_eq!(reply("reply.approved"), None);
    }
}
