//! Escalations: what a person has to look at.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Batch, Db, Tx, column, lock_conversations};
use crate::domain::{
    ConversationId, DraftId, EscalationId, EscalationType, Phone, Severity, TenantId, WorkflowId,
};
use crate::events::EscalationRaised;

/// An escalation to store, together with what its event does not carry.
#[derive(Debug, Clone)]
pub struct NewEscalation {
    /// The event that tells the others.
    pub raised: EscalationRaised,
    /// The tenant's number.
    pub phone: Option<Phone>,
    /// Who raised it.
    pub by: String,
    /// Who should look.
    pub assigned_to: Option<String>,
    /// As it came from whoever asked for it.
    pub metadata: Value,
}

impl NewEscalation {
    /// As it will be stored.
    pub fn as_stored(&self) -> Escalation {
        let raised = &self.raised;
        Escalation {
            id: raised.escalation_id,
            workflow_id: raised.workflow_id,
            conversation_id: raised.conversation_id.clone(),
            tenant_id: raised.tenant_id.as_ref().map(ToString::to_string),
            tenant_name: raised.tenant_name.clone(),
            phone: self.phone.as_ref().map(|p| p.as_str().to_owned()),
            kind: raised.escalation_type,
            severity: raised.severity,
            reason: raised.reason.clone(),
            auto_detected: raised.auto_detected,
            status: "open".to_owned(),
            escalated_by: self.by.clone(),
            assigned_to: self.assigned_to.clone(),
            handled_by: None,
            resolution: None,
            draft_id: raised.response_queue_id,
            metadata: self.metadata.clone(),
            created_at: raised.raised_at,
            resolved_at: None,
            reminded: false,
        }
    }

    fn at(&self) -> DateTime<Utc> {
        self.raised.raised_at
    }
}

pub(super) fn insert(all: &mut Batch, rows: &[NewEscalation]) {
    all.add(
        "insert into escalation_events
           (id, workflow_id, conversation_id, tenant_id, tenant_name, phone_number,
            escalation_type, severity, reason, auto_detected, escalated_by, assigned_to,
            response_queue_id, created_at, metadata)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                              $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[],
                              $12::text[], $13::uuid[], $14::timestamptz[], $15::jsonb[])",
    )
    .bind(column(rows, |r| r.raised.escalation_id.0))
    .bind(column(rows, |r| r.raised.workflow_id.0))
    .bind(column(rows, |r| r.raised.conversation_id.as_str()))
    .bind(column(rows, |r| r.raised.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.raised.tenant_name.as_deref()))
    .bind(column(rows, |r| r.phone.as_ref().map(Phone::as_str)))
    .bind(column(rows, |r| r.raised.escalation_type.as_str()))
    .bind(column(rows, |r| r.raised.severity.as_str()))
    .bind(column(rows, |r| r.raised.reason.as_str()))
    .bind(column(rows, |r| r.raised.auto_detected))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.assigned_to.as_deref()))
    .bind(column(rows, |r| r.raised.response_queue_id.map(|d| d.0)))
    .bind(column(rows, NewEscalation::at))
    .bind(column(rows, |r| Json(&r.metadata)));
}

/// Somebody has taken an escalation over, or is done with it.
#[derive(Debug, Clone)]
pub struct EscalationUpdate {
    /// Which.
    pub id: EscalationId,
    /// `in_progress` or `resolved`.
    pub status: &'static str,
    /// Who has it now.
    pub assigned_to: Option<String>,
    /// Who was done with it.
    pub handled_by: Option<String>,
    /// What was done.
    pub resolution: Option<String>,
    /// In a word.
    pub outcome: Option<String>,
    /// When it was done.
    pub resolved_at: Option<DateTime<Utc>>,
}

