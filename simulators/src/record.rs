//! What a neighbour received, for assertions. Bounded, because a load test of an hour must not
//! eat the memory, and switchable off, because a benchmark shares its cores with us.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

const KEPT: usize = 20_000;

/// One request. The bodies share memory with the request, nothing is copied.
#[derive(Debug, Clone)]
pub struct Record {
    pub seq: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    /// As received, with the query, still percent-encoded.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// `None`: no answer was given (reset, hang).
    pub status: Option<u16>,
    /// Whether the neighbour acted on it; `false` when a fault struck first.
    pub effect: bool,
    /// Kind of the fault that struck.
    pub fault: Option<&'static str>,
}

impl Record {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn to_json(&self) -> Value {
        let headers: serde_json::Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value.into())
            })
            .collect();
        let body = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&self.body)));
        json!({
            "seq": self.seq, "at": self.at, "method": self.method, "path": self.path,
            "headers": headers, "body": body, "status": self.status,
            "effect": self.effect, "fault": self.fault,
        })
    }
}

/// Counted always, also with recording off.
#[derive(Debug, Default)]
pub struct Counters {
    pub requests: AtomicU64,
    pub effects: AtomicU64,
    pub faults: AtomicU64,
}

impl Counters {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "requests": self.requests.load(Ordering::Relaxed),
            "effects": self.effects.load(Ordering::Relaxed),
            "faults": self.faults.load(Ordering::Relaxed),
        })
    }
}

pub(crate) struct Journal {
    pub counters: Counters,
    enabled: AtomicBool,
    records: Mutex<VecDeque<Record>>,
}

impl Journal {
    pub fn new(enabled: bool) -> Self {
        Self {
            counters: Counters::default(),
            enabled: AtomicBool::new(enabled),
            records: Mutex::default(),
        }
    }

    pub fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// `build` gets the sequence number and is not called while recording is off.
    pub fn add(&self, effect: bool, fault: bool, build: impl FnOnce(u64) -> Record) {
        let seq = self.counters.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if effect {
            self.counters.effects.fetch_add(1, Ordering::Relaxed);
        }
        if fault {
            self.counters.faults.fetch_add(1, Ordering::Relaxed);
        }
        if self.enabled.load(Ordering::Relaxed) {
            let record = build(seq);
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            if records.len() == KEPT {
                records.pop_front();
            }
            records.push_back(record);
        }
    }

    /// Records with a sequence number above `since`, oldest first.
    pub fn since(&self, since: u64) -> Vec<Record> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records
            .iter()
            .filter(|record| record.seq > since)
            .cloned()
            .collect()
    }

    /// Sequence numbers go on, so that a remembered `since` stays meaningful.
    pub fn forget(&self) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
