//! Reads the story for one client and hands it over, for as long as both last.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use axum::response::sse::Event;
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::position::{After, Extent, Gap, Position, resume};
use crate::engine::publisher::Publisher;
use crate::events::Stream;
use crate::ops::metrics::Metrics;

/// When the server forgets a consumer that nobody reads from.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
/// Messages fetched ahead: what a client that does not read costs us.
const FETCHED_AHEAD: usize = 32;
/// Before the stream is looked for again.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads for one client.
pub(super) struct Reader {
    pub(super) publisher: Publisher,
    pub(super) filter: Filter,
    pub(super) sender: Sender<Event>,
    pub(super) stop: CancellationToken,
    pub(super) patience: Duration,
    pub(super) metrics: Arc<Metrics>,
    /// Moves on with every message, whether the client wanted it or not.
    pub(super) after: After,
}

/// A consumer that stands where the client wants to go on.
pub(super) struct Opened {
    consumer: Consumer<pull::Config>,
    messages: pull::Stream,
    at: Position,
    gap: Option<Gap>,
}

/// Why reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client has left.
    Left,
    /// The client does not read.
    Slow,
    /// We stop.
    Stopped,
    /// The stream or the consumer went away.
    Interrupted,
}

impl Reader {
    /// Finds the stream and makes a consumer at the right place.
    pub(super) async fn open(&self) -> Result<Opened, async_nats::Error> {
        let name = self.publisher.names.stream(Stream::Story);
        let mut stream = self.publisher.jetstream.get_stream(&name).await?;
        let extent = extent(stream.cached_info());
        let (at, gap) = resume(&self.after, extent);
        let subjects = self.filter.subjects.iter();
        let consumer = stream
            .create_consumer(pull::Config {
                description: Some("a live feed of events over HTTP; goes away by itself".into()),
                deliver_policy: DeliverPolicy::ByStartSequence {
                    start_sequence: at.sequence + 1,
                },
                ack_policy: AckPolicy::None,
                filter_subjects: subjects.map(|s| self.publisher.names.subject(s)).collect(),
                inactive_threshold: FORGOTTEN_AFTER,
                memory_storage: true,
                num_replicas: 1,
                ..pull::Config::default()
            })
            .await?;
        // Between the two questions the stream may have been made anew.
        if extent_of(&mut stream).await?.epoch != extent.epoch {
            return Err("the stream was made anew".into());
        }
        let messages = consumer
            .stream()
            .max_messages_per_batch(FETCHED_AHEAD)
            .expires(Duration::from_secs(20))
            .heartbeat(Duration::from_secs(5))
            .messages()
            .await?;
        Ok(Opened {
            consumer,
            messages,
            at,
            gap,
        })
    }

    /// Reads until the client leaves or the service stops; an outage of the stream is waited for.
    pub(super) async fn run(mut self, opened: Opened) {
        let open = self.metrics.feeds.with_label_values::<&str>(&[]);
        open.inc();
        let mut opened = Some(opened);
        let end = loop {
            let ready = match opened.take() {
                Some(ready) => Ok(ready),
                None => tokio::select! {
                    ready = self.open() => ready,
                    () = self.stop.cancelled() => break End::Stopped,
                    () = self.sender.closed() => break End::Left,
                },
            };
            match ready {
                Ok(ready) => {
                    let end = self.follow(ready).await;
                    if end != End::Interrupted {
                        break end;
                    }
                }
                Err(error) => tracing::debug!(%error, "a live feed waits for the stream"),
            }
            tokio::select! {
                () = self.stop.cancelled() => break End::Stopped,
                () = self.sender.closed() => break End::Left,
                () = tokio::time::sleep(PAUSE) => {}
            }
        };
        if end == End::Slow {
            tracing::info!("a live feed's client does not read; it may come back with its id");
        }
        open.dec();
    }

