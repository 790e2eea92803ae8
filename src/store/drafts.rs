//! Drafted replies: sent unread, waiting for a manager, or decided (`ai_response_queue`).

mod find;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::texts::joined;
use super::{Batch, Db, Tx, column};
use crate::domain::{
    Cents, Confidence, ConversationId, DraftId, EscalationId, EscalationType, Finding, Phone,
    PlanId, RoutingReason, TenantContext, TenantId, WorkflowId,
};
use crate::events::{Neighbour, ReplyDrafted};

pub use find::{DraftFilter, list, meant_by, of_workflow};

/// A draft to store.
#[derive(Debug, Clone)]
pub struct NewDraft {
    /// Its id.
    pub id: DraftId,
    /// What was drafted, for whom, knowing what.
    pub drafted: ReplyDrafted,
    /// `pending`, `auto_sent` or `escalated`.
    pub status: &'static str,
    /// Why it waits.
    pub routing_reason: Option<RoutingReason>,
    /// What the texts contain.
    pub triggers: Vec<EscalationType>,
    /// Until when a decision is expected.
    pub expires_at: Option<DateTime<Utc>>,
    /// The trace it was written in.
    pub traceparent: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) fn insert(all: &mut Batch, rows: &[NewDraft]) {
    let degraded = |r: &NewDraft| {
        let names: Vec<&str> = r
            .drafted
            .facts
            .degraded
            .iter()
            .map(|n| n.as_str())
            .collect();
        names.join(",")
    };
    let name = |r: &NewDraft| {
        r.drafted
            .facts
            .tenant
            .as_ref()
            .and_then(|t| t.tenant_name.clone())
    };
    all.add(
        "insert into ai_response_queue
           (id, workflow_id, conversation_id, turn, phone_number, tenant_id, tenant_name,
            tenant_message, ai_response, ai_response_en, language, confidence_score, status,
            routing_reason, escalation_triggers, degraded, context, model, prompt_version,
            prompt_tokens, completion_tokens, plan_cents, plan_weeks, payment_plan_id,
            newest_known_message, expires_at, created_at, updated_at, checks, model_rating,
            cost_micro_usd, traceparent)
         select id, workflow, conversation, turn, phone, tenant, name, message, response, english,
                language, confidence::numeric, status, reason, string_to_array(triggers, ','),
                string_to_array(degraded, ','), context, model, prompt, tokens_in, tokens_out,
                cents, weeks, plan, known, expires, at, at, checks, rating::numeric, cost,
                traceparent
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::float8[],
                     $13::text[], $14::text[], $15::text[], $16::text[], $17::jsonb[], $18::text[],
                     $19::text[], $20::bigint[], $21::bigint[], $22::bigint[], $23::integer[],
                     $24::bigint[], $25::timestamptz[], $26::timestamptz[], $27::uuid[],
                     $28::jsonb[], $29::float8[], $30::bigint[], $31::text[])
           as t(id, workflow, conversation, turn, phone, tenant, name, message, response, english,
                language, confidence, status, reason, triggers, degraded, context, model, prompt,
                tokens_in, tokens_out, cents, weeks, known, expires, at, plan, checks, rating, cost,
                traceparent)",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.drafted.turn.workflow_id.0))
    .bind(column(rows, |r| r.drafted.turn.conversation_id.as_str()))
    .bind(column(rows, |r| r.drafted.turn.number))
    .bind(column(rows, |r| r.drafted.turn.phone_number.as_str()))
    .bind(column(rows, |r| {
        r.drafted.turn.tenant_id.as_ref().map(TenantId::as_str)
    }))
    .bind(column(rows, name))
    .bind(column(rows, |r| r.drafted.turn.joined_text()))
    .bind(column(rows, |r| r.drafted.draft.reply.as_str()))
    .bind(column(rows, |r| r.drafted.draft.reply_en.as_deref()))
    .bind(column(rows, |r| r.drafted.draft.language.as_deref()))
    .bind(column(rows, |r| r.drafted.draft.confidence.as_f64()))
    .bind(column(rows, |r| r.status))
    .bind(column(rows, |r| {
        r.routing_reason.map(RoutingReason::as_str)
    }))
    .bind(column(rows, |r| joined(&r.triggers)))
    .bind(column(rows, degraded))
    .bind(column(rows, |r| Json(context(&r.drafted))))
    .bind(column(rows, |r| r.drafted.draft.model.as_str()))
    .bind(column(rows, |r| r.drafted.draft.prompt_version.as_str()))
    .bind(column(rows, |r| r.drafted.draft.tokens.map(|t| t.0)))
    .bind(column(rows, |r| r.drafted.draft.tokens.map(|t| t.1)))
    .bind(column(rows, |r| r.drafted.plan.map(|p| p.weekly_amount.0)))
    .bind(column(rows, |r| {
        let weeks = r.drafted.plan.and_then(|p| p.weeks);
        weeks.and_then(|w| i32::try_from(w).ok())
    }))
    .bind(column(rows, |r| r.drafted.facts.newest_known_message))
    .bind(column(rows, |r| r.expires_at))
    .bind(column(rows, |r| r.at))
    .bind(column(rows, |r| {
        r.drafted.plan.map(|p| p.payment_plan_id.0)
    }))
    .bind(column(rows, |r| Json(r.drafted.draft.checks.clone())))
    .bind(column(rows, |r| {
        r.drafted.draft.rating.map(Confidence::as_f64)
    }))
    .bind(column(rows, |r| r.drafted.draft.cost_micro_usd))
    .bind(column(rows, |r| r.traceparent.as_deref()));
}

