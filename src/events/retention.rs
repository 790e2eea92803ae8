//! What was forgotten, in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Old conversations were purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetentionPurged {
    /// The row in `purge_runs`.
    pub run_id: Uuid,
    /// Conversations without activity since then were purged, unless on hold.
    pub cutoff: DateTime<Utc>,
    /// Rows by table; tables that lost none are left out.
    pub counts: BTreeMap<String, i64>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}
