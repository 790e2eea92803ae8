//! The audit trail: what was done for a workflow, when and how long it took.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Batch, Db, column};
use crate::domain::{StepName, StepStatus, WorkflowId};

/// A step to note.
#[derive(Debug, Clone)]
pub struct Step {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// What was done.
    pub name: StepName,
    /// How it ended.
    pub status: StepStatus,
    /// Facts worth keeping; never a phone number or a text.
    pub data: Option<Value>,
    /// What went wrong.
    pub error: Option<Value>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

impl Step {
    /// A step that is done in the moment it is noted.
    pub fn done(workflow_id: WorkflowId, name: StepName, at: DateTime<Utc>) -> Self {
        Self {
            workflow_id,
            name,
            status: StepStatus::Completed,
            data: None,
            error: None,
            started_at: at,
            ended_at: at,
        }
    }

    /// With facts.
    pub fn with(self, data: Value) -> Self {
        Self {
            data: Some(data),
            ..self
        }
    }

    /// With its true beginning.
    pub fn since(self, started_at: DateTime<Utc>) -> Self {
        Self { started_at, ..self }
    }

    /// Tried and not done.
    pub fn failed(self, error: Value) -> Self {
        Self {
            status: StepStatus::Failed,
            error: Some(error),
            ..self
        }
    }

    /// Not needed, or overtaken.
    pub fn skipped(self, why: &str) -> Self {
        Self {
            status: StepStatus::Skipped,
            data: Some(serde_json::json!({ "why": why })),
            ..self
        }
    }

    fn duration_ms(&self) -> i32 {
        let ms = (self.ended_at - self.started_at).num_milliseconds().max(0);
        i32::try_from(ms).unwrap_or(i32::MAX)
    }
}

pub(super) fn insert(all: &mut Batch, rows: &[Step]) {
    all.add(
        "insert into workflow_steps (id, workflow_id, step_name, step_type, status, output_data,
                                     error_details, started_at, completed_at, duration_ms)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
                              $6::jsonb[], $7::jsonb[], $8::timestamptz[], $9::timestamptz[], $10::integer[])",
    )
    // Time-ordered ids keep the index small, and rows of equal time in the order of insertion.
    .bind(column(rows, |_| Uuid::now_v7()))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.name.as_str()))
    .bind(column(rows, |r| r.name.step_type()))
    .bind(column(rows, |r| r.status.as_str()))
    .bind(column(rows, |r| r.data.as_ref().map(Json)))
    .bind(column(rows, |r| r.error.as_ref().map(Json)))
    .bind(column(rows, |r| r.started_at))
    .bind(column(rows, |r| r.ended_at))
    .bind(column(rows, Step::duration_ms));
}

/// A step as stored.
#[derive(Debug, Clone)]
pub struct StoredStep {
    /// Its id.
    pub id: Uuid,
    /// What was done.
    pub name: String,
    /// Its category.
    pub step_type: String,
    /// How it ended.
    pub status: String,
    /// What went wrong.
    pub error: Option<Value>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub duration_ms: Option<i32>,
    /// What answers of the model cost, in millionths of a dollar.
    pub cost_micro_usd: Option<i64>,
}

/// The steps of a workflow in the order they happened.
pub async fn of_workflow(pool: &Db, id: WorkflowId) -> Result<Vec<StoredStep>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, step_name, step_type, status, error_details, started_at, completed_at, duration_ms,
                (output_data ->> 'cost_micro_usd')::bigint as cost_micro_usd
         from workflow_steps where workflow_id = $1 order by id",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredStep {
                id: row.try_get("id")?,
                name: row.try_get("step_name")?,
                step_type: row.try_get("step_type")?,
                status: row.try_get("status")?,
                error: row.try_get("error_details")?,
                started_at: row.try_get("started_at")?,
                completed_at: row.try_get("completed_at")?,
                duration_ms: row.try_get("duration_ms")?,
                cost_micro_usd: row.try_get("cost_micro_usd")?,
            })
        })
        .collect()
}
