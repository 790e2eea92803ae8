//! Whether a number may be texted.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Tx, column};
use crate::domain::{ConversationId, Phone, WorkflowId};

/// Something said about texting a number.
#[derive(Debug, Clone)]
pub struct ConsentChange {
    /// The row's id.
    pub id: Uuid,
    /// The number.
    pub phone: Phone,
    /// Whether texts are unwanted from now on.
    pub opted_out: bool,
    /// `keyword`, `wording`.
    pub source: &'static str,
    /// Where it was said.
    pub conversation_id: ConversationId,
    /// The workflow of the text.
    pub workflow_id: WorkflowId,
    /// When it reached us.
    pub at: DateTime<Utc>,
}

pub(super) async fn ensure(
    tx: &mut Tx<'_>,
    phones: &[&str],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into consents (phone_number, source, changed_at)
         select distinct phone, 'wrote_first', $2::timestamptz from unnest($1::text[]) as t(phone) order by phone
         on conflict do nothing",
    )
    .bind(phones)
    .bind(at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Opt-outs of the given numbers. `for_change` takes the lock an opt-out needs, otherwise the
/// shared lock that a send intent holds against it.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    phones: &[&str],
    for_change: bool,
) -> Result<HashMap<String, bool>, sqlx::Error> {
    let sql = if for_change {
        "select phone_number, opted_out from consents where phone_number = any($1)
         order by phone_number for update"
    } else {
        "select phone_number, opted_out from consents where phone_number = any($1)
         order by phone_number for share"
    };
    let rows: Vec<(String, bool)> = sqlx::query_as(sql)
        .bind(phones)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Opt-outs of the given numbers, without a lock: good enough to decide what to prepare, never to send.
pub(super) async fn read(
    tx: &mut Tx<'_>,
    phones: &[&str],
) -> Result<HashMap<String, bool>, sqlx::Error> {
    let rows: Vec<(String, bool)> =
        sqlx::query_as("select phone_number, opted_out from consents where phone_number = any($1)")
            .bind(phones)
            .fetch_all(&mut **tx)
            .await?;
    Ok(rows.into_iter().collect())
}

pub(super) async fn change(tx: &mut Tx<'_>, rows: &[ConsentChange]) -> Result<(), sqlx::Error> {
    for row in rows {
        // Rare, and the last one said wins: no need for a set.
        sqlx::query(
            "insert into consents (phone_number, opted_out, source, changed_at) values ($1, $2, $3, $4)
             on conflict (phone_number) do update
               set opted_out = excluded.opted_out, source = excluded.source, changed_at = excluded.changed_at",
        )
        .bind(row.phone.as_str())
        .bind(row.opted_out)
        .bind(row.source)
        .bind(row.at)
        .execute(&mut **tx)
        .await?;
        if row.opted_out {
            silence(tx, row).await?;
        }
    }
    sqlx::query(
        "insert into consent_history (id, phone_number, opted_out, source, conversation_id, workflow_id, at)
         select * from unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[])",
    )
    .bind(column(rows, |r| r.id))
    .bind(column(rows, |r| r.phone.as_str()))
    .bind(column(rows, |r| r.opted_out))
    .bind(column(rows, |r| r.source))
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What waits for a manager in any conversation of the number waits no longer: revocation holds for
/// the number, not for the conversation it was said in (`rules.md` R4, R5). What is further along
/// is stopped where it is released or sent.
async fn silence(tx: &mut Tx<'_>, row: &ConsentChange) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with silenced as (
           update ai_response_queue set status = 'suppressed', updated_at = $2
           where phone_number = $1 and status = 'pending' returning workflow_id)
         update orchestration_workflows w
         set status = 'completed', action_taken = 'suppressed', outcome = 'suppressed',
             completed_at = $2, updated_at = $2
         from silenced s where w.id = s.workflow_id and w.status = 'awaiting_approval'",
    )
    .bind(row.phone.as_str())
    .bind(row.at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
