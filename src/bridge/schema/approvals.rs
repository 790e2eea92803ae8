//! Drafts, and what managers decide about them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::RoutingReason;
use crate::events::{DecisionAction, Neighbour};

/// What to do with a draft.
#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionRequest {
    /// The draft; also as `queue_id` or `id`.
    response_queue_id: Option<String>,
    /// Instead: the conversation, for its newest draft that waits.
    #[schema(pattern = "^[A-Za-z0-9_.:+@-]{1,128}$")]
    conversation_id: Option<String>,
    /// With `conversation_id`: has to be the draft's.
    phone_number: Option<String>,
    #[schema(inline)]
    action: DecisionAction,
    /// With `approve`: instead of the stored text.
    #[schema(min_length = 1, max_length = 1600)]
    approved_text: Option<String>,
    /// With `modify`.
    #[schema(min_length = 1, max_length = 1600)]
    modified_text: Option<String>,
    #[schema(max_length = 2000)]
    escalation_reason: Option<String>,
    /// Without tokens: who decides. With one, the token's `sub` decides, and another name here is
    /// kept as a note.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// Also when the tenant has written since.
    override_superseded: Option<bool>,
    /// Also against a rule that a manager may override, and why.
    #[schema(max_length = 2000)]
    override_reason: Option<String>,
}

/// What was decided, and how far the text is.
#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionAnswer {
    success: bool,
    /// Always `processed`.
    status: String,
    message: String,
    action: Option<DecisionAction>,
    processed_at: DateTime<Utc>,
    response_queue_id: String,
    queue_id: String,
    conversation_id: String,
    workflow_id: String,
    /// `approved`, `modified`, `escalated`.
    queue_status: String,
    /// Exactly what was handed to the SMS Agent.
    final_response: Option<String>,
    delivery: Delivery,
    escalation_id: Option<String>,
    /// The same was decided before.
    already_processed: bool,
    correlation_id: String,
}

/// How far a text is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// `sent`, `queued`, `held`, `failed`, `not_applicable`.
    status: String,
    sms_message_id: Option<String>,
    twilio_sid: Option<String>,
    attempts: u32,
    last_error: Option<String>,
    /// With `held`: when contact hours begin.
    not_before: Option<DateTime<Utc>>,
}

/// Many decisions, or all of some conversations.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkRequest {
    /// Bodies as for `/orchestrate/approve-response`. This or `conversation_ids`.
    #[schema(min_items = 1, max_items = 100)]
    decisions: Option<Vec<DecisionRequest>>,
    /// What waits in each of these.
    #[schema(min_items = 1, max_items = 100)]
    conversation_ids: Option<Vec<String>>,
    /// With `conversation_ids`: only drafts at least that sure.
    #[schema(minimum = 0, maximum = 1)]
    min_confidence: Option<f64>,
    /// With `conversation_ids`: `approve`, `escalate` or `reject`.
    action: Option<String>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

/// One result for each.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkAnswer {
    success: bool,
    total: u32,
    succeeded: u32,
    failed: u32,
    results: Vec<BulkResult>,
    correlation_id: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkResult {
    response_queue_id: Option<String>,
    conversation_id: Option<String>,
    /// As the single endpoint would have answered.
    status: u16,
    success: bool,
    queue_status: Option<String>,
    delivery: Option<Delivery>,
    reason: Option<String>,
    error: Option<String>,
    errors: Option<Vec<super::FieldProblem>>,
}

/// Who works on a draft, or does no longer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimRequest {
    /// Without tokens: who; also as `claimed_by`.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimAnswer {
    success: bool,
    response_queue_id: String,
    /// The draft's.
    status: String,
    claimed_by: Option<String>,
    claimed_until: Option<DateTime<Utc>>,
    correlation_id: String,
}

/// Which drafts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApprovalQuery {
    #[param(inline)]
    status: Option<ApprovalFilter>,
    conversation_id: Option<String>,
    tenant_id: Option<String>,
    phone_number: Option<String>,
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f64>,
    #[param(minimum = 0, maximum = 1)]
    max_confidence: Option<f64>,
    /// Oldest first, unless `desc`.
    #[param(inline)]
    order: Option<super::Order>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApprovalFilter {
    Pending,
    Approved,
    Modified,
    Escalated,
    AutoSent,
    Expired,
    Superseded,
    Suppressed,
    All,
}

/// A draft.
#[derive(Serialize, ToSchema)]
pub(crate) struct Approval {
    id: String,
    response_queue_id: String,
    workflow_id: String,
    conversation_id: String,
    tenant_id: Option<String>,
    tenant_name: Option<String>,
    phone_number: Option<String>,
    tenant_message: String,
    ai_response: String,
    /// In English, when the tenant wrote another language.
    ai_response_en: Option<String>,
    language: Option<String>,
    confidence_score: f64,
    confidence_percent: u32,
    /// `pending`, `approved`, `modified`, `escalated`, `auto_sent`, `expired`, `superseded`, `suppressed`.
    status: String,
    routing_reason: Option<RoutingReason>,
    escalation_triggers: Vec<String>,
    degraded: Vec<Neighbour>,
    payment_plan: Option<ApprovalPlan>,
    superseded_by: Option<String>,
    waiting_time_hours: f64,
    expires_at: Option<DateTime<Utc>>,
    claimed_by: Option<String>,
    claimed_until: Option<DateTime<Utc>>,
    approval_action: Option<String>,
    manager_action: Option<String>,
    modified_response: Option<String>,
    final_response: Option<String>,
    actioned_by: Option<String>,
    actioned_at: Option<DateTime<Utc>>,
    delivery: Option<Delivery>,
    model: Option<String>,
    prompt_version: Option<String>,
    tokens: Option<Tokens>,
    /// The model's own rating, before the checks.
    model_confidence: Option<f64>,
    cost_usd: Option<f64>,
    checks: Vec<Check>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What the model used.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    prompt: u32,
    completion: u32,
}

/// What a check of the draft found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Check {
    name: String,
    passed: bool,
    reason: Option<String>,
    /// The confidence cannot be above it.
    ceiling: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalPlan {
    payment_plan_id: String,
    weekly_amount: f64,
    weeks: Option<u32>,
    total_amount: Option<f64>,
    status: String,
}

/// A draft with what the model saw, and what was decided about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalInFull {
    #[schema(inline)]
    #[serde(flatten)]
    item: Approval,
    context: Context,
    audit: Vec<AuditEntry>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Context {
    tenant: Option<ContextTenant>,
    /// Oldest first.
    history: Vec<ContextMessage>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ContextTenant {
    tenant_name: Option<String>,
    amount_owed: Option<f64>,
    tenant_portion: Option<f64>,
    days_late: Option<i64>,
    payment_reliability_score: Option<f64>,
    failed_payment_plans: Option<u32>,
    language_preference: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ContextMessage {
    /// `inbound` or `outbound`.
    direction: String,
    content: String,
    at: Option<String>,
    delivery_status: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    id: String,
    action: String,
    original_response: Option<String>,
    final_response: Option<String>,
    reason: Option<String>,
    notes: Option<String>,
    /// The token's `sub`, or whoever was named.
    approved_by: String,
    created_at: DateTime<Utc>,
}
