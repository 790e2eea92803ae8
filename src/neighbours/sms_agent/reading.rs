//! What the SMS Agent's answers mean. Pure.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::{History, LookResult, SendResult, Sighting, text};
use crate::domain::{HistoryEntry, TenantId};
use crate::reading::without_secrets;

/// The messages of an answer in any of its shapes: bare list, envelope, envelope in `data`. `None`
/// for anything else: "no messages" may only be read where the agent says so.
fn rows(answer: &Value) -> Option<&[Value]> {
    [
        answer,
        &answer["messages"],
        &answer["data"],
        &answer["data"]["messages"],
    ]
    .into_iter()
    .find_map(Value::as_array)
    .map(Vec::as_slice)
}

fn id_of(row: &Value) -> i64 {
    text(&row["id"]).and_then(|id| id.parse().ok()).unwrap_or(0)
}

fn content_of(row: &Value) -> Option<&str> {
    ["message_content", "content", "body", "text"]
        .iter()
        .find_map(|key| row[*key].as_str())
}

/// Reads a history: sorted by ourselves, because the agent's order is newest first with ties in
/// any order (recorded); unsent texts left out, because the tenant never saw them. `None`: nobody can
/// read it.
pub fn history(answer: &Value, zone: Tz) -> Option<History> {
    let rows = rows(answer)?;
    // One odd row is left out; when all are odd, it is something else that answers.
    if !rows.is_empty() && !rows.iter().any(|row| content_of(row).is_some()) {
        return None;
    }
    let mut messages: Vec<HistoryEntry> = rows
        .iter()
        .filter_map(|row| {
            let delivery_status = text(&row["delivery_status"]);
            let unsent = matches!(delivery_status.as_deref(), Some("failed" | "undelivered"));
            let entry = HistoryEntry {
                id: id_of(row),
                outbound: row["direction"].as_str() == Some("outbound"),
                // The agent keeps what tenants send; a model and a manager do not see it (R30).
                content: without_secrets(content_of(row)?).into_owned(),
                at: time_of(row, zone),
                delivery_status,
            };
            (!unsent).then_some(entry)
        })
        .collect();
    messages.sort_by_key(|entry| (entry.at, entry.id));
    let surplus = messages.len().saturating_sub(20);
    messages.drain(..surplus);
    Some(History {
        tenant_id: tenant_of(answer),
        messages,
        newest_id: rows.iter().map(id_of).max().unwrap_or(0),
    })
}

fn tenant_of(answer: &Value) -> Option<TenantId> {
    [&answer["tenant_id"], &answer["data"]["tenant_id"]]
        .into_iter()
        .find_map(text)
        .and_then(|id| TenantId::parse(&id).ok())
}

/// Whether the agent has an inbound text, and whose number it is. `None`: nobody can read it.
pub fn sighting(answer: &Value, sid: &str) -> Option<Sighting> {
    let known = |row: &Value| {
        ["twilio_sid", "message_sid"]
            .iter()
            .any(|key| row[*key].as_str() == Some(sid))
    };
    Some(Sighting {
        stored: rows(answer)?.iter().any(known),
        tenant_id: tenant_of(answer),
    })
}

fn time_of(row: &Value, zone: Tz) -> Option<DateTime<Utc>> {
    let text = ["created_at", "timestamp"]
        .iter()
        .find_map(|key| row[*key].as_str())?;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    zone.from_local_datetime(&naive)
        .earliest()
        .map(|time| time.with_timezone(&Utc))
}

/// Classifies the answer to a send (`upstreams.md` §2.5). `body` is `None` when it is not JSON.
pub fn send_answer(status: u16, after: Option<Duration>, body: Option<Value>) -> SendResult {
    let envelope = body.as_ref().map(|b| &b["error"]["details"]);
    let category = envelope.and_then(|d| d["category"].as_str());
    let provider_status = envelope.and_then(|d| d["status_code"].as_u64());
    let detail = match provider_status {
        Some(provider) => format!("answered {status}, provider {provider}"),
        None => format!("answered {status}"),
    };
    match (status, category) {
        (200..=299, _) => match body {
            Some(body) => SendResult::Accepted {
                message_id: [&body["id"], &body["message_id"]]
                    .into_iter()
                    .find_map(text),
                twilio_sid: text(&body["twilio_sid"]),
                conversation: body["conversation_id"].as_i64(),
            },
            None => SendResult::Unclear("answered success without JSON".to_owned()),
        },
        (408 | 425 | 429 | 503 | 504, _) => SendResult::NotSent { after, detail },
        (502, Some("transient")) => match provider_status {
            Some(429 | 500..) => SendResult::NotSent { after, detail },
            // The provider may have taken it: it said yes, or nothing at all.
            _ => SendResult::Unclear(detail),
        },
        (502, Some("unknown")) => SendResult::Refused {
            reason: "configuration",
            detail,
        },
        (400..=499, _) if body.as_ref().is_some_and(says_opted_out) => SendResult::OptedOut,
        (401 | 403, None) => SendResult::Refused {
            reason: "configuration",
            detail,
        },
        (400..=499, _) => SendResult::Refused {
            reason: "permanent_failure",
            detail,
        },
        _ => SendResult::Unclear(detail),
    }
}

