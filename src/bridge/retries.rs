//! `POST /orchestrate/retry/{workflow_id}` and `/orchestrate/dead-letters…` (`http-api.md` §7, §9).

use std::collections::HashMap;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query as RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::query::{Query, page};
use super::request::{About, manager};
use super::{ApiError, Bridge};
use crate::domain::{DeadLetterId, DraftId};
use crate::engine::answers::stamp;
use crate::events::{
    Event, Fields, LetterResolutionRequested, RedriveRequested, ReplyApproved, RetryRequested,
};
use crate::store::dead_letters::{self, LetterFilter, StoredLetter};

/// The most items of one request.
const MOST: usize = 200;

pub(super) async fn retry(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let fields = Fields::from_optional_json(&body?)?.with_id("workflow_id", &id);
    let mut asked = RetryRequested::parse(&fields, bridge.received())?;
    asked.requested_by = asked.requested_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

pub(super) async fn redrive(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let fields = Fields::from_optional_json(&body?)?.with_id("dead_letter_id", &id);
    let mut asked = RedriveRequested::parse(&fields, bridge.received())?;
    asked.requested_by = asked.requested_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

pub(super) async fn resolve(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let fields = Fields::from_optional_json(&body?)?.with_id("dead_letter_id", &id);
    let mut asked = LetterResolutionRequested::parse(&fields, bridge.received())?;
    asked.resolved_by = asked.resolved_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

/// Many at once. A text that may have been sent is never among them: each of those wants a look.
pub(super) async fn redrive_many(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let fields = Fields::from_optional_json(&body?)?;
    let ids = fields.texts(&["ids"], MOST);
    let kind = fields.text(&["kind"], 50);
    if ids.is_none() && kind.is_none() {
        fields.missing("ids");
    }
    if kind.as_deref().is_some_and(|k| !KINDS.contains(&k)) {
        fields.fault(
            "kind",
            "invalid",
            "must be sms, notification, workflow or event",
        );
    }
    let requested_by = fields.text(&["requested_by", "manager_id"], 100);
    let reason = fields.text(&["reason"], 1000);
    fields.finish(Some(()))?;
    let ids = match (ids, kind) {
        (Some(ids), _) => ids,
        (None, kind) => open_of_kind(&bridge, kind).await?,
    };
    let requested_by = requested_by.or(manager(&headers));
    let asks = ids.iter().map(|id| {
        let asked = RedriveRequested {
            dead_letter_id: id.clone(),
            confirm_duplicate_risk: false,
            requested_by: requested_by.clone(),
            reason: reason.clone(),
        };
        let (bridge, about) = (&bridge, &about);
        async move { bridge.outcome(&asked, about).await }
    });
    let outcomes = futures::future::join_all(asks).await;
    let mut redriven = Vec::new();
    let mut skipped = Vec::new();
    for (id, outcome) in ids.iter().zip(outcomes) {
        match outcome {
            Ok((200, body)) => redriven.push(body["id"].clone()),
            Ok((404, _)) => skipped.push(json!({ "id": id, "reason": "not_found" })),
            Ok((_, body)) => {
                skipped.push(json!({ "id": id, "reason": body["details"]["reason"] }));
            }
            Err(_) => skipped.push(json!({ "id": id, "reason": "not_finished_in_time" })),
        }
    }
    Ok(Json(json!({
        "success": true,
        "total": redriven.len() + skipped.len(),
        "redriven": redriven,
        "skipped": skipped,
        "correlation_id": about.correlation_id,
    })))
}

async fn open_of_kind(bridge: &Bridge, kind: Option<String>) -> Result<Vec<String>, ApiError> {
    let filter = LetterFilter {
        status: Some("open".to_owned()),
        kind,
        limit: i64::try_from(MOST).unwrap_or(200),
        ..LetterFilter::default()
    };
    let (letters, _) = dead_letters::list(&bridge.db, &filter).await?;
    Ok(letters.iter().map(|l| l.id.to_string()).collect())
}

const KINDS: [&str; 4] = ["sms", "notification", "workflow", "event"];

pub(super) async fn list(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let query = Query::new(parameters);
    let words = ["open", "redriven", "resolved", "all"];
    let status = query.one_of("status", "open", &words);
    let kind = query.parsed(
        "kind",
        |word| KINDS.contains(&word).then(|| word.to_owned()),
        "must be sms, notification, workflow or event",
    );
    let order = query.one_of("order", "asc", &["asc", "desc"]);
    let (limit, offset) = query.page();
    let filter = LetterFilter {
        status: (status != "all").then_some(status),
        kind,
        conversation: query.text("conversation_id"),
        descending: order == "desc",
        limit,
        offset,
    };
    query.finish()?;
    let (letters, total) = dead_letters::list(&bridge.db, &filter).await?;
    let items = letters.iter().map(item).collect();
    Ok(Json(page(items, total, limit, offset)))
}

pub(super) async fn one(
    State(bridge): State<Bridge>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(id) = id?;
    let found = match DeadLetterId::parse(&id) {
        Some(id) => dead_letters::with_id(&bridge.db, id).await?,
        None => None,
    };
    let absent = || ApiError::not_found("Dead letter not found", json!({ "id": id }));
    found.as_ref().map(|l| Json(item(l))).ok_or_else(absent)
}

fn item(letter: &StoredLetter) -> Value {
    let payload = String::from_utf8_lossy(&letter.payload);
    let payload: Value =
        serde_json::from_str(&payload).unwrap_or_else(|_| json!({ "raw": payload }));
    let released = letter.subject == ReplyApproved::SUBJECT;
    let draft = payload["draft_id"].as_str().filter(|_| released);
    json!({
        "id": letter.id,
        "kind": letter.kind,
        "status": letter.status,
        "workflow_id": letter.workflow_id,
        "conversation_id": letter.conversation_id,
        "response_queue_id": draft.and_then(DraftId::parse),
        "reason": letter.reason,
        "last_error": {
            "service": service(letter),
            "status": null,
            "message": letter.last_error,
        },
        "attempts": letter.attempts,
        "first_attempt_at": stamp(letter.first_attempt_at),
        "last_attempt_at": stamp(letter.last_attempt_at),
        "stage": letter.stage,
        "subject": letter.subject,
        "payload": payload,
        "redrive_count": letter.redrive_count,
        "history": letter.history,
        "created_at": stamp(letter.created_at),
        "updated_at": stamp(letter.updated_at),
    })
}

/// The neighbour behind a stage, by the name `/health/dependencies` uses.
fn service(letter: &StoredLetter) -> Option<&'static str> {
    match letter.stage.as_str() {
        "deliver" => Some("sms_agent"),
        "notify" => Some("notification_service"),
        "draft" => Some("openai"),
        _ => None,
    }
}
