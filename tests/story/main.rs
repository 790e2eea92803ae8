//! Stories a manager would tell, on a real nats-server and a real Postgres with simulated
//! neighbours. One binary, because linking is what takes time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod fleet;
mod forgotten;
mod texts;
mod world;

mod answers;
mod approvals;
mod auth;
mod backlog;
mod bad_input;
mod canaries;
mod chaos;
mod circuits;
mod cluster;
mod collector;
mod contracts;
mod crash;
#[cfg(feature = "crash-points")]
mod crash_points;
mod dashboard;
mod doctor;
mod duplicates;
mod durability;
mod escalations;
mod faults;
mod feed;
mod full;
mod gate;
mod guarantees;
mod health;
mod hours;
mod least_rights;
mod limits;
mod metrics;
mod neighbours_down;
mod operations;
mod order;
mod outage;
mod permissions;
mod plans;
mod postgres;
mod process;
mod reading;
mod redelivery;
mod relay;
mod replies;
mod restart;
mod retention;
mod retries;
mod roles;
mod rules;
mod settings;
mod strangers;
mod sweep;
mod timeline;
mod timers;
mod tls;
mod topology;
mod traces;
mod upgrades;
mod windows;
mod wires;
