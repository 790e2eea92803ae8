//! A manager's decision about a known draft, carried out, repeated or refused.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Decide, Event, problem};
use crate::domain::{DeliveryId, DeliveryKind, EscalationType, StepName, WorkflowStatus};
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, Reply};
use crate::events::{
    ApprovalApproved, ApprovalDecided, ApprovalEscalated, ApprovalModified, ApprovalRefused,
    Decided, DecisionAction, ReplyApproved,
};
use crate::rules::gate::Gate;
use crate::stages::afresh::Afresh;
use crate::stages::handover::Handover;
use crate::store::Case;
use crate::store::audit::Audit;
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, NewDelivery};
use crate::store::drafts::{Draft, DraftUpdate};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// A decision about a known draft.
pub(super) struct Ruling<'a> {
    pub(super) event: &'a Event,
    pub(super) draft: &'a Draft,
    pub(super) gate: &'a Gate,
    pub(super) case: &'a Case,
    pub(super) newest_turn: i64,
    pub(super) now: DateTime<Utc>,
}

impl Ruling<'_> {
    pub(super) fn command(&self) -> &ApprovalDecided {
        &self.event.body
    }

    /// The conversation's open turn, if any, belongs to newer texts.
    pub(super) fn is_overtaken(&self) -> bool {
        self.draft.status == "superseded" || self.draft.turn != self.newest_turn
    }

    pub(super) fn decided_by(&self) -> String {
        self.command()
            .manager_id
            .clone()
            .unwrap_or_else(|| "dashboard".to_owned())
    }

    /// The text the decision sends: a manager's, or the stored one (conflicts C21).
    pub(super) fn text(&self) -> String {
        let command = self.command();
        let own = match command.action {
            DecisionAction::Modify => command.modified_text.as_ref(),
            _ => command.approved_text.as_ref(),
        };
        own.unwrap_or(&self.draft.ai_response).clone()
    }

    pub(super) fn reply(&self, already: bool) -> Option<Reply> {
        Some(Reply::Approval {
            draft: self.draft.id,
            to: Some(self.event.envelope.reply_subject.clone()?),
            already,
            correlation_id: self.event.envelope.correlation_id.clone(),
        })
    }

    /// Somebody has decided before: the same again is fine, anything else is a conflict.
    pub(super) fn repeat(&self) -> Decision {
        let draft = self.draft;
        let command = self.command();
        let same_action = draft.approval_action.as_deref() == Some(command.action.as_str());
        let same_text = match command.action {
            DecisionAction::Approve | DecisionAction::Modify => self.was_the_text(&self.text()),
            DecisionAction::Escalate | DecisionAction::Reject => true,
        };
        if same_action && same_text {
            return Decision::nothing("the same decision again").reply_if(self.reply(true));
        }
        self.refuse(
            "already_decided",
            "The item has already been decided",
            json!({
                "queue_status": draft.status,
                "actioned_by": draft.actioned_by,
                "actioned_at": draft.actioned_at.map(stamp),
            }),
        )
    }

    pub(super) fn refuse(&self, reason: &str, sentence: &str, mut details: Value) -> Decision {
        details["reason"] = json!(reason);
        details["response_queue_id"] = json!(self.draft.id);
        let refused = ApprovalRefused {
            response_queue_id: Some(self.draft.id.to_string()),
            conversation_id: Some(self.draft.conversation_id.clone()),
            reason: reason.to_owned(),
            decided_by: self.decided_by(),
        };
        Decision::done()
            .emit(
                &refused,
                &self.draft.conversation_id,
                self.draft.workflow_id,
            )
            .reply_if(problem(
                self.event,
                &Problem::conflict(sentence, details),
                self.now,
            ))
    }

    /// The figures the draft was written for have changed: a new draft answers the same texts.
    pub(super) fn begin_again(&self) -> Decision {
        let draft = self.draft;
        let details = json!({ "successor_id": null, "cause": "balance_changed" });
        let refused = self.refuse(
            "superseded",
            "What is owed has changed since; a new draft is being written",
            details,
        );
        let Some(conversation) = &self.case.conversation else {
            return refused;
        };
        let afresh = Afresh {
            workflow: draft.workflow_id,
            conversation,
            phone: Some(draft.phone.clone()),
            tenant: draft.tenant_id.clone(),
            after_send: false,
        };
        refused
            .change(DraftUpdate::withdrawn(
                draft.id,
                "superseded",
                Some(draft.workflow_id),
                self.now,
            ))
            .change(WorkflowUpdate::to(
                draft.workflow_id,
                WorkflowStatus::Processing,
                StepName::SmsReceived,
                self.now,
            ))
            .and(afresh.turn(self.case))
    }

    pub(super) fn carry_out(&self, stage: &Decide) -> Decision {
        let command = self.command();
        let kind = match command.action {
            DecisionAction::Approve => Some(DeliveryKind::Approved),
            DecisionAction::Modify => Some(DeliveryKind::Modified),
            DecisionAction::Escalate | DecisionAction::Reject => None,
        };
        let text = match kind.map(|kind| self.releasable(kind, stage)).transpose() {
            Ok(text) => text,
            Err(refusal) => return refusal,
        };
        let decision = match command.action {
            DecisionAction::Approve => {
                self.release(DeliveryKind::Approved, text.clone().unwrap_or_default())
            }
            DecisionAction::Modify => {
                self.release(DeliveryKind::Modified, text.clone().unwrap_or_default())
            }
            DecisionAction::Escalate => self.take_over(stage, "Escalated by manager"),
            DecisionAction::Reject => self.take_over(stage, "Response rejected by manager"),
        };
        Decision::done()
            .change(
                Step::done(self.draft.workflow_id, StepName::ManagerApproval, self.now)
                    .with(json!({ "action": command.action, "by": self.decided_by() })),
            )
            .change(Audit {
                id: self.event.envelope.id.row("audit"),
                draft_id: self.draft.id,
                action: command.action.as_str().to_owned(),
                original: self.draft.ai_response.clone(),
                final_response: text,
                reason: command
                    .escalation_reason
                    .clone()
                    .or_else(|| command.override_reason.clone()),
                notes: command.notes.clone(),
                by: self.decided_by(),
                at: self.now,
            })
            .and(decision)
    }

    pub(super) fn draft_update(&self, status: &'static str) -> DraftUpdate {
        DraftUpdate {
            action: Some(self.command().action.as_str()),
            by: Some(self.decided_by()),
            ..DraftUpdate::withdrawn(self.draft.id, status, None, self.now)
        }
    }

    pub(super) fn decided(&self, final_response: Option<String>) -> Decided {
        Decided {
            response_queue_id: self.draft.id,
            workflow_id: self.draft.workflow_id,
            conversation_id: self.draft.conversation_id.clone(),
            decided_by: self.decided_by(),
            decided_at: self.now,
            original_response: self.draft.ai_response.clone(),
            final_response,
        }
    }

    /// The text may go out. The turn is closed here, not when the text leaves: a manager's word
    /// stands even if the tenant writes again a second later.
    pub(super) fn release(&self, kind: DeliveryKind, text: String) -> Decision {
        let draft = self.draft;
        let delivery_id = DeliveryId(draft.id.0);
        let status = if kind == DeliveryKind::Modified {
            "modified"
        } else {
            "approved"
        };
        let approved = ReplyApproved {
            delivery_id,
            draft_id: Some(draft.id),
            workflow_id: draft.workflow_id,
            conversation_id: draft.conversation_id.clone(),
            turn: draft.turn,
            phone_number: draft.phone.clone(),
            tenant_id: draft.tenant_id.clone(),
            text: text.clone(),
            kind,
            released_by: Some(self.decided_by()),
            newest_known_message: draft.newest_known_message,
            override_superseded: self.command().override_superseded,
            property: draft.tenant_context().and_then(|t| t.property_name),
            balance: draft.tenant_context().and_then(|t| t.debt_basis()),
            overridden: self.overridden(),
            answers_text_of: None,
        };
        let decision = Decision::done()
            .change(DraftUpdate {
                modified_response: (kind == DeliveryKind::Modified).then(|| text.clone()),
                final_response: Some(text.clone()),
                ..self.draft_update(status)
            })
            .change(NewDelivery {
                id: delivery_id,
                draft_id: Some(draft.id),
                workflow_id: draft.workflow_id,
                conversation_id: draft.conversation_id.clone(),
                phone: draft.phone.clone(),
                kind,
                body: text.clone(),
                status: DeliveryStatus::Waiting,
                permit: None,
                held: None,
                error: None,
                newest_known_message: draft.newest_known_message,
                reply_subject: self.event.envelope.reply_subject.clone(),
                at: self.now,
            })
            .change(WorkflowUpdate {
                // An overridden draft's workflow has ended as merged; the text still goes out.
                final_result: self.is_overtaken(),
                ..WorkflowUpdate::to(
                    draft.workflow_id,
                    WorkflowStatus::Processing,
                    StepName::ManagerApproval,
                    self.now,
                )
            });
        let decision = if self.is_overtaken() {
            // The open turn belongs to the newer texts.
            decision
        } else {
            decision.change(ConversationUpdate::closing(&draft.conversation_id))
        };
        let decided = self.decided(Some(text));
        let decision = match kind {
            DeliveryKind::Modified => decision.emit(
                &ApprovalModified { decision: decided },
                &draft.conversation_id,
                draft.workflow_id,
            ),
            _ => decision.emit(
                &ApprovalApproved { decision: decided },
                &draft.conversation_id,
                draft.workflow_id,
            ),
        };
        decision.emit(&approved, &draft.conversation_id, draft.workflow_id)
    }

    /// A person takes over; nothing is sent.
    pub(super) fn take_over(&self, stage: &Decide, default_reason: &str) -> Decision {
        let draft = self.draft;
        let kind = draft
            .triggers
            .iter()
            .find_map(|trigger| EscalationType::parse(trigger))
            .unwrap_or(EscalationType::Manual);
        let reason = self.command().escalation_reason.clone();
        let handover = Handover {
            cause: self.event.envelope.id,
            workflow: draft.workflow_id,
            conversation: &draft.conversation_id,
            tenant_id: draft.tenant_id.clone(),
            tenant_name: draft.tenant_name.clone(),
            phone: &draft.phone,
            kind,
            severity: crate::domain::Severity::Medium,
            reason: reason.unwrap_or_else(|| default_reason.to_owned()),
            message: Some(draft.tenant_message.clone()),
            draft: Some(draft.id),
            by: Some(self.decided_by()),
        };
        let escalated = ApprovalEscalated {
            decision: self.decided(None),
            escalation_id: handover.id(),
            escalation_type: kind,
        };
        handover
            .hand_over(&stage.handover, self.now)
            .change(DraftUpdate {
                escalation: Some(handover.id()),
                ..self.draft_update("escalated")
            })
            .emit(&escalated, &draft.conversation_id, draft.workflow_id)
            .reply_if(self.reply(false))
    }
}
