//! What every call to a neighbour shares: a place among those under way, the circuit, a connection
//! that is not known to be dead, limits of time and size, repeats, counting.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::breaker::Verdict;
use super::circuit::{Circuit, CircuitOpen};
use super::connections::{Connections, Timeouts, Unread, is_dead_connection, read_body};
use super::verdicts::{is_transient, judge_status, retry_after};
use crate::engine::Clock;
use crate::events::Neighbour;
use crate::ops::metrics::Metrics;
use crate::ops::trace::{self, part};

/// How a failed read is repeated while its message waits (`conflicts.md` C58).
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// `RETRY_BASE_MS`: the first pause, doubled each time; default 1000.
    pub base: Duration,
    /// `RETRY_TIMES`: repeats after the first try; default 3.
    pub times: usize,
}

impl RetrySettings {
    /// The pauses, with jitter: those who failed together must not come back together.
    pub fn pauses(self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.base)
            .with_max_delay(self.base * 8)
            .with_max_times(self.times)
            .with_jitter()
    }
}

/// The longest `Retry-After` that is waited for on a text's way; the tenant waits too.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where a neighbour is.
#[derive(Debug, Clone)]
pub struct Address {
    /// Without a trailing slash.
    pub base: String,
    /// `UPSTREAM_AUTH_TOKEN_<NAME>`.
    pub token: Option<SecretString>,
}

impl Address {
    /// Strips the trailing slash that would make `//path`.
    pub fn new(base: &str, token: Option<SecretString>) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            token,
        }
    }
}

/// Why a call gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// May work a moment later.
    #[error("{neighbour}: {detail}", neighbour = .neighbour.as_str())]
    Transient {
        /// Who.
        neighbour: Neighbour,
        /// What, without bodies.
        detail: String,
        /// What the neighbour asked for.
        retry_after: Option<Duration>,
    },
    /// Was not made: the neighbour has failed too often just now.
    #[error("{neighbour}: {open}", neighbour = .neighbour.as_str())]
    Open {
        /// Who.
        neighbour: Neighbour,
        /// Until when.
        open: CircuitOpen,
    },
    /// The same request can never succeed.
    #[error("{neighbour}: {detail}", neighbour = .neighbour.as_str())]
    Permanent {
        /// Who.
        neighbour: Neighbour,
        /// What, without bodies.
        detail: String,
        /// The answer's status.
        status: u16,
        /// The answer's body, for whoever knows how to read it; never logged.
        body: Value,
    },
}

impl CallError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}

/// Why there is no answer at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Not asked: the circuit is open.
    Open(CircuitOpen),
    /// Not asked: as many calls as are allowed are under way.
    Busy,
    /// Nothing was written to the wire.
    NotReached(String),
    /// The request may have had its effect.
    Broken(String),
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `None` when the body is not JSON.
    pub(super) json: Option<Value>,
    pub(super) retry_after: Option<Duration>,
}

/// What a caller is made of.
pub struct CallerParts {
    /// Who is called.
    pub neighbour: Neighbour,
    /// Where.
    pub address: Address,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// Calls under way at the same time, for all stages of the process together.
    pub parallel: usize,
    /// How reads are repeated.
    pub retry: RetrySettings,
    /// Whether it is called at all.
    pub circuit: Arc<Circuit>,
    /// The time, for `Retry-After`.
    pub clock: Clock,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// A neighbour's HTTP client.
pub struct Caller {
    parts: CallerParts,
    connections: Connections,
    slots: Semaphore,
}

impl Caller {
    /// Connections are kept alive and shared.
    pub fn new(parts: CallerParts) -> Result<Self, reqwest::Error> {
        Ok(Self {
            connections: Connections::new(parts.timeouts)?,
            slots: Semaphore::new(parts.parallel.clamp(1, Semaphore::MAX_PERMITS)),
            parts,
        })
    }

