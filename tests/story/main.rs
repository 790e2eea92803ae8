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
mod contracts;
mod crash;
mod dashboard;
mod duplicates;
mod escalations;
mod feed;
mod gate;
mod health;
mod hours;
mod metrics;
mod neighbours_down;
mod order;
mod outage;
mod plans;
mod reading;
mod redelivery;
mod relay;
mod replies;
mod restart;
mod retries;
mod roles;
mod settings;
mod timeline;
mod timers;
mod topology;
