//! Payment plans somebody proposed, with the verdict of the rules.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row};

use super::{Db, Tx, column, lock_conversations};
use crate::domain::{Cents, ConversationId, PlanId, TenantId, WorkflowId};
use crate::events::PlanDetected;
use crate::rules::plan::PlanFinding;

/// What makes two plans the same (`http-api.md` §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamePlan {
    /// Same conversation.
    pub conversation: ConversationId,
    /// Same amount.
    pub weekly_amount: Cents,
    /// Same weeks.
    pub weeks: Option<u32>,
    /// Same start.
    pub start_date: Option<NaiveDate>,
    /// Found after this moment.
    pub since: DateTime<Utc>,
}

/// A plan to store, or to judge anew when it is there.
#[derive(Debug, Clone)]
pub struct PlanSeen {
    /// Everything about it.
    pub detected: PlanDetected,
}

impl PlanSeen {
    fn finding(&self) -> &PlanFinding {
        &self.detected.finding
    }
}

fn number(weeks: Option<u32>) -> Option<i32> {
    weeks.and_then(|w| i32::try_from(w).ok())
}

/// A plan seen again keeps its id, its origin and its birthday; what the rules say of it now is
/// the truth. A status somebody gave it since is not taken back.
pub(super) async fn upsert(tx: &mut Tx<'_>, rows: &[PlanSeen]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into payment_plan_attempts as p
           (id, workflow_id, conversation_id, tenant_id, extracted_from, weekly_cents,
            duration_weeks, start_date, end_date, confidence, total_cents, payable_cents, status,
            validation_result, created_at, updated_at)
         select id, workflow, conversation, tenant, source, cents, weeks, start, ending, confidence,
                total, payable, status, finding, at, at
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                     $7::integer[], $8::date[], $9::date[], $10::integer[], $11::bigint[],
                     $12::bigint[], $13::text[], $14::jsonb[], $15::timestamptz[])
           as t(id, workflow, conversation, tenant, source, cents, weeks, start, ending, confidence,
                total, payable, status, finding, at)
         on conflict (id) do update set
           status = case when p.status in ('validated', 'needs_review', 'invalid')
                         then excluded.status else p.status end,
           validation_result = excluded.validation_result,
           payable_cents = excluded.payable_cents,
           updated_at = excluded.updated_at",
    )
    .bind(column(rows, |r| r.detected.payment_plan_id.0))
    .bind(column(rows, |r| r.detected.workflow_id.0))
    .bind(column(rows, |r| r.detected.conversation_id.as_str()))
    .bind(column(rows, |r| {
        r.detected.tenant_id.as_ref().map(TenantId::as_str)
    }))
    .bind(column(rows, |r| r.finding().source.as_str()))
    .bind(column(rows, |r| r.finding().plan.weekly_amount.0))
    .bind(column(rows, |r| number(r.finding().plan.weeks)))
    .bind(column(rows, |r| r.finding().plan.start_date))
    .bind(column(rows, |r| r.finding().verdict.end_date))
    .bind(column(rows, |r| number(r.finding().confidence)))
    .bind(column(rows, |r| {
        r.finding().verdict.total_amount.map(|a| a.0)
    }))
    .bind(column(rows, |r| {
        r.finding().verdict.payable_total.map(|a| a.0)
    }))
    .bind(column(rows, |r| r.detected.status.as_str()))
    .bind(column(rows, |r| Json(r.finding())))
    .bind(column(rows, |r| r.detected.detected_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The same plans found before, newest first. Two requests about one conversation take turns from
/// here to the end of their transactions: such a conversation may have no row that could be locked.
pub(super) async fn same(
    tx: &mut Tx<'_>,
    wanted: &[&SamePlan],
) -> Result<Vec<(SamePlan, PlanId)>, sqlx::Error> {
    lock_conversations(tx, column(wanted, |w| w.conversation.as_str())).await?;
    let rows = sqlx::query(
        "select p.id, p.conversation_id, p.weekly_cents, p.duration_weeks, p.start_date, p.created_at
         from payment_plan_attempts p
         where p.conversation_id = any($1) and p.created_at > $2
         order by p.created_at desc",
    )
    .bind(column(wanted, |w| w.conversation.as_str()))
    .bind(wanted.iter().map(|w| w.since).min())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let weeks: Option<i32> = row.try_get("duration_weeks")?;
            let plan = SamePlan {
                conversation: ConversationId::from_stored(row.try_get("conversation_id")?),
                weekly_amount: Cents(row.try_get("weekly_cents")?),
                weeks: weeks.and_then(|w| u32::try_from(w).ok()),
                start_date: row.try_get("start_date")?,
                since: row.try_get("created_at")?,
            };
            Ok((plan, PlanId(row.try_get("id")?)))
        })
        .collect()
}

impl SamePlan {
    /// Whether `found`, whose `since` is its birthday, is the plan that is looked for.
    pub(super) fn is(&self, found: &Self) -> bool {
        self.conversation == found.conversation
            && self.weekly_amount == found.weekly_amount
            && self.weeks == found.weeks
            && self.start_date == found.start_date
            && found.since > self.since
    }
}

/// A plan as stored.
#[derive(Debug, Clone)]
pub struct StoredPlan {
    /// Its id.
    pub id: PlanId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Whose plan, as far as known.
    pub tenant_id: Option<String>,
    /// `validated`, `needs_review`, `invalid`, `approved`, `rejected`, `active`, `completed`,
    /// `cancelled`.
    pub status: String,
    /// The plan and what the rules say of it.
    pub finding: PlanFinding,
    /// When it was first found.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, workflow_id, conversation_id, tenant_id, status, validation_result, created_at, updated_at";

fn from_row(row: &PgRow) -> Result<StoredPlan, sqlx::Error> {
    Ok(StoredPlan {
        id: PlanId(row.try_get("id")?),
        workflow_id: WorkflowId(row.try_get("workflow_id")?),
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        tenant_id: row.try_get("tenant_id")?,
        status: row.try_get("status")?,
        finding: row.try_get::<Json<PlanFinding>, _>("validation_result")?.0,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// One plan.
pub async fn with_id(pool: &Db, id: PlanId) -> Result<Option<StoredPlan>, sqlx::Error> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS)
        .push(" from payment_plan_attempts where id = ")
        .push_bind(id.0);
    let row = sql.build().fetch_optional(pool).await?;
    row.as_ref().map(from_row).transpose()
}

/// A page of a conversation's plans.
#[derive(Debug, Clone)]
pub struct PlanPage {
    /// Newest first.
    pub plans: Vec<StoredPlan>,
    /// All of the conversation's.
    pub total: i64,
    /// Of them `approved` or `active`.
    pub active: i64,
}

/// The plans of a conversation.
pub async fn of_conversation(
    pool: &Db,
    conversation: &ConversationId,
    limit: i64,
    offset: i64,
) -> Result<PlanPage, sqlx::Error> {
    let (total, active): (i64, i64) = sqlx::query_as(
        "select count(*), count(*) filter (where status in ('approved', 'active'))
         from payment_plan_attempts where conversation_id = $1",
    )
    .bind(conversation.as_str())
    .fetch_one(pool)
    .await?;
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS)
        .push(" from payment_plan_attempts where conversation_id = ")
        .push_bind(conversation.as_str())
        .push(" order by created_at desc, id desc limit ")
        .push_bind(limit)
        .push(" offset ")
        .push_bind(offset);
    let rows = sql.build().fetch_all(pool).await?;
    Ok(PlanPage {
        plans: rows.iter().map(from_row).collect::<Result<_, _>>()?,
        total,
        active,
    })
}
