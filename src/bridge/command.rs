//! A request becomes an event; its answer comes back on an inbox.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishError;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::request::About;
use super::{ApiError, Bridge};
use crate::domain::EventId;
use crate::events::{Event, Received};
use crate::ops::trace;

/// How long whoever commands waits for the outcome (`http-api.md` §12.18).
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Everybody who waits at this bridge. One subscription for all: a subscription per request would
/// cost two round trips each.
#[derive(Clone)]
pub struct Waiting {
    inbox: String,
    next: Arc<AtomicU64>,
    slots: Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>,
}

/// What a consumer answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Waiting {
    /// Listens on an inbox of its own until the connection ends.
    pub async fn listen(client: &async_nats::Client) -> Result<Self, async_nats::SubscribeError> {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(format!("{inbox}.*")).await?;
        let waiting = Self {
            inbox,
            next: Arc::default(),
            slots: Arc::default(),
        };
        let slots = waiting.slots.clone();
        tokio::spawn(async move {
            while let Some(message) = answers.next().await {
                let slot = message
                    .subject
                    .rsplit('.')
                    .next()
                    .and_then(|n| n.parse().ok());
                let waiter = slot.and_then(|n: u64| take(&slots, n));
                let Some(waiter) = waiter else { continue };
                let status = message
                    .headers
                    .as_ref()
                    .and_then(|h| h.get("Status"))
                    .and_then(|s| s.as_str().parse().ok());
                let body = serde_json::from_slice(&message.payload).unwrap_or(Value::Null);
                // The request may have gone away meanwhile.
                drop(waiter.send(Answer {
                    status: status.unwrap_or(200),
                    body,
                }));
            }
        });
        Ok(waiting)
    }

    fn open(&self) -> Slot {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.slots).insert(number, sender);
        Slot {
            subject: format!("{}.{number}", self.inbox),
            number,
            receiver,
            slots: self.slots.clone(),
        }
    }
}

fn lock(
    slots: &Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
    // A panic elsewhere cannot leave a map of senders half changed.
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(
    slots: &Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    number: u64,
) -> Option<oneshot::Sender<Answer>> {
    lock(slots).remove(&number)
}

/// One who waits. Leaves the list when dropped.
struct Slot {
    subject: String,
    number: u64,
    receiver: oneshot::Receiver<Answer>,
    slots: Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        take(&self.slots, self.number);
    }
}

/// A command under way.
pub(super) struct Command {
    /// Its event: what the database knows it by.
    pub event: EventId,
    slot: Slot,
    published: tokio::task::JoinHandle<Result<(), NotTaken>>,
}

/// A consumer's answer as an HTTP response.
pub(super) fn render(status: u16, body: Value) -> Result<Response, ApiError> {
    if status >= 400 {
        return Err(ApiError::ready(status, body));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Ok((status, Json(body)).into_response())
}

impl Bridge {
    /// What a decoder may know of a request without a key.
    pub(super) fn received(&self) -> Received<'static> {
        Received {
            at: self.clock.now(),
            idempotency_key: None,
        }
    }

    /// Publishes a command and waits for its outcome.
    pub(super) async fn outcome<E: Event>(
        &self,
        body: &E,
        about: &About,
    ) -> Result<(u16, Value), ApiError> {
        let mut sent = self.send(body, about, &[])?;
        match sent.answer(PATIENCE).await? {
            Some(answer) => Ok((answer.status, answer.body)),
            None => Err(ApiError::too_slow()),
        }
    }

    /// Publishes a command. `extra` headers say how it wants to be treated.
    ///
    /// What the stage could not read is refused here: what one of us wrote and this one cannot read is
    /// taken for a newer version's, and would be tried for minutes before anybody looked at it.
    pub(super) fn send<E: Event>(
        &self,
        body: &E,
        about: &About,
        extra: &[(&'static str, &str)],
    ) -> Result<Command, ApiError> {
        let event = EventId(uuid::Uuid::now_v7());
        let slot = self.waiting.open();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", &event.to_string()),
            ("ce-type", E::SUBJECT),
            ("ce-source", "orchestrator/bridge"),
            ("ce-time", &crate::engine::answers::stamp(self.clock.now())),
            ("ce-correlationid", &about.correlation_id),
            ("Reply-Subject", &slot.subject),
            // A fresh id per request: recognising a text we have is intake's business, so that
            // each of twenty parallel duplicates gets its answer.
            ("Nats-Msg-Id", &event.to_string()),
        ] {
            headers.insert(name, value);
        }
        for (name, value) in extra {
            headers.insert(*name, *value);
        }
        if let Some(traceparent) = trace::current() {
            headers.insert("traceparent", traceparent.as_str());
        }
        let body = serde_json::to_vec(body)
            .map_err(|_| ApiError::unavailable("The request could not be written", json!({})))?;
        E::decode(&body, self.received())?;
        let subject = self.publisher.names.subject(E::SUBJECT);
        let jetstream = self.publisher.jetstream.clone();
        let published = tokio::spawn(async move {
            let sent = jetstream
                .publish_with_headers(subject, headers, Bytes::from(body))
                .await;
            let ack = sent.map_err(|error| NotTaken::of(&error))?;
            ack.await.map(|_| ()).map_err(|error| NotTaken::of(&error))
        });
        Ok(Command {
            event,
            slot,
            published,
        })
    }
}

impl Command {
    /// Waits for the answer, at most `patience`. `Ok(None)`: the time is over. The stream's own
    /// acknowledgement is not enough for an answer, but its refusal is.
    pub(super) async fn answer(&mut self, patience: Duration) -> Result<Option<Answer>, ApiError> {
        let deadline = tokio::time::Instant::now() + patience;
        if !self.published.is_finished() {
            tokio::select! {
                biased;
                answer = &mut self.slot.receiver => return Ok(answer.ok()),
                published = &mut self.published => refused(published)?,
                () = tokio::time::sleep_until(deadline) => return Ok(None),
            }
        }
        Ok(tokio::time::timeout_at(deadline, &mut self.slot.receiver)
            .await
            .ok()
            .and_then(Result::ok))
    }
}

/// The stream has not acknowledged a command.
#[derive(Debug)]
enum NotTaken {
    /// It said no: it is full, most likely. Nothing was stored.
    Refused(String),
    /// It said nothing; what the client has buffered may still arrive.
    Unclear(String),
}

impl NotTaken {
    fn of(error: &PublishError) -> Self {
        let said = std::error::Error::source(error);
        match said.and_then(|said| said.downcast_ref::<async_nats::jetstream::Error>()) {
            Some(said) => Self::Refused(said.to_string()),
            None => Self::Unclear(error.to_string()),
        }
    }
}

fn refused(
    published: Result<Result<(), NotTaken>, tokio::task::JoinError>,
) -> Result<(), ApiError> {
    match published {
        Ok(Ok(())) => Ok(()),
        Ok(Err(NotTaken::Refused(error))) => {
            tracing::warn!(error, "the stream refused a command");
            Err(ApiError::unavailable(
                "The message stream is full; nothing was stored",
                json!({ "may_still_be_processed": false }),
            ))
        }
        Ok(Err(NotTaken::Unclear(error))) => {
            tracing::warn!(error, "the stream did not take a command");
            Err(ApiError::unavailable(
                "The message stream does not take requests",
                json!({ "may_still_be_processed": true }),
            ))
        }
        Err(_) => Err(ApiError::unavailable(
            "The request was interrupted",
            json!({}),
        )),
    }
}
