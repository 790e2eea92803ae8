//! Did the text reach the SMS Agent, once?
//!
//! in: `reply.approved` · out: `reply.sent`, `delivery.failed`, `delivery.suppressed`, `escalation.raised`
//!
//! The agent forgets nothing and promises nothing: the same request twice is two texts. So the
//! intent is committed first; a redelivery that finds an intent without a result looks in the
//! agent's history before it repeats anything; and what stays unclear goes to a person.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::handover::{Handover, HandoverSettings};
use crate::domain::{
    Action, DeliveryId, DeliveryKind, EscalationType, EventId, Outcome, StepName, WorkflowStatus,
};
use crate::engine::{Decision, Effect, EffectResult, Incoming, Io, Reply, Stage, StageError};
use crate::events::{DeliveryFailed, DeliverySuppressed, Neighbour, ReplyApproved, ReplySent};
use crate::neighbours::sms_agent::{LookResult, SendResult};
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate, NewDelivery};
use crate::store::drafts::DraftUpdate;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, ConsentUse, Needs};

/// How texts are sent and repeated.
#[derive(Debug, Clone)]
pub struct DeliverSettings {
    /// `SMS_MAX_PARALLEL`: sends at once, per replica (`upstreams.md` §2.1: 10 per deployment).
    pub parallel: usize,
    /// `SMS_LOOK_AFTER_SECONDS`: how old an intent must be before "no row at the agent" means
    /// "not sent". Longer than a send may take.
    pub look_after: TimeDelta,
    /// `SMS_GIVE_UP_HOURS`: how long a text that cannot be sent is tried.
    pub give_up_after: TimeDelta,
    /// `SMS_RETRY_BASE_MS`: the first pause between tries, doubled up to 30 s.
    pub retry_base: Duration,
}

/// Pauses between looks at a row that is still `pending`: 30 s each until this old, then a person.
const PENDING_FOR: TimeDelta = TimeDelta::minutes(13);

/// The stage.
pub struct Deliver {
    /// How.
    pub settings: DeliverSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
}

type Event = Incoming<ReplyApproved>;

impl Stage for Deliver {
    const NAME: &'static str = "deliver";
    const DEAD_KIND: &'static str = "sms";
    const WAITS_FOR_ITS_TURN: bool = true;
    type In = ReplyApproved;
    type Found = ();

    fn concurrency(&self, _default: usize) -> usize {
        self.settings.parallel
    }

    async fn gather(&self, _event: &Event, _io: &Io) -> Result<(), StageError> {
        Ok(())
    }

