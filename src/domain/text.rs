//! A tenant's text on its way through the stages.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Cents, EscalationType, WorkflowId};

/// One text that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenText {
    /// The workflow that arrived with it.
    pub workflow_id: WorkflowId,
    /// The text as received.
    pub content: String,
    /// When it reached us.
    pub received_at: DateTime<Utc>,
    /// Its place in the order of arrival.
    pub arrival: Arrival,
    /// What the reader found that belongs to a person.
    pub triggers: Vec<EscalationType>,
    /// The plan the tenant offers, if any.
    pub plan: Option<PlanOffer>,
}

/// Recurring payments somebody proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PlanOffer {
    /// Cents per week.
    pub weekly_amount: Cents,
    /// Number of weeks, when stated.
    pub weeks: Option<u32>,
    /// The first payment, when stated as a date.
    #[serde(default)]
    pub start_date: Option<NaiveDate>,
    /// The offer itself needs a person: a range, an unknown pay frequency, a down payment.
    #[serde(default)]
    pub needs_review: bool,
}
