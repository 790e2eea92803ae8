//! `POST /orchestrate/approvals/bulk`: many decisions at once, with a result for each.
//!
//! Each is a decision of its own: one that is refused does not touch the others.

use axum::response::Json;
use serde_json::{Value, json};

use super::call::{Body, Call};
use super::schema::approvals::{BulkAnswer, BulkRequest};
use super::{ApiError, Bridge};
use crate::domain::ConversationId;
use crate::events::{ApprovalDecided, DecisionAction, Fields};
use crate::store::drafts::{self, DraftFilter};

/// The most decisions of one request.
const MOST: usize = 100;

/// A decision, or why there is none.
type Wanted = (Value, Result<ApprovalDecided, Value>);

/// Decides about many drafts. One that is refused does not touch the others.
#[utoipa::path(
    post, path = "/orchestrate/approvals/bulk", tag = "Approvals",
    request_body = BulkRequest,
    responses((status = 200, description = "A result for each", body = BulkAnswer))
)]
pub(super) async fn decide(call: Call, Body(fields): Body) -> Result<Json<Value>, ApiError> {
    let (by, asked) = read(&fields, &call.bridge)?;
    let wanted = match asked {
        Asked::Decisions(wanted) => wanted,
        Asked::Conversations(wanted) => waiting_in(wanted, &call.bridge).await?,
    };
    let asks = wanted.into_iter().map(|(named, decision)| {
        let (call, by) = (&call, by.clone());
        async move {
            let (status, body) = match decision {
                Ok(mut decision) => {
                    decision.manager_id = decision.manager_id.or(by);
                    let (named, note) = (&mut decision.manager_id, &mut decision.notes);
                    call.actor.settle(named, note);
                    match call.outcome(&decision).await {
                        Ok(outcome) => outcome,
                        Err(_) => (503, json!({ "may_still_be_processed": true })),
                    }
                }
                Err(refused) => (422, refused),
            };
            result(&named, status, &body)
        }
    });
    let results = futures::future::join_all(asks).await;
    let done = results.iter().filter(|r| r["success"] == true).count();
    Ok(Json(json!({
        "success": true,
        "total": results.len(),
        "succeeded": done,
        "failed": results.len() - done,
        "results": results,
        "correlation_id": call.about.correlation_id,
    })))
}

enum Asked {
    Decisions(Vec<Wanted>),
    Conversations(Conversations),
}

/// Whatever waits in these conversations.
struct Conversations {
    ids: Vec<String>,
    least: Option<f64>,
    action: DecisionAction,
    notes: Option<String>,
}

fn read(fields: &Fields, bridge: &Bridge) -> Result<(Option<String>, Asked), ApiError> {
    let by = fields.text(&["manager_id", "approved_by"], 100);
    let asked = match fields.raw(&["decisions"]) {
        Some(listed) => Asked::Decisions(one_by_one(fields, bridge, listed)?),
        None => Asked::Conversations(by_conversation(fields)?),
    };
    Ok((by, asked))
}

/// `{"decisions": [a body of approve-response, …]}`.
fn one_by_one(fields: &Fields, bridge: &Bridge, listed: &Value) -> Result<Vec<Wanted>, ApiError> {
    let listed = listed.as_array().filter(|l| (1..=MOST).contains(&l.len()));
    let Some(listed) = listed else {
        let msg = format!("must be a list of 1 to {MOST} decisions");
        fields.fault("decisions", "invalid", &msg);
        fields.finish::<()>(None)?;
        return Ok(Vec::new());
    };
    fields.finish(Some(()))?;
    let each = |body: &Value| {
        // What is no id is not repeated: the answer has texts there.
        let id = |name: &str| match &body[name] {
            Value::Number(number) => json!(number.to_string()),
            Value::String(text) => json!(text),
            _ => Value::Null,
        };
        let named = json!({
            "response_queue_id": id("response_queue_id"), "conversation_id": id("conversation_id"),
        });
        let parsed = Fields::from_value(body.clone())
            .and_then(|fields| ApprovalDecided::parse(&fields, bridge.received()));
        (
            named,
            parsed.map_err(|invalid| json!({ "errors": invalid.errors })),
        )
    };
    Ok(listed.iter().map(each).collect())
}

/// `{"conversation_ids": […], "min_confidence": 0.8}`: approves what waits in each, if it is sure
/// enough.
fn by_conversation(fields: &Fields) -> Result<Conversations, ApiError> {
    let ids = fields.texts(&["conversation_ids"], MOST);
    if ids.is_none() && !fields.has(&["conversation_ids"]) {
        fields.missing("decisions");
    }
    let least = fields.fraction(&["min_confidence"]);
    let notes = fields.text(&["notes"], 2000);
    let action = fields.text(&["action"], 100);
    let action = match action.as_deref().map(DecisionAction::parse) {
        None => DecisionAction::Approve,
        Some(Some(action)) if action != DecisionAction::Modify => action,
        Some(_) => {
            fields.fault("action", "invalid", "must be approve, escalate or reject");
            DecisionAction::Approve
        }
    };
    let ids = fields.finish(ids)?;
    Ok(Conversations {
        ids,
        least,
        action,
        notes,
    })
}

async fn waiting_in(asked: Conversations, bridge: &Bridge) -> Result<Vec<Wanted>, ApiError> {
    let mut wanted = Vec::with_capacity(asked.ids.len());
    for id in asked.ids {
        let named = json!({ "response_queue_id": null, "conversation_id": id });
        let waiting = DraftFilter {
            status: Some("pending".to_owned()),
            conversation: Some(id.clone()),
            min_confidence: asked.least,
            limit: 1,
            ..DraftFilter::default()
        };
        let (mut found, _) = drafts::list(&bridge.db, &waiting).await?;
        let decision = match (found.pop(), ConversationId::parse(&id)) {
            (Some(draft), Ok(conversation)) => Ok(ApprovalDecided {
                conversation_id: Some(conversation),
                notes: asked.notes.clone(),
                ..ApprovalDecided::about(draft.id, asked.action)
            }),
            _ => Err(json!({ "reason": "nothing_waits" })),
        };
        wanted.push((named, decision));
    }
    Ok(wanted)
}

fn result(named: &Value, status: u16, body: &Value) -> Value {
    let first = |a: &Value, b: &Value| if a.is_null() { b.clone() } else { a.clone() };
    json!({
        "response_queue_id": first(&body["response_queue_id"], &named["response_queue_id"]),
        "conversation_id": first(&body["conversation_id"], &named["conversation_id"]),
        "status": status,
        "success": status < 400,
        "queue_status": body["queue_status"],
        "delivery": body["delivery"],
        "reason": first(&body["details"]["reason"], &body["reason"]),
        "error": body["error"],
        "errors": body["errors"],
    })
}