    fn needs(&self, event: &Event, (): &()) -> Needs {
        let reply = &event.body;
        Needs {
            conversation: Some(reply.conversation_id.clone()),
            lock: true,
            consent: Some((reply.phone_number.clone(), ConsentUse::HoldToSend)),
            delivery: Some(reply.delivery_id),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, (): &(), case: &Case, now: DateTime<Utc>) -> Decision {
        let text = Text { event, case, now };
        let status = case.delivery.as_ref().map(|d| d.status);
        match status {
            Some(done) if done.is_final() => Decision::nothing("its fate is known"),
            // We died, or the answer was unclear, after the intent.
            Some(DeliveryStatus::Intended) => self.look_or_wait(&text),
            _ if case.opted_out => text.suppress("opted_out"),
            None if event.body.kind == DeliveryKind::Auto && !case.is_current(event.body.turn) => {
                text.suppress("overtaken")
            }
            // Strictly one after the other within a conversation.
            _ if case.other_in_flight => {
                Decision::wait(Duration::from_millis(300), "another text is with the agent")
            }
            Some(_) => text.send_again(),
            None => text.send_first(),
        }
    }

    fn conclude(
        &self,
        event: &Event,
        (): &(),
        result: &EffectResult,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let text = Text { event, case, now };
        match result {
            EffectResult::Sent {
                result:
                    SendResult::Accepted {
                        message_id,
                        twilio_sid,
                        conversation,
                    },
                ..
            } => text.sent(message_id.clone(), twilio_sid.clone(), *conversation, false),
            EffectResult::Looked {
                result:
                    LookResult::Found {
                        message_id,
                        twilio_sid,
                    },
                ..
            } => text.sent(Some(message_id.clone()), twilio_sid.clone(), None, true),
            // A worker that slept: another one has begun an attempt since, or has ended them all.
            // Good news is always true; anything else is no longer about the present.
            EffectResult::Sent { intended_at, .. } | EffectResult::Looked { intended_at, .. }
                if !text.is_present(*intended_at) =>
            {
                Decision::wait(Duration::from_millis(300), "another attempt has begun")
            }
            EffectResult::Sent { result, .. } => self.after_sending(&text, result),
            EffectResult::Looked { result, .. } => self.after_looking(&text, result),
            EffectResult::Notified(_) => {
                Decision::never("configuration", "not an answer to a text")
            }
        }
    }

    /// The text is given up: a person learns that the tenant may not have it, or may have it.
    fn give_up(&self, event: &Event, reason: &str, now: DateTime<Utc>) -> Decision {
        self.failed(event, reason, "given up; see the dead letter", now)
            .reply(answer(event))
    }
}

/// To whoever waits for this text: the tenant's text's caller, or the manager.
fn answer(event: &Event) -> Reply {
    match event.body.kind {
        DeliveryKind::Auto => Reply::Workflow(event.body.workflow_id),
        DeliveryKind::Approved | DeliveryKind::Modified => Reply::Approval {
            draft: event.body.draft_id,
            to: None,
            already: false,
            correlation_id: event.envelope.correlation_id.clone(),
        },
    }
}

impl Deliver {
    fn after_sending(&self, text: &Text<'_>, result: &SendResult) -> Decision {
        match result {
            SendResult::Accepted { .. } => Decision::nothing("decided before"),
            SendResult::NotSent { after, detail } => self.not_sent(text, *after, detail),
            SendResult::Unclear(detail) => text
                .noted(DeliveryStatus::Intended, detail)
                .and(text.first_answer())
                .later(self.until_look(text), detail),
            SendResult::Refused {
                reason: "permanent_failure",
                detail,
            } => self
                .failed(text.event, "permanent_failure", detail, text.now)
                .and(text.first_answer()),
            SendResult::Refused { reason, detail } => Decision::never(reason, detail.clone()),
        }
    }

    fn after_looking(&self, text: &Text<'_>, result: &LookResult) -> Decision {
        match result {
            LookResult::Found { .. } => Decision::nothing("decided before"),
            // The look took time: the tenant may have said STOP meanwhile.
            LookResult::NotThere if text.case.opted_out => text.suppress("opted_out"),
            LookResult::NotThere => text.send_again(),
            LookResult::Pending if text.intent_age() > PENDING_FOR => {
                Decision::never("unknown_outcome", "the agent still has it as pending")
            }
            LookResult::Pending => {
                Decision::wait(Duration::from_secs(30), "the agent has it as pending")
            }
            LookResult::Unavailable(why) if text.intent_age() > self.settings.give_up_after => {
                Decision::never("unknown_outcome", why.clone())
            }
            LookResult::Unavailable(why) => Decision::wait(self.pause(text), why.clone()),
        }
    }

    fn look_or_wait(&self, text: &Text<'_>) -> Decision {
        let wait = self.until_look(text);
        if !wait.is_zero() {
            return Decision::wait(wait, "an earlier attempt may still be under way");
        }
        let reply = &text.event.body;
        Decision::act(Effect::LookForText {
            to: reply.phone_number.clone(),
            body: reply.text.clone(),
            newer_than: text
                .case
                .delivery
                .as_ref()
                .map_or(0, |d| d.newest_known_message),
            claimed: text.case.claimed.clone(),
            intended_at: text
                .case
                .delivery
                .as_ref()
                .map_or(text.now, |d| d.intended_at),
        })
    }

    fn until_look(&self, text: &Text<'_>) -> Duration {
        (self.settings.look_after - text.intent_age())
            .to_std()
            .unwrap_or_default()
    }

    /// Doubles with every attempt, up to 30 s: the message holds a place among the unacknowledged.
    fn pause(&self, text: &Text<'_>) -> Duration {
        let attempts = text.case.delivery.as_ref().map_or(1, |d| d.attempts);
        let doublings = u32::try_from(attempts.clamp(1, 12) - 1).unwrap_or(0);
        (self.settings.retry_base * 2_u32.pow(doublings)).min(Duration::from_secs(30))
    }

