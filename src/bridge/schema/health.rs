//! Health.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

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
    /// How the circuit of each neighbour stands: `closed`, `half_open` or `open`.
    circuits: BTreeMap<String, String>,
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

/// Everything that is known inside.
#[derive(Serialize, ToSchema)]
pub(crate) struct Detailed {
    /// The worst of the checks.
    status: Condition,
    version: String,
    uptime_seconds: f64,
    timestamp: DateTime<Utc>,
    service_name: String,
    checks: DetailedChecks,
    /// Figures: queues, connections, circuits, memory. Members may come and go.
    #[schema(value_type = Object)]
    details: Value,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedChecks {
    database: Condition,
    external_services: Condition,
    memory: Condition,
    openai: Condition,
    outbox: Condition,
    scheduler: Condition,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its words are shown")]
pub(crate) enum Condition {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape matters")]
pub(crate) struct DependenciesQuery {
    /// `json`, or `dashboard` for words instead of booleans.
    #[param(inline)]
    format: Option<DependenciesFormat>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its words are shown")]
pub(crate) enum DependenciesFormat {
    Json,
    Dashboard,
}

/// Whether it answers.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is shown")]
pub(crate) enum Up {
    Flag(bool),
    /// `healthy` or `down`.
    Word(String),
}

/// Who answers and who does not. The five are booleans, or with `format=dashboard` `healthy` and
/// `down`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Dependencies {
    collections_monitor: Up,
    sms_agent: Up,
    notification_service: Up,
    supabase: Up,
    openai: Up,
    nats: bool,
    /// `healthy`, `degraded`, `unhealthy` or `critical`.
    overall_status: String,
    /// `full`, `partial`, `read_only`, `offline` or `emergency`.
    degradation_mode: String,
    /// `healthy`, `degraded` or `down`.
    orchestrator: String,
    services: BTreeMap<String, Dependency>,
    queued_operations: i64,
    timestamp: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Dependency {
    /// `healthy`, `degraded` or `down`.
    status: String,
    /// `closed`, `half_open` or `open`.
    circuit: String,
    response_time_ms: Option<f64>,
    last_check: DateTime<Utc>,
    last_error: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape matters")]
pub(crate) struct FiguresQuery {
    /// Up to now, or up to `end_date`.
    #[param(minimum = 1, maximum = 8760, default = 24)]
    hours: Option<u32>,
    tenant_id: Option<String>,
    /// `dashboard` is the member of that name alone; `prometheus` the text of `/metrics`.
    #[param(inline)]
    format: Option<FiguresFormat>,
    /// A date or a time; wins over `hours`.
    start_date: Option<String>,
    end_date: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its words are shown")]
pub(crate) enum FiguresFormat {
    Json,
    Dashboard,
    Prometheus,
}

/// Figures from the database, at most five seconds old.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is shown")]
pub(crate) enum FiguresAnswer {
    Whole(WholeFigures),
    Dashboard(DashboardFigures),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WholeFigures {
    #[schema(value_type = Object)]
    last_hour: Value,
    #[schema(value_type = Object)]
    today: Value,
    #[schema(value_type = Object)]
    timeframe: Value,
    dashboard: DashboardFigures,
    generated_at: DateTime<Utc>,
    timestamp: DateTime<Utc>,
    #[schema(value_type = Object)]
    filters_applied: Value,
}

/// What `format=dashboard` answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct DashboardFigures {
    #[schema(value_type = Object)]
    last_hour: Value,
    #[schema(value_type = Object)]
    today: Value,
    #[schema(value_type = Object)]
    system_health: Value,
    #[schema(value_type = Object)]
    performance: Value,
}

/// Everything that is kept about a conversation, with a chain of hashes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Evidence {
    conversation_id: String,
    exported_at: DateTime<Utc>,
    version: String,
    sections: Vec<EvidenceSection>,
    integrity: Integrity,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EvidenceSection {
    /// `conversation`, `messages`, `workflows`, `steps`, `drafts`, `decisions`, `verdicts`,
    /// `deliveries`, `payment_plans`, `escalations`, `notifications`, `consents`, `holds`,
    /// `dead_letters`, `timeline`.
    section: String,
    records: Vec<EvidenceRecord>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EvidenceRecord {
    #[schema(value_type = Object)]
    record: Value,
    /// Over the hash before it, the section and the record.
    hash: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Integrity {
    algorithm: String,
    seed: String,
    records: u64,
    /// The last hash.
    head: String,
}
