//! Health, readiness, metrics (`http-api.md` §1).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Map, Value, json};

use super::schema::health::{Alive, Health, NotReady, Ready};
use super::{ApiError, Bridge};
use crate::engine::answers::stamp;
use crate::ops::sidecar;

/// Whether the process is alive, and all there. Asks nobody.
#[utoipa::path(
    get, path = "/health", tag = "Health",
    responses((status = 200, description = "It can answer", body = Health))
)]
pub(super) async fn health(State(bridge): State<Bridge>) -> Json<Value> {
    let health = &bridge.health;
    let circuits: Map<String, Value> = bridge
        .circuits
        .iter()
        .map(|circuit| circuit.view())
        .map(|c| (c.name.as_str().to_owned(), json!(c.state)))
        .collect();
    Json(json!({
        "status": if health.is_degraded() { "degraded" } else { "healthy" },
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": health.uptime().as_secs_f64(),
        "timestamp": stamp(bridge.clock.now()),
        "service_name": "orchestrator-service",
        "circuits": circuits,
        "checks": {
            "database": if health.database() { "healthy" } else { "unhealthy" },
            "openai": if bridge.model_configured { "configured" } else { "not_configured" },
        },
    }))
}

/// Whether traffic should come here.
#[utoipa::path(
    get, path = "/health/ready", tag = "Health",
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "It should not, and why", body = NotReady)
    )
)]
pub(super) async fn ready(State(bridge): State<Bridge>) -> Response {
    sidecar::readiness(&bridge.health)
}

/// As `/health/ready`.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "It should not, and why", body = NotReady)
    )
)]
pub(super) async fn readyz(State(bridge): State<Bridge>) -> Response {
    sidecar::readiness(&bridge.health)
}

/// Whether the process is alive.
#[utoipa::path(
    get, path = "/livez", tag = "Health",
    responses((status = 200, description = "It is", body = Alive))
)]
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Health",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain; version=0.0.4"))
)]
pub(super) async fn metrics(State(bridge): State<Bridge>) -> Result<Response, ApiError> {
    let text = bridge
        .metrics
        .text()
        .map_err(|_| ApiError::unavailable("Metrics cannot be shown", json!({})))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
