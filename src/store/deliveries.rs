//! Texts that may go out, written before the SMS Agent is called: the memory that makes "exactly
//! once" possible with an agent that has no idempotency of its own.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Batch, Db, Tx, column};
use crate::domain::{ConversationId, DeliveryId, DeliveryKind, DraftId, Phone, WorkflowId};
use crate::rules::gate::Permit;

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// The agent is being called, or we died while it was.
    Intended,
    /// Certainly not sent; will be tried again.
    Waiting,
    /// The agent has it. Final.
    Sent,
    /// Refused for good. Final.
    Failed,
    /// Nobody can say whether it was sent; a person must look. Final.
    Unknown,
    /// Not at this hour; will be asked again.
    Held,
    /// Nothing may be texted. Final.
    Suppressed,
}

impl DeliveryStatus {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Suppressed => "suppressed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [
            Self::Intended,
            Self::Waiting,
            Self::Sent,
            Self::Failed,
            Self::Unknown,
            Self::Held,
            Self::Suppressed,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }

    /// Whether nothing will change it any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Intended | Self::Waiting | Self::Held)
    }
}

/// Until when a text waits, and what is said again then.
#[derive(Debug, Clone)]
pub struct Held {
    /// The next opening.
    pub not_before: DateTime<Utc>,
    /// The release, word for word.
    pub released: Value,
}

/// A text about to be sent for the first time.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The draft it came from.
    pub draft_id: Option<DraftId>,
    /// The workflow it finishes.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The addressee.
    pub phone: Phone,
    /// Who released it.
    pub kind: DeliveryKind,
    /// The exact text.
    pub body: String,
    /// `intended` when the agent is called next, `waiting` when a manager released it and
    /// `deliver` will take it up, `held` or `suppressed` from the start.
    pub status: DeliveryStatus,
    /// The gate's, for `intended`; the database refuses that status without one.
    pub permit: Option<Permit>,
    /// For `held`.
    pub held: Option<Held>,
    /// Why it is `suppressed`.
    pub error: Option<String>,
    /// See `TurnFacts`.
    pub newest_known_message: i64,
    /// Where the manager waits.
    pub reply_subject: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

pub(super) fn insert(all: &mut Batch, rows: &[NewDelivery]) {
    all.add(
        "insert into deliveries
           (id, response_queue_id, workflow_id, conversation_id, phone_number, kind, body, status,
            attempts, newest_known_message, reply_subject, intended_at, created_at, last_error,
            not_before, released, permit_id, permit_rules, permit_inputs, permitted_at)
         select id, draft, workflow, conversation, phone, kind, body, status,
                (status = 'intended')::integer, known, reply, at, at, error,
                not_before, released, permit, string_to_array(rules, ','), inputs, permitted
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::bigint[], $10::text[], $11::timestamptz[],
                     $12::text[], $13::timestamptz[], $14::jsonb[], $15::uuid[], $16::text[],
                     $17::bytea[], $18::timestamptz[])
           as t(id, draft, workflow, conversation, phone, kind, body, status, known, reply, at,
                error, not_before, released, permit, rules, inputs, permitted)",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.draft_id.map(|draft| draft.0)))
    .bind(column(rows, |r| r.workflow_id.0))
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.phone.as_str()))
    .bind(column(rows, |r| r.kind.as_str()))
    .bind(column(rows, |r| r.body.as_str()))
    .bind(column(rows, |r| r.status.as_str()))
    .bind(column(rows, |r| r.newest_known_message))
    .bind(column(rows, |r| r.reply_subject.as_deref()))
    .bind(column(rows, |r| r.at))
    .bind(column(rows, |r| r.error.as_deref()))
    .bind(column(rows, |r| r.held.as_ref().map(|h| h.not_before)))
    .bind(column(rows, |r| r.held.as_ref().map(|h| Json(&h.released))))
    .bind(column(rows, |r| r.permit.as_ref().map(Permit::id)))
    .bind(column(rows, |r| rules_of(r.permit.as_ref())))
    .bind(column(rows, |r| {
        r.permit.as_ref().map(|p| p.inputs().as_slice())
    }))
    .bind(column(rows, |r| r.permit.as_ref().map(Permit::at)));
}

fn rules_of(permit: Option<&Permit>) -> Option<String> {
    permit.map(|permit| permit.rules().join(","))
}

