//! Dead letters.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which dead letters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterQuery {
    #[param(inline)]
    status: Option<LetterFilter>,
    #[param(inline)]
    kind: Option<LetterKind>,
    conversation_id: Option<String>,
    /// Oldest first, unless `desc`.
    #[param(inline)]
    order: Option<super::Order>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LetterFilter {
    Open,
    Redriven,
    Resolved,
    All,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LetterKind {
    Sms,
    Notification,
    Workflow,
    Event,
}

/// Work that was given up.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    id: String,
    kind: LetterKind,
    /// `open`, `redriven`, `resolved`.
    status: String,
    workflow_id: Option<String>,
    conversation_id: Option<String>,
    response_queue_id: Option<String>,
    /// `attempts_exhausted`, `permanent_failure`, `unknown_outcome`, `configuration`, `invalid_message`.
    reason: String,
    last_error: LastError,
    attempts: u32,
    first_attempt_at: DateTime<Utc>,
    last_attempt_at: DateTime<Utc>,
    stage: String,
    /// The subject it came on.
    subject: String,
    /// The message; `{"raw": …}` when it is no JSON.
    #[schema(value_type = Value)]
    payload: Value,
    redrive_count: u32,
    /// Who did what with it.
    #[schema(value_type = Vec<Object>)]
    history: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LastError {
    service: Option<String>,
    status: Option<u16>,
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RedriveRequest {
    /// Without tokens: who asks.
    #[schema(max_length = 100)]
    requested_by: Option<String>,
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Also a text that may have been sent: the tenant might get it twice.
    confirm_duplicate_risk: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RedriveAnswer {
    success: bool,
    id: String,
    /// Always `redriven`.
    status: String,
    redrive_count: u32,
    queued_at: DateTime<Utc>,
    message: String,
    correlation_id: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LetterResolutionRequest {
    /// Without tokens: who.
    #[schema(max_length = 100)]
    resolved_by: Option<String>,
    /// What was done instead; also as `notes` or `reason`.
    #[schema(max_length = 2000)]
    resolution: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LetterResolutionAnswer {
    success: bool,
    id: String,
    /// Always `resolved`.
    status: String,
    already_resolved: bool,
    correlation_id: String,
}

/// `ids` or a `kind`.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedriveManyRequest {
    #[schema(min_items = 1, max_items = 200)]
    ids: Option<Vec<String>>,
    #[schema(inline)]
    kind: Option<LetterKind>,
    #[schema(max_length = 100)]
    requested_by: Option<String>,
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RedriveManyAnswer {
    success: bool,
    total: u32,
    redriven: Vec<String>,
    /// With a reason each; a text that may have been sent is always among them.
    skipped: Vec<Skipped>,
    correlation_id: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Skipped {
    id: String,
    reason: Option<String>,
}
