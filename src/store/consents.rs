//! Whether a number may be texted: its own word, and what holds it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Batch, Db, Tx, column, contact_windows};
use crate::domain::{ConversationId, DeliveryKind, HoldKind, Phone, Quiet, TenantId, WorkflowId};
use crate::events::OptInProof;

/// Something said about texting a number.
#[derive(Debug, Clone)]
pub struct ConsentChange {
    /// The row's id.
    pub id: Uuid,
    /// The number.
    pub phone: Phone,
    /// Whether texts are unwanted from now on.
    pub opted_out: bool,
    /// `keyword`, `wording`, `manager`, `email`, `voicemail`, `carrier`.
    pub source: &'static str,
    /// Where it was said, when it was said in a text.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of the text.
    pub workflow_id: Option<WorkflowId>,
    /// The manager who entered it.
    pub entered_by: Option<String>,
    /// What the manager wrote about it.
    pub note: Option<String>,
    /// What lets us begin (R31); only with a consent.
    pub proof: Option<OptInProof>,
    /// When it reached us.
    pub at: DateTime<Utc>,
}

/// How things stand with a number, for a tenant if one is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub opted_out: bool,
    pub holds: Vec<HoldKind>,
    pub quiet: Vec<Quiet>,
    pub proven: bool,
    pub sent_last_hour: i64,
    pub started_last_week: i64,
}

/// Numbers with the tenant who is thought to have them.
pub(super) type Owned<'a> = (&'a str, Option<&'a str>);

/// How firmly it must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Good enough to decide what to prepare, never to send.
    None,
    /// Against an opt-out and a hold, until the send intent is committed; counts what was sent lately.
    Share,
    /// What an opt-out and a hold take.
    Update,
}

/// A number that writes to us gets its row, so that later there is something to lock.
pub(super) fn ensure(all: &mut Batch, phones: &[&str], at: DateTime<Utc>) {
    all.add(
        "insert into consents (phone_number, source, changed_at)
         select distinct phone, 'wrote_first', $2::timestamptz from unnest($1::text[]) as t(phone) order by phone
         on conflict do nothing",
    )
    .bind(phones)
    .bind(at);
}

/// Reads, and locks, the given numbers. The tenant's holds come with it although they are rows of
/// another table: those of numbers that the tenant wrote from before are in the locked row itself,
/// so only a number that was never connected with the tenant depends on this statement's snapshot.
pub(super) async fn standing(
    tx: &mut Tx<'_>,
    owned: &[Owned<'_>],
    lock: Lock,
    now: DateTime<Utc>,
) -> Result<HashMap<(String, Option<String>), Standing>, sqlx::Error> {
    let (counts, lately) = match lock {
        Lock::Share => (
            "r.sent, r.started",
            "cross join lateral (
               select count(*) filter (where d.created_at > $3) as sent,
                      -- What answers nobody is begun by us, whatever it is called.
                      count(*) filter (where d.kind = any($5) or exists (
                        select 1 from conversations k
                        where k.id = d.conversation_id and k.last_inbound_at is null)) as started
               from deliveries d
               where d.phone_number = c.phone_number and d.created_at > $4
                 and d.status in ('intended', 'sent')) r",
        ),
        Lock::None | Lock::Update => ("0::bigint as sent, 0::bigint as started", ""),
    };
    let started = DeliveryKind::ALL
        .into_iter()
        .filter(|kind| kind.is_started());
    let started: Vec<&str> = started.map(DeliveryKind::as_str).collect();
    let locking = match lock {
        Lock::None => "",
        Lock::Share => "for share of c",
        Lock::Update => "for update of c",
    };
    // `$3` to `$5` are named in every form, so that the same values can be bound.
    let sql = format!(
        "select c.phone_number, t.tenant, c.opted_out, c.quiet, c.proof_id is not null as proven, {counts},
                c.holds || array(select h.kind::text from holds h
                                 where h.tenant_id = t.tenant and h.lifted_at is null) as holds
         from (select distinct phone, tenant from unnest($1::text[], $2::text[]) as u(phone, tenant)) t
         join consents c on c.phone_number = t.phone {lately}
         where $3::timestamptz is not null and $4::timestamptz is not null and $5::text[] is not null
         order by c.phone_number {locking}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(column(owned, |(phone, _)| *phone))
        .bind(column(owned, |(_, tenant)| *tenant))
        .bind(now - TimeDelta::hours(1))
        .bind(now - TimeDelta::days(7))
        .bind(started)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter()
        .map(|row| {
            let holds: Vec<String> = row.try_get("holds")?;
            let mut holds: Vec<HoldKind> = holds
                .iter()
                // A kind of a later version holds all the same.
                .map(|word| HoldKind::parse(word).unwrap_or(HoldKind::Manual))
                .collect();
            holds.sort_unstable();
            holds.dedup();
            let standing = Standing {
                opted_out: row.try_get("opted_out")?,
                holds,
                quiet: contact_windows::quiet_of(row)?,
                proven: row.try_get("proven")?,
                sent_last_hour: row.try_get("sent")?,
                started_last_week: row.try_get("started")?,
            };
            Ok((
                (row.try_get("phone_number")?, row.try_get("tenant")?),
                standing,
            ))
        })
        .collect()
}

/// Of each number, with its tenant, whether nothing may be texted to it.
pub(super) async fn silenced_each(
    pool: &Db,
    owned: &[(Phone, Option<TenantId>)],
) -> Result<Vec<bool>, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from consents
                        where phone_number = u.phone and (opted_out or cardinality(holds) > 0))
             or exists (select 1 from holds where lifted_at is null and tenant_id = u.tenant)
         from unnest($1::text[], $2::text[]) with ordinality as u(phone, tenant, place) order by place",
    )
    .bind(column(owned, |(phone, _)| phone.as_str()))
    .bind(column(owned, |(_, tenant)| tenant.as_ref().map(TenantId::as_str)))
    .fetch_all(pool)
    .await
}

