//! Pulls a stage's messages and hands each to a task of its own (`work`).

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{AckKind, Message};
use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Clock;
use super::committer::Committer;
use super::in_work::InWork;
use super::publisher::Publisher;
use super::pull::Pull;
use super::stage::{Io, Stage};
use super::sweep::{self, SweepSettings};
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
    /// What the stream has lost.
    pub sweep: SweepSettings,
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

/// Messages in hand for each one in work: enough that none waits for the next fetch, and no more. What
/// one replica holds another cannot take, and what waits here waits in memory.
const IN_HAND: usize = 2;

/// Runs a stage until told to stop.
pub async fn run<S: Stage>(engine: Arc<Engine>, stage: Arc<S>, stream: Stream) {
    let concurrency = stage.concurrency(engine.settings.concurrency).max(1);
    let slots = Arc::new(Semaphore::new(concurrency));
    let in_hand = Arc::new(Semaphore::new(IN_HAND * concurrency));
    let epoch = Arc::new(AtomicI32::new(0));
    while !engine.stop.is_cancelled() {
        let opened = tokio::select! {
            opened = open::<S>(&engine, stream, &epoch, concurrency) => opened,
            () = engine.stop.cancelled() => break,
        };
        match opened {
            Ok(opened) => {
                let stream_created = opened.stream_created;
                let deadline = opened.messages.consumer().cached_info().config.ack_wait;
                let progress_every = (deadline / 3).max(Duration::from_millis(100));
                // Another consumer's numbers are other messages'.
                let in_work = InWork::default();
                let pulling = CancellationToken::new();
                let each = |message: Message, place: OwnedSemaphorePermit| {
                    let work = Work {
                        engine: engine.clone(),
                        stage: stage.clone(),
                        slots: slots.clone(),
                        _place: place,
                        in_work: in_work.clone(),
                        pulled: pulling.clone(),
                        progress_every,
                        epoch: epoch.load(Ordering::Relaxed),
                        stream_created,
                    };
                    engine.tasks.spawn(work.take(message));
                };
                pump(&engine, S::NAME, opened, &in_hand, each).await;
                pulling.cancel();
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

/// A stage's messages, and where they come from.
struct Opened {
    messages: Pull,
    stream_created: DateTime<Utc>,
}

impl Opened {
    /// Whether the server says that it is another consumer now, or none: its volume was lost. A
    /// server that says nothing proves nothing.
    async fn is_gone(&self) -> bool {
        let consumer = self.messages.consumer();
        match consumer.get_info().await {
            Ok(info) => info.created != consumer.cached_info().created,
            Err(error) => matches!(
                error.kind(),
                ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound
            ),
        }
    }
}

/// Finds the consumer and the age of its stream.
async fn open<S: Stage>(
    engine: &Engine,
    stream: Stream,
    epoch: &AtomicI32,
    concurrency: usize,
) -> anyhow::Result<Opened> {
    let name = engine.publisher.names.stream(stream);
    let handle = engine.publisher.jetstream.get_stream(&name).await?;
    let stream_created = sweep::made(handle.cached_info(), &name)?;
    if stream == Stream::Inbound {
        epoch.store(
            engine
                .patience
                .within(epochs::of(&engine.io.db, &name, stream_created))
                .await?,
            Ordering::Relaxed,
        );
    }
    let consumer: Consumer<pull::Config> = handle
        .get_consumer(S::NAME)
        .await
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    let batch = concurrency.div_ceil(2).min(LARGEST_BATCH);
    let Publisher {
        client, jetstream, ..
    } = &engine.publisher;
    let messages = Pull::open(client, jetstream, consumer, batch).await?;
    Ok(Opened {
        messages,
        stream_created,
    })
}

/// The most messages asked for at once.
const LARGEST_BATCH: usize = 256;

/// Hands on messages until the consumer is another one or the service stops; then gives back what was
/// sent here and not begun, so that another replica has it at once instead of after the ack deadline.
async fn pump(
    engine: &Engine,
    stage: &'static str,
    mut opened: Opened,
    in_hand: &Arc<Semaphore>,
    mut each: impl FnMut(Message, OwnedSemaphorePermit),
) {
    let mut failures = 0;
    loop {
        let next = async {
            let place = in_hand.clone().acquire_owned().await.ok()?;
            Some((place, opened.messages.next().await))
        };
        let next = tokio::select! {
            biased;
            () = engine.stop.cancelled() => break,
            next = next => next,
        };
        match next {
            Some((place, Ok(message))) => {
                failures = 0;
                each(message, place);
            }
            // A missed heartbeat or a reconnect: asked again. When that does not help, the consumer is
            // looked up anew.
            Some((_, Err(error))) => {
                failures += 1;
                tracing::debug!(stage, %error, "pull interrupted");
                if failures > 3 || opened.is_gone().await {
                    break;
                }
                if failures > 1 {
                    pause(&engine.stop, Duration::from_millis(200)).await;
                }
                if let Err(error) = opened.messages.renew().await {
                    tracing::debug!(stage, %error, "no subscription");
                    break;
                }
            }
            None => break,
        }
    }
    for message in opened.messages.close().await {
        drop(message.ack_with(AckKind::Nak(None)).await);
    }
}
