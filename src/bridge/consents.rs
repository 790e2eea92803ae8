//! Who may be texted: `GET` and `POST /orchestrate/consents`, `/orchestrate/holds` and
//! `POST /orchestrate/holds/{id}/lift` (`docs/consents-and-holds.md`).

use std::collections::HashMap;

use axum::Extension;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Query as RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{Json, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::query::Query;
use super::request::{About, manager};
use super::{ApiError, Bridge};
use crate::domain::{HoldKind, Phone};
use crate::engine::answers::{self, stamp};
use crate::events::{ConsentEntered, Fields, HoldRequested, LiftRequested};
use crate::store::consents::{self, Consent, ConsentFilter};
use crate::store::holds::{self, HoldFilter};

pub(super) async fn enter(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let mut command = ConsentEntered::parse(&Fields::from_json(&body?)?, bridge.received())?;
    command.manager_id = command.manager_id.or_else(|| manager(&headers));
    bridge.command(&command, &about).await
}

pub(super) async fn list(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let query = Query::new(parameters);
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
    let (page, total) = consents::list(&bridge.db, &filter).await?;
    let items = page.iter().map(item).collect();
    Ok(Json(paged(items, total, limit, offset)))
}

/// One number with everything ever said about it.
pub(super) async fn one(
    State(bridge): State<Bridge>,
    number: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(number) = number?;
    let unknown = || ApiError::not_found("Nothing is known about this number", json!({}));
    let phone = Phone::parse(&number).map_err(|_| unknown())?;
    let filter = ConsentFilter {
        opted_out: None,
        phone: Some(phone.as_str().to_owned()),
        limit: 1,
        offset: 0,
    };
    let (page, _) = consents::list(&bridge.db, &filter).await?;
    let mut body = page.first().map(item).ok_or_else(unknown)?;
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

pub(super) async fn hold(
    State(bridge): State<Bridge>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let mut command = HoldRequested::parse(&Fields::from_json(&body?)?, bridge.received())?;
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
    let body = Fields::from_json(&body?)?.with_id("hold_id", &id);
    let mut command = LiftRequested::parse(&body, bridge.received())?;
    command.manager_id = command.manager_id.or_else(|| manager(&headers));
    bridge.command(&command, &about).await
}

pub(super) async fn holds(
    State(bridge): State<Bridge>,
    RawQuery(parameters): RawQuery<HashMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let query = Query::new(parameters);
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
    let (page, total) = holds::list(&bridge.db, &filter).await?;
    let items = page.iter().map(answers::hold).collect();
    Ok(Json(paged(items, total, limit, offset)))
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

pub(super) fn paged(items: Vec<Value>, total: i64, limit: i64, offset: i64) -> Value {
    let shown = i64::try_from(items.len()).unwrap_or(i64::MAX);
    json!({
        "items": items,
        "total": total,
        "limit": limit,
        "offset": offset,
        "has_more": offset.saturating_add(shown) < total,
    })
}
