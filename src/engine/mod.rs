//! `decode → already handled? → gather → decide → commit → publish → ack`, in one place.
//!
//! Stages hold no pool, no client and no acknowledger. They say what they need, take a decision as
//! a value, and the engine does the rest, for many messages at a time:
//!
//! - [`runner`] pulls messages; `work` walks each through the steps and alone acknowledges
//! - [`committer`] commits the decisions of many messages in one transaction
//! - [`effects`] is the only place that acts in the world: sends a text, tells a manager
//! - [`publisher`] publishes with deterministic ids and answers whoever waits
//! - [`crash`] names the moments in which a test lets it die
//! - [`dead`] parks what cannot be worked on
//! - [`sweep`] says again what the stream has lost
//! - [`connection`] is the way to NATS; [`topology`] compares the server with the files in `nats/`

pub mod alarm;
pub mod answers;
pub mod clock;
pub mod committer;
pub mod connection;
pub mod crash;
pub mod dead;
pub mod decision;
pub mod effects;
pub(crate) mod emitted;
pub mod envelope;
mod in_work;
pub mod names;
pub mod outages;
pub mod publisher;
mod pull;
pub mod room;
pub mod runner;
pub mod stage;
pub mod sweep;
mod tally;
pub mod topology;
mod work;

pub use clock::Clock;
pub use decision::{Decision, Effect, EffectResult, Next, Reply, SaidBefore};
pub use envelope::{Envelope, Incoming};
pub use names::Names;
pub use stage::{Io, Stage, StageError};
