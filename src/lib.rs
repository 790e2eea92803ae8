//! Orchestrator answers tenants' texts about overdue rent.
//!
//! The modules in the order in which a text meets them:
//!
//! - [`bridge`]: HTTP in; turns a request into an event and waits for what becomes of it
//! - [`relay`]: brings in the texts of an SMS Agent that calls nobody
//! - [`events`]: the one list of everything that is said on NATS
//! - [`stages`]: what happens to a text, one file a stage
//! - [`reading`], [`rules`]: what a text says, what may be done; no I/O
//! - [`domain`]: the words
//! - [`engine`]: decode, gather, decide, commit, publish, ack; the only place that does
//! - [`neighbours`]: the services around us, one file each
//! - [`store`] has SQL and nothing else
//! - [`listener`]: ports, with TLS and without
//! - [`ops`]: settings' helpers, metrics, the sidecar

pub mod analyze;
pub mod answer_hours;
pub mod bridge;
pub mod config;
pub mod contracts;
pub mod domain;
pub mod engine;
pub mod evaluation;
pub mod events;
pub mod evidence;
pub mod jsonl;
pub mod listener;
pub mod neighbours;
pub mod ops;
pub mod reading;
pub mod relay;
pub mod rules;
pub mod service;
pub mod stages;
pub mod store;
#[doc(hidden)]
pub mod strangers;
