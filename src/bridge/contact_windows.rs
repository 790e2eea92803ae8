//! When a number wants no texts: `GET` and `POST /orchestrate/contact-windows` and
//! `POST /orchestrate/contact-windows/{id}/lift` (`docs/consents-and-holds.md`).

use std::collections::HashMap;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query as RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use bytes::Bytes;
use serde_json::Value;

use super::consents::{paged, phone};
use super::query::Query;
use super::request::{About, manager};
use super::{ApiError, Bridge};
use crate::engine::answers;
use crate::events::{Fields, WindowEntered, WindowLiftRequested};
use crate::store::contact_windows::{self, WindowFilter};

pub(super) async fn enter(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let mut command = WindowEntered::parse(&Fields::from_json(&body?)?, bridge.received())?;
    command.manager_id = command.manager_id.or_else(|| manager(&headers));
    bridge.command(&command, &about).await
}

pub(super) async fn lift(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let body = Fields::from_json(&body?)?.with_id("contact_window_id", &id);
    let mut command = WindowLiftRequested::parse(&body, bridge.received())?;
    command.manager_id = command.manager_id.or_else(|| manager(&headers));
    bridge.command(&command, &about).await
}

pub(super) async fn list(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let query = Query::new(parameters);
    let status = query.one_of("status", "active", &["active", "lifted", "all"]);
    let (limit, offset) = query.page();
    let filter = WindowFilter {
        active: match status.as_str() {
            "active" => Some(true),
            "lifted" => Some(false),
            _ => None,
        },
        phone: phone(&query),
        limit,
        offset,
    };
    query.finish()?;
    let (page, total) = contact_windows::list(&bridge.db, &filter).await?;
    let items = page.iter().map(answers::contact_window).collect();
    Ok(Json(paged(items, total, limit, offset)))
}
