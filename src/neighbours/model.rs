//! The model: any OpenAI-compatible server (`model-reply.md`), and optionally a second one for when
//! the first is down.

mod answer;
mod bill;
mod endpoint;
mod limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backon::BackoffBuilder as _;
use tokio::sync::Semaphore;

pub use answer::{Understood, Unusable, read_answer};
pub use bill::Bill;
pub use endpoint::{Asking, EndpointSettings};
pub use limits::Rates;

use super::caller::LONGEST_PAUSE;
use super::circuit::{Circuit, CircuitOpen};
use super::connections::Timeouts;
use super::limits::CallLimits;
use crate::domain::WorkflowId;
use crate::ops::metrics::Metrics;
use endpoint::Endpoint;

/// Which models, where, how.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// `OPENAI_MODEL` and its server; without a key nothing is drafted.
    pub first: Option<EndpointSettings>,
    /// `OPENAI_FALLBACK_MODEL`: asked when the first is down.
    pub second: Option<EndpointSettings>,
    /// How they are asked.
    pub asking: Asking,
    /// `RETRY_BASE_MS`, `RETRY_TIMES`: as for the other neighbours.
    pub retry: super::RetrySettings,
}

/// One turn of the conversation the model sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Policy, facts, format. Never a tenant's words.
    System(String),
    /// What we wrote.
    Assistant(String),
    /// What the tenant wrote, exactly as received.
    User(String),
}

impl Message {
    /// The chat format's word for who speaks.
    pub fn role(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::Assistant(_) => "assistant",
            Self::User(_) => "user",
        }
    }

    /// The words.
    pub fn text(&self) -> &str {
        match self {
            Self::System(text) | Self::Assistant(text) | Self::User(text) => text,
        }
    }
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The answer.
    pub understood: Understood,
    /// Which model answered.
    pub model: String,
}

/// What came of a question, with what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The last answer, or why there is none to be used.
    pub answer: Result<Completion, ModelError>,
    /// Of all answers, the unusable ones too.
    pub bill: Bill,
}

/// Why there is no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// May work later.
    #[error("openai: {detail}")]
    Transient {
        /// What, without bodies.
        detail: String,
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
    /// Was not asked: it has failed too often just now.
    #[error("openai: {0}")]
    Open(CircuitOpen),
    /// The same request can never succeed: key, quota, request.
    #[error("openai: {0}")]
    Permanent(String),
    /// It answered, and nothing of the answer may be used.
    #[error("openai: the answer is unusable: {0}")]
    Unusable(Unusable),
}

/// How long a model that failed is asked only second.
const SIDELINED: Duration = Duration::from_secs(30);

/// The circuits of both models.
#[derive(Clone)]
pub struct Circuits {
    /// The first one's.
    pub first: Arc<Circuit>,
    /// The second one's.
    pub second: Arc<Circuit>,
}

/// The client.
pub struct Model {
    first: Option<Endpoint>,
    second: Option<Endpoint>,
    /// Requests under way, for all stages of the process together.
    slots: Semaphore,
    retry: super::RetrySettings,
    metrics: Arc<Metrics>,
    began: Instant,
    /// Until when the second model is asked first, in milliseconds since `began`.
    sidelined_until: AtomicU64,
    /// Said once an outage, not once a text.
    said: AtomicBool,
}

