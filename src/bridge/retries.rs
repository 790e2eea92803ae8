//! `POST /orchestrate/retry/{workflow_id}` and `/orchestrate/dead-letters…` (`http-api.md` §7, §9).

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::{Value, json};

use super::call::{Call, Id, OptionalBody};
use super::query::{Query, page};
use super::schema::letters::{
    DeadLetter, LetterQuery, LetterResolutionAnswer, LetterResolutionRequest, RedriveAnswer,
    RedriveManyAnswer, RedriveManyRequest, RedriveRequest,
};
use super::schema::workflows::{RetryAnswer, RetryProblem, RetryRequest};
use super::schema::{Page, Paging};
use super::{ApiError, Bridge};
use crate::domain::{DeadLetterId, DraftId};
use crate::engine::answers::stamp;
use crate::events::{
    Event, LetterResolutionRequested, RedriveRequested, ReplyApproved, RetryRequested,
};
use crate::store::dead_letters::{self, LetterFilter, StoredLetter};

/// The most items of one request.
const MOST: usize = 200;

/// Tries a workflow again.
#[utoipa::path(
    post, path = "/orchestrate/retry/{workflow_id}", tag = "Retries",
    params(("workflow_id" = String, Path, min_length = 1)),
    request_body = Option<RetryRequest>,
    responses(
        (status = 200, description = "It has begun", body = RetryAnswer),
        (status = 400, description = "Not in this state, not again, or not now: `details.reason`",
            body = RetryProblem, content_type = "application/problem+json"),
        (status = 404, description = "No such workflow",
            body = RetryProblem, content_type = "application/problem+json")
    )
)]
pub(super) async fn retry(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = fields.with_id("workflow_id", &id);
    let mut asked = RetryRequested::parse(&fields, call.bridge.received())?;
    call.actor.settle(&mut asked.requested_by, &mut asked.notes);
    call.command(&asked).await
}

/// Tries a dead letter again.
#[utoipa::path(
    post, path = "/orchestrate/dead-letters/{id}/redrive", tag = "Retries",
    params(("id" = String, Path, min_length = 1)),
    request_body = Option<RedriveRequest>,
    responses(
        (status = 200, description = "On its way", body = RedriveAnswer),
        (status = 404, description = "No such dead letter"),
        (status = 409, description = "Not open, cannot be tried again, or might text the tenant twice")
    )
)]
pub(super) async fn redrive(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = fields.with_id("dead_letter_id", &id);
    let mut asked = RedriveRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle(&mut asked.requested_by, &mut asked.reason);
    call.command(&asked).await
}

/// Says that a dead letter was dealt with otherwise.
#[utoipa::path(
    post, path = "/orchestrate/dead-letters/{id}/resolve", tag = "Retries",
    params(("id" = String, Path, min_length = 1)),
    request_body = Option<LetterResolutionRequest>,
    responses(
        (status = 200, description = "Resolved, now or before", body = LetterResolutionAnswer),
        (status = 404, description = "No such dead letter"),
        (status = 409, description = "It was tried again")
    )
)]
pub(super) async fn resolve(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = fields.with_id("dead_letter_id", &id);
    let mut asked = LetterResolutionRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle(&mut asked.resolved_by, &mut asked.resolution);
    call.command(&asked).await
}

/// Tries many dead letters again.
///
/// A text that may have been sent is never among them: each of those wants a look.
#[utoipa::path(
    post, path = "/orchestrate/dead-letters/redrive", tag = "Retries",
    request_body = RedriveManyRequest,
    responses((status = 200, description = "Which are on their way", body = RedriveManyAnswer))
)]
pub(super) async fn redrive_many(
    call: Call,
    OptionalBody(fields): OptionalBody,
) -> Result<Json<Value>, ApiError> {
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
    let mut requested_by = fields.text(&["requested_by", "manager_id"], 100);
    let mut reason = fields.text(&["reason"], 1000);
    fields.finish(Some(()))?;
    let ids = match (ids, kind) {
        (Some(ids), _) => ids,
        (None, kind) => open_of_kind(&call.bridge, kind).await?,
    };
    call.actor.settle(&mut requested_by, &mut reason);
    let asks = ids.iter().map(|id| {
        let asked = RedriveRequested {
            dead_letter_id: id.clone(),
            confirm_duplicate_risk: false,
            requested_by: requested_by.clone(),
            reason: reason.clone(),
        };
        let call = &call;
        async move {
            // What is no id of a letter at all names none, and no stage could read the command.
            match DeadLetterId::parse(&asked.dead_letter_id) {
                Some(_) => call.outcome(&asked).await,
                None => Ok((404, Value::Null)),
            }
        }
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
        "correlation_id": call.about.correlation_id,
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

/// Work that was given up.
#[utoipa::path(
    get, path = "/orchestrate/dead-letters", tag = "Retries",
    params(LetterQuery, Paging),
    responses((status = 200, description = "A page", body = Page<DeadLetter>))
)]
pub(super) async fn list(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
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

/// A dead letter.
#[utoipa::path(
    get, path = "/orchestrate/dead-letters/{id}", tag = "Retries",
    params(("id" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The dead letter", body = DeadLetter),
        (status = 404, description = "No such dead letter")
    )
)]
pub(super) async fn one(State(bridge): State<Bridge>, Id(id): Id) -> Result<Json<Value>, ApiError> {
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
