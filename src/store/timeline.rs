//! Everything that happened in a conversation, in one order. Read from the rows that only grow
//! (texts, steps, decisions of managers) and from the dead letters; nothing is written twice for it.

use super::Db;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row};

use crate::domain::{ConversationId, WorkflowId};

/// The types of events (`http-api.md` §6.2), in the contract's order.
pub const TYPES: [&str; 17] = [
    "message_received",
    "step",
    "upstream_call",
    "ai_response",
    "decision",
    "approval",
    "message_sent",
    "delivery_failed",
    "payment_plan",
    "escalation_created",
    "escalation_resolved",
    "notification",
    "retry",
    "dead_letter",
    "consent",
    "hold",
    "contact_window",
];

/// What a timeline is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct TimelineFilter {
    /// Of these types; empty for all.
    pub types: Vec<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Not after.
    pub to: Option<DateTime<Utc>>,
    /// Newest first.
    pub descending: bool,
    /// Page size.
    pub limit: i64,
    /// Rows to skip.
    pub offset: i64,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// The row that says so.
    pub id: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// One of [`TYPES`].
    pub kind: String,
    /// The step's name, the manager's action, or the letter's reason.
    pub name: String,
    /// For whom.
    pub workflow_id: Option<WorkflowId>,
    /// `tenant`, `system`, or whoever acted.
    pub actor: String,
    /// How it ended.
    pub status: String,
    /// How long it took.
    pub duration_ms: Option<i32>,
    /// One id for everything the request caused.
    pub correlation_id: Option<String>,
    /// What is known of it.
    pub data: Value,
}

/// One row per thing that happened. `rank` keeps what caused something before it when both carry
/// the same time; ids of steps grow with the order of insertion.
const EVENTS: &str = "
    select m.id::text as id, m.received_at as at, 0 as rank, 'message_received' as kind,
           'sms_received' as name, m.workflow_id, 'tenant' as actor, 'completed' as status,
           null::integer as duration_ms, w.correlation_id,
           jsonb_build_object('content', m.content, 'triggers', m.triggers) as data
    from inbound_messages m
    left join orchestration_workflows w on w.id = m.workflow_id
    where m.conversation_id = (select id from asked)
  union all
    select s.id::text, coalesce(s.completed_at, s.started_at), 1,
           case
             when s.step_name = 'response_sent' and s.status = 'completed' then 'message_sent'
             when s.step_name = 'response_sent' and s.status = 'skipped' then 'decision'
             when s.step_name = 'response_sent' then 'delivery_failed'
             when s.step_name = 'escalated' and s.output_data ? 'resolved' then 'escalation_resolved'
             when s.step_name = 'escalated' and s.output_data ?| array['assigned', 'reminded'] then 'step'
             when s.step_name = 'escalated' then 'escalation_created'
             when s.step_name in ('tenant_context_loaded', 'conversation_history_loaded')
               then 'upstream_call'
             when s.step_name = 'ai_response_generated' then 'ai_response'
             when s.step_name in ('confidence_evaluated', 'queued_for_approval') then 'decision'
             when s.step_name = 'payment_plan_check' then 'payment_plan'
             when s.step_name = 'notification_sent' then 'notification'
             when s.step_name = 'workflow_retry' then 'retry'
             else 'step'
           end,
           s.step_name, s.workflow_id, coalesce(s.output_data ->> 'by', 'system'), s.status,
           s.duration_ms, w.correlation_id,
           coalesce(s.output_data, '{}'::jsonb)
             || case when s.error_details is null then '{}'::jsonb
                     else jsonb_build_object('error_details', s.error_details) end
    from orchestration_workflows w
    join workflow_steps s on s.workflow_id = w.id
    -- The text itself and the manager's decision stand in rows of their own, with more to say.
    where w.conversation_id = (select id from asked) and s.step_name not in ('sms_received', 'manager_approval')
  union all
    select a.id::text, a.created_at, 2, 'approval', a.action, q.workflow_id, a.approved_by,
           'completed', null, w.correlation_id,
           jsonb_build_object('response_queue_id', a.response_queue_id,
                              'original_response', a.original_response,
                              'final_response', a.final_response, 'reason', a.reason,
                              'notes', a.notes)
    from ai_response_queue q
    join approval_audit_log a on a.response_queue_id = q.id
    left join orchestration_workflows w on w.id = q.workflow_id
    where q.conversation_id = (select id from asked)
  union all
    select c.id::text, c.at, 2, 'consent',
           case when c.opted_out then 'opted_out' else 'opted_in' end, c.workflow_id,
           coalesce(c.entered_by, 'tenant'), 'completed', null, null,
           jsonb_build_object('source', c.source, 'note', c.note)
    -- Wherever it was said: it holds for the number.
    from consent_history c where c.phone_number = (select phone_number from number)
  union all
    select h.id::text || event.suffix, event.at, 2, 'hold', event.name, h.workflow_id, event.actor,
           'completed', null, null,
           jsonb_build_object('kind', h.kind, 'hold_id', 'hold_' || h.id, 'reason', event.reason)
    from holds h
    cross join lateral (values ('', h.placed_at, 'placed', h.placed_by, h.reason),
                               ('/lifted', h.lifted_at, 'lifted', h.lifted_by, h.lift_reason))
      as event(suffix, at, name, actor, reason)
    where event.at is not null
      and (h.phone_number = (select phone_number from number)
           or h.tenant_id = (select tenant_id from number))
  union all
    select w.id::text || event.suffix, event.at, 2, 'contact_window', event.name, w.workflow_id, event.actor,
           'completed', null, null,
           jsonb_build_object('contact_window_id', 'cw_' || w.id, 'quiet', w.quiet, 'source', w.source,
                              'text_id', w.text_id, 'reason', event.reason)
    from contact_windows w
    cross join lateral (values ('', w.set_at, 'set', w.set_by, w.note),
                               ('/lifted', w.lifted_at, 'lifted', w.lifted_by, w.lift_reason))
      as event(suffix, at, name, actor, reason)
    where event.at is not null and w.phone_number = (select phone_number from number)
  union all
    select 'dl_' || d.id, d.created_at, 3, 'dead_letter', d.reason, d.workflow_id, 'system',
           d.status, null, null,
           jsonb_build_object('stage', d.stage, 'kind', d.kind, 'attempts', d.attempts,
                              'last_error', d.last_error)
    from dead_letters d where d.conversation_id = (select id from asked)";

