//! `POST /orchestrate/payment-plan-detected` and `GET /orchestrate/payment-plans/{id}`
//! (`http-api.md` §4).

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::{Value, json};

use super::call::{Body, Call, Id};
use super::query::Query;
use super::schema::Paging;
use super::schema::plans::{PlanAnswer, PlanOrPlans, PlanRequest};
use super::{ApiError, Bridge};
use crate::domain::{ConversationId, PlanId};
use crate::engine::answers;
use crate::events::PlanRequested;
use crate::store::{plans, workflows};

/// Looks for a payment plan, and judges it by the rules.
#[utoipa::path(
    post, path = "/orchestrate/payment-plan-detected", tag = "Payment plans",
    request_body = PlanRequest,
    responses((status = 200, description = "The verdict, or that there is no plan", body = PlanAnswer))
)]
pub(super) async fn detected(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let asked = PlanRequested::parse(&fields, call.bridge.received())?;
    call.command(&asked).await
}

/// A plan by its id, else the plans of a conversation.
#[utoipa::path(
    get, path = "/orchestrate/payment-plans/{id}", tag = "Payment plans",
    params(("id" = String, Path, min_length = 1), Paging),
    responses(
        (status = 200, description = "The plan, or a page of plans", body = PlanOrPlans),
        (status = 404, description = "Neither a plan nor a conversation")
    )
)]
pub(super) async fn one_or_all(
    State(bridge): State<Bridge>,
    Id(id): Id,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let (limit, offset) = query.page();
    query.finish()?;
    if let Some(plan) = PlanId::parse(&id)
        && let Some(stored) = plans::with_id(&bridge.db, plan).await?
    {
        return Ok(Json(answers::plan::plan(&stored)));
    }
    if let Ok(conversation) = ConversationId::parse(&id)
        && workflows::newest_of(&bridge.db, &conversation)
            .await?
            .is_some()
    {
        let page = plans::of_conversation(&bridge.db, &conversation, limit, offset).await?;
        return Ok(Json(answers::plan::plans(&id, &page, limit, offset)));
    }
    Err(ApiError::not_found(
        "Payment plan or conversation not found",
        json!({ "id": id }),
    ))
}
