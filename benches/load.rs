//! Posts texts with a mixed outcome at a fixed number in flight, the neighbours in a process of
//! their own, and prints what it took: `cargo bench --bench load -- [texts] [in flight]`. With
//! `latency`, a model that takes its time: how long decisions take, and how much of it is ours.
//!
//! A program with printed figures, not a test: nothing here fails because a machine is slow. It
//! does fail when a text is lost, sent twice or sent to somebody else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::HashMap;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

/// A child process that ends with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Microseconds of CPU a process has used; children that it waited for do not count.
fn cpu_micros(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<i64> = after_name
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    // utime and stime, in ticks of 10 ms; `state` is the only field before them that is no number.
    // Signed, because the terminal's group is -1 without a terminal: dropping it would shift the rest.
    let ticks = fields.get(10).unwrap_or(&0) + fields.get(11).unwrap_or(&0);
    u64::try_from(ticks).unwrap_or(0) * 10_000
}

/// Postgres is many processes: the postmaster and everything it has forked.
fn postgres_micros(postmaster: u32) -> u64 {
    let mut total = cpu_micros(postmaster);
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|s| s.split_whitespace().nth(1)?.parse().ok());
        if parent == Some(postmaster) {
            total += cpu_micros(pid);
        }
    }
    total
}

fn peak_memory_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// What text `n` says, and what must become of it.
fn case(n: usize) -> (&'static str, &'static str) {
    match n % 10 {
        0..=5 => ("When is my rent due? [confidence=0.95]", "auto_sent"),
        6 | 7 => (
            "Can I pay on Friday? [confidence=0.72]",
            "queued_for_approval",
        ),
        8 => ("I already paid this [confidence=0.95]", "escalated"),
        _ => ("hmm [confidence=0.3]", "escalated"),
    }
}

