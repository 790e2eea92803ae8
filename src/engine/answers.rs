//! What somebody who waits is told: the same body over HTTP and over a reply subject, built from
//! the rows as they are.

pub mod escalation;
pub mod plan;

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::decision::Reply;
use crate::domain::{Action, EscalationId, WorkflowStatus};
use crate::store::contact_windows::ContactWindow;
use crate::store::deliveries::{Delivery, DeliveryStatus};
use crate::store::drafts::Draft;
use crate::store::holds::Hold;
use crate::store::workflows::Workflow;
use crate::store::{Tx, deliveries, drafts, workflows};

/// A message to a reply subject.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The subject.
    pub to: String,
    /// The HTTP status the bridge uses.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// A time as every answer writes it.
pub fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The answer of `POST /orchestrate/sms-received`, with its HTTP status: 202 while nothing is
/// decided (`http-api.md` §2).
pub fn sms_received(workflow: &Workflow, duplicate: bool, now: DateTime<Utc>) -> (u16, Value) {
    let pending = workflow.action.is_none() && workflow.status != WorkflowStatus::Failed;
    let action = workflow.action.unwrap_or(Action::Pending);
    let body = json!({
        "success": workflow.status != WorkflowStatus::Failed,
        "status": if pending { "accepted" } else { "processed" },
        "conversation_id": workflow.conversation_id,
        "workflow_id": workflow.id,
        "timestamp": stamp(now),
        "action_taken": action,
        "workflow_status": workflow.status,
        "confidence": workflow.confidence,
        "response_queue_id": workflow.draft_id,
        "escalation_id": workflow.escalation_id,
        "payment_plan_id": workflow.payment_plan_id.map(crate::domain::PlanId),
        "merged_into": workflow.merged_into,
        "duplicate": duplicate,
        "degraded": workflow.degraded,
        "correlation_id": workflow.correlation_id,
    });
    (if pending { 202 } else { 200 }, body)
}

