//! The SMS Agent, as recorded on the real one, and the tenants' phones behind it.

mod validation;
pub mod webhook;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::control::{OneOrMany, parsed, since};
use crate::exchange::{Answer, Call};
use crate::gate::Simulated;
use crate::tenants::{Tenants, e164};

use validation::{not_an_integer, out_of_range, validated};

const OWN_NUMBER: &str = "+12025550100";
const ROWS_KEPT: usize = 500;
const TEXTS_KEPT: usize = 1_000_000;

/// A text that arrived on a tenant's phone: what exactly-once is asserted on.
#[derive(Debug, Clone, Serialize)]
pub struct PhoneText {
    pub seq: u64,
    pub to: String,
    pub body: Arc<str>,
    pub idempotency_key: Option<String>,
    pub message_id: String,
    pub at: DateTime<Utc>,
}

/// A row to put into a history, as the agent's webhook would have done.
#[derive(Debug, Clone, Deserialize)]
pub struct HistoryRow {
    pub phone: String,
    pub text: String,
    #[serde(default)]
    pub twilio_sid: Option<String>,
    /// `outbound` for a text that somebody else sent.
    #[serde(default)]
    pub outbound: bool,
    #[serde(default)]
    pub delivery_status: Option<String>,
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

impl HistoryRow {
    pub fn inbound(phone: &str, text: &str) -> Self {
        Self {
            phone: phone.to_owned(),
            text: text.to_owned(),
            twilio_sid: None,
            outbound: false,
            delivery_status: None,
            at: None,
        }
    }
}

struct Row {
    id: u64,
    outbound: bool,
    text: Arc<str>,
    sid: Option<String>,
    status: Option<String>,
    at: DateTime<Utc>,
}

struct Conversation {
    id: u64,
    original: String,
    rows: VecDeque<Row>,
}

#[derive(Default)]
struct Ledger {
    conversations: HashMap<String, Conversation>,
    texts: VecDeque<PhoneText>,
    texts_ever: u64,
    rows_ever: u64,
    answers_by_key: HashMap<String, Answer>,
}

pub struct SmsAgent {
    tenants: Arc<Tenants>,
    ledger: Mutex<Ledger>,
    honours_keys: AtomicBool,
    loses_inbound: AtomicBool,
}

impl SmsAgent {
    pub fn new(tenants: Arc<Tenants>) -> Self {
        Self {
            tenants,
            ledger: Mutex::default(),
            honours_keys: AtomicBool::new(false),
            loses_inbound: AtomicBool::new(false),
        }
    }

    /// Everything that reached a phone, oldest first.
    pub fn messages(&self) -> Vec<PhoneText> {
        self.ledger().texts.iter().cloned().collect()
    }

    pub fn messages_to(&self, phone: &str) -> Vec<PhoneText> {
        let Some(phone) = e164(phone) else {
            return Vec::new();
        };
        let ledger = self.ledger();
        let texts = ledger.texts.iter().filter(|text| text.to == phone);
        texts.cloned().collect()
    }

    /// Also counts texts that are no longer kept.
    pub fn message_count(&self) -> u64 {
        self.ledger().texts_ever
    }

    pub fn add_row(&self, row: HistoryRow) {
        let Some(phone) = e164(&row.phone) else {
            return;
        };
        let mut ledger = self.ledger();
        let status = match (row.outbound, row.delivery_status) {
            (true, None) => Some("queued".to_owned()),
            (_, status) => status,
        };
        let at = row.at.unwrap_or_else(Utc::now);
        let sid = row.twilio_sid;
        let sid = if row.outbound {
            sid
        } else {
            sid.or_else(|| Some(format!("SM{}", uuid::Uuid::new_v4().simple())))
        };
        ledger.push(&phone, &row.phone, |id| Row {
            id,
            outbound: row.outbound,
            text: row.text.into(),
            sid,
            status,
            at,
        });
    }