    /// A request with what every request carries.
    pub(super) fn request(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        correlation_id: &str,
    ) -> RequestBuilder {
        self.bare(client, method, path)
            .headers(trace::headers())
            .header("X-Correlation-ID", correlation_id)
            // The SMS Agent logs this one (recorded).
            .header("X-Request-ID", correlation_id)
    }

    fn bare(&self, client: &Client, method: Method, path: &str) -> RequestBuilder {
        let request = client.request(method, format!("{}{path}", self.parts.address.base));
        match &self.parts.address.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// A request with nothing of ours but the token: somebody else's, handed on, past the circuit
    /// and the limit, because refusing it would lose it.
    pub(super) fn handed_on(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(&self.connections.current().0, method, path)
    }

    /// Reads JSON, repeating what may work a moment later.
    pub async fn get(&self, path: &str, correlation_id: &str) -> Result<Value, CallError> {
        let once = || {
            let call = self.get_once(path, correlation_id);
            call.instrument(self.call("read"))
        };
        once.retry(self.parts.retry.pauses())
            .when(CallError::is_transient)
            .adjust(|error, pause| match error {
                CallError::Transient {
                    retry_after: Some(wanted),
                    ..
                } => pause.map(|pause| pause.max((*wanted).min(LONGEST_PAUSE))),
                _ => pause,
            })
            .await
    }

    async fn get_once(&self, path: &str, correlation_id: &str) -> Result<Value, CallError> {
        // A queue before the limit is no reason to be turned away: reads can wait.
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(self.transient("is being let go of".to_owned(), None));
        };
        let build = |client: &Client| self.request(client, Method::GET, path, correlation_id);
        let answer = self.exchange(build, reads).await;
        let result = self.read(answer);
        match &result {
            Ok(_) => self.count("ok"),
            // Counted by the circuit.
            Err(CallError::Open { .. }) => {}
            Err(CallError::Transient { .. }) => self.count("transient"),
            Err(CallError::Permanent { status: 404, .. }) => self.count("not_found"),
            Err(CallError::Permanent { .. }) => self.count("permanent"),
        }
        result
    }

