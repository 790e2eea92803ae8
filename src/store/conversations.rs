//! The conversation row: lock and turn.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Batch, Tx, column};
use crate::domain::{ConversationId, Phone, TenantId, WorkflowId};

/// A conversation as stored.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The number it was opened with.
    pub phone: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The newest turn.
    pub turn: i64,
    /// Whether that turn still wants an answer.
    pub turn_open: bool,
    /// The workflow that carries it.
    pub turn_workflow: Option<WorkflowId>,
    /// A text of ours has named the company and the way out (`rules.md` R27).
    pub introduced: bool,
    /// The newest text from the tenant.
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// The newest text of ours.
    pub last_outbound_at: Option<DateTime<Utc>>,
}

impl Conversation {
    /// Whether `turn` may still act: it is the newest and nothing has closed it.
    pub fn is_current(&self, turn: i64) -> bool {
        self.turn_open && self.turn == turn
    }
}

/// A conversation that may have to be created.
#[derive(Debug, Clone)]
pub struct NewConversation {
    /// Its id.
    pub id: ConversationId,
    /// The sender's number.
    pub phone: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
}

/// Changes to a conversation row; `None` leaves a column as it is.
#[derive(Debug, Clone)]
pub struct ConversationUpdate {
    /// Which.
    pub id: ConversationId,
    /// A new turn, with the workflow that carries it. Opens it, unless it is closed at once.
    pub open_turn: Option<(i64, WorkflowId)>,
    /// Nothing more will be answered in the current turn.
    pub close_turn: bool,
    /// Close it only if this workflow still carries it: whoever gives an old message up must not
    /// close a newer text's turn.
    pub only_if_carried_by: Option<WorkflowId>,
    /// The newest inbound text.
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// The newest text of ours.
    pub last_outbound_at: Option<DateTime<Utc>>,
    /// The tenant, when it became known.
    pub tenant_id: Option<TenantId>,
    /// The text of ours after which silence was noticed.
    pub silence_noted_at: Option<DateTime<Utc>>,
    /// A text that names the company and the way out leaves now.
    pub introduced_at: Option<DateTime<Utc>>,
    /// The SMS Agent's own number for it.
    pub agent_conversation_id: Option<i64>,
}

impl ConversationUpdate {
    /// No change yet.
    pub fn of(id: &ConversationId) -> Self {
        Self {
            id: id.clone(),
            open_turn: None,
            close_turn: false,
            only_if_carried_by: None,
            last_inbound_at: None,
            last_outbound_at: None,
            tenant_id: None,
            silence_noted_at: None,
            introduced_at: None,
            agent_conversation_id: None,
        }
    }

    /// Closes the current turn.
    pub fn closing(id: &ConversationId) -> Self {
        Self {
            close_turn: true,
            ..Self::of(id)
        }
    }
}

pub(super) fn from_row(row: &PgRow) -> Result<Conversation, sqlx::Error> {
    Ok(Conversation {
        id: ConversationId::from_stored(row.try_get("id")?),
        phone: Phone::from_stored(row.try_get("phone_number")?),
        tenant_id: row
            .try_get::<Option<String>, _>("tenant_id")?
            .map(TenantId::from_stored),
        turn: row.try_get("turn")?,
        turn_open: row.try_get("turn_open")?,
        turn_workflow: row
            .try_get::<Option<uuid::Uuid>, _>("turn_workflow_id")?
            .map(WorkflowId),
        introduced: row.try_get("introduced")?,
        last_inbound_at: row.try_get("last_inbound_at")?,
        last_outbound_at: row.try_get("last_outbound_at")?,
    })
}

pub(super) fn ensure(all: &mut Batch, rows: &[NewConversation]) {
    // Sorted, so that two batches that create the same conversations cannot deadlock.
    all.add(
        "insert into conversations (id, phone_number, tenant_id)
         select * from unnest($1::text[], $2::text[], $3::text[]) order by 1
         on conflict do nothing",
    )
    .bind(column(rows, |r| r.id.as_str()))
    .bind(column(rows, |r| r.phone.as_str()))
    .bind(column(rows, |r| r.tenant_id.as_ref().map(TenantId::as_str)));
}

/// Locks and reads. `for update` waits for the holder and then sees what it committed.
pub(super) async fn lock(tx: &mut Tx<'_>, ids: &[&str]) -> Result<Vec<Conversation>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, phone_number, tenant_id, turn, turn_open, turn_workflow_id,
                introduced_at is not null as introduced, last_inbound_at, last_outbound_at
         from conversations where id = any($1) order by id for no key update",
    )
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(from_row).collect()
}

pub(super) async fn read(tx: &mut Tx<'_>, ids: &[&str]) -> Result<Vec<Conversation>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, phone_number, tenant_id, turn, turn_open, turn_workflow_id,
                introduced_at is not null as introduced, last_inbound_at, last_outbound_at
         from conversations where id = any($1)",
    )
    .bind(ids)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(from_row).collect()
}

pub(super) fn update(all: &mut Batch, rows: &[ConversationUpdate]) {
    all.add(
        "update conversations c set
           turn = coalesce(u.turn, c.turn),
           turn_workflow_id = coalesce(u.workflow, c.turn_workflow_id),
           turn_open = case when u.closing and (u.carrier is null or u.carrier = c.turn_workflow_id) then false
                            when u.turn is not null then true else c.turn_open end,
           last_inbound_at = greatest(c.last_inbound_at, u.inbound_at),
           last_outbound_at = greatest(c.last_outbound_at, u.outbound_at),
           tenant_id = coalesce(u.tenant, c.tenant_id),
           introduced_at = coalesce(c.introduced_at, u.introduced),
           silence_noted_at = coalesce(u.silence, c.silence_noted_at),
           sms_agent_conversation_id = coalesce(u.agent, c.sms_agent_conversation_id)
         from unnest($1::text[], $2::bigint[], $3::uuid[], $4::boolean[], $5::timestamptz[],
                     $6::timestamptz[], $7::text[], $8::bigint[], $9::uuid[], $10::timestamptz[],
                     $11::timestamptz[])
           as u(id, turn, workflow, closing, inbound_at, outbound_at, tenant, agent, carrier, introduced,
                silence)
         where c.id = u.id",
    )
    .bind(column(rows, |r| r.id.as_str()))
    .bind(column(rows, |r| r.open_turn.map(|(turn, _)| turn)))
    .bind(column(rows, |r| {
        r.open_turn.map(|(_, workflow)| workflow.0)
    }))
    .bind(column(rows, |r| r.close_turn))
    .bind(column(rows, |r| r.last_inbound_at))
    .bind(column(rows, |r| r.last_outbound_at))
    .bind(column(rows, |r| r.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.agent_conversation_id))
    .bind(column(rows, |r| r.only_if_carried_by.map(|w| w.0)))
    .bind(column(rows, |r| r.introduced_at))
    .bind(column(rows, |r| r.silence_noted_at));
}

/// The number a conversation was opened with.
pub async fn phone_of(
    pool: &crate::store::Db,
    id: &ConversationId,
) -> Result<Option<Phone>, sqlx::Error> {
    let phone: Option<String> =
        sqlx::query_scalar("select phone_number from conversations where id = $1")
            .bind(id.as_str())
            .fetch_optional(pool)
            .await?;
    Ok(phone.map(Phone::from_stored))
}

/// Whether a conversation was ever seen.
pub async fn exists(pool: &crate::store::Db, id: &ConversationId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from conversations where id = $1)")
        .bind(id.as_str())
        .fetch_one(pool)
        .await
}
