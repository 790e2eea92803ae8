//! What did the manager decide?
//!
//! in: `approval.decided` · out: `approval.approved`, `.modified`, `.escalated`, `.refused`,
//! `reply.approved`, `escalation.raised`

mod ruling;
mod wording;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use self::ruling::Ruling;
use super::deliver::Balance;
use super::handover::HandoverSettings;
use super::planned::PlanningSettings;
use crate::domain::DraftId;
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{ApprovalDecided, ApprovalRefused, DecisionAction};
use crate::neighbours::collections_monitor::TenantAnswer;
use crate::rules::checks::CheckSettings;
use crate::rules::gate::Gate;
use crate::store::drafts::{self, Draft};
use crate::store::{Case, ConsentUse, DraftRef, Needs};

/// The stage.
pub struct Decide {
    /// Who takes over.
    pub handover: HandoverSettings,
    /// What may leave.
    pub gate: Gate,
    /// What amounts in texts are compared with.
    pub checks: CheckSettings,
    /// The company's calendar.
    pub planning: PlanningSettings,
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
