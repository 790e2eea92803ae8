//! Is the text new, and what turn does it open?
//!
//! in: `sms.received` · out: `turn.opened`, `escalation.raised`, `consent.revoked`, `approval.superseded`

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::handover::{Handover, HandoverSettings};
use crate::domain::{
    Action, ConversationId, EscalationType, OpenText, Outcome, StepName, WorkflowId, WorkflowStatus,
};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{ApprovalSuperseded, ConsentRevoked, Direction, SmsReceived, Turn, TurnOpened};
use crate::reading::{self, OptOut, Reading};
use crate::store::consents::ConsentChange;
use crate::store::conversations::{Conversation, ConversationUpdate, NewConversation};
use crate::store::drafts::DraftUpdate;
use crate::store::steps::Step;
use crate::store::texts::{NewText, TextsMoved};
use crate::store::workflows::{NewWorkflow, WorkflowUpdate};
use crate::store::{Case, Change, ConsentUse, DraftRef, Needs, SameText};

/// How duplicates are recognised.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// `DEDUPE_WINDOW_SECONDS`: for texts without a key and without a time.
    pub dedupe_window: TimeDelta,
}

/// The stage.
pub struct Intake {
    /// Duplicates.
    pub settings: IntakeSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
}

type Event = Incoming<SmsReceived>;

impl Stage for Intake {
    const NAME: &'static str = "intake";
    type In = SmsReceived;
    type Found = Reading;

    async fn gather(&self, event: &Event, _io: &Io) -> Result<Reading, StageError> {
        Ok(reading::read(&event.body.content))
    }

    fn needs(&self, event: &Event, reading: &Reading) -> Needs {
        let sms = &event.body;
        let create = NewConversation {
            id: sms.conversation_id.clone(),
            phone: sms.phone_number.clone(),
            tenant_id: sms.tenant_id.clone(),
        };
        if sms.direction == Direction::Outbound {
            return Needs {
                conversation: Some(sms.conversation_id.clone()),
                lock: true,
                create: Some(create),
                ..Needs::default()
            };
        }
        let consent = if reading.opt_out.is_some() {
            ConsentUse::Change
        } else {
            ConsentUse::Read
        };
        Needs {
            conversation: Some(sms.conversation_id.clone()),
            lock: true,
            create: Some(create),
            consent: Some((sms.phone_number.clone(), consent)),
            same_text: Some(same_text(event, self.settings.dedupe_window)),
            open_texts: true,
            draft: Some(DraftRef::Pending),
            delivery: None,
        }
    }

    fn decide(
        &self,
        event: &Event,
        reading: &Reading,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let sms = &event.body;
        let Some(conversation) = &case.conversation else {
            return Decision::retry(
                std::time::Duration::from_secs(1),
                "the conversation is missing",
            );
        };
        if sms.direction == Direction::Outbound {
            return note_outbound(event, now);
        }
        if let Some(first) = case.duplicate_of {
            let reply = event
                .envelope
                .reply_subject
                .clone()
                .map(|to| Reply::WorkflowTo {
                    workflow: first,
                    to,
                    duplicate: true,
                });
            return Decision::nothing("we have this text").reply_if(reply);
        }
        let text = Arrived {
            event,
            reading,
            case,
            conversation,
            now,
        };
        // Before anything else, opt-outs included (§12.14).
        if reading.triggers.contains(&EscalationType::SelfHarm) {
            return text.crisis(&self.handover);
        }
        if let Some(how) = reading.opt_out {
            return text.opt_out(how, &self.handover);
        }
        if case.opted_out {
            return text.suppress();
        }
        text.open_turn()
    }
}

/// How the text would be recognised if it came again.
fn same_text(event: &Event, window: TimeDelta) -> SameText {
    let sms = &event.body;
    match (&sms.message_sid, sms.timestamp) {
        (Some(key), _) => SameText::Key(key.clone()),
        (None, Some(_)) => SameText::Content(content_key(sms)),
        (None, None) => {
            SameText::ContentSince(content_key(sms), event.envelope.received_at - window)
        }
    }
}

