//! How the neighbours answered when asked for their health, per hour: what the metrics show of days.

use super::Db;
use chrono::{DateTime, Utc};

use super::column;

/// One answer, or none.
#[derive(Debug, Clone)]
pub struct Check {
    /// Who was asked.
    pub service: &'static str,
    /// It is up.
    pub healthy: bool,
    /// How long the answer took.
    pub response_ms: f64,
    /// When.
    pub at: DateTime<Utc>,
}

/// Adds answers to their hours. Any number of replicas may ask; each answer counts.
pub async fn add(pool: &Db, checks: &[Check]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into neighbour_checks as c (service, hour, healthy, unhealthy, response_ms, last_check)
         select service, date_trunc('hour', at, 'UTC'), healthy::integer, (not healthy)::integer,
                case when healthy then took else 0 end, at
         from unnest($1::text[], $2::boolean[], $3::float8[], $4::timestamptz[])
           as t(service, healthy, took, at)
         order by service
         on conflict (service, hour) do update set
           healthy = c.healthy + excluded.healthy,
           unhealthy = c.unhealthy + excluded.unhealthy,
           response_ms = c.response_ms + excluded.response_ms,
           last_check = greatest(c.last_check, excluded.last_check)",
    )
    .bind(column(checks, |c| c.service))
    .bind(column(checks, |c| c.healthy))
    .bind(column(checks, |c| c.response_ms))
    .bind(column(checks, |c| c.at))
    .execute(pool)
    .await?;
    Ok(())
}

/// A neighbour over a time.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Summary {
    /// Who.
    pub service: String,
    /// How often it was up.
    pub healthy: i64,
    /// How often not.
    pub unhealthy: i64,
    /// Mean of the healthy answers.
    pub response_ms: Option<f64>,
    /// The newest answer.
    pub last_check: DateTime<Utc>,
}

/// All neighbours between two moments, by whole hours.
pub async fn between(
    pool: &Db,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Summary>, sqlx::Error> {
    sqlx::query_as(
        "select service, sum(healthy)::bigint as healthy, sum(unhealthy)::bigint as unhealthy,
                sum(response_ms) / nullif(sum(healthy), 0)::float8 as response_ms,
                max(last_check) as last_check
         from neighbour_checks
         where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and hour <= $2
         group by service order by service",
    )
    .bind(from)
    .bind(to)
    .fetch_all(pool)
    .await
}