pub(super) async fn update(tx: &mut Tx<'_>, rows: &[EscalationUpdate]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update escalation_events e set
           status = u.status,
           assigned_to = coalesce(u.assigned, e.assigned_to),
           handled_by = coalesce(u.handled, e.handled_by),
           resolution = coalesce(u.resolution, e.resolution),
           metadata = case when u.outcome is null then e.metadata
                           else e.metadata || jsonb_build_object('outcome', u.outcome) end,
           resolved_at = coalesce(u.resolved, e.resolved_at)
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::timestamptz[])
           as u(id, status, assigned, handled, resolution, outcome, resolved)
         where e.id = u.id and e.status <> 'resolved'",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.status))
    .bind(column(rows, |r| r.assigned_to.as_deref()))
    .bind(column(rows, |r| r.handled_by.as_deref()))
    .bind(column(rows, |r| r.resolution.as_deref()))
    .bind(column(rows, |r| r.outcome.as_deref()))
    .bind(column(rows, |r| r.resolved_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Managers were reminded of an escalation.
#[derive(Debug, Clone, Copy)]
pub struct Reminded {
    /// Which.
    pub id: EscalationId,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) async fn remind(tx: &mut Tx<'_>, rows: &[Reminded]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update escalation_events e set reminded_at = u.at
         from unnest($1::uuid[], $2::timestamptz[]) as u(id, at) where e.id = u.id",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which conversations have an escalation that nobody is done with.
pub(super) async fn open_in(
    tx: &mut Tx<'_>,
    conversations: &[&str],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select distinct conversation_id from escalation_events
         where conversation_id = any($1) and status <> 'resolved'",
    )
    .bind(conversations)
    .fetch_all(&mut **tx)
    .await
}

/// An escalation as stored.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// Its id.
    pub id: EscalationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The tenant, as far as known.
    pub tenant_id: Option<String>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// The tenant's number.
    pub phone: Option<String>,
    /// Why.
    pub kind: EscalationType,
    /// How soon.
    pub severity: Severity,
    /// A sentence.
    pub reason: String,
    /// Raised by a rule.
    pub auto_detected: bool,
    /// `open`, `in_progress`, `resolved`.
    pub status: String,
    /// Who raised it.
    pub escalated_by: String,
    /// Who has it.
    pub assigned_to: Option<String>,
    /// Who was done with it.
    pub handled_by: Option<String>,
    /// What was done.
    pub resolution: Option<String>,
    /// The draft it concerns.
    pub draft_id: Option<DraftId>,
    /// As it came, and what was noted about it.
    pub metadata: Value,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was done.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Managers were reminded of it.
    pub reminded: bool,
}

const COLUMNS: &str =
    "id, workflow_id, conversation_id, tenant_id, tenant_name, phone_number, escalation_type,
    severity, reason, auto_detected, status, escalated_by, assigned_to, handled_by, resolution,
    response_queue_id, metadata, created_at, resolved_at, reminded_at is not null as reminded";

fn from_row(row: &PgRow) -> Result<Escalation, sqlx::Error> {
    let kind: String = row.try_get("escalation_type")?;
    let severity: String = row.try_get("severity")?;
    let unknown = |what: &str| sqlx::Error::Decode(format!("unknown {what}").into());
    Ok(Escalation {
        id: EscalationId(row.try_get("id")?),
        workflow_id: WorkflowId(row.try_get("workflow_id")?),
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        tenant_id: row.try_get("tenant_id")?,
        tenant_name: row.try_get("tenant_name")?,
        phone: row.try_get("phone_number")?,
        kind: EscalationType::parse(&kind).ok_or_else(|| unknown("type of escalation"))?,
        severity: Severity::parse(&severity).ok_or_else(|| unknown("severity"))?,
        reason: row.try_get("reason")?,
        auto_detected: row.try_get("auto_detected")?,
        status: row.try_get("status")?,
        escalated_by: row.try_get("escalated_by")?,
        assigned_to: row.try_get("assigned_to")?,
        handled_by: row.try_get("handled_by")?,
        resolution: row.try_get("resolution")?,
        draft_id: row
            .try_get::<Option<Uuid>, _>("response_queue_id")?
            .map(DraftId),
        metadata: row.try_get::<Json<Value>, _>("metadata")?.0,
        created_at: row.try_get("created_at")?,
        resolved_at: row.try_get("resolved_at")?,
        reminded: row.try_get("reminded")?,
    })
}

/// One escalation.
pub async fn with_id(pool: &Db, id: EscalationId) -> Result<Option<Escalation>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from escalation_events where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// What the end of an escalation depends on.
#[derive(Debug, Clone)]
pub struct EscalationCase {
    /// The escalation, locked.
    pub escalation: Escalation,
    /// Another one of its workflow is not done.
    pub others_open: bool,
    /// A draft of its workflow waits.
    pub draft_waits: bool,
    /// Its workflow is a person's.
    pub workflow_escalated: bool,
}

/// Escalations by id, locked, with what the end of each depends on.
pub(super) async fn locked(
    tx: &mut Tx<'_>,
    ids: &[Uuid],
) -> Result<Vec<EscalationCase>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS},
           exists (select 1 from escalation_events o where o.workflow_id = e.workflow_id
                     and o.id <> e.id and o.status <> 'resolved') as others_open,
           exists (select 1 from ai_response_queue q where q.workflow_id = e.workflow_id
                     and q.status in ('pending', 'expired')) as draft_waits,
           exists (select 1 from orchestration_workflows w where w.id = e.workflow_id
                     and w.status = 'escalated') as workflow_escalated
         from escalation_events e where id = any($1) order by id for update of e"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(EscalationCase {
                escalation: from_row(row)?,
                others_open: row.try_get("others_open")?,
                draft_waits: row.try_get("draft_waits")?,
                workflow_escalated: row.try_get("workflow_escalated")?,
            })
        })
        .collect()
}

