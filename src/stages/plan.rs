//! Is there a plan, and do the rules admit it?
//!
//! in: `command.payment_plan` · out: `payment_plan.detected`
//!
//! For services that ask about a plan. The plans in tenants' texts are judged on the texts' way,
//! by the same rules (`planned.rs`).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::planned::{Planned, PlanningSettings, asked_before};
use crate::domain::{PlanId, StepName, TenantContext, WorkflowId, WorkflowStatus, WorkflowType};
use crate::engine::answers::plan::plan_detected;
use crate::engine::answers::stamp;
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{Neighbour, PlanRequested};
use crate::neighbours::collections_monitor::{TenantAnswer, tenant_in};
use crate::rules::plan::{self, ResolvedPlan};
use crate::store::steps::Step;
use crate::store::workflows::{self, NewWorkflow, WorkflowUpdate};
use crate::store::{Case, Needs};

/// How long the Monitor may take: the caller waits five seconds in all, and a verdict without the
/// debt is better than none.
const MONITOR_PATIENCE: Duration = Duration::from_secs(3);

/// The stage.
pub struct Plan {
    /// The rules.
    pub planning: PlanningSettings,
}

/// What is known besides the request.
pub struct Found {
    plan: Option<ResolvedPlan>,
    tenant: Option<TenantContext>,
    degraded: bool,
    workflow: Option<WorkflowId>,
}

type Event = Incoming<PlanRequested>;

impl Stage for Plan {
    const NAME: &'static str = "plan";
    const ASKS_OUTSIDE: bool = true;
    type In = PlanRequested;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let asked = &event.body;
        let today = self.planning.today(event.envelope.received_at);
        let plan = plan::resolve(
            &asked.explicit(),
            &asked.message_content,
            asked.ai_response.as_deref(),
            today,
        );
        let named = asked.workflow_id.as_deref().and_then(WorkflowId::parse);
        let workflow = match named {
            Some(id) => workflows::with_id(&io.db, id).await?,
            None => None,
        };
        let workflow = match workflow {
            Some(workflow) => Some(workflow),
            None => workflows::newest_of(&io.db, &asked.conversation_id).await?,
        };
        let (tenant, degraded) = match (&asked.tenant_context, &plan) {
            (Some(context), _) => {
                let context = Value::Object(context.clone());
                (tenant_in(&context, &asked.tenant_id), false)
            }
            (None, None) => (None, false),
            (None, Some(_)) => {
                let correlation = &event.envelope.correlation_id;
                let answer = io.neighbours.monitor.tenant(&asked.tenant_id, correlation);
                match tokio::time::timeout(MONITOR_PATIENCE, answer).await {
                    Ok(TenantAnswer::Found(tenant)) => (Some(*tenant), false),
                    Ok(TenantAnswer::Unknown) => (None, false),
                    Ok(TenantAnswer::Unavailable(_)) | Err(_) => (None, true),
                }
            }
        };
        Ok(Found {
            plan,
            tenant,
            degraded,
            workflow: workflow.map(|w| w.id),
        })
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        let plan = found.plan.as_ref();
        Needs {
            // There may be no such row; named all the same, so that twins do not meet in a round.
            conversation: Some(event.body.conversation_id.clone()),
            plan: plan.map(|plan| {
                asked_before(
                    plan,
                    &event.body.conversation_id,
                    event.envelope.received_at,
                )
            }),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let asked = &event.body;
        let workflow = found
            .workflow
            .unwrap_or_else(|| WorkflowId(event.envelope.id.row("workflow")));
        let mut body = json!({
            "conversation_id": asked.conversation_id,
            "tenant_id": asked.tenant_id,
            "workflow_id": workflow,
            "degraded": degraded(found),
            "processed_at": stamp(now),
            "correlation_id": event.envelope.correlation_id,
        });
        let (id, decision) = match &found.plan {
            Some(plan) => {
                let planned = self.judged(event, found, plan, workflow, now);
                plan_detected(&mut body, planned.id(case), &planned.finding);
                (Some(planned.id(case)), planned.note(case, now))
            }
            None => {
                not_detected(&mut body);
                let looked = Step::done(workflow, StepName::PaymentPlanCheck, now)
                    .with(json!({ "status": "not_detected" }));
                (None, Decision::done().change(looked))
            }
        };
        let reply = event.envelope.reply_subject.clone();
        self.of_workflow(event, found, workflow, id, now)
            .and(decision)
            .reply_if(reply.map(|to| Reply::Ready {
                to,
                status: 200,
                body,
            }))
    }
}

impl Plan {
    fn judged<'a>(
        &self,
        event: &'a Event,
        found: &Found,
        resolved: &ResolvedPlan,
        workflow: WorkflowId,
        now: DateTime<Utc>,
    ) -> Planned<'a> {
        let asked = &event.body;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1"
        )]
        let confidence = asked.confidence.map(|c| (c * 10_000.0).round() as u32);
        Planned {
            cause: event.envelope.id,
            workflow,
            conversation: &asked.conversation_id,
            tenant_id: Some(asked.tenant_id.clone()),
            tenant_name: found.tenant.as_ref().and_then(|t| t.tenant_name.clone()),
            message: asked.message_content.clone(),
            finding: plan::find(
                resolved,
                found.tenant.as_ref(),
                confidence,
                self.planning.today(now),
                &self.planning.limits,
            ),
        }
    }

    /// The workflow the plan is filed under: the conversation's, or a new one that is done at once.
    fn of_workflow(
        &self,
        event: &Event,
        found: &Found,
        workflow: WorkflowId,
        plan: Option<PlanId>,
        now: DateTime<Utc>,
    ) -> Decision {
        let asked = &event.body;
        let update = WorkflowUpdate {
            plan,
            // The plan belongs to a text that was answered, too.
            final_result: true,
            ..WorkflowUpdate::of(workflow, now)
        };
        if found.workflow.is_some() {
            return Decision::done().change(update);
        }
        Decision::done()
            .change(NewWorkflow {
                id: workflow,
                conversation_id: asked.conversation_id.clone(),
                kind: WorkflowType::PaymentPlanValidation,
                tenant_id: Some(asked.tenant_id.clone()),
                phone: None,
                turn: 0,
                correlation_id: event.envelope.correlation_id.clone(),
                reply_subject: None,
                received_at: event.envelope.received_at,
            })
            .change(WorkflowUpdate {
                status: Some(WorkflowStatus::Completed),
                step: Some(StepName::PaymentPlanCheck),
                degraded: degraded(found),
                ended: true,
                ..update
            })
    }
}

fn degraded(found: &Found) -> Vec<Neighbour> {
    if found.degraded {
        vec![Neighbour::CollectionsMonitor]
    } else {
        Vec::new()
    }
}

fn not_detected(body: &mut Value) {
    body["success"] = json!(false);
    body["status"] = json!("not_detected");
    body["message"] = json!("No payment plan was found.");
    for nothing in ["payment_plan_id", "validation_details", "payment_plan"] {
        body[nothing] = Value::Null;
    }
    for none in ["counter_offers", "schedule"] {
        body[none] = json!([]);
    }
}

#[cfg(test)]
mod tests;
