//! Payment plans. Dollars.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::events::Neighbour;
use crate::rules::plan::{IssueCode, Source};

/// A text that may hold a plan, or a plan.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanRequest {
    #[schema(pattern = "^[A-Za-z0-9_.:+@-]{1,128}$")]
    conversation_id: String,
    #[schema(min_length = 1, max_length = 100)]
    tenant_id: String,
    /// Also as `message` or `content`.
    #[schema(min_length = 1, max_length = 5000)]
    message_content: String,
    #[schema(max_length = 5000)]
    ai_response: Option<String>,
    #[schema(exclusive_minimum = 0, maximum = 1_000_000)]
    weekly_amount: Option<f64>,
    /// Also as `duration_weeks`, `duration` or `number_of_payments`.
    #[schema(minimum = 1, maximum = 520)]
    weeks: Option<u32>,
    start_date: Option<DateTime<Utc>>,
    #[schema(minimum = 0, maximum = 1)]
    confidence: Option<f64>,
    workflow_id: Option<String>,
    /// As the Monitor answers; given, the Monitor is not asked.
    #[schema(value_type = Option<Object>)]
    tenant_context: Option<Value>,
}

/// What the rules say.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanAnswer {
    /// Whether there is a plan.
    success: bool,
    payment_plan_id: Option<String>,
    /// `validated`, `needs_review`, `invalid`, `not_detected`.
    status: String,
    validation_details: Option<Validation>,
    payment_plan: Option<FoundPlan>,
    /// Up to three admissible plans instead.
    counter_offers: Vec<CounterOffer>,
    schedule: Vec<Due>,
    /// Neighbours that were missed.
    degraded: Vec<Neighbour>,
    conversation_id: String,
    tenant_id: String,
    workflow_id: String,
    message: String,
    processed_at: DateTime<Utc>,
    correlation_id: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Validation {
    is_valid: bool,
    /// Sentences.
    issues: Vec<String>,
    /// In the same order.
    issue_codes: Vec<IssueCode>,
    auto_approvable: bool,
    total_amount: Option<f64>,
    payable_total: Option<f64>,
    covers_debt: Option<bool>,
    coverage_percent: Option<f64>,
    debt_basis: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FoundPlan {
    weekly_amount: f64,
    weeks: Option<u32>,
    duration_weeks: Option<u32>,
    start_date: Option<DateTime<Utc>>,
    end_date: Option<DateTime<Utc>>,
    confidence_score: Option<f64>,
    extracted_from: Source,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CounterOffer {
    weekly_amount: f64,
    weeks: Option<u32>,
    start_date: Option<DateTime<Utc>>,
    total_amount: Option<f64>,
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Due {
    due_date: NaiveDate,
    amount: f64,
}

/// One plan, or the plans of a conversation.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "only its shape is shown")]
pub(crate) enum PlanOrPlans {
    One(StoredPlan),
    Many(Plans),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct StoredPlan {
    payment_plan_id: String,
    conversation_id: String,
    tenant_id: Option<String>,
    workflow_id: Option<String>,
    weekly_amount: f64,
    weeks: Option<u32>,
    start_date: Option<DateTime<Utc>>,
    end_date: Option<DateTime<Utc>>,
    /// `validated`, `needs_review`, `invalid`, `approved`, `rejected`, `active`, `completed`, `cancelled`.
    status: String,
    total_amount: Option<f64>,
    /// Payments are not collected here: 0.
    amount_paid: f64,
    amount_remaining: Option<f64>,
    #[schema(value_type = Vec<Object>)]
    payment_history: Vec<Value>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    validation_details: Validation,
    extracted_from: Source,
    confidence_score: Option<f64>,
    counter_offers: Vec<CounterOffer>,
    schedule: Vec<Due>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Plans {
    conversation_id: String,
    /// Newest first.
    payment_plans: Vec<ListedPlan>,
    total_plans: u64,
    active_plans: u64,
    limit: u64,
    offset: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ListedPlan {
    payment_plan_id: String,
    weekly_amount: f64,
    weeks: Option<u32>,
    start_date: Option<DateTime<Utc>>,
    status: String,
    total_amount: Option<f64>,
    created_at: DateTime<Utc>,
    validation_details: Validation,
}
