//! `neighbour.circuit_changed`: a neighbour is not asked for a while, or is asked again.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Neighbour;
use crate::neighbours::breaker::CircuitState;

/// A circuit of one process has changed. Every process has circuits of its own; the header
/// `ce-source` tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CircuitChanged {
    /// `collections_monitor`, `sms_agent` (sending), `sms_agent_reads`, `notification_service`,
    /// `openai`, `openai_fallback`.
    pub circuit: String,
    /// The neighbour.
    pub service: Neighbour,
    /// Before.
    pub from: CircuitState,
    /// After.
    pub to: CircuitState,
    /// Consecutive failures so far.
    pub failures: u32,
    /// What the newest failure was, when the circuit opened. Without bodies, numbers or names.
    pub reason: Option<String>,
    /// When.
    pub changed_at: DateTime<Utc>,
}
