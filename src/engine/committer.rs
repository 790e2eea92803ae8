//! Commits decisions, many at a time.
//!
//! A round is whatever queued while the previous round ran: one message when the service is idle
//! (no waiting), hundreds when it is busy (one transaction, one statement for most rows). A
//! conversation always goes to the same shard and appears at most once in a round, so members of a
//! round never meet on a row. A member that breaks its round is committed alone.

mod round;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::round::Worker;
use super::answers::Answer;
use super::decision::Effect;
use super::{Clock, Decision};
use crate::domain::EventId;
use crate::ops::metrics::Metrics;
use crate::store::handled::Kept;
use crate::store::{Case, DatabaseSettings, Needs, Patience, pool};

/// A decision waiting to be taken and committed.
pub struct Job {
    /// The event it handles.
    pub event: EventId,
    /// The stage that handles it.
    pub stage: &'static str,
    /// Handed on to everything it causes.
    pub correlation_id: String,
    /// Handed on to everything it causes.
    pub traceparent: Option<String>,
    /// The work it belongs to, for traces.
    pub span: tracing::Span,
    /// When the text or command behind it reached the stream; handed on likewise.
    pub arrived_at: Option<DateTime<Utc>>,
    /// What must be known and locked.
    pub needs: Needs,
    /// Takes the decision. Called again when a round is rolled back.
    pub decide: Decide,
}

/// A decision not yet taken.
pub type Decide = Box<dyn Fn(&Case, DateTime<Utc>) -> Decision + Send + Sync>;

/// What became of a job.
#[derive(Debug)]
pub enum Committed {
    /// The message is handled; publish, answer, acknowledge.
    Done {
        /// What to publish.
        emitted: Vec<Kept>,
        /// Whom to answer.
        answers: Vec<Answer>,
    },
    /// It was handled before; publish again, acknowledge.
    Already(Vec<Kept>),
    /// The intent is committed; act, then submit the conclusion.
    Act(Box<Effect>),
    /// Not now.
    Later {
        /// How long.
        after: Duration,
        /// Why.
        because: String,
        /// Uses up an attempt.
        counted: bool,
        /// Whom to answer all the same.
        answers: Vec<Answer>,
    },
    /// Not at all.
    Never {
        /// The dead letter's reason.
        reason: &'static str,
        /// Why.
        detail: String,
    },
    /// The database refused this member alone, or its decision panicked.
    Failed(String),
    /// The service is stopping.
    Stopping,
}

type Ticket = (Job, oneshot::Sender<Committed>);

/// A handle to the committer's shards.
#[derive(Clone)]
pub struct Committer {
    shards: Arc<[mpsc::Sender<Ticket>]>,
}

impl Committer {
    /// Starts `shards` workers. One makes the largest rounds, and with a database nearby that is worth
    /// more than a second one that works while the first waits for the disk (docs/performance.md).
    ///
    /// Each has a thread and a connection of its own: on the threads of the stages every answer from
    /// Postgres would wait behind hundreds of texts that want to be read or checked, some thirty times
    /// a round, and all of them wait for the round.
    ///
    /// # Errors
    /// No thread, or settings of the database that cannot be read.
    pub fn start(
        database: &DatabaseSettings,
        patience: &Patience,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        shards: usize,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let start = |shard: usize| {
            let (sender, receiver) = mpsc::channel(4096);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("the committer's runtime")?;
            let worker = {
                // Connections belong to the runtime they are made on.
                let _inside = runtime.enter();
                Worker {
                    pool: pool::for_rounds(database, 1, patience)?,
                    patience: patience.clone(),
                    clock: clock.clone(),
                    metrics: metrics.clone(),
                    stop: stop.clone(),
                }
            };
            std::thread::Builder::new()
                .name(format!("committer-{shard}"))
                .spawn(move || runtime.block_on(worker.run(receiver)))
                .context("the committer's thread")?;
            Ok(sender)
        };
        let shards: anyhow::Result<Arc<[_]>> = (0..shards.max(1)).map(start).collect();
        Ok(Self { shards: shards? })
    }

    /// Commits a job, together with others.
    pub async fn commit(&self, job: Job) -> Committed {
        let shard = &self.shards[self.shard_of(&job)];
        let (sender, receiver) = oneshot::channel();
        if shard.send((job, sender)).await.is_err() {
            return Committed::Stopping;
        }
        receiver.await.unwrap_or(Committed::Stopping)
    }

    fn shard_of(&self, job: &Job) -> usize {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        match &job.needs.conversation {
            Some(conversation) => conversation.hash(&mut hasher),
            None => job.event.hash(&mut hasher),
        }
        #[expect(clippy::cast_possible_truncation)]
        let hash = hasher.finish() as usize;
        hash % self.shards.len()
    }
}

#[cfg(test)]
mod tests;