/// The answer of `POST /orchestrate/approve-response` about a decided draft, with its HTTP status:
/// 502 when the agent refused the text for good (§3.1).
pub fn approval(
    draft: &Draft,
    delivery: Option<&Delivery>,
    already: bool,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> (u16, Value) {
    if draft.status == "suppressed" {
        // Stopped between its release and its leaving: the delivery says by what.
        let reason = delivery.and_then(|d| d.last_error.as_deref());
        let (reason, sentence) = match reason {
            Some("on_hold") => ("on_hold", "The tenant is on hold; a manager may lift it"),
            _ => ("opted_out", "The tenant asked not to be texted"),
        };
        let details = json!({ "reason": reason, "response_queue_id": draft.id });
        let problem = Problem::conflict(sentence, details);
        return (
            409,
            problem.body("/orchestrate/approve-response", correlation_id, now),
        );
    }
    let sends = matches!(draft.status.as_str(), "approved" | "modified");
    if sends && delivery.is_some_and(|d| d.status == DeliveryStatus::Failed) {
        return (
            502,
            refused_downstream(draft, delivery, correlation_id, now),
        );
    }
    let status = delivery_status(sends, delivery);
    let message = match (draft.status.as_str(), status) {
        ("escalated", _) => "Escalated; nothing was sent.",
        (_, "sent") if draft.status == "modified" => "Modified and sent.",
        (_, "sent") => "Approved and sent.",
        (_, "failed") => "Decided; the text may not be sent any more.",
        (_, "held") => "Decided; delivery is pending until contact hours begin.",
        _ => "Decided; delivery is pending.",
    };
    let body = json!({
        "success": true,
        "status": "processed",
        "message": message,
        "action": draft.approval_action,
        "processed_at": stamp(draft.actioned_at.unwrap_or(now)),
        "response_queue_id": draft.id,
        "queue_id": draft.id,
        "conversation_id": draft.conversation_id,
        "workflow_id": draft.workflow_id,
        "queue_status": draft.status,
        "final_response": draft.final_response,
        "delivery": {
            "status": status,
            "sms_message_id": delivery.and_then(|d| d.sms_message_id.as_deref()),
            "twilio_sid": delivery.and_then(|d| d.twilio_sid.as_deref()),
            "attempts": delivery.map_or(0, |d| d.attempts),
            "last_error": delivery.and_then(|d| d.last_error.as_deref()),
            "not_before": delivery
                .filter(|_| status == "held")
                .and_then(|d| d.not_before)
                .map(stamp),
        },
        "escalation_id": draft.escalation_id,
        "already_processed": already,
        "correlation_id": correlation_id,
    });
    (200, body)
}

/// A hold as lists and answers show it.
pub fn hold(hold: &Hold) -> Value {
    let lifted = hold.lifted.as_ref();
    json!({
        "id": hold.id,
        "hold_id": hold.id,
        "kind": hold.kind,
        "status": if lifted.is_some() { "lifted" } else { "active" },
        "phone_number": hold.phone,
        "tenant_id": hold.tenant_id,
        "conversation_id": hold.conversation_id,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed_at": stamp(hold.placed_at),
        "lifted_by": lifted.map(|(by, ..)| by),
        "lift_reason": lifted.map(|(_, reason, _)| reason),
        "lifted_at": lifted.map(|(.., at)| stamp(*at)),
    })
}

/// When a number wants no texts, as lists and answers show it.
pub fn contact_window(window: &ContactWindow) -> Value {
    let lifted = window.lifted.as_ref();
    json!({
        "id": window.id,
        "contact_window_id": window.id,
        "status": if lifted.is_some() { "lifted" } else { "active" },
        "phone_number": window.phone,
        "quiet": window.quiet,
        "source": window.source,
        "conversation_id": window.conversation_id,
        "text_id": window.text_id,
        "note": window.note,
        "set_by": window.set_by,
        "set_at": stamp(window.set_at),
        "lifted_by": lifted.map(|(by, ..)| by),
        "lift_reason": lifted.map(|(_, reason, _)| reason),
        "lifted_at": lifted.map(|(.., at)| stamp(*at)),
    })
}

/// The contract's word for how far a text is.
pub fn delivery_status(sends: bool, delivery: Option<&Delivery>) -> &'static str {
    match delivery.map(|d| d.status) {
        _ if !sends => "not_applicable",
        Some(DeliveryStatus::Sent) => "sent",
        Some(DeliveryStatus::Failed | DeliveryStatus::Suppressed | DeliveryStatus::Unknown) => {
            "failed"
        }
        Some(DeliveryStatus::Held) => "held",
        None | Some(DeliveryStatus::Intended | DeliveryStatus::Waiting) => "queued",
    }
}

fn refused_downstream(
    draft: &Draft,
    delivery: Option<&Delivery>,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> Value {
    let problem = Problem {
        status: 502,
        slug: "sms-refused",
        title: "SMS refused downstream",
        code: "ORC_011",
        detail: "The SMS Agent refused the text for good; the decision stays recorded".to_owned(),
        details: json!({
            "response_queue_id": draft.id,
            "delivery_status": "failed",
            "upstream_status": delivery.and_then(|d| d.last_error.as_deref()),
            "escalation_id": delivery
                .map(|d| EscalationId(crate::domain::EventId(d.id.0).row("escalation"))),
        }),
        errors: Vec::new(),
    };
    problem.body("/orchestrate/approve-response", correlation_id, now)
}

/// RFC 9457 problem details plus the members older clients look for (§0.5).
#[derive(Debug, Clone)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// End of the `type` URN.
    pub slug: &'static str,
    /// What kind of problem.
    pub title: &'static str,
    /// `ORC_…`.
    pub code: &'static str,
    /// One sentence about this case, without personal data.
    pub detail: String,
    /// For machines.
    pub details: Value,
    /// Offending fields.
    pub errors: Vec<crate::events::FieldError>,
}

