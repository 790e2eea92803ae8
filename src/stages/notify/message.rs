//! What managers read: who, what was said, what would be answered, what to do.

use super::{Notifiable, Told};
use crate::domain::{ConversationId, EscalationType, Severity};
use crate::events::{ApprovalRequested, EscalationOverdue, EscalationRaised, PlanDetected};
use crate::neighbours::notifications::Notification;
use crate::rules::plan::{Plan, Status};

/// Readable by itself: who, what was said, what would be answered, what to do.
pub(super) fn message(event: &Told) -> Notification {
    let correlation_id = event.envelope.correlation_id.clone();
    let ids = |kind: &str, extra: Vec<(&'static str, String)>| {
        let mut metadata = vec![
            ("event", kind.to_owned()),
            ("workflow_id", event.body.workflow().to_string()),
            ("conversation_id", event.body.conversation().to_string()),
            ("correlation_id", correlation_id.clone()),
        ];
        metadata.extend(extra);
        metadata
    };
    match &event.body {
        Notifiable::Approval(asked) => approval(
            asked,
            &correlation_id,
            ids(
                "approval_required",
                vec![("response_queue_id", asked.response_queue_id.to_string())],
            ),
        ),
        Notifiable::Escalation(raised) => escalation(
            raised,
            &correlation_id,
            ids(
                "escalation",
                vec![("escalation_id", raised.escalation_id.to_string())],
            ),
        ),
        Notifiable::Overdue(late) => overdue(
            late,
            &correlation_id,
            ids(
                "escalation_overdue",
                vec![("escalation_id", late.escalation_id.to_string())],
            ),
        ),
        Notifiable::Plan(detected) => plan(
            detected,
            &correlation_id,
            ids(
                "payment_plan_detected",
                vec![("payment_plan_id", detected.payment_plan_id.to_string())],
            ),
        ),
        Notifiable::Failure(failed) => Notification {
            kind: "workflow_failed",
            subject: "A tenant's text could not be processed".to_owned(),
            body: format!(
                "Conversation {} stopped at stage {} ({}). The text is kept as dead letter {}.\n\
                 Please answer the tenant yourself or have the item retried.",
                failed.conversation_id, failed.stage, failed.reason, failed.dead_letter_id,
            ),
            severity: Severity::High,
            about: None,
            metadata: ids("workflow_failed", vec![]),
            correlation_id: correlation_id.clone(),
        },
    }
}

fn who<'a>(name: Option<&'a String>, conversation: &'a ConversationId) -> &'a str {
    name.map_or(conversation.as_str(), String::as_str)
}

