//! When a number wants no texts: `GET` and `POST /orchestrate/contact-windows` and
//! `POST /orchestrate/contact-windows/{id}/lift` (`docs/consents-and-holds.md`).

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::Value;

use super::call::{Body, Call, Id};
use super::consents::phone;
use super::query::{Query, page};
use super::schema::consents::LiftRequest;
use super::schema::contact_windows::{
    self as schema, WindowAnswer, WindowLiftAnswer, WindowQuery, WindowRequest,
};
use super::schema::{Page, Paging};
use super::{ApiError, Bridge};
use crate::engine::answers;
use crate::events::{WindowEntered, WindowLiftRequested};
use crate::store::contact_windows::{self, WindowFilter};

/// Enters hours in which a number wants no texts.
#[utoipa::path(
    post, path = "/orchestrate/contact-windows", tag = "Consents and holds",
    request_body = WindowRequest,
    responses(
        (status = 200, description = "They count from now on", body = WindowAnswer),
        (status = 409, description = "They would leave no hour (`no_hours_left`)")
    )
)]
pub(super) async fn enter(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let mut command = WindowEntered::parse(&fields, call.bridge.received())?;
    call.actor
        .settle(&mut command.manager_id, &mut command.note);
    call.command(&command).await
}

/// Lifts such hours.
#[utoipa::path(
    post, path = "/orchestrate/contact-windows/{id}/lift", tag = "Consents and holds",
    params(("id" = String, Path, min_length = 1)),
    request_body = LiftRequest,
    responses(
        (status = 200, description = "Lifted, now or before", body = WindowLiftAnswer),
        (status = 404, description = "No such entry")
    )
)]
pub(super) async fn lift(call: Call, Id(id): Id, Body(fields): Body) -> Result<Response, ApiError> {
    let fields = fields.with_id("contact_window_id", &id);
    let mut command = WindowLiftRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle_reason(&mut command.manager_id, &mut command.reason);
    call.command(&command).await
}

/// Hours in which numbers want no texts.
#[utoipa::path(
    get, path = "/orchestrate/contact-windows", tag = "Consents and holds",
    params(WindowQuery, Paging),
    responses((status = 200, description = "A page", body = Page<schema::ContactWindow>))
)]
pub(super) async fn list(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
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
    let (found, total) = contact_windows::list(&bridge.db, &filter).await?;
    let items = found.iter().map(answers::contact_window).collect();
    Ok(Json(page(items, total, limit, offset)))
}
