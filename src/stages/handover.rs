//! Gives a text to a person: the same in every stage that does it.

use chrono::{DateTime, Utc};

use crate::domain::{
    Action, ConversationId, DraftId, EscalationId, EscalationType, EventId, Outcome, Phone,
    Severity, StepName, TenantId, WorkflowId, WorkflowStatus,
};
use crate::engine::Decision;
use crate::events::EscalationRaised;
use crate::store::conversations::ConversationUpdate;
use crate::store::escalations::NewEscalation;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// Who takes over.
#[derive(Debug, Clone)]
pub struct HandoverSettings {
    /// `ESCALATION_DEFAULT_ASSIGNEE`.
    pub assignee: String,
}

/// What is handed over, and why.
#[derive(Debug, Clone)]
pub(super) struct Handover<'a> {
    /// The event that causes it: gives the escalation its id.
    pub cause: EventId,
    /// The workflow that becomes `escalated`.
    pub workflow: WorkflowId,
    /// Its conversation.
    pub conversation: &'a ConversationId,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// The tenant's number.
    pub phone: &'a Phone,
    /// Why.
    pub kind: EscalationType,
    /// How soon.
    pub severity: Severity,
    /// A sentence for the manager.
    pub reason: String,
    /// What the tenant wrote.
    pub message: Option<String>,
    /// The draft it concerns.
    pub draft: Option<DraftId>,
    /// A manager's id, or `None` for a rule.
    pub by: Option<String>,
}

impl Handover<'_> {
    /// The escalation's id: the same however often the decision is taken.
    pub(super) fn id(&self) -> EscalationId {
        EscalationId(self.cause.row("escalation"))
    }

    /// The escalation and its event, without touching the workflow or the turn.
    pub(super) fn raise(&self, settings: &HandoverSettings, now: DateTime<Utc>) -> Decision {
        let raised = EscalationRaised {
            escalation_id: self.id(),
            workflow_id: self.workflow,
            conversation_id: self.conversation.clone(),
            tenant_id: self.tenant_id.clone(),
            tenant_name: self.tenant_name.clone(),
            escalation_type: self.kind,
            severity: self.severity,
            reason: self.reason.clone(),
            auto_detected: self.by.is_none(),
            tenant_message: self.message.clone(),
            response_queue_id: self.draft,
            raised_at: now,
        };
        Decision::done()
            .emit(&raised, self.conversation, self.workflow)
            .change(NewEscalation {
                metadata: serde_json::json!({}),
                raised,
                phone: Some(self.phone.clone()),
                by: self.by.clone().unwrap_or_else(|| "system".to_owned()),
                assigned_to: Some(settings.assignee.clone()),
            })
            .change(
                Step::done(self.workflow, StepName::Escalated, now).with(serde_json::json!({
                    "type": self.kind, "severity": self.severity, "by": self.by,
                })),
            )
    }

    /// The workflow is a person's from now on, and its turn is closed: the next text opens a new
    /// one. Needs the conversation's lock.
    pub(super) fn hand_over(&self, settings: &HandoverSettings, now: DateTime<Utc>) -> Decision {
        self.raise(settings, now)
            .change(WorkflowUpdate {
                action: Some(Action::Escalated),
                outcome: Some(Outcome::Escalated),
                escalation: Some(self.id()),
                draft: self.draft,
                tenant: self.tenant_id.clone(),
                ..WorkflowUpdate::to(
                    self.workflow,
                    WorkflowStatus::Escalated,
                    StepName::Escalated,
                    now,
                )
            })
            .change(ConversationUpdate {
                // A newer text's turn is not ours to close.
                only_if_carried_by: Some(self.workflow),
                ..ConversationUpdate::closing(self.conversation)
            })
    }
}