fn approval(
    asked: &ApprovalRequested,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(asked.tenant_name.as_ref(), &asked.conversation_id);
    let english = match &asked.ai_response_en {
        Some(english) => format!("\nIn English:\n  {english}\n"),
        None => String::new(),
    };
    Notification {
        kind: "approval_required",
        subject: format!("A drafted reply to {who} waits for you"),
        body: format!(
            "{who} wrote:\n  {}\n\nDrafted reply ({} % sure, waits because of {}):\n  {}\n{english}\n\
             Decide until {}: POST /orchestrate/approve-response with response_queue_id {} and \
             action approve, modify, escalate or reject.",
            asked.tenant_message,
            asked.confidence_score.percent(),
            asked.routing_reason.as_str().replace('_', " "),
            asked.ai_response,
            asked.expires_at.format("%Y-%m-%d %H:%M UTC"),
            asked.response_queue_id,
        ),
        severity: Severity::Medium,
        about: None,
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

fn escalation(
    raised: &EscalationRaised,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(raised.tenant_name.as_ref(), &raised.conversation_id);
    let said = match &raised.tenant_message {
        Some(said) => format!("\n\n{who} wrote:\n  {said}"),
        None => String::new(),
    };
    let kind = raised.escalation_type.as_str().replace('_', " ");
    Notification {
        kind: "escalation",
        subject: format!("[{}] {who}: {kind}", raised.severity.as_str()),
        body: format!(
            "{}{said}\n\n{} Escalation {}, conversation {}.",
            raised.reason,
            advice(raised.escalation_type, who),
            raised.escalation_id,
            raised.conversation_id,
        ),
        severity: raised.severity,
        about: Some(raised.escalation_type),
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

fn overdue(
    late: &EscalationOverdue,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(late.tenant_name.as_ref(), &late.conversation_id);
    let kind = late.escalation_type.as_str().replace('_', " ");
    let has_it = late.assigned_to.as_deref().unwrap_or("nobody");
    Notification {
        kind: "escalation_overdue",
        subject: format!("Still open: {who}, {kind}"),
        body: format!(
            "Raised {}, expected to be done by {}. {has_it} has it.\n\n{}\n\n\
             Escalation {}, conversation {}.",
            late.raised_at.format("%Y-%m-%d %H:%M UTC"),
            late.expected_at.format("%Y-%m-%d %H:%M UTC"),
            late.reason,
            late.escalation_id,
            late.conversation_id,
        ),
        severity: late.severity,
        about: Some(late.escalation_type),
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

fn plan(
    detected: &PlanDetected,
    correlation_id: &str,
    metadata: Vec<(&'static str, String)>,
) -> Notification {
    let who = who(detected.tenant_name.as_ref(), &detected.conversation_id);
    let finding = &detected.finding;
    let verdict = &finding.verdict;
    let result = match verdict.status {
        Status::Validated => "It is within the rules.".to_owned(),
        Status::NeedsReview => "Please look at it.".to_owned(),
        Status::Invalid => "It is outside the rules.".to_owned(),
    };
    let issues = verdict
        .issues
        .iter()
        .map(|i| format!("\n  - {}", i.message));
    let owed = match (verdict.total_amount, verdict.debt_basis) {
        (Some(total), Some(owed)) => format!(" {total} in all; {owed} is owed."),
        (Some(total), None) => format!(" {total} in all; what is owed is not known."),
        (None, _) => String::new(),
    };
    let offers = finding.counter_offers.iter();
    let offers: Vec<String> = offers
        .map(|o| format!("\n  - {}", terms(&o.plan)))
        .collect();
    let instead = if offers.is_empty() {
        String::new()
    } else {
        format!("\n\nAdmissible instead:{}", offers.concat())
    };
    Notification {
        kind: "payment_plan_detected",
        subject: format!("{who} offers a payment plan: {}", terms(&finding.plan)),
        body: format!(
            "{who} wrote:\n  {}\n\nThat is {}.{owed} {result}{}{instead}\n\n\
             Nothing is agreed by this message. Plan {}, conversation {}.",
            detected.tenant_message,
            terms(&finding.plan),
            issues.collect::<String>(),
            detected.payment_plan_id,
            detected.conversation_id,
        ),
        severity: Severity::Low,
        about: None,
        metadata,
        correlation_id: correlation_id.to_owned(),
    }
}

/// "$75.00 a week for 8 weeks from 2026-11-27".
fn terms(plan: &Plan) -> String {
    let mut terms = format!("{} a week", plan.weekly_amount);
    if let Some(weeks) = plan.weeks {
        terms.push_str(&format!(" for {weeks} weeks"));
    }
    if let Some(start) = plan.start_date {
        terms.push_str(&format!(" from {start}"));
    }
    terms
}

/// What to do. Never "answer them" where no text is allowed, or where one may have arrived.
fn advice(kind: EscalationType, who: &str) -> String {
    match kind {
        EscalationType::OptOut => {
            format!("Nothing will be texted to {who} any more; please do not text either.")
        }
        EscalationType::WrongNumber => {
            "Nothing was sent. Please do not text this number; check the tenant's file.".to_owned()
        }
        EscalationType::DeliveryFailed => {
            format!("Please see what {who} has received before anything is sent again.")
        }
        EscalationType::SelfHarm => {
            format!("Nothing was sent. Please call {who} now; in danger call 911, or 988 for help.")
        }
        _ => format!("Nothing was sent automatically. Please answer {who} yourself."),
    }
}
