//! `POST /orchestrate/approve-response` and the approval queue (`http-api.md` §3).

use std::collections::HashMap;

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::{Value, json};

use super::call::{Actor, Body, Call, Id, OptionalBody};
use super::command::{PATIENCE, render};
use super::query::Query;
use super::request::About;
use super::schema::approvals::{
    Approval, ApprovalInFull, ApprovalQuery, ClaimAnswer, ClaimRequest, DecisionAnswer,
    DecisionRequest,
};
use super::schema::{Page, Paging};
use super::{ApiError, Bridge};
use crate::domain::{Cents, Confidence, DraftId, EventId, Finding, Phone};
use crate::engine::answers::{self, stamp};
use crate::events::{ApprovalDecided, ClaimRequested, Fields, ReleaseRequested};
use crate::store::deliveries::{self, Delivery};
use crate::store::drafts::{self, Draft, DraftFilter};
use crate::store::{audit, drafts::of_workflow};

/// Decides about a draft. Exactly one decision wins.
#[utoipa::path(
    post, path = "/orchestrate/approve-response", tag = "Approvals",
    request_body = DecisionRequest,
    responses(
        (status = 200, description = "Decided, or decided so before", body = DecisionAnswer),
        (status = 400, description = "The fields do not fit together"),
        (status = 404, description = "No such draft, or none that waits"),
        (status = 409, description = "Decided otherwise, superseded, claimed, or not to be texted: `details.reason`"),
        (status = 502, description = "The SMS Agent refused the text for good; the decision stays")
    )
)]
pub(super) async fn decide(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let Call {
        bridge,
        about,
        actor,
    } = call;
    let mut command = ApprovalDecided::parse(&fields, bridge.received())?;
    actor.settle(&mut command.manager_id, &mut command.notes);
    let mut sent = bridge.send(&command, &about, &[])?;
    match sent.answer(PATIENCE).await? {
        Some(answer) => render(answer.status, answer.body),
        // The text is slow to leave; the decision may be there.
        None => decided_meanwhile(&bridge, sent.event, &about).await,
    }
}

async fn decided_meanwhile(
    bridge: &Bridge,
    command: EventId,
    about: &About,
) -> Result<Response, ApiError> {
    // The audit row is named after the very command, so nobody else's decision is taken for it.
    let decided = audit::draft_of(&bridge.db, command.row("audit")).await?;
    let draft = match decided {
        Some(id) => drafts::with_id(&bridge.db, id).await?,
        None => None,
    };
    let Some(draft) = draft else {
        return Err(ApiError::too_slow());
    };
    let sent = deliveries::of_drafts(&bridge.db, &[draft.id.0])
        .await?
        .pop();
    let now = bridge.clock.now();
    let (status, body) =
        answers::approval(&draft, sent.as_ref(), false, &about.correlation_id, now);
    render(status, body)
}

/// Says that a manager works on a draft, for five minutes.
#[utoipa::path(
    post, path = "/orchestrate/approvals/{id}/claim", tag = "Approvals",
    params(("id" = String, Path, min_length = 1)),
    request_body = Option<ClaimRequest>,
    responses(
        (status = 200, description = "Claimed", body = ClaimAnswer),
        (status = 404, description = "No such draft"),
        (status = 409, description = "Another manager works on it, or it is decided")
    )
)]
pub(super) async fn claim(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = with_manager(fields, &id, &call.actor);
    let asked = ClaimRequested::parse(&fields, call.bridge.received())?;
    call.command(&asked).await
}

/// Gives a claimed draft back.
#[utoipa::path(
    post, path = "/orchestrate/approvals/{id}/release", tag = "Approvals",
    params(("id" = String, Path, min_length = 1)),
    request_body = Option<ClaimRequest>,
    responses(
        (status = 200, description = "Given back", body = ClaimAnswer),
        (status = 404, description = "No such draft"),
        (status = 409, description = "Another manager works on it, or it is decided")
    )
)]
pub(super) async fn release(
    call: Call,
    Id(id): Id,
    OptionalBody(fields): OptionalBody,
) -> Result<Response, ApiError> {
    let fields = with_manager(fields, &id, &call.actor);
    let asked = ReleaseRequested::parse(&fields, call.bridge.received())?;
    call.command(&asked).await
}

