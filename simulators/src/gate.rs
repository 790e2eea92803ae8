//! The way every request takes: faults, the neighbour's own answer, latency, the record.

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::control;
use crate::exchange::{Answer, Call};
use crate::faults::{Fault, Faults, Rule, Verdict, around};
use crate::line::{Line, Lines};
use crate::record::{Counters, Journal, Record};

const LARGEST_BODY: usize = 4 << 20;

/// A neighbour without its faults: a function. It must not block, and locks only briefly.
pub trait Simulated: Send + Sync + 'static {
    fn answer(&self, call: &Call) -> Answer;

    /// Its own part of the control API; `None` for an unknown path.
    fn control(&self, call: &Call, what: &str) -> Option<Answer>;

    /// Back to the state after the start.
    fn reset(&self);

    /// A request that failed before its effect left a trace all the same.
    fn leave_trace(&self, _call: &Call, _status: &str) {}
}

pub(crate) struct Gate<S> {
    pub service: S,
    pub faults: Faults,
    pub journal: Journal,
    pub latency: Latency,
    /// Connections that are still open get a reset.
    down: AtomicBool,
    random: Mutex<fastrand::Rng>,
}

#[derive(Default)]
pub(crate) struct Latency {
    mean_ms: AtomicU64,
    jitter_ms: AtomicU64,
}

impl Latency {
    pub fn set(&self, mean_ms: u64, jitter_ms: u64) {
        self.mean_ms.store(mean_ms, Ordering::Relaxed);
        self.jitter_ms.store(jitter_ms, Ordering::Relaxed);
    }

    fn draw(&self, random: &Mutex<fastrand::Rng>) -> Duration {
        let mean = self.mean_ms.load(Ordering::Relaxed);
        around(mean, self.jitter_ms.load(Ordering::Relaxed), random)
    }
}

enum Outcome {
    Answered(Answer),
    Dripping(Answer, Duration),
    Silence,
    Reset,
}

impl<S: Simulated> Gate<S> {
    pub fn new(service: S, seed: u64, record: bool) -> Self {
        Self {
            service,
            faults: Faults::default(),
            journal: Journal::new(record),
            latency: Latency::default(),
            down: AtomicBool::new(false),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    pub fn reset(&self) {
        self.faults.clear();
        self.latency.set(0, 0);
        self.journal.forget();
        self.service.reset();
    }

    async fn handle(self: Arc<Self>, line: Line, call: Call) -> Response<Body> {
        if self.down.load(Ordering::Relaxed) {
            line.reset();
            return respond(Answer::crash());
        }
        if call.path().starts_with("/_control/") {
            return respond(control::answer(&self, &call));
        }
        let Verdict {
            delay,
            late_effect,
            fault,
        } = self.faults.judge(&call, &self.random);
        let wait = delay + self.latency.draw(&self.random);
        let outcome = if late_effect {
            let gate = Arc::clone(&self);
            // A task of its own: hyper drops this future when the client leaves, and the
            // effect is to come all the same.
            let late = tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                gate.settle(call, fault)
            });
            late.await.unwrap_or(Outcome::Reset)
        } else {
            // Effect first, then the wait: a client that gives up early has not undone
            // anything, which is the case worth testing.
            let outcome = self.settle(call, fault);
            let pause = match &outcome {
                Outcome::Answered(answer) => answer.pause,
                _ => Duration::ZERO,
            };
            if wait + pause > Duration::ZERO {
                tokio::time::sleep(wait + pause).await;
            }
            outcome
        };
        match outcome {
            Outcome::Answered(answer) => {
                if answer.close {
                    line.close_after_answer();
                }
                respond(answer)
            }
            Outcome::Dripping(answer, over) => drip(answer, over),
            Outcome::Silence => std::future::pending().await,
            Outcome::Reset => {
                line.reset();
                respond(Answer::crash())
            }
        }
    }

