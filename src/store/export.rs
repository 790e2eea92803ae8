//! Everything that is kept about one conversation, as it stands in the tables.

use super::Db;
use serde_json::Value;

use crate::domain::ConversationId;

/// A section of the evidence: its name, and the statement that reads its rows in their order.
type Section = (&'static str, &'static str);

/// The sections in story order. `$1` is the conversation.
const SECTIONS: [Section; 15] = [
    (
        "conversation",
        "select to_jsonb(t) from conversations t where id = $1",
    ),
    (
        "messages",
        "select to_jsonb(t) - 'content_key' from inbound_messages t where conversation_id = $1
         order by arrival_epoch, arrival_seq",
    ),
    (
        "workflows",
        "select to_jsonb(t) - 'reply_subject' from orchestration_workflows t
         where conversation_id = $1 order by created_at, turn, id",
    ),
    (
        "steps",
        "select to_jsonb(t) from workflow_steps t
         join orchestration_workflows w on w.id = t.workflow_id
         where w.conversation_id = $1 order by t.id",
    ),
    (
        "drafts",
        "select to_jsonb(t) from ai_response_queue t where conversation_id = $1
         order by created_at, id",
    ),
    (
        "decisions",
        "select to_jsonb(t) from approval_audit_log t
         join ai_response_queue q on q.id = t.response_queue_id
         where q.conversation_id = $1 order by t.created_at, t.id",
    ),
    (
        "verdicts",
        "select to_jsonb(t) from gate_decisions t where conversation_id = $1
         order by decided_at, id",
    ),
    (
        "deliveries",
        "select to_jsonb(t) - 'reply_subject' from deliveries t where conversation_id = $1
         order by created_at, id",
    ),
    (
        "payment_plans",
        "select to_jsonb(t) from payment_plan_attempts t where conversation_id = $1
         order by created_at, id",
    ),
    (
        "escalations",
        "select to_jsonb(t) from escalation_events t where conversation_id = $1
         order by created_at, id",
    ),
    (
        "notifications",
        "select to_jsonb(t) from notifications t
         join orchestration_workflows w on w.id = t.workflow_id
         where w.conversation_id = $1 order by t.sent_at, t.id",
    ),
    (
        // Of the number: wherever something was said, it holds here too.
        "consents",
        "select to_jsonb(t) from consent_history t
         join conversations c on c.phone_number = t.phone_number
         where c.id = $1 order by t.at, t.id",
    ),
    (
        "contact_windows",
        "select to_jsonb(t) from contact_windows t
         join conversations c on c.phone_number = t.phone_number
         where c.id = $1 order by t.set_at, t.id",
    ),
    (
        "holds",
        "select to_jsonb(t) from holds t
         where t.conversation_id = $1
            or exists (select from conversations c where c.id = $1
                       and (c.phone_number = t.phone_number or c.tenant_id = t.tenant_id))
         order by t.placed_at, t.id",
    ),
    (
        "dead_letters",
        "select to_jsonb(t) || jsonb_build_object('payload', encode(t.payload, 'base64'))
         from dead_letters t where conversation_id = $1 order by created_at, id",
    ),
];

/// All sections, of one moment.
pub async fn of_conversation(
    pool: &Db,
    conversation: &ConversationId,
) -> Result<Vec<(&'static str, Vec<Value>)>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("set transaction isolation level repeatable read read only")
        .execute(&mut *tx)
        .await?;
    let mut found = Vec::with_capacity(SECTIONS.len());
    for (name, sql) in SECTIONS {
        let rows: Vec<Value> = sqlx::query_scalar(sql)
            .bind(conversation.as_str())
            .fetch_all(&mut *tx)
            .await?;
        found.push((name, rows));
    }
    tx.commit().await?;
    Ok(found)
}
