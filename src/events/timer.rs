//! `workflow.due`: something has not happened in time.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{ConversationId, DraftId, EscalationId, EscalationType, Severity, WorkflowId};

/// What was waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// A manager's decision about a draft.
    Decision(DraftId),
    /// The tenant's answer to the text we sent at that moment.
    Answer(DateTime<Utc>),
    /// Somebody to be done with an escalation.
    Resolution(EscalationId),
}

/// Something has not happened in time. Looked at again before anything follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowDue {
    /// What was waited for.
    pub awaited: Awaited,
    /// Where.
    pub conversation_id: ConversationId,
    /// Whose, as far as known.
    pub workflow_id: Option<WorkflowId>,
    /// Since when it is late.
    pub due_at: DateTime<Utc>,
}

/// Nobody decided about a draft in time. It may still be decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalExpired {
    /// The draft.
    pub response_queue_id: DraftId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The escalation it became.
    pub escalation_id: EscalationId,
    /// When it should have been decided.
    pub expired_at: DateTime<Utc>,
}

/// Nobody was done with an escalation in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationOverdue {
    /// The escalation.
    pub escalation_id: EscalationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// Why it was raised.
    pub escalation_type: EscalationType,
    /// How urgent it was.
    pub severity: Severity,
    /// Why, in a sentence.
    pub reason: String,
    /// Who has it.
    pub assigned_to: Option<String>,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When somebody should have been done with it.
    pub expected_at: DateTime<Utc>,
}
