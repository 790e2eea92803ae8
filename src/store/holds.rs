//! Holds: why somebody may not be texted until a manager says otherwise.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{Batch, Db, Tx, column, consents};
use crate::domain::{ConversationId, HoldId, HoldKind, Phone, TenantId, WorkflowId};

/// A hold to place.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// Its id.
    pub id: HoldId,
    /// What it is about.
    pub kind: HoldKind,
    /// The number it holds.
    pub phone: Option<Phone>,
    /// The tenant it holds, wherever they write from.
    pub tenant_id: Option<TenantId>,
    /// Where it was caused.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of the text that caused it.
    pub workflow_id: Option<WorkflowId>,
    /// A sentence for whoever may lift it.
    pub reason: String,
    /// A manager, or `system`.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A hold to lift.
#[derive(Debug, Clone)]
pub struct LiftedHold {
    /// Which.
    pub id: HoldId,
    /// The number it held.
    pub phone: Option<Phone>,
    /// The tenant it held.
    pub tenant_id: Option<TenantId>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Which hold is meant by those who know no id: one of a kind on exactly this number and tenant.
#[derive(Debug, Clone)]
pub struct HoldKey {
    /// What it is about.
    pub kind: HoldKind,
    /// The number it holds.
    pub phone: Option<Phone>,
    /// The tenant it holds.
    pub tenant_id: Option<TenantId>,
}

/// Two at once clash on the index of standing holds: the loser decides again and finds the first.
pub(super) async fn place(tx: &mut Tx<'_>, rows: &[NewHold]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into holds
           (id, kind, phone_number, tenant_id, conversation_id, workflow_id, reason, placed_by, placed_at)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[],
                              $7::text[], $8::text[], $9::timestamptz[])",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.kind.as_str()))
    .bind(column(rows, |r| r.phone.as_ref().map(Phone::as_str)))
    .bind(column(rows, |r| r.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| {
        r.conversation_id.as_ref().map(ConversationId::as_str)
    }))
    .bind(column(rows, |r| r.workflow_id.map(|w| w.0)))
    .bind(column(rows, |r| r.reason.as_str()))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    let phones: Vec<&str> = rows
        .iter()
        .filter_map(|r| r.phone.as_ref().map(Phone::as_str))
        .collect();
    // A manager may hold a number that never wrote.
    if let Some(first) = rows.first().filter(|_| !phones.is_empty()) {
        let mut numbers = Batch::default();
        consents::ensure(&mut numbers, &phones, first.at);
        numbers.run(&mut **tx).await?;
    }
    let tenants: Vec<&str> = rows
        .iter()
        .filter_map(|r| r.tenant_id.as_ref().map(TenantId::as_str))
        .collect();
    copy_to_numbers(tx, &phones, &tenants).await
}

pub(super) async fn lift(tx: &mut Tx<'_>, rows: &[LiftedHold]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update holds h set lifted_by = u.by, lift_reason = u.reason, lifted_at = u.at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as u(id, by, reason, at)
         where h.id = u.id and h.lifted_at is null",
    )
    .bind(column(rows, |r| r.id.0))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.reason.as_str()))
    .bind(column(rows, |r| r.at))
    .execute(&mut **tx)
    .await?;
    let phones: Vec<&str> = rows
        .iter()
        .filter_map(|r| r.phone.as_ref().map(Phone::as_str))
        .collect();
    let tenants: Vec<&str> = rows
        .iter()
        .filter_map(|r| r.tenant_id.as_ref().map(TenantId::as_str))
        .collect();
    copy_to_numbers(tx, &phones, &tenants).await
}

