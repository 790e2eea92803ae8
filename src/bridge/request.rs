//! What every request has: a correlation id, a path, a place in the metrics.
//! What handlers take from it is in `call.rs`.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tracing::Span;

use super::{ApiError, Bridge};
use crate::engine::envelope::is_correlation_id;
use crate::ops::trace;

/// A request as its handlers and its errors see it.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// The caller's, or a new one.
    pub correlation_id: String,
    /// For `instance` in errors.
    pub path: String,
}

/// How long a read may take: a little longer than one waits for a connection.
const LONGEST_READ: Duration = Duration::from_secs(8);

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
    // Who asks what the database knows is told within a time of ours that it cannot say. A command
    // has a deadline of its own, and a feed has begun long before.
    let reads = request.method() == Method::GET;
    let handled = trace::within(incoming.as_deref(), span.clone(), next.run(request));
    let mut response = match reads {
        true => match tokio::time::timeout(LONGEST_READ, handled).await {
            Ok(response) => response,
            Err(_) => {
                let detail = "The database does not answer in time";
                ApiError::unavailable(detail, json!({})).into_response()
            }
        },
        false => handled.await,
    };
    trace::conclude(&span, "status", i64::from(response.status().as_u16()));
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
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
