//! The circuits of this process: one per neighbour, two for those that do two things. Shared by all
//! stages; says every change in the log, in the metrics and, through the service, as
//! `neighbour.circuit_changed`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::breaker::{Breaker, BreakerSettings, CircuitState, Ticket, Transition, Verdict};
use crate::engine::Clock;
use crate::events::{CircuitChanged, Neighbour};
use crate::ops::metrics::Metrics;

/// What a circuit protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CircuitName {
    /// Everything the Collections Monitor is asked.
    Monitor,
    /// Texts handed to the SMS Agent: the real sign of its health (`upstreams.md` §2.3).
    SmsSends,
    /// Its history. Apart, because reading may work while sending does not, and the reverse.
    SmsReads,
    /// Notifications.
    Notifications,
    /// The first model.
    Model,
    /// The model for when the first is down.
    Fallback,
}

impl CircuitName {
    /// The metric's and the event's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "collections_monitor",
            Self::SmsSends => "sms_agent",
            Self::SmsReads => "sms_agent_reads",
            Self::Notifications => "notification_service",
            Self::Model => "openai",
            Self::Fallback => "openai_fallback",
        }
    }

    /// Whose it is.
    pub fn neighbour(self) -> Neighbour {
        match self {
            Self::Monitor => Neighbour::CollectionsMonitor,
            Self::SmsSends | Self::SmsReads => Neighbour::SmsAgent,
            Self::Notifications => Neighbour::NotificationService,
            Self::Model | Self::Fallback => Neighbour::Openai,
        }
    }
}

/// No call is made; ask again after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its circuit is open")]
pub struct CircuitOpen {
    /// How long.
    pub after: Duration,
}

/// What is shown of a circuit.
#[derive(Debug, Clone)]
pub struct CircuitView {
    /// Which.
    pub name: CircuitName,
    /// How it stands.
    pub state: CircuitState,
    /// Consecutive failures.
    pub failures: u32,
    /// The newest failure, without bodies.
    pub last_error: Option<String>,
    /// When the newest call ended.
    pub last_call: Option<DateTime<Utc>>,
    /// What it said.
    pub last_call_worked: Option<bool>,
}

/// One circuit.
pub struct Circuit {
    name: CircuitName,
    inner: Mutex<Inner>,
    clock: Clock,
    metrics: Arc<Metrics>,
    told: Option<mpsc::Sender<CircuitChanged>>,
}

struct Inner {
    breaker: Breaker,
    failures: u32,
    last_error: Option<String>,
    last_call: Option<(DateTime<Utc>, bool)>,
}

impl Circuit {
    /// Closed. `told` hears of every change.
    pub fn new(
        name: CircuitName,
        settings: BreakerSettings,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        told: Option<mpsc::Sender<CircuitChanged>>,
    ) -> Arc<Self> {
        metrics
            .circuit_state
            .with_label_values(&[name.as_str()])
            .set(CircuitState::Closed.figure());
        Arc::new(Self {
            name,
            inner: Mutex::new(Inner {
                breaker: Breaker::new(settings),
                failures: 0,
                last_error: None,
                last_call: None,
            }),
            clock: clock.clone(),
            metrics: metrics.clone(),
            told,
        })
    }

    /// Asks for the right to call. What is not reported is not held against the neighbour.
    pub fn enter(self: &Arc<Self>) -> Result<Pass, CircuitOpen> {
        let mut inner = self.lock();
        match inner.breaker.admit(self.clock.now()) {
            Ok((ticket, change)) => {
                self.say(change, &inner);
                Ok(Pass {
                    circuit: self.clone(),
                    ticket: Some(ticket),
                })
            }
            Err(after) => {
                drop(inner);
                self.metrics
                    .upstream_requests
                    .with_label_values(&[self.name.neighbour().as_str(), "circuit_open"])
                    .inc();
                Err(CircuitOpen { after })
            }
        }
    }

    /// Which.
    pub fn name(&self) -> CircuitName {
        self.name
    }

    /// How long a call would have to wait; `None` when it may be tried. For whoever would rather not
    /// begin something that cannot end.
    pub fn refuses(&self) -> Option<Duration> {
        self.lock().breaker.refuses(self.clock.now())
    }

    /// What is shown of it.
    pub fn view(&self) -> CircuitView {
        let inner = self.lock();
        CircuitView {
            name: self.name,
            state: inner.breaker.state(),
            failures: inner.failures,
            last_error: inner.last_error.clone(),
            last_call: inner.last_call.map(|(at, _)| at),
            last_call_worked: inner.last_call.map(|(_, worked)| worked),
        }
    }

    fn report(&self, ticket: Ticket, verdict: Verdict, error: Option<String>) {
        let now = self.clock.now();
        let mut inner = self.lock();
        let change = inner.breaker.report(ticket, verdict, now);
        match verdict {
            Verdict::Healthy => {
                inner.failures = 0;
                inner.last_call = Some((now, true));
            }
            Verdict::Failed => {
                inner.failures = inner.failures.saturating_add(1);
                inner.last_error = error;
                inner.last_call = Some((now, false));
            }
            Verdict::Unknown => {}
        }
        self.say(change, &inner);
    }

    fn say(&self, change: Option<Transition>, inner: &Inner) {
        let Some(Transition { from, to, failures }) = change else {
            return;
        };
        let circuit = self.name.as_str();
        let states = &self.metrics.circuit_state;
        states.with_label_values(&[circuit]).set(to.figure());
        let changes = &self.metrics.circuit_transitions;
        changes.with_label_values(&[circuit, to.as_str()]).inc();
        let error = inner.last_error.as_deref().unwrap_or_default();
        match to {
            CircuitState::Open => {
                tracing::warn!(
                    circuit,
                    failures,
                    error,
                    "circuit open: not asked for a while"
                );
            }
            CircuitState::HalfOpen => tracing::info!(circuit, "circuit half open: one call probes"),
            CircuitState::Closed => {
                tracing::info!(circuit, "circuit closed: the neighbour is back")
            }
        }
        let changed = CircuitChanged {
            circuit: circuit.to_owned(),
            service: self.name.neighbour(),
            from,
            to,
            failures,
            reason: inner
                .last_error
                .clone()
                .filter(|_| to == CircuitState::Open),
            changed_at: self.clock.now(),
        };
        // Full means that nothing can be published anyway; the metric and the log have it.
        let lost = self.told.as_ref().map(|told| told.try_send(changed));
        if let Some(Err(error)) = lost {
            tracing::debug!(circuit, %error, "a change of a circuit was not published");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Figures only: a panic elsewhere cannot leave them half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to make one call. Dropped unreported, it proves nothing.
pub struct Pass {
    circuit: Arc<Circuit>,
    ticket: Option<Ticket>,
}

impl Pass {
    /// What the call said about the neighbour; `error` without bodies.
    pub fn report(mut self, verdict: Verdict, error: Option<String>) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.report(ticket, verdict, error);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.circuit.report(ticket, Verdict::Unknown, None);
        }
    }
}
