//! Pulls a consumer's messages, and can stop without leaving one on its way to nobody.
//!
//! Rejected: the client's own stream of messages. It hides its subscription, so a stop can only drop it:
//! what the server has sent by then waits for the ack deadline, and so does what was given back and came
//! straight back here. Nor does it stop asking while it is read to its end. Rejected as well:
//! `Subscriber::drain` (async-nats 0.51 forgets the subscription as soon as anything at all arrives,
//! not when the server has confirmed), and requests that expire within a second (every stop would take
//! that second).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{self, Message};
use async_nats::{Client, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};

/// How long the server keeps a request.
const EXPIRES: Duration = Duration::from_secs(10);
/// How often it says that it still does.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Two heartbeats missed: nobody has our request.
const SILENCE: Duration = Duration::from_secs(6);
/// How often it is looked whether the connection is still the one that carried our requests.
const LOOK: Duration = Duration::from_millis(250);
/// How long a stop waits for the server.
const CLOSING: Duration = Duration::from_secs(1);
/// Of what may arrive besides messages: heartbeats, and the ends of requests.
const STATUSES: usize = 16;

/// Why no message comes any more, until [`Pull::renew`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    /// Requests do not outlive their connection.
    #[error("connected anew")]
    Reconnected,
    /// Neither a message nor a heartbeat.
    #[error("no heartbeat")]
    Silent,
    /// The server refuses the request: its consumer is gone, for example.
    #[error("{0}")]
    Refused(String),
    /// The client could not ask.
    #[error("not asked: {0}")]
    Client(String),
}

/// A consumer's messages, a batch asked for ahead.
pub(super) struct Pull {
    consumer: Consumer<pull::Config>,
    jetstream: jetstream::Context,
    client: Client,
    batch: usize,
    /// Arrived on a subscription that was replaced.
    kept: VecDeque<Message>,
    line: Line,
}

/// One subscription, and what was asked for on it.
struct Line {
    inbox: Subject,
    subscriber: Subscriber,
    /// Messages that are still to come.
    asked: usize,
    /// Whatever has come, as the server counts it.
    read: u64,
    /// The number of the connection.
    connection: u64,
}

impl Line {
    async fn open(client: &Client) -> Result<Self, Interrupted> {
        // Before the subscription, so that a change in between is seen.
        let connection = connection(client);
        let inbox = Subject::from(client.new_inbox());
        let subscriber = client.subscribe(inbox.clone()).await.map_err(refused)?;
        Ok(Self {
            inbox,
            subscriber,
            asked: 0,
            read: 0,
            connection,
        })
    }
}

fn connection(client: &Client) -> u64 {
    let statistics = client.statistics();
    statistics
        .connects
        .load(std::sync::atomic::Ordering::Relaxed)
}

fn refused(error: impl std::fmt::Display) -> Interrupted {
    Interrupted::Client(error.to_string())
}

impl Pull {
    /// Asks for `batch` messages at once.
    pub(super) async fn open(
        client: &Client,
        jetstream: &jetstream::Context,
        consumer: Consumer<pull::Config>,
        batch: usize,
    ) -> Result<Self, Interrupted> {
        Ok(Self {
            consumer,
            jetstream: jetstream.clone(),
            client: client.clone(),
            batch: batch.max(1),
            kept: VecDeque::new(),
            line: Line::open(client).await?,
        })
    }

    pub(super) fn consumer(&self) -> &Consumer<pull::Config> {
        &self.consumer
    }

    /// Begins anew after an interruption; what has arrived is kept.
    pub(super) async fn renew(&mut self) -> Result<(), Interrupted> {
        let line = Line::open(&self.client).await?;
        let mut before = std::mem::replace(&mut self.line, line);
        while let Some(Some(message)) = before.subscriber.next().now_or_never() {
            if is_delivery(&message) {
                self.kept.push_back(self.message(message));
            }
        }
        Ok(())
    }

    /// The next message. Nothing is lost when the future is dropped before its end.
    pub(super) async fn next(&mut self) -> Result<Message, Interrupted> {
        if let Some(message) = self.kept.pop_front() {
            return Ok(message);
        }
        let mut heard = Instant::now();
        loop {
            if self.line.asked <= self.batch / 2 {
                // Counted first: a stop in between may expect too much, never too little.
                self.line.asked += self.batch;
                let asking = self
                    .consumer
                    .request_batch(self.request(), self.line.inbox.clone());
                asking.await.map_err(refused)?;
            }
            match tokio::time::timeout(LOOK, self.line.subscriber.next()).await {
                Ok(Some(message)) => {
                    heard = Instant::now();
                    self.line.read += 1;
                    if is_delivery(&message) {
                        self.line.asked = self.line.asked.saturating_sub(1);
                        return Ok(self.message(message));
                    }
                    self.line.asked = left(self.line.asked, &message)?;
                }
                Ok(None) => return Err(Interrupted::Client("the subscription ended".to_owned())),
                Err(_) if connection(&self.client) != self.line.connection => {
                    return Err(Interrupted::Reconnected);
                }
                // Nobody is there to speak; the new connection will show.
                Err(_) if self.client.connection_state() != State::Connected => {
                    heard = Instant::now();
                }
                Err(_) if heard.elapsed() > SILENCE => return Err(Interrupted::Silent),
                Err(_) => {}
            }
        }
    }

