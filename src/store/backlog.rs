//! What waits, and for how long. Every figure comes from a partial index over open rows, so that
//! asking every few seconds costs nothing that grows with history.

use super::Db;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

/// How many wait, and since when the oldest does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many.
    pub depth: i64,
    /// Since when.
    pub oldest: Option<DateTime<Utc>>,
}

/// Everything that waits in the database.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// Texts released, with the agent or waiting for it.
    pub sms: Queue,
    /// Texts that wait for contact hours; the oldest by its opening.
    pub held: Queue,
    /// Drafts that wait for a manager.
    pub approvals: Queue,
    /// Open escalations by severity.
    pub escalations: Vec<(String, Queue)>,
    /// Open dead letters by kind.
    pub dead_letters: Vec<(String, i64)>,
    /// Workflows that are neither decided nor given up; the oldest by its newest change.
    pub undecided: Queue,
    /// Timers whose moment has passed and about which nothing has happened.
    pub timers: Queue,
}

/// How long a timer may be late before it counts: the alarm looks every few seconds, and its event
/// takes its way through a stage.
const GRACE: TimeDelta = TimeDelta::minutes(1);

/// Counts.
pub async fn waiting(pool: &Db, now: DateTime<Utc>) -> Result<Waiting, sqlx::Error> {
    let rows = sqlx::query(
        "select 'sms' as what, '' as kind, count(*) as depth, min(created_at) as oldest
           from deliveries where status in ('intended', 'waiting')
         union all
         select 'held', '', count(*), min(not_before) from deliveries where status = 'held'
         union all
         select 'approvals', '', count(*), min(created_at) from ai_response_queue where status = 'pending'
         union all
         select 'escalations', severity, count(*), min(created_at)
           from escalation_events where status <> 'resolved' group by severity
         union all
         select 'dead_letters', kind, count(*), min(created_at)
           from dead_letters where status = 'open' group by kind
         union all
         select 'undecided', '', count(*), min(updated_at)
           from orchestration_workflows
           where status in ('received', 'processing') and completed_at is null
         union all
         select 'timers', '', count(*), min(due_at) from (
           select expires_at as due_at from ai_response_queue
             where status = 'pending' and expires_at < $1
           union all
           select not_before from deliveries where status = 'held' and not_before < $1) timers",
    )
    .bind(now - GRACE)
    .fetch_all(pool)
    .await?;
    let mut found = Waiting::default();
    for row in rows {
        let (what, kind): (String, String) = (row.try_get("what")?, row.try_get("kind")?);
        let queue = Queue {
            depth: row.try_get("depth")?,
            oldest: row.try_get("oldest")?,
        };
        match what.as_str() {
            "sms" => found.sms = queue,
            "held" => found.held = queue,
            "approvals" => found.approvals = queue,
            "escalations" => found.escalations.push((kind, queue)),
            "dead_letters" => found.dead_letters.push((kind, queue.depth)),
            "undecided" => found.undecided = queue,
            _ => found.timers = queue,
        }
    }
    Ok(found)
}
