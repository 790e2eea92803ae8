//! When to stop asking a neighbour that fails, and when to try again. Pure: the time is an argument,
//! the shared side is in [`super::circuit`].
//!
//! Own code, because no crate fits: `failsafe` lets every call through while half open, `recloser`
//! and `tower-circuitbreaker` count rates, `tower-resilience-circuitbreaker` reads the machine's
//! clock, and none can tell an answer that proves nothing (429) from a good one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a circuit opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// `CIRCUIT_BREAKER_FAILURE_THRESHOLD`: consecutive failures; default 5, the SMS Agent's 3.
    pub failures: u32,
    /// `CIRCUIT_BREAKER_TIMEOUT_SECONDS`: how long nothing is asked; default 60.
    pub open_for: Duration,
}

/// How a circuit stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// One call at a time passes, to see whether the neighbour is back.
    HalfOpen,
    /// No call passes.
    Open,
}

impl CircuitState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The figure in the metric (`http-api.md` §8.2).
    pub fn figure(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// What a call says about the neighbour's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works, whatever it said: 404 and 422 are answers too.
    Healthy,
    /// It does not: no connection, no answer in time, 5xx, an answer nobody can read.
    Failed,
    /// Nobody knows: too busy (408, 425, 429), or the call was dropped.
    Unknown,
}

/// The right to call once. Results of calls that began before the last change of state are old news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: CircuitState,
    /// After.
    pub to: CircuitState,
    /// Consecutive failures so far.
    pub failures: u32,
}

/// How long others wait while one call probes: its result is soon known.
const WHILE_PROBING: Duration = Duration::from_secs(1);

/// The state machine of one circuit.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    failures: u32,
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { since: DateTime<Utc> },
    HalfOpen { probing: bool },
}

impl Breaker {
    /// Closed.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: State::Closed,
            failures: 0,
            generation: 0,
        }
    }

    /// How it stands. An open one whose time is over stays open until somebody asks.
    pub fn state(&self) -> CircuitState {
        match self.state {
            State::Closed => CircuitState::Closed,
            State::Open { .. } => CircuitState::Open,
            State::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    /// How long a call would have to wait; `None` when it may be made now. Changes nothing.
    pub fn refuses(&self, now: DateTime<Utc>) -> Option<Duration> {
        match self.state {
            State::Closed | State::HalfOpen { probing: false } => None,
            State::HalfOpen { probing: true } => Some(WHILE_PROBING),
            State::Open { since } => {
                let elapsed = now - since;
                // A clock that was set back must not keep it open for longer than it would be.
                if elapsed < TimeDelta::zero() {
                    return Some(self.settings.open_for);
                }
                let left = self
                    .settings
                    .open_for
                    .checked_sub(elapsed.to_std().unwrap_or_default())?;
                (!left.is_zero()).then_some(left)
            }
        }
    }

    /// Asks for the right to call.
    ///
    /// # Errors
    /// How long to wait when there is none.
    pub fn admit(&mut self, now: DateTime<Utc>) -> Result<(Ticket, Option<Transition>), Duration> {
        if let Some(wait) = self.refuses(now) {
            if let State::Open { since } = &mut self.state
                && now < *since
            {
                *since = now;
            }
            return Err(wait);
        }
        let change = match self.state {
            State::Closed => None,
            State::Open { .. } | State::HalfOpen { .. } => {
                let change = self.change(State::HalfOpen { probing: true });
                (change.from != change.to).then_some(change)
            }
        };
        let generation = self.generation;
        Ok((Ticket { generation }, change))
    }

    /// Takes a call's result.
    pub fn report(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        now: DateTime<Utc>,
    ) -> Option<Transition> {
        if ticket.generation != self.generation {
            return None;
        }
        match (self.state, verdict) {
            // With this generation nobody holds a ticket.
            (State::Open { .. }, _) => None,
            (State::Closed, Verdict::Unknown) => None,
            (State::Closed, Verdict::Healthy) => {
                self.failures = 0;
                None
            }
            (State::Closed, Verdict::Failed) => {
                self.failures = self.failures.saturating_add(1);
                (self.failures >= self.settings.failures)
                    .then(|| self.change(State::Open { since: now }))
            }
            (State::HalfOpen { .. }, Verdict::Unknown) => {
                self.state = State::HalfOpen { probing: false };
                None
            }
            (State::HalfOpen { .. }, Verdict::Failed) => {
                self.failures = self.failures.saturating_add(1);
                Some(self.change(State::Open { since: now }))
            }
            (State::HalfOpen { .. }, Verdict::Healthy) => {
                let change = self.change(State::Closed);
                self.failures = 0;
                Some(change)
            }
        }
    }

    fn change(&mut self, to: State) -> Transition {
        let from = self.state();
        self.state = to;
        self.generation += 1;
        Transition {
            from,
            to: self.state(),
            failures: self.failures,
        }
    }
}

#[cfg(test)]
mod tests;