/// What the model saw, for the person who decides. Only for drafts: an auto-sent one keeps it too,
/// because somebody may ask later why it was sent.
fn context(drafted: &ReplyDrafted) -> Value {
    serde_json::json!({ "tenant": drafted.facts.tenant, "history": drafted.facts.history })
}

/// Changes to a draft; `None` leaves a column as it is.
#[derive(Debug, Clone)]
pub struct DraftUpdate {
    /// Which.
    pub id: DraftId,
    /// `approved`, `modified`, `escalated`, `superseded`, `suppressed`.
    pub status: &'static str,
    /// What was done.
    pub action: Option<&'static str>,
    /// The manager's own text.
    pub modified_response: Option<String>,
    /// The exact text that is sent.
    pub final_response: Option<String>,
    /// Who.
    pub by: Option<String>,
    /// The escalation it became.
    pub escalation: Option<EscalationId>,
    /// The workflow that answers instead.
    pub superseded_by: Option<WorkflowId>,
    /// When.
    pub at: DateTime<Utc>,
}

impl DraftUpdate {
    /// Nobody will decide about it any more.
    pub fn withdrawn(
        id: DraftId,
        status: &'static str,
        by: Option<WorkflowId>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            status,
            action: None,
            modified_response: None,
            final_response: None,
            by: None,
            escalation: None,
            superseded_by: by,
            at,
        }
    }
}

pub(super) async fn update(tx: &mut Tx<'_>, rows: &[DraftUpdate]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update ai_response_queue q set
           status = u.status,
           approval_action = coalesce(u.action, q.approval_action),
           modified_response = coalesce(u.modified, q.modified_response),
           final_response = coalesce(u.final, q.final_response),
           actioned_by = coalesce(u.by, q.actioned_by),
           actioned_at = case when u.by is null then q.actioned_at else u.at end,
           escalation_id = coalesce(u.escalation, q.escalation_id),
           superseded_by = coalesce(u.successor, q.superseded_by),
           updated_at = u.at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::uuid[], $8::uuid[], $9::timestamptz[])
           as u(id, status, action, modified, final, by, escalation, successor, at)
         where q.id = u.id",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.status))
    .bind(column(rows, |r| r.action))
    .bind(column(rows, |r| r.modified_response.as_deref()))
    .bind(column(rows, |r| r.final_response.as_deref()))
    .bind(column(rows, |r| r.by.as_deref()))
    .bind(column(rows, |r| r.escalation.map(|e| e.0)))
    .bind(column(rows, |r| r.superseded_by.map(|w| w.0)))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A manager works on a draft, or gives it back.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub id: DraftId,
    /// Who, and until when.
    pub held: Option<(String, DateTime<Utc>)>,
}

