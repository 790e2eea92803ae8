//! Workflows: one per text, and what became of it.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Batch, Db, Tx, column};
use crate::domain::{
    Action, Confidence, ConversationId, DraftId, EscalationId, Outcome, Phone, PlanId, StepName,
    TenantId, WorkflowId, WorkflowStatus, WorkflowType,
};
use crate::events::Neighbour;

/// A workflow to begin.
#[derive(Debug, Clone)]
pub struct NewWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// What it is about.
    pub kind: WorkflowType,
    /// The sender, as far as known.
    pub phone: Option<Phone>,
    /// The turn it belongs to.
    pub turn: i64,
    /// One id for everything the request causes.
    pub correlation_id: String,
    /// Where somebody waits for the outcome.
    pub reply_subject: Option<String>,
    /// When its text arrived.
    pub received_at: DateTime<Utc>,
}

pub(super) fn insert(all: &mut Batch, rows: &[NewWorkflow]) {
    all.add(
        "insert into orchestration_workflows
           (id, conversation_id, workflow_type, tenant_id, phone_number, turn, correlation_id,
            reply_subject, started_at, last_message_at, created_at, updated_at)
         select id, conversation_id, kind, tenant, phone, turn, correlation, reply, at, at, at, at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],
                     $7::text[], $8::timestamptz[], $9::text[])
           as t(id, conversation_id, tenant, phone, turn, correlation, reply, at, kind)",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.phone.as_ref().map(Phone::as_str)))
    .bind(column(rows, |r| r.turn))
    .bind(column(rows, |r| r.correlation_id.as_str()))
    .bind(column(rows, |r| r.reply_subject.as_deref()))
    .bind(column(rows, |r| r.received_at))
    .bind(column(rows, |r| r.kind.as_str()));
}

/// Changes to a workflow; `None` leaves a column as it is.
///
/// A workflow that is `sent` or `completed` keeps that status whatever comes late: the one
/// exception is a delivery's result, which always tells the truth (`final_result`).
#[derive(Debug, Clone)]
pub struct WorkflowUpdate {
    /// Which.
    pub id: WorkflowId,
    /// The new status.
    pub status: Option<WorkflowStatus>,
    /// The newest step.
    pub step: Option<StepName>,
    /// What was decided.
    pub action: Option<Action>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The final score.
    pub confidence: Option<Confidence>,
    /// Neighbours found missing, added to those known.
    pub degraded: Vec<Neighbour>,
    /// Its draft.
    pub draft: Option<DraftId>,
    /// Its escalation.
    pub escalation: Option<EscalationId>,
    /// The plan found in it.
    pub plan: Option<PlanId>,
    /// The tenant, when it became known.
    pub tenant: Option<TenantId>,
    /// The workflow that answers instead.
    pub merged_into: Option<WorkflowId>,
    /// What went wrong, without personal data.
    pub error: Option<String>,
    /// It ends now.
    pub ended: bool,
    /// The SMS Agent's word, or a retry's: overrides even a final status.
    pub final_result: bool,
    /// Somebody has it tried again.
    pub retried: bool,
    /// When the change happens.
    pub at: DateTime<Utc>,
}

impl WorkflowUpdate {
    /// No change yet.
    pub fn of(id: WorkflowId, at: DateTime<Utc>) -> Self {
        Self {
            id,
            status: None,
            step: None,
            action: None,
            outcome: None,
            confidence: None,
            degraded: Vec::new(),
            draft: None,
            escalation: None,
            plan: None,
            tenant: None,
            merged_into: None,
            error: None,
            ended: false,
            final_result: false,
            retried: false,
            at,
        }
    }

    /// Moves to `status` at `step`.
    pub fn to(id: WorkflowId, status: WorkflowStatus, step: StepName, at: DateTime<Utc>) -> Self {
        Self {
            status: Some(status),
            step: Some(step),
            ..Self::of(id, at)
        }
    }
}

pub(super) fn update(all: &mut Batch, rows: &[WorkflowUpdate]) {
    let degraded = |r: &WorkflowUpdate| {
        r.degraded
            .iter()
            .map(|n| n.as_str())
            .collect::<Vec<_>>()
            .join(",")
    };
    all.add(
        "update orchestration_workflows w set
           status = coalesce(u.status, w.status),
           current_step = coalesce(u.step, w.current_step),
           action_taken = coalesce(u.action, w.action_taken),
           outcome = coalesce(u.outcome, w.outcome),
           confidence_score = coalesce(u.confidence::numeric, w.confidence_score),
           degraded = case when u.degraded = '' then w.degraded
                           else array(select distinct unnest(w.degraded || string_to_array(u.degraded, ','))) end,
           response_queue_id = coalesce(u.draft, w.response_queue_id),
           escalation_id = coalesce(u.escalation, w.escalation_id),
           payment_plan_id = coalesce(u.plan, w.payment_plan_id),
           tenant_id = coalesce(u.tenant, w.tenant_id),
           merged_into = coalesce(u.merged, w.merged_into),
           error_message = coalesce(u.error, w.error_message),
           retry_count = w.retry_count + u.retried::integer,
           completed_at = case when u.ended then u.at when u.retried then null
                               else w.completed_at end,
           updated_at = greatest(w.updated_at, u.at)
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[],
                     $7::text[], $8::uuid[], $9::uuid[], $10::text[], $11::uuid[], $12::text[],
                     $13::boolean[], $14::boolean[], $15::timestamptz[], $16::uuid[], $17::boolean[])
           as u(id, status, step, action, outcome, confidence, degraded, draft, escalation, tenant,
                merged, error, ended, final, at, plan, retried)
         where w.id = u.id and (u.final or w.status not in ('sent', 'completed'))",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.status.map(WorkflowStatus::as_str)))
    .bind(column(rows, |r| r.step.map(StepName::as_str)))
    .bind(column(rows, |r| r.action.map(Action::as_str)))
    .bind(column(rows, |r| r.outcome.map(Outcome::as_str)))
    .bind(column(rows, |r| r.confidence.map(Confidence::as_f64)))
    .bind(column(rows, degraded))
    .bind(column(rows, |r| r.draft.map(|d| d.0)))
    .bind(column(rows, |r| r.escalation.map(|e| e.0)))
    .bind(column(rows, |r| r.tenant.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.merged_into.map(|w| w.0)))
    .bind(column(rows, |r| r.error.as_deref()))
    .bind(column(rows, |r| r.ended))
    .bind(column(rows, |r| r.final_result))
    .bind(column(rows, |r| r.at))
    .bind(column(rows, |r| r.plan.map(|p| p.0)))
    .bind(column(rows, |r| r.retried));
}