    /// Certainly not sent: tried again until the patience ends.
    fn not_sent(&self, text: &Text<'_>, after: Option<Duration>, detail: &str) -> Decision {
        let age = text.now - text.event.envelope.received_at;
        if age > self.settings.give_up_after {
            return Decision::never("attempts_exhausted", detail.to_owned());
        }
        let pause = after
            .unwrap_or_default()
            .min(Duration::from_secs(30))
            .max(self.pause(text));
        text.noted(DeliveryStatus::Waiting, detail)
            .and(text.first_answer())
            .later(pause, detail)
    }

    /// It will not be sent; a person has it.
    fn failed(&self, event: &Event, reason: &str, detail: &str, now: DateTime<Utc>) -> Decision {
        let reply = &event.body;
        let kind = EscalationType::DeliveryFailed;
        let failed = DeliveryFailed {
            delivery_id: reply.delivery_id,
            workflow_id: reply.workflow_id,
            conversation_id: reply.conversation_id.clone(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
        };
        let status = if reason == "unknown_outcome" {
            DeliveryStatus::Unknown
        } else {
            DeliveryStatus::Failed
        };
        let handover = Handover {
            // Not the event's id: the answer to the manager names the escalation by the delivery's.
            cause: EventId(reply.delivery_id.0),
            workflow: reply.workflow_id,
            conversation: &reply.conversation_id,
            tenant_id: reply.tenant_id.clone(),
            tenant_name: None,
            phone: &reply.phone_number,
            kind,
            severity: kind.default_severity(),
            reason: said_to_the_manager(reply, reason, detail),
            message: None,
            draft: Some(reply.draft_id),
            by: None,
        };
        handover
            .raise(&self.handover, now)
            .change(DeliveryUpdate {
                error: Some(detail.to_owned()),
                ..DeliveryUpdate::to(reply.delivery_id, status, now)
            })
            .change(WorkflowUpdate {
                escalation: Some(handover.id()),
                error: Some(format!("{reason}: {detail}")),
                outcome: Some(Outcome::Escalated),
                ..WorkflowUpdate::to(
                    reply.workflow_id,
                    WorkflowStatus::Escalated,
                    StepName::Escalated,
                    now,
                )
            })
            .emit(&failed, &reply.conversation_id, reply.workflow_id)
    }
}

/// A manager who only reads "failed" would text again by hand, and the tenant would have it twice.
fn said_to_the_manager(reply: &ReplyApproved, reason: &str, detail: &str) -> String {
    let fate = if reason == "unknown_outcome" {
        "It is not known whether this text reached the tenant; look at the SMS Agent before texting again"
    } else {
        "This text could not be delivered"
    };
    format!("{fate} ({detail}): {}", reply.text)
}

/// A released text with everything its fate depends on.
struct Text<'a> {
    event: &'a Event,
    case: &'a Case,
    now: DateTime<Utc>,
}

impl Text<'_> {
    fn reply(&self) -> &ReplyApproved {
        &self.event.body
    }

    fn id(&self) -> DeliveryId {
        self.reply().delivery_id
    }

    fn intent_age(&self) -> TimeDelta {
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
    fn send_first(&self) -> Decision {
        Decision::act(self.effect())
            .change(self.new_delivery(DeliveryStatus::Intended))
            .change(ConversationUpdate::closing(&self.reply().conversation_id))
    }

    fn send_again(&self) -> Decision {
        Decision::act(self.effect()).change(DeliveryUpdate {
            attempt_begins: true,
            ..DeliveryUpdate::to(self.id(), DeliveryStatus::Intended, self.now)
        })
    }

    fn noted(&self, status: DeliveryStatus, detail: &str) -> Decision {
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
    fn is_present(&self, intended_at: DateTime<Utc>) -> bool {
        self.case
            .delivery
            .as_ref()
            .is_some_and(|d| !d.status.is_final() && d.intended_at == intended_at)
    }

    /// Whoever waits is told after the first attempt, whatever came of it; what comes later is
    /// read from the status.
    fn first_answer(&self) -> Decision {
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

    fn sent(
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
    fn suppress(&self, reason: &'static str) -> Decision {
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

#[cfg(test)]
mod tests;
