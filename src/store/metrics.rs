//! Figures over a window of time, computed from the rows themselves (`http-api.md` §8.1).

use super::Tx;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;

/// Which rows count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// Not before.
    pub from: DateTime<Utc>,
    /// Before.
    pub to: DateTime<Utc>,
    /// Of this tenant only.
    pub tenant: Option<String>,
}

/// What happened in a window. Milliseconds are means; `None` without a single case.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Figures {
    /// Texts stored.
    pub received: i64,
    /// Conversations they belong to.
    pub conversations: i64,
    /// Texts with a decision.
    pub processed: i64,
    /// Texts whose workflow was given up.
    pub failed: i64,
    /// Texts whose workflow is sent or completed.
    pub completed: i64,
    /// Texts sent unread.
    pub auto_sent: i64,
    /// Texts that waited for a manager.
    pub queued: i64,
    /// Texts escalated because the draft was too uncertain.
    pub low_confidence: i64,
    /// Texts answered, by whomever.
    pub sent: i64,
    /// Drafts that could be used.
    pub responses: i64,
    /// How long the model took.
    pub response_ms: Option<f64>,
    /// Mean score of the decided texts, 0 to 1.
    pub confidence: Option<f64>,
    /// From arrival to decision.
    pub processing_ms: Option<f64>,
    /// The same, 95th percentile.
    pub processing_p95_ms: Option<f64>,
    /// Managers' decisions.
    pub approvals: i64,
    /// Of them approve or modify.
    pub approved: i64,
    /// Of them escalate or reject.
    pub rejected: i64,
    /// From draft to decision.
    pub approval_ms: Option<f64>,
    /// Escalations raised.
    pub escalations: i64,
    /// How many of each type.
    pub by_type: Json<Value>,
    /// How many of each severity.
    pub by_severity: Json<Value>,
    /// From raising to resolution.
    pub resolution_ms: Option<f64>,
    /// Plans found.
    pub plans: i64,
    /// Of them within the rules.
    pub plans_validated: i64,
    /// Of those, answered without a person.
    pub plans_auto: i64,
    /// Drafts that wait for a manager now, whenever they were written.
    pub pending: i64,
}

/// Counts. One statement, so that all figures are of one moment.
pub async fn figures(tx: &mut Tx<'_>, window: &Window) -> Result<Figures, sqlx::Error> {
    sqlx::query_as(
        "with texts as materialized (
           select w.* from orchestration_workflows w
           where w.created_at >= $1 and w.created_at < $2 and w.workflow_type = 'sms_processing'
             and ($3::text is null or w.tenant_id = $3)
         ), counted as (
           select count(*) as received, count(distinct conversation_id) as conversations,
                  count(*) filter (where action_taken is not null and action_taken <> 'pending') as processed,
                  count(*) filter (where status = 'failed') as failed,
                  count(*) filter (where status in ('sent', 'completed')) as completed,
                  count(*) filter (where status = 'sent') as sent,
                  count(*) filter (where action_taken = 'auto_sent') as auto_sent,
                  count(*) filter (where action_taken = 'queued_for_approval') as queued,
                  count(*) filter (where action_taken = 'escalated' and exists (
                    select from escalation_events e
                    where e.id = t.escalation_id and e.escalation_type = 'low_confidence')) as low_confidence,
                  avg(confidence_score)::float8 as confidence
           from texts t
         ), timed as (
           select t.id, t.created_at,
                  max(s.duration_ms) filter (where s.step_name = 'ai_response_generated') as model_ms,
                  min(s.completed_at) filter (where s.step_name in
                    ('confidence_evaluated', 'queued_for_approval', 'escalated')) as decided_at
           from texts t join workflow_steps s on s.workflow_id = t.id and s.status = 'completed'
           group by t.id, t.created_at
         ), durations as (
           select count(model_ms) as responses, avg(model_ms)::float8 as response_ms,
                  avg(extract(epoch from decided_at - created_at))::float8 * 1000 as processing_ms,
                  percentile_cont(0.95) within group
                    (order by extract(epoch from decided_at - created_at)::float8) * 1000 as processing_p95_ms
           from timed
         ), decisions as (
           select count(*) as approvals,
                  count(*) filter (where a.action in ('approve', 'modify')) as approved,
                  count(*) filter (where a.action in ('escalate', 'reject')) as rejected,
                  avg(extract(epoch from a.created_at - q.created_at))::float8 * 1000 as approval_ms
           from approval_audit_log a join ai_response_queue q on q.id = a.response_queue_id
           where a.created_at >= $1 and a.created_at < $2 and ($3::text is null or q.tenant_id = $3)
         ), raised as materialized (
           select escalation_type, severity, resolved_at - created_at as took from escalation_events
           where created_at >= $1 and created_at < $2 and ($3::text is null or tenant_id = $3)
         ), escalated as (
           select count(*) as escalations, avg(extract(epoch from took))::float8 * 1000 as resolution_ms,
                  coalesce((select jsonb_object_agg(escalation_type, n) from
                    (select escalation_type, count(*) as n from raised group by 1) x), '{}') as by_type,
                  coalesce((select jsonb_object_agg(severity, n) from
                    (select severity, count(*) as n from raised group by 1) x), '{}') as by_severity
           from raised
         ), planned as (
           select count(*) as plans,
                  count(*) filter (where p.status not in ('invalid', 'needs_review')) as plans_validated,
                  count(*) filter (where p.status not in ('invalid', 'needs_review')
                                     and w.action_taken = 'auto_sent') as plans_auto
           from payment_plan_attempts p join orchestration_workflows w on w.id = p.workflow_id
           where p.created_at >= $1 and p.created_at < $2 and ($3::text is null or p.tenant_id = $3)
         ), waiting as (
           select count(*) as pending from ai_response_queue
           where status = 'pending' and ($3::text is null or tenant_id = $3)
         )
         select * from counted, durations, decisions, escalated, planned, waiting",
    )
    .bind(window.from)
    .bind(window.to)
    .bind(window.tenant.as_deref())
    .fetch_one(&mut **tx)
    .await
}