impl Problem {
    /// The body.
    pub fn body(&self, instance: &str, correlation_id: &str, now: DateTime<Utc>) -> Value {
        json!({
            "type": format!("urn:orchestrator:problem:{}", self.slug),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "errors": self.errors,
            "success": false,
            "error": self.detail,
            "message": self.detail,
            "error_code": self.code,
            "details": self.details,
            "correlation_id": correlation_id,
            "timestamp": stamp(now),
        })
    }

    /// A body from outside that cannot be used: 422, or 400 when its fields do not fit together.
    pub fn invalid(invalid: &crate::events::Invalid) -> Self {
        let (status, slug, title) = if invalid.contradictory {
            (400, "contradictory-request", "Contradictory request")
        } else {
            (422, "invalid-request", "Invalid request")
        };
        Self {
            status,
            slug,
            title,
            code: "ORC_001",
            detail: invalid.sentence(),
            details: json!({}),
            errors: invalid.errors.clone(),
        }
    }

    /// Nothing by that id.
    pub fn not_found(detail: &str, details: Value) -> Self {
        Self {
            status: 404,
            slug: "not-found",
            title: "Not found",
            code: "ORC_008",
            detail: detail.to_owned(),
            details,
            errors: Vec::new(),
        }
    }

    /// Conflicts with what is.
    pub fn conflict(detail: &str, details: Value) -> Self {
        Self {
            status: 409,
            slug: "conflict",
            title: "Conflicting state",
            code: "ORC_009",
            detail: detail.to_owned(),
            details,
            errors: Vec::new(),
        }
    }
}

/// Turns wishes into answers, asking once for all workflows and once for all drafts of a round.
pub(super) async fn load(
    tx: &mut Tx<'_>,
    wanted: Vec<Vec<Reply>>,
    now: DateTime<Utc>,
) -> Result<Vec<Vec<Answer>>, sqlx::Error> {
    let mut workflow_ids = Vec::new();
    let mut draft_ids = Vec::new();
    for reply in wanted.iter().flatten() {
        match reply {
            Reply::Workflow(id) | Reply::WorkflowTo { workflow: id, .. } => workflow_ids.push(id.0),
            Reply::Approval { draft, .. } => draft_ids.push(draft.0),
            Reply::Ready { .. } => {}
        }
    }
    let mut flows = HashMap::new();
    if !workflow_ids.is_empty() {
        flows.extend(
            workflows::with_ids(tx, &workflow_ids)
                .await?
                .into_iter()
                .map(|w| (w.id, w)),
        );
    }
    let mut decided = HashMap::new();
    let mut sent = HashMap::new();
    if !draft_ids.is_empty() {
        decided.extend(
            drafts::with_ids(tx, &draft_ids)
                .await?
                .into_iter()
                .map(|d| (d.id, d)),
        );
        let texts = deliveries::of_drafts_in(tx, &draft_ids).await?;
        sent.extend(
            texts
                .into_iter()
                .filter_map(|d| d.draft_id.map(|id| (id, d))),
        );
    }
    let answer = |reply: Reply| match reply {
        Reply::Workflow(id) => {
            let workflow = flows.get(&id)?;
            let to = workflow.reply_subject.clone()?;
            let (status, body) = sms_received(workflow, false, now);
            Some(Answer { to, status, body })
        }
        Reply::WorkflowTo {
            workflow,
            to,
            duplicate,
        } => {
            let (status, body) = sms_received(flows.get(&workflow)?, duplicate, now);
            Some(Answer { to, status, body })
        }
        Reply::Approval {
            draft,
            to,
            already,
            correlation_id,
        } => {
            let draft = decided.get(&draft)?;
            let waiting = || sent.get(&draft.id).and_then(|d| d.reply_subject.clone());
            let to = to.or_else(waiting)?;
            let (status, body) =
                approval(draft, sent.get(&draft.id), already, &correlation_id, now);
            Some(Answer { to, status, body })
        }
        Reply::Ready { to, status, body } => Some(Answer { to, status, body }),
    };
    Ok(wanted
        .into_iter()
        .map(|replies| replies.into_iter().filter_map(answer).collect())
        .collect())
}
