//! The one HTTP error type (RFC 9457; `http-api.md` §0.5). Causes go to the log.

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::auth::{Access, TokenError};
use super::request::About;
use crate::engine::answers::Problem;
use crate::events::Invalid;

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub struct ApiError {
    problem: Problem,
    /// A body that is finished already: an answer that came over NATS.
    ready: Option<Value>,
    headers: Vec<(HeaderName, String)>,
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            ready: None,
            headers: Vec::new(),
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
        Self::from(problem).with(header::RETRY_AFTER, "5".to_owned())
    }

    /// 401 with its challenge (RFC 6750 §3): whoever sent no token is told no error.
    pub(super) fn unauthorized(why: TokenError) -> Self {
        let challenge = match why {
            TokenError::Missing => "Bearer".to_owned(),
            why => format!("Bearer error=\"invalid_token\", error_description=\"{why}\""),
        };
        let title = "Not authenticated";
        let error = problem(401, "unauthorized", title, "ORC_007", &why.to_string());
        error.with(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: a good token without the scope.
    pub(super) fn forbidden(wanted: Access) -> Self {
        let words = wanted.words();
        let mut error = problem(
            403,
            "forbidden",
            "Not allowed",
            "ORC_007",
            "The token does not have the scope for this",
        );
        error.problem.details = json!({ "scope": words });
        error.with(
            header::WWW_AUTHENTICATE,
            format!("Bearer error=\"insufficient_scope\", scope=\"{words}\""),
        )
    }

    /// 408: the body did not come.
    pub(super) fn slow_body() -> Self {
        let sentence = "The body did not arrive in time";
        problem(
            408,
            "request-timeout",
            "Request timeout",
            "ORC_001",
            sentence,
        )
    }

    /// 429, and when there is room again.
    pub(super) fn too_many(seconds: u64) -> Self {
        let sentence = "Too many requests from this client";
        let error = problem(
            429,
            "too-many-requests",
            "Too many requests",
            "ORC_010",
            sentence,
        );
        error.with(header::RETRY_AFTER, seconds.max(1).to_string())
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.problem.status
    }

    fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
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
        // Stages know the command, not the path it came by.
        body["instance"] = json!(about.path);
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
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
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