fn content_key(sms: &SmsReceived) -> Vec<u8> {
    let mut hash = Sha256::new();
    let time = sms.timestamp.map(|t| t.to_rfc3339()).unwrap_or_default();
    for part in [
        sms.conversation_id.as_str(),
        sms.phone_number.as_str(),
        &time,
        &sms.content,
    ] {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// A text of ours that went out elsewhere: only its time matters.
fn note_outbound(event: &Event, now: DateTime<Utc>) -> Decision {
    let sms = &event.body;
    let body = serde_json::json!({
        "success": true,
        "status": "processed",
        "conversation_id": sms.conversation_id,
        "workflow_id": null,
        "timestamp": crate::engine::answers::stamp(now),
        "action_taken": Action::Ignored,
        "duplicate": false,
        "degraded": [],
        "correlation_id": event.envelope.correlation_id,
    });
    let reply = event.envelope.reply_subject.clone().map(|to| Reply::Ready {
        to,
        status: 200,
        body,
    });
    let sent_at = sms.timestamp.unwrap_or(event.envelope.received_at);
    Decision::done()
        .change(ConversationUpdate {
            last_outbound_at: Some(sent_at),
            ..ConversationUpdate::of(&sms.conversation_id)
        })
        .reply_if(reply)
}

/// A new text of a tenant, with everything its fate depends on.
struct Arrived<'a> {
    event: &'a Event,
    reading: &'a Reading,
    case: &'a Case,
    conversation: &'a Conversation,
    now: DateTime<Utc>,
}

impl Arrived<'_> {
    fn sms(&self) -> &SmsReceived {
        &self.event.body
    }

    fn id(&self) -> &ConversationId {
        &self.sms().conversation_id
    }

    fn workflow(&self) -> WorkflowId {
        WorkflowId(self.event.envelope.id.row("workflow"))
    }

    fn next_turn(&self) -> i64 {
        self.conversation.turn + 1
    }

    /// The text and its workflow are stored, whatever becomes of them.
    fn stored(&self) -> Decision {
        let (sms, envelope) = (self.sms(), &self.event.envelope);
        let stored = Decision::done()
            .change(NewText {
                id: envelope.id,
                conversation_id: sms.conversation_id.clone(),
                workflow_id: self.workflow(),
                turn: self.next_turn(),
                arrival: envelope.arrival,
                idempotency_key: sms.message_sid.clone(),
                content_key: content_key(sms),
                phone: sms.phone_number.clone(),
                tenant_id: sms.tenant_id.clone(),
                content: sms.content.clone(),
                triggers: self.reading.triggers.clone(),
                plan: self.reading.plan,
                sent_at: sms.timestamp,
                received_at: envelope.received_at,
                metadata: sms.metadata.clone(),
            })
            .change(NewWorkflow {
                id: self.workflow(),
                conversation_id: sms.conversation_id.clone(),
                tenant_id: sms.tenant_id.clone(),
                phone: sms.phone_number.clone(),
                turn: self.next_turn(),
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

    fn conversation_update(&self) -> ConversationUpdate {
        ConversationUpdate {
            last_inbound_at: Some(self.event.envelope.received_at),
            tenant_id: self.sms().tenant_id.clone(),
            ..ConversationUpdate::of(self.id())
        }
    }

    /// Opens a turn, or replaces the open one: the newest text's workflow carries it and answers
    /// all open texts, in the order they arrived.
    fn open_turn(&self) -> Decision {
        let own = OpenText {
            workflow_id: self.workflow(),
            content: self.sms().content.clone(),
            received_at: self.event.envelope.received_at,
            arrival: self.event.envelope.arrival,
            triggers: self.reading.triggers.clone(),
            plan: self.reading.plan,
        };
        let mut texts = self.case.open_texts.clone();
        texts.push(own);
        texts.sort_by_key(|text| text.arrival);
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
        };
        self.stored()
            .change(ConversationUpdate {
                open_turn: Some((turn.number, carrier)),
                ..self.conversation_update()
            })
            .and(self.replace_open_turn(carrier))
            .emit(&TurnOpened { turn }, self.id(), carrier)
    }

    /// What an open turn leaves behind when `carrier` takes over its texts.
    fn replace_open_turn(&self, carrier: WorkflowId) -> Decision {
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
    fn close_open_turn(&self) -> Decision {
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

    /// Nothing may be texted to this number.
    fn suppress(&self) -> Decision {
        self.stored()
            .and(self.close_open_turn())
            .change(suppressed(self.workflow(), self.now))
            .reply(Reply::Workflow(self.workflow()))
    }

    /// Takes effect with this commit: whatever is drafted or waiting is never sent.
    fn opt_out(&self, how: OptOut, settings: &HandoverSettings) -> Decision {
        let decision = self.suppress().and(self.revoke(how));
        // Their own words want a person's eyes: it may be more than an opt-out (§12.15).
        if how == OptOut::Keyword {
            return decision;
        }
        let handover = self.handover(EscalationType::OptOut);
        let mut decision = decision.and(handover.raise(settings, self.now));
        for change in &mut decision.changes {
            if let Change::Workflow(update) = change
                && update.id == self.workflow()
            {
                update.escalation = Some(handover.id());
            }
        }
        decision
    }

    /// The number may not be texted from now on.
    fn revoke(&self, how: OptOut) -> Decision {
        let source = match how {
            OptOut::Keyword => "keyword",
            OptOut::Wording => "wording",
        };
        let revoked = ConsentRevoked {
            phone_number: self.sms().phone_number.clone(),
            conversation_id: self.id().clone(),
            workflow_id: self.workflow(),
            source: source.to_owned(),
            revoked_at: self.event.envelope.received_at,
        };
        Decision::done()
            .change(ConsentChange {
                id: self.event.envelope.id.row("consent"),
                phone: self.sms().phone_number.clone(),
                opted_out: true,
                source,
                conversation_id: self.id().clone(),
                workflow_id: self.workflow(),
                at: self.event.envelope.received_at,
            })
            .emit(&revoked, self.id(), self.workflow())
    }

    /// A person is told at once; no model is asked.
    fn crisis(&self, settings: &HandoverSettings) -> Decision {
        let revoked = match self.reading.opt_out {
            Some(how) => self.revoke(how),
            None => Decision::nothing("only a call for help"),
        };
        let handover = self.handover(EscalationType::SelfHarm);
        self.stored()
            .and(self.close_open_turn())
            .and(revoked)
            .and(handover.raise(settings, self.now))
            .change(WorkflowUpdate {
                action: Some(Action::Escalated),
                outcome: Some(Outcome::Escalated),
                escalation: Some(handover.id()),
                ..WorkflowUpdate::to(
                    self.workflow(),
                    WorkflowStatus::Escalated,
                    StepName::Escalated,
                    self.now,
                )
            })
            .reply(Reply::Workflow(self.workflow()))
    }

    fn handover(&self, kind: EscalationType) -> Handover<'_> {
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

fn suppressed(workflow: WorkflowId, now: DateTime<Utc>) -> WorkflowUpdate {
    WorkflowUpdate {
        status: Some(WorkflowStatus::Completed),
        action: Some(Action::Suppressed),
        outcome: Some(Outcome::Suppressed),
        ended: true,
        ..WorkflowUpdate::of(workflow, now)
    }
}

#[cfg(test)]
mod tests;
