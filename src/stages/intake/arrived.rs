//! What becomes of a new text: it opens a turn, is suppressed, opts out, or calls for help.

use chrono::{DateTime, Utc};

use super::heard::Heard;
use super::{Event, content_key};
use crate::domain::{
    Action, ConversationId, EscalationType, OpenText, Outcome, StepName, WorkflowId,
    WorkflowStatus, WorkflowType,
};
use crate::engine::{Decision, Reply};
use crate::events::{ApprovalSuperseded, SmsReceived, Turn, TurnOpened};
use crate::rules::gate::Gate;
use crate::stages::handover::{Handover, HandoverSettings};
use crate::stages::silence::suppressed;
use crate::store::Case;
use crate::store::conversations::{Conversation, ConversationUpdate};
use crate::store::drafts::DraftUpdate;
use crate::store::steps::Step;
use crate::store::texts::{NewText, TextsMoved};
use crate::store::workflows::{NewWorkflow, WorkflowUpdate};

/// Bytes of open texts a turn may have. Every stage adds facts and a draft to them, and the server
/// takes no message above 256 KB.
const MOST_OPEN_BYTES: usize = 48 * 1024;

/// A new text of a tenant, with everything its fate depends on.
pub(super) struct Arrived<'a> {
    pub(super) event: &'a Event,
    pub(super) heard: &'a Heard,
    pub(super) case: &'a Case,
    pub(super) conversation: &'a Conversation,
    pub(super) gate: &'a Gate,
    pub(super) handover: &'a HandoverSettings,
    pub(super) now: DateTime<Utc>,
}