/// A body that names the item of the path and whoever asks.
fn with_manager(fields: Fields, id: &str, actor: &Actor) -> Fields {
    let named = fields.text(&["manager_id", "claimed_by", "approver_id"], 100);
    let by = actor.or(named).unwrap_or_else(|| "dashboard".to_owned());
    fields
        .with_id("response_queue_id", id)
        .with_id("manager_id", &by)
}

/// Drafts, and what became of them.
#[utoipa::path(
    get, path = "/orchestrate/approvals", tag = "Approvals",
    params(ApprovalQuery, Paging),
    responses((status = 200, description = "A page", body = Page<Approval>))
)]
pub(super) async fn list(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(&query)?;
    let (page, total) = drafts::list(&bridge.db, &filter).await?;
    let ids: Vec<_> = page.iter().map(|draft| draft.id.0).collect();
    let sent: HashMap<DraftId, Delivery> = deliveries::of_drafts(&bridge.db, &ids)
        .await?
        .into_iter()
        .filter_map(|delivery| delivery.draft_id.map(|draft| (draft, delivery)))
        .collect();
    let items: Vec<Value> = page
        .iter()
        .map(|draft| item(&bridge, draft, sent.get(&draft.id)))
        .collect();
    Ok(Json(super::query::page(
        items,
        total,
        filter.limit,
        filter.offset,
    )))
}

pub(super) fn filter(query: &Query) -> Result<DraftFilter, ApiError> {
    let statuses = [
        "pending",
        "approved",
        "modified",
        "escalated",
        "auto_sent",
        "expired",
        "superseded",
        "suppressed",
        "all",
    ];
    let status = query.one_of("status", "pending", &statuses);
    let order = query.one_of("order", "asc", &["asc", "desc"]);
    let (limit, offset) = query.page();
    let phone = query
        .text("phone_number")
        .and_then(|text| match Phone::parse(&text) {
            Ok(phone) => Some(phone.as_str().to_owned()),
            Err(error) => {
                query.fault("phone_number", &error.to_string());
                None
            }
        });
    let score = |name| query.number(name, 0.0..=1.0, "must be between 0 and 1");
    let filter = DraftFilter {
        status: (status != "all").then_some(status),
        conversation: query.text("conversation_id"),
        tenant: query.text("tenant_id"),
        phone,
        min_confidence: score("min_confidence"),
        max_confidence: score("max_confidence"),
        descending: order == "desc",
        limit,
        offset,
    };
    query.finish()?;
    Ok(filter)
}

/// A draft, with what the model saw and what was decided.
#[utoipa::path(
    get, path = "/orchestrate/approvals/{id}", tag = "Approvals",
    params(("id" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The draft", body = ApprovalInFull),
        (status = 404, description = "No such draft")
    )
)]
pub(super) async fn one(State(bridge): State<Bridge>, Id(id): Id) -> Result<Json<Value>, ApiError> {
    let draft = match DraftId::parse(&id) {
        Some(id) => drafts::with_id(&bridge.db, id).await?,
        None => None,
    };
    let Some(draft) = draft else {
        return Err(ApiError::not_found(
            "Response queue item not found",
            json!({ "response_queue_id": id }),
        ));
    };
    let sent = deliveries::of_drafts(&bridge.db, &[draft.id.0])
        .await?
        .pop();
    let mut body = item(&bridge, &draft, sent.as_ref());
    body["context"] = context(&draft.context);
    if let Some(successor) = draft.superseded_by {
        body["superseded_by"] = json!(of_workflow(&bridge.db, successor).await?);
    }
    let audit = audit::of_draft(&bridge.db, draft.id).await?;
    body["audit"] = audit
        .iter()
        .map(|entry| {
            json!({
                "id": entry.id,
                "action": entry.action,
                "original_response": entry.original,
                "final_response": entry.final_response,
                "reason": entry.reason,
                "notes": entry.notes,
                "approved_by": entry.by,
                "created_at": stamp(entry.at),
            })
        })
        .collect();
    Ok(Json(body))
}