/// Whether the provider refused because the number has opted out there: Twilio's error 21610, as a
/// code anywhere in the agent's envelope or quoted in its sentence.
fn says_opted_out(body: &Value) -> bool {
    const CODE: &str = "21610";
    match body {
        Value::Number(number) => number.to_string() == CODE,
        Value::String(text) => text
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| digits == CODE),
        Value::Array(items) => items.iter().any(says_opted_out),
        Value::Object(fields) => fields
            .iter()
            // Our own text comes back in some answers, and ids are only numbers.
            .filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "id" | "correlation_id" | "body" | "input" | "to"
                )
            })
            .any(|(_, value)| says_opted_out(value)),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Looks for a text among the agent's rows.
pub fn look(answer: &Value, body: &str, newer_than: i64, claimed: &[String]) -> LookResult {
    // "Not there" means a second text, so every row must say which one it is and which way it went.
    let complete = |row: &Value| row["direction"].is_string() && id_of(row) > 0;
    let Some(rows) = rows(answer).filter(|rows| rows.iter().all(complete)) else {
        return LookResult::Unavailable("sms_agent: its history cannot be read".to_owned());
    };
    let ours: Vec<&Value> = rows
        .iter()
        .filter(|row| row["direction"].as_str() == Some("outbound"))
        .filter(|row| id_of(row) > newer_than)
        .filter(|row| !claimed.contains(&id_of(row).to_string()))
        .filter(|row| content_of(row).is_some_and(|text| text.trim() == body.trim()))
        .collect();
    let status = |row: &Value| text(&row["delivery_status"]);
    let went_out = |row: &&&Value| {
        let sent = matches!(
            status(row).as_deref(),
            Some("queued" | "sending" | "sent" | "delivered" | "undelivered")
        );
        let failed = status(row).as_deref() == Some("failed");
        sent || (!failed && text(&row["twilio_sid"]).is_some())
    };
    if let Some(row) = ours.iter().filter(went_out).min_by_key(|row| id_of(row)) {
        return LookResult::Found {
            message_id: id_of(row).to_string(),
            twilio_sid: text(&row["twilio_sid"]),
        };
    }
    let undecided = |row: &&&Value| status(row).as_deref() != Some("failed");
    if ours.iter().any(|row| undecided(&row)) {
        LookResult::Pending
    } else {
        LookResult::NotThere
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded() -> Value {
        json!({"phone_number_canonical": "+12025550143", "tenant_id": "12345", "messages": [
            {"id": 4, "direction": "outbound", "content": "never arrived", "twilio_sid": null,
             "delivery_status": "failed", "created_at": "2026-11-21T01:49:52"},
            {"id": 3, "direction": "inbound", "message_content": "Yes Friday", "content": "Yes Friday",
             "delivery_status": null, "created_at": "2026-11-21T01:49:51.498023"},
            {"id": 2, "direction": "outbound", "content": "Can you start Friday?", "twilio_sid": "SM197",
             "delivery_status": "queued", "created_at": "2026-11-21T01:49:50.243752"}],
            "page": 1, "limit": 20, "offset": 0, "total": 3})
    }

    #[test]
    fn a_history_is_put_in_order_and_keeps_what_the_tenant_saw() {
        let zone = chrono_tz::America::New_York;
        let read = history(&recorded(), zone).expect("a history");
        let texts: Vec<&str> = read.messages.iter().map(|m| m.content.as_str()).collect();
        assert_eq!(texts, ["Can you start Friday?", "Yes Friday"]);
        assert_eq!(
            read.newest_id, 4,
            "unsent rows count, or a later look would take them for ours"
        );
        assert_eq!(
            read.tenant_id.map(|t| t.to_string()).as_deref(),
            Some("12345")
        );
        let first = read.messages[0].at.expect("a time").to_rfc3339();
        assert_eq!(first, "2026-11-21T06:49:50.243752+00:00");
    }

    #[test]
    fn a_text_is_recognised_by_the_providers_id() {
        let row = json!({"id": 1, "direction": "inbound", "content": "hi", "twilio_sid": "SM1"});
        let answer = json!({"tenant_id": 12345, "messages": [row]});
        let seen = sighting(&answer, "SM1").expect("a list");
        assert!(seen.stored);
        assert_eq!(
            seen.tenant_id.map(|t| t.to_string()).as_deref(),
            Some("12345")
        );
        let other = sighting(&json!({"tenant_id": null, "messages": [row]}), "SM2");
        assert_eq!(other, Some(Sighting::default()));
        assert_eq!(sighting(&json!({"detail": "ok"}), "SM2"), None);
    }

    #[test]
    fn other_shapes_are_read_too() {
        let utc = chrono_tz::UTC;
        let row = json!({"id": "7", "direction": "inbound", "text": "hi", "timestamp": "2026-11-21T01:00:00Z"});
        for shape in [
            json!([row]),
            json!({"messages": [row]}),
            json!({"data": {"messages": [row]}}),
        ] {
            let read = history(&shape, utc).expect("a history");
            assert_eq!(read.messages.len(), 1, "{shape}");
        }
        let none = history(&json!({"messages": []}), utc);
        assert_eq!(none, Some(History::default()));
    }

    #[test]
    fn what_nobody_can_read_is_not_an_empty_history() {
        let odd = [
            json!("odd"),
            json!({}),
            json!({"detail": "please stand by"}),
            json!({"messages": [{"id": {"value": 5}, "direction": ["outbound"], "content": ["hello"]}]}),
        ];
        for answer in odd {
            assert_eq!(history(&answer, chrono_tz::UTC), None, "{answer}");
            let looked = look(&answer, "hello", 0, &[]);
            assert!(
                matches!(looked, LookResult::Unavailable(_)),
                "{answer}: {looked:?} would mean a second text"
            );
        }
    }

    #[test]
    fn answers_to_a_send_are_classified() {
        let envelope = |category: &str, code: Value| {
            Some(json!({"error": {"code": "sms.external_failed",
                "details": {"category": category, "status_code": code}}}))
        };
        let kind = |status, body| match send_answer(status, None, body) {
            SendResult::Accepted { .. } => "accepted",
            SendResult::NotSent { .. } => "not sent",
            SendResult::Unclear(_) => "unclear",
            SendResult::Refused { reason, .. } => reason,
            SendResult::OptedOut => "opted out",
        };
        let cases = [
            (
                202,
                Some(json!({"id": "2", "twilio_sid": "SM1", "conversation_id": 1})),
                "accepted",
            ),
            (200, Some(json!({})), "accepted"),
            (
                400,
                Some(
                    json!({"error": {"message": "Attempt to send to unsubscribed recipient",
                    "details": {"category": "permanent", "status_code": 400, "provider_code": 21610}}}),
                ),
                "opted out",
            ),
            (
                400,
                Some(json!({"detail": "Twilio error 21610: unsubscribed recipient"})),
                "opted out",
            ),
            (
                400,
                Some(json!({"id": 21610, "detail": "body must not be empty"})),
                "permanent_failure",
            ),
            (202, None, "unclear"),
            (
                400,
                Some(json!({"detail": "body must not be empty"})),
                "permanent_failure",
            ),
            (
                422,
                Some(json!({"detail": [{"type": "int_parsing"}]})),
                "permanent_failure",
            ),
            (404, envelope("permanent", json!(404)), "permanent_failure"),
            (401, envelope("permanent", json!(401)), "permanent_failure"),
            (401, None, "configuration"),
            (429, None, "not sent"),
            (503, None, "not sent"),
            (502, envelope("transient", json!(429)), "not sent"),
            (502, envelope("transient", json!(503)), "not sent"),
            (502, envelope("transient", json!(201)), "unclear"),
            (502, envelope("transient", Value::Null), "unclear"),
            (502, envelope("unknown", Value::Null), "configuration"),
            (502, None, "unclear"),
            (500, None, "unclear"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(kind(status, body.clone()), expected, "{status} {body:?}");
        }
    }

    #[test]
    fn looking_claims_only_what_can_be_ours() {
        let row = |id: i64, content: &str, status: &str, sid: Value| {
            json!({"id": id, "direction": "outbound", "content": content,
                   "delivery_status": status, "twilio_sid": sid})
        };
        let cases = [
            (vec![], LookResult::NotThere),
            (
                vec![row(5, "other", "sent", json!("S"))],
                LookResult::NotThere,
            ),
            (
                vec![row(2, "hello", "sent", json!("S"))],
                LookResult::NotThere,
            ),
            (
                vec![row(5, "hello", "failed", Value::Null)],
                LookResult::NotThere,
            ),
            (
                vec![row(5, "hello", "pending", Value::Null)],
                LookResult::Pending,
            ),
            (
                vec![row(5, " hello ", "queued", json!("S"))],
                LookResult::Found {
                    message_id: "5".into(),
                    twilio_sid: Some("S".into()),
                },
            ),
            (
                vec![row(9, "hello", "queued", json!("S"))],
                LookResult::NotThere,
            ),
        ];
        for (rows, expected) in cases {
            let answer = json!({ "messages": rows });
            assert_eq!(
                look(&answer, "hello", 2, &["9".to_owned()]),
                expected,
                "{answer}"
            );
        }
    }
}
