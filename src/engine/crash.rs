//! Where a test makes the process die: one point for every await after which the world is different.
//!
//! With the feature `crash-points` only. Without it a point is an empty function, and the binary knows
//! neither the points nor the variable. Rejected: the crate `fail`, which cannot abort (its panics
//! would be caught by the engine, as those of a stage are) and brings an old `rand`.

/// A moment in a message's way through the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Delivered, nothing done.
    Taken,
    /// The world was asked, nothing is decided.
    Gathered,
    /// The intent of an effect is written, not committed.
    IntentWritten,
    /// The intent is committed, the effect has not begun.
    IntentCommitted,
    /// The effect has happened, its result is known to nobody.
    Acted,
    /// The decision is written, not committed.
    DecisionWritten,
    /// The decision is committed, its events are not published.
    DecisionCommitted,
    /// The events are published, whoever waits is not answered.
    Published,
    /// Whoever waits is answered, the message is not acknowledged.
    Answered,
    /// The message is acknowledged; the server may or may not have heard it.
    Acknowledged,
    /// "Not now" is committed, the message is not given back.
    Postponed,
    /// A failure is counted, the message is not given back.
    FailureNoted,
    /// A dead letter is committed, nobody is told.
    Parked,
}

impl Point {
    /// Every point, in the order in which a message comes by.
    pub const ALL: [Self; 13] = [
        Self::Taken,
        Self::Gathered,
        Self::IntentWritten,
        Self::IntentCommitted,
        Self::Acted,
        Self::DecisionWritten,
        Self::DecisionCommitted,
        Self::Published,
        Self::Answered,
        Self::Acknowledged,
        Self::Postponed,
        Self::FailureNoted,
        Self::Parked,
    ];
}

/// Dies here if a test chose it.
#[inline(always)]
pub(super) fn point(stage: &str, point: Point) {
    if chosen(stage, point) {
        std::process::abort();
    }
}

/// As [`point`], after what was sent has left this process.
pub(super) async fn point_flushed(client: &async_nats::Client, stage: &str, point: Point) {
    if chosen(stage, point) {
        drop(client.flush().await);
        std::process::abort();
    }
}

/// Whether `CRASH_AT` says `<stage>:<point>`, for example `deliver:Acted`.
#[cfg(feature = "crash-points")]
fn chosen(stage: &str, point: Point) -> bool {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("CRASH_AT").ok());
    let chosen = CHOSEN.as_deref().and_then(|at| at.split_once(':'));
    chosen.is_some_and(|(at, name)| at == stage && name == format!("{point:?}"))
}

#[cfg(not(feature = "crash-points"))]
#[inline(always)]
fn chosen(_stage: &str, _point: Point) -> bool {
    false
}
