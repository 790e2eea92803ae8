//! The shapes of requests and answers, for the OpenAPI document only.
//!
//! Answers are assembled elsewhere, from rows, because they also go out over NATS; every answer of
//! every story is compared with these shapes (`tests/story/world/documented.rs`), in both
//! directions, so that neither can change alone. Requests are read leniently (`http-api.md` §0.1):
//! the shapes name the first name of each field, in its proper type.

#![expect(dead_code, reason = "shapes; nothing is ever made of them")]

pub(super) mod approvals;
pub(super) mod consents;
pub(super) mod contact_windows;
pub(super) mod escalations;
pub(super) mod health;
pub(super) mod letters;
pub(super) mod plans;
pub(super) mod workflows;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// In the order asked for.
    items: Vec<T>,
    /// How many there are in all.
    total: u64,
    limit: u64,
    offset: u64,
    has_more: bool,
}

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
    #[param(maximum = 9_223_372_036_854_775_807_u64, default = 0)]
    offset: Option<u64>,
}

/// By time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    Asc,
    Desc,
}

/// Every error (RFC 9457), with the members older clients look for.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// What kind of problem; `urn:orchestrator:problem:…`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    /// The HTTP status.
    status: u16,
    /// One sentence about this case.
    detail: String,
    /// The path asked for.
    instance: String,
    /// Every offending field; empty for other problems.
    errors: Vec<FieldProblem>,
    /// Always false.
    success: bool,
    /// As `detail`.
    error: String,
    /// As `detail`.
    message: String,
    /// `ORC_…`.
    #[schema(pattern = "^ORC_[0-9]{3}$")]
    error_code: String,
    /// For machines: what it depends on, such as `reason`.
    #[schema(value_type = Object)]
    details: Value,
    correlation_id: String,
    timestamp: DateTime<Utc>,
}

/// One offending field.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// JSON pointer into the body, or a query parameter; empty for the body itself.
    pointer: String,
    /// The same as a path.
    loc: Vec<String>,
    /// Never quotes the value, which may be personal.
    msg: String,
    /// `missing`, `invalid`, `too_long`, …
    #[serde(rename = "type")]
    kind: String,
}
