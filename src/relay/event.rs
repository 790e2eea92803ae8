//! From a text that the agent has to `sms.received` on the stream.

use std::future::IntoFuture;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::domain::{EventId, Phone};
use crate::engine::answers::stamp;
use crate::engine::publisher::Publisher;
use crate::events::{Entry, Event, Fields, Invalid, Received, SmsReceived};

/// What stands in for the words of a picture.
pub(super) const WITHOUT_TEXT: &str = "[message without text]";

/// How long the stream may take to say that it has a text.
const ACK_PATIENCE: Duration = Duration::from_secs(5);

/// The stream did not take a text. It never refuses one for good: what it could refuse was
/// checked before.
#[derive(Debug, thiserror::Error)]
#[error("publishing a text: {0}")]
pub(super) struct NotPublished(String);

/// A text on its way.
pub(super) struct Relayed<'a> {
    /// The provider's id: whatever comes under it again is the same text.
    pub(super) sid: &'a str,
    /// As somebody gave it.
    pub(super) phone: &'a str,
    /// The agent's number for the conversation; else one is made of the phone number.
    pub(super) conversation: Option<String>,
    /// `None` is said aloud.
    pub(super) tenant_id: Option<String>,
    /// Empty for a picture.
    pub(super) content: &'a str,
    /// Pictures and the like, when somebody counted.
    pub(super) num_media: Option<i32>,
    /// Whether the agent's history shows it, when somebody looked.
    pub(super) stored_by_agent: Option<bool>,
    /// When it was sent, as far as we know.
    pub(super) at: Option<DateTime<Utc>>,
}

impl Relayed<'_> {
    /// The event, read back by the rules that everybody's `sms.received` is read by: what intake
    /// would refuse is refused here, where the text is kept for a person.
    pub(super) fn event(&self, now: DateTime<Utc>) -> Result<SmsReceived, Invalid> {
        let conversation = self.conversation.clone().or_else(|| {
            let phone = Phone::parse(self.phone).ok()?;
            Some(format!("sms-{}", phone.as_str().trim_start_matches('+')))
        });
        let content = match self.content.trim() {
            "" => WITHOUT_TEXT,
            words => words,
        };
        let mut metadata = Map::new();
        metadata.insert("source".into(), json!("relay"));
        if let Some(count) = self.num_media.filter(|n| *n > 0 || content == WITHOUT_TEXT) {
            metadata.insert("num_media".into(), json!(count));
        }
        if let Some(stored) = self.stored_by_agent {
            metadata.insert("stored_by_agent".into(), json!(stored));
        }
        let body = json!({
            "tenant_id": self.tenant_id,
            "phone_number": self.phone,
            "content": content,
            "conversation_id": conversation.unwrap_or_else(|| "unknown".to_owned()),
            "message_sid": self.sid,
            "timestamp": self.at.map(|at| at.to_rfc3339()),
            "direction": "inbound",
            "metadata": metadata,
        });
        let fields = Fields::from_json(body.to_string().as_bytes())?;
        let received = Received {
            at: now,
            idempotency_key: None,
        };
        SmsReceived::parse(&fields, received)
    }
}

/// The id a text has on the stream, however often and by whichever replica it is published.
pub(super) fn id_of(sid: &str) -> EventId {
    let name = format!("orchestrator/relay\n{sid}");
    EventId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}

