//! The Notification service, as documented. It has no `/health`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::control::since;
use crate::exchange::{Answer, Call};
use crate::gate::Simulated;

const KEPT: usize = 100_000;
const CHANNELS: [&str; 4] = ["email", "sms", "webhook", "push"];
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "critical"];

/// One delivered notification; a bulk request makes one per recipient.
#[derive(Debug, Clone, Serialize)]
pub struct Notification {
    pub seq: u64,
    pub tracking_id: String,
    pub channel: String,
    pub recipient: String,
    pub priority: String,
    pub content: Value,
    pub metadata: Value,
    pub at: DateTime<Utc>,
}

#[derive(Default)]
struct Sent {
    notifications: VecDeque<Notification>,
    ever: u64,
}

#[derive(Default)]
pub struct Notifications {
    sent: Mutex<Sent>,
}

impl Notifications {
    /// Everything delivered, oldest first.
    pub fn notifications(&self) -> Vec<Notification> {
        self.sent().notifications.iter().cloned().collect()
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, call: &Call) -> Answer {
        let request = match serde_json::from_slice(call.body()) {
            Ok(Value::Object(request)) => request,
            _ => {
                return details(vec![complaint(
                    "json_invalid",
                    "body",
                    "JSON decode error",
                    &json!({}),
                )]);
            }
        };
        let complaints = complaints(&request);
        if !complaints.is_empty() {
            return details(complaints);
        }
        let bulk = request.get("recipients").and_then(Value::as_array);
        let recipients: Vec<&Value> = match bulk {
            Some(many) => many.iter().collect(),
            None => vec![&request["recipient"]],
        };
        let field = |name: &str| request.get(name).cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let at = Utc::now();
        let mut ids = Vec::new();
        let mut sent = self.sent();
        for recipient in recipients {
            sent.ever += 1;
            let notification = Notification {
                seq: sent.ever,
                tracking_id: uuid::Uuid::new_v4().to_string(),
                channel: text(&request["channel"]),
                recipient: text(recipient),
                priority: request
                    .get("priority")
                    .map_or_else(|| "normal".to_owned(), text),
                content: field("content"),
                metadata: field("metadata"),
                at,
            };
            ids.push(notification.tracking_id.clone());
            if sent.notifications.len() == KEPT {
                sent.notifications.pop_front();
            }
            sent.notifications.push_back(notification);
        }
        Answer::json(
            200,
            &match bulk {
                Some(_) => json!({"count": ids.len(), "tracking_ids": ids}),
                None => json!({"tracking_id": ids[0]}),
            },
        )
    }
}

impl Simulated for Notifications {
    fn answer(&self, call: &Call) -> Answer {
        match (call.path(), call.method()) {
            ("/notifications/send", &Method::POST) => self.send(call),
            ("/notifications/send", _) => Answer::method_not_allowed(),
            _ => Answer::not_found(),
        }
    }

    fn control(&self, call: &Call, what: &str) -> Option<Answer> {
        match (call.method(), what) {
            (&Method::GET, "notifications") => {
                let after = since(call);
                let sent = self.sent();
                let listed: Vec<&Notification> = sent
                    .notifications
                    .iter()
                    .filter(|notification| notification.seq > after)
                    .collect();
                let answer = json!({"total": sent.ever, "notifications": listed});
                Some(Answer::json(200, &answer))
            }
            _ => None,
        }
    }

    fn reset(&self) {
        *self.sent() = Sent::default();
    }
}

fn details(complaints: Vec<Value>) -> Answer {
    Answer::json(422, &json!({"detail": complaints}))
}

fn complaint(kind: &str, field: &str, message: &str, input: &Value) -> Value {
    json!({"type": kind, "loc": ["body", field], "msg": message, "input": input})
}

fn complaints(request: &Map<String, Value>) -> Vec<Value> {
    let whole = Value::Object(request.clone());
    let missing = |name: &str| complaint("missing", name, "Field required", &whole);
    let one_of = |name: &str, allowed: &[&str], required: bool| match request.get(name) {
        None => required.then(|| missing(name)),
        Some(value) if value.as_str().is_some_and(|text| allowed.contains(&text)) => None,
        Some(value) => {
            let (last, others) = allowed.split_last()?;
            let message = format!("Input should be '{}' or '{last}'", others.join("', '"));
            Some(complaint("enum", name, &message, value))
        }
    };
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let recipient = match (request.get("recipients"), request.get("recipient")) {
        (Some(many), _) => {
            let plausible = many
                .as_array()
                .is_some_and(|many| !many.is_empty() && many.iter().all(text));
            (!plausible).then(|| {
                complaint(
                    "list_type",
                    "recipients",
                    "Input should be a valid list",
                    many,
                )
            })
        }
        (None, Some(one)) => (!text(one)).then(|| {
            complaint(
                "string_type",
                "recipient",
                "Input should be a valid string",
                one,
            )
        }),
        (None, None) => Some(missing("recipient")),
    };
    let object = |name: &str, strings_only: bool| match request.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::Object(map)) if !strings_only || map.values().all(Value::is_string) => None,
        Some(value) => Some(complaint(
            "dict_type",
            name,
            "Input should be a valid dictionary",
            value,
        )),
    };
    [
        one_of("channel", &CHANNELS, true),
        recipient,
        one_of("priority", &PRIORITIES, false),
        object("content", false),
        object("metadata", true),
    ]
    .into_iter()
    .flatten()
    .collect()
}
