//! Consents and holds.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::HoldKind;

/// Which numbers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsentQuery {
    #[param(inline)]
    status: Option<ConsentFilter>,
    phone_number: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConsentFilter {
    OptedOut,
    OptedIn,
    All,
}

/// What a manager was told elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentRequest {
    #[schema(example = "+12025550143")]
    phone_number: String,
    opted_out: bool,
    /// `manager` by default, `email`, `voicemail`.
    source: Option<String>,
    /// What was said; needed for a consent.
    #[schema(max_length = 2000)]
    note: Option<String>,
    /// The proof that lets us begin: the words that were shown. With the next three, or none of them.
    #[schema(max_length = 2000)]
    text_shown: Option<String>,
    /// `web_form`, `paper_form`, `lease`, `text`, `phone` or `in_person`.
    method: Option<String>,
    /// Who consented.
    #[schema(max_length = 200)]
    given_by: Option<String>,
    given_at: Option<DateTime<Utc>>,
    /// Without tokens: who enters it.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentAnswer {
    success: bool,
    /// `opted_out` or `opted_in`.
    status: String,
    phone_number: String,
    opted_out: bool,
    source: String,
    entered_by: Option<String>,
    /// A proof came with it.
    proven: bool,
    changed_at: DateTime<Utc>,
    correlation_id: String,
}

/// A number.
#[derive(Serialize, ToSchema)]
pub(crate) struct Consent {
    phone_number: String,
    /// `opted_out` or `opted_in`.
    status: String,
    opted_out: bool,
    /// Kinds of holds that stand.
    holds: Vec<String>,
    /// When it wants no texts.
    quiet: Vec<String>,
    /// There is a proof of its opt-in: texts may be begun, not only answered.
    may_begin: bool,
    source: Option<String>,
    changed_at: DateTime<Utc>,
}

/// A number with everything ever said about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentInFull {
    #[serde(flatten)]
    consent: Consent,
    history: Vec<ConsentEntry>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentEntry {
    id: String,
    opted_out: bool,
    source: String,
    conversation_id: Option<String>,
    entered_by: Option<String>,
    note: Option<String>,
    proof: Option<ConsentProof>,
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentProof {
    text_shown: String,
    method: String,
    given_by: String,
    given_at: DateTime<Utc>,
}

/// Which holds.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoldQuery {
    #[param(inline)]
    status: Option<HoldFilter>,
    #[param(inline)]
    kind: Option<HoldKind>,
    phone_number: Option<String>,
    tenant_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HoldFilter {
    Active,
    Lifted,
    All,
}

/// Why a number or a tenant may not be texted.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldRequest {
    #[schema(inline)]
    kind: HoldKind,
    /// This or `tenant_id`.
    phone_number: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    tenant_id: Option<String>,
    #[schema(pattern = "^[A-Za-z0-9_.:+@-]{1,128}$")]
    conversation_id: Option<String>,
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
    /// Without tokens: who.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LiftRequest {
    /// Why it may be lifted.
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
    /// Without tokens: who.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

/// A hold.
#[derive(Serialize, ToSchema)]
pub(crate) struct Hold {
    id: String,
    hold_id: String,
    kind: String,
    /// `active` or `lifted`.
    status: String,
    phone_number: Option<String>,
    tenant_id: Option<String>,
    conversation_id: Option<String>,
    reason: String,
    placed_by: String,
    placed_at: DateTime<Utc>,
    lifted_by: Option<String>,
    lift_reason: Option<String>,
    lifted_at: Option<DateTime<Utc>>,
}

/// It stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldAnswer {
    #[serde(flatten)]
    hold: Hold,
    success: bool,
    /// It stood before; the first reason does.
    duplicate: bool,
    correlation_id: String,
}

/// It stands no longer.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiftAnswer {
    #[serde(flatten)]
    hold: Hold,
    success: bool,
    already_lifted: bool,
    correlation_id: String,
}