    /// Today's agent ignores `Idempotency-Key`; a later one or a gateway may honour it.
    pub fn honour_idempotency_keys(&self, honour: bool) {
        self.honours_keys.store(honour, Ordering::Relaxed);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, call: &Call) -> Answer {
        let sending = match validated(call.body()) {
            Ok(sending) => sending,
            Err(answer) => return answer,
        };
        let key = call.header("idempotency-key").map(str::to_owned);
        let honoured = key
            .clone()
            .filter(|_| self.honours_keys.load(Ordering::Relaxed));
        let at = Utc::now();
        let mut ledger = self.ledger();
        if let Some(answer) = honoured
            .as_ref()
            .and_then(|key| ledger.answers_by_key.get(key))
        {
            return answer.clone();
        }
        ledger.texts_ever += 1;
        let seq = ledger.texts_ever;
        let sid = format!("SM{seq:032}");
        let text = Arc::clone(&sending.body);
        let (row, conversation) = ledger.push(&sending.to, &sending.original, |id| Row {
            id,
            outbound: true,
            text,
            sid: Some(sid.clone()),
            status: Some("queued".to_owned()),
            at,
        });
        if ledger.texts.len() == TEXTS_KEPT {
            ledger.texts.pop_front();
        }
        ledger.texts.push_back(PhoneText {
            seq,
            to: sending.to,
            body: sending.body,
            idempotency_key: key,
            message_id: row.to_string(),
            at,
        });
        let answer = Answer::bytes(
            202,
            "application/json",
            format!(r#"{{"id":"{row}","twilio_sid":"{sid}","conversation_id":{conversation}}}"#)
                .into(),
        );
        if let Some(key) = honoured {
            ledger.answers_by_key.insert(key, answer.clone());
        }
        answer
    }

    fn history(&self, call: &Call, phone: &str) -> Answer {
        let query = call.query();
        let paging = |name: &str, default: i64, low: i64, high: i64| match query.get(name) {
            None => Ok(default),
            Some(text) => {
                let value = text
                    .parse()
                    .map_err(|_| not_an_integer("query", name, text))?;
                match value {
                    _ if value < low => {
                        Err(out_of_range(name, text, "greater_than_equal", "ge", low))
                    }
                    _ if value > high => {
                        Err(out_of_range(name, text, "less_than_equal", "le", high))
                    }
                    _ => Ok(value),
                }
            }
        };
        let checked = || -> Result<_, Answer> {
            let page = paging("page", 1, 1, i64::MAX)?;
            let limit = paging("limit", 20, 1, 100)?;
            let offset = paging("offset", (page - 1).saturating_mul(limit), 0, i64::MAX)?;
            Ok((page, limit, offset))
        };
        let (page, limit, offset) = match checked() {
            Ok(checked) => checked,
            Err(answer) => return answer,
        };
        let unknown = || Answer::json(404, &json!({"detail": "Conversation not found"}));
        let Some(phone) = e164(phone) else {
            return unknown();
        };
        let tenant = self.tenants.id_by_phone(&phone);
        let ledger = self.ledger();
        let Some(conversation) = ledger.conversations.get(&phone) else {
            return unknown();
        };
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        let messages: Vec<Value> = conversation
            .rows
            .iter()
            .rev()
            .skip(skipped)
            .take(limit as usize)
            .map(|row| row.to_json(&phone))
            .collect();
        let last = conversation.rows.back().map(|row| zoneless(row.at));
        Answer::json(
            200,
            &json!({
                "phone_number_canonical": phone,
                "phone_number_original": conversation.original,
                "tenant_id": tenant, "workflow_type": null, "last_message_at": last,
                "messages": messages, "page": page, "limit": limit, "offset": offset,
                "total": conversation.rows.len(),
            }),
        )
    }
}

impl Ledger {
    /// Answers the ids of the new row and of its conversation, which is made when missing.
    fn push(&mut self, phone: &str, original: &str, row: impl FnOnce(u64) -> Row) -> (u64, u64) {
        self.rows_ever += 1;
        let next = self.conversations.len() as u64 + 1;
        let conversation = self
            .conversations
            .entry(phone.to_owned())
            .or_insert_with(|| Conversation {
                id: next,
                original: original.to_owned(),
                rows: VecDeque::new(),
            });
        if conversation.rows.len() == ROWS_KEPT {
            conversation.rows.pop_front();
        }
        let row = row(self.rows_ever);
        // Newest first is by time, and an injected row may be older than what is there.
        let place = conversation
            .rows
            .partition_point(|other| other.at <= row.at);
        conversation.rows.insert(place, row);
        (self.rows_ever, conversation.id)
    }
}

impl Row {
    fn to_json(&self, phone: &str) -> Value {
        let (direction, from, to) = if self.outbound {
            ("outbound", None, phone)
        } else {
            ("inbound", Some(phone), OWN_NUMBER)
        };
        json!({
            "id": self.id, "direction": direction, "from_number": from, "to_number": to,
            "message_content": &*self.text, "content": &*self.text, "twilio_sid": self.sid,
            "delivery_status": self.status, "created_at": zoneless(self.at),
        })
    }
}

impl Simulated for SmsAgent {
    fn answer(&self, call: &Call) -> Answer {
        let segments = call.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (segments.as_slice(), call.method()) {
            (["sms", "send"], &Method::POST) => self.send(call),
            (["conversations", phone], &Method::GET) => self.history(call, phone),
            (["webhook", "twilio", "sms"], &Method::POST) => self.inbound(call),
            (["webhook", "twilio", "status"], &Method::POST) => self.status_callback(call),
            // The same whatever the state of its database is.
            (["health"], &Method::GET) => Answer::json(
                200,
                &json!({"ok": true, "version": "0.1.0",
                    "checks": {"config": true, "db": "unknown"}}),
            ),
            (
                ["sms", "send"]
                | ["conversations", _]
                | ["health"]
                | ["webhook", "twilio", "sms" | "status"],
                _,
            ) => Answer::method_not_allowed(),
            _ => Answer::not_found(),
        }
    }