    /// Stops for good; says which messages had already been sent to us, so that they can be given back.
    ///
    /// Server and client end the subscription at the same message, counted from its beginning. That
    /// many are made to come by marks of our own, so nothing is on its way afterwards. (In a cluster the
    /// other servers hear of it a moment later: what one of them sends in that moment waits for the
    /// deadline.)
    pub(super) async fn close(mut self) -> Vec<Message> {
        let mut arrived: Vec<async_nats::Message> = Vec::new();
        let marks = self.line.asked + STATUSES;
        let last = self.line.read + u64::try_from(marks).unwrap_or(u64::MAX / 2);
        let (client, line) = (&self.client, &mut self.line);
        let ending = async {
            line.subscriber.unsubscribe_after(last).await?;
            for _ in 0..marks {
                client.publish(line.inbox.clone(), Bytes::new()).await?;
            }
            while let Some(message) = line.subscriber.next().await {
                arrived.push(message);
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(CLOSING, ending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "messages may be on their way to us"),
            Err(_) => tracing::debug!("messages may be on their way to us: no answer"),
        }
        let mut all: Vec<Message> = std::mem::take(&mut self.kept).into();
        let arrived = arrived.into_iter().filter(is_delivery);
        all.extend(arrived.map(|message| self.message(message)));
        all
    }

    fn request(&self) -> pull::BatchConfig {
        pull::BatchConfig {
            batch: self.batch,
            expires: Some(EXPIRES),
            idle_heartbeat: HEARTBEAT,
            ..pull::BatchConfig::default()
        }
    }

    fn message(&self, message: async_nats::Message) -> Message {
        Message {
            message,
            context: self.jetstream.clone(),
        }
    }
}

/// A message of the stream says where it is acknowledged; statuses and our marks do not.
fn is_delivery(message: &async_nats::Message) -> bool {
    message.status.is_none_or(|status| status == StatusCode::OK) && message.reply.is_some()
}

/// What is still to come of `asked` messages after a status.
fn left(asked: usize, status: &async_nats::Message) -> Result<usize, Interrupted> {
    match status.status {
        None | Some(StatusCode::OK | StatusCode::IDLE_HEARTBEAT) => return Ok(asked),
        _ => {}
    }
    // The end of a request says how much of it is left; a refusal does not.
    let headers = status.headers.as_ref();
    let unsent = headers
        .and_then(|headers| headers.get("Nats-Pending-Messages"))
        .and_then(|unsent| unsent.as_str().parse::<usize>().ok());
    let gone = status.description.as_deref() == Some("Consumer Deleted");
    match unsent {
        Some(unsent) if !gone => Ok(asked.saturating_sub(unsent)),
        _ => Err(Interrupted::Refused(format!(
            "{}: {}",
            status.status.unwrap_or(StatusCode::OK),
            status.description.as_deref().unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, description: &str, unsent: Option<&str>) -> async_nats::Message {
        let headers = unsent.map(|unsent| {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Pending-Messages", unsent);
            headers
        });
        async_nats::Message {
            subject: "_INBOX.1".into(),
            reply: None,
            payload: Bytes::new(),
            headers,
            status: Some(StatusCode::from_u16(code).unwrap()),
            description: Some(description.to_owned()),
            length: 0,
        }
    }

    #[test]
    fn what_a_status_leaves_to_come() {
        for (code, description, unsent, expected) in [
            (100, "Idle Heartbeat", None, Some(12)),
            (408, "Request Timeout", Some("8"), Some(4)),
            (408, "Request Timeout", Some("20"), Some(0)),
            (409, "Leadership Change", Some("12"), Some(0)),
            (409, "Consumer Deleted", Some("8"), None),
            (409, "Exceeded MaxRequestBatch of 5", None, None),
            (503, "No Responders", None, None),
        ] {
            let found = left(12, &status(code, description, unsent));
            assert_eq!(found.ok(), expected, "{description}");
            assert!(!is_delivery(&status(code, description, unsent)));
        }
    }
}
