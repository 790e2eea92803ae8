//! Did the text reach the SMS Agent, once?
//!
//! in: `reply.approved`, `delivery.due` · out: `reply.sent`, `delivery.held`, `delivery.failed`,
//! `delivery.suppressed`, `consent.revoked`, `escalation.raised`
//!
//! The agent forgets nothing and promises nothing: the same request twice is two texts. So the
//! intent is committed first; a redelivery that finds an intent without a result looks in the
//! agent's history before it repeats anything; and what stays unclear goes to a person.
//!
//! Before every attempt the gate is asked, in the transaction of the intent and under the lock that an
//! opt-out takes: its permit is what the agent's client wants.

mod found;
mod release;
mod text;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub use self::found::{Balance, Found};
pub use self::release::Release;
use self::text::Text;
use super::handover::{Handover, HandoverSettings};
use crate::domain::{
    Action, DeliveryKind, EscalationType, EventId, Outcome, StepName, WorkflowStatus,
};
use crate::engine::{Decision, Effect, EffectResult, Incoming, Io, Reply, Stage, StageError};
use crate::events::{DeliveryFailed, ReplyApproved};
use crate::neighbours::sms_agent::{LookResult, SendResult};
use crate::rules::gate::{Gate, Verdict};
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

/// How long a woken text waits for the Monitor to say what is owed now, before a person looks.
const MONITOR_PATIENCE: TimeDelta = TimeDelta::hours(1);

/// The stage.
pub struct Deliver {
    /// How.
    pub settings: DeliverSettings,
    /// What may leave.
    pub gate: Gate,
    /// Who takes over.
    pub handover: HandoverSettings,
}

type Event = Incoming<Release>;

impl Stage for Deliver {
    const NAME: &'static str = "deliver";
    const DEAD_KIND: &'static str = "sms";
    const WAITS_FOR_ITS_TURN: bool = true;
    type In = Release;
    type Found = Found;

    fn concurrency(&self, _default: usize) -> usize {
        self.settings.parallel
    }

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        Ok(Found::of(event, io).await)
    }

    fn needs(&self, event: &Event, _found: &Found) -> Needs {
        let reply = &event.body.reply;
        Needs {
            conversation: Some(reply.conversation_id.clone()),
            lock: true,
            consent: Some((reply.phone_number.clone(), ConsentUse::HoldToSend)),
            tenant: reply.tenant_id.clone(),
            delivery: Some(reply.delivery_id),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let text = self.text(event, case, now);
        let status = case.delivery.as_ref().map(|d| d.status);
        match status {
            Some(done) if done.is_final() => Decision::nothing("its fate is known"),
            // We died, or the answer was unclear, after the intent.
            Some(DeliveryStatus::Intended) => self.look_or_wait(&text),
            // An older wake-up, or the release itself once more.
            Some(DeliveryStatus::Held) if !text.is_due() => Decision::nothing("not its hour yet"),
            _ if case.opted_out => self.ask_the_gate(&text, found.refused),
            _ if text.is_overtaken() => text.suppress("overtaken", &[]),
            Some(DeliveryStatus::Held) => self.measure_again(&text, *found),
            _ => self.ask_the_gate(&text, found.refused),
        }
    }

    fn conclude(
        &self,
        event: &Event,
        found: &Found,
        result: &EffectResult,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision {
        let text = self.text(event, case, now);
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
            // True whoever heard it, and however late.
            EffectResult::Sent {
                result: SendResult::OptedOut,
                ..
            } => text.refused_by_the_provider(),
            // A worker that slept: another one has begun an attempt since, or has ended them all.
            // Good news is always true; anything else is no longer about the present.
            EffectResult::Sent { intended_at, .. } | EffectResult::Looked { intended_at, .. }
                if !text.is_present(*intended_at) =>
            {
                Decision::wait(Duration::from_millis(300), "another attempt has begun")
            }
            EffectResult::Sent { result, .. } => self.after_sending(&text, result),
            EffectResult::Looked { result, .. } => self.after_looking(&text, result, found.refused),
            EffectResult::Notified(_) => {
                Decision::never("configuration", "not an answer to a text")
            }
        }
    }

    /// The text is given up: a person learns that the tenant may not have it, or may have it.
    fn give_up(&self, event: &Event, reason: &str, now: DateTime<Utc>) -> Decision {
        self.failed(event, reason, "given up; see the dead letter", now)
            .reply_if(answer(event))
    }
}

