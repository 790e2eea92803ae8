//! The shape of a stage.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Clock, Decision, EffectResult, Incoming};
use crate::events::StageInput;
use crate::neighbours::Neighbours;
use crate::ops::metrics::Metrics;
use crate::store::{Case, Db, Needs, Questions};

/// What a stage's `gather` may use. Reads only: a stage that wants to change the world returns an
/// [`super::Effect`], a stage that wants to change state returns changes.
#[derive(Clone)]
pub struct Io {
    /// The services around us.
    pub neighbours: Neighbours,
    /// For reading.
    pub db: Db,
    /// What every text asks, asked together.
    pub questions: Questions,
    /// For noting when a question was asked; decisions are given the time.
    pub clock: Clock,
    /// For counting what only a stage knows.
    pub metrics: Arc<Metrics>,
}

/// Why a message was not handled. An expected failure - a low score, a refused text - is a
/// decision, never one of these.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Try again after a while.
    #[error("{because}")]
    Later {
        /// How long.
        after: Duration,
        /// Without personal data.
        because: String,
    },
    /// Do not try again.
    #[error("{detail}")]
    Never {
        /// `permanent_failure`, `configuration`.
        reason: &'static str,
        /// Without personal data.
        detail: String,
    },
}

impl From<sqlx::Error> for StageError {
    /// A read that failed is worth repeating: the write that follows would tell a real fault.
    fn from(error: sqlx::Error) -> Self {
        Self::Later {
            after: Duration::from_secs(1),
            because: format!("database: {error}"),
        }
    }
}

/// One step in the life of a text. See `docs/writing-a-stage.md`.
pub trait Stage: Send + Sync + 'static {
    /// The durable consumer's name, the handled mark's stage, the metrics' label.
    const NAME: &'static str;
    /// What kind of dead letter its messages become.
    const DEAD_KIND: &'static str = "workflow";
    /// Whether `gather` asks neighbours. Then the handled mark of whatever may have been handled is
    /// looked up first, because the question costs time or money.
    const ASKS_OUTSIDE: bool = false;
    /// Whether its messages come back often without anything being wrong, because they wait for
    /// another one: then many deliveries are no sign of a message that kills its worker.
    const WAITS_FOR_ITS_TURN: bool = false;

    /// What it reads.
    type In: StageInput;
    /// What `gather` finds.
    type Found: Send + Sync + 'static;

    /// How many messages one replica works on at once. A stage with a limited neighbour lowers it.
    fn concurrency(&self, default: usize) -> usize {
        default
    }

    /// How many failures before a message is parked.
    fn max_attempts(&self, default: i32) -> i32 {
        default
    }

    /// Asks the world, changing nothing.
    fn gather(
        &self,
        event: &Incoming<Self::In>,
        io: &Io,
    ) -> impl Future<Output = Result<Self::Found, StageError>> + Send;

    /// What must be known, and locked, in the moment of decision.
    fn needs(&self, event: &Incoming<Self::In>, found: &Self::Found) -> Needs;

    /// Decides. Pure, quick, and perhaps called more than once for the same message: it runs
    /// inside the transaction, under the locks that `needs` asked for.
    fn decide(
        &self,
        event: &Incoming<Self::In>,
        found: &Self::Found,
        case: &Case,
        now: DateTime<Utc>,
    ) -> Decision;

    /// Decides what an effect's result means. As pure as `decide`.
    fn conclude(
        &self,
        _event: &Incoming<Self::In>,
        _found: &Self::Found,
        _result: &EffectResult,
        _case: &Case,
        _now: DateTime<Utc>,
    ) -> Decision {
        Decision::never(
            "configuration",
            format!("stage {} has no effects", Self::NAME),
        )
    }

    /// What else changes when the engine gives a message up. By default its workflow fails and its
    /// turn is closed, so that the next text begins a new one.
    fn give_up(&self, event: &Incoming<Self::In>, reason: &str, now: DateTime<Utc>) -> Decision {
        super::dead::fail_workflow(&event.envelope, Self::NAME, reason, now)
    }
}