pub(super) async fn change(tx: &mut Tx<'_>, rows: &[ConsentChange]) -> Result<(), sqlx::Error> {
    for row in rows {
        // Rare, and the last one said wins: no need for a set.
        sqlx::query(
            "insert into consents as c (phone_number, opted_out, source, changed_at, proof_id)
             values ($1, $2, $3, $4, $5)
             on conflict (phone_number) do update
               set opted_out = excluded.opted_out, source = excluded.source, changed_at = excluded.changed_at,
                   proof_id = case when excluded.opted_out then null
                                   else coalesce(excluded.proof_id, c.proof_id) end",
        )
        .bind(row.phone.as_str())
        .bind(row.opted_out)
        .bind(row.source)
        .bind(row.at)
        // An opt-out takes the proof with it: START alone is a consent to be answered.
        .bind(row.proof.as_ref().filter(|_| !row.opted_out).map(|_| row.id))
        .execute(&mut **tx)
        .await?;
        if row.opted_out {
            silence(tx, row).await?;
        }
    }
    sqlx::query(
        "insert into consent_history
           (id, phone_number, opted_out, source, conversation_id, workflow_id, entered_by, note, at,
            proof_text, proof_method, proof_by, proof_at)
         select * from unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::uuid[],
                              $7::text[], $8::text[], $9::timestamptz[], $10::text[], $11::text[],
                              $12::text[], $13::timestamptz[])",
    )
    .bind(column(rows, |r| r.id))
    .bind(column(rows, |r| r.phone.as_str()))
    .bind(column(rows, |r| r.opted_out))
    .bind(column(rows, |r| r.source))
    .bind(column(rows, |r| {
        r.conversation_id.as_ref().map(ConversationId::as_str)
    }))
    .bind(column(rows, |r| r.workflow_id.map(|w| w.0)))
    .bind(column(rows, |r| r.entered_by.as_deref()))
    .bind(column(rows, |r| r.note.as_deref()))
    .bind(column(rows, |r| r.at))
    .bind(column(rows, |r| r.proof.as_ref().map(|p| p.text_shown.as_str())))
    .bind(column(rows, |r| r.proof.as_ref().map(|p| p.method.as_str())))
    .bind(column(rows, |r| r.proof.as_ref().map(|p| p.given_by.as_str())))
    .bind(column(rows, |r| r.proof.as_ref().map(|p| p.given_at)))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What waits for a manager in any conversation of the number waits no longer: revocation holds for
