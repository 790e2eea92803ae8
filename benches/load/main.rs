//! Measures the product with real servers and simulated neighbours in a process of their own:
//!
//! ```text
//! cargo build --release -p simulators
//! cargo bench --bench load -- capacity|rates|slow-model|backlog|history|replicas|idle|analyze [numbers]
//! ```
//!
//! `STATEMENTS=1` lists what Postgres spent its time on (needs `pg_stat_statements`; costs a little).
//!
//! Programs with printed figures, not tests: nothing here fails because a machine is slow. They do
//! fail when a text is lost, sent twice or sent to somebody else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

mod history;
mod limits;
mod machine;
mod reading;
mod rig;
mod scenarios;
mod statements;
mod texts;

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let number = |n: usize, default: usize| numbers.get(n).copied().unwrap_or(default);
    // `cargo bench` adds arguments of its own, such as `--bench`.
    let scenario = words
        .iter()
        .find(|word| word.parse::<usize>().is_err() && !word.starts_with('-'));
    println!("{}", machine::describe());
    match scenario.map(String::as_str) {
        Some("capacity") => {
            let in_flight = numbers.get(1).map_or(vec![100, 512], |n| vec![*n]);
            scenarios::capacity(number(0, 5000), &in_flight, 1).await;
        }
        Some("replicas") => scenarios::capacity(number(0, 5000), &[number(1, 512)], 2).await,
        Some("rates") => {
            let rates = numbers.get(1).map_or(vec![200, 500, 1000], |n| vec![*n]);
            scenarios::rates(number(0, 10), &rates).await;
        }
        Some("slow-model") => {
            let in_flight = numbers.get(1).map_or(vec![100, 1000], |n| vec![*n]);
            scenarios::slow_model(number(0, 1000), &in_flight).await;
        }
        Some("backlog") => scenarios::backlog(number(0, 50_000)).await,
        Some("history") => {
            scenarios::history(number(0, 1_000_000), number(1, 5000), number(2, 512)).await;
        }
        Some("idle") => scenarios::idle(number(0, 20) as u64).await,
        Some("analyze") => reading::analyze(number(0, 100_000)),
        other => panic!(
            "{}: capacity, replicas, rates, slow-model, backlog, history, idle or analyze",
            other.unwrap_or("which scenario")
        ),
    }
}
