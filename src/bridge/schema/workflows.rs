//! Texts, workflows, the timeline, retries.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::domain::{Action, Outcome, StepName, StepStatus, WorkflowStatus, WorkflowType};
use crate::events::Neighbour;

/// A tenant's text.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextRequest {
    /// The sender; `null` or `unknown` when nobody knows. The key has to be there.
    #[schema(required, min_length = 1, max_length = 100)]
    tenant_id: Option<String>,
    /// Ten to fifteen digits, `+` or not; also as `from` or `customer_phone`.
    #[schema(example = "+12025550143")]
    phone_number: String,
    /// Also as `body`, `message` or `message_content`.
    #[schema(min_length = 1, max_length = 2000)]
    content: String,
    #[schema(pattern = "^[A-Za-z0-9_.:+@-]{1,128}$")]
    conversation_id: String,
    /// When the tenant sent it; now, when left out.
    timestamp: Option<DateTime<Utc>>,
    /// `inbound`, unless it is a text of ours that went out elsewhere.
    direction: Option<crate::events::Direction>,
    /// Recognises the text when it comes again; also as `MessageSid`, `message_id` or `twilio_sid`.
    #[schema(min_length = 1, max_length = 128)]
    message_sid: Option<String>,
    /// Stored.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// What became of a text.
#[derive(Serialize, ToSchema)]
pub(crate) struct TextAnswer {
    success: bool,
    /// `processed`, or `accepted` while nothing is decided.
    status: String,
    conversation_id: String,
    workflow_id: Option<String>,
    timestamp: DateTime<Utc>,
    action_taken: Action,
    workflow_status: Option<WorkflowStatus>,
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
    response_queue_id: Option<String>,
    escalation_id: Option<String>,
    payment_plan_id: Option<String>,
    /// The workflow of the later text it was answered with.
    merged_into: Option<String>,
    /// The text was here before; these are the values of its workflow now.
    duplicate: bool,
    /// Neighbours that were missed.
    degraded: Vec<Neighbour>,
    correlation_id: String,
}

/// Where a conversation's latest workflow stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Workflow {
    conversation_id: String,
    workflow_id: String,
    workflow_type: WorkflowType,
    status: WorkflowStatus,
    /// The dashboard's word: `pending`, `processing`, `completed`, `failed`.
    dashboard_status: String,
    current_step: Option<StepName>,
    /// In order, each once.
    steps_completed: Vec<StepName>,
    total_steps: u32,
    workflow_steps: Vec<Step>,
    created_at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_updated: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    estimated_completion: Option<DateTime<Utc>>,
    tenant_id: Option<String>,
    phone_number: Option<String>,
    ai_confidence: Option<f64>,
    escalation_triggered: bool,
    escalation_id: Option<String>,
    response_queue_id: Option<String>,
    payment_plan_id: Option<String>,
    error_message: Option<String>,
    retry_count: u32,
    max_retries: u32,
    can_retry: bool,
    degraded: Vec<Neighbour>,
    metadata: WorkflowMetadata,
}

/// One step of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Step {
    id: String,
    step_name: StepName,
    /// `api_call`, `ai_processing`, `database_operation`, `notification`.
    step_type: String,
    status: StepStatus,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    duration_ms: Option<i64>,
    /// `reason` and `detail`.
    #[schema(value_type = Option<Object>)]
    error_details: Value,
}

/// How it ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkflowMetadata {
    processing_time_seconds: f64,
    ai_confidence: Option<f64>,
    auto_approved: bool,
    outcome: Option<Outcome>,
    merged_into: Option<String>,
}

/// Narrows a timeline.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TimelineQuery {
    #[param(inline)]
    order: Option<super::Order>,
    /// Types of events, separated by commas.
    #[param(rename = "type")]
    kind: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u64>,
    #[param(maximum = 9_223_372_036_854_775_807_u64, default = 0)]
    offset: Option<u64>,
}

/// Everything that happened in a conversation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Timeline {
    conversation_id: String,
    tenant_id: Option<String>,
    phone_number: Option<String>,
    workflows: Vec<TimelineWorkflow>,
    items: Vec<TimelineEvent>,
    total: u64,
    limit: u64,
    offset: u64,
    has_more: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineWorkflow {
    workflow_id: String,
    workflow_type: WorkflowType,
    status: WorkflowStatus,
    created_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineEvent {
    id: String,
    at: DateTime<Utc>,
    /// `message_received`, `step`, `ai_response`, `decision`, `approval`, …
    #[serde(rename = "type")]
    kind: String,
    /// The step's, the action's, the reason's.
    name: String,
    workflow_id: Option<String>,
    /// `tenant`, `system`, or whoever acted.
    actor: String,
    /// One line without personal data.
    summary: String,
    status: String,
    duration_ms: Option<i64>,
    correlation_id: Option<String>,
    /// What belongs to it; texts are here.
    #[schema(value_type = Option<Object>)]
    data: Value,
}

/// Which events of the feed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FeedQuery {
    /// Subjects, or beginnings of them, separated by commas: `reply.sent,approval.*`.
    #[param(rename = "type")]
    kind: Option<String>,
    conversation_id: Option<String>,
    /// As the header `Last-Event-ID`, for clients that cannot set it.
    last_event_id: Option<String>,
}

/// Why, and whether a workflow that is neither failed nor escalated is meant.
#[derive(Serialize, ToSchema)]
pub(crate) struct RetryRequest {
    #[schema(max_length = 1000)]
    reason: Option<String>,
    force_retry: Option<bool>,
    #[schema(max_length = 100)]
    recovery_strategy: Option<String>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// Without tokens: who asks; also as `manager_id`.
    #[schema(max_length = 100)]
    requested_by: Option<String>,
}

/// Why a workflow is not tried again: a problem, with the dashboard's word.
#[derive(Serialize, ToSchema)]
pub(crate) struct RetryProblem {
    #[serde(flatten)]
    problem: super::Problem,
    /// Always `failed`.
    dashboard_status: String,
}

/// It has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct RetryAnswer {
    success: bool,
    workflow_id: String,
    /// Always `retry_initiated`.
    status: String,
    /// Always `retrying`.
    dashboard_status: String,
    retry_id: String,
    retry_attempted_at: DateTime<Utc>,
    attempt: u32,
    max_attempts: u32,
    message: String,
    correlation_id: String,
}
