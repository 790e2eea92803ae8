//! `POST /orchestrate/payment-plan-detected` and `GET /orchestrate/payment-plans/{id}`
//! (`http-api.md` §4).

use std::collections::HashMap;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query as RawQuery, State};
use axum::response::{Json, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::query::Query;
use super::request::About;
use super::{ApiError, Bridge};
use crate::domain::{ConversationId, PlanId};
use crate::engine::answers;
use crate::events::{Fields, PlanRequested};
use crate::store::{plans, workflows};

pub(super) async fn detected(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let asked = PlanRequested::parse(&Fields::from_json(&body?)?, bridge.received())?;
    bridge.command(&asked, &about).await
}

/// A plan by its id, else the plans of a conversation.
pub(super) async fn one_or_all(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(id) = id?;
    let query = Query::new(parameters);
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
