//! What did the manager decide?
//!
//! in: `approval.decided` · out: `approval.approved`, `.modified`, `.escalated`, `.refused`,
//! `reply.approved`, `escalation.raised`

mod wording;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::afresh::Afresh;
use super::deliver::Balance;
use super::handover::{Handover, HandoverSettings};
use crate::domain::{DeliveryId, DeliveryKind, DraftId, EscalationType, StepName, WorkflowStatus};
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{
    ApprovalApproved, ApprovalDecided, ApprovalEscalated, ApprovalModified, ApprovalRefused,
    Decided, DecisionAction, ReplyApproved,
};
use crate::neighbours::collections_monitor::TenantAnswer;
use crate::rules::gate::Gate;
use crate::store::audit::Audit;
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, NewDelivery};
use crate::store::drafts::{self, Draft, DraftUpdate};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, ConsentUse, DraftRef, Needs};

/// The stage.
pub struct Decide {
    /// Who takes over.
    pub handover: HandoverSettings,
    /// What may leave.
    pub gate: Gate,
    /// `BALANCE_FRESH_MINUTES`: how long a draft's figures are taken for true.
    pub fresh: TimeDelta,
}

/// The draft that is meant, and the one that replaced it.
#[derive(Debug, Clone, Default)]
pub struct Found {
    draft: Option<Draft>,
    successor: Option<DraftId>,
    balance: Balance,
}

impl Found {
    /// What is owed is not what the draft was written for.
    fn outdated(&self) -> bool {
        let then = self.draft.as_ref().and_then(Draft::tenant_context);
        let then = then.and_then(|tenant| tenant.debt_basis());
        matches!(self.balance, Balance::Now(now) if then.is_some() && now != then)
    }
}

#[cfg(test)]
impl Found {
    /// A draft without a successor.
    pub(super) fn of(draft: Draft) -> Self {
        Self {
            draft: Some(draft),
            ..Self::default()
        }
    }
}

type Event = Incoming<ApprovalDecided>;

impl Stage for Decide {
    const NAME: &'static str = "decide";
    type In = ApprovalDecided;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let command = &event.body;
        let id = match (&command.response_queue_id, &command.conversation_id) {
            (Some(id), _) => DraftId::parse(id),
            (None, Some(conversation)) => {
                let phone = command.phone_number.as_ref();
                let text = command.approved_text.as_deref();
                drafts::meant_by(&io.db, conversation, phone, text).await?
            }
            (None, None) => None,
        };
        let draft = match id {
            Some(id) => drafts::with_id(&io.db, id).await?,
            None => None,
        };
        let successor = match draft.as_ref().and_then(|d| d.superseded_by) {
            Some(workflow) => drafts::of_workflow(&io.db, workflow).await?,
            None => None,
        };
        // Written anew for the same workflow, and not there yet.
        let successor = successor.filter(|id| draft.as_ref().is_none_or(|d| d.id != *id));
        let balance = self.balance(event, draft.as_ref(), io).await;
        Ok(Found {
            draft,
            successor,
            balance,
        })
    }

    fn needs(&self, _event: &Event, found: &Found) -> Needs {
        let Some(draft) = &found.draft else {
            return Needs::default();
        };
        Needs {
            conversation: Some(draft.conversation_id.clone()),
            lock: true,
            consent: Some((draft.phone.clone(), ConsentUse::Read)),
            tenant: draft.tenant_id.clone(),
            draft: Some(DraftRef::Id(draft.id)),
            workflow: found.outdated().then_some(draft.workflow_id),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let Some(draft) = &case.draft else {
            return not_found(event, now);
        };
        let command = &event.body;
        let other_number = command
            .phone_number
            .as_ref()
            .is_some_and(|p| *p != draft.phone);
        if command.response_queue_id.is_none() && other_number {
            return not_found(event, now);
        }
        let newest_turn = case.conversation.as_ref().map_or(draft.turn, |c| c.turn);
        let ruling = Ruling {
            event,
            draft,
            gate: &self.gate,
            case,
            newest_turn,
            now,
        };
        let sends = matches!(
            command.action,
            DecisionAction::Approve | DecisionAction::Modify
        );
        // Only a text can be sent late; there is nothing to take over from a replaced draft.
        let overrides = sends && command.override_superseded;
        match draft.status.as_str() {
            // A hold that caught it between its release and its leaving; see the delivery.
            "suppressed" if !case.opted_out && !case.holds.is_empty() => {
                ruling.refuse("on_hold", ON_HOLD, json!({ "holds": case.holds }))
            }
            "suppressed" => {
                ruling.refuse("opted_out", "The tenant asked not to be texted", json!({}))
            }
            _ if sends && case.opted_out && draft.actioned_at.is_none() => {
                ruling.refuse("opted_out", "The tenant asked not to be texted", json!({}))
            }
            // Nobody withdrew it, because it had expired; a newer text has overtaken it all the same.
            "expired" if ruling.is_overtaken() && !overrides => ruling.refuse(
                "superseded",
                "The tenant has written again; a newer draft answers",
                json!({ "successor_id": found.successor }),
            ),
            "pending" | "expired" => match draft.claimed_by_another(&ruling.decided_by(), now) {
                Some((by, until)) => ruling.refuse(
                    "claimed",
                    "Another manager works on the item",
                    json!({ "claimed_by": by, "claimed_until": stamp(until) }),
                ),
                None if found.outdated() && !ruling.is_overtaken() => ruling.begin_again(),
                None => ruling.carry_out(self),
            },
            // Not one that was released before and went stale while it waited for its hour: a draft
            // is one text.
            "superseded" if overrides && draft.actioned_at.is_none() => ruling.carry_out(self),
            "superseded" => ruling.refuse(
                "superseded",
                "The tenant has written again; a newer draft answers",
                json!({ "successor_id": found.successor }),
            ),
            _ => ruling.repeat(),
        }
    }
}

