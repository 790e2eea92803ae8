//! Did the text reach the SMS Agent, once?
//!
//! in: `reply.approved` · out: `reply.sent`, `delivery.failed`, `delivery.suppressed`, `escalation.raised`
//!
//! The agent forgets nothing and promises nothing: the same request twice is two texts. So the
//! intent is committed first; a redelivery that finds an intent without a result looks in the
//! agent's history before it repeats anything; and what stays unclear goes to a person.

mod text;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use self::text::Text;
use super::handover::{Handover, HandoverSettings};
use crate::domain::{DeliveryKind, EscalationType, EventId, Outcome, StepName, WorkflowStatus};
use crate::engine::{Decision, Effect, EffectResult, Incoming, Io, Reply, Stage, StageError};
use crate::events::{DeliveryFailed, ReplyApproved};
use crate::neighbours::sms_agent::{LookResult, SendResult};
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate};
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
            .change(
                Step::done(reply.workflow_id, StepName::ResponseSent, now)
                    .failed(json!({ "reason": reason, "detail": detail })),
            )
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

#[cfg(test)]
mod tests;