    fn control(&self, call: &Call, what: &str) -> Option<Answer> {
        match (call.method(), what) {
            (&Method::GET, "messages") => {
                let after = since(call);
                let to = call.query().get("to").and_then(|to| e164(to));
                let ledger = self.ledger();
                let texts: Vec<&PhoneText> = ledger
                    .texts
                    .iter()
                    .filter(|text| text.seq > after)
                    .filter(|text| to.as_ref().is_none_or(|to| text.to == *to))
                    .collect();
                Some(Answer::json(
                    200,
                    &json!({"total": ledger.texts_ever, "messages": texts}),
                ))
            }
            (&Method::POST, "inbound") => Some(parsed::<OneOrMany<HistoryRow>>(call, |rows| {
                for row in rows.into_vec() {
                    self.add_row(row);
                }
            })),
            (&Method::POST, "lose-inbound") => Some(parsed::<bool>(call, |lose| {
                self.lose_inbound(lose);
            })),
            (&Method::POST, "idempotency") => Some(parsed::<bool>(call, |honour| {
                self.honour_idempotency_keys(honour);
            })),
            _ => None,
        }
    }

    fn reset(&self) {
        *self.ledger() = Ledger::default();
        self.honour_idempotency_keys(false);
        self.lose_inbound(false);
    }

    fn leave_trace(&self, call: &Call, status: &str) {
        if let Ok(sending) = validated(call.body()) {
            self.add_row(HistoryRow {
                outbound: true,
                delivery_status: Some(status.to_owned()),
                ..HistoryRow::inbound(&sending.original, &sending.body)
            });
        }
    }
}

/// Python's `isoformat()` of a naive time stamp.
fn zoneless(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
