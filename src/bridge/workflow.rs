//! `GET /orchestrate/workflow/{conversation_id}/status` (`http-api.md` §6.1).

use axum::extract::State;
use axum::response::Json;
use serde_json::{Value, json};

use super::call::Id;
use super::schema::workflows as schema;
use super::{ApiError, Bridge};
use crate::domain::{ConversationId, Outcome, StepName, WorkflowId, WorkflowStatus};
use crate::engine::answers::stamp;
use crate::store::steps::{self, StoredStep};
use crate::store::workflows::{self, Workflow};

/// Where the latest workflow of a conversation stands; also by the id of a workflow.
#[utoipa::path(
    get, path = "/orchestrate/workflow/{conversation_id}/status", tag = "Texts",
    params(("conversation_id" = String, Path, min_length = 1)),
    responses(
        (status = 200, description = "The workflow", body = schema::Workflow),
        (status = 404, description = "No such conversation")
    )
)]
pub(super) async fn status(
    State(bridge): State<Bridge>,
    Id(id): Id,
) -> Result<Json<Value>, ApiError> {
    let Some(workflow) = find(&bridge, &id).await? else {
        return Err(ApiError::not_found(
            "Workflow not found",
            json!({ "conversation_id": id }),
        ));
    };
    let steps = steps::of_workflow(&bridge.db, workflow.id).await?;
    let most = bridge.settings.max_retries;
    Ok(Json(body(&workflow, &steps, most)))
}

/// By conversation first, by workflow second.
async fn find(bridge: &Bridge, id: &str) -> Result<Option<Workflow>, ApiError> {
    if let Ok(conversation) = ConversationId::parse(id)
        && let Some(newest) = workflows::newest_of(&bridge.db, &conversation).await?
    {
        return Ok(Some(newest));
    }
    match WorkflowId::parse(id) {
        Some(id) => Ok(workflows::with_id(&bridge.db, id).await?),
        None => Ok(None),
    }
}

fn body(workflow: &Workflow, steps: &[StoredStep], max_retries: i32) -> Value {
    let mut completed: Vec<&str> = Vec::new();
    for step in steps.iter().filter(|step| step.status == "completed") {
        if !completed.contains(&step.name.as_str()) {
            completed.push(&step.name);
        }
    }
    let ended = workflow.completed_at.unwrap_or(workflow.updated_at);
    #[expect(clippy::cast_precision_loss)]
    let seconds = (ended - workflow.created_at).num_milliseconds() as f64 / 1000.0;
    let last_updated = stamp(workflow.updated_at);
    let listed: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({
                "id": step.id,
                "step_name": step.name,
                "step_type": step.step_type,
                "status": step.status,
                "started_at": stamp(step.started_at),
                "completed_at": step.completed_at.map(stamp),
                "duration_ms": step.duration_ms,
                "error_details": step.error,
            })
        })
        .collect();
    json!({
        "conversation_id": workflow.conversation_id,
        "workflow_id": workflow.id,
        "workflow_type": workflow.workflow_type,
        "status": workflow.status,
        "dashboard_status": workflow.status.dashboard(),
        "current_step": workflow.current_step,
        "steps_completed": completed,
        "total_steps": StepName::TOTAL,
        "workflow_steps": listed,
        "created_at": stamp(workflow.created_at),
        "started_at": stamp(workflow.created_at),
        "updated_at": last_updated,
        "last_updated": last_updated,
        "completed_at": workflow.completed_at.map(stamp),
        "estimated_completion": null,
        "tenant_id": workflow.tenant_id,
        "phone_number": workflow.phone,
        "ai_confidence": workflow.confidence,
        "escalation_triggered": workflow.escalation_id.is_some(),
        "escalation_id": workflow.escalation_id,
        "response_queue_id": workflow.draft_id,
        "payment_plan_id": workflow.payment_plan_id.map(crate::domain::PlanId),
        "error_message": workflow.error_message,
        "retry_count": workflow.retry_count,
        "max_retries": max_retries,
        "can_retry": matches!(workflow.status, WorkflowStatus::Failed | WorkflowStatus::Escalated)
            && workflow.retry_count < max_retries,
        "degraded": workflow.degraded,
        "metadata": {
            "processing_time_seconds": seconds,
            // Of all answers, also those that were overtaken or could not be used.
            "model_cost_micro_usd": steps.iter().filter_map(|s| s.cost_micro_usd).reduce(i64::saturating_add),
            "ai_confidence": workflow.confidence,
            "auto_approved": workflow.outcome == Some(Outcome::AutoSent),
            "outcome": workflow.outcome,
            "merged_into": workflow.merged_into,
        },
    })
}
