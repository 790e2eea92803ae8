//! Events that were said and not handled: what the sweep looks for. Times are the database's, so
//! that replicas with different clocks agree.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::types::Json;

use super::handled::Kept;
use super::{Db, Tx, column};
use crate::domain::EventId;

/// Which stage reads which subject.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Without prefix.
    pub subject: &'static str,
    /// The consumer's name.
    pub stage: &'static str,
}

/// Where the sweep stands, its row locked.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Marks set before were looked at.
    pub position: DateTime<Utc>,
    /// When the stream of dead letters was made that has their copies.
    pub dead_made: Option<DateTime<Utc>>,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// No transaction that is still open can set a mark with an earlier time.
    pub horizon: DateTime<Utc>,
}

/// Locks the sweep for this transaction. `None`: another replica sweeps.
///
/// A mark carries the moment in which it was written, and is seen when its transaction commits. So
/// the horizon must not lie behind the beginning of the oldest transaction that writes, or a slow
/// one's marks would be passed by for ever.
pub async fn lock(tx: &mut Tx<'_>) -> Result<Option<Standing>, sqlx::Error> {
    let row = sqlx::query(
        "select position, dead_made, clock_timestamp() as now,
                least(clock_timestamp(), (select min(xact_start) from pg_stat_activity
                  where datname = current_database() and backend_xid is not null
                    and pid <> pg_backend_pid())) as horizon
         from sweep where id = 1 for update skip locked",
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Standing {
            position: row.try_get("position")?,
            dead_made: row.try_get("dead_made")?,
            now: row.try_get("now")?,
            horizon: row.try_get("horizon")?,
        })
    })
    .transpose()
}

/// What a page of marks held.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many marks.
    pub marks: i64,
    /// The newest of them.
    pub newest: Option<DateTime<Utc>>,
}

/// Lists the events of one page of marks that their readers have not handled.
///
/// From `since` on and not after it: marks of one round share their time, and a page may
/// end between them.
pub async fn notice(
    tx: &mut Tx<'_>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    most: i64,
    readers: &[Reader],
) -> Result<Page, sqlx::Error> {
    let (marks, newest) = sqlx::query_as(
        "with page as materialized (
           select event_id, stage, emitted, event_ids, subjects, handled_at from handled_events
           where handled_at >= $1 and handled_at < $2 order by handled_at limit $3
         ), said as (
           select p.event_id as cause, p.stage as cause_stage, p.handled_at, e.event, e.subject
           from page p cross join lateral unnest(p.event_ids, p.subjects) e(event, subject)
           union all
           -- Marks of binaries before 0022.
           select p.event_id, p.stage, p.handled_at,
                  coalesce((select h ->> 1 from jsonb_array_elements(e -> 'headers') h
                            where h ->> 0 = 'ce-id' limit 1), e ->> 'id')::uuid,
                  e ->> 'subject'
           from page p cross join lateral jsonb_array_elements(p.emitted) e
           where p.event_ids is null
         ), listed as (
           insert into unfinished_events (event_id, stage, cause, cause_stage, said_at)
           select distinct on (s.event, r.stage) s.event, r.stage, s.cause, s.cause_stage, s.handled_at
           from said s
           join unnest($4::text[], $5::text[]) as r(subject, stage) on r.subject = s.subject
           where not exists (select 1 from handled_events h
                             where h.event_id = s.event and h.stage = r.stage)
           on conflict do nothing
         )
         select count(*), max(handled_at) from page",
    )
    .bind(since)
    .bind(until)
    .bind(most)
    .bind(column(readers, |r| r.subject))
    .bind(column(readers, |r| r.stage))
    .fetch_one(&mut **tx)
    .await?;
    Ok(Page { marks, newest })
}

