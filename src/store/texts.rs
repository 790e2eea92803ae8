//! The tenants' texts, as received.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Batch, Db, Tx, column};
use crate::domain::{
    Arrival, Cents, ConversationId, EscalationType, EventId, OpenText, Phone, PlanOffer, TenantId,
    WorkflowId,
};

/// A text to store.
#[derive(Debug, Clone)]
pub struct NewText {
    /// The event it came with.
    pub id: EventId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The turn that answers it.
    pub turn: i64,
    /// Its place in the order of arrival.
    pub arrival: Arrival,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Hash for texts without a key.
    pub content_key: Vec<u8>,
    /// The sender.
    pub phone: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// As received.
    pub content: String,
    /// What the reader found.
    pub triggers: Vec<EscalationType>,
    /// The plan the reader found.
    pub plan: Option<PlanOffer>,
    /// When the tenant sent it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it reached us.
    pub received_at: DateTime<Utc>,
    /// As received.
    pub metadata: Option<Map<String, Value>>,
}

pub(super) fn insert(all: &mut Batch, rows: &[NewText]) {
    all.add(
        "insert into inbound_messages
           (id, conversation_id, workflow_id, turn, arrival_epoch, arrival_seq, idempotency_key,
            content_key, phone_number, tenant_id, content, triggers, plan_cents, plan_weeks,
            plan_start, plan_review, sent_at, received_at, metadata)
         select id, conversation_id, workflow_id, turn, epoch, seq, key, content_key, phone, tenant,
                content, string_to_array(triggers, ','), plan_cents, plan_weeks, plan_start,
                plan_review, sent_at, received_at, metadata
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::integer[], $6::bigint[],
                     $7::text[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[],
                     $13::bigint[], $14::integer[], $15::timestamptz[], $16::timestamptz[], $17::jsonb[],
                     $18::date[], $19::boolean[])
           as t(id, conversation_id, workflow_id, turn, epoch, seq, key, content_key, phone, tenant,
                content, triggers, plan_cents, plan_weeks, sent_at, received_at, metadata, plan_start,
                plan_review)",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.turn))
    .bind(column(rows, |r| r.arrival.epoch))
    .bind(column(rows, |r| r.arrival.sequence))
    .bind(column(rows, |r| r.idempotency_key.as_deref()))
    .bind(column(rows, |r| r.content_key.as_slice()))
    .bind(column(rows, |r| r.phone.as_str()))
    .bind(column(rows, |r| r.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.content.as_str()))
    .bind(column(rows, |r| joined(&r.triggers)))
    .bind(column(rows, |r| r.plan.map(|p| p.weekly_amount.0)))
    .bind(column(rows, |r| r.plan.and_then(|p| p.weeks).and_then(|w| i32::try_from(w).ok())))
    .bind(column(rows, |r| r.sent_at))
    .bind(column(rows, |r| r.received_at))
    .bind(column(rows, |r| r.metadata.clone().map(Json)))
    .bind(column(rows, |r| r.plan.and_then(|p| p.start_date)))
    .bind(column(rows, |r| r.plan.is_some_and(|p| p.needs_review)));
}

/// `string_to_array('', ',')` is the empty array, so no triggers need no special case.
pub(super) fn joined(triggers: &[EscalationType]) -> String {
    triggers
        .iter()
        .map(|t| t.as_str())
        .collect::<Vec<_>>()
        .join(",")
}

/// Texts of an older turn that a newer turn answers.
#[derive(Debug, Clone)]
pub struct TextsMoved {
    /// Their conversation.
    pub conversation_id: ConversationId,
    /// The turn they were in.
    pub from: i64,
    /// The turn that answers them.
    pub to: i64,
}

pub(super) async fn move_to_turn(tx: &mut Tx<'_>, rows: &[TextsMoved]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update inbound_messages m set turn = u.new
         from unnest($1::text[], $2::bigint[], $3::bigint[]) as u(id, old, new)
         where m.conversation_id = u.id and m.turn = u.old",
    )
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.from))
    .bind(column(rows, |r| r.to))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The texts of given turns, oldest arrival first.
