//! What the agent's framework and its send route refuse, word for word as recorded.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::exchange::Answer;
use crate::tenants::e164;

/// The column limit of the agent's database; longer texts crash it.
const COLUMN_LIMIT: usize = 2_000;

/// A request that passed validation.
pub(super) struct Sending {
    pub to: String,
    pub original: String,
    pub body: Arc<str>,
}

/// First the model's validation (422, all complaints at once), then the route's own (400).
pub(super) fn validated(body: &[u8]) -> Result<Sending, Answer> {
    let request: Value = serde_json::from_slice(body).map_err(|error| {
        details(vec![
            json!({"type": "json_invalid", "loc": ["body", error.column()],
            "msg": "JSON decode error", "input": {}, "ctx": {"error": error.to_string()}}),
        ])
    })?;
    let Value::Object(request) = request else {
        return Err(details(vec![json!({
            "type": "model_attributes_type", "loc": ["body"],
            "msg": "Input should be a valid dictionary or object to extract fields from",
            "input": request})]));
    };
    let complaints: Vec<Value> = [
        text_complaint(&request, "to"),
        text_complaint(&request, "body"),
    ]
    .into_iter()
    .chain([integer_complaint(request.get("conversation_id"))])
    .flatten()
    .collect();
    if !complaints.is_empty() {
        return Err(details(complaints));
    }
    let to = request["to"].as_str().unwrap_or_default();
    let body = request["body"].as_str().unwrap_or_default().trim();
    let bad = |detail: &str| Answer::json(400, &json!({"detail": detail}));
    if body.is_empty() {
        return Err(bad("body must not be empty"));
    }
    let canonical = e164(to).ok_or_else(|| bad("invalid request"))?;
    if body.chars().count() > COLUMN_LIMIT {
        return Err(Answer::crash());
    }
    Ok(Sending {
        to: canonical,
        original: to.to_owned(),
        body: body.into(),
    })
}

fn details(complaints: Vec<Value>) -> Answer {
    Answer::json(422, &json!({"detail": complaints}))
}

fn text_complaint(request: &Map<String, Value>, name: &str) -> Option<Value> {
    match request.get(name) {
        Some(Value::String(_)) => None,
        Some(other) => Some(json!({"type": "string_type", "loc": ["body", name],
            "msg": "Input should be a valid string", "input": other})),
        None => Some(json!({"type": "missing", "loc": ["body", name],
            "msg": "Field required", "input": request})),
    }
}

/// Digits in a string pass, as the real agent lets them; the value is then never used.
fn integer_complaint(value: Option<&Value>) -> Option<Value> {
    let (kind, message) = match value? {
        Value::Null | Value::Bool(_) => return None,
        Value::Number(number) if number.is_i64() => return None,
        Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => return None,
        Value::Number(_) => (
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        ),
        Value::String(text) if text.trim().parse::<i64>().is_ok() => return None,
        Value::String(_) => (
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        _ => ("int_type", "Input should be a valid integer"),
    };
    Some(json!({"type": kind, "loc": ["body", "conversation_id"], "msg": message, "input": value}))
}

pub(super) fn not_an_integer(place: &str, name: &str, input: &str) -> Answer {
    details(vec![json!({"type": "int_parsing", "loc": [place, name],
        "msg": "Input should be a valid integer, unable to parse string as an integer",
        "input": input})])
}

pub(super) fn out_of_range(name: &str, input: &str, kind: &str, bound: &str, limit: i64) -> Answer {
    let words = kind
        .replace('_', " ")
        .replace(" equal", " than or equal to");
    let words = words.replace("than than", "than");
    details(vec![json!({"type": kind, "loc": ["query", name],
        "msg": format!("Input should be {words} {limit}"), "input": input,
        "ctx": {bound: limit}})])
}