/// Notes how far the marks were looked at.
pub async fn move_to(tx: &mut Tx<'_>, position: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("update sweep set position = $1 where id = 1")
        .bind(position)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes which stream has the copies of the open dead letters.
pub async fn copied_to(tx: &mut Tx<'_>, made: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("update sweep set dead_made = $1 where id = 1")
        .bind(made)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets what was handled meanwhile, and what its cause no longer stands for: a cause that is
/// worked on again says it again itself.
pub async fn forget_finished(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from unfinished_events u
         where exists (select 1 from handled_events h
                       where h.event_id = u.event_id and h.stage = u.stage)
            or not exists (select 1 from handled_events c
                           where c.event_id = u.cause and c.stage = u.cause_stage)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is known about the messages of a stage. An event said before one of these moments, and not
/// handled, is looked at as that moment says.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// The stage.
    pub stage: &'static str,
    /// Its stream was made: earlier events are lost.
    pub made: DateTime<Utc>,
    /// Everything said before had been handled, or was lost, when nothing was waiting or in work.
    pub quiet: Option<DateTime<Utc>>,
    /// Everything said before was delivered at least once: it is in work, comes again, or is lost.
    pub delivered: Option<DateTime<Utc>>,
}

/// How long to wait before an event is said again, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When nothing of its stage is in work: it is lost. Doubled with every time.
    pub lost: f64,
    /// When something is: it may be in a retry. Times four with every time.
    pub unclear: f64,
}

/// An event to say again.
#[derive(Debug)]
pub struct Lost {
    /// By which its reader knows it.
    pub event: EventId,
    /// The reader.
    pub stage: String,
    /// The event, with a message id of its own: a stream that has forgotten a message may remember
    /// its id.
    pub kept: Kept,
}

/// Events to say again, in the order in which they were said first.
pub async fn lost(
    tx: &mut Tx<'_>,
    evidence: &[Evidence],
    patience: Patience,
    most: i64,
) -> Result<Vec<Lost>, sqlx::Error> {
    let rows = sqlx::query(
        "select u.event_id, u.stage, u.said_again, e.value as kept
         from unfinished_events u
         join unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
           as s(stage, made, quiet, delivered) on s.stage = u.stage
         join handled_events c on c.event_id = u.cause and c.stage = u.cause_stage
         cross join lateral jsonb_array_elements(coalesce(c.events::jsonb, c.emitted))
           with ordinality as e(value, nth)
         where (u.said_at < s.made
             or u.said_at < s.quiet and u.said_at < clock_timestamp()
                  - make_interval(secs => $5 * power(2, least(u.said_again, 6)))
             or u.said_at < s.delivered and u.said_at < clock_timestamp()
                  - make_interval(secs => $6 * power(4, least(u.said_again, 4))))
           and coalesce((select h ->> 1 from jsonb_array_elements(e.value -> 'headers') h
                         where h ->> 0 = 'ce-id' limit 1), e.value ->> 'id')::uuid = u.event_id
         order by c.handled_at, e.nth limit $7",
    )
    .bind(column(evidence, |e| e.stage))
    .bind(column(evidence, |e| e.made))
    .bind(column(evidence, |e| e.quiet))
    .bind(column(evidence, |e| e.delivered))
    .bind(patience.lost)
    .bind(patience.unclear)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            let event = EventId(row.try_get("event_id")?);
            let stage: String = row.try_get("stage")?;
            let times: i32 = row.try_get("said_again")?;
            let mut kept = row.try_get::<Json<Kept>, _>("kept")?.0;
            kept.id = EventId(event.row(&format!("again/{stage}/{times}")));
            Ok(Lost { event, stage, kept })
        })
        .collect()
}

/// Notes that events were said again.
pub async fn said_again(tx: &mut Tx<'_>, events: &[Lost]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update unfinished_events u set said_at = clock_timestamp(), said_again = u.said_again + 1
         from unnest($1::uuid[], $2::text[]) as t(event, stage)
         where u.event_id = t.event and u.stage = t.stage",
    )
    .bind(column(events, |e| e.event.0))
    .bind(column(events, |e| e.stage.as_str()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The copies of the open dead letters, as they were published.
pub async fn open_letters(tx: &mut Tx<'_>, subject: &str) -> Result<Vec<Kept>, sqlx::Error> {
    let rows: Vec<Json<Kept>> = sqlx::query_scalar(
        "select e from dead_letters d
         join handled_events h on h.event_id = d.event_id and h.stage = d.stage
         cross join lateral jsonb_array_elements(coalesce(h.events::jsonb, h.emitted)) e
         where d.status = 'open' and e ->> 'subject' = $1
         order by d.created_at",
    )
    .bind(subject)
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// How many events of each stage are on the list.
pub async fn counts(pool: &Db) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("select stage, count(*) from unfinished_events group by stage")
        .fetch_all(pool)
        .await
}
