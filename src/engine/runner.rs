//! Pulls a stage's messages and hands each to a task of its own (`work`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{AckKind, Message};
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Clock;
use super::committer::Committer;
use super::publisher::Publisher;
use super::stage::{Io, Stage};
use super::topology::{self, Mode};
use super::work::Work;
use crate::events::Stream;
use crate::ops::metrics::Metrics;
use crate::store::{Patience, epochs};

/// How the engine treats messages, whatever their stage.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// `STAGE_CONCURRENCY`: messages of one stage in work at once, per replica.
    pub concurrency: usize,
    /// `MAX_ATTEMPTS`: failures before a message is parked.
    pub max_attempts: i32,
    /// `COMMIT_SHARDS`: transactions in flight at once.
    pub commit_shards: usize,
    /// `SETUP_ON_START`: a stream that is gone is made anew, from the file.
    pub create_missing: bool,
    /// `NATS_REPLICAS`.
    pub replicas: Option<u64>,
    /// `WAKE_SECONDS`: how often texts are looked for whose hour has come.
    pub wake_every: Duration,
    /// `ESCALATION_HOURS`: how long a tenant's silence is no news.
    pub silence: chrono::TimeDelta,
    /// `SHUTDOWN_SECONDS`: how long work in flight may take to finish.
    pub shutdown: Duration,
}

/// What all stages of a replica share.
pub struct Engine {
    /// Publishing and answering.
    pub publisher: Publisher,
    /// Committing.
    pub committer: Committer,
    /// What stages may ask.
    pub io: Io,
    /// How long Postgres may take.
    pub patience: Patience,
    /// The time.
    pub clock: Clock,
    /// How.
    pub settings: EngineSettings,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Stops pulling.
    pub stop: CancellationToken,
    /// Work in flight.
    pub tasks: TaskTracker,
    /// A message suspected of killing its worker runs while nothing else does.
    pub alone: Arc<Semaphore>,
}

/// How many suspects may run at once.
const ONE_AT_A_TIME: usize = 1;

impl Engine {
    /// The lock for suspects.
    pub fn suspects() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(ONE_AT_A_TIME))
    }
}

/// Runs a stage until told to stop.
pub async fn run<S: Stage>(engine: Arc<Engine>, stage: Arc<S>, stream: Stream) {
    let slots = Arc::new(Semaphore::new(
        stage.concurrency(engine.settings.concurrency).max(1),
    ));
    let epoch = Arc::new(AtomicI32::new(0));
    while !engine.stop.is_cancelled() {
        let opened = tokio::select! {
            opened = open::<S>(&engine, stream, &epoch) => opened,
            () = engine.stop.cancelled() => break,
        };
        match opened {
            Ok((messages, stream_created)) => {
                let each = |message: Message| {
                    let work = Work {
                        engine: engine.clone(),
                        stage: stage.clone(),
                        slots: slots.clone(),
                        epoch: epoch.load(Ordering::Relaxed),
                        stream_created,
                    };
                    engine.tasks.spawn(work.take(message));
                };
                pump(&engine, S::NAME, messages, each).await;
            }
            Err(error) => {
                tracing::warn!(stage = S::NAME, %error, "the stage's consumer is not there yet");
                if engine.settings.create_missing {
                    create_missing(&engine).await;
                }
                pause(&engine.stop, Duration::from_secs(1)).await;
            }
        }
    }
}

/// A lost volume must not need a restart of the service.
async fn create_missing(engine: &Engine) {
    let Publisher { client, names, .. } = &engine.publisher;
    let made = topology::ensure(client, names, engine.settings.replicas, Mode::CreateMissing).await;
    if let Err(error) = made {
        tracing::warn!(%error, "streams and consumers cannot be made");
    }
}

async fn pause(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// Finds the consumer and the age of its stream.
async fn open<S: Stage>(
    engine: &Engine,
    stream: Stream,
    epoch: &AtomicI32,
) -> anyhow::Result<(pull::Stream, DateTime<Utc>)> {
    let name = engine.publisher.names.stream(stream);
    let handle = engine.publisher.jetstream.get_stream(&name).await?;
    let created = handle.cached_info().created;
    let created = DateTime::from_timestamp(created.unix_timestamp(), created.nanosecond())
        .map(|t| chrono::SubsecRound::trunc_subsecs(t, 6))
        .ok_or_else(|| anyhow::anyhow!("stream {name} has no creation time"))?;
    if stream == Stream::Inbound {
        epoch.store(
            engine
                .patience
                .within(epochs::of(&engine.io.db, &name, created))
                .await?,
            Ordering::Relaxed,
        );
    }
    let consumer: Consumer<pull::Config> = handle
        .get_consumer(S::NAME)
        .await
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(256)
        .expires(Duration::from_secs(10))
        .heartbeat(Duration::from_secs(3))
        .messages()
        .await?;
    Ok((messages, created))
}

/// Hands on messages until the stream ends or the service stops; then gives back what was fetched
/// and not begun, so that another replica has it at once instead of after the ack deadline.
async fn pump(
    engine: &Engine,
    stage: &'static str,
    mut messages: pull::Stream,
    mut each: impl FnMut(Message),
) {
    let mut failures = 0;
    loop {
        let next = tokio::select! {
            biased;
            () = engine.stop.cancelled() => break,
            next = messages.next() => next,
        };
        match next {
            Some(Ok(message)) => {
                failures = 0;
                each(message);
            }
            // A missed heartbeat or a reconnect; the stream goes on by itself. When it does not,
            // the consumer is looked up anew.
            Some(Err(error)) => {
                failures += 1;
                tracing::debug!(stage, %error, "pull interrupted");
                if failures > 3 {
                    return;
                }
                pause(&engine.stop, Duration::from_millis(200)).await;
            }
            None => return,
        }
    }
    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
        drop(message.ack_with(AckKind::Nak(None)).await);
    }
}
