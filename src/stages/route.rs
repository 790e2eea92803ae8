//! Who answers: nobody, a manager, a person?
//!
//! in: `reply.drafted` · out: `reply.approved`, `approval.requested`, `escalation.raised`

use chrono::{DateTime, Utc};
use serde_json::json;

use super::handover::{Handover, HandoverSettings};
use super::silence::silenced;
use crate::domain::{
    Action, DeliveryId, DeliveryKind, DraftId, EscalationType, Language, RoutingReason, StepName,
    TenantContext, WorkflowStatus,
};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{ApprovalRequested, ReplyApproved, ReplyDrafted};
use crate::rules::gate::{Gate, Request, Standing};
use crate::rules::routing::{self, Doubts, RoutingSettings};
use crate::store::drafts::NewDraft;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, ConsentUse, Needs};

/// The stage.
pub struct Route {
    /// Thresholds.
    pub settings: RoutingSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
    /// What may leave.
    pub gate: Gate,
}

type Event = Incoming<ReplyDrafted>;

impl Stage for Route {
    const NAME: &'static str = "route";
    type In = ReplyDrafted;
    type Found = ();

    async fn gather(&self, _event: &Event, _io: &Io) -> Result<(), StageError> {
        Ok(())
    }

    fn needs(&self, event: &Event, (): &()) -> Needs {
        Needs {
            conversation: Some(event.body.turn.conversation_id.clone()),
            lock: true,
            consent: Some((event.body.turn.phone_number.clone(), ConsentUse::Read)),
            tenant: event.body.turn.tenant_id.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, (): &(), case: &Case, now: DateTime<Utc>) -> Decision {
        let ReplyDrafted {
            turn,
            facts,
            draft,
            plan,
        } = &event.body;
        if !case.is_current(turn.number) {
            return Decision::nothing("a newer text has taken the turn over");
        }
        // Said in another conversation of the same number, or placed by a manager meanwhile: nobody
        // need look at this draft.
        if let Some(ended) = silenced(turn, case, now) {
            return ended;
        }
        let hardship = turn
            .texts
            .iter()
            .any(|text| text.triggers.contains(&EscalationType::Hardship));
        let doubts = Doubts {
            degraded: !facts.degraded.is_empty(),
            hardship,
            legal_case: facts
                .tenant
                .as_ref()
                .is_some_and(TenantContext::in_legal_case),
            plan: plan.map(|p| p.status),
            after_send: turn.after_send,
        };
        let route = routing::route(draft, doubts, &self.settings);
        let evaluated = Step::done(turn.workflow_id, StepName::ConfidenceEvaluated, now)
            .with(json!({ "confidence": draft.confidence }));
        let decision = match route {
            routing::Route::Send => match self.releasable(event, case, now) {
                Some(text) => send(event, text, now),
                None => self.ask(event, RoutingReason::RuleRefused, now),
            },
            routing::Route::Ask(reason) => self.ask(event, reason, now),
            routing::Route::HandOver {
                kind,
                severity,
                reason,
            } => {
                let handover = Handover {
                    cause: event.envelope.id,
                    workflow: turn.workflow_id,
                    conversation: &turn.conversation_id,
                    tenant_id: turn.tenant_id.clone(),
                    tenant_name: facts.tenant.as_ref().and_then(|t| t.tenant_name.clone()),
                    phone: &turn.phone_number,
                    kind,
                    severity,
                    reason,
                    message: Some(turn.joined_text()),
                    draft: Some(draft_id(event)),
                    by: None,
                };
                handover
                    .hand_over(&self.handover, now)
                    .change(new_draft(event, "escalated", now))
                    .reply(Reply::Workflow(turn.workflow_id))
            }
        };
        Decision::done()
            .change(evaluated)
            .and(decision)
            .amending(|update| {
                update.confidence = Some(draft.confidence);
                update.draft = Some(draft_id(event));
            })
    }
}

fn draft_id(event: &Event) -> DraftId {
    DraftId(event.envelope.id.row("draft"))
}

fn new_draft(event: &Event, status: &'static str, now: DateTime<Utc>) -> NewDraft {
    let texts = &event.body.turn.texts;
    let mut triggers: Vec<_> = texts
        .iter()
        .flat_map(|t| t.triggers.iter().copied())
        .collect();
    triggers.sort_unstable();
    triggers.dedup();
    NewDraft {
        id: draft_id(event),
        drafted: event.body.clone(),
        status,
        routing_reason: None,
        triggers,
        expires_at: None,
        traceparent: event.envelope.traceparent.clone(),
        at: now,
    }
}

/// Released by the thresholds. The waiting caller is told by `deliver`, which knows whether the
/// agent took it.
fn send(event: &Event, text: String, now: DateTime<Utc>) -> Decision {
    let ReplyDrafted { turn, facts, .. } = &event.body;
    let approved = ReplyApproved {
        delivery_id: DeliveryId(event.envelope.id.row("delivery")),
        draft_id: Some(draft_id(event)),
        workflow_id: turn.workflow_id,
        conversation_id: turn.conversation_id.clone(),
        turn: turn.number,
        phone_number: turn.phone_number.clone(),
        tenant_id: turn.tenant_id.clone(),
        text,
        kind: DeliveryKind::Auto,
        released_by: None,
        newest_known_message: facts.newest_known_message,
        override_superseded: false,
        property: facts.tenant.as_ref().and_then(|t| t.property_name.clone()),
        balance: facts.tenant.as_ref().and_then(TenantContext::debt_basis),
        overridden: None,
        answers_text_of: None,
    };
    Decision::done()
        .change(new_draft(event, "auto_sent", now))
        .change(WorkflowUpdate {
            action: Some(Action::AutoSent),
            ..WorkflowUpdate::to(
                turn.workflow_id,
                WorkflowStatus::Processing,
                StepName::ConfidenceEvaluated,
                now,
            )
        })
        .emit(&approved, &turn.conversation_id, turn.workflow_id)
}

impl Route {
    /// The text with its required wording, if no rule stands against it. The gate asks once more
    /// when it leaves; here it decides whether a manager has to see it first.
    fn releasable(&self, event: &Event, case: &Case, now: DateTime<Utc>) -> Option<String> {
        let ReplyDrafted { turn, draft, .. } = &event.body;
        let conversation = case.conversation.as_ref();
        let introduced = conversation.is_some_and(|c| c.introduced);
        let language = draft.language.as_deref().and_then(Language::parse);
        let kind = DeliveryKind::Auto;
        let worded = self
            .gate
            .worded(&draft.reply, kind, introduced, language.unwrap_or_default());
        let text = worded.ok()?;
        let request = Request {
            delivery: DeliveryId(event.envelope.id.row("delivery")),
            to: &turn.phone_number,
            kind,
            text: &text,
            property: None,
            released_at: now,
            overridden: None,
            unexplained: &[],
        };
        let standing = Standing {
            introduced,
            last_inbound_at: conversation.and_then(|c| c.last_inbound_at),
            ..Standing::default()
        };
        let objection = self.gate.objections(&request, &standing, now);
        objection.is_none().then_some(text)
    }

