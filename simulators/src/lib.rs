//! The neighbours of Orchestrator, and real servers to run it against.
//!
//! For the demo, the integration tests, the benchmarks and the chaos tests; never compiled
//! into the product. Two independent halves:
//!
//! - [`servers`]: NATS and Postgres as child processes.
//! - [`Neighbours`]: Collections Monitor, SMS Agent, Notification service and model provider in
//!   one process, on the wire as their contracts say. Each one is a plain function from
//!   a request to an answer; faults, delays and the record of what happened are laid around it
//!   in [`gate`], so that every neighbour can misbehave in every way.

#![forbid(unsafe_code)]

pub mod brain;
mod control;
pub mod exchange;
pub mod faults;
pub mod gate;
mod line;
pub mod model;
pub mod monitor;
pub mod neighbours;
pub mod notifications;
pub mod proxy;
pub mod record;
pub mod servers;
pub mod sms_agent;
pub mod tenants;

pub use faults::{Fault, Rule};
pub use gate::Neighbour;
pub use neighbours::{Config, Neighbours, Profile};
pub use proxy::{Proxy, Wire};