    fn settle(&self, call: Call, fault: Option<Fault>) -> Outcome {
        let effect = fault.as_ref().is_none_or(Fault::takes_effect);
        let usual = effect.then(|| self.service.answer(&call));
        let outcome = match &fault {
            None => Outcome::Answered(usual.unwrap_or_else(Answer::crash)),
            Some(Fault::ProviderFailure { row: Some(row), .. }) if !effect => {
                self.service.leave_trace(&call, row);
                spoiled(&call, fault.as_ref(), usual)
            }
            some => spoiled(&call, some.as_ref(), usual),
        };
        let status = match &outcome {
            Outcome::Answered(answer) | Outcome::Dripping(answer, _) => {
                Some(answer.status.as_u16())
            }
            Outcome::Silence | Outcome::Reset => None,
        };
        self.journal.add(effect, fault.is_some(), |seq| Record {
            seq,
            at: chrono::Utc::now(),
            method: call.method.as_str().to_owned(),
            path: call
                .uri
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
            headers: call.headers,
            body: call.body,
            status,
            effect,
            fault: fault.as_ref().map(Fault::kind),
        });
        outcome
    }
}

fn spoiled(call: &Call, fault: Option<&Fault>, usual: Option<Answer>) -> Outcome {
    let usual = usual.unwrap_or_else(|| Answer::json(200, &json!({"success": true})));
    let answer = match fault {
        None | Some(Fault::Delay { .. }) => usual,
        Some(Fault::Hang { .. }) => return Outcome::Silence,
        Some(Fault::Reset { .. }) => return Outcome::Reset,
        Some(Fault::SlowBody { ms, .. }) => {
            return Outcome::Dripping(usual, Duration::from_millis(*ms));
        }
        Some(Fault::Crash { .. }) => Answer::crash(),
        Some(Fault::MalformedJson { .. }) => {
            let half = usual.body.len() / 2;
            Answer {
                body: usual.body.slice(..half),
                ..usual
            }
        }
        Some(Fault::WrongContentType { .. }) => Answer::bytes(
            usual.status.as_u16(),
            "text/html; charset=utf-8",
            Bytes::from_static(b"<!DOCTYPE html><html><body>Please stand by</body></html>"),
        ),
        Some(Fault::EmptyBody { .. }) => Answer {
            body: Bytes::new(),
            ..usual
        },
        Some(Fault::HugeBody { bytes, .. }) => Answer {
            body: format!("{{\"filler\": \"{}\"}}", "x".repeat(*bytes)).into(),
            ..usual
        },
        Some(Fault::WrongTypes { .. }) => {
            let usual_body = serde_json::from_slice(&usual.body).unwrap_or_default();
            Answer::json(usual.status.as_u16(), &of_other_types(usual_body))
        }
        Some(Fault::ErrorPage { status, .. }) => Answer::bytes(
            *status,
            "text/html; charset=utf-8",
            Bytes::from_static(b"<html><body><h1>Bad gateway</h1></body></html>"),
        ),
        Some(Fault::Redirect { .. }) => {
            let mut answer = Answer::text(307, "");
            let elsewhere = HeaderValue::from_static("/elsewhere");
            answer.headers.push((header::LOCATION, elsewhere));
            answer
        }
        Some(Fault::ProviderFailure {
            category,
            status_code,
            ..
        }) => {
            let status = match status_code {
                Some(code) if category == "permanent" => *code,
                _ => 502,
            };
            let correlation = call.header("x-correlation-id");
            Answer::json(
                status,
                &json!({"error": {
                    "code": "sms.external_failed",
                    "message": "external provider failure",
                    "details": {
                        "category": category, "status_code": status_code,
                        "correlation_id": correlation,
                    },
                    "request_id": call.header("x-request-id").map_or_else(
                        || uuid::Uuid::new_v4().to_string(), str::to_owned),
                }}),
            )
        }
        Some(Fault::Status {
            status,
            body,
            retry_after,
            ..
        }) => {
            let mut answer = match body {
                Some(Value::String(text)) => {
                    Answer::bytes(*status, "text/plain; charset=utf-8", text.clone().into())
                }
                Some(body) => Answer::json(*status, body),
                None => Answer::json(*status, &json!({"detail": "simulated fault"})),
            };
            answer.close = *status == 500;
            match retry_after {
                Some(seconds) => answer.retry_after(*seconds),
                None => answer,
            }
        }
    };
    Outcome::Answered(answer)
}

