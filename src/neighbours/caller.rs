//! What every call to a neighbour shares.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::Instrument as _;

use super::NeighbourState;
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

/// A neighbour's HTTP client.
#[derive(Clone)]
pub struct Caller {
    client: reqwest::Client,
    address: Address,
    neighbour: Neighbour,
    retry: RetrySettings,
    metrics: Arc<Metrics>,
    state: Arc<NeighbourState>,
}

impl Caller {
    /// Connections are kept alive and shared; `read` limits one whole answer.
    pub fn new(
        neighbour: Neighbour,
        address: Address,
        read: Duration,
        retry: RetrySettings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, reqwest::Error> {
        let client = client_builder().timeout(read).build()?;
        Ok(Self {
            client,
            address,
            neighbour,
            retry,
            metrics,
            state: Arc::default(),
        })
    }

    /// What its calls say about the neighbour.
    pub fn state(&self) -> &NeighbourState {
        &self.state
    }

    /// A request with what every request carries.
    pub fn request(&self, method: Method, path: &str, correlation_id: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.address.base);
        let request = self
            .client
            .request(method, url)
            .header("X-Correlation-ID", correlation_id)
            // The SMS Agent logs this one (recorded).
            .header("X-Request-ID", correlation_id);
        let request = match trace::current() {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        };
        match &self.address.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// A request with nothing of ours but the token: somebody else's, handed on.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.address.base));
        match &self.address.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Reads JSON, repeating what may work a moment later.
    pub async fn get(&self, path: &str, correlation_id: &str) -> Result<Value, CallError> {
        let once = || {
            let call = self.get_once(path, correlation_id);
            call.instrument(self.call("read"))
        };
        once.retry(
            ExponentialBuilder::default()
                .with_min_delay(self.retry.base)
                .with_max_delay(self.retry.base * 8)
                .with_max_times(self.retry.times)
                .with_jitter(),
        )
        .when(CallError::is_transient)
        .adjust(|error, pause| match error {
            // What the neighbour asks for, unless it is longer than anybody here waits.
            CallError::Transient {
                retry_after: Some(wanted),
                ..
            } => pause.map(|pause| pause.max((*wanted).min(Duration::from_secs(10)))),
            _ => pause,
        })
        .await
    }

    async fn get_once(&self, path: &str, correlation_id: &str) -> Result<Value, CallError> {
        let answer = self.request(Method::GET, path, correlation_id).send().await;
        let result = self.read(answer).await;
        self.count(match &result {
            Ok(_) => "ok",
            Err(CallError::Transient { .. }) => "transient",
            Err(CallError::Permanent { status: 404, .. }) => "not_found",
            Err(CallError::Permanent { .. }) => "permanent",
        });
        if let Err(CallError::Transient { detail, .. }) = &result {
            self.state.failed(detail);
        }
        result
    }

    async fn read(
        &self,
        answer: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<Value, CallError> {
        let answer = answer.map_err(|error| self.transient(describe(&error), None))?;
        let status = answer.status();
        let retry_after = retry_after(&answer);
        let body = answer
            .bytes()
            .await
            .map_err(|error| self.transient(describe(&error), None))?;
        let json = serde_json::from_slice(&body);
        if status.is_success() {
            return json.map_err(|_| self.transient("answered without JSON".to_owned(), None));
        }
        let detail = format!("answered {}", status.as_u16());
        if is_transient(status) {
            return Err(self.transient(detail, retry_after));
        }
        Err(CallError::Permanent {
            neighbour: self.neighbour,
            detail,
            status: status.as_u16(),
            body: json.unwrap_or(Value::Null),
        })
    }

    fn transient(&self, detail: String, retry_after: Option<Duration>) -> CallError {
        CallError::Transient {
            neighbour: self.neighbour,
            detail,
            retry_after,
        }
    }

    /// The span of one call. Without the path, which may hold a phone number.
    pub fn call(&self, what: &'static str) -> tracing::Span {
        part!(
            what,
            otel.kind = "client",
            peer.service = self.neighbour.as_str()
        )
    }

    /// Counts a call's outcome.
    pub fn count(&self, outcome: &str) {
        match outcome {
            "transient" | "unclear" => self.state.failed(outcome),
            _ => self.state.answered(),
        }
        self.metrics
            .upstream_requests
            .with_label_values(&[self.neighbour.as_str(), outcome])
            .inc();
    }

    /// Whether anything below 500 answers at `path` within two seconds: all that a neighbour's
    /// health can tell (`upstreams.md` §1.6, §2.3, §3.3).
    pub async fn is_reachable(&self, path: &str) -> bool {
        let probe = self
            .request(Method::GET, path, "health")
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        probe.is_ok_and(|answer| answer.status().as_u16() < 500)
    }
}

/// A client with the limits every neighbour has.
pub fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

/// 408, 425, 429 and everything from 500 up may work a moment later.
pub fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..)
}

/// Seconds from `Retry-After`; the date form is not used by any neighbour.
pub fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let text = answer
        .headers()
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
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
