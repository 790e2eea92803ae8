//! `POST /orchestrate/escalate`, `POST /escalations/trigger` and `/orchestrate/escalations…`
//! (`http-api.md` §5).

use std::collections::HashMap;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query as RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::command::render;
use super::query::Query;
use super::request::{About, manager};
use super::{ApiError, Bridge};
use crate::domain::{EscalationId, EscalationType, Severity};
use crate::engine::answers::escalation::item;
use crate::events::{
    AssignmentRequested, EscalationRequested, Fields, Received, ResolutionRequested,
};
use crate::store::escalations::{self, EscalationFilter};

impl Bridge {
    pub(super) fn received(&self) -> Received<'static> {
        Received {
            at: self.clock.now(),
            idempotency_key: None,
        }
    }
}

pub(super) async fn escalate(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let fields = Fields::from_json(&body?)?;
    let mut asked = EscalationRequested::parse(&fields, bridge.received())?;
    asked.escalated_by = asked.escalated_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

/// As [`escalate`], in the words of the older endpoint.
pub(super) async fn trigger(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let fields = Fields::from_json(&body?)?;
    let mut asked = EscalationRequested::parse_trigger(&fields)?;
    asked.escalated_by = asked.escalated_by.or(manager(&headers));
    let (status, mut body) = bridge.outcome(&asked, &about).await?;
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

pub(super) async fn resolve(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let fields = Fields::from_optional_json(&body?)?.with_id("escalation_id", &id);
    let mut asked = ResolutionRequested::parse(&fields, bridge.received())?;
    asked.resolved_by = asked.resolved_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

pub(super) async fn assign(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let fields = Fields::from_optional_json(&body?)?.with_id("escalation_id", &id);
    let mut asked = AssignmentRequested::parse(&fields, bridge.received())?;
    asked.assigned_by = asked.assigned_by.or(manager(&headers));
    bridge.command(&asked, &about).await
}

pub(super) async fn list(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(parameters)?;
    let (found, total) = escalations::list(&bridge.db, &filter).await?;
    let items: Vec<Value> = found.iter().map(item).collect();
    let (limit, offset) = (filter.limit, filter.offset);
    Ok(Json(super::query::page(items, total, limit, offset)))
}

fn filter(parameters: HashMap<String, String>) -> Result<EscalationFilter, ApiError> {
    let query = Query::new(parameters);
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

pub(super) async fn one(
    State(bridge): State<Bridge>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(id) = id?;
    let found = match EscalationId::parse(&id) {
        Some(id) => escalations::with_id(&bridge.db, id).await?,
        None => None,
    };
    let absent = || ApiError::not_found("Escalation not found", json!({ "escalation_id": id }));
    found.as_ref().map(|e| Json(item(e))).ok_or_else(absent)
}