/// What makes an escalation the same as an open one (§5.1).
#[derive(Debug, Clone)]
pub struct SameEscalation {
    /// Same conversation.
    pub conversation: ConversationId,
    /// Same type.
    pub kind: EscalationType,
    /// Raised after this moment.
    pub since: DateTime<Utc>,
}

/// The open escalations of conversations since a moment, newest first. Requests about one
/// conversation take turns from here on.
pub(super) async fn open_since(
    tx: &mut Tx<'_>,
    wanted: &[&SameEscalation],
) -> Result<Vec<Escalation>, sqlx::Error> {
    lock_conversations(tx, column(wanted, |w| w.conversation.as_str())).await?;
    let sql = format!(
        "select {COLUMNS} from escalation_events
         where conversation_id = any($1) and created_at > $2 and status <> 'resolved'
         order by created_at desc"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(column(wanted, |w| w.conversation.as_str()))
        .bind(wanted.iter().map(|w| w.since).min())
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

impl SameEscalation {
    pub(super) fn is(&self, found: &Escalation) -> bool {
        self.conversation == found.conversation_id
            && self.kind == found.kind
            && found.created_at > self.since
    }
}

/// What a list of escalations is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct EscalationFilter {
    /// Exactly these; empty for all.
    pub statuses: Vec<&'static str>,
    /// This urgent.
    pub severity: Option<Severity>,
    /// Of this type.
    pub kind: Option<EscalationType>,
    /// One conversation.
    pub conversation: Option<String>,
    /// One tenant.
    pub tenant: Option<String>,
    /// Raised by a rule, or not.
    pub auto_detected: Option<bool>,
    /// Oldest first.
    pub ascending: bool,
    /// Page size.
    pub limit: i64,
    /// Rows to skip.
    pub offset: i64,
}

impl EscalationFilter {
    fn conditions(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" from escalation_events where true");
        if !self.statuses.is_empty() {
            sql.push(" and status = any(")
                .push_bind(self.statuses.clone())
                .push(")");
        }
        let equal = [
            ("severity", self.severity.map(|s| s.as_str().to_owned())),
            ("escalation_type", self.kind.map(|k| k.as_str().to_owned())),
            ("conversation_id", self.conversation.clone()),
            ("tenant_id", self.tenant.clone()),
        ];
        for (column, value) in equal {
            if let Some(value) = value {
                sql.push(format!(" and {column} = ")).push_bind(value);
            }
        }
        if let Some(auto) = self.auto_detected {
            sql.push(" and auto_detected = ").push_bind(auto);
        }
    }
}

/// A page of escalations and how many there are in all.
pub async fn list(
    pool: &Db,
    filter: &EscalationFilter,
) -> Result<(Vec<Escalation>, i64), sqlx::Error> {
    let mut count = QueryBuilder::new("select count(*)");
    filter.conditions(&mut count);
    let total: i64 = count.build_query_scalar().fetch_one(pool).await?;
    let mut page = QueryBuilder::new("select ");
    page.push(COLUMNS);
    filter.conditions(&mut page);
    let direction = if filter.ascending { "asc" } else { "desc" };
    page.push(format!(
        " order by created_at {direction}, id {direction} limit "
    ))
    .push_bind(filter.limit)
    .push(" offset ")
    .push_bind(filter.offset);
    let rows = page.build().fetch_all(pool).await?;
    let found = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    Ok((found, total))
}