/// Keys stay; what was text is a list, what was a number or yes or no is an object.
fn of_other_types(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, of_other_types(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(of_other_types).collect(),
        Value::String(text) => json!([text]),
        other => json!({ "value": other }),
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    headers.extend(answer.headers);
    response
}

fn drip(answer: Answer, over: Duration) -> Response<Body> {
    const DROPS: usize = 8;
    let size = answer.body.len().div_ceil(DROPS).max(1);
    let drops = stream::unfold(answer.body.clone(), move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(over / DROPS as u32).await;
        let drop = left.split_to(size.min(left.len()));
        Some((Ok::<_, std::io::Error>(drop), left))
    });
    let mut response = respond(answer);
    *response.body_mut() = Body::from_stream(drops);
    response
}

/// A running neighbour; dereferences to what is special about it. Ends when dropped.
pub struct Neighbour<S: Simulated> {
    gate: Arc<Gate<S>>,
    address: SocketAddr,
    task: Mutex<JoinHandle<()>>,
}

impl<S: Simulated> Neighbour<S> {
    pub(crate) async fn start(gate: Gate<S>, host: IpAddr, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((host, port)).await?;
        let address = listener.local_addr()?;
        let gate = Arc::new(gate);
        let task = Mutex::new(listen(Arc::clone(&gate), listener));
        Ok(Self {
            gate,
            address,
            task,
        })
    }

    /// As if the process had died: new connections are refused, open ones are reset at their
    /// next request. What it knew is kept for `bring_up`.
    pub fn take_down(&self) {
        self.gate.down.store(true, Ordering::Relaxed);
        self.task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort();
    }

    /// Listens on the same port again.
    pub async fn bring_up(&self) -> std::io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(2);
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(error) if Instant::now() > deadline => return Err(error),
                // The aborted task lets go of the port only when it is polled again.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        self.gate.down.store(false, Ordering::Relaxed);
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) =
            listen(Arc::clone(&self.gate), listener);
        Ok(())
    }

    /// Base URL without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn add_fault(&self, rule: Rule) {
        self.gate.faults.add([rule]);
    }

    pub fn add_faults(&self, rules: impl IntoIterator<Item = Rule>) {
        self.gate.faults.add(rules);
    }

    pub fn clear_faults(&self) {
        self.gate.faults.clear();
    }

    /// Evenly spread over `mean ± jitter`, for every request.
    pub fn set_latency(&self, mean_ms: u64, jitter_ms: u64) {
        self.gate.latency.set(mean_ms, jitter_ms);
    }

    pub fn set_recording(&self, enabled: bool) {
        self.gate.journal.enable(enabled);
    }

    pub fn requests(&self) -> Vec<Record> {
        self.gate.journal.since(0)
    }

    pub fn requests_since(&self, seq: u64) -> Vec<Record> {
        self.gate.journal.since(seq)
    }

    pub fn counters(&self) -> &Counters {
        &self.gate.journal.counters
    }

    /// Forgets faults, latency, records and everything that was sent or set.
    pub fn reset(&self) {
        self.gate.reset();
    }
}

impl<S: Simulated> Deref for Neighbour<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.gate.service
    }
}

impl<S: Simulated> Drop for Neighbour<S> {
    fn drop(&mut self) {
        self.take_down();
    }
}

fn listen<S: Simulated>(gate: Arc<Gate<S>>, listener: TcpListener) -> JoinHandle<()> {
    let router = Router::new()
        .fallback(
            async |State(gate): State<Arc<Gate<S>>>,
                   ConnectInfo(line): ConnectInfo<Line>,
                   request: Request| {
                let (parts, body) = request.into_parts();
                match axum::body::to_bytes(body, LARGEST_BODY).await {
                    Ok(body) => {
                        let call = Call::new(parts.method, parts.uri, parts.headers, body);
                        gate.handle(line, call).await
                    }
                    Err(_) => respond(Answer::text(413, "too large")),
                }
            },
        )
        .with_state(gate);
    let service = router.into_make_service_with_connect_info::<Line>();
    tokio::spawn(async move {
        // `serve` ends with an error only in theory: our listener never fails.
        let _ = axum::serve(Lines(listener), service).await;
    })
}
