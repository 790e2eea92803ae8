//! In front of the agent: its webhook, public, with a memory.
//!
//! The text is noted before the agent is asked, so that a crash between the agent's 200 and our
//! own commit loses nothing: what is noted and never confirmed is looked up in the agent's history
//! (`drain`). What the provider is told is what the agent said, with one exception, at [`keep`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::Relay;
use super::event::{self, Relayed};
use super::form::{self, NotAText};
use crate::neighbours::sms_agent::{NoAnswer, Posted, Said};
use crate::store::relay_queue::{self, QueuedText};

/// Many times what the provider posts.
const LARGEST_FORM: usize = 64 * 1024;
/// How long a form may take to arrive.
const FORM_PATIENCE: Duration = Duration::from_secs(10);
/// How long our own database may keep the provider waiting, before and after the agent each.
const QUEUE_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Door {
    relay: Arc<Relay>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// The configured paths; everything else the agent offers stays private.
pub(super) fn router(relay: Arc<Relay>, tasks: TaskTracker) -> Router {
    let mut routes = Router::new();
    for path in &relay.settings.sms_paths {
        routes = routes.route(path, post(inbound));
    }
    for path in &relay.settings.pass_paths {
        routes = routes.route(path, post(passed));
    }
    let slots = Arc::new(Semaphore::new(relay.settings.parallel));
    routes.with_state(Door {
        relay,
        slots,
        tasks,
    })
}

async fn inbound(State(door): State<Door>, request: Request) -> Response {
    under_way(door, request, |relay, posted| async move {
        text(&relay, posted).await
    })
    .await
}

async fn passed(State(door): State<Door>, request: Request) -> Response {
    under_way(door, request, |relay, posted| async move {
        match relay
            .agent
            .pass_on(posted, relay.settings.agent_timeout)
            .await
        {
            Ok(said) => respond(said),
            Err(error) => unanswered(&error),
        }
    })
    .await
}

/// Reads the request and works on it in a task of its own: a provider that hangs up must not end
/// what has begun.
async fn under_way<F>(
    door: Door,
    request: Request,
    work: impl FnOnce(Arc<Relay>, Posted) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let Ok(slot) = door.slots.clone().try_acquire_owned() else {
        door.relay.count("busy");
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
        )
            .into_response();
    };
    let posted = match read(request).await {
        Ok(posted) => posted,
        Err(status) => return status.into_response(),
    };
    let relay = door.relay.clone();
    let done = door.tasks.spawn(async move {
        let response = work(relay, posted).await;
        drop(slot);
        response
    });
    done.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn read(request: Request) -> Result<Posted, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(FORM_PATIENCE, to_bytes(body, LARGEST_FORM))
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let target = parts.uri.path_and_query().map_or("/", |t| t.as_str());
    Ok(Posted {
        target: target.to_owned(),
        headers: parts.headers,
        body,
    })
}

/// One inbound text: noted, handed to the agent, kept.
async fn text(relay: &Relay, posted: Posted) -> Response {
    let now = relay.clock.now();
    let text = form::read(&posted.body, now);
    let noted = match &text {
        Ok(text) => in_time(relay_queue::note(&relay.db, text, relay.clear_by(now))).await,
        Err(_) => None,
    };
    let said = relay
        .agent
        .pass_on(posted, relay.settings.agent_timeout)
        .await;
    let refused = match &said {
        Ok(said) => said.status.is_client_error(),
        Err(error) => matches!(error, NoAnswer::NotReached(_)),
    };
    match (text, said) {
        (Ok(text), Ok(said)) if said.status.is_success() => keep(relay, &text, said).await,
        (Ok(text), said) => {
            // Only our own note: the same id may be under way in another request.
            if refused && noted == Some(true) {
                in_time(relay_queue::forget(&relay.db, &text.sid)).await;
            }
            relay.count(if refused { "not_accepted" } else { "unclear" });
            answer(said)
        }
        (Err(why), said) => {
            if matches!(&said, Ok(said) if said.status.is_success()) {
                relay.count("not_a_text");
                note_oddity(why);
            }
            answer(said)
        }
    }
}

/// The agent has it; now we must. The queue or, when it cannot be written, the stream: either
/// outlives us. When neither takes it, the provider is told to come again although the agent was
/// content: the agent drops the repetition by its `MessageSid`, and so do we. (A note from before
/// would do only if the agent really has the text, which its 200 does not prove.)
async fn keep(relay: &Relay, text: &QueuedText, said: Said) -> Response {
    let queued = in_time(relay_queue::confirm(&relay.db, text))
        .await
        .is_some();
    if queued {
        relay.arrived.notify_one();
    }
    if queued || straight_to_the_stream(relay, text).await {
        relay.count("accepted");
        return respond(said);
    }
    relay.count("not_kept");
    tracing::error!(
        sid = text.sid,
        "neither database nor stream took a text; the provider is asked to post it again"
    );
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "5")],
    )
        .into_response()
}

async fn straight_to_the_stream(relay: &Relay, text: &QueuedText) -> bool {
    let now = relay.clock.now();
    let relayed = Relayed {
        sid: &text.sid,
        phone: &text.sender,
        conversation: None,
        tenant_id: None,
        content: &text.content,
        num_media: Some(text.num_media),
        stored_by_agent: None,
        at: Some(text.received_at),
    };
    let Ok(sms) = relayed.event(now) else {
        return false;
    };
    match event::publish(&relay.publisher, &text.sid, &sms, now).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(sid = text.sid, %error, "not published");
            false
        }
    }
}

/// What the database said, if it said something in time. Failures are logged here, because every
/// caller has another way out.
async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Option<T> {
    match tokio::time::timeout(QUEUE_PATIENCE, asked).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the relay's queue could not be written");
            None
        }
        Err(_) => {
            tracing::warn!("the relay's queue could not be written in time");
            None
        }
    }
}

fn note_oddity(why: NotAText) {
    tracing::warn!(%why, "the agent accepted a form that is no text; nothing is published");
}

fn answer(said: Result<Said, NoAnswer>) -> Response {
    match said {
        Ok(said) => respond(said),
        Err(error) => unanswered(&error),
    }
}

fn respond(said: Said) -> Response {
    let mut response = Response::new(Body::from(said.body));
    *response.status_mut() = said.status;
    *response.headers_mut() = said.headers;
    response
}

fn unanswered(error: &NoAnswer) -> Response {
    tracing::warn!(%error, "the agent did not answer a webhook");
    let status = match error {
        NoAnswer::NotReached(_) => StatusCode::BAD_GATEWAY,
        NoAnswer::Unclear(_) => StatusCode::GATEWAY_TIMEOUT,
    };
    (status, Bytes::new()).into_response()
}