pub(super) async fn of_turns(
    tx: &mut Tx<'_>,
    conversations: &[&str],
    turns: &[i64],
) -> Result<Vec<(String, OpenText)>, sqlx::Error> {
    let rows = sqlx::query(
        "select m.conversation_id, m.workflow_id, m.content, m.received_at, m.arrival_epoch,
                m.arrival_seq, m.triggers, m.plan_cents, m.plan_weeks, m.plan_start, m.plan_review
         from unnest($1::text[], $2::bigint[]) as u(id, turn)
         join inbound_messages m on m.conversation_id = u.id and m.turn = u.turn
         order by m.arrival_epoch, m.arrival_seq",
    )
    .bind(conversations)
    .bind(turns)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("conversation_id")?, open_text(row)?)))
        .collect()
}

fn open_text(row: &PgRow) -> Result<OpenText, sqlx::Error> {
    let triggers: Vec<String> = row.try_get("triggers")?;
    let cents: Option<i64> = row.try_get("plan_cents")?;
    let weeks: Option<i32> = row.try_get("plan_weeks")?;
    let start_date = row.try_get("plan_start")?;
    let needs_review = row.try_get("plan_review")?;
    Ok(OpenText {
        workflow_id: WorkflowId(row.try_get("workflow_id")?),
        content: row.try_get("content")?,
        received_at: row.try_get("received_at")?,
        arrival: Arrival {
            epoch: row.try_get("arrival_epoch")?,
            sequence: row.try_get("arrival_seq")?,
        },
        triggers: triggers
            .iter()
            .filter_map(|t| EscalationType::parse(t))
            .collect(),
        plan: cents.map(|cents| PlanOffer {
            weekly_amount: Cents(cents),
            weeks: weeks.and_then(|w| u32::try_from(w).ok()),
            start_date,
            needs_review,
        }),
    })
}

/// The texts that workflows answer: their own and those that were merged into them, oldest first,
/// with the turn they are in.
pub(super) async fn of_workflows(
    tx: &mut Tx<'_>,
    workflows: &[Uuid],
) -> Result<Vec<(WorkflowId, i64, OpenText)>, sqlx::Error> {
    let rows = sqlx::query(
        "select w.id as answered_by, m.turn, m.workflow_id, m.content, m.received_at,
                m.arrival_epoch, m.arrival_seq, m.triggers, m.plan_cents, m.plan_weeks,
                m.plan_start, m.plan_review
         from orchestration_workflows w
         join inbound_messages own
           on own.conversation_id = w.conversation_id and own.workflow_id = w.id
         join inbound_messages m
           on m.conversation_id = own.conversation_id and m.turn = own.turn
         where w.id = any($1)
         order by m.arrival_epoch, m.arrival_seq",
    )
    .bind(workflows)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let workflow = WorkflowId(row.try_get("answered_by")?);
            Ok((workflow, row.try_get("turn")?, open_text(row)?))
        })
        .collect()
}

/// Workflows of texts with the same key.
pub(super) async fn with_keys(
    tx: &mut Tx<'_>,
    keys: &[&str],
) -> Result<Vec<(String, WorkflowId)>, sqlx::Error> {
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "select idempotency_key, workflow_id from inbound_messages where idempotency_key = any($1)",
    )
    .bind(keys)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(key, id)| (key, WorkflowId(id)))
        .collect())
}

/// Workflows of key-less texts with the same content, with their time of arrival.
pub(super) async fn with_content(
    tx: &mut Tx<'_>,
    keys: &[&[u8]],
) -> Result<Vec<(Vec<u8>, WorkflowId, DateTime<Utc>)>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, Uuid, DateTime<Utc>)> = sqlx::query_as(
        "select content_key, workflow_id, received_at from inbound_messages
         where content_key = any($1) and idempotency_key is null
         order by received_at",
    )
    .bind(keys)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(key, id, at)| (key, WorkflowId(id), at))
        .collect())
}

/// The workflow an event's text belongs to, once it is stored. What the bridge asks when a wait is over.
pub async fn workflow_of_event(
    pool: &Db,
    event: EventId,
) -> Result<Option<WorkflowId>, sqlx::Error> {
    let id: Option<Uuid> =
        sqlx::query_scalar("select workflow_id from inbound_messages where id = $1")
            .bind(event.0)
            .fetch_optional(pool)
            .await?;
    Ok(id.map(WorkflowId))
}
