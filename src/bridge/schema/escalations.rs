//! Escalations.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::domain::{EscalationType, Severity};

/// Why a person should look.
#[derive(Serialize, ToSchema)]
pub(crate) struct EscalationRequest {
    /// Unless a known workflow is named.
    #[schema(pattern = "^[A-Za-z0-9_.:+@-]{1,128}$")]
    conversation_id: Option<String>,
    workflow_id: Option<String>,
    /// `manual` by default; also the dashboard's words.
    escalation_type: Option<EscalationType>,
    /// Also as `escalation_reason`, `description` or `notes`.
    #[schema(max_length = 2000)]
    reason: Option<String>,
    /// The type's own by default; also as `priority`, also the dashboard's words.
    severity: Option<Severity>,
    auto_detected: Option<bool>,
    /// Without tokens: who asks; also as `manager_id`.
    #[schema(max_length = 100)]
    escalated_by: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    tenant_id: Option<String>,
    phone_number: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// It is open.
#[derive(Serialize, ToSchema)]
pub(crate) struct EscalationAnswer {
    success: bool,
    escalation_id: String,
    conversation_id: String,
    workflow_id: String,
    /// `escalated_processed`, or `escalation_created` from `/escalations/trigger`.
    status: String,
    /// Always `created`.
    dashboard_status: String,
    escalation_type: EscalationType,
    severity: Severity,
    priority: Severity,
    dashboard_priority: String,
    escalated_at: DateTime<Utc>,
    expected_resolution_time: DateTime<Utc>,
    assigned_to: Option<String>,
    /// The same was open already.
    duplicate: bool,
    message: String,
    correlation_id: String,
}

/// As [`EscalationAnswer`], once more in the older words.
#[derive(Serialize, ToSchema)]
pub(crate) struct TriggerAnswer {
    #[serde(flatten)]
    escalation: EscalationAnswer,
    data: TriggerData,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TriggerData {
    escalation_id: String,
    workflow_id: String,
    status: String,
    message: String,
    timestamp: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ResolutionRequest {
    /// Without tokens: who; also as `manager_id` or `handled_by`.
    #[schema(max_length = 100)]
    resolved_by: Option<String>,
    /// What was done; also as `notes`.
    #[schema(max_length = 2000)]
    resolution: Option<String>,
    /// In a word.
    #[schema(max_length = 50)]
    outcome: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ResolutionAnswer {
    success: bool,
    escalation_id: String,
    /// Always `resolved`.
    status: String,
    resolved_at: Option<DateTime<Utc>>,
    resolved_by: Option<String>,
    resolution: Option<String>,
    conversation_id: String,
    workflow_id: String,
    /// It was before; the first values stand.
    already_resolved: bool,
    correlation_id: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AssignmentRequest {
    /// Who takes it; also as `assigneeId`.
    #[schema(min_length = 1, max_length = 100)]
    assigned_to: String,
    /// Without tokens: who says so.
    #[schema(max_length = 100)]
    assigned_by: Option<String>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AssignmentAnswer {
    success: bool,
    escalation_id: String,
    /// Always `in_progress`.
    status: String,
    assigned_to: String,
    conversation_id: String,
    workflow_id: String,
    correlation_id: String,
}

/// Which escalations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EscalationQuery {
    /// `open` by default: also those somebody has.
    #[param(inline)]
    status: Option<EscalationFilter>,
    #[param(inline)]
    severity: Option<Severity>,
    #[param(inline)]
    escalation_type: Option<EscalationType>,
    conversation_id: Option<String>,
    tenant_id: Option<String>,
    auto_detected: Option<bool>,
    /// Newest first, unless `asc`.
    #[param(inline)]
    order: Option<super::Order>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EscalationFilter {
    Open,
    InProgress,
    Resolved,
    All,
}

/// An escalation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Escalation {
    id: String,
    escalation_id: String,
    workflow_id: String,
    conversation_id: String,
    tenant_id: Option<String>,
    tenant_name: Option<String>,
    phone_number: Option<String>,
    escalation_type: EscalationType,
    dashboard_type: String,
    severity: Severity,
    priority: Severity,
    dashboard_priority: String,
    reason: String,
    description: String,
    auto_detected: bool,
    /// `open`, `in_progress`, `resolved`.
    status: String,
    escalated_by: String,
    assigned_to: Option<String>,
    handled_by: Option<String>,
    response_queue_id: Option<String>,
    created_at: DateTime<Utc>,
    escalated_at: DateTime<Utc>,
    expected_resolution_time: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
    resolution: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Value,
}
