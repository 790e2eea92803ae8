//! What waits, looked at every few seconds in the background: the gauges, and what health says of
//! queues. Nobody who asks for health or metrics makes us ask the database or the stream.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::store::Db;
use async_nats::jetstream::consumer::pull;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::domain::Severity;
use crate::engine::Clock;
use crate::engine::publisher::Publisher;
use crate::events::Stream;
use crate::stages::STAGES;
use crate::store::backlog::{Queue, Waiting, waiting};

/// Kinds of dead letters (`http-api.md` §9): each has its gauge, also at zero.
const LETTER_KINDS: [&str; 4] = ["sms", "notification", "workflow", "event"];

/// Severities, likewise.
const SEVERITIES: [Severity; 4] = [
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// A stage's consumer.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// Which stage.
    pub stage: &'static str,
    /// Messages not delivered to anybody yet.
    pub pending: u64,
    /// Messages under way.
    pub unacknowledged: u64,
    /// Messages under way that were delivered before.
    pub redelivered: u64,
    /// An operator has stopped it.
    pub paused: bool,
}

/// What was found at the last look.
#[derive(Debug, Clone)]
pub struct Seen {
    /// In the database.
    pub waiting: Waiting,
    /// In front of the stages.
    pub lags: Vec<Lag>,
    /// When.
    pub at: DateTime<Utc>,
}

impl Seen {
    /// What is under way to the outside: texts, those held, notifications.
    pub fn outbox(&self) -> i64 {
        self.waiting.sms.depth + self.waiting.held.depth + self.notifications()
    }

    fn notifications(&self) -> i64 {
        let of = |lag: &&Lag| lag.stage == "notify";
        let lag = self.lags.iter().find(of);
        lag.map_or(0, |lag| {
            i64::try_from(lag.pending + lag.unacknowledged).unwrap_or(i64::MAX)
        })
    }
}

/// Looks, and remembers.
pub struct Backlog {
    /// For reading.
    pub db: Db,
    /// For asking about consumers.
    pub publisher: Publisher,
    /// Where the gauges are.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// `BACKLOG_SECONDS`.
    pub every: Duration,
    /// What was found.
    pub seen: RwLock<Option<Arc<Seen>>>,
}

impl Backlog {
    /// What was found at the last look; nothing before the first.
    pub fn seen(&self) -> Option<Arc<Seen>> {
        self.seen
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks until the service stops. A look that fails leaves the figures as they were: whether
    /// Postgres and NATS are there is told by `orchestrator_dependency_up`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.look().await {
                tracing::debug!(error = format!("{error:#}"), "the backlog is not known");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        self.show_process();
        let now = self.clock.now();
        let patience = Duration::from_secs(5);
        let waiting = tokio::time::timeout(patience, waiting(&self.db, now)).await??;
        self.show_waiting(&waiting, now);
        let lags = self.lags().await;
        let seen = Seen {
            waiting,
            lags,
            at: now,
        };
        let depth = |kind| self.metrics.outbox.with_label_values(&[kind]);
        depth("notification").set(seen.notifications());
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(seen));
        Ok(())
    }

    fn show_process(&self) {
        let metrics = &self.metrics;
        if let Some(bytes) = super::memory::resident() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            metrics.memory.with_label_values::<&str>(&[]).set(bytes);
        }
        let (open, idle) = self.db.connections();
        let used = usize::try_from(open).unwrap_or(0).saturating_sub(idle);
        for (state, count) in [("idle", idle), ("used", used)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            metrics.connections.with_label_values(&[state]).set(count);
        }
    }

    fn show_waiting(&self, waiting: &Waiting, now: DateTime<Utc>) {
        let metrics = &self.metrics;
        for (kind, queue) in [("sms", waiting.sms), ("held", waiting.held)] {
            metrics.outbox.with_label_values(&[kind]).set(queue.depth);
            metrics
                .outbox_age
                .with_label_values(&[kind])
                .set(age(queue, now));
        }
        let none: &[&str] = &[];
        metrics
            .approvals
            .with_label_values(none)
            .set(waiting.approvals.depth);
        metrics
            .approvals_age
            .with_label_values(none)
            .set(age(waiting.approvals, now));
        metrics
            .undecided
            .with_label_values(none)
            .set(waiting.undecided.depth);
        metrics
            .undecided_age
            .with_label_values(none)
            .set(age(waiting.undecided, now));
        metrics
            .timers_late
            .with_label_values(none)
            .set(waiting.timers.depth);
        for severity in SEVERITIES {
            let of = |(word, _): &&(String, Queue)| word == severity.as_str();
            let queue = waiting.escalations.iter().find(of);
            let queue = queue.map(|(_, queue)| *queue).unwrap_or_default();
            let labels = &[severity.as_str()];
            metrics
                .escalations_open
                .with_label_values(labels)
                .set(queue.depth);
            metrics
                .escalations_age
                .with_label_values(labels)
                .set(age(queue, now));
        }
        for kind in LETTER_KINDS {
            let of = |(word, _): &&(String, i64)| word == kind;
            let depth = waiting.dead_letters.iter().find(of).map_or(0, |(_, n)| *n);
            metrics
                .dead_letters_open
                .with_label_values(&[kind])
                .set(depth);
        }
    }

    /// One question per consumer and stream; those that are not there yet are left out.
    async fn lags(&self) -> Vec<Lag> {
        let Publisher {
            jetstream, names, ..
        } = &self.publisher;
        for stream in Stream::ALL {
            let Ok(found) = jetstream.get_stream(names.stream(stream)).await else {
                continue;
            };
            let state = &found.cached_info().state;
            let labels = &[stream.name()];
            let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            self.metrics
                .stream_messages
                .with_label_values(labels)
                .set(number(state.messages));
            self.metrics
                .stream_bytes
                .with_label_values(labels)
                .set(number(state.bytes));
            let most = found.cached_info().config.max_bytes.max(0);
            self.metrics
                .stream_limit
                .with_label_values(labels)
                .set(most);
        }
        let mut lags = Vec::new();
        for row in STAGES {
            let stream = names.stream(row.stream());
            let found = jetstream
                .get_consumer_from_stream::<pull::Config, _, _>(row.name, stream)
                .await;
            let Ok(consumer) = found else { continue };
            let info = consumer.cached_info();
            let lag = Lag {
                stage: row.name,
                pending: info.num_pending,
                unacknowledged: u64::try_from(info.num_ack_pending).unwrap_or(0),
                redelivered: u64::try_from(info.num_redelivered).unwrap_or(0),
                paused: info.paused,
            };
            for (state, count) in [
                ("waiting", lag.pending),
                ("in_work", lag.unacknowledged),
                ("redelivered", lag.redelivered),
            ] {
                // The sweep adds what is overdue: only it looks.
                self.metrics
                    .stage_messages
                    .with_label_values(&[lag.stage, state])
                    .set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            self.metrics
                .paused
                .with_label_values(&[lag.stage])
                .set(i64::from(lag.paused));
            lags.push(lag);
        }
        lags
    }
}

/// Seconds since the oldest began to wait; negative waits, such as hours to come, are none.
fn age(queue: Queue, now: DateTime<Utc>) -> i64 {
    queue
        .oldest
        .map_or(0, |oldest| (now - oldest).num_seconds().max(0))
}