/// To whoever waits for this text: the tenant's text's caller, or the manager. Nobody waits for a
/// confirmation or for the answer to a call for help: those callers know already.
fn answer(event: &Event) -> Option<Reply> {
    let reply = &event.body.reply;
    match reply.kind {
        DeliveryKind::Auto | DeliveryKind::Help | DeliveryKind::Reminder => {
            Some(Reply::Workflow(reply.workflow_id))
        }
        DeliveryKind::Approved | DeliveryKind::Modified => {
            reply.draft_id.map(|draft| Reply::Approval {
                draft,
                to: None,
                already: false,
                correlation_id: event.envelope.correlation_id.clone(),
            })
        }
        DeliveryKind::Confirmation | DeliveryKind::Crisis => None,
    }
}

impl Deliver {
    fn text<'a>(&'a self, event: &'a Event, case: &'a Case, now: DateTime<Utc>) -> Text<'a> {
        Text {
            event,
            case,
            gate: &self.gate,
            now,
        }
    }

    /// The gate's word, kept with the decision it led to.
    fn ask_the_gate(&self, text: &Text<'_>, refused: Option<Duration>) -> Decision {
        let judgement = text.judge();
        let decision = match &judgement.verdict {
            // Strictly one after the other within a conversation. The permit is dropped unused.
            Verdict::Permit(_) if text.case.other_in_flight => {
                return Decision::wait(
                    Duration::from_millis(300),
                    "another text is with the agent",
                );
            }
            // It may be sent, but nobody would take it. No intent: none is needed to do nothing.
            Verdict::Permit(_) if refused.is_some() => {
                return self.agent_left_alone(text, refused.unwrap_or_default());
            }
            Verdict::Permit(permit) => text.send(permit.clone()),
            Verdict::Wait { until } => text.hold(*until, &judgement.rules),
            Verdict::Refuse {
                reason: "rule_refused",
            } if !text.reply().kind.is_fixed() => {
                let why = format!("A rule forbids the text ({}).", judgement.rules.join(", "));
                self.to_a_person(text, "rule_refused", &judgement.rules, why)
            }
            Verdict::Refuse { reason } => text.suppress(reason, &judgement.rules),
        };
        decision.change(text.kept(judgement))
    }

    /// Its hour has come. What was true when it was released may not be any more (R9).
    fn measure_again(&self, text: &Text<'_>, found: Found) -> Decision {
        if text.is_stale() {
            return text.suppress("stale", &["R9"]);
        }
        let reply = text.reply();
        match found.balance {
            Balance::Now(now) if now != reply.balance => {
                let why =
                    "What the tenant owes has changed while the text waited for contact hours.";
                self.to_a_person(text, "balance_changed", &["R9", "R17"], why.to_owned())
            }
            Balance::Unavailable if text.due_since() < MONITOR_PATIENCE => {
                Decision::wait(Duration::from_secs(30), "nobody says what is owed now")
            }
            Balance::Unavailable => {
                let why = "The text waited for contact hours, and nobody can say what is owed now.";
                self.to_a_person(text, "balance_changed", &["R9", "R17"], why.to_owned())
            }
            Balance::Now(_) | Balance::NotAsked => self.ask_the_gate(text, found.refused),
        }
    }

    /// It is not sent, and the tenant must not go without an answer for that.
    fn to_a_person(
        &self,
        text: &Text<'_>,
        reason: &'static str,
        rules: &[&'static str],
        why: String,
    ) -> Decision {
        let reply = text.reply();
        let kind = EscalationType::Manual;
        let handover = Handover {
            cause: EventId(reply.delivery_id.0),
            workflow: reply.workflow_id,
            conversation: &reply.conversation_id,
            tenant_id: reply.tenant_id.clone(),
            tenant_name: None,
            phone: &reply.phone_number,
            kind,
            severity: kind.default_severity(),
            reason: format!("{why} It was not sent: {}", reply.text),
            message: None,
            draft: reply.draft_id,
            by: None,
        };
        let escalation = handover.id();
        text.suppress(reason, rules)
            .amending(|update| {
                update.status = Some(WorkflowStatus::Escalated);
                update.action = Some(Action::Escalated);
                update.outcome = Some(Outcome::Escalated);
                update.escalation = Some(escalation);
            })
            .and(handover.raise(&self.handover, text.now))
    }

    fn after_sending(&self, text: &Text<'_>, result: &SendResult) -> Decision {
        match result {
            SendResult::Accepted { .. } | SendResult::OptedOut => {
                Decision::nothing("decided before")
            }
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

    fn after_looking(
        &self,
        text: &Text<'_>,
        result: &LookResult,
        refused: Option<Duration>,
    ) -> Decision {
        match result {
            LookResult::Found { .. } => Decision::nothing("decided before"),
            // Unclear, not there, unclear again: that may go on for as long as a proxy is in the way.
            LookResult::NotThere if self.patience_is_over(text) => {
                Decision::never("attempts_exhausted", "the agent never has it")
            }
            // The look took time: the tenant may have said STOP meanwhile, or the day may have ended.
            LookResult::NotThere => self.ask_the_gate(text, refused),
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
        let reply = text.reply();
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
        (self.settings.retry_base * 2_u32.pow(doublings)).min(self.longest_pause())
    }

    /// Certainly not sent: tried again until the patience ends.
    fn not_sent(&self, text: &Text<'_>, after: Option<Duration>, detail: &str) -> Decision {
        if self.patience_is_over(text) {
            return Decision::never("attempts_exhausted", detail.to_owned());
        }
        let pause = after
            .unwrap_or_default()
            .min(self.longest_pause())
            .max(self.pause(text));
        text.noted(DeliveryStatus::Waiting, detail)
            .and(text.first_answer())
            .later(pause, detail)
    }

    /// The agent has failed too often just now: the text waits, and no attempt is used up.
    fn agent_left_alone(&self, text: &Text<'_>, after: Duration) -> Decision {
        let detail = "the SMS Agent is left alone";
        if self.patience_is_over(text) {
            return Decision::never("attempts_exhausted", detail);
        }
        let share = text.event.envelope.id.share_of(Duration::from_secs(1));
        text.waiting(detail)
            .and(text.first_answer())
            .later(after.min(self.longest_pause()) + share, detail)
    }

    /// In one go, thirty times the first pause: the message holds a place among the unacknowledged.
    fn longest_pause(&self) -> Duration {
        self.settings.retry_base * 30
    }

    fn patience_is_over(&self, text: &Text<'_>) -> bool {
        text.now - text.event.envelope.received_at > self.settings.give_up_after
    }

    /// It will not be sent; a person has it.
    fn failed(&self, event: &Event, reason: &str, detail: &str, now: DateTime<Utc>) -> Decision {
        let reply = &event.body.reply;
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
            draft: reply.draft_id,
            by: None,
        };
        let failed = Decision::done()
            .change(DeliveryUpdate {
                error: Some(detail.to_owned()),
                ..DeliveryUpdate::to(reply.delivery_id, status, now)
            })
            .change(
                Step::done(reply.workflow_id, StepName::ResponseSent, now)
                    .failed(json!({ "reason": reason, "detail": detail })),
            )
            .emit(&failed, &reply.conversation_id, reply.workflow_id);
        // The opt-out itself stands; nobody has to act because it was not confirmed.
        if reply.kind == DeliveryKind::Confirmation {
            return failed;
        }
        let failed = handover.raise(&self.handover, now).and(failed);
        // A person has that workflow already.
        if reply.kind == DeliveryKind::Crisis {
            return failed;
        }
        failed.change(WorkflowUpdate {
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
