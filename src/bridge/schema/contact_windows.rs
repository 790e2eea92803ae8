//! Hours in which numbers want no texts.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::consents::HoldFilter;

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowQuery {
    #[param(inline)]
    status: Option<HoldFilter>,
    phone_number: Option<String>,
}

/// When a number wants no texts.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowRequest {
    #[schema(example = "+12025550143")]
    phone_number: String,
    /// Spans by the clock of the number: `mon-fri 09:00-17:00`, `00:00-12:00`, `sun`. One text will do.
    #[schema(min_items = 1, max_items = 20, example = json!(["mon-fri 09:00-17:00"]))]
    quiet: Vec<String>,
    /// `manager` by default, `email`, `voicemail`.
    source: Option<String>,
    /// What was said.
    #[schema(max_length = 2000)]
    note: Option<String>,
    /// Without tokens: who enters it.
    #[schema(max_length = 100)]
    manager_id: Option<String>,
}

/// An entry.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactWindow {
    id: String,
    contact_window_id: String,
    /// `active` or `lifted`.
    status: String,
    phone_number: String,
    quiet: Vec<String>,
    /// `text`, `manager`, `email` or `voicemail`.
    source: String,
    conversation_id: Option<String>,
    /// The text that said so.
    text_id: Option<String>,
    note: Option<String>,
    set_by: String,
    set_at: DateTime<Utc>,
    lifted_by: Option<String>,
    lift_reason: Option<String>,
    lifted_at: Option<DateTime<Utc>>,
}

/// It counts.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowAnswer {
    #[serde(flatten)]
    window: ContactWindow,
    success: bool,
    correlation_id: String,
}

/// It counts no longer.
#[derive(Serialize, ToSchema)]
pub(crate) struct WindowLiftAnswer {
    #[serde(flatten)]
    window: ContactWindow,
    success: bool,
    already_lifted: bool,
    correlation_id: String,
}
