//! What is known about a neighbour from the calls made to it: the board that health and metrics read.
//!
//! Every call notes its outcome here ([`NeighbourState::answered`], [`NeighbourState::failed`]). A
//! circuit breaker in front of the calls says what it does with [`NeighbourState::set_circuit`];
//! without one every circuit is closed.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether calls are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// All of them.
    Closed,
    /// One, to see whether the neighbour is back.
    HalfOpen,
    /// None.
    Open,
}

impl Circuit {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The metric's number (`http-api.md` §8.2).
    pub fn number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// How the newest call ended.
#[derive(Debug, Clone)]
pub struct LastCall {
    /// The neighbour answered, whatever it said.
    pub answered: bool,
    /// What went wrong, without bodies and addresses.
    pub error: Option<String>,
    /// When.
    pub at: Instant,
}

/// One neighbour's.
#[derive(Debug, Default)]
pub struct NeighbourState {
    circuit: AtomicU8,
    last: Mutex<Option<LastCall>>,
}

impl NeighbourState {
    /// What the breaker does.
    pub fn circuit(&self) -> Circuit {
        match self.circuit.load(Ordering::Relaxed) {
            2 => Circuit::Open,
            1 => Circuit::HalfOpen,
            _ => Circuit::Closed,
        }
    }

    /// For the breaker alone.
    pub fn set_circuit(&self, circuit: Circuit) {
        self.circuit.store(circuit.number(), Ordering::Relaxed);
    }

    /// A call was answered; a refusal is an answer too.
    pub fn answered(&self) {
        self.note(LastCall {
            answered: true,
            error: None,
            at: Instant::now(),
        });
    }

    /// A call was not answered, or with a fault of the neighbour's own.
    pub fn failed(&self, error: &str) {
        self.note(LastCall {
            answered: false,
            error: Some(error.to_owned()),
            at: Instant::now(),
        });
    }

    /// The newest call, if there was one.
    pub fn last(&self) -> Option<LastCall> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What went wrong within `since`, if the newest call failed then.
    pub fn failure_within(&self, since: Duration) -> Option<String> {
        let last = self.last()?;
        let recent = !last.answered && last.at.elapsed() < since;
        recent.then(|| last.error.unwrap_or_default())
    }

    fn note(&self, call: LastCall) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_call_counts_and_a_breaker_is_closed_until_it_says_otherwise() {
        let state = NeighbourState::default();
        assert_eq!(state.circuit(), Circuit::Closed);
        assert!(state.last().is_none());
        state.failed("answered 500");
        let minute = Duration::from_secs(60);
        assert_eq!(
            state.failure_within(minute).as_deref(),
            Some("answered 500")
        );
        assert_eq!(state.failure_within(Duration::ZERO), None);
        state.answered();
        assert_eq!(state.failure_within(minute), None);
        state.set_circuit(Circuit::Open);
        assert_eq!(state.circuit().as_str(), "open");
    }
}