/// Brings the copies in `consents` up to date, for the numbers and for every number that one of the
/// tenants wrote from. Waits for send intents that hold those rows, which is the point.
async fn copy_to_numbers(
    tx: &mut Tx<'_>,
    phones: &[&str],
    tenants: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with concerned as (
           select phone_number from consents
           where phone_number = any(array(
             select unnest($1::text[])
             union select k.phone_number from conversations k where k.tenant_id = any($2)))
           order by phone_number for update)
         update consents c set holds = array(
           select h.kind::text from holds h
           where h.lifted_at is null and h.phone_number = c.phone_number
           union
           select h.kind::text from conversations k
           join holds h on h.tenant_id = k.tenant_id and h.lifted_at is null
           where k.phone_number = c.phone_number
           order by 1)
         from concerned where c.phone_number = concerned.phone_number",
    )
    .bind(phones)
    .bind(tenants)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A hold as stored.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What it is about.
    pub kind: String,
    /// The number it holds.
    pub phone: Option<Phone>,
    /// The tenant it holds.
    pub tenant_id: Option<TenantId>,
    /// Where it was caused.
    pub conversation_id: Option<String>,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// Who lifted it, why, when.
    pub lifted: Option<(String, String, DateTime<Utc>)>,
}

fn from_row(row: &PgRow) -> Result<Hold, sqlx::Error> {
    let by: Option<String> = row.try_get("lifted_by")?;
    let at: Option<DateTime<Utc>> = row.try_get("lifted_at")?;
    let reason: Option<String> = row.try_get("lift_reason")?;
    Ok(Hold {
        id: HoldId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        phone: row
            .try_get::<Option<String>, _>("phone_number")?
            .map(Phone::from_stored),
        tenant_id: row
            .try_get::<Option<String>, _>("tenant_id")?
            .map(TenantId::from_stored),
        conversation_id: row.try_get("conversation_id")?,
        reason: row.try_get("reason")?,
        placed_by: row.try_get("placed_by")?,
        placed_at: row.try_get("placed_at")?,
        lifted: by
            .zip(at)
            .map(|(by, at)| (by, reason.unwrap_or_default(), at)),
    })
}

const COLUMNS: &str =
    "id, kind, phone_number, tenant_id, conversation_id, reason, placed_by, placed_at,
    lifted_by, lift_reason, lifted_at";

/// One hold.
pub async fn with_id(pool: &Db, id: HoldId) -> Result<Option<Hold>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from holds where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .fetch_optional(pool)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The standing hold that a key names, if any.
pub(super) async fn standing(tx: &mut Tx<'_>, key: &HoldKey) -> Result<Option<Hold>, sqlx::Error> {
    let sql = format!(
        "select {COLUMNS} from holds
         where kind = $1 and coalesce(phone_number, '') = coalesce($2, '')
           and coalesce(tenant_id, '') = coalesce($3, '') and lifted_at is null"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(key.kind.as_str())
        .bind(key.phone.as_ref().map(Phone::as_str))
        .bind(key.tenant_id.as_ref().map(TenantId::as_str))
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// What a list of holds is asked for.
#[derive(Debug, Clone)]
pub struct HoldFilter {
    /// Only standing ones, or only lifted ones.
    pub active: Option<bool>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only on this number.
    pub phone: Option<String>,
    /// Only on this tenant.
    pub tenant: Option<String>,
    /// Page size.
    pub limit: i64,
    /// Page start.
    pub offset: i64,
}

/// A page of holds, newest first, with the count of all.
pub async fn list(pool: &Db, filter: &HoldFilter) -> Result<(Vec<Hold>, i64), sqlx::Error> {
    const WHERE: &str = "where ($1::boolean is null or (lifted_at is null) = $1)
        and ($2::text is null or kind = $2) and ($3::text is null or phone_number = $3)
        and ($4::text is null or tenant_id = $4)";
    let sql = format!(
        "select {COLUMNS} from holds {WHERE} order by placed_at desc, id limit $5 offset $6"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.active)
        .bind(&filter.kind)
        .bind(&filter.phone)
        .bind(&filter.tenant)
        .bind(filter.limit)
        .bind(filter.offset)
        .fetch_all(pool)
        .await?;
    let sql = format!("select count(*) from holds {WHERE}");
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(filter.active)
        .bind(&filter.kind)
        .bind(&filter.phone)
        .bind(&filter.tenant)
        .fetch_one(pool)
        .await?;
    let page: Result<Vec<Hold>, _> = rows.iter().map(from_row).collect();
    Ok((page?, total))
}
