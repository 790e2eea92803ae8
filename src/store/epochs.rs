//! How often the inbound stream was made anew.

use super::Db;
use chrono::{DateTime, Utc};

/// The epoch of a stream that was created at `created_at`: the one noted for it, or one more than
/// the newest. Several replicas may ask at once; the unique key lets one of them count.
pub async fn of(pool: &Db, stream: &str, created_at: DateTime<Utc>) -> Result<i32, sqlx::Error> {
    loop {
        let known: Option<i32> = sqlx::query_scalar(
            "select epoch from stream_epochs where stream = $1 and created_at = $2",
        )
        .bind(stream)
        .bind(created_at)
        .fetch_optional(pool)
        .await?;
        if let Some(epoch) = known {
            return Ok(epoch);
        }
        sqlx::query(
            "insert into stream_epochs (stream, created_at, epoch)
             select $1, $2, coalesce(max(epoch), 0) + 1 from stream_epochs where stream = $1
             on conflict do nothing",
        )
        .bind(stream)
        .bind(created_at)
        .execute(pool)
        .await?;
    }
}
