//! Somebody wants a person to look (`http-api.md` §5.1).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Event, Found, refuse};
use crate::domain::{
    Action, ConversationId, EscalationId, Outcome, Phone, StepName, TenantId, WorkflowId,
    WorkflowStatus, WorkflowType,
};
use crate::engine::answers::{Problem, escalation::escalated};
use crate::engine::{Decision, Reply};
use crate::events::{EscalationRaised, EscalationRequested};
use crate::stages::handover::HandoverSettings;
use crate::store::conversations::ConversationUpdate;
use crate::store::escalations::{NewEscalation, SameEscalation};
use crate::store::steps::Step;
use crate::store::workflows::{NewWorkflow, Workflow, WorkflowUpdate};
use crate::store::{Case, Needs};

/// Within this time an open escalation of the same type is the same (§5.1).
const SAME_FOR: TimeDelta = TimeDelta::minutes(10);

fn conversation(asked: &EscalationRequested, found: &Found) -> Option<ConversationId> {
    let of_workflow = || found.workflow.as_ref().map(|w| w.conversation_id.clone());
    asked.conversation_id.clone().or_else(of_workflow)
}

pub(super) fn needs(event: &Event, asked: &EscalationRequested, found: &Found) -> Needs {
    let conversation = conversation(asked, found);
    Needs {
        same_escalation: conversation.clone().map(|conversation| SameEscalation {
            conversation,
            kind: asked.escalation_type,
            since: event.envelope.received_at - SAME_FOR,
        }),
        conversation,
        lock: true,
        ..Needs::default()
    }
}

pub(super) fn raise(
    event: &Event,
    asked: &EscalationRequested,
    found: &Found,
    case: &Case,
    settings: &HandoverSettings,
    now: DateTime<Utc>,
) -> Decision {
    let Some(conversation) = conversation(asked, found) else {
        let details = json!({ "workflow_id": asked.workflow_id });
        return refuse(
            event,
            &Problem::not_found("Workflow not found", details),
            now,
        );
    };
    let correlation = &event.envelope.correlation_id;
    if let Some(open) = &case.same_escalation {
        return Decision::answered(&event.envelope, 200, escalated(open, true, correlation));
    }
    let kind = asked.escalation_type;
    let by = asked.escalated_by.clone().unwrap_or_else(|| {
        let nobody = if asked.auto_detected {
            "system"
        } else {
            "dashboard"
        };
        nobody.to_owned()
    });
    let workflow = found.workflow.as_ref();
    let id = workflow.map_or_else(|| WorkflowId(event.envelope.id.row("workflow")), |w| w.id);
    let new = NewEscalation {
        phone: phone(asked, workflow, case),
        raised: EscalationRaised {
            escalation_id: EscalationId(event.envelope.id.row("escalation")),
            workflow_id: id,
            conversation_id: conversation.clone(),
            tenant_id: tenant(asked, workflow, case),
            tenant_name: None,
            escalation_type: kind,
            severity: asked.severity.unwrap_or(kind.default_severity()),
            reason: asked
                .reason
                .clone()
                .unwrap_or_else(|| kind.default_reason().to_owned()),
            auto_detected: asked.auto_detected,
            tenant_message: None,
            response_queue_id: workflow.and_then(|w| w.draft_id),
            raised_at: now,
        },
        by,
        assigned_to: Some(settings.assignee.clone()),
        metadata: metadata(asked, found),
    };
    let told = Decision::answered(
        &event.envelope,
        200,
        escalated(&new.as_stored(), false, correlation),
    );
    told.and(taken_over(event, &new, workflow, now))
        .change(Step::done(id, StepName::Escalated, now).with(json!({
            "type": kind, "severity": new.raised.severity, "by": new.by,
        })))
        .emit(&new.raised, &conversation, id)
        .change(new)
}

/// The conversation's workflow becomes a person's. One that waits for a manager's decision keeps
/// its turn, so that it stays decidable and the tenant's next text replaces it (§5.1); a reply
/// still being drafted is dropped.
fn taken_over(
    event: &Event,
    new: &NewEscalation,
    workflow: Option<&Workflow>,
    now: DateTime<Utc>,
) -> Decision {
    let raised = &new.raised;
    let escalated = WorkflowUpdate {
        escalation: Some(raised.escalation_id),
        outcome: Some(Outcome::Escalated),
        ..WorkflowUpdate::to(
            raised.workflow_id,
            WorkflowStatus::Escalated,
            StepName::Escalated,
            now,
        )
    };
    match workflow.map(|w| w.status) {
        None => Decision::done()
            .change(NewWorkflow {
                id: raised.workflow_id,
                conversation_id: raised.conversation_id.clone(),
                kind: WorkflowType::Escalation,
                tenant_id: raised.tenant_id.clone(),
                phone: new.phone.clone(),
                turn: 0,
                correlation_id: event.envelope.correlation_id.clone(),
                reply_subject: None,
                received_at: event.envelope.received_at,
            })
            .change(escalated),
        Some(WorkflowStatus::Sent | WorkflowStatus::Completed) => {
            Decision::nothing("that text is answered; the escalation is filed under it")
        }
        Some(WorkflowStatus::Received | WorkflowStatus::Processing) => Decision::done()
            .change(WorkflowUpdate {
                action: Some(Action::Escalated),
                ..escalated
            })
            .change(ConversationUpdate {
                only_if_carried_by: Some(raised.workflow_id),
                ..ConversationUpdate::closing(&raised.conversation_id)
            })
            .reply(Reply::Workflow(raised.workflow_id)),
        Some(
            WorkflowStatus::AwaitingApproval | WorkflowStatus::Escalated | WorkflowStatus::Failed,
        ) => Decision::done().change(escalated),
    }
}

fn tenant(
    asked: &EscalationRequested,
    workflow: Option<&Workflow>,
    case: &Case,
) -> Option<TenantId> {
    let of_workflow = || workflow.and_then(|w| w.tenant_id.clone().map(TenantId::from_stored));
    let known = || case.conversation.as_ref().and_then(|c| c.tenant_id.clone());
    asked.tenant_id.clone().or_else(of_workflow).or_else(known)
}

fn phone(asked: &EscalationRequested, workflow: Option<&Workflow>, case: &Case) -> Option<Phone> {
    let of_workflow = || workflow.and_then(|w| w.phone.clone().map(Phone::from_stored));
    let known = || case.conversation.as_ref().map(|c| c.phone.clone());
    asked
        .phone_number
        .clone()
        .or_else(of_workflow)
        .or_else(known)
}

fn metadata(asked: &EscalationRequested, found: &Found) -> Value {
    let mut metadata = asked.metadata.clone().unwrap_or_default();
    if let Some(unknown) = &found.unknown_workflow {
        metadata.insert("unknown_workflow_id".to_owned(), json!(unknown));
    }
    Value::Object(metadata)
}
