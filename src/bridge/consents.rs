//! Who may be texted: `GET` and `POST /orchestrate/consents`, `/orchestrate/holds` and
//! `POST /orchestrate/holds/{id}/lift` (`docs/consents-and-holds.md`).

use axum::extract::State;
use axum::response::{Json, Response};
use serde_json::{Value, json};

use super::call::{Body, Call, Id};
use super::query::{Query, page};
use super::schema::consents::{
    self as schema, ConsentAnswer, ConsentInFull, ConsentQuery, ConsentRequest, HoldAnswer,
    HoldQuery, HoldRequest, LiftAnswer, LiftRequest,
};
use super::schema::{Page, Paging};
use super::{ApiError, Bridge};
use crate::domain::{HoldKind, Phone};
use crate::engine::answers::{self, stamp};
use crate::events::{ConsentEntered, HoldRequested, LiftRequested};
use crate::store::consents::{self, Consent, ConsentFilter};
use crate::store::holds::{self, HoldFilter};

/// Enters that a number opted out, or in.
#[utoipa::path(
    post, path = "/orchestrate/consents", tag = "Consents and holds",
    request_body = ConsentRequest,
    responses((status = 200, description = "Entered", body = ConsentAnswer))
)]
pub(super) async fn enter(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let mut command = ConsentEntered::parse(&fields, call.bridge.received())?;
    call.actor
        .settle(&mut command.manager_id, &mut command.note);
    call.command(&command).await
}

/// Numbers, and whether they may be texted.
#[utoipa::path(
    get, path = "/orchestrate/consents", tag = "Consents and holds",
    params(ConsentQuery, Paging),
    responses((status = 200, description = "A page", body = Page<schema::Consent>))
)]
pub(super) async fn list(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let status = query.one_of("status", "all", &["opted_out", "opted_in", "all"]);
    let (limit, offset) = query.page();
    let filter = ConsentFilter {
        opted_out: match status.as_str() {
            "opted_out" => Some(true),
            "opted_in" => Some(false),
            _ => None,
        },
        phone: phone(&query),
        limit,
        offset,
    };
    query.finish()?;
    let (found, total) = consents::list(&bridge.db, &filter).await?;
    let items = found.iter().map(item).collect();
    Ok(Json(page(items, total, limit, offset)))
}

/// One number with everything ever said about it.
#[utoipa::path(
    get, path = "/orchestrate/consents/{number}", tag = "Consents and holds",
    params(("number" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The number", body = ConsentInFull),
        (status = 404, description = "Nothing is known about it")
    )
)]
pub(super) async fn one(
    State(bridge): State<Bridge>,
    Id(number): Id,
) -> Result<Json<Value>, ApiError> {
    let unknown = || ApiError::not_found("Nothing is known about this number", json!({}));
    let phone = Phone::parse(&number).map_err(|_| unknown())?;
    let filter = ConsentFilter {
        opted_out: None,
        phone: Some(phone.as_str().to_owned()),
        limit: 1,
        offset: 0,
    };
    let (found, _) = consents::list(&bridge.db, &filter).await?;
    let mut body = found.first().map(item).ok_or_else(unknown)?;
    body["history"] = json!(consents::history(&bridge.db, phone.as_str()).await?);
    Ok(Json(body))
}

fn item(consent: &Consent) -> Value {
    json!({
        "phone_number": consent.phone,
        "status": if consent.opted_out { "opted_out" } else { "opted_in" },
        "opted_out": consent.opted_out,
        "holds": consent.holds,
        "quiet": consent.quiet,
        "may_begin": consent.proven && !consent.opted_out,
        "source": consent.source,
        "changed_at": stamp(consent.changed_at),
    })
}

/// Holds all texts to a number or a tenant.
#[utoipa::path(
    post, path = "/orchestrate/holds", tag = "Consents and holds",
    request_body = HoldRequest,
    responses((status = 200, description = "It stands, now or before", body = HoldAnswer))
)]
pub(super) async fn hold(call: Call, Body(fields): Body) -> Result<Response, ApiError> {
    let mut command = HoldRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle_reason(&mut command.manager_id, &mut command.reason);
    call.command(&command).await
}

/// Lifts a hold.
#[utoipa::path(
    post, path = "/orchestrate/holds/{id}/lift", tag = "Consents and holds",
    params(("id" = String, Path, min_length = 1)),
    request_body = LiftRequest,
    responses(
        (status = 200, description = "Lifted, now or before", body = LiftAnswer),
        (status = 404, description = "No such hold")
    )
)]
pub(super) async fn lift(call: Call, Id(id): Id, Body(fields): Body) -> Result<Response, ApiError> {
    let fields = fields.with_id("hold_id", &id);
    let mut command = LiftRequested::parse(&fields, call.bridge.received())?;
    call.actor
        .settle_reason(&mut command.manager_id, &mut command.reason);
    call.command(&command).await
}

/// Holds.
#[utoipa::path(
    get, path = "/orchestrate/holds", tag = "Consents and holds",
    params(HoldQuery, Paging),
    responses((status = 200, description = "A page", body = Page<schema::Hold>))
)]
pub(super) async fn holds(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let status = query.one_of("status", "active", &["active", "lifted", "all"]);
    let kinds: Vec<&str> = HoldKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = query.text("kind").map(|_| query.one_of("kind", "", &kinds));
    let (limit, offset) = query.page();
    let filter = HoldFilter {
        active: match status.as_str() {
            "active" => Some(true),
            "lifted" => Some(false),
            _ => None,
        },
        kind,
        phone: phone(&query),
        tenant: query.text("tenant_id"),
        limit,
        offset,
    };
    query.finish()?;
    let (found, total) = holds::list(&bridge.db, &filter).await?;
    let items = found.iter().map(answers::hold).collect();
    Ok(Json(page(items, total, limit, offset)))
}

pub(super) fn phone(query: &Query) -> Option<String> {
    let text = query.text("phone_number")?;
    match Phone::parse(&text) {
        Ok(phone) => Some(phone.as_str().to_owned()),
        Err(error) => {
            query.fault("phone_number", &error.to_string());
            None
        }
    }
}
