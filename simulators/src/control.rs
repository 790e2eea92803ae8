//! The control API, the same on every neighbour. Never recorded, never struck by a fault.

use axum::http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::exchange::{Answer, Call};
use crate::faults::Rule;
use crate::gate::{Gate, Simulated};

/// One thing or a list of things; nicer to type by hand.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Deserialize)]
struct LatencySetting {
    mean_ms: u64,
    #[serde(default)]
    jitter_ms: u64,
}

pub(crate) fn answer<S: Simulated>(gate: &Gate<S>, call: &Call) -> Answer {
    let what = call.path().trim_start_matches("/_control/").to_owned();
    match (call.method(), what.as_str()) {
        (&Method::POST, "faults") => parsed::<OneOrMany<Rule>>(call, |rules| {
            gate.faults.add(rules.into_vec());
        }),
        (&Method::GET, "faults") => Answer::json(200, &gate.faults.to_json()),
        (&Method::DELETE, "faults") => {
            gate.faults.clear();
            done()
        }
        (&Method::POST, "latency") => parsed::<LatencySetting>(call, |latency| {
            gate.latency.set(latency.mean_ms, latency.jitter_ms);
        }),
        (&Method::POST, "reset") => {
            gate.reset();
            done()
        }
        (&Method::POST, "recording") => parsed::<bool>(call, |on| gate.journal.enable(on)),
        (&Method::GET, "counters") => Answer::json(200, &gate.journal.counters.to_json()),
        (&Method::GET, "requests") => {
            let records = gate.journal.since(since(call));
            let records: Vec<Value> = records.iter().map(|record| record.to_json()).collect();
            Answer::json(200, &records.into())
        }
        _ => gate
            .service
            .control(call, &what)
            .unwrap_or_else(Answer::not_found),
    }
}

pub(crate) fn since(call: &Call) -> u64 {
    let query = call.query();
    query
        .get("since")
        .and_then(|since| since.parse().ok())
        .unwrap_or(0)
}

pub(crate) fn done() -> Answer {
    Answer::json(200, &json!({"ok": true}))
}

pub(crate) fn parsed<T: DeserializeOwned>(call: &Call, then: impl FnOnce(T)) -> Answer {
    match serde_json::from_slice(call.body()) {
        Ok(value) => {
            then(value);
            done()
        }
        Err(error) => Answer::json(400, &json!({"detail": error.to_string()})),
    }
}
