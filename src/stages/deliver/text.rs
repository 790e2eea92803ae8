//! A released text: what each fate changes and says.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Event, answer};
use crate::domain::{Action, DeliveryId, DeliveryKind, Outcome, StepName, WorkflowStatus};
use crate::engine::{Decision, Effect};
use crate::events::{DeliverySuppressed, Neighbour, ReplyApproved, ReplySent};
use crate::store::Case;
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate, NewDelivery};
use crate::store::drafts::DraftUpdate;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// A released text with everything its fate depends on.
pub(super) struct Text<'a> {
    pub(super) event: &'a Event,
    pub(super) case: &'a Case,
    pub(super) now: DateTime<Utc>,
}

impl Text<'_> {
    fn reply(&self) -> &ReplyApproved {
        &self.event.body
    }

    fn id(&self) -> DeliveryId {
        self.reply().delivery_id
    }

    pub(super) fn intent_age(&self) -> TimeDelta {
        self.case
            .delivery
            .as_ref()
            .map_or(TimeDelta::zero(), |d| self.now - d.intended_at)
    }

    fn effect(&self) -> Effect {
        Effect::SendText {
            delivery: self.id(),
            to: self.reply().phone_number.clone(),
            body: self.reply().text.clone(),
            intended_at: self.now,
        }
    }

    fn new_delivery(&self, status: DeliveryStatus) -> NewDelivery {
        let reply = self.reply();
        NewDelivery {
            id: reply.delivery_id,
            draft_id: reply.draft_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            phone: reply.phone_number.clone(),
            kind: reply.kind,
            body: reply.text.clone(),
            status,
            newest_known_message: reply.newest_known_message,
            reply_subject: None,
            at: self.now,
        }
    }

    /// The intent closes the turn: from here on the reply counts as having left.
    pub(super) fn send_first(&self) -> Decision {
        Decision::act(self.effect())
            .change(self.new_delivery(DeliveryStatus::Intended))
            .change(ConversationUpdate::closing(&self.reply().conversation_id))
    }

    pub(super) fn send_again(&self) -> Decision {
        Decision::act(self.effect()).change(DeliveryUpdate {
            attempt_begins: true,
            ..DeliveryUpdate::to(self.id(), DeliveryStatus::Intended, self.now)
        })
    }

    pub(super) fn noted(&self, status: DeliveryStatus, detail: &str) -> Decision {
        Decision::done()
            .change(DeliveryUpdate {
                error: Some(detail.to_owned()),
                ..DeliveryUpdate::to(self.id(), status, self.now)
            })
            .change(WorkflowUpdate {
                degraded: vec![Neighbour::SmsAgent],
                ..WorkflowUpdate::of(self.reply().workflow_id, self.now)
            })
    }

    /// Whether a result is about the attempt that the row knows, and its fate is still open.
    pub(super) fn is_present(&self, intended_at: DateTime<Utc>) -> bool {
        self.case
            .delivery
            .as_ref()
            .is_some_and(|d| !d.status.is_final() && d.intended_at == intended_at)
    }

    /// Whoever waits is told after the first attempt, whatever came of it; what comes later is
    /// read from the status.
    pub(super) fn first_answer(&self) -> Decision {
        let told = self
            .case
            .delivery
            .as_ref()
            .is_some_and(|d| d.attempts > 1 || d.last_error.is_some());
        if told {
            return Decision::nothing("nobody waits any more");
        }
        Decision::done().reply(answer(self.event))
    }

    pub(super) fn sent(
        &self,
        message_id: Option<String>,
        twilio_sid: Option<String>,
        agent_conversation: Option<i64>,
        found_in_history: bool,
    ) -> Decision {
        let reply = self.reply();
        let began = self
            .case
            .delivery
            .as_ref()
            .map_or(self.now, |d| d.intended_at);
        let outcome = match reply.kind {
            DeliveryKind::Auto => Outcome::AutoSent,
            DeliveryKind::Approved => Outcome::ManagerApproved,
            DeliveryKind::Modified => Outcome::ManagerModified,
        };
        let sent = ReplySent {
            delivery_id: reply.delivery_id,
            draft_id: reply.draft_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            kind: reply.kind,
            sms_message_id: message_id.clone(),
            twilio_sid: twilio_sid.clone(),
            sent_at: self.now,
            found_in_history,
        };
        Decision::done()
            .change(DeliveryUpdate {
                sms_message_id: message_id,
                twilio_sid,
                ..DeliveryUpdate::to(reply.delivery_id, DeliveryStatus::Sent, self.now)
            })
            .change(WorkflowUpdate {
                outcome: Some(outcome),
                ended: true,
                final_result: true,
                ..WorkflowUpdate::to(
                    reply.workflow_id,
                    WorkflowStatus::Sent,
                    StepName::ResponseSent,
                    self.now,
                )
            })
            .change(ConversationUpdate {
                last_outbound_at: Some(self.now),
                agent_conversation_id: agent_conversation,
                ..ConversationUpdate::of(&reply.conversation_id)
            })
            .change(
                Step::done(reply.workflow_id, StepName::ResponseSent, self.now)
                    .since(began)
                    .with(json!({ "found_in_history": found_in_history })),
            )
            .emit(&sent, &reply.conversation_id, reply.workflow_id)
            .and(self.first_answer())
    }

    /// Not sent, and never will be.
    pub(super) fn suppress(&self, reason: &'static str) -> Decision {
        let reply = self.reply();
        let suppressed = DeliverySuppressed {
            delivery_id: reply.delivery_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            reason: reason.to_owned(),
        };
        let decision = match &self.case.delivery {
            None => Decision::done().change(self.new_delivery(DeliveryStatus::Suppressed)),
            Some(_) => Decision::done().change(DeliveryUpdate::to(
                reply.delivery_id,
                DeliveryStatus::Suppressed,
                self.now,
            )),
        };
        let overtaken = reason == "overtaken";
        let status = if overtaken {
            "superseded"
        } else {
            "suppressed"
        };
        let decision = decision
            .change(DraftUpdate::withdrawn(
                reply.draft_id,
                status,
                None,
                self.now,
            ))
            .emit(&suppressed, &reply.conversation_id, reply.workflow_id);
        if overtaken {
            // The newer text's turn has ended this workflow as merged, and told its caller.
            return decision;
        }
        let decision = decision.and(self.first_answer());
        decision.change(WorkflowUpdate {
            status: Some(WorkflowStatus::Completed),
            action: Some(Action::Suppressed),
            outcome: Some(Outcome::Suppressed),
            ended: true,
            ..WorkflowUpdate::of(reply.workflow_id, self.now)
        })
    }
}
