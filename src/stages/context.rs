//! Who wrote, what is owed, what was said before?
//!
//! in: `turn.opened` · out: `turn.ready`, `escalation.raised`

use chrono::{DateTime, Utc};
use serde_json::json;

use super::handover::{Handover, HandoverSettings};
use super::planned::{Planned, PlanningSettings, asked_before, on_the_table};
use super::silence::silenced;
use crate::domain::{EscalationType, StepName, TenantContext, TenantId, WorkflowStatus};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{Neighbour, Turn, TurnFacts, TurnOpened, TurnReady};
use crate::neighbours::collections_monitor::{LookupAnswer, TenantAnswer};
use crate::neighbours::sms_agent::History;
use crate::rules::routing::{Autonomy, RoutingSettings, handing_over};
use crate::store::conversations::ConversationUpdate;
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, ConsentUse, Needs};

/// The stage.
pub struct Context {
    /// Whether anything is drafted at all.
    pub routing: RoutingSettings,
    /// Plans.
    pub planning: PlanningSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
}

/// What the neighbours said.
pub struct Found {
    tenant: TenantAnswer,
    history: Result<History, String>,
    began: DateTime<Utc>,
}

type Event = Incoming<TurnOpened>;

impl Stage for Context {
    const NAME: &'static str = "context";
    const ASKS_OUTSIDE: bool = true;
    type In = TurnOpened;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let began = io.clock.now();
        let turn = &event.body.turn;
        let correlation = &event.envelope.correlation_id;
        let history = async {
            let answer = io
                .neighbours
                .sms_agent
                .history(&turn.phone_number, correlation)
                .await;
            answer.map_err(|error| error.to_string())
        };
        let (tenant, history) = match &turn.tenant_id {
            Some(id) => futures::join!(io.neighbours.monitor.tenant(id, correlation), history),
            // The agent has asked the Monitor already, so it is asked first (`upstreams.md` §1.4).
            None => {
                let history = history.await;
                let known = history.as_ref().ok().and_then(|h| h.tenant_id.clone());
                (find_tenant(turn, known, io, correlation).await, history)
            }
        };
        Ok(Found {
            tenant,
            history,
            began,
        })
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        let turn = &event.body.turn;
        let handed_over = self.belongs_to_a_person(turn, found).is_some();
        let plan = on_the_table(turn, None).filter(|_| handed_over);
        Needs {
            conversation: Some(turn.conversation_id.clone()),
            lock: true,
            consent: Some((turn.phone_number.clone(), ConsentUse::Read)),
            tenant: tenant_of(found).or_else(|| turn.tenant_id.clone()),
            plan: plan
                .map(|plan| asked_before(&plan, &turn.conversation_id, event.envelope.received_at)),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let turn = &event.body.turn;
        if !case.is_current(turn.number) {
            return Decision::nothing("a newer text has taken the turn over");
        }
        let tenant = match &found.tenant {
            TenantAnswer::Found(tenant) => Some(tenant.as_ref()),
            TenantAnswer::Unknown | TenantAnswer::Unavailable(_) => None,
        };
        let steps = steps(turn, found, now);
        if let Some((kind, reason)) = self.belongs_to_a_person(turn, found) {
            let handover = handover(event, tenant, kind, reason);
            let cause = event.envelope.id;
            // Nothing is planned on a debt that is contested or before a court (R14, R15).
            let stayed = matches!(
                kind,
                EscalationType::Bankruptcy | EscalationType::PaymentDispute
            );
            let planned = Planned::in_turn(turn, tenant, None, cause, &self.planning, now)
                .filter(|_| !stayed);
            let plan = planned.as_ref().map(|p| p.id(case));
            let degraded = facts(tenant, found).degraded;
            return Decision::done()
                .changes(steps.into_iter().map(Into::into))
                .and_if(planned.map(|p| p.note(case, now)))
                .and(handover.hand_over(&self.handover, now))
                .amending(|update| {
                    update.degraded.clone_from(&degraded);
                    update.plan = plan;
                })
                .reply(Reply::Workflow(turn.workflow_id));
        }
        // A manager's hold, or an opt-out in another conversation, since the text came in.
        if let Some(ended) = silenced(turn, case, now) {
            return ended;
        }
        let facts = facts(tenant, found);
        let known = tenant.map(|t| t.tenant_id.clone());
        let mut turn = turn.clone();
        turn.tenant_id = known.clone().or(turn.tenant_id);
        let workflow = turn.workflow_id;
        let conversation = turn.conversation_id.clone();
        // A hold of a tenant reaches every number that is known to be theirs.
        let unknown = case
            .conversation
            .as_ref()
            .is_some_and(|c| c.tenant_id.is_none());
        let newly_known = known
            .clone()
            .filter(|_| unknown)
            .map(|tenant| ConversationUpdate {
                tenant_id: Some(tenant),
                ..ConversationUpdate::of(&conversation)
            });
        Decision::done()
            .change(WorkflowUpdate {
                degraded: facts.degraded.clone(),
                tenant: known,
                ..WorkflowUpdate::to(
                    workflow,
                    WorkflowStatus::Processing,
                    StepName::ConversationHistoryLoaded,
                    now,
                )
            })
            .changes(steps.into_iter().map(Into::into))
            .changes(newly_known.map(Into::into))
            .emit(&TurnReady { turn, facts }, &conversation, workflow)
    }
}

