//! The documents that are generated from the list of events: JSON Schemas and AsyncAPI.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{CATALOGUE, Invalid, Received, Stream};

/// One event as its readers see it.
pub struct Entry {
    /// The struct's name.
    pub name: &'static str,
    /// Without prefix.
    pub subject: &'static str,
    /// Of its schema.
    pub version: u32,
    /// Where it is kept.
    pub stream: Stream,
    /// What it means.
    pub doc: &'static str,
    /// Who publishes it.
    pub sender: &'static str,
    /// Who reads it.
    pub readers: &'static str,
    /// Its JSON Schema.
    pub schema: fn() -> Value,
    /// Whether a body is one of these.
    pub check: fn(&[u8], Received<'_>) -> Result<(), Invalid>,
}

impl Entry {
    /// The entry of a subject.
    pub fn of(subject: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.subject == subject)
    }

    /// The schema's name in `ce-dataschema`: stable, and not a URL that somebody would fetch.
    pub fn data_schema(&self) -> String {
        format!("urn:orchestrator:schema:{}:{}", self.subject, self.version)
    }
}

/// The schema of a body, with the subject's stable id.
pub fn schema_of<E: super::Event + JsonSchema>() -> Value {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<E>()
        .to_value();
    schema["$id"] = json!(format!(
        "urn:orchestrator:schema:{}:{}",
        E::SUBJECT,
        E::VERSION
    ));
    schema
}

/// The AsyncAPI 3 document: every subject in story order, who sends, who reads.
pub fn asyncapi() -> Value {
    let mut channels = serde_json::Map::new();
    let mut operations = serde_json::Map::new();
    let mut messages = serde_json::Map::new();
    for entry in CATALOGUE {
        let description = tidy(entry.doc);
        channels.insert(
            entry.name.into(),
            json!({
                "address": entry.subject,
                "description": format!("{description} Sent by: {}. Read by: {}. Stream: {}.",
                    entry.sender, entry.readers, entry.stream.name()),
                "messages": { entry.name: { "$ref": format!("#/components/messages/{}", entry.name) } },
            }),
        );
        // From the service's point of view, as AsyncAPI 3 wants it: what comes from outside is received.
        let action = if entry.stream == Stream::Inbound {
            "receive"
        } else {
            "send"
        };
        operations.insert(
            format!("{action}{}", entry.name),
            json!({ "action": action, "channel": { "$ref": format!("#/channels/{}", entry.name) } }),
        );
        messages.insert(
            entry.name.into(),
            json!({
                "name": entry.subject,
                "contentType": "application/json",
                "headers": { "$ref": "#/components/schemas/headers" },
                "payload": { "$ref": format!("./{}.schema.json", entry.subject) },
            }),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Orchestrator events",
            "version": "1.0.0",
            "description": "Every message of the service, in story order. CloudEvents 1.0 in binary mode: attributes are NATS headers, the body is JSON. Delivery is at least once: readers must drop an id (`ce-id`) they have seen. Fields may be added at any time.",
        },
        "servers": { "nats": { "host": "localhost:4222", "protocol": "nats" } },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": { "headers": {
                "type": "object",
                "properties": {
                    "ce-specversion": { "const": "1.0" },
                    "ce-id": { "type": "string", "format": "uuid", "description": "Unique per event; also the deduplication key." },
                    "ce-type": { "type": "string", "description": "The subject." },
                    "ce-source": { "type": "string", "description": "orchestrator/<stage>" },
                    "ce-subject": { "type": "string", "description": "The conversation id." },
                    "ce-time": { "type": "string", "format": "date-time" },
                    "ce-dataschema": { "type": "string", "description": "urn:orchestrator:schema:<subject>:<version>" },
                    "ce-correlationid": { "type": "string", "description": "One id for everything a request causes." },
                    "ce-causationid": { "type": "string", "description": "The id of the event that led to this one." },
                    "ce-arrivedat": { "type": "string", "format": "date-time", "description": "When the text or command that led to this reached the stream." },
                    "traceparent": { "type": "string", "description": "W3C trace context." },
                    "Idempotency-Key": { "type": "string", "description": "Inbound only: as the HTTP header of the same name." },
                    "Reply-Subject": { "type": "string", "description": "Inbound only: where the answer goes, under _INBOX. or the configured prefix; best effort, once." },
                },
            } },
        },
    })
}

/// Doc comments joined by `concat!` carry each line's leading blank.
fn tidy(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