/// Longer than this nobody who decides wants to wait for the Monitor.
const MONITOR_PATIENCE: Duration = Duration::from_secs(2);

impl Decide {
    /// What is owed now, for a draft whose figures are no longer fresh (`rules.md` R17). A manager
    /// who writes an own text has looked already.
    async fn balance(&self, event: &Event, draft: Option<&Draft>, io: &Io) -> Balance {
        let waits = |d: &&Draft| matches!(d.status.as_str(), "pending" | "expired");
        let Some(draft) = draft.filter(waits) else {
            return Balance::NotAsked;
        };
        let old = io.clock.now() - draft.created_at > self.fresh;
        let (DecisionAction::Approve, true, Some(tenant)) =
            (event.body.action, old, &draft.tenant_id)
        else {
            return Balance::NotAsked;
        };
        let correlation = &event.envelope.correlation_id;
        let answer = io.neighbours.monitor.tenant(tenant, correlation);
        match tokio::time::timeout(MONITOR_PATIENCE, answer).await {
            Ok(TenantAnswer::Found(tenant)) => Balance::Now(tenant.debt_basis()),
            // Who is asked to decide has the figures before them; the Monitor's silence is no news.
            _ => Balance::Unavailable,
        }
    }
}

const ON_HOLD: &str = "The tenant is on hold; a manager may lift it with a reason";

/// A decision about a known draft.
struct Ruling<'a> {
    event: &'a Event,
    draft: &'a Draft,
    gate: &'a Gate,
    case: &'a Case,
    newest_turn: i64,
    now: DateTime<Utc>,
}

impl Ruling<'_> {
    fn command(&self) -> &ApprovalDecided {
        &self.event.body
    }

    /// The conversation's open turn, if any, belongs to newer texts.
    fn is_overtaken(&self) -> bool {
        self.draft.status == "superseded" || self.draft.turn != self.newest_turn
    }

    fn decided_by(&self) -> String {
        self.command()
            .manager_id
            .clone()
            .unwrap_or_else(|| "dashboard".to_owned())
    }

    /// The text the decision sends: a manager's, or the stored one (conflicts C21).
    fn text(&self) -> String {
        let command = self.command();
        let own = match command.action {
            DecisionAction::Modify => command.modified_text.as_ref(),
            _ => command.approved_text.as_ref(),
        };
        own.unwrap_or(&self.draft.ai_response).clone()
    }

    fn reply(&self, already: bool) -> Option<Reply> {
        Some(Reply::Approval {
            draft: self.draft.id,
            to: Some(self.event.envelope.reply_subject.clone()?),
            already,
            correlation_id: self.event.envelope.correlation_id.clone(),
        })
    }

    /// Somebody has decided before: the same again is fine, anything else is a conflict.
    fn repeat(&self) -> Decision {
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

    fn refuse(&self, reason: &str, sentence: &str, mut details: Value) -> Decision {
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
    fn begin_again(&self) -> Decision {
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

    fn carry_out(&self, stage: &Decide) -> Decision {
        let command = self.command();
        let kind = match command.action {
            DecisionAction::Approve => Some(DeliveryKind::Approved),
            DecisionAction::Modify => Some(DeliveryKind::Modified),
            DecisionAction::Escalate | DecisionAction::Reject => None,
        };
        let text = match kind.map(|kind| self.releasable(kind)).transpose() {
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

    fn draft_update(&self, status: &'static str) -> DraftUpdate {
        DraftUpdate {
            action: Some(self.command().action.as_str()),
            by: Some(self.decided_by()),
            ..DraftUpdate::withdrawn(self.draft.id, status, None, self.now)
        }
    }

    fn decided(&self, final_response: Option<String>) -> Decided {
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
    fn release(&self, kind: DeliveryKind, text: String) -> Decision {
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
    fn take_over(&self, stage: &Decide, default_reason: &str) -> Decision {
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

fn not_found(event: &Event, now: DateTime<Utc>) -> Decision {
    let command = &event.body;
    let refused = ApprovalRefused {
        response_queue_id: command.response_queue_id.clone(),
        conversation_id: command.conversation_id.clone(),
        reason: "not_found".to_owned(),
        decided_by: command
            .manager_id
            .clone()
            .unwrap_or_else(|| "dashboard".to_owned()),
    };
    let details = json!({
        "response_queue_id": command.response_queue_id,
        "conversation_id": command.conversation_id,
    });
    let problem_ = Problem::not_found("Response queue item not found", details);
    Decision::done()
        .emit_loose(&refused, command.conversation_id.clone(), None)
        .reply_if(problem(event, &problem_, now))
}

fn problem(event: &Event, problem: &Problem, now: DateTime<Utc>) -> Option<Reply> {
    Some(Reply::Ready {
        to: event.envelope.reply_subject.clone()?,
        status: problem.status,
        body: problem.body(
            "/orchestrate/approve-response",
            &event.envelope.correlation_id,
            now,
        ),
    })
}

#[cfg(test)]
mod tests;
