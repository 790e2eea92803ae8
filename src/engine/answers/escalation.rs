//! How an escalation reads over HTTP (`http-api.md` §5).

use serde_json::{Value, json};

use super::stamp;
use crate::store::escalations::Escalation;

/// The answer of `POST /orchestrate/escalate`, with what `POST /escalations/trigger` adds to it.
pub fn escalated(escalation: &Escalation, duplicate: bool, correlation_id: &str) -> Value {
    let at = stamp(escalation.created_at);
    let message = if duplicate {
        "The same escalation is open already."
    } else {
        "Escalated; the managers are told."
    };
    json!({
        "success": true,
        "escalation_id": escalation.id,
        "conversation_id": escalation.conversation_id,
        "workflow_id": escalation.workflow_id,
        "status": "escalated_processed",
        "dashboard_status": "created",
        "escalation_type": escalation.kind,
        "severity": escalation.severity,
        "priority": escalation.severity,
        "dashboard_priority": escalation.severity.dashboard_priority(escalation.kind),
        "escalated_at": at,
        "expected_resolution_time": expected(escalation),
        "assigned_to": escalation.assigned_to,
        "duplicate": duplicate,
        "message": message,
        "correlation_id": correlation_id,
    })
}

/// The answer of `POST /orchestrate/escalations/{id}/resolve`.
pub fn resolved(escalation: &Escalation, already: bool, correlation_id: &str) -> Value {
    json!({
        "success": true,
        "escalation_id": escalation.id,
        "status": "resolved",
        "resolved_at": escalation.resolved_at.map(stamp),
        "resolved_by": escalation.handled_by,
        "resolution": escalation.resolution,
        "conversation_id": escalation.conversation_id,
        "workflow_id": escalation.workflow_id,
        "already_resolved": already,
        "correlation_id": correlation_id,
    })
}

/// One escalation in lists and by itself (§5.3).
pub fn item(escalation: &Escalation) -> Value {
    let at = stamp(escalation.created_at);
    json!({
        "id": escalation.id,
        "escalation_id": escalation.id,
        "workflow_id": escalation.workflow_id,
        "conversation_id": escalation.conversation_id,
        "tenant_id": escalation.tenant_id,
        "tenant_name": escalation.tenant_name,
        "phone_number": escalation.phone,
        "escalation_type": escalation.kind,
        "dashboard_type": escalation.kind.dashboard(),
        "severity": escalation.severity,
        "priority": escalation.severity,
        "dashboard_priority": escalation.severity.dashboard_priority(escalation.kind),
        "reason": escalation.reason,
        "description": escalation.reason,
        "auto_detected": escalation.auto_detected,
        "status": escalation.status,
        "escalated_by": escalation.escalated_by,
        "assigned_to": escalation.assigned_to,
        "handled_by": escalation.handled_by,
        "response_queue_id": escalation.draft_id,
        "created_at": at,
        "escalated_at": at,
        "expected_resolution_time": expected(escalation),
        "resolved_at": escalation.resolved_at.map(stamp),
        "resolution": escalation.resolution,
        "metadata": escalation.metadata,
    })
}

fn expected(escalation: &Escalation) -> String {
    stamp(escalation.created_at + escalation.severity.expected_within())
}