pub(super) async fn claim(tx: &mut Tx<'_>, rows: &[Claim]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update ai_response_queue q set claimed_by = u.by, claimed_until = u.until
         from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as u(id, by, until)
         where q.id = u.id",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.held.as_ref().map(|(by, _)| by.as_str())))
    .bind(column(rows, |r| r.held.as_ref().map(|(_, until)| *until)))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A draft as stored.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Its turn.
    pub turn: i64,
    /// The tenant's number.
    pub phone: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// What the tenant wrote.
    pub tenant_message: String,
    /// What the model wrote.
    pub ai_response: String,
    /// In English.
    pub ai_response_en: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// How sure we were.
    pub confidence: Confidence,
    /// `pending`, `approved`, `modified`, `escalated`, `auto_sent`, `expired`, `superseded`, `suppressed`.
    pub status: String,
    /// Why it waits.
    pub routing_reason: Option<String>,
    /// What the texts contain.
    pub triggers: Vec<String>,
    /// Neighbours that were missing.
    pub degraded: Vec<String>,
    /// Tenant facts and history.
    pub context: Value,
    /// Which model wrote it.
    pub model: Option<String>,
    /// Which prompt it was given.
    pub prompt_version: Option<String>,
    /// Tokens in and out.
    pub tokens: Option<(i64, i64)>,
    /// What our checks found; empty on rows of older versions.
    pub checks: Vec<Finding>,
    /// The model's own rating.
    pub rating: Option<Confidence>,
    /// Millionths of a dollar.
    pub cost_micro_usd: Option<i64>,
    /// The plan on the table, with the verdict as it is now.
    pub plan: Option<DraftPlan>,
    /// See `TurnFacts`.
    pub newest_known_message: i64,
    /// What was done.
    pub approval_action: Option<String>,
    /// The manager's own text.
    pub modified_response: Option<String>,
    /// The exact text that is sent.
    pub final_response: Option<String>,
    /// Who decided.
    pub actioned_by: Option<String>,
    /// When.
    pub actioned_at: Option<DateTime<Utc>>,
    /// The escalation it became.
    pub escalation_id: Option<EscalationId>,
    /// The workflow that answers instead.
    pub superseded_by: Option<WorkflowId>,
    /// Until when a decision is expected.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who works on it, and until when nobody else decides.
    pub claimed: Option<(String, DateTime<Utc>)>,
    /// The trace it was written in, if there was one.
    pub traceparent: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The plan a draft speaks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftPlan {
    /// The plan.
    pub id: PlanId,
    /// Cents a week.
    pub weekly_amount: Cents,
    /// Number of weeks, when stated.
    pub weeks: Option<u32>,
    /// Its status now.
    pub status: String,
}

impl Draft {
    /// Whether a manager may still decide about it without overriding anything.
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    /// The tenant as the Monitor knew them when it was written.
    pub fn tenant_context(&self) -> Option<TenantContext> {
        serde_json::from_value(self.context.get("tenant")?.clone()).ok()
    }

    /// Who keeps `manager` from deciding at `now`, and until when.
    pub fn claimed_by_another(
        &self,
        manager: &str,
        now: DateTime<Utc>,
    ) -> Option<(&str, DateTime<Utc>)> {
        let (by, until) = self.claimed.as_ref()?;
        (by != manager && *until > now).then_some((by.as_str(), *until))
    }

    /// The neighbours by their type.
    pub fn degraded_neighbours(&self) -> Vec<Neighbour> {
        let parse = |name: &String| serde_json::from_value(Value::String(name.clone())).ok();
        self.degraded.iter().filter_map(parse).collect()
    }
}

const COLUMNS: &str =
    "id, workflow_id, conversation_id, turn, phone_number, tenant_id, tenant_name,
    tenant_message, ai_response, ai_response_en, language, confidence_score::float8 as confidence,
    status, routing_reason, escalation_triggers, degraded, context, model, prompt_version,
    prompt_tokens, completion_tokens, checks, model_rating::float8 as rating, cost_micro_usd,
    plan_cents, plan_weeks, payment_plan_id,
    (select p.status from payment_plan_attempts p where p.id = payment_plan_id) as plan_status,
    newest_known_message, approval_action,
    modified_response, final_response, actioned_by, actioned_at, escalation_id, superseded_by,
    expires_at, claimed_by, claimed_until, traceparent, created_at, updated_at";

fn from_row(row: &PgRow) -> Result<Draft, sqlx::Error> {
    let score: f64 = row.try_get("confidence")?;
    let cents: Option<i64> = row.try_get("plan_cents")?;
    let weeks: Option<i32> = row.try_get("plan_weeks")?;
    let plan: Option<Uuid> = row.try_get("payment_plan_id")?;
    let claimed_by: Option<String> = row.try_get("claimed_by")?;
    let claimed_until: Option<DateTime<Utc>> = row.try_get("claimed_until")?;
    let plan_status: Option<String> = row.try_get("plan_status")?;
    let tokens_in: Option<i64> = row.try_get("prompt_tokens")?;
    let tokens_out: Option<i64> = row.try_get("completion_tokens")?;
    Ok(Draft {
        id: DraftId(row.try_get("id")?),
        workflow_id: WorkflowId(row.try_get("workflow_id")?),
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        turn: row.try_get("turn")?,
        phone: Phone::from_stored(row.try_get("phone_number")?),
        tenant_id: row
            .try_get::<Option<String>, _>("tenant_id")?
            .map(TenantId::from_stored),
        tenant_name: row.try_get("tenant_name")?,
        tenant_message: row.try_get("tenant_message")?,
        ai_response: row.try_get("ai_response")?,
        ai_response_en: row.try_get("ai_response_en")?,
        language: row.try_get("language")?,
        confidence: Confidence::new(score)
            .ok_or_else(|| sqlx::Error::Decode("confidence outside 0..=1".into()))?,
        status: row.try_get("status")?,
        routing_reason: row.try_get("routing_reason")?,
        triggers: row.try_get("escalation_triggers")?,
        degraded: row.try_get("degraded")?,
        context: row.try_get::<Json<Value>, _>("context")?.0,
        model: row.try_get("model")?,
        prompt_version: row.try_get("prompt_version")?,
        tokens: tokens_in.zip(tokens_out),
        checks: row.try_get::<Json<Vec<Finding>>, _>("checks")?.0,
        rating: row
            .try_get::<Option<f64>, _>("rating")?
            .and_then(Confidence::new),
        cost_micro_usd: row.try_get("cost_micro_usd")?,
        plan: plan.zip(cents).map(|(id, cents)| DraftPlan {
            id: PlanId(id),
            weekly_amount: Cents(cents),
            weeks: weeks.and_then(|w| u32::try_from(w).ok()),
            status: plan_status.unwrap_or_default(),
        }),
        newest_known_message: row.try_get("newest_known_message")?,
        approval_action: row.try_get("approval_action")?,
        modified_response: row.try_get("modified_response")?,
        final_response: row.try_get("final_response")?,
        actioned_by: row.try_get("actioned_by")?,
        actioned_at: row.try_get("actioned_at")?,
        escalation_id: row
            .try_get::<Option<Uuid>, _>("escalation_id")?
            .map(EscalationId),
        superseded_by: row
            .try_get::<Option<Uuid>, _>("superseded_by")?
            .map(WorkflowId),
        expires_at: row.try_get("expires_at")?,
        claimed: claimed_by.zip(claimed_until),
        traceparent: row.try_get("traceparent")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// Drafts by id, inside the committer's transaction.
pub(crate) async fn with_ids(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<Draft>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from ai_response_queue where id = any($1)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// The waiting drafts of conversations.
pub(super) async fn pending_of(
    tx: &mut Tx<'_>,
    conversations: &[&str],
) -> Result<Vec<Draft>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from ai_response_queue
         where conversation_id = any($1) and status = 'pending'"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(conversations)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// One draft.
pub async fn with_id(pool: &Db, id: DraftId) -> Result<Option<Draft>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from ai_response_queue where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}
