//! `GET /orchestrate/conversations/{conversation_id}/timeline` (`http-api.md` §6.2).

use axum::extract::State;
use axum::response::Json;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::call::Id;
use super::query::{Query, page};
use super::schema::health::Evidence;
use super::schema::workflows::{Timeline, TimelineQuery};
use super::{ApiError, Bridge};
use crate::domain::ConversationId;
use crate::engine::answers::stamp;
use crate::events::time;
use crate::evidence;
use crate::store::timeline::{self, Happened, TYPES, TimelineFilter};
use crate::store::workflows;

/// Everything that happened in a conversation.
#[utoipa::path(
    get, path = "/orchestrate/conversations/{conversation_id}/timeline", tag = "Texts",
    params(("conversation_id" = String, Path, min_length = 1), TimelineQuery),
    responses(
        (status = 200, description = "A page of it", body = Timeline),
        (status = 404, description = "No such conversation")
    )
)]
pub(super) async fn timeline(
    State(bridge): State<Bridge>,
    Id(id): Id,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(&query)?;
    let unknown = || {
        let details = json!({ "conversation_id": id });
        ApiError::not_found("Conversation not found", details)
    };
    let conversation = ConversationId::parse(&id).map_err(|_| unknown())?;
    let known = workflows::of_conversation(&bridge.db, &conversation).await?;
    let newest = known.last().ok_or_else(unknown)?;
    let (events, total) = timeline::of_conversation(&bridge.db, &conversation, &filter).await?;
    let items: Vec<Value> = events.iter().map(item).collect();
    let mut body = page(items, total, filter.limit, filter.offset);
    body["conversation_id"] = json!(conversation);
    body["tenant_id"] = json!(newest.tenant_id);
    body["phone_number"] = json!(newest.phone);
    body["workflows"] = known
        .iter()
        .map(|w| {
            json!({
                "workflow_id": w.id,
                "workflow_type": w.workflow_type,
                "status": w.status,
                "created_at": stamp(w.created_at),
            })
        })
        .collect();
    Ok(Json(body))
}

/// Everything that is kept about a conversation, with a chain of hashes that shows changes.
#[utoipa::path(
    get, path = "/orchestrate/conversations/{conversation_id}/export", tag = "Texts",
    params(("conversation_id" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The evidence", body = Evidence),
        (status = 404, description = "No such conversation")
    )
)]
pub(super) async fn export(
    State(bridge): State<Bridge>,
    Id(id): Id,
) -> Result<Json<Value>, ApiError> {
    let unknown = || {
        let details = json!({ "conversation_id": id });
        ApiError::not_found("Conversation not found", details)
    };
    let conversation = ConversationId::parse(&id).map_err(|_| unknown())?;
    let now = bridge.clock.now();
    let found = evidence::of_conversation(&bridge.db, &conversation, now).await?;
    found.map(Json).ok_or_else(unknown)
}

pub(super) fn filter(query: &Query) -> Result<TimelineFilter, ApiError> {
    let asked = query.text("type").unwrap_or_default();
    let types: Vec<String> = asked
        .split(',')
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    if types.iter().any(|word| !TYPES.contains(&word.as_str())) {
        query.fault("type", &format!("must be among {}", TYPES.join(", ")));
    }
    let moment = |name: &str| -> Option<DateTime<Utc>> {
        query.parsed(name, time, "must be an RFC 3339 time")
    };
    let (from, to) = (moment("from"), moment("to"));
    let order = query.one_of("order", "asc", &["asc", "desc"]);
    let limit = query.number("limit", 1..=500, "must be 1 to 500");
    let offset = query.number("offset", 0..=i64::MAX, "must be 0 or more");
    query.finish()?;
    Ok(TimelineFilter {
        types,
        from,
        to,
        descending: order == "desc",
        limit: limit.unwrap_or(100),
        offset: offset.unwrap_or(0),
    })
}

fn item(event: &Happened) -> Value {
    json!({
        "id": event.id,
        "at": stamp(event.at),
        "type": event.kind,
        "name": event.name,
        "workflow_id": event.workflow_id,
        "actor": event.actor,
        "summary": summary(event),
        "status": event.status,
        "duration_ms": event.duration_ms,
        "correlation_id": event.correlation_id,
        "data": event.data,
    })
}

/// One line for a person. Numbers and reasons, never a text or a phone number: those are in `data`.
fn summary(event: &Happened) -> String {
    let data = |key: &str| match &event.data[key] {
        Value::String(text) => text.replace('_', " "),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let failed = event.status == "failed";
    match event.kind.as_str() {
        "message_received" => "The tenant wrote.".to_owned(),
        "message_sent" => "The text was handed to the SMS Agent.".to_owned(),
        "delivery_failed" => "The text was not sent.".to_owned(),
        "upstream_call" => {
            let of = event.name.replace("_loaded", "").replace('_', " ");
            let how = if failed {
                "could not be read"
            } else {
                "was read"
            };
            format!("The {of} {how}.")
        }
        "ai_response" if failed => "No usable reply could be drafted.".to_owned(),
        "ai_response" => format!("{} drafted a reply.", data("model")),
        "decision" if event.name == "queued_for_approval" => {
            format!("The draft waits for a manager: {}.", data("reason"))
        }
        "decision" if event.status == "skipped" && !event.data["held_until"].is_null() => {
            format!(
                "The text waits for contact hours until {}.",
                data("held_until")
            )
        }
        "decision" if event.status == "skipped" => {
            format!(
                "The text was not sent: {}.",
                data("suppressed").replace('_', " ")
            )
        }
        "decision" => format!("Confidence {}.", data("confidence")),
        "approval" => format!("{}: {}.", event.actor, event.name),
        "payment_plan" => format!("Payment plan: {}.", data("status")),
        "escalation_created" => format!("Escalated: {}, {}.", data("type"), data("severity")),
        "escalation_resolved" => format!("{} resolved the escalation.", event.actor),
        "notification" if failed => "The managers could not be told.".to_owned(),
        "notification" => format!("The managers were told: {}.", data("kind")),
        "dead_letter" => format!(
            "Parked in {}: {}.",
            data("stage"),
            event.name.replace('_', " ")
        ),
        "hold" => format!("Hold {}: {}.", data("kind"), event.name),
        "contact_window" => {
            let quiet = event
                .data
                .get("quiet")
                .and_then(serde_json::Value::as_array);
            let spans = quiet
                .into_iter()
                .flatten()
                .filter_map(serde_json::Value::as_str);
            let spans: Vec<&str> = spans.collect();
            format!("Hours without texts {}: {}.", event.name, spans.join(", "))
        }
        "consent" => format!("The number {}.", event.name.replace('_', " ")),
        _ => {
            let words = event.name.replace('_', " ");
            format!("{words}: {}.", event.status)
        }
    }
}
