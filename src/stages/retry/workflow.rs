//! A workflow is tried again (`http-api.md` §7).

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Event, NOBODY, RetrySettings, letter, refuse};
use crate::domain::{Outcome, Phone, StepName, TenantId, WorkflowStatus};
use crate::engine::Decision;
use crate::engine::answers::{Problem, stamp};
use crate::events::RetryRequested;
use crate::stages::afresh::Afresh;
use crate::store::Case;
use crate::store::conversations::Conversation;
use crate::store::drafts::DraftUpdate;
use crate::store::steps::Step;
use crate::store::workflows::{Workflow, WorkflowUpdate};

pub(super) fn retry(
    event: &Event,
    asked: &RetryRequested,
    case: &Case,
    settings: RetrySettings,
    now: DateTime<Utc>,
) -> Decision {
    let Some(workflow) = &case.workflow else {
        let details = json!({ "workflow_id": asked.workflow_id });
        return refuse(
            event,
            &Problem::not_found("Workflow not found", details),
            now,
        );
    };
    let refused = |reason: &str| {
        let problem = Problem {
            status: 400,
            slug: "not-retryable",
            title: "Not retryable",
            code: "ORC_003",
            detail: format!(
                "Cannot retry workflow in status: {}",
                workflow.status.as_str()
            ),
            details: json!({ "reason": reason, "workflow_id": workflow.id }),
            errors: Vec::new(),
        };
        refuse(event, &problem, now)
    };
    if let Err(reason) = may_retry(workflow, asked.force_retry, settings) {
        return refused(reason);
    }
    let (Some(conversation), false) = (&case.conversation, case.workflow_texts.is_empty()) else {
        // Nothing a tenant wrote stands behind it.
        return refused("not_retryable");
    };
    // A newer text is being answered: its turn has the word, and this one's texts may join it.
    let own_turn = conversation.turn_workflow == Some(workflow.id);
    if conversation.turn_open && !own_turn {
        return refused("in_progress");
    }
    let by = asked.requested_by.as_deref().unwrap_or(NOBODY);
    let from_where_it_failed = case
        .dead_letter
        .as_ref()
        .filter(|l| l.status == "open" && l.reason != "unknown_outcome")
        .and_then(|l| letter::again(l, case, by, Some(&asked.reason), now).ok());
    let begun = from_where_it_failed
        .unwrap_or_else(|| new_turn(event, asked, workflow, conversation, case, now));
    let id = format!("retry_{}", event.envelope.id.row("retry"));
    begun.and(Decision::answered(
        &event.envelope,
        200,
        json!({
            "success": true,
            "workflow_id": workflow.id,
            "status": "retry_initiated",
            "dashboard_status": "retrying",
            "retry_id": id,
            "retry_attempted_at": stamp(now),
            "attempt": workflow.retry_count + 1,
            "max_attempts": settings.most,
            "message": "Retry started.",
            "correlation_id": event.envelope.correlation_id,
        }),
    ))
}

fn may_retry(
    workflow: &Workflow,
    force: bool,
    settings: RetrySettings,
) -> Result<(), &'static str> {
    match workflow.status {
        WorkflowStatus::Received | WorkflowStatus::Processing => return Err("in_progress"),
        WorkflowStatus::Failed | WorkflowStatus::Escalated => {}
        _ if !force => return Err("not_retryable"),
        // Its text was answered together with a later one, whose workflow may be tried again.
        _ if workflow.merged_into.is_some() => return Err("not_retryable"),
        _ => {}
    }
    if workflow.retry_count >= settings.most {
        return Err("retry_limit_reached");
    }
    Ok(())
}

/// The same texts once more, from the beginning.
fn new_turn(
    event: &Event,
    asked: &RetryRequested,
    workflow: &Workflow,
    conversation: &Conversation,
    case: &Case,
    now: DateTime<Utc>,
) -> Decision {
    let by = asked.requested_by.as_deref().unwrap_or(NOBODY);
    // A text that went out, or may have, is not followed by another one unread (§7).
    let texted = workflow.status == WorkflowStatus::Sent
        || case
            .dead_letter
            .as_ref()
            .is_some_and(|l| l.reason == "unknown_outcome")
        || matches!(
            workflow.outcome,
            Some(Outcome::AutoSent | Outcome::ManagerApproved | Outcome::ManagerModified)
        );
    let mut decision = Decision::done();
    if let Some(waiting) = &case.draft {
        decision = decision.change(DraftUpdate::withdrawn(
            waiting.id,
            "superseded",
            Some(workflow.id),
            now,
        ));
    }
    decision
        .and(
            Afresh {
                workflow: workflow.id,
                conversation,
                phone: workflow.phone.clone().map(Phone::from_stored),
                tenant: workflow.tenant_id.clone().map(TenantId::from_stored),
                after_send: texted,
            }
            .turn(case),
        )
        .change(WorkflowUpdate {
            retried: true,
            final_result: true,
            ..WorkflowUpdate::to(
                workflow.id,
                WorkflowStatus::Processing,
                StepName::WorkflowRetry,
                now,
            )
        })
        .change(
            Step::done(workflow.id, StepName::WorkflowRetry, now).with(json!({
                "by": by, "reason": asked.reason, "forced": asked.force_retry,
                "strategy": asked.recovery_strategy, "notes": asked.notes,
                "cause": event.envelope.id,
            })),
        )
}
