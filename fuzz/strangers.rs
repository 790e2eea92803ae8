//! What must hold for any bytes whatever that come from outside: it is said what is wrong with
//! them, nothing panics, and what is let in is within bounds. As `checks.rs`, for everything but the
//! reader of texts; README.md says who sends what.

use chrono::{DateTime, NaiveDate};
use orchestrator::config::Env;
use orchestrator::domain::{ConversationId, Phone, TenantId};
use orchestrator::events::{CATALOGUE, Received};
use orchestrator::neighbours::{collections_monitor, model};
use orchestrator::rules::contact_hours::ContactHours;
use orchestrator::strangers;
use serde_json::Value;

/// Every parser by the name of its fuzz target.
pub(crate) const PARSERS: &[(&str, fn(&[u8]))] = &[
    ("agent_answers", agent_answers),
    ("bodies", bodies),
    ("envelope", envelope),
    ("ids", ids),
    ("keys", keys),
    ("lines", lines),
    ("model_answer", model_answer),
    ("monitor_answer", monitor_answer),
    ("notification_answer", notification_answer),
    ("phone", phone),
    ("query", query),
    ("time", time),
    ("token", token),
    ("webhook_form", webhook_form),
];

const SECRET: &str = "a secret that nobody can guess at all";

fn received() -> Received<'static> {
    Received {
        at: DateTime::UNIX_EPOCH,
        idempotency_key: None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// JSON, or the bytes as a text in JSON: most bytes are no JSON, and would never get far.
fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(text(bytes)))
}

/// Every event and command: texts, decisions, consents, holds and all others.
pub(crate) fn bodies(bytes: &[u8]) {
    for entry in CATALOGUE {
        if let Err(refused) = (entry.check)(bytes, received()) {
            assert!(!refused.to_string().is_empty(), "{}", entry.subject);
        }
    }
}

/// A message's headers, `name: value` a line.
pub(crate) fn envelope(bytes: &[u8]) {
    let text = text(bytes);
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let read = strangers::envelope("sms.received", &lines);
    if let Some(to) = &read.reply_subject {
        assert!(
            to.starts_with("_INBOX.") || to.starts_with("answer."),
            "{to:?}"
        );
        assert!(!to.contains(['*', '>', ' ', '\n', '\r']), "{to:?}");
    }
    assert!((1..=128).contains(&read.correlation_id.len()));
}

/// The form the SMS provider posts.
pub(crate) fn webhook_form(bytes: &[u8]) {
    if let Ok(form) = strangers::webhook_form(bytes, DateTime::UNIX_EPOCH) {
        assert!((1..=128).contains(&form.sid.chars().count()));
        assert!(!form.sender.is_empty());
        for text in [&form.sid, &form.sender, &form.content] {
            assert!(!text.contains('\0'), "Postgres keeps no NUL");
        }
    }
}

/// What the SMS Agent answers to all four questions.
pub(crate) fn agent_answers(bytes: &[u8]) {
    let answer = json(bytes);
    if let Some(history) = strangers::history(&answer, chrono_tz::America::New_York) {
        assert!(history.messages.len() <= 20);
    }
    strangers::look(&answer, "hello", 0, &[]);
    strangers::sighting(&answer, "SM1");
    for status in [200, 202, 204, 400, 401, 404, 422, 429, 500, 502, 503] {
        strangers::send_answer(status, None, Some(answer.clone()));
    }
}

/// What the Collections Monitor answers.
pub(crate) fn monitor_answer(bytes: &[u8]) {
    let asked = TenantId::parse("12345").expect("an id");
    collections_monitor::tenant_in(&json(bytes), &asked);
}

/// What the notification service answers.
pub(crate) fn notification_answer(bytes: &[u8]) {
    for status in [200, 204, 400, 404, 422, 429, 500] {
        strangers::notified(status, &json(bytes));
    }
}

/// What the model answers: the bytes as the whole answer, and as what the model says in it.
pub(crate) fn model_answer(bytes: &[u8]) {
    let said = serde_json::json!({
        "choices": [{ "finish_reason": "stop", "message": { "content": text(bytes) } }]
    });
    for answer in [json(bytes), said] {
        if let Ok(understood) = model::read_answer(&answer) {
            let reply = format!("{understood:?}");
            assert!(
                !reply.contains("PAYMENT_PLAN:"),
                "a line for us only: {reply}"
            );
        }
    }
}

/// A bearer token. Nobody can sign one.
pub(crate) fn token(bytes: &[u8]) {
    assert!(strangers::token(&text(bytes), SECRET).is_err());
}

/// An issuer's keys.
pub(crate) fn keys(bytes: &[u8]) {
    strangers::keys(bytes);
}

/// The query of every list, and of the feed.
pub(crate) fn query(bytes: &[u8]) {
    strangers::query(&text(bytes));
}

/// A phone number; what comes out comes out again.
pub(crate) fn phone(bytes: &[u8]) {
    if let Ok(phone) = Phone::parse(&text(bytes)) {
        let digits = phone.as_str().strip_prefix('+').expect("E.164");
        assert!((10..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(Phone::parse(phone.as_str()).as_ref(), Ok(&phone));
    }
}

/// Conversations and tenants: what is let in fits its column and its subject.
pub(crate) fn ids(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(id) = ConversationId::parse(&text) {
        assert!((1..=128).contains(&id.as_str().len()));
        assert!(!id.as_str().contains([' ', '*', '>', '\0', '\n']));
    }
    if let Ok(id) = TenantId::parse(&text) {
        assert!((1..=100).contains(&id.as_str().chars().count()));
    }
}

/// A time, as requests give it.
pub(crate) fn time(bytes: &[u8]) {
    if let Some(time) = orchestrator::events::time(&text(bytes)) {
        assert_eq!(orchestrator::events::time(&time.to_rfc3339()), Some(time));
    }
}

/// Lines of `orchestrator analyze` and `orchestrator contact-hours`: one answer for each, or none.
pub(crate) fn lines(bytes: &[u8]) {
    let day = NaiveDate::from_ymd_opt(2025, 11, 17).expect("a day");
    let mut out = Vec::new();
    orchestrator::analyze::analyze(bytes, &mut out, day).expect("memory does not fail");
    each_is_json(&out);
    let mut out = Vec::new();
    let hours = ContactHours::read(&Env::from_pairs(&[]));
    orchestrator::answer_hours::answer(bytes, &mut out, &hours).expect("memory does not fail");
    each_is_json(&out);
}

fn each_is_json(out: &[u8]) {
    for line in out.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        assert!(
            serde_json::from_slice::<Value>(line).is_ok(),
            "{}",
            text(line)
        );
    }
}