    fn read(&self, answer: Result<Answer, Unanswered>) -> Result<Value, CallError> {
        let neighbour = self.parts.neighbour;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Unanswered::Open(open)) => return Err(CallError::Open { neighbour, open }),
            Err(Unanswered::Busy) => return Err(self.transient("is busy".to_owned(), None)),
            Err(Unanswered::NotReached(detail) | Unanswered::Broken(detail)) => {
                return Err(self.transient(detail, None));
            }
        };
        if answer.status.is_success() {
            let without = || self.transient("answered without JSON".to_owned(), None);
            return answer.json.ok_or_else(without);
        }
        let detail = format!("answered {}", answer.status.as_u16());
        if is_transient(answer.status) {
            return Err(self.transient(detail, answer.retry_after));
        }
        Err(CallError::Permanent {
            neighbour,
            detail,
            status: answer.status.as_u16(),
            body: answer.json.unwrap_or(Value::Null),
        })
    }

    pub(super) fn transient(&self, detail: String, retry_after: Option<Duration>) -> CallError {
        CallError::Transient {
            neighbour: self.parts.neighbour,
            detail,
            retry_after,
        }
    }

    /// Asks once, or not at all when as many calls as are allowed are under way: for whoever must
    /// act now or not act.
    pub(super) async fn ask_now(
        &self,
        build: impl FnOnce(&Client) -> RequestBuilder,
        judge: fn(&Answer) -> Verdict,
    ) -> Result<Answer, Unanswered> {
        let Ok(_slot) = self.slots.try_acquire() else {
            return Err(Unanswered::Busy);
        };
        self.exchange(build, judge).await
    }

    /// Asks once, when it is this call's turn.
    pub(super) async fn ask(
        &self,
        build: impl FnOnce(&Client) -> RequestBuilder,
        judge: fn(&Answer) -> Verdict,
    ) -> Result<Answer, Unanswered> {
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(Unanswered::Busy);
        };
        self.exchange(build, judge).await
    }

    /// The circuit is asked after the wait for a place: a queue must not pass one that has opened.
    async fn exchange(
        &self,
        build: impl FnOnce(&Client) -> RequestBuilder,
        judge: fn(&Answer) -> Verdict,
    ) -> Result<Answer, Unanswered> {
        let pass = self.parts.circuit.enter().map_err(Unanswered::Open)?;
        let (client, generation) = self.connections.current();
        let _under_way = self.under_way();
        let failed = |error: &reqwest::Error| {
            if is_dead_connection(error) {
                self.connections.renew(generation);
            }
            describe(error)
        };
        let answer = match build(&client).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let detail = failed(&error);
                pass.report(Verdict::Failed, Some(detail.clone()));
                return Err(match error.is_connect() || error.is_builder() {
                    true => Unanswered::NotReached(detail),
                    false => Unanswered::Broken(detail),
                });
            }
        };
        let status = answer.status();
        let retry_after = retry_after(&answer, self.parts.clock.now());
        let body = match read_body(answer).await {
            Ok(body) => body,
            Err(unread) => {
                let detail = match unread {
                    Unread::Broken(error) => failed(&error),
                    Unread::TooLarge => "answered with too large a body".to_owned(),
                };
                pass.report(Verdict::Failed, Some(detail.clone()));
                return Err(Unanswered::Broken(detail));
            }
        };
        let answer = Answer {
            status,
            json: serde_json::from_slice(&body).ok(),
            retry_after,
        };
        let verdict = judge(&answer);
        let what = match answer.status.is_success() {
            true => "answered without JSON".to_owned(),
            false => format!("answered {}", status.as_u16()),
        };
        pass.report(verdict, (verdict == Verdict::Failed).then_some(what));
        Ok(answer)
    }

    fn under_way(&self) -> impl Drop + use<> {
        let name = self.parts.circuit.name().as_str();
        let gauge = self
            .parts
            .metrics
            .upstream_under_way
            .with_label_values(&[name]);
        gauge.inc();
        Defer(Some(move || gauge.dec()))
    }

    /// The span of one call. Without the path, which may hold a phone number.
    pub(super) fn call(&self, what: &'static str) -> tracing::Span {
        let name = self.parts.circuit.name().as_str();
        part!(what, otel.kind = "client", peer.service = name)
    }

    /// Counts a call's outcome.
    pub(super) fn count(&self, outcome: &str) {
        self.parts
            .metrics
            .upstream_requests
            .with_label_values(&[self.parts.neighbour.as_str(), outcome])
            .inc();
    }

    /// The circuit, to be asked before something is begun.
    pub(super) fn circuit(&self) -> &Circuit {
        &self.parts.circuit
    }

    /// Whether anything below 500 answers at `path` within two seconds: all that a neighbour's
    /// health can tell (`upstreams.md` §1.6, §2.3, §3.3). Asked past the circuit, and without a word
    /// to it: a process that runs is not one that works.
    pub async fn is_reachable(&self, path: &str) -> bool {
        let (client, _) = self.connections.current();
        let probe = self
            .request(&client, Method::GET, path, "health")
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        probe.is_ok_and(|answer| answer.status().as_u16() < 500)
    }
}

struct Defer<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Defer<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// Of a read, or of anything whose good answer is JSON.
pub(super) fn reads(answer: &Answer) -> Verdict {
    match judge_status(answer.status) {
        Verdict::Healthy if answer.status.is_success() && answer.json.is_none() => Verdict::Failed,
        verdict => verdict,
    }
}

/// What went wrong, without the address, which may hold a phone number.
pub fn describe(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "cannot be connected to"
    } else if error.is_timeout() {
        "did not answer in time"
    } else if error.is_body() || error.is_decode() {
        "broke off its answer"
    } else {
        "closed the connection"
    };
    what.to_owned()
}

/// A path segment, percent-encoded: `+12025550143` becomes `%2B12025550143`.
pub fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests;
