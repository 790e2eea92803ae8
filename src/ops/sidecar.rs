//! The sidecar: liveness, readiness and metrics on a port of their own, in every role.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;

use super::health::Health;
use super::metrics::Metrics;

/// What the sidecar shows.
#[derive(Clone)]
pub struct Sidecar {
    /// Readiness.
    pub health: Arc<Health>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// Its routes.
pub fn router(sidecar: Sidecar) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/health/ready", get(ready))
        .route("/readyz", get(ready))
        .with_state(sidecar)
}

async fn metrics(State(sidecar): State<Sidecar>) -> Response {
    match sidecar.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn livez() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(State(sidecar): State<Sidecar>) -> Response {
    readiness(&sidecar.health)
}

/// 200 while traffic may come, else 503 with the reasons.
pub fn readiness(health: &Health) -> Response {
    let reasons = health.reasons_not_ready();
    if reasons.is_empty() {
        Json(json!({ "ready": true })).into_response()
    } else {
        let body = Json(json!({ "ready": false, "reasons": reasons }));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    }
}