fn select(
    what: &str,
    conversation: &ConversationId,
    filter: &TimelineFilter,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new("with asked as (select ");
    sql.push_bind(conversation.as_str().to_owned())
        .push(
            "::text as id), number as (select phone_number, tenant_id from conversations
             where id = (select id from asked)) select ",
        )
        .push(what)
        .push(" from (")
        .push(EVENTS)
        .push(") as happened where true");
    if !filter.types.is_empty() {
        sql.push(" and kind = any(")
            .push_bind(filter.types.clone())
            .push(")");
    }
    if let Some(from) = filter.from {
        sql.push(" and at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" and at <= ").push_bind(to);
    }
    sql
}

/// A page of what happened and how much there is in all.
pub async fn of_conversation(
    pool: &Db,
    conversation: &ConversationId,
    filter: &TimelineFilter,
) -> Result<(Vec<Happened>, i64), sqlx::Error> {
    let mut count = select("count(*)", conversation, filter);
    let total: i64 = count.build_query_scalar().fetch_one(pool).await?;
    let mut page = select("*", conversation, filter);
    let order = if filter.descending { "desc" } else { "asc" };
    page.push(format!(
        " order by at {order}, rank {order}, id {order} limit "
    ))
    .push_bind(filter.limit)
    .push(" offset ")
    .push_bind(filter.offset);
    let rows = page.build().fetch_all(pool).await?;
    let events = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    Ok((events, total))
}

fn from_row(row: &PgRow) -> Result<Happened, sqlx::Error> {
    let workflow: Option<uuid::Uuid> = row.try_get("workflow_id")?;
    Ok(Happened {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        workflow_id: workflow.map(WorkflowId),
        actor: row.try_get("actor")?,
        status: row.try_get("status")?,
        duration_ms: row.try_get("duration_ms")?,
        correlation_id: row.try_get("correlation_id")?,
        data: row.try_get::<Json<Value>, _>("data")?.0,
    })
}
