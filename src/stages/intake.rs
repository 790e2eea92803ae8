//! Is the text new, and what turn does it open?
//!
//! in: `sms.received` · out: `turn.opened`, `reply.approved`, `escalation.raised`, `consent.revoked`,
//! `consent.granted`, `consent.window_set`, `hold.placed`, `approval.superseded`

mod arrived;
mod heard;
mod stopped;
mod times;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use self::arrived::Arrived;
use self::heard::{Asked, Heard};
use super::handover::HandoverSettings;
use crate::domain::{Action, EscalationType, WorkflowId};
use crate::engine::answers::Problem;
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{Direction, SmsReceived, WorkflowFailed};
use crate::reading;
use crate::rules::gate::Gate;
use crate::store::conversations::{ConversationUpdate, NewConversation};
use crate::store::{Case, ConsentUse, DraftRef, Needs, SameText};

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
    /// The fixed answers.
    pub gate: Gate,
}

type Event = Incoming<SmsReceived>;

impl Stage for Intake {
    const NAME: &'static str = "intake";
    type In = SmsReceived;
    type Found = Heard;

    async fn gather(&self, event: &Event, _io: &Io) -> Result<Heard, StageError> {
        Ok(hear(event))
    }

    fn needs(&self, event: &Event, heard: &Heard) -> Needs {
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
        let consent = if heard.changes_what_may_be_texted() {
            ConsentUse::Change
        } else {
            ConsentUse::Read
        };
        Needs {
            conversation: Some(sms.conversation_id.clone()),
            lock: true,
            create: Some(create),
            consent: Some((sms.phone_number.clone(), consent)),
            tenant: sms.tenant_id.clone(),
            same_text: Some(same_text(event, self.settings.dedupe_window)),
            open_texts: true,
            draft: Some(DraftRef::Pending),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, heard: &Heard, case: &Case, now: DateTime<Utc>) -> Decision {
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
            heard,
            case,
            conversation,
            gate: &self.gate,
            handover: &self.handover,
            now,
        };
        // Before anything else, opt-outs included (§12.14).
        if heard.triggers.contains(&EscalationType::SelfHarm) {
            return text.crisis();
        }
        if let Some(how) = heard.opt_out {
            return text.opt_out(how);
        }
        match heard.keyword {
            Some(Asked::Start) => return text.opt_in(),
            Some(Asked::Help) if !case.opted_out => return text.help(),
            _ if case.opted_out => return text.suppress(),
            _ if !case.holds.is_empty() => return text.keep_on_hold().and(text.contact_window()),
            _ => {}
        }
        if heard.cease {
            return text.cease();
        }
        if let Some(code) = heard.matter {
            return text.sensitive(code).and(text.contact_window());
        }
        if heard.doubt {
            return text.doubt();
        }
        if text.hours_are_a_question() {
            return text.ask_for_hours();
        }
        text.open_turn().and(text.contact_window())
    }

    fn give_up(&self, event: &Event, reason: &str, now: DateTime<Utc>) -> Decision {
        given_up(event, reason, now)
    }
}

/// What matters at once about a text.
pub(super) fn hear(event: &Event) -> Heard {
    // The day relative dates count from; UTC, because nothing that is decided here depends on it.
    let today = event.envelope.received_at.date_naive();
    let text = &event.body.content;
    Heard::in_text(text, &reading::read(text, today))
}

/// A text that cannot even be stored: its caller hears that it failed, and managers that it exists.
fn given_up(event: &Event, reason: &str, now: DateTime<Utc>) -> Decision {
    let envelope = &event.envelope;
    let workflow = WorkflowId(envelope.id.row("workflow"));
    let failed = WorkflowFailed {
        workflow_id: workflow,
        conversation_id: event.body.conversation_id.clone(),
        stage: Intake::NAME.to_owned(),
        reason: reason.to_owned(),
        dead_letter_id: crate::engine::dead::letter_id(envelope, Intake::NAME),
    };
    let problem = Problem {
        status: 500,
        slug: "not-processed",
        title: "Not processed",
        code: "ORC_500",
        detail: "The text could not be processed; it is kept and a person will look".to_owned(),
        details: serde_json::json!({}),
        errors: Vec::new(),
    };
    let body = problem.body("/orchestrate/sms-received", &envelope.correlation_id, now);
    let reply = envelope.reply_subject.clone().map(|to| Reply::Ready {
        to,
        status: problem.status,
        body,
    });
    Decision::done()
        .emit(&failed, &event.body.conversation_id, workflow)
        .reply_if(reply)
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
        "workflow_status": null,
        "confidence": null,
        "response_queue_id": null,
        "escalation_id": null,
        "payment_plan_id": null,
        "merged_into": null,
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

#[cfg(test)]
mod tests;