impl Context {
    /// Why no draft is wanted: a trigger, an unknown sender, or the mode. In the contract's order.
    fn belongs_to_a_person(&self, turn: &Turn, found: &Found) -> Option<(EscalationType, String)> {
        let said = |kind: EscalationType| (kind, kind.default_reason().to_owned());
        let triggers = turn
            .texts
            .iter()
            .flat_map(|text| text.triggers.iter().copied());
        if let Some(trigger) = handing_over(triggers) {
            return Some(said(trigger));
        }
        if found.tenant == TenantAnswer::Unknown {
            return Some(said(EscalationType::UnknownTenant));
        }
        (self.routing.autonomy == Autonomy::Off).then(|| {
            (
                EscalationType::Manual,
                "Drafting is switched off.".to_owned(),
            )
        })
    }
}

/// Only for a sender the caller did not identify (`http-api.md` §12.10).
async fn find_tenant(
    turn: &Turn,
    known: Option<TenantId>,
    io: &Io,
    correlation: &str,
) -> TenantAnswer {
    let monitor = &io.neighbours.monitor;
    let id = match known {
        Some(id) => id,
        None => match monitor.lookup(&turn.phone_number, correlation).await {
            LookupAnswer::Found(id) => id,
            LookupAnswer::Unknown => return TenantAnswer::Unknown,
            LookupAnswer::Unavailable(why) => return TenantAnswer::Unavailable(why),
        },
    };
    monitor.tenant(&id, correlation).await
}

fn tenant_of(found: &Found) -> Option<TenantId> {
    match &found.tenant {
        TenantAnswer::Found(tenant) => Some(tenant.tenant_id.clone()),
        TenantAnswer::Unknown | TenantAnswer::Unavailable(_) => None,
    }
}

fn facts(tenant: Option<&TenantContext>, found: &Found) -> TurnFacts {
    let mut degraded = Vec::new();
    if matches!(found.tenant, TenantAnswer::Unavailable(_)) {
        degraded.push(Neighbour::CollectionsMonitor);
    }
    if found.history.is_err() {
        degraded.push(Neighbour::SmsAgent);
    }
    let history = found.history.as_ref().ok();
    TurnFacts {
        tenant: tenant.cloned(),
        history: history.map(|h| h.messages.clone()).unwrap_or_default(),
        newest_known_message: history.map_or(0, |h| h.newest_id),
        degraded,
    }
}

fn steps(turn: &Turn, found: &Found, now: DateTime<Utc>) -> [Step; 3] {
    let step = |name| Step::done(turn.workflow_id, name, now).since(found.began);
    let tenant = step(StepName::TenantContextLoaded);
    let history = step(StepName::ConversationHistoryLoaded);
    [
        match &found.tenant {
            TenantAnswer::Found(_) => tenant,
            TenantAnswer::Unknown => tenant.with(json!({ "found": false })),
            TenantAnswer::Unavailable(why) => tenant.failed(json!({ "error": why })),
        },
        match &found.history {
            Ok(known) => history.with(json!({ "messages": known.messages.len() })),
            Err(why) => history.failed(json!({ "error": why })),
        },
        Step::done(turn.workflow_id, StepName::EscalationCheck, now),
    ]
}

fn handover<'a>(
    event: &'a Event,
    tenant: Option<&TenantContext>,
    kind: EscalationType,
    reason: String,
) -> Handover<'a> {
    let turn = &event.body.turn;
    Handover {
        cause: event.envelope.id,
        workflow: turn.workflow_id,
        conversation: &turn.conversation_id,
        tenant_id: tenant
            .map(|t| t.tenant_id.clone())
            .or_else(|| turn.tenant_id.clone()),
        tenant_name: tenant.and_then(|t| t.tenant_name.clone()),
        phone: &turn.phone_number,
        kind,
        severity: kind.default_severity(),
        reason,
        message: Some(turn.joined_text()),
        draft: None,
        by: None,
    }
}

#[cfg(test)]
mod tests;
