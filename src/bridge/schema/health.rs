//! Health.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether the process is all there.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy` or `degraded`.
    status: String,
    version: String,
    uptime_seconds: f64,
    timestamp: DateTime<Utc>,
    service_name: String,
    checks: HealthChecks,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct HealthChecks {
    /// `healthy` or `unhealthy`.
    database: String,
    /// `configured` or `not_configured`.
    openai: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `ok`.
    status: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always true.
    ready: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NotReady {
    /// Always false.
    ready: bool,
    reasons: Vec<String>,
}