fn phone(n: usize) -> String {
    format!("+1202{n:07}")
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1000.0
}

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let texts = numbers.first().copied().unwrap_or(3000);
    let in_flight = numbers.get(1).copied().unwrap_or(100);

    let nats = Nats::start(NatsOptions::default()).expect("a nats-server");
    let postgres = Postgres::start(PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    })
    .expect("a Postgres");
    let database = postgres.create_database("load").expect("a database");
    let ports: Vec<u16> = (0..6).map(|_| free_port()).collect();
    let neighbours = Process(
        Command::new(binary("simulators"))
            .args(["serve", "--no-record"])
            .args([
                "--monitor-port",
                &ports[0].to_string(),
                "--sms-agent-port",
                &ports[1].to_string(),
            ])
            .args([
                "--notifications-port",
                &ports[2].to_string(),
                "--model-port",
                &ports[3].to_string(),
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("`cargo build --release -p simulators` first"),
    );
    let at = |n: usize| format!("http://127.0.0.1:{}", ports[n]);
    let service = Process(
        Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .arg("serve")
            .env_clear()
            // For trying other settings.
            .envs(std::env::vars().filter(|(name, _)| {
                [
                    "COMMIT_SHARDS",
                    "DATABASE_MAX_CONNECTIONS",
                    "STAGE_CONCURRENCY",
                ]
                .contains(&name.as_str())
            }))
            .envs([
                ("DATABASE_URL", database.as_str()),
                ("NATS_URL", &nats.url()),
                ("MONITOR_URL", &at(0)),
                ("SMS_AGENT_URL", &at(1)),
                ("NOTIFICATION_URL", &at(2)),
                ("OPENAI_BASE_URL", &format!("{}/v1", at(3))),
                ("OPENAI_API_KEY", "load"),
                ("AUTH_ENABLED", "false"),
                ("CONTACT_HOURS", "off"),
                ("HOST", "127.0.0.1"),
                ("PORT", &ports[4].to_string()),
                ("SIDECAR_PORT", &ports[5].to_string()),
                // Raised: the question is what the service can do, not what its neighbours allow.
                ("SMS_MAX_PARALLEL", "200"),
                ("MODEL_MAX_PARALLEL", "600"),
                ("OPENAI_REQUESTS_PER_MINUTE", "0"),
                ("SYNC_BUDGET_MS", "20000"),
                ("ACCEPT_TIMEOUT_MS", "20000"),
                ("LOG_LEVEL", "warn"),
            ])
            .spawn()
            .expect("the product"),
    );
    let client = reqwest::Client::new();
    wait_ready(&client, &at(5)).await;

    let pids = (
        service.0.id(),
        nats.pid().unwrap_or(0),
        postgres.pid().unwrap_or(0),
    );
    let cpu = |(service, nats, postgres): (u32, u32, u32)| {
        [
            cpu_micros(service),
            cpu_micros(nats),
            postgres_micros(postgres),
            cpu_micros(neighbours.0.id()),
        ]
    };
    if std::env::args().any(|a| a == "latency") {
        return decisions(&client, &at(4), &at(3), texts, in_flight).await;
    }
    let before = cpu(pids);
    let started = Instant::now();
    let (answers, wrong) = post_all(&client, &at(4), 0..texts, in_flight).await;
    let mut took: Vec<Duration> = answers.into_iter().map(|(_, took)| took).collect();
    let elapsed = started.elapsed();
    let after = cpu(pids);
    took.sort_unstable();

    let acks = acknowledgements(&client, &at(4), texts, in_flight).await;
    let phones = texts_on_phones(&client, &at(1)).await;
    let due: Vec<usize> = (0..texts).filter(|n| case(*n).1 == "auto_sent").collect();
    let lost = due
        .iter()
        .filter(|n| !phones.contains_key(&phone(**n)))
        .count();
    let twice = phones.values().filter(|count| **count > 1).count();
    let strangers = phones.len() + lost - due.len();
    println!("texts {texts}, in flight {in_flight}");
    println!(
        "  throughput      {:>9.0} texts/s",
        took.len() as f64 / elapsed.as_secs_f64()
    );
    println!(
        "  outcome latency {:>9.1} ms p50, {:.1} ms p99",
        percentile(&took, 50),
        percentile(&took, 99)
    );
    println!(
        "  ack latency     {:>9.1} ms p50, {:.1} ms p99 (Prefer: respond-async)",
        percentile(&acks, 50),
        percentile(&acks, 99)
    );
    let names = ["service", "nats-server", "postgres", "simulators"];
    for (name, (after, before)) in names.iter().zip(after.iter().zip(before)) {
        println!(
            "  CPU {name:<12}{:>9} µs/text",
            (after - before) / texts as u64
        );
    }
    for (stage, mean) in mean_stage_times(&client, &at(5)).await {
        println!("  stage {stage:<10}{mean:>9.1} ms mean");
    }
    println!(
        "  peak memory     {:>9} MB (service)",
        peak_memory_mb(pids.0)
    );
    println!(
        "  lost {lost}, twice {twice}, to others {strangers}, other outcome {}",
        wrong.len()
    );
    for line in wrong.iter().take(3) {
        println!("    {line}");
    }
    assert!(
        lost + twice + strangers + wrong.len() == 0,
        "texts went astray"
    );
}

/// Posts texts, so many at a time, and waits for what became of each.
async fn post_all(
    client: &reqwest::Client,
    url: &str,
    texts: Range<usize>,
    in_flight: usize,
) -> (Vec<(usize, Duration)>, Vec<String>) {
    let next = Arc::new(AtomicUsize::new(texts.start));
    let workers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (client, next, url, end) = (client.clone(), next.clone(), url.to_owned(), texts.end);
            tokio::spawn(async move {
                let mut took = Vec::new();
                let mut wrong = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return (took, wrong);
                    }
                    let (content, expected) = case(n);
                    let body = json!({"tenant_id": format!("t202{n:07}"), "phone_number": phone(n),
                        "content": content, "conversation_id": format!("c{n}"), "message_sid": format!("SM{n}")});
                    let sent = Instant::now();
                    let answer = client
                        .post(format!("{url}/orchestrate/sms-received"))
                        .json(&body)
                        .send()
                        .await
                        .expect("an answer");
                    let answer: Value = answer.json().await.expect("JSON");
                    took.push((n, sent.elapsed()));
                    if answer["action_taken"] != expected {
                        wrong.push(format!("{n}: {expected}, got {answer}"));
                    }
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    let mut wrong = Vec::new();
    for worker in workers {
        let (times, errors) = worker.await.expect("a worker");
        took.extend(times);
        wrong.extend(errors);
    }
    (took, wrong)
}

/// `-- latency`: a model that thinks for 800 ms ± 200, then one that thinks for exactly 800 ms: what
/// is over these is ours, as the other neighbours answer at once. Texts that wait for a manager are
/// answered when they are decided, the others when they are sent.
async fn decisions(
    client: &reqwest::Client,
    url: &str,
    model: &str,
    texts: usize,
    in_flight: usize,
) {
    const THINKS: u64 = 800;
    let mut from = 0;
    // The first round warms up: connections, tables, plans of statements.
    for (jitter, count) in [(200, in_flight * 2), (200, texts), (0, texts)] {
        client
            .post(format!("{model}/_control/latency"))
            .json(&json!({"mean_ms": THINKS, "jitter_ms": jitter}))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .expect("the latency is set");
        let (answers, wrong) = post_all(client, url, from..from + count, in_flight).await;
        from += count;
        assert!(wrong.is_empty(), "{:?}", wrong.first());
        let of = |action: &str| {
            let mut took: Vec<Duration> = answers
                .iter()
                .filter(|(n, _)| case(*n).1 == action)
                .map(|(_, took)| *took)
                .collect();
            took.sort_unstable();
            took
        };
        if count != texts {
            continue;
        }
        println!("model {THINKS} ms ± {jitter}, texts {count}, in flight {in_flight}");
        for (what, took) in [
            ("decided", of("queued_for_approval")),
            ("sent", of("auto_sent")),
        ] {
            let at = |percent| percentile(&took, percent);
            println!("  {what:<8} {:>8.1} ms p50, {:.1} ms p95", at(50), at(95));
            if jitter == 0 {
                let ours = |percent| at(percent) - THINKS as f64;
                println!(
                    "  of it ours {:>6.1} ms p50, {:.1} ms p95",
                    ours(50),
                    ours(95)
                );
            }
        }
    }
}

/// How long a caller waits who only wants to know that the text is stored. The texts are a manager's
/// business, so that none of them reaches a phone.
async fn acknowledgements(
    client: &reqwest::Client,
    url: &str,
    texts: usize,
    in_flight: usize,
) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (client, next, url) = (client.clone(), next.clone(), url.to_owned());
            tokio::spawn(async move {
                let mut took = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= texts / 3 {
                        return took;
                    }
                    let body = json!({"tenant_id": format!("t203{n:07}"), "phone_number": format!("+1203{n:07}"),
                        "content": "I already paid this", "conversation_id": format!("a{n}")});
                    let sent = Instant::now();
                    let answer = client
                        .post(format!("{url}/orchestrate/sms-received"))
                        .header("Prefer", "respond-async")
                        .json(&body)
                        .send()
                        .await
                        .expect("an answer");
                    assert_eq!(answer.status().as_u16(), 202);
                    took.push(sent.elapsed());
                }
            })
        })
        .collect();
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await.expect("a worker"));
    }
    took.sort_unstable();
    took
}

