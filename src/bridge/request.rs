//! What every request has: a correlation id, a path, a place in the metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use tracing::Span;

use super::Bridge;
use crate::engine::envelope::is_correlation_id;
use crate::ops::trace;

/// A request as its handlers and its errors see it.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The caller's, or a new one.
    pub correlation_id: String,
    /// For `instance` in errors.
    pub path: String,
}

/// Finds or makes the correlation id, puts it on the answer, and measures.
pub(super) async fn about(
    State(bridge): State<Bridge>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get("x-correlation-id")
        .and_then(|v| v.to_str().ok());
    let correlation_id = match given {
        Some(id) if is_correlation_id(id) => id.to_owned(),
        _ => uuid::Uuid::new_v4().to_string(),
    };
    let path = request.uri().path().to_owned();
    // The pattern, never the path: a path holds ids, and every id would be a metric of its own.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .trim_start_matches("/api/v1")
        .to_owned();
    // A client may make words up, and each would be a metric of its own.
    let method = match request.method().as_str() {
        known @ ("GET" | "POST" | "HEAD" | "OPTIONS" | "PUT" | "PATCH" | "DELETE") => {
            known.to_owned()
        }
        _ => "other".to_owned(),
    };
    let about = About {
        correlation_id: correlation_id.clone(),
        path,
    };
    request.extensions_mut().insert(about.clone());
    let incoming = request.headers().get("traceparent");
    let incoming = incoming.and_then(|v| v.to_str().ok()).map(str::to_owned);
    // Who asks whether we are well has no trace to look into.
    let span = match route.as_str() {
        "/metrics" | "/livez" | "/readyz" => Span::none(),
        health if health.starts_with("/health") => Span::none(),
        route => trace::request(&method, route, &correlation_id),
    };
    let started = Instant::now();
    let mut response = trace::within(incoming.as_deref(), span.clone(), next.run(request)).await;
    span.record("status", response.status().as_u16());
    if let Some(error) = response.extensions_mut().remove::<super::ApiError>() {
        response = error.render(&about, bridge.clock.now());
    }
    bridge
        .metrics
        .request_seconds
        .with_label_values(&[route.as_str(), &method, response.status().as_str()])
        .observe(started.elapsed().as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        response.headers_mut().insert("x-correlation-id", value);
    }
    response
}

/// Who acts, by the header `X-Manager-ID`; one of an odd length is nobody.
pub(super) fn manager(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-manager-id")?.to_str().ok()?.trim();
    (1..=100).contains(&id.len()).then(|| id.to_owned())
}