    fn ask(&self, event: &Event, reason: RoutingReason, now: DateTime<Utc>) -> Decision {
        let ReplyDrafted {
            turn, facts, draft, ..
        } = &event.body;
        let expires_at = now + self.settings.approval_timeout;
        let requested = ApprovalRequested {
            response_queue_id: draft_id(event),
            workflow_id: turn.workflow_id,
            conversation_id: turn.conversation_id.clone(),
            tenant_id: turn.tenant_id.clone(),
            tenant_name: facts.tenant.as_ref().and_then(|t| t.tenant_name.clone()),
            tenant_message: turn.joined_text(),
            ai_response: draft.reply.clone(),
            ai_response_en: draft.reply_en.clone(),
            confidence_score: draft.confidence,
            routing_reason: reason,
            degraded: facts.degraded.clone(),
            plan: event.body.plan,
            expires_at,
        };
        Decision::done()
            .change(NewDraft {
                routing_reason: Some(reason),
                expires_at: Some(expires_at),
                ..new_draft(event, "pending", now)
            })
            .change(WorkflowUpdate {
                action: Some(Action::QueuedForApproval),
                ..WorkflowUpdate::to(
                    turn.workflow_id,
                    WorkflowStatus::AwaitingApproval,
                    StepName::QueuedForApproval,
                    now,
                )
            })
            .change(
                Step::done(turn.workflow_id, StepName::QueuedForApproval, now)
                    .with(json!({ "reason": reason })),
            )
            .emit(&requested, &turn.conversation_id, turn.workflow_id)
            .reply(Reply::Workflow(turn.workflow_id))
    }
}

#[cfg(test)]
mod tests;
