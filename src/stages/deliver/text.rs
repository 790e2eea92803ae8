//! A released text: what each fate changes and says.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Event, answer};
use crate::domain::{Action, DeliveryId, DeliveryKind, EventId, Outcome, StepName, WorkflowStatus};
use crate::engine::{Decision, Effect};
use crate::events::{
    ConsentRevoked, DeliveryHeld, DeliverySuppressed, Neighbour, ReplyApproved, ReplySent,
};
use crate::rules::gate::{self, Gate, Judgement, Permit, Request, RuleId, Standing};
use crate::store::Case;
use crate::store::consents::ConsentChange;
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate, Held, NewDelivery};
use crate::store::drafts::DraftUpdate;
use crate::store::gate_decisions::GateDecision;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// A released text with everything its fate depends on.
pub(super) struct Text<'a> {
    pub(super) event: &'a Event,
    pub(super) case: &'a Case,
    pub(super) gate: &'a Gate,
    pub(super) now: DateTime<Utc>,
}

impl Text<'_> {
    pub(super) fn reply(&self) -> &ReplyApproved {
        &self.event.body.reply
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

    /// How long it might have left already.
    pub(super) fn due_since(&self) -> TimeDelta {
        let not_before = self.case.delivery.as_ref().and_then(|d| d.not_before);
        not_before.map_or(TimeDelta::zero(), |at| self.now - at)
    }

    pub(super) fn is_due(&self) -> bool {
        self.due_since() >= TimeDelta::zero()
    }

    /// No attempt was made yet: the first one closes the turn of an automatic reply.
    fn is_new(&self) -> bool {
        self.case.delivery.as_ref().is_none_or(|d| d.attempts == 0)
    }

    /// A newer text has taken the turn over, and its draft answers this one's too.
    pub(super) fn is_overtaken(&self) -> bool {
        let auto = self.reply().kind == DeliveryKind::Auto;
        auto && self.is_new() && !self.case.is_current(self.reply().turn)
    }

    /// The tenant has written since a manager released it. A manager's word stands against a text
    /// of the next second, not against a night.
    pub(super) fn is_stale(&self) -> bool {
        let reply = self.reply();
        let released = matches!(reply.kind, DeliveryKind::Approved | DeliveryKind::Modified);
        let newest = self
            .case
            .conversation
            .as_ref()
            .map_or(reply.turn, |c| c.turn);
        released && self.is_new() && newest > reply.turn && !reply.override_superseded
    }

    /// Asks the gate about this very text in this very moment.
    pub(super) fn judge(&self) -> Judgement {
        let (reply, case) = (self.reply(), self.case);
        let request = Request {
            delivery: reply.delivery_id,
            to: &reply.phone_number,
            kind: reply.kind,
            text: &reply.text,
            property: reply.property.as_deref(),
            released_at: reply
                .answers_text_of
                .unwrap_or(self.event.envelope.received_at),
            overridden: reply.overridden.as_ref(),
            // Asked when it was released; amounts of a manager cannot change on the way.
            unexplained: &[],
        };
        let conversation = case.conversation.as_ref();
        let standing = Standing {
            opted_out: case.opted_out,
            holds: &case.holds,
            quiet: &case.quiet,
            proven: case.proven,
            introduced: conversation.is_some_and(|c| c.introduced),
            last_inbound_at: conversation.and_then(|c| c.last_inbound_at),
            sent_last_hour: case.sent_last_hour,
            started_last_week: case.started_last_week,
        };
        self.gate.judge(&request, &standing, self.now)
    }

    /// The verdict as a row.
    pub(super) fn kept(&self, judgement: Judgement) -> GateDecision {
        let reply = self.reply();
        GateDecision {
            delivery: reply.delivery_id,
            conversation_id: reply.conversation_id.clone(),
            kind: reply.kind,
            judgement,
            overridden: reply.overridden.clone(),
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
            permit: None,
            held: None,
            error: None,
            newest_known_message: reply.newest_known_message,
            reply_subject: None,
            at: self.now,
        }
    }

    /// The intent. The first one closes the turn of an automatic reply: from here on it counts as
    /// having left.
    pub(super) fn send(&self, permit: Permit) -> Decision {
        let reply = self.reply();
        let introduces = gate::introduces(&reply.text).then_some(self.now);
        let closes = reply.kind == DeliveryKind::Auto && self.is_new();
        let intended = DeliveryStatus::Intended;
        let decision = Decision::act(Effect::SendText {
            permit: permit.clone(),
        });
        let decision = match &self.case.delivery {
            None => decision.change(NewDelivery {
                permit: Some(permit),
                ..self.new_delivery(intended)
            }),
            Some(_) => decision.change(DeliveryUpdate {
                permit: Some(permit),
                ..DeliveryUpdate::to(self.id(), intended, self.now)
            }),
        };
        if !closes && introduces.is_none() {
            return decision;
        }
        decision.change(ConversationUpdate {
            close_turn: closes,
            introduced_at: introduces,
            ..ConversationUpdate::of(&reply.conversation_id)
        })
    }

    /// Not at this hour. Everything that is needed to ask again is in the row, and the message is
    /// handled: hours are no time to hold a place on the stream.
    pub(super) fn hold(&self, until: DateTime<Utc>, rules: &[RuleId]) -> Decision {
        let reply = self.reply();
        let held = DeliveryHeld {
            delivery_id: reply.delivery_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            not_before: until,
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        };
        let row = Some(Held {
            not_before: until,
            released: json!(reply),
        });
        let decision = match &self.case.delivery {
            None => Decision::done().change(NewDelivery {
                held: row,
                ..self.new_delivery(DeliveryStatus::Held)
            }),
            Some(_) => Decision::done().change(DeliveryUpdate {
                held: row,
                ..DeliveryUpdate::to(self.id(), DeliveryStatus::Held, self.now)
            }),
        };
        decision
            .change(self.not_sent_because(json!({ "held_until": until, "rules": rules })))
            .emit(&held, &reply.conversation_id, reply.workflow_id)
            .and(self.first_answer())
    }

    fn not_sent_because(&self, why: Value) -> Step {
        Step::done(self.reply().workflow_id, StepName::ResponseSent, self.now)
            .skipped("not sent")
            .with(why)
    }

    pub(super) fn noted(&self, status: DeliveryStatus, detail: &str) -> Decision {
        Decision::done()
            .change(DeliveryUpdate {
                error: Some(detail.to_owned()),
                ..DeliveryUpdate::to(self.id(), status, self.now)
            })
            .change(self.without_the_agent())
    }

    /// Released, and nobody to hand it to. The row says so, for whoever asks.
    pub(super) fn waiting(&self, detail: &str) -> Decision {
        match &self.case.delivery {
            None => Decision::done()
                .change(NewDelivery {
                    error: Some(detail.to_owned()),
                    ..self.new_delivery(DeliveryStatus::Waiting)
                })
                .change(self.without_the_agent()),
            // Known already: nothing to write a thousand times.
            Some(known)
                if known.status == DeliveryStatus::Waiting && known.last_error.is_some() =>
            {
                Decision::done()
            }
            Some(_) => self.noted(DeliveryStatus::Waiting, detail),
        }
    }

    fn without_the_agent(&self) -> WorkflowUpdate {
        WorkflowUpdate {
            degraded: vec![Neighbour::SmsAgent],
            ..WorkflowUpdate::of(self.reply().workflow_id, self.now)
        }
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
        let told =
            self.case.delivery.as_ref().is_some_and(|d| {
                d.attempts > 1 || d.last_error.is_some() || d.not_before.is_some()
            });
        if told {
            return Decision::nothing("nobody waits any more");
        }
        Decision::done().reply_if(answer(self.event))
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
            DeliveryKind::Auto | DeliveryKind::Help | DeliveryKind::Reminder => {
                Some(Outcome::AutoSent)
            }
            DeliveryKind::Approved => Some(Outcome::ManagerApproved),
            DeliveryKind::Modified => Some(Outcome::ManagerModified),
            // Their workflows ended, or are a person's, before the text left.
            DeliveryKind::Confirmation | DeliveryKind::Crisis => None,
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
        let ended = outcome.map(|outcome| WorkflowUpdate {
            outcome: Some(outcome),
            ended: true,
            final_result: true,
            ..WorkflowUpdate::to(
                reply.workflow_id,
                WorkflowStatus::Sent,
                StepName::ResponseSent,
                self.now,
            )
        });
        Decision::done()
            .change(DeliveryUpdate {
                sms_message_id: message_id,
                twilio_sid,
                ..DeliveryUpdate::to(reply.delivery_id, DeliveryStatus::Sent, self.now)
            })
            .changes(ended.map(Into::into))
            .change(ConversationUpdate {
                last_outbound_at: Some(self.now),
                agent_conversation_id: agent_conversation,
                ..ConversationUpdate::of(&reply.conversation_id)
            })
            .change(
                Step::done(reply.workflow_id, StepName::ResponseSent, self.now)
                    .since(began)
                    .with(json!({ "found_in_history": found_in_history, "kind": reply.kind })),
            )
            .emit(&sent, &reply.conversation_id, reply.workflow_id)
            .and(self.first_answer())
    }

    /// The provider knows of an opt-out that we did not hear: it holds from now on here too (R1).
    pub(super) fn refused_by_the_provider(&self) -> Decision {
        let reply = self.reply();
        let decision = self.suppress("opted_out", &["R4"]);
        if self.case.opted_out {
            return decision;
        }
        let revoked = ConsentRevoked {
            phone_number: reply.phone_number.clone(),
            conversation_id: Some(reply.conversation_id.clone()),
            workflow_id: Some(reply.workflow_id),
            source: "carrier".to_owned(),
            entered_by: None,
            revoked_at: self.now,
        };
        decision
            .change(ConsentChange {
                id: EventId(reply.delivery_id.0).row("consent"),
                phone: reply.phone_number.clone(),
                opted_out: true,
                source: "carrier",
                conversation_id: Some(reply.conversation_id.clone()),
                workflow_id: Some(reply.workflow_id),
                entered_by: None,
                note: None,
                proof: None,
                at: self.now,
            })
            .emit(&revoked, &reply.conversation_id, reply.workflow_id)
    }

    /// Not sent, and never will be.
    pub(super) fn suppress(&self, reason: &'static str, rules: &[RuleId]) -> Decision {
        let reply = self.reply();
        let suppressed = DeliverySuppressed {
            delivery_id: reply.delivery_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            reason: reason.to_owned(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
        };
        let decision = match &self.case.delivery {
            None => Decision::done().change(NewDelivery {
                error: Some(reason.to_owned()),
                ..self.new_delivery(DeliveryStatus::Suppressed)
            }),
            Some(_) => Decision::done().change(DeliveryUpdate {
                error: Some(reason.to_owned()),
                ..DeliveryUpdate::to(reply.delivery_id, DeliveryStatus::Suppressed, self.now)
            }),
        };
        let status = match reason {
            "overtaken" | "stale" => "superseded",
            "rule_refused" | "balance_changed" => "escalated",
            _ => "suppressed",
        };
        let draft = reply
            .draft_id
            .map(|draft| DraftUpdate::withdrawn(draft, status, None, self.now));
        let decision = decision.changes(draft.map(Into::into)).emit(
            &suppressed,
            &reply.conversation_id,
            reply.workflow_id,
        );
        // The newer text's turn has ended this workflow as merged, and told its caller; an opt-out
        // and a call for help have their outcome without their fixed text.
        let ended = reason == "overtaken"
            || matches!(
                reply.kind,
                DeliveryKind::Confirmation | DeliveryKind::Crisis
            );
        if ended {
            return decision;
        }
        decision
            .and(self.first_answer())
            .change(self.not_sent_because(json!({ "suppressed": reason, "rules": rules })))
            .change(WorkflowUpdate {
                status: Some(WorkflowStatus::Completed),
                action: Some(Action::Suppressed),
                outcome: Some(Outcome::Suppressed),
                ended: true,
                ..WorkflowUpdate::of(reply.workflow_id, self.now)
            })
    }
}