/// How long a message spends in each stage, from delivery to acknowledgement.
async fn mean_stage_times(client: &reqwest::Client, sidecar: &str) -> Vec<(String, f64)> {
    let text = client
        .get(format!("{sidecar}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let value = |prefix: &str, stage: &str| -> f64 {
        let label = format!("{prefix}{{outcome=\"handled\",stage=\"{stage}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&label));
        line.and_then(|v| v.parse().ok()).unwrap_or(0.0)
    };
    let stages = orchestrator::stages::STAGES.iter().map(|row| row.name);
    let mean = |stage: &str| {
        let sum = value("orchestrator_stage_seconds_sum", stage);
        1000.0 * sum / value("orchestrator_stage_seconds_count", stage).max(1.0)
    };
    stages
        .map(|stage| (stage.to_owned(), mean(stage)))
        .collect()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn binary(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_BIN_EXE_orchestrator")).with_file_name(name)
}

async fn wait_ready(client: &reqwest::Client, sidecar: &str) {
    for _ in 0..200 {
        let ready = client.get(format!("{sidecar}/health/ready")).send().await;
        if ready.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the service did not become ready");
}

async fn texts_on_phones(client: &reqwest::Client, agent: &str) -> HashMap<String, usize> {
    let url = format!("{agent}/_control/messages");
    let messages: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    let list = messages
        .as_array()
        .or_else(|| messages["messages"].as_array())
        .expect("a list")
        .clone();
    let mut phones = HashMap::new();
    for message in list {
        *phones
            .entry(message["to"].as_str().unwrap_or_default().to_owned())
            .or_insert(0) += 1;
    }
    phones
}