/// A workflow as stored.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// `sms_processing`, `payment_plan_validation`, `escalation`.
    pub workflow_type: String,
    /// Where it stands.
    pub status: WorkflowStatus,
    /// Its newest step.
    pub current_step: String,
    /// What was decided.
    pub action: Option<Action>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The tenant, as far as known.
    pub tenant_id: Option<String>,
    /// The sender.
    pub phone: Option<String>,
    /// The final score.
    pub confidence: Option<Confidence>,
    /// Neighbours that were missing.
    pub degraded: Vec<String>,
    /// Its draft.
    pub draft_id: Option<DraftId>,
    /// Its escalation.
    pub escalation_id: Option<EscalationId>,
    /// Its plan.
    pub payment_plan_id: Option<Uuid>,
    /// The workflow that answered instead.
    pub merged_into: Option<WorkflowId>,
    /// How often somebody started it again.
    pub retry_count: i32,
    /// What went wrong.
    pub error_message: Option<String>,
    /// One id for everything the request caused.
    pub correlation_id: String,
    /// Where somebody waits.
    pub reply_subject: Option<String>,
    /// When its text arrived.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, conversation_id, workflow_type, status, current_step, action_taken, outcome,
    tenant_id, phone_number, confidence_score::float8 as confidence, degraded, response_queue_id,
    escalation_id, payment_plan_id, merged_into, retry_count, error_message, correlation_id,
    reply_subject, created_at, updated_at, completed_at";

fn from_row(row: &PgRow) -> Result<Workflow, sqlx::Error> {
    let word = |name: &str| row.try_get::<Option<String>, _>(name);
    let id = |name: &str| row.try_get::<Option<Uuid>, _>(name);
    let status: String = row.try_get("status")?;
    Ok(Workflow {
        id: WorkflowId(row.try_get("id")?),
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        workflow_type: row.try_get("workflow_type")?,
        status: WorkflowStatus::parse(&status)
            .ok_or_else(|| sqlx::Error::Decode(format!("unknown status {status}").into()))?,
        current_step: row.try_get("current_step")?,
        action: word("action_taken")?.as_deref().and_then(Action::parse),
        outcome: word("outcome")?.as_deref().and_then(Outcome::parse),
        tenant_id: word("tenant_id")?,
        phone: word("phone_number")?,
        confidence: row
            .try_get::<Option<f64>, _>("confidence")?
            .and_then(Confidence::new),
        degraded: row.try_get("degraded")?,
        draft_id: id("response_queue_id")?.map(DraftId),
        escalation_id: id("escalation_id")?.map(EscalationId),
        payment_plan_id: id("payment_plan_id")?,
        merged_into: id("merged_into")?.map(WorkflowId),
        retry_count: row.try_get("retry_count")?,
        error_message: word("error_message")?,
        correlation_id: row.try_get("correlation_id")?,
        reply_subject: word("reply_subject")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        completed_at: row.try_get("completed_at")?,
    })
}

/// Workflows by id, inside the committer's transaction.
pub(crate) async fn with_ids(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Workflow>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from orchestration_workflows where id = any($1)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// Workflows by id, locked.
pub(super) async fn locked(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Workflow>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from orchestration_workflows where id = any($1) order by id for update"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// One workflow.
pub async fn with_id(pool: &Db, id: WorkflowId) -> Result<Option<Workflow>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from orchestration_workflows where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The workflows of a conversation, oldest first.
pub async fn of_conversation(
    pool: &Db,
    conversation: &ConversationId,
) -> Result<Vec<Workflow>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from orchestration_workflows where conversation_id = $1
         order by created_at, turn"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(conversation.as_str())
        .fetch_all(pool)
        .await?;
    rows.iter().map(from_row).collect()
}

/// The newest workflow of a conversation, in the order of arrival; a text's workflow before one
/// that a question about a plan or a manager's escalation began.
pub async fn newest_of(
    pool: &Db,
    conversation: &ConversationId,
) -> Result<Option<Workflow>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from orchestration_workflows where conversation_id = $1
         order by (workflow_type = 'sms_processing') desc, created_at desc, turn desc limit 1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(conversation.as_str())
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}