    /// Hands over what comes; afterwards the consumer is of no use to anybody.
    async fn follow(&mut self, opened: Opened) -> End {
        let name = opened.consumer.cached_info().name.clone();
        let end = self.pass_on(opened).await;
        let stream = self.publisher.names.stream(Stream::Story);
        let jetstream = self.publisher.jetstream.clone();
        tokio::spawn(async move {
            // Best effort: it goes away by itself.
            if let Ok(stream) = jetstream.get_stream_no_info(&stream).await {
                drop(stream.delete_consumer(&name).await);
            }
        });
        end
    }

    async fn pass_on(&mut self, opened: Opened) -> End {
        let Opened {
            mut messages,
            mut at,
            gap,
            ..
        } = opened;
        // The id alone, without data: a client notes it and is not called. Whoever loses the
        // connection before the first event comes back to this place.
        let begin = match gap {
            None => Event::default().id(at.to_string()),
            Some(gap) => gap_event(gap, &self.after, at),
        };
        self.after = After::Seen(at);
        if let Err(end) = self.hand_over(begin).await {
            return end;
        }
        let mut expected = 1;
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Stopped,
                () = self.sender.closed() => return End::Left,
                next = messages.next() => next,
            };
            let Some(Ok(message)) = next else {
                return End::Interrupted;
            };
            // Out of turn: a message was lost between the server and us.
            let place = message
                .info()
                .ok()
                .filter(|info| info.consumer_sequence == expected)
                .map(|info| info.stream_sequence);
            let Some(sequence) = place else {
                return End::Interrupted;
            };
            expected += 1;
            at.sequence = sequence;
            if let Some(event) = self.wanted(&message, at)
                && let Err(end) = self.hand_over(event).await
            {
                return end;
            }
            self.after = After::Seen(at);
        }
    }

    async fn hand_over(&self, event: Event) -> Result<(), End> {
        tokio::select! {
            sent = self.sender.send_timeout(event, self.patience) => match sent {
                Ok(()) => Ok(()),
                Err(SendTimeoutError::Timeout(_)) => Err(End::Slow),
                Err(SendTimeoutError::Closed(_)) => Err(End::Left),
            },
            () = self.stop.cancelled() => Err(End::Stopped),
        }
    }

    /// The message as the client gets it: a CloudEvent in its JSON form. What is in our own headers
    /// besides is nobody's business.
    fn wanted(&self, message: &Message, at: Position) -> Option<Event> {
        let mut event = Map::new();
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        for (name, values) in headers {
            if let Some(name) = AsRef::<str>::as_ref(name).strip_prefix("ce-")
                && let Some(value) = values.first()
            {
                event.insert(name.to_owned(), json!(value.as_str()));
            }
        }
        if let Some(conversation) = &self.filter.conversation
            && event.get("subject").and_then(Value::as_str) != Some(conversation.as_str())
        {
            return None;
        }
        let subject = self.publisher.names.plain(&message.subject);
        event.insert("type".to_owned(), json!(subject));
        event.insert("datacontenttype".to_owned(), json!("application/json"));
        let data = serde_json::from_slice(&message.payload)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&message.payload)));
        event.insert("data".to_owned(), data);
        let text = Value::Object(event).to_string();
        Some(
            Event::default()
                .id(at.to_string())
                .event(subject)
                .data(text),
        )
    }
}

fn gap_event(gap: Gap, after: &After, at: Position) -> Event {
    let seen = match after {
        After::Seen(position) => Some(position.to_string()),
        After::Now | After::Unreadable => None,
    };
    let body = json!({
        "reason": gap.as_str(),
        "after": seen,
        "resumed_after": at.to_string(),
        "message": "Events may be missing here; read the state anew",
    });
    Event::default()
        .id(at.to_string())
        .event("gap")
        .data(body.to_string())
}

fn extent(info: &async_nats::jetstream::stream::Info) -> Extent {
    Extent {
        epoch: i64::try_from(info.created.unix_timestamp_nanos() / 1000).unwrap_or_default(),
        first: info.state.first_sequence,
        last: info.state.last_sequence,
    }
}

async fn extent_of(
    stream: &mut async_nats::jetstream::stream::Stream,
) -> Result<Extent, async_nats::Error> {
    Ok(extent(stream.info().await?))
}