impl Arrived<'_> {
    pub(super) fn sms(&self) -> &SmsReceived {
        &self.event.body
    }

    pub(super) fn id(&self) -> &ConversationId {
        &self.sms().conversation_id
    }

    pub(super) fn workflow(&self) -> WorkflowId {
        WorkflowId(self.event.envelope.id.row("workflow"))
    }

    pub(super) fn next_turn(&self) -> i64 {
        self.conversation.turn + 1
    }

    /// The text and its workflow are stored, whatever becomes of them.
    pub(super) fn stored(&self) -> Decision {
        self.stored_in(self.next_turn())
    }

    pub(super) fn stored_in(&self, turn: i64) -> Decision {
        let (sms, envelope) = (self.sms(), &self.event.envelope);
        let stored = Decision::done()
            .change(NewText {
                id: envelope.id,
                conversation_id: sms.conversation_id.clone(),
                workflow_id: self.workflow(),
                turn,
                arrival: envelope.arrival,
                idempotency_key: sms.message_sid.clone(),
                content_key: content_key(sms),
                phone: sms.phone_number.clone(),
                tenant_id: sms.tenant_id.clone(),
                content: sms.content.clone(),
                triggers: self.heard.triggers.clone(),
                plan: self.heard.plan,
                sent_at: sms.timestamp,
                received_at: envelope.received_at,
                metadata: sms.metadata.clone(),
            })
            .change(NewWorkflow {
                id: self.workflow(),
                conversation_id: sms.conversation_id.clone(),
                tenant_id: sms.tenant_id.clone(),
                kind: WorkflowType::SmsProcessing,
                phone: Some(sms.phone_number.clone()),
                turn,
                correlation_id: envelope.correlation_id.clone(),
                reply_subject: envelope
                    .reply_subject
                    .clone()
                    .filter(|_| !envelope.respond_async),
                received_at: envelope.received_at,
            })
            .change(
                Step::done(self.workflow(), StepName::SmsReceived, self.now)
                    .since(envelope.received_at),
            );
        // Who asked not to wait is told at once.
        let reply = envelope
            .reply_subject
            .clone()
            .filter(|_| envelope.respond_async);
        stored.reply_if(reply.map(|to| Reply::WorkflowTo {
            workflow: self.workflow(),
            to,
            duplicate: false,
        }))
    }

    pub(super) fn conversation_update(&self) -> ConversationUpdate {
        ConversationUpdate {
            last_inbound_at: Some(self.event.envelope.received_at),
            tenant_id: self.sms().tenant_id.clone(),
            ..ConversationUpdate::of(self.id())
        }
    }

    /// Opens a turn, or replaces the open one: the newest text's workflow carries it and answers
    /// all open texts, in the order they arrived.
    pub(super) fn open_turn(&self) -> Decision {
        let own = OpenText {
            workflow_id: self.workflow(),
            content: self.sms().content.clone(),
            received_at: self.event.envelope.received_at,
            arrival: self.event.envelope.arrival,
            triggers: self.heard.triggers.clone(),
            plan: self.heard.plan,
        };
        let mut texts = self.case.open_texts.clone();
        texts.push(own);
        texts.sort_by_key(|text| text.arrival);
        let bytes: usize = texts.iter().map(|text| text.content.len()).sum();
        if bytes > MOST_OPEN_BYTES {
            return self.too_much();
        }
        // Not always our own: a text may be overtaken on its way to us.
        let carrier = texts
            .last()
            .map_or(self.workflow(), |text| text.workflow_id);
        let own = carrier == self.workflow();
        let turn = Turn {
            conversation_id: self.id().clone(),
            number: self.next_turn(),
            workflow_id: carrier,
            phone_number: if own {
                self.sms().phone_number.clone()
            } else {
                self.conversation.phone.clone()
            },
            tenant_id: self
                .sms()
                .tenant_id
                .clone()
                .or_else(|| self.conversation.tenant_id.clone()),
            texts,
            after_send: false,
        };
        // What it causes holds from this commit on; the turn goes its way to a person.
        self.stored()
            .change(ConversationUpdate {
                open_turn: Some((turn.number, carrier)),
                ..self.conversation_update()
            })
            .and(self.replace_open_turn(carrier))
            .and(self.holds())
            .emit(&TurnOpened { turn }, self.id(), carrier)
    }

    /// More unanswered text than a draft can answer, or an event can carry: a person reads it.
    fn too_much(&self) -> Decision {
        let mut handover = self.handing_over(EscalationType::Manual);
        handover.reason = "The tenant has written more than one reply can answer.".to_owned();
        self.stored()
            .change(ConversationUpdate {
                open_turn: Some((self.next_turn(), self.workflow())),
                close_turn: true,
                ..self.conversation_update()
            })
            .and(self.replace_open_turn(self.workflow()))
            .and(handover.raise(self.handover, self.now))
            .change(self.escalated(&handover))
            .reply(Reply::Workflow(self.workflow()))
    }

    pub(super) fn escalated(&self, handover: &Handover<'_>) -> WorkflowUpdate {
        WorkflowUpdate {
            action: Some(Action::Escalated),
            outcome: Some(Outcome::Escalated),
            escalation: Some(handover.id()),
            ..WorkflowUpdate::to(
                self.workflow(),
                WorkflowStatus::Escalated,
                StepName::Escalated,
                self.now,
            )
        }
    }

    /// What an open turn leaves behind when `carrier` takes over its texts.
    pub(super) fn replace_open_turn(&self, carrier: WorkflowId) -> Decision {
        if !self.conversation.turn_open {
            return Decision::nothing("no turn was open");
        }
        let mut replaced = Decision::done().change(TextsMoved {
            conversation_id: self.id().clone(),
            from: self.conversation.turn,
            to: self.next_turn(),
        });
        let merged = if carrier == self.workflow() {
            self.conversation.turn_workflow
        } else {
            Some(self.workflow())
        };
        if let Some(merged) = merged {
            replaced = replaced.change(WorkflowUpdate {
                action: Some(Action::Merged),
                outcome: Some(Outcome::Merged),
                merged_into: Some(carrier),
                ended: true,
                status: Some(WorkflowStatus::Completed),
                ..WorkflowUpdate::of(merged, self.now)
            });
            // A workflow whose draft waited was answered when it began to wait.
            if self.case.draft.is_none() || merged == self.workflow() {
                replaced = replaced.reply(Reply::Workflow(merged));
            }
        }
        replaced.and(self.withdraw_draft("superseded", Some(carrier)))
    }

    /// Takes a waiting draft away from the managers.
    fn withdraw_draft(&self, status: &'static str, successor: Option<WorkflowId>) -> Decision {
        let Some(draft) = &self.case.draft else {
            return Decision::nothing("no draft was waiting");
        };
        let superseded = ApprovalSuperseded {
            response_queue_id: draft.id,
            workflow_id: draft.workflow_id,
            conversation_id: draft.conversation_id.clone(),
            merged_into: successor,
        };
        Decision::done()
            .change(DraftUpdate::withdrawn(
                draft.id,
                status,
                // A late, older text: the same workflow drafts again.
                successor.filter(|workflow| *workflow != draft.workflow_id),
                self.now,
            ))
            .emit(&superseded, self.id(), draft.workflow_id)
    }

    /// Closes an open turn without an answer.
    pub(super) fn close_open_turn(&self) -> Decision {
        let closed = Decision::done().change(ConversationUpdate {
            open_turn: Some((self.next_turn(), self.workflow())),
            close_turn: true,
            ..self.conversation_update()
        });
        let Some(open) = self
            .conversation
            .turn_workflow
            .filter(|_| self.conversation.turn_open)
        else {
            return closed;
        };
        let closed = closed
            .change(suppressed(open, self.now))
            .and(self.withdraw_draft("suppressed", None));
        if self.case.draft.is_none() {
            closed.reply(Reply::Workflow(open))
        } else {
            closed
        }
    }

    pub(super) fn handing_over(&self, kind: EscalationType) -> Handover<'_> {
        Handover {
            cause: self.event.envelope.id,
            workflow: self.workflow(),
            conversation: self.id(),
            tenant_id: self
                .sms()
                .tenant_id
                .clone()
                .or_else(|| self.conversation.tenant_id.clone()),
            tenant_name: None,
            phone: &self.sms().phone_number,
            kind,
            severity: kind.default_severity(),
            reason: kind.default_reason().to_owned(),
            message: Some(self.sms().content.clone()),
            draft: None,
            by: None,
        }
    }
}
