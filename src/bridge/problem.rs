//! The one HTTP error type (RFC 9457; `http-api.md` §0.5). Causes go to the log.

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::request::About;
use crate::engine::answers::Problem;
use crate::events::Invalid;

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub struct ApiError {
    problem: Problem,
    /// A body that is finished already: an answer that came over NATS.
    ready: Option<Value>,
    retry_after: Option<u32>,
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            ready: None,
            retry_after: None,
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Problem::invalid(&invalid).into()
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return problem(
                413,
                "body-too-large",
                "Body too large",
                "ORC_001",
                "The body is larger than 64 KiB",
            );
        }
        Invalid::body("could not be read").into()
    }
}

/// An id that cannot even be decoded is an unknown id (§0.3).
impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::not_found("Nothing by that id", json!({}))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "a read failed");
        Self::unavailable("The database is not reachable", json!({}))
    }
}

fn problem(
    status: u16,
    slug: &'static str,
    title: &'static str,
    code: &'static str,
    detail: &str,
) -> ApiError {
    let (details, errors) = (json!({}), Vec::new());
    Problem {
        status,
        slug,
        title,
        code,
        detail: detail.to_owned(),
        details,
        errors,
    }
    .into()
}

impl ApiError {
    /// 404.
    pub fn not_found(detail: &str, details: Value) -> Self {
        Problem::not_found(detail, details).into()
    }

    /// 503: the command is on its way, but its outcome is not known yet (`http-api.md` §12.18).
    pub fn too_slow() -> Self {
        Self::unavailable(
            "The request could not be finished in time; sending it again is safe",
            json!({ "may_still_be_processed": true }),
        )
    }

    /// 503 with `Retry-After: 5`.
    pub fn unavailable(detail: &str, details: Value) -> Self {
        let problem = Problem {
            status: 503,
            slug: "unavailable",
            title: "Service unavailable",
            code: "ORC_004",
            detail: detail.to_owned(),
            details,
            errors: Vec::new(),
        };
        Self {
            problem,
            ready: None,
            retry_after: Some(5),
        }
    }

    /// An error a consumer has written.
    pub fn ready(status: u16, body: Value) -> Self {
        let mut error = problem(status, "ready", "", "", "");
        error.ready = Some(body);
        error
    }

    pub(super) fn render(self, about: &About, now: DateTime<Utc>) -> Response {
        let mut body = self
            .ready
            .unwrap_or_else(|| self.problem.body(&about.path, &about.correlation_id, now));
        body["correlation_id"] = json!(about.correlation_id);
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (
            status,
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            )],
            body.to_string(),
        )
            .into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The body needs the request's ids, which the middleware has: it renders what it finds here.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// 404 for a path nobody serves.
pub(super) async fn unknown_path() -> ApiError {
    ApiError::not_found("No such path", json!({}))
}

/// 405.
pub(super) async fn wrong_method() -> ApiError {
    problem(
        405,
        "method-not-allowed",
        "Method not allowed",
        "ORC_008",
        "Method not allowed",
    )
}
