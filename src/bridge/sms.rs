//! `POST /orchestrate/sms-received` (`http-api.md` §2).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::call::{Body, Call};
use super::command::Command;
use super::schema::workflows::{TextAnswer, TextRequest};
use super::{ApiError, Bridge};
use crate::domain::EventId;
use crate::engine::answers;
use crate::events::{Received, SmsReceived};
use crate::store::workflows::Workflow;
use crate::store::{texts, workflows};

/// How a caller wants to be answered (RFC 7240).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    /// As configured.
    None,
    /// As soon as the text is stored.
    RespondAsync,
    /// Within so many seconds.
    Wait(u64),
}

impl Preference {
    fn read(headers: &HeaderMap) -> Self {
        let all = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        for token in all.flat_map(|value| value.split([',', ';'])) {
            let token = token.trim().to_ascii_lowercase();
            if token == "respond-async" {
                return Self::RespondAsync;
            }
            let seconds = token
                .strip_prefix("wait=")
                .and_then(|n| n.trim().parse().ok());
            if let Some(seconds) = seconds {
                return Self::Wait(seconds);
            }
        }
        Self::None
    }

    fn applied(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::RespondAsync => Some("respond-async".to_owned()),
            Self::Wait(seconds) => Some(format!("wait={}", seconds.min(LONGEST_WAIT))),
        }
    }
}

/// The longest `Prefer: wait`, in seconds.
const LONGEST_WAIT: u64 = 10;

/// Takes a text, and waits for what becomes of it.
///
/// The same text again answers with what became of it the first time. `Idempotency-Key` wins over `message_sid`.
#[utoipa::path(
    post, path = "/orchestrate/sms-received", tag = "Texts",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 characters"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`, or `wait=N` with N up to 10")
    ),
    request_body = TextRequest,
    responses(
        (status = 200, description = "It is decided", body = TextAnswer),
        (status = 202, description = "It is stored, and will be decided", body = TextAnswer),
        (status = 500, description = "It could not be processed; a person will look")
    )
)]
pub(super) async fn received(
    call: Call,
    headers: HeaderMap,
    Body(fields): Body,
) -> Result<Response, ApiError> {
    let Call { bridge, about, .. } = call;
    let key = headers
        .get("idempotency-key")
        .map(|v| v.to_str().unwrap_or_default());
    let received = Received {
        at: bridge.clock.now(),
        idempotency_key: key,
    };
    let sms = SmsReceived::parse(&fields, received)?;
    let preference = Preference::read(&headers);
    let budget = match preference {
        Preference::None => bridge.settings.sync_budget,
        Preference::RespondAsync => Duration::ZERO,
        Preference::Wait(seconds) => Duration::from_secs(seconds.min(LONGEST_WAIT)),
    };
    let extra: &[_] = if budget.is_zero() {
        &[("Prefer", "respond-async")]
    } else {
        &[]
    };
    let mut command = bridge.send(&sms, &about, extra)?;
    let (status, body) = outcome(&bridge, &mut command, budget).await?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if status.is_client_error() || status.is_server_error() {
        return Err(ApiError::ready(status.as_u16(), body));
    }
    let mut response = (status, Json(body)).into_response();
    if let Some(applied) = preference
        .applied()
        .and_then(|p| HeaderValue::from_str(&p).ok())
    {
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

/// Waits for the decision; when the budget is spent, for the proof that the text is stored.
async fn outcome(
    bridge: &Bridge,
    command: &mut Command,
    budget: Duration,
) -> Result<(u16, Value), ApiError> {
    let started = tokio::time::Instant::now();
    // Who does not want to wait still waits until the text is stored.
    let first = if budget.is_zero() {
        Duration::from_millis(200)
    } else {
        budget
    };
    if let Some(answer) = command.answer(first).await? {
        return Ok((answer.status, answer.body));
    }
    let give_up = started + bridge.settings.accept_timeout.max(budget);
    loop {
        if let Some(workflow) = stored(bridge, command.event).await {
            return Ok(answers::sms_received(&workflow, false, bridge.clock.now()));
        }
        let left = give_up.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return Err(ApiError::unavailable(
                "The text could not be stored in time; sending it again with the same key is safe",
                json!({ "may_still_be_processed": true }),
            ));
        }
        if let Some(answer) = command.answer(left.min(Duration::from_millis(200))).await? {
            return Ok((answer.status, answer.body));
        }
    }
}

/// The text's workflow, if it is stored. A database that is away is no reason to give up early: the
/// text is on the stream.
async fn stored(bridge: &Bridge, event: EventId) -> Option<Workflow> {
    let found = async {
        let id = texts::workflow_of_event(&bridge.db, event).await.ok()??;
        workflows::with_id(&bridge.db, id).await.ok()?
    };
    tokio::time::timeout(Duration::from_millis(500), found)
        .await
        .ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            Preference::read(&headers)
        };
        assert_eq!(read("respond-async"), Preference::RespondAsync);
        assert_eq!(read("return=minimal, wait=3"), Preference::Wait(3));
        assert_eq!(read("wait=99").applied().as_deref(), Some("wait=10"));
        assert_eq!(read("wait=soon"), Preference::None);
    }
}
