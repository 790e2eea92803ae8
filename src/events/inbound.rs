//! `sms.received`: the body of `POST /orchestrate/sms-received` (`http-api.md` §2).

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fields, Invalid, Received};
use crate::domain::{ConversationId, Phone, TenantId};
use crate::reading::without_secrets;

/// Who wrote the text.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The tenant.
    #[default]
    Inbound,
    /// We did; only the conversation's last-outbound time is noted.
    Outbound,
}

/// A text that reached the company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SmsReceived {
    /// `null` when the sender is not identified. The key itself must be present.
    pub tenant_id: Option<TenantId>,
    /// The sender, or the addressee of an outbound text.
    pub phone_number: Phone,
    /// 1-2000 characters after trimming; card and social security numbers are taken out when it is read.
    pub content: String,
    /// The caller's name for the conversation.
    pub conversation_id: ConversationId,
    /// When the tenant sent it, if the caller said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timestamp: Option<DateTime<Utc>>,
    /// Who wrote it.
    #[serde(default)]
    pub direction: Direction,
    /// The provider's id: the same id twice is the same text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_sid: Option<String>,
    /// Stored as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Map<String, Value>>,
}

impl SmsReceived {
    /// Reads the body by the contract's lenient rules. A header `Idempotency-Key` takes the place
    /// of `message_sid`: the two share one namespace, and the header wins (§2, §12.12).
    pub fn parse(fields: &Fields, received: Received<'_>) -> Result<Self, Invalid> {
        if !fields.has(&["tenant_id"]) {
            fields.missing("tenant_id");
        }
        let tenant_id = match fields.raw(&["tenant_id"]) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.trim().eq_ignore_ascii_case("unknown") => None,
            Some(_) => {
                let text = fields.required_text(&["tenant_id"], 100);
                fields.parsed("tenant_id", text, TenantId::parse)
            }
        };
        let phone = fields.required_text(&["phone_number", "from", "customer_phone"], 64);
        let phone = fields.parsed("phone_number", phone, Phone::parse);
        let content =
            fields.required_text(&["content", "body", "message", "message_content"], 2000);
        // At the door: nothing behind it ever sees a card number (R30).
        let content = content.map(|text| without_secrets(&text).into_owned());
        let conversation = fields.required_text(&["conversation_id"], 1000);
        let conversation = fields.parsed("conversation_id", conversation, ConversationId::parse);
        // A clock that is wrong is no clock: "now" is what a missing time means too, and the same
        // text sent twice must not get two different times.
        let latest = received.at + TimeDelta::minutes(5);
        let timestamp = fields.time(&["timestamp"]).filter(|said| *said <= latest);
        let direction = match fields
            .text(&["direction"], 100)
            .map(|d| d.to_ascii_lowercase())
        {
            None => Direction::Inbound,
            Some(word) if word == "inbound" => Direction::Inbound,
            Some(word) if word == "outbound" => Direction::Outbound,
            Some(_) => {
                fields.fault("direction", "invalid", "must be inbound or outbound");
                Direction::Inbound
            }
        };
        let sid = fields.text(
            &["message_sid", "MessageSid", "message_id", "twilio_sid"],
            128,
        );
        let message_sid = match received.idempotency_key.map(str::trim) {
            Some(key) if key.is_empty() || key.chars().count() > 128 => {
                fields.fault("Idempotency-Key", "invalid", "must be 1 to 128 characters");
                None
            }
            Some(key) => Some(key.to_owned()),
            None => sid,
        };
        let metadata = fields.object(&["metadata"]);
        let required = phone.zip(content).zip(conversation);
        fields.finish(
            required.map(|((phone_number, content), conversation_id)| Self {
                tenant_id,
                phone_number,
                content,
                conversation_id,
                timestamp,
                direction,
                message_sid,
                metadata,
            }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<SmsReceived, Invalid> {
        parse_with_key(body, None)
    }

    fn parse_with_key(body: &str, idempotency_key: Option<&str>) -> Result<SmsReceived, Invalid> {
        let at = "2025-01-15T10:30:00Z".parse().expect("a time");
        SmsReceived::parse(
            &Fields::from_json(body.as_bytes())?,
            Received {
                at,
                idempotency_key,
            },
        )
    }

    #[test]
    fn the_documents_examples_are_read() {
        let sms = parse(
            r#"{"tenant_id":"12345","phone_number":"+1234567890",
                "content":"I can pay $200 per week","conversation_id":"conv-uuid-123"}"#,
        )
        .expect("the PRD's body");
        assert_eq!(sms.phone_number.as_str(), "+1234567890");
        assert_eq!(sms.direction, Direction::Inbound);
    }

    #[test]
    fn an_unidentified_sender_is_said_aloud_never_left_out() {
        let body = |tenant: &str| {
            format!(r#"{{{tenant}"from":"2025550143","body":" hi ","conversationId":7}}"#)
        };
        for tenant in ["\"tenant_id\":null,", "\"tenant_id\":\"Unknown\","] {
            assert_eq!(parse(&body(tenant)).expect(tenant).tenant_id, None);
        }
        for tenant in ["", "\"tenant_id\":\"\","] {
            let error = parse(&body(tenant)).expect_err("absent or empty");
            assert_eq!(error.errors[0].pointer, "/tenant_id", "{tenant}");
        }
    }

    #[test]
    fn every_missing_field_is_named() {
        let error = parse(r#"{"phone_number":"+1234567890","content":"test message"}"#)
            .expect_err("the PRD's bad body");
        let named: Vec<_> = error.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(named, ["/tenant_id", "/conversation_id"]);
    }

    #[test]
    fn limits_are_kept() {
        let body = |key: &str, value: &str| {
            let mut all = serde_json::json!({"tenant_id":"1","phone_number":"2025550143","content":"hi","conversation_id":"c"});
            all[key] = serde_json::json!(value);
            all.to_string()
        };
        assert!(parse(&body("content", &"é".repeat(2000))).is_ok());
        let cases = [
            ("content", "é".repeat(2001)),
            ("content", "   ".into()),
            ("phone_number", "call me".into()),
            ("conversation_id", "x".repeat(129)),
            ("conversation_id", "a b".into()),
            ("tenant_id", "x".repeat(101)),
            ("direction", "sideways".into()),
            ("timestamp", "1736937000".into()),
            ("message_sid", "x".repeat(129)),
            ("metadata", "not an object".into()),
        ];
        for (key, value) in cases {
            let error = parse(&body(key, &value)).expect_err(key);
            assert_eq!(error.errors[0].pointer, format!("/{key}"));
        }
    }

    #[test]
    fn a_time_far_in_the_future_counts_as_none_given() {
        let sms = parse(r#"{"tenant_id":"1","phone_number":"2025550143","content":"hi","conversation_id":"c","timestamp":"2031-01-01"}"#).expect("read");
        assert_eq!(sms.timestamp, None);
    }

    #[test]
    fn the_header_wins_over_the_providers_id() {
        let body = r#"{"tenant_id":"1","phone_number":"2025550143","content":"hi","conversation_id":"c","MessageSid":"SM1"}"#;
        assert_eq!(
            parse(body).expect("read").message_sid.as_deref(),
            Some("SM1")
        );
        let keyed = parse_with_key(body, Some("key-1")).expect("read");
        assert_eq!(keyed.message_sid.as_deref(), Some("key-1"));
        assert!(parse_with_key(body, Some("")).is_err());
    }

    #[test]
    fn what_the_bridge_publishes_is_read_back_the_same() {
        let sms = parse(r#"{"tenant_id":null,"phone_number":"2025550143","content":"hi","conversation_id":"c","metadata":{"num_media":1}}"#).expect("read");
        let again = parse(&serde_json::to_string(&sms).expect("json")).expect("read again");
        assert_eq!(sms, again);
    }
}
