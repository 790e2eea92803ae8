//! `escalation.*`, `notification.*`, `workflow.*`, `dead.*`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ConversationId, DeadLetterId, DraftId, EscalationId, EscalationType, EventId, Severity,
    TenantId, WorkflowId,
};

/// A person has to look: everything needed to act is in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationRaised {
    /// The escalation.
    pub escalation_id: EscalationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// Why.
    pub escalation_type: EscalationType,
    /// How urgent.
    pub severity: Severity,
    /// A sentence for the manager.
    pub reason: String,
    /// Raised by a rule, not by a person.
    pub auto_detected: bool,
    /// What the tenant wrote, when a text caused it.
    pub tenant_message: Option<String>,
    /// The draft it concerns.
    pub response_queue_id: Option<DraftId>,
    /// When.
    pub raised_at: DateTime<Utc>,
}

/// A person has taken an escalation over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationAssigned {
    /// The escalation.
    pub escalation_id: EscalationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who has it.
    pub assigned_to: String,
    /// Who said so.
    pub assigned_by: String,
    /// In the assigner's words.
    pub notes: Option<String>,
    /// When.
    pub assigned_at: DateTime<Utc>,
}

/// An escalation is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationResolved {
    /// The escalation.
    pub escalation_id: EscalationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who.
    pub resolved_by: String,
    /// What was done.
    pub resolution: Option<String>,
    /// In a word.
    pub outcome: Option<String>,
    /// The workflow ended with it: nothing else of it was open.
    pub workflow_completed: bool,
    /// When.
    pub resolved_at: DateTime<Utc>,
}

/// Managers were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationSent {
    /// The event they were told about.
    pub about: EventId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// `approval_required`, `escalation`, `workflow_failed`.
    pub kind: String,
    /// The Notification service's receipt.
    pub tracking_id: Option<String>,
}

/// A workflow could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowFailed {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The stage that gave up.
    pub stage: String,
    /// Why, without personal data.
    pub reason: String,
    /// Where the message is parked.
    pub dead_letter_id: DeadLetterId,
}

/// A message that cannot be worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLettered {
    /// The row that keeps the message as it came.
    pub dead_letter_id: DeadLetterId,
    /// `sms`, `notification`, `workflow`, `event`.
    pub kind: String,
    /// The stage that gave up.
    pub stage: String,
    /// The subject it came on.
    pub subject: String,
    /// The message's id.
    pub event_id: EventId,
    /// `attempts_exhausted`, `permanent_failure`, `unknown_outcome`, `configuration`, `invalid_message`.
    pub reason: String,
    /// What went wrong last, without personal data.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}