/// What the model saw: amounts as numbers of dollars, as everywhere outside.
fn context(stored: &Value) -> Value {
    let tenant = &stored["tenant"];
    let dollars = |value: &Value| {
        value
            .as_i64()
            .map(|cents| crate::domain::Cents(cents).as_dollars_f64())
    };
    let tenant = if tenant.is_null() {
        Value::Null
    } else {
        json!({
            "tenant_name": tenant["tenant_name"],
            "amount_owed": dollars(&tenant["amount_owed"]),
            "tenant_portion": dollars(&tenant["tenant_portion"]),
            "days_late": tenant["days_late"],
            "payment_reliability_score": tenant["payment_reliability_score"],
            "failed_payment_plans": tenant["failed_payment_plans"],
            "language_preference": tenant["language_preference"],
        })
    };
    let entries = stored["history"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let history: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let outbound = entry["outbound"].as_bool().unwrap_or(false);
            json!({
                "direction": if outbound { "outbound" } else { "inbound" },
                "content": entry["content"],
                "at": entry["at"],
                "delivery_status": entry["delivery_status"],
            })
        })
        .collect();
    json!({ "tenant": tenant, "history": history })
}

/// One item as lists show it.
fn item(bridge: &Bridge, draft: &Draft, delivery: Option<&Delivery>) -> Value {
    let waited = bridge.clock.now() - draft.created_at;
    #[expect(clippy::cast_precision_loss)]
    let hours = (waited.num_seconds() as f64 / 36.0).round() / 100.0;
    let sends = matches!(draft.status.as_str(), "approved" | "modified" | "auto_sent");
    let plan = draft.plan.as_ref().map(|plan| {
        let total = plan
            .weeks
            .and_then(|w| plan.weekly_amount.checked_mul(i64::from(w)));
        json!({
            "payment_plan_id": plan.id,
            "weekly_amount": plan.weekly_amount.as_dollars_f64(),
            "weeks": plan.weeks,
            "total_amount": total.map(Cents::as_dollars_f64),
            "status": plan.status,
        })
    });
    json!({
        "id": draft.id,
        "response_queue_id": draft.id,
        "workflow_id": draft.workflow_id,
        "conversation_id": draft.conversation_id,
        "tenant_id": draft.tenant_id,
        "tenant_name": draft.tenant_name,
        "phone_number": draft.phone,
        "tenant_message": draft.tenant_message,
        "ai_response": draft.ai_response,
        "ai_response_en": draft.ai_response_en,
        "language": draft.language,
        "confidence_score": draft.confidence,
        "confidence_percent": Confidence::percent(draft.confidence),
        "status": draft.status,
        "routing_reason": draft.routing_reason,
        "escalation_triggers": draft.triggers,
        "degraded": draft.degraded,
        "payment_plan": plan,
        "superseded_by": null,
        "waiting_time_hours": hours,
        "expires_at": draft.expires_at.map(stamp),
        "claimed_by": draft.claimed.as_ref().map(|(by, _)| by),
        "claimed_until": draft.claimed.as_ref().map(|(_, until)| stamp(*until)),
        "approval_action": draft.approval_action,
        "manager_action": draft.approval_action,
        "modified_response": draft.modified_response,
        "final_response": draft.final_response,
        "actioned_by": draft.actioned_by,
        "actioned_at": draft.actioned_at.map(stamp),
        "delivery": delivery.map(|d| json!({
            "status": answers::delivery_status(sends, delivery),
            "sms_message_id": d.sms_message_id,
            "twilio_sid": d.twilio_sid,
            "attempts": d.attempts,
            "last_error": d.last_error,
            "not_before": d.not_before.map(stamp),
        })),
        "model": draft.model,
        "prompt_version": draft.prompt_version,
        "tokens": draft.tokens.map(|(prompt, completion)| json!({"prompt": prompt, "completion": completion})),
        "model_confidence": draft.rating,
        "cost_usd": draft.cost_micro_usd.map(dollars),
        "checks": draft.checks.iter().map(check).collect::<Vec<_>>(),
        "created_at": stamp(draft.created_at),
        "updated_at": stamp(draft.updated_at),
    })
}

/// Millionths of a dollar as a number of dollars.
#[expect(
    clippy::cast_precision_loss,
    reason = "six decimals of a few dollars are exact enough"
)]
fn dollars(micro: i64) -> f64 {
    micro as f64 / 1_000_000.0
}

fn check(found: &Finding) -> Value {
    json!({
        "name": found.name,
        "passed": found.passed,
        "reason": found.reason,
        "ceiling": found.ceiling,
    })
}
