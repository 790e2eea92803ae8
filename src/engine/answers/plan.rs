//! How a payment plan reads over HTTP (`http-api.md` §4). Dollars, and days as midnight UTC.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::stamp;
use crate::domain::{Cents, PlanId};
use crate::rules::plan::{PlanFinding, Status};
use crate::store::plans::{PlanPage, StoredPlan};

/// Fills the members about a plan into the answer of `POST /orchestrate/payment-plan-detected`.
pub fn plan_detected(body: &mut Value, id: PlanId, finding: &PlanFinding) {
    let verdict = &finding.verdict;
    let message = match verdict.status {
        Status::Validated => "The plan is within the rules.",
        Status::NeedsReview => "A manager should look at the plan.",
        Status::Invalid => "The plan is outside the rules.",
    };
    body["success"] = json!(true);
    body["payment_plan_id"] = json!(id);
    body["status"] = json!(verdict.status);
    body["message"] = json!(message);
    body["validation_details"] = validation(finding);
    body["payment_plan"] = json!({
        "weekly_amount": finding.plan.weekly_amount.as_dollars_f64(),
        "weeks": finding.plan.weeks,
        "duration_weeks": finding.plan.weeks,
        "start_date": finding.plan.start_date.map(day),
        "end_date": verdict.end_date.map(day),
        "confidence_score": confidence(finding),
        "extracted_from": finding.source,
    });
    body["counter_offers"] = counter_offers(finding);
    body["schedule"] = schedule(finding);
}

/// One plan as `GET /orchestrate/payment-plans/{id}` shows it. Payments are not collected here, so
/// nothing is paid as far as this service knows.
pub fn plan(stored: &StoredPlan) -> Value {
    let finding = &stored.finding;
    let verdict = &finding.verdict;
    json!({
        "payment_plan_id": stored.id,
        "conversation_id": stored.conversation_id,
        "tenant_id": stored.tenant_id,
        "workflow_id": stored.workflow_id,
        "weekly_amount": finding.plan.weekly_amount.as_dollars_f64(),
        "weeks": finding.plan.weeks,
        "start_date": finding.plan.start_date.map(day),
        "end_date": verdict.end_date.map(day),
        "status": stored.status,
        "total_amount": dollars(verdict.total_amount),
        "amount_paid": 0,
        "amount_remaining": dollars(verdict.payable_total),
        "payment_history": [],
        "created_at": stamp(stored.created_at),
        "updated_at": stamp(stored.updated_at),
        "validation_details": validation(finding),
        "extracted_from": finding.source,
        "confidence_score": confidence(finding),
        "counter_offers": counter_offers(finding),
        "schedule": schedule(finding),
    })
}

/// A page of a conversation's plans.
pub fn plans(conversation: &str, page: &PlanPage, limit: i64, offset: i64) -> Value {
    let listed: Vec<Value> = page
        .plans
        .iter()
        .map(|stored| {
            let verdict = &stored.finding.verdict;
            json!({
                "payment_plan_id": stored.id,
                "weekly_amount": stored.finding.plan.weekly_amount.as_dollars_f64(),
                "weeks": stored.finding.plan.weeks,
                "start_date": stored.finding.plan.start_date.map(day),
                "status": stored.status,
                "total_amount": dollars(verdict.total_amount),
                "created_at": stamp(stored.created_at),
                "validation_details": validation(&stored.finding),
            })
        })
        .collect();
    json!({
        "conversation_id": conversation,
        "payment_plans": listed,
        "total_plans": page.total,
        "active_plans": page.active,
        "limit": limit,
        "offset": offset,
    })
}

fn validation(finding: &PlanFinding) -> Value {
    let verdict = &finding.verdict;
    let sentences: Vec<&str> = verdict.issues.iter().map(|i| i.message.as_str()).collect();
    let codes: Vec<_> = verdict.issues.iter().map(|i| i.code).collect();
    #[expect(clippy::cast_precision_loss, reason = "shown to one decimal")]
    let percent = verdict.coverage_permille.map(|p| p as f64 / 10.0);
    json!({
        "is_valid": verdict.is_valid,
        "issues": sentences,
        "issue_codes": codes,
        "auto_approvable": verdict.auto_approvable,
        "total_amount": dollars(verdict.total_amount),
        "payable_total": dollars(verdict.payable_total),
        "covers_debt": verdict.covers_debt,
        "coverage_percent": percent,
        "debt_basis": dollars(verdict.debt_basis),
    })
}

fn counter_offers(finding: &PlanFinding) -> Value {
    let offers = finding.counter_offers.iter().map(|offer| {
        json!({
            "weekly_amount": offer.plan.weekly_amount.as_dollars_f64(),
            "weeks": offer.plan.weeks,
            "start_date": offer.plan.start_date.map(day),
            "total_amount": dollars(offer.plan.total()),
            "reason": offer.reason,
        })
    });
    offers.collect()
}

fn schedule(finding: &PlanFinding) -> Value {
    let dues = finding
        .schedule
        .iter()
        .map(|due| json!({ "due_date": due.due_date, "amount": due.amount.as_dollars_f64() }));
    dues.collect()
}

fn confidence(finding: &PlanFinding) -> Option<f64> {
    finding.confidence.map(|c| f64::from(c) / 10_000.0)
}

fn dollars(amount: Option<Cents>) -> Option<f64> {
    amount.map(Cents::as_dollars_f64)
}

fn day(date: NaiveDate) -> String {
    format!("{date}T00:00:00Z")
}