impl Model {
    /// Opens no connection yet.
    pub fn new(
        settings: ModelSettings,
        limits: &CallLimits,
        circuits: Circuits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, reqwest::Error> {
        let timeouts = Timeouts {
            connect: limits.connect,
            // Silent until the whole answer is thought out.
            read: None,
            total: settings.asking.timeout,
        };
        let open = |endpoint: Option<EndpointSettings>, circuit| {
            endpoint
                .map(|e| Endpoint::new(e, settings.asking, timeouts, circuit))
                .transpose()
        };
        Ok(Self {
            first: open(settings.first, circuits.first)?,
            second: open(settings.second, circuits.second)?,
            slots: Semaphore::new(limits.model.parallel.clamp(1, Semaphore::MAX_PERMITS)),
            retry: settings.retry,
            metrics,
            began: Instant::now(),
            sidelined_until: AtomicU64::new(0),
            said: AtomicBool::new(false),
        })
    }

    /// Whether a key is configured.
    pub fn is_configured(&self) -> bool {
        self.first.is_some()
    }

    /// Whether a server lists its models, which costs nothing. An account without means answers that
    /// too: only a call can tell.
    pub async fn is_reachable(&self) -> bool {
        for endpoint in [&self.first, &self.second].into_iter().flatten() {
            if endpoint.is_reachable().await {
                return true;
            }
        }
        false
    }

    /// Asks for a reply. Transient faults are repeated like any neighbour's; an unusable answer is
    /// asked for once more, and then a person gets the text (`model-reply.md`). The tokens of all
    /// answers are the reply's.
    pub async fn complete(&self, messages: &[Message], workflow: WorkflowId) -> Answered {
        let mut bill = Bill::default();
        let answer = self.until_usable(messages, workflow, &mut bill).await;
        if let Some((prompt, completion)) = bill.tokens {
            #[expect(clippy::cast_precision_loss, reason = "a histogram counts in floats")]
            self.metrics
                .workflow_tokens
                .with_label_values(&[] as &[&str])
                .observe((prompt + completion) as f64);
        }
        if let Some(cost) = bill.cost_micro_usd {
            #[expect(clippy::cast_precision_loss, reason = "a histogram counts in floats")]
            self.metrics
                .workflow_cost
                .with_label_values(&[] as &[&str])
                .observe(cost as f64 / 1e6);
        }
        Answered { answer, bill }
    }

    async fn until_usable(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
        bill: &mut Bill,
    ) -> Result<Completion, ModelError> {
        let mut pauses = self.retry.pauses().build();
        let mut unusable = 0;
        loop {
            match self.complete_once(messages, workflow, bill).await {
                Err(error @ ModelError::Transient { retry_after, .. }) => {
                    let Some(pause) = pauses.next() else {
                        return Err(error);
                    };
                    let wanted = retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                    tokio::time::sleep(pause.max(wanted)).await;
                }
                Err(ModelError::Unusable(_)) if unusable == 0 => unusable += 1,
                result => return result,
            }
        }
    }

    /// Asks the model that is believed to be up, and the other one when it is not.
    async fn complete_once(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
        bill: &mut Bill,
    ) -> Result<Completion, ModelError> {
        let Some(first) = &self.first else {
            return Err(ModelError::Permanent("no key is configured".to_owned()));
        };
        // Closed by nobody.
        let _slot = self.slots.acquire().await.ok();
        let Some(second) = &self.second else {
            return first.ask(messages, workflow, bill, &self.metrics).await;
        };
        if self.now() < self.sidelined_until.load(Ordering::Relaxed) {
            let answer = second.ask(messages, workflow, bill, &self.metrics).await;
            return match answer {
                Ok(_) | Err(ModelError::Unusable(_)) => answer,
                Err(_) => first.ask(messages, workflow, bill, &self.metrics).await,
            };
        }
        match first.ask(messages, workflow, bill, &self.metrics).await {
            // Whether it is back is the circuit's to find out.
            Err(ModelError::Open(_)) => second.ask(messages, workflow, bill, &self.metrics).await,
            Err(error @ (ModelError::Transient { .. } | ModelError::Permanent(_))) => {
                let until = self.now() + u64::try_from(SIDELINED.as_millis()).unwrap_or(u64::MAX);
                self.sidelined_until.store(until, Ordering::Relaxed);
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the first model fails; the second one answers");
                }
                second.ask(messages, workflow, bill, &self.metrics).await
            }
            answer => {
                self.said.store(false, Ordering::Relaxed);
                answer
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
