//! `GET /orchestrate/events`: the story as it happens, as server-sent events.
//!
//! | query | meaning |
//! |---|---|
//! | `type` | comma-separated subjects, or beginnings of them: `reply.sent,approval.*`; all when left out |
//! | `conversation_id` | events of one conversation |
//! | `last_event_id` | as the header `Last-Event-ID`, for clients that cannot set it at first |
//!
//! An event's `event:` is its subject, its `data:` a CloudEvent in JSON, its `id:` a place in the
//! stream. Whoever comes back with the id gets everything since. When that is not possible, because
//! the stream has forgotten it or was made anew, an event `gap` says so, and the feed goes on.
//!
//! Each client has an ephemeral consumer of its own, which the server removes after half a minute
//! of silence; a client that does not read is let go and may come back with its id.

mod filter;
mod position;
mod reader;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use self::filter::Filter;
use self::position::After;
use self::reader::Reader;
use super::query::Query;
use super::schema::workflows::FeedQuery;
use super::{ApiError, Bridge};
use crate::config::Env;

/// Events that wait for a client to read them.
const BUFFER: usize = 64;
/// How long the message stream may take to say where it is.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);

/// How feeds are served.
#[derive(Debug, Clone)]
pub struct FeedSettings {
    /// `FEED_MAX_CLIENTS`: per process.
    pub clients: usize,
    /// `FEED_HEARTBEAT_SECONDS`: a sign of life while nothing happens.
    pub heartbeat: Duration,
    /// `FEED_SLOW_SECONDS`: how long a client may leave a full buffer unread.
    pub patience: Duration,
}

impl FeedSettings {
    /// Reads the feed's variables.
    pub fn read(env: &Env) -> Self {
        Self {
            clients: env.number("FEED_MAX_CLIENTS", 100),
            heartbeat: env
                .seconds("FEED_HEARTBEAT_SECONDS", 15.0)
                .max(Duration::from_millis(100)),
            patience: env.seconds("FEED_SLOW_SECONDS", 10.0),
        }
    }
}

/// What all feeds of a process share.
#[derive(Clone)]
pub struct Feeds {
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Feeds {
    /// Feeds end when the service does: a connection that stays open would hold up its stop.
    pub fn new(settings: &FeedSettings, stop: CancellationToken) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(settings.clients)),
            stop,
        }
    }
}

/// The story as it happens, as server-sent events.
///
/// An event's `event:` is its subject, its `data:` a CloudEvent, its `id:` a place to come back to with `Last-Event-ID`. An event `gap` says that something is missing.
#[utoipa::path(
    get, path = "/orchestrate/events", tag = "Texts",
    params(FeedQuery, ("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, description = "Events, until either side ends", body = String, content_type = "text/event-stream"))
)]
pub(super) async fn events(
    State(bridge): State<Bridge>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, ApiError> {
    let filter = Filter::read(&query);
    query.finish()?;
    let last_seen = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
        .or_else(|| query.text("last_event_id"));
    let Ok(slot) = bridge.feeds.slots.clone().try_acquire_owned() else {
        return Err(ApiError::unavailable(
            "Too many live feeds are open",
            json!({ "limit": bridge.settings.feed.clients }),
        ));
    };
    let (sender, mut receiver) = mpsc::channel(BUFFER);
    let reader = Reader {
        publisher: bridge.publisher.clone(),
        filter,
        sender,
        stop: bridge.feeds.stop.clone(),
        patience: bridge.settings.feed.patience,
        metrics: bridge.metrics.clone(),
        after: last_seen.map_or(After::Now, |id| After::read(&id)),
    };
    // Where a client begins is settled before it is told that it has begun.
    match tokio::time::timeout(STREAM_PATIENCE, reader.open()).await {
        Ok(Ok(opened)) => {
            tokio::spawn(async move {
                reader.run(opened).await;
                drop(slot);
            });
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a live feed could not be opened");
            return Err(unavailable());
        }
        Err(_) => return Err(unavailable()),
    }
    let events = futures::stream::poll_fn(move |context| {
        receiver
            .poll_recv(context)
            .map(|event| event.map(Ok::<Event, Infallible>))
    });
    let alive = KeepAlive::new().interval(bridge.settings.feed.heartbeat);
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // A proxy that collects answers would hold every event back.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// What a client asks for, and after what: for the fuzz target.
pub(super) fn read(query: &Query) {
    drop(Filter::read(query));
    drop(query.finish());
    drop(query.text("last_event_id").map(|id| After::read(&id)));
}

fn unavailable() -> ApiError {
    ApiError::unavailable("The message stream is not reachable", json!({}))
}