/// Publishes one text and waits until the stream has it.
pub(super) async fn publish(
    publisher: &Publisher,
    sid: &str,
    sms: &SmsReceived,
    now: DateTime<Utc>,
) -> Result<(), NotPublished> {
    let failed = |detail: String| NotPublished(detail);
    let id = id_of(sid).to_string();
    let schema = Entry::of(SmsReceived::SUBJECT).map(Entry::data_schema);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", &id),
        ("ce-type", SmsReceived::SUBJECT),
        ("ce-source", "orchestrator/relay"),
        ("ce-subject", sms.conversation_id.as_str()),
        ("ce-time", &stamp(now)),
        ("ce-dataschema", schema.as_deref().unwrap_or_default()),
        ("ce-correlationid", &id),
        ("Nats-Msg-Id", &id),
    ] {
        headers.insert(name, value);
    }
    // The provider's id is a header value of anybody's making.
    if let Ok(key) = sid.parse::<async_nats::HeaderValue>() {
        headers.insert("Idempotency-Key", key);
    }
    let body = serde_json::to_vec(sms).map_err(|e| failed(e.to_string()))?;
    let subject = publisher.names.subject(SmsReceived::SUBJECT);
    let sent = async {
        publisher
            .jetstream
            .publish_with_headers(subject, headers, Bytes::from(body))
            .await
            .map_err(|e| e.to_string())?
            .into_future()
            .await
            .map_err(|e| e.to_string())
    };
    match tokio::time::timeout(ACK_PATIENCE, sent).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(detail)) => Err(failed(detail)),
        Err(_) => Err(failed("no acknowledgement in time".to_owned())),
    }
}

/// Which fields are wrong, without what is in them.
pub(super) fn faults(invalid: &Invalid) -> String {
    let named: Vec<String> = invalid
        .errors
        .iter()
        .map(|e| format!("{} {}", e.pointer, e.msg))
        .collect();
    named.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn text<'a>(phone: &'a str, content: &'a str) -> Relayed<'a> {
        Relayed {
            sid: "SM1",
            phone,
            conversation: None,
            tenant_id: None,
            content,
            num_media: Some(0),
            stored_by_agent: Some(true),
            at: None,
        }
    }

    fn said(relayed: &Relayed<'_>) -> Value {
        let event = relayed.event(DateTime::UNIX_EPOCH).expect("an event");
        serde_json::to_value(event).expect("JSON")
    }

    #[test]
    fn an_unknown_sender_is_said_aloud_and_has_a_conversation() {
        let body = said(&text("(202) 555-0143", " hi "));
        assert_eq!(body["tenant_id"], Value::Null);
        assert!(body.as_object().expect("fields").contains_key("tenant_id"));
        assert_eq!(body["phone_number"], "+12025550143");
        assert_eq!(body["conversation_id"], "sms-12025550143");
        assert_eq!(body["content"], "hi");
        assert_eq!(body["message_sid"], "SM1");
        assert_eq!(body["direction"], "inbound");
        assert_eq!(
            body["metadata"],
            json!({"source": "relay", "stored_by_agent": true})
        );
    }

    #[test]
    fn a_picture_has_words_of_ours_and_is_counted() {
        let mut picture = text("+12025550143", "  ");
        picture.num_media = Some(2);
        let body = said(&picture);
        assert_eq!(body["content"], WITHOUT_TEXT);
        assert_eq!(body["metadata"]["num_media"], 2);
    }

    #[test]
    fn the_agents_number_names_the_conversation_when_it_is_known() {
        let mut numbered = text("+12025550143", "hi");
        numbered.conversation = Some("17".to_owned());
        assert_eq!(said(&numbered)["conversation_id"], "17");
    }

    #[test]
    fn what_intake_would_refuse_names_its_fields_and_nothing_else() {
        let long = "x".repeat(2001);
        for (text, pointer) in [
            (text("12345", "hi"), "/phone_number"),
            (text("+12025550143", &long), "/content"),
        ] {
            let invalid = text.event(DateTime::UNIX_EPOCH).expect_err("refused");
            let why = faults(&invalid);
            assert!(why.contains(pointer), "{why}");
            assert!(!why.contains("12345") && !why.contains("xxx"), "{why}");
        }
    }

    #[test]
    fn the_same_text_has_the_same_id_always() {
        assert_eq!(id_of("SM1"), id_of("SM1"));
        assert_ne!(id_of("SM1"), id_of("SM2"));
    }
}
