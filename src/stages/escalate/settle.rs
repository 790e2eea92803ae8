//! Somebody takes an escalation over, or is done with it (`http-api.md` §5.4, §5.5).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Event, refuse};
use crate::domain::{StepName, WorkflowStatus};
use crate::engine::Decision;
use crate::engine::answers::{Problem, escalation};
use crate::events::{
    AssignmentRequested, EscalationAssigned, EscalationResolved, ResolutionRequested,
};
use crate::store::escalations::{EscalationCase, EscalationUpdate};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

/// Whoever asks without a name sits at the dashboard (conflicts C18).
const NOBODY: &str = "dashboard";

pub(super) fn resolve(
    event: &Event,
    asked: &ResolutionRequested,
    case: &EscalationCase,
    now: DateTime<Utc>,
) -> Decision {
    let found = &case.escalation;
    let correlation = &event.envelope.correlation_id;
    if found.status == "resolved" {
        return Decision::answered(
            &event.envelope,
            200,
            escalation::resolved(found, true, correlation),
        );
    }
    let by = asked
        .resolved_by
        .clone()
        .unwrap_or_else(|| NOBODY.to_owned());
    // The last open question about a text that waits for nobody else: the text is dealt with.
    let completes = case.workflow_escalated && !case.others_open && !case.draft_waits;
    let done = EscalationResolved {
        escalation_id: found.id,
        workflow_id: found.workflow_id,
        conversation_id: found.conversation_id.clone(),
        resolved_by: by.clone(),
        resolution: asked.resolution.clone(),
        outcome: asked.outcome.clone(),
        workflow_completed: completes,
        resolved_at: now,
    };
    let mut after = found.clone();
    "resolved".clone_into(&mut after.status);
    after.handled_by = Some(by.clone());
    after.resolution.clone_from(&asked.resolution);
    after.resolved_at = Some(now);
    let mut decision = Decision::answered(
        &event.envelope,
        200,
        escalation::resolved(&after, false, correlation),
    )
    .change(EscalationUpdate {
        id: found.id,
        status: "resolved",
        assigned_to: None,
        handled_by: Some(by.clone()),
        resolution: asked.resolution.clone(),
        outcome: asked.outcome.clone(),
        resolved_at: Some(now),
    })
    .change(
        Step::done(found.workflow_id, StepName::Escalated, now).with(json!({
            "resolved": found.id, "by": by, "outcome": asked.outcome,
        })),
    )
    .emit(&done, &found.conversation_id, found.workflow_id);
    if completes {
        decision = decision.change(WorkflowUpdate {
            status: Some(WorkflowStatus::Completed),
            ended: true,
            ..WorkflowUpdate::of(found.workflow_id, now)
        });
    }
    decision
}

pub(super) fn assign(
    event: &Event,
    asked: &AssignmentRequested,
    case: &EscalationCase,
    now: DateTime<Utc>,
) -> Decision {
    let found = &case.escalation;
    if found.status == "resolved" {
        let details = json!({
            "reason": "already_resolved", "escalation_id": found.id,
            "resolved_at": found.resolved_at.map(crate::engine::answers::stamp),
        });
        let problem = Problem::conflict("The escalation is resolved", details);
        return refuse(event, &problem, now);
    }
    let by = asked
        .assigned_by
        .clone()
        .unwrap_or_else(|| NOBODY.to_owned());
    let assigned = EscalationAssigned {
        escalation_id: found.id,
        workflow_id: found.workflow_id,
        conversation_id: found.conversation_id.clone(),
        assigned_to: asked.assigned_to.clone(),
        assigned_by: by.clone(),
        notes: asked.notes.clone(),
        assigned_at: now,
    };
    let body = json!({
        "success": true,
        "escalation_id": found.id,
        "status": "in_progress",
        "assigned_to": asked.assigned_to,
        "conversation_id": found.conversation_id,
        "workflow_id": found.workflow_id,
        "correlation_id": event.envelope.correlation_id,
    });
    Decision::answered(&event.envelope, 200, body)
        .change(EscalationUpdate {
            id: found.id,
            status: "in_progress",
            assigned_to: Some(asked.assigned_to.clone()),
            handled_by: None,
            resolution: None,
            outcome: None,
            resolved_at: None,
        })
        .change(
            Step::done(found.workflow_id, StepName::Escalated, now).with(json!({
                "assigned": found.id, "to": asked.assigned_to, "by": by,
            })),
        )
        .emit(&assigned, &found.conversation_id, found.workflow_id)
}
