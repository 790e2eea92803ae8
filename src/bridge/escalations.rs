//! `POST /orchestrate/escalate`, `POST /escalations/trigger` and `/orchestrate/escalations…`
//! (`http-api.md` §5).

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::{Value, json};

use super::call::{Body, Call, Id, OptionalBody};
use super::command::render;
use super::query::Query;
use super::schema::escalations::{
    AssignmentAnswer, AssignmentRequest, Escalation, EscalationAnswer, EscalationQuery,
    EscalationRequest, ResolutionAnswer, ResolutionRequest, TriggerAnswer,
};
use super::schema::{Page, Paging};
use super::{ApiError, Bridge};
use crate::domain::{EscalationId, EscalationType, Severity};
use crate::engine::answers::escalation::item;
use crate::events::{AssignmentRequested, EscalationRequested, ResolutionRequested};
use crate::store::escalations::{self, EscalationFilter};

/// Gives a conversation to a person.
#[utoipa::path(
    post, path = "/orchestrate/escalate", tag = "Escalations",
    request_body = EscalationRequest,
    responses(
        (status = 200, description = "It is open", body = EscalationAnswer),
        (status = 404, description = "No conversation is named, and no such workflow")
    )
)]
pub(super) async fn escalate(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let mut asked = EscalationRequested::parse(&fields, call.bridge.received())?;
    by(&call, &mut asked);
    call.command(&asked).await
}

/// As `/orchestrate/escalate`, in the words of the older endpoint.
#[utoipa::path(
    post, path = "/escalations/trigger", tag = "Escalations",
    request_body = EscalationRequest,
    responses(
        (status = 200, description = "It is open", body = TriggerAnswer),
        (status = 404, description = "No conversation is named, and no such workflow")
    )
)]
pub(super) async fn trigger(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let mut asked = EscalationRequested::parse_trigger(&fields)?;
    by(&call, &mut asked);
    let (status, mut body) = call.outcome(&asked).await?;
    if status < 400 {
        body["status"] = json!("escalation_created");
        body["data"] = json!({
            "escalation_id": body["escalation_id"],
            "workflow_id": body["workflow_id"],
            "status": body["status"],
            "message": body["message"],
            "timestamp": body["escalated_at"],
        });
    }
    render(status, body)
}

/// Whom the escalation is from. The command has no notes: another name goes into its metadata.
fn by(call: &Call, asked: &mut EscalationRequested) {
    let mut note = None;
    call.actor.settle(&mut asked.escalated_by, &mut note);
    if let Some(note) = note {
        let metadata = asked.metadata.get_or_insert_default();
        metadata.insert("note".to_owned(), json!(note));
    }
}

/// Says that a person is done with an escalation.
#[utoipa::path(
    post, path = "/orchestrate/escalations/{id}/resolve", tag = "Escalations",
    params(("id" = String, Path, min_length = 1)),
    request_body = Option<ResolutionRequest>,
    responses(
        (status = 200, description = "Resolved, now or before", body = ResolutionAnswer),
        (status = 404, description = "No such escalation")
    )
)]
pub(super) async fn resolve(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = fields.with_id("escalation_id", &id);
    let mut asked = ResolutionRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle(&mut asked.resolved_by, &mut asked.resolution);
    call.command(&asked).await
}

/// Gives an escalation to somebody.
#[utoipa::path(
    post, path = "/orchestrate/escalations/{id}/assign", tag = "Escalations",
    params(("id" = String, Path, min_length = 1)),
    request_body = AssignmentRequest,
    responses(
        (status = 200, description = "Assigned", body = AssignmentAnswer),
        (status = 404, description = "No such escalation"),
        (status = 409, description = "It is resolved")
    )
)]
pub(super) async fn assign(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = fields.with_id("escalation_id", &id);
    let mut asked = AssignmentRequested::parse(&fields, call.bridge.received())?;
    call.actor.settle(&mut asked.assigned_by, &mut asked.notes);
    call.command(&asked).await
}

/// Escalations.
#[utoipa::path(
    get, path = "/orchestrate/escalations", tag = "Escalations",
    params(EscalationQuery, Paging),
    responses((status = 200, description = "A page", body = Page<Escalation>))
)]
pub(super) async fn list(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(&query)?;
    let (found, total) = escalations::list(&bridge.db, &filter).await?;
    let items: Vec<Value> = found.iter().map(item).collect();
    let (limit, offset) = (filter.limit, filter.offset);
    Ok(Json(super::query::page(items, total, limit, offset)))
}

pub(super) fn filter(query: &Query) -> Result<EscalationFilter, ApiError> {
    let words = ["open", "in_progress", "resolved", "all"];
    let statuses = match query.one_of("status", "open", &words).as_str() {
        "in_progress" => vec!["in_progress"],
        "resolved" => vec!["resolved"],
        "all" => vec![],
        // What is not done, whether somebody has it or not.
        _ => vec!["open", "in_progress"],
    };
    let severity = query.parsed(
        "severity",
        Severity::parse,
        "must be low, medium, high or critical",
    );
    let kind = query.parsed(
        "escalation_type",
        EscalationType::parse,
        "is no type of escalation",
    );
    let auto_detected = query.parsed(
        "auto_detected",
        |word| word.to_ascii_lowercase().parse().ok(),
        "must be true or false",
    );
    let order = query.one_of("order", "desc", &["asc", "desc"]);
    let (limit, offset) = query.page();
    let filter = EscalationFilter {
        statuses,
        severity,
        kind,
        conversation: query.text("conversation_id"),
        tenant: query.text("tenant_id"),
        auto_detected,
        ascending: order == "asc",
        limit,
        offset,
    };
    query.finish()?;
    Ok(filter)
}

/// An escalation.
#[utoipa::path(
    get, path = "/orchestrate/escalations/{id}", tag = "Escalations",
    params(("id" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The escalation", body = Escalation),
        (status = 404, description = "No such escalation")
    )
)]
pub(super) async fn one(State(bridge): State<Bridge>, Id(id): Id) -> Result<Json<Value>, ApiError> {
    let found = match EscalationId::parse(&id) {
        Some(id) => escalations::with_id(&bridge.db, id).await?,
        None => None,
    };
    let absent = || ApiError::not_found("Escalation not found", json!({ "escalation_id": id }));
    found.as_ref().map(|e| Json(item(e))).ok_or_else(absent)
}