/// What the agent said, or what we are about to do again.
#[derive(Debug, Clone)]
pub struct DeliveryUpdate {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands now.
    pub status: DeliveryStatus,
    /// A further attempt begins, with the gate's permit for it: its intent.
    pub permit: Option<Permit>,
    /// For `held`.
    pub held: Option<Held>,
    /// The agent's row.
    pub sms_message_id: Option<String>,
    /// The provider's id.
    pub twilio_sid: Option<String>,
    /// What went wrong, without the text.
    pub error: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

impl DeliveryUpdate {
    /// Moves to `status`.
    pub fn to(id: DeliveryId, status: DeliveryStatus, at: DateTime<Utc>) -> Self {
        Self {
            id,
            status,
            permit: None,
            held: None,
            sms_message_id: None,
            twilio_sid: None,
            error: None,
            at,
        }
    }
}

pub(super) fn update(all: &mut Batch, rows: &[DeliveryUpdate]) {
    all.add(
        "update deliveries d set
           status = u.status,
           attempts = d.attempts + (u.permit is not null)::integer,
           intended_at = case when u.permit is not null then u.at else d.intended_at end,
           permit_id = coalesce(u.permit, d.permit_id),
           permit_rules = coalesce(string_to_array(u.rules, ','), d.permit_rules),
           permit_inputs = coalesce(u.inputs, d.permit_inputs),
           permitted_at = case when u.permit is not null then u.at else d.permitted_at end,
           not_before = coalesce(u.not_before, d.not_before),
           released = coalesce(u.released, d.released),
           sms_message_id = coalesce(u.message, d.sms_message_id),
           twilio_sid = coalesce(u.sid, d.twilio_sid),
           last_error = coalesce(u.error, d.last_error),
           finished_at = case when u.status in ('intended', 'waiting', 'held') then null else u.at end
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                     $7::timestamptz[], $8::text[], $9::bytea[], $10::timestamptz[], $11::jsonb[])
           as u(id, status, permit, message, sid, error, at, rules, inputs, not_before, released)
         where d.id = u.id",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.status.as_str()))
    .bind(column(rows, |r| r.permit.as_ref().map(Permit::id)))
    .bind(column(rows, |r| r.sms_message_id.as_deref()))
    .bind(column(rows, |r| r.twilio_sid.as_deref()))
    .bind(column(rows, |r| r.error.as_deref()))
    .bind(column(rows, |r| r.at))
    .bind(column(rows, |r| rules_of(r.permit.as_ref())))
    .bind(column(rows, |r| {
        r.permit.as_ref().map(|p| p.inputs().as_slice())
    }))
    .bind(column(rows, |r| r.held.as_ref().map(|h| h.not_before)))
    .bind(column(rows, |r| {
        r.held.as_ref().map(|h| Json(&h.released))
    }));
}

/// A delivery as stored.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The draft it came from.
    pub draft_id: Option<DraftId>,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often the agent was called, this time included.
    pub attempts: i32,
    /// The agent's newest row before the first attempt.
    pub newest_known_message: i64,
    /// The agent's row.
    pub sms_message_id: Option<String>,
    /// The provider's id.
    pub twilio_sid: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Where the manager waits.
    pub reply_subject: Option<String>,
    /// When the last attempt began.
    pub intended_at: DateTime<Utc>,
    /// When it was released.
    pub created_at: DateTime<Utc>,
    /// Until when it waits, or waited.
    pub not_before: Option<DateTime<Utc>>,
}

fn from_row(row: &PgRow) -> Result<Delivery, sqlx::Error> {
    let status: String = row.try_get("status")?;
    Ok(Delivery {
        id: DeliveryId(row.try_get("id")?),
        draft_id: row
            .try_get::<Option<Uuid>, _>("response_queue_id")?
            .map(DraftId),
        conversation_id: ConversationId::from_stored(row.try_get("conversation_id")?),
        status: DeliveryStatus::parse(&status)
            .ok_or_else(|| sqlx::Error::Decode(format!("unknown status {status}").into()))?,
        attempts: row.try_get("attempts")?,
        newest_known_message: row.try_get("newest_known_message")?,
        sms_message_id: row.try_get("sms_message_id")?,
        twilio_sid: row.try_get("twilio_sid")?,
        last_error: row.try_get("last_error")?,
        reply_subject: row.try_get("reply_subject")?,
        intended_at: row.try_get("intended_at")?,
        created_at: row.try_get("created_at")?,
        not_before: row.try_get("not_before")?,
    })
}

const COLUMNS: &str =
    "id, response_queue_id, conversation_id, status, attempts, newest_known_message,
    sms_message_id, twilio_sid, last_error, reply_subject, intended_at, created_at, not_before";

/// All deliveries of conversations that are not finished, and those with the given ids.
pub(super) async fn unfinished_or(
    tx: &mut Tx<'_>,
    conversations: &[&str],
    ids: &[Uuid],
) -> Result<Vec<Delivery>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from deliveries
         where id = any($2)
            or (conversation_id = any($1) and status in ('intended', 'waiting', 'held'))"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(conversations)
        .bind(ids)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// Rows of the agent that other deliveries to the same number have claimed as theirs. By number, as
/// the agent's history is: two conversations may share one.
pub(super) async fn claimed(
    tx: &mut Tx<'_>,
    phones: &[&str],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select phone_number, sms_message_id from deliveries
         where phone_number = any($1) and sms_message_id is not null",
    )
    .bind(phones)
    .fetch_all(&mut **tx)
    .await
}

/// The deliveries of drafts, inside the committer's transaction.
pub(crate) async fn of_drafts_in(
    tx: &mut Tx<'_>,
    drafts: &[Uuid],
) -> Result<Vec<Delivery>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from deliveries where response_queue_id = any($1)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(drafts)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(from_row).collect()
}

/// The deliveries of drafts.
pub async fn of_drafts(pool: &Db, drafts: &[Uuid]) -> Result<Vec<Delivery>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from deliveries where response_queue_id = any($1)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(drafts)
        .fetch_all(pool)
        .await?;
    rows.iter().map(from_row).collect()
}

/// A held text whose time has come.
#[derive(Debug, Clone)]
pub struct Due {
    /// Which.
    pub id: DeliveryId,
    /// Since when.
    pub not_before: DateTime<Utc>,
    /// The release, word for word.
    pub released: Value,
    /// The trace its draft was written in.
    pub traceparent: Option<String>,
}

/// Held texts that may be asked for again, the longest due first.
pub async fn due(pool: &Db, now: DateTime<Utc>, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "select d.id, d.not_before, d.released, q.traceparent
         from deliveries d left join ai_response_queue q on q.id = d.response_queue_id
         where d.status = 'held' and d.not_before <= $1 order by d.not_before limit $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                id: DeliveryId(row.try_get("id")?),
                not_before: row.try_get("not_before")?,
                released: row.try_get("released")?,
                traceparent: row.try_get("traceparent")?,
            })
        })
        .collect()
}
