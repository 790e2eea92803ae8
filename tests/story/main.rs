//! Stories a manager would tell, on a real nats-server and a real Postgres with simulated
//! neighbours. One binary, because linking is what takes time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod world;

mod answers;
mod approvals;
mod bad_input;
mod canaries;
mod collector;
mod contracts;
mod crash;
mod dashboard;
mod doctor;
mod duplicates;
mod escalations;
mod feed;
mod gate;
mod health;
mod hours;
mod least_rights;
mod metrics;
mod neighbours_down;
mod operations;
mod order;
mod outage;
mod plans;
mod process;
mod reading;
mod redelivery;
mod relay;
mod replies;
mod restart;
mod retention;
mod retries;
mod roles;
mod settings;
mod timeline;
mod timers;
mod topology;
mod traces;
