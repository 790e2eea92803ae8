//! Forgets what is old (`rules.md` R32): everything about a conversation three years after its last
//! activity, unless it is on hold; marks, attempts and dead letters earlier.
//!
//! Small transactions, one replica at a time, once a day; what went is written down in numbers and
//! told as `retention.purged`.

use std::time::Duration;

use crate::store::Db;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Env;
use crate::domain::EventId;
use crate::engine::Clock;
use crate::engine::emitted::{self, About};
use crate::engine::publisher::Publisher;
use crate::events::RetentionPurged;
use crate::store::retention::{self, Counts, Cutoffs, Run};

/// Conversations in one transaction: their rows are locked meanwhile.
const CONVERSATIONS: i32 = 50;
/// Rows of a kind in one transaction.
const ROWS: i32 = 5_000;
/// Between two transactions, so that a purge of years is not felt.
const BREATH: Duration = Duration::from_millis(100);
/// Streams keep messages for seven days; a mark must outlive them. It keeps the events it led to,
/// texts included, and is not evidence.
const MARKS: TimeDelta = TimeDelta::days(30);
/// The stream of dead letters keeps its copies as long.
const LETTERS: TimeDelta = TimeDelta::days(90);

/// How long what is kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionSettings {
    /// `RETENTION_DAYS`, after a conversation's last activity.
    pub keep: TimeDelta,
    /// `PURGE_EVERY_HOURS`; 0 leaves it to `orchestrator purge`.
    pub every: Duration,
}

impl RetentionSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let days: u32 = env.number("RETENTION_DAYS", 1096);
        if days < 31 {
            env.fault(
                "RETENTION_DAYS",
                "must be at least 31; the law wants three years",
            );
        }
        Self {
            keep: TimeDelta::days(i64::from(days)),
            every: env.hours("PURGE_EVERY_HOURS", 24.0),
        }
    }

    fn cutoffs(self, now: DateTime<Utc>) -> Cutoffs {
        let conversations = now - self.keep;
        Cutoffs {
            conversations,
            letters: (now - LETTERS).max(conversations),
            marks: now - MARKS,
        }
    }
}

/// Purges once a day until the service stops.
pub async fn run(
    db: Db,
    publisher: Publisher,
    settings: RetentionSettings,
    clock: Clock,
    stop: CancellationToken,
) {
    if settings.every.is_zero() {
        return;
    }
    // Every replica looks; whoever looks first after the time is over does it.
    let look = (settings.every / 24).max(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(look) => {}
        }
        let now = clock.now();
        let due = match retention::last_run(&db).await {
            Ok(last) => {
                last.is_none_or(|last| (now - last).to_std().unwrap_or_default() >= settings.every)
            }
            Err(_) => false,
        };
        if !due {
            continue;
        }
        match purge(&db, settings, &clock, &stop).await {
            Ok(Some(run)) => tell(&publisher, &run).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the purge goes on at the next look"),
        }
    }
}

/// Purges everything that is due and writes it down. `None`: another replica is at it, or the service
/// stops.
pub async fn purge(
    db: &Db,
    settings: RetentionSettings,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Option<Run>, sqlx::Error> {
    let started_at = clock.now();
    let cutoffs = settings.cutoffs(started_at);
    let mut counts = Counts::new();
    for of_conversations in [true, false] {
        loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            let mut tx = db.begin().await?;
            let gone = match of_conversations {
                true => retention::conversations(&mut tx, &cutoffs, CONVERSATIONS).await?,
                false => retention::remains(&mut tx, &cutoffs, ROWS).await?,
            };
            tx.commit().await?;
            let Some(gone) = gone else { return Ok(None) };
            if add(&mut counts, gone) == 0 {
                break;
            }
            tokio::time::sleep(BREATH).await;
        }
    }
    let run = Run {
        id: Uuid::now_v7(),
        cutoff: cutoffs.conversations,
        counts,
        started_at,
        finished_at: clock.now(),
    };
    retention::note(db, &run).await?;
    let rows: i64 = run.counts.values().sum();
    tracing::info!(rows, cutoff = %run.cutoff, "what was old is forgotten");
    Ok(Some(run))
}

/// What a purge would forget now: the same, taken back.
pub async fn preview(
    db: &Db,
    settings: RetentionSettings,
    now: DateTime<Utc>,
) -> Result<Option<Counts>, sqlx::Error> {
    let cutoffs = settings.cutoffs(now);
    let mut counts = Counts::new();
    let mut tx = db.begin().await?;
    for of_conversations in [true, false] {
        loop {
            let gone = match of_conversations {
                true => retention::conversations(&mut tx, &cutoffs, CONVERSATIONS).await?,
                false => retention::remains(&mut tx, &cutoffs, ROWS).await?,
            };
            let Some(gone) = gone else { return Ok(None) };
            if add(&mut counts, gone) == 0 {
                break;
            }
        }
    }
    tx.rollback().await?;
    Ok(Some(counts))
}

fn add(counts: &mut Counts, more: Counts) -> i64 {
    let rows = more.values().sum();
    for (table, n) in more.into_iter().filter(|(_, n)| *n > 0) {
        *counts.entry(table).or_default() += n;
    }
    rows
}

/// Best effort: the row in `purge_runs` is the record.
pub async fn tell(publisher: &Publisher, run: &Run) {
    let body = RetentionPurged {
        run_id: run.id,
        cutoff: run.cutoff,
        counts: run.counts.clone(),
        started_at: run.started_at,
        finished_at: run.finished_at,
    };
    let about = About {
        conversation: None,
        workflow: None,
        correlation_id: run.id.to_string(),
    };
    let source = "orchestrator/retention";
    let kept = emitted::unprompted(source, EventId(run.id), &body, about, run.finished_at);
    let told = match kept {
        Ok(kept) => publisher
            .publish(&[kept])
            .await
            .map_err(anyhow::Error::from),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = told {
        tracing::warn!(error = format!("{error:#}"), "a purge was not told");
    }
}