/// the number, not for the conversation it was said in (`rules.md` R4, R5). What is further along
/// is stopped where it is released or sent; what waits for an hour is asked again at once, so that
/// it ends now and not in the morning.
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
    sqlx::query(
        "update deliveries set not_before = $2 where phone_number = $1 and status = 'held'",
    )
    .bind(row.phone.as_str())
    .bind(row.at)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A number as lists show it.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The number.
    pub phone: String,
    /// Whether it opted out.
    pub opted_out: bool,
    /// What holds it.
    pub holds: Vec<String>,
    /// When it wants no texts.
    pub quiet: Vec<String>,
    /// Whether we may begin, not only reply.
    pub proven: bool,
    /// How the last change came.
    pub source: String,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// What a list of numbers is asked for.
#[derive(Debug, Clone)]
pub struct ConsentFilter {
    /// Only those that did, or did not, opt out.
    pub opted_out: Option<bool>,
    /// Only this number.
    pub phone: Option<String>,
    /// Page size.
    pub limit: i64,
    /// Page start.
    pub offset: i64,
}

/// A page of numbers, the last changed first, with the count of all.
pub async fn list(pool: &Db, filter: &ConsentFilter) -> Result<(Vec<Consent>, i64), sqlx::Error> {
    const WHERE: &str =
        "where ($1::boolean is null or opted_out = $1) and ($2::text is null or phone_number = $2)";
    let sql = format!(
        "select phone_number, opted_out, holds, quiet, proof_id is not null as proven, source, changed_at
         from consents {WHERE}
         order by changed_at desc, phone_number limit $3 offset $4"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.opted_out)
        .bind(&filter.phone)
        .bind(filter.limit)
        .bind(filter.offset)
        .fetch_all(pool)
        .await?;
    let sql = format!("select count(*) from consents {WHERE}");
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(filter.opted_out)
        .bind(&filter.phone)
        .fetch_one(pool)
        .await?;
    let page: Result<Vec<Consent>, _> = rows.iter().map(consent).collect();
    Ok((page?, total))
}

fn consent(row: &PgRow) -> Result<Consent, sqlx::Error> {
    Ok(Consent {
        phone: row.try_get("phone_number")?,
        opted_out: row.try_get("opted_out")?,
        holds: row.try_get("holds")?,
        quiet: row.try_get("quiet")?,
        proven: row.try_get("proven")?,
        source: row.try_get("source")?,
        changed_at: row.try_get("changed_at")?,
    })
}

/// Everything ever said about a number, oldest first.
pub async fn history(pool: &Db, phone: &str) -> Result<Vec<Value>, sqlx::Error> {
    let rows = sqlx::query(
        "select id, opted_out, source, conversation_id, entered_by, note, at,
                proof_text, proof_method, proof_by, proof_at
         from consent_history
         where phone_number = $1 order by at, id",
    )
    .bind(phone)
    .fetch_all(pool)
    .await?;
    let entry = |row: &PgRow| {
        let at: DateTime<Utc> = row.try_get("at")?;
        let given_at: Option<DateTime<Utc>> = row.try_get("proof_at")?;
        let proof = match given_at {
            Some(at) => json!({
                "text_shown": row.try_get::<Option<String>, _>("proof_text")?,
                "method": row.try_get::<Option<String>, _>("proof_method")?,
                "given_by": row.try_get::<Option<String>, _>("proof_by")?,
                "given_at": crate::engine::answers::stamp(at),
            }),
            None => Value::Null,
        };
        Ok(json!({
            "id": row.try_get::<Uuid, _>("id")?,
            "opted_out": row.try_get::<bool, _>("opted_out")?,
            "source": row.try_get::<String, _>("source")?,
            "conversation_id": row.try_get::<Option<String>, _>("conversation_id")?,
            "entered_by": row.try_get::<Option<String>, _>("entered_by")?,
            "note": row.try_get::<Option<String>, _>("note")?,
            "proof": proof,
            "at": crate::engine::answers::stamp(at),
        }))
    };
    rows.iter().map(entry).collect()
}
