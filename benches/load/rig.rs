//! Real servers, simulated neighbours in a process of their own, and replicas of the product.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use sqlx::{PgPool, Row};

use crate::machine::{cpu_micros, family_micros, memory_mb};

/// A child process that ends with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Everything that runs. Nothing of it outlives the program.
pub(crate) struct Rig {
    pub(crate) client: reqwest::Client,
    pub(crate) nats: async_nats::Client,
    pub(crate) db: PgPool,
    environment: Vec<(String, String)>,
    replicas: Vec<(Process, u16, u16)>,
    neighbours: Process,
    ports: Vec<u16>,
    nats_server: Nats,
    postgres: Postgres,
}

/// What had been used at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    cpu: [u64; 5],
    transactions: i64,
    wal_bytes: i64,
}

impl Rig {
    /// Servers and neighbours; replicas are started by [`Rig::replicas`].
    pub(crate) async fn start() -> Self {
        let nats_server = Nats::start(NatsOptions::default()).expect("a nats-server");
        let statements = [
            "shared_preload_libraries=pg_stat_statements",
            "pg_stat_statements.track_planning=on",
        ];
        let postgres = Postgres::start(PostgresOptions {
            durable: true,
            settings: if crate::statements::wanted() {
                statements.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            },
            ..PostgresOptions::default()
        })
        .expect("a Postgres");
        let database = postgres.create_database("load").expect("a database");
        let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
        let names = ["monitor", "sms-agent", "notifications", "model"];
        let given = names
            .iter()
            .zip(&ports)
            .flat_map(|(name, port)| [format!("--{name}-port"), port.to_string()]);
        let neighbours = Command::new(binary("simulators"))
            .args(["serve", "--no-record"])
            .args(given)
            .stdout(Stdio::null())
            .spawn()
            .expect("`cargo build --release -p simulators` first");
        let at = |n: usize| format!("http://127.0.0.1:{}", ports[n]);
        // For trying other settings.
        let tried = [
            "COMMIT_SHARDS",
            "DATABASE_MAX_CONNECTIONS",
            "STAGE_CONCURRENCY",
        ];
        let mut environment: Vec<(String, String)> = std::env::vars()
            .filter(|(name, _)| tried.contains(&name.as_str()) || name.starts_with("MIMALLOC_"))
            .collect();
        for (name, value) in [
            ("DATABASE_URL", database.clone()),
            ("NATS_URL", nats_server.url()),
            ("MONITOR_URL", at(0)),
            ("SMS_AGENT_URL", at(1)),
            ("NOTIFICATION_URL", at(2)),
            ("OPENAI_BASE_URL", format!("{}/v1", at(3))),
            ("OPENAI_API_KEY", "load".to_owned()),
            ("AUTH_ENABLED", "false".to_owned()),
            ("CONTACT_HOURS", "off".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            // Raised: the question is what the service can do, not what its neighbours allow.
            ("SMS_MAX_PARALLEL", "200".to_owned()),
            ("MODEL_MAX_PARALLEL", "1200".to_owned()),
            ("OPENAI_REQUESTS_PER_MINUTE", "0".to_owned()),
            ("SYNC_BUDGET_MS", "20000".to_owned()),
            ("ACCEPT_TIMEOUT_MS", "20000".to_owned()),
            ("LOG_LEVEL", "warn".to_owned()),
        ] {
            environment.push((name.to_owned(), value));
        }
        Self {
            client: reqwest::Client::new(),
            nats: async_nats::connect(nats_server.url()).await.expect("NATS"),
            db: PgPool::connect(&database).await.expect("Postgres"),
            environment,
            replicas: Vec::new(),
            neighbours: Process(neighbours),
            ports,
            nats_server,
            postgres,
        }
    }

    /// As many replicas of the product as asked for, ready for work.
    pub(crate) async fn replicas(&mut self, count: usize) {
        while self.replicas.len() < count {
            let (port, sidecar) = (free_port(), free_port());
            let child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
                .arg("serve")
                .env_clear()
                .envs(self.environment.iter().cloned())
                .envs([
                    ("PORT", port.to_string()),
                    ("SIDECAR_PORT", sidecar.to_string()),
                ])
                .spawn()
                .expect("the product");
            self.replicas.push((Process(child), port, sidecar));
            self.wait_ready(sidecar).await;
        }
    }

    /// Kills all replicas.
    pub(crate) fn stop_replicas(&mut self) {
        self.replicas.clear();
    }

    /// The bridges, one a replica.
    pub(crate) fn bridges(&self) -> Vec<String> {
        let of = |(_, port, _): &(Process, u16, u16)| format!("http://127.0.0.1:{port}");
        self.replicas.iter().map(of).collect()
    }

    async fn wait_ready(&self, sidecar: u16) {
        let url = format!("http://127.0.0.1:{sidecar}/health/ready");
        for _ in 0..400 {
            let ready = self.client.get(&url).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the service did not become ready");
    }

    /// Everything used so far, by all replicas together.
    pub(crate) async fn usage(&self) -> Usage {
        let service = self.replicas.iter().map(|(p, ..)| cpu_micros(p.0.id()));
        let row = sqlx::query(
            "select xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
             from pg_stat_database where datname = current_database()",
        )
        .fetch_one(&self.db)
        .await
        .expect("figures of Postgres");
        Usage {
            cpu: [
                service.sum(),
                cpu_micros(self.nats_server.pid().unwrap_or(0)),
                family_micros(self.postgres.pid().unwrap_or(0)),
                cpu_micros(self.neighbours.0.id()),
                cpu_micros(std::process::id()),
            ],
            transactions: row.get(0),
            wal_bytes: row.get(1),
        }
    }

    /// The most memory a replica has had, in megabytes, and what it has now.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let of = |(p, ..): &(Process, u16, u16)| memory_mb(p.0.id());
        let all: Vec<(u64, u64)> = self.replicas.iter().map(of).collect();
        (
            all.iter().map(|m| m.1).max().unwrap_or(0),
            all.iter().map(|m| m.0).max().unwrap_or(0),
        )
    }

    /// Prints what was used between two moments, per text.
    pub(crate) fn print_usage(&self, before: Usage, after: Usage, texts: usize) {
        let per = |after: u64, before: u64| (after - before) / texts as u64;
        for (n, name) in ["service", "nats-server", "postgres", "simulators", "load"]
            .iter()
            .enumerate()
        {
            println!(
                "  CPU {name:<12}{:>9} µs/text",
                per(after.cpu[n], before.cpu[n])
            );
        }
        println!(
            "  Postgres        {:>9.2} transactions/text, {} WAL bytes/text",
            (after.transactions - before.transactions) as f64 / texts as f64,
            (after.wal_bytes - before.wal_bytes) / texts as i64
        );
        println!("  peak memory     {:>9} MB (service)", self.memory().0);
    }

    /// Sets how long the model thinks.
    pub(crate) async fn model_thinks(&self, mean_ms: u64, jitter_ms: u64) {
        let body = json!({"mean_ms": mean_ms, "jitter_ms": jitter_ms});
        self.control(3, body).await;
    }

    /// Sets how long the other neighbours take.
    pub(crate) async fn neighbours_take(&self, mean_ms: u64) {
        for neighbour in 0..3 {
            self.control(neighbour, json!({"mean_ms": mean_ms, "jitter_ms": 0}))
                .await;
        }
    }

    async fn control(&self, neighbour: usize, body: Value) {
        let url = format!(
            "http://127.0.0.1:{}/_control/latency",
            self.ports[neighbour]
        );
        let sent = self.client.post(url).json(&body).send().await;
        sent.and_then(reqwest::Response::error_for_status)
            .expect("the latency is set");
    }

    /// The numbers of all texts that reached a phone, once for each.
    pub(crate) async fn on_phones(&self) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}/_control/messages", self.ports[1]);
        let sent = self.client.get(url).send().await.unwrap();
        let messages: Value = sent.json().await.unwrap();
        let list = messages
            .as_array()
            .or_else(|| messages["messages"].as_array());
        let number = |m: &Value| m["to"].as_str().unwrap_or_default().to_owned();
        list.expect("a list").iter().map(number).collect()
    }

    /// A fresh table has no statistics, and Postgres guesses badly until its own upkeep has come by;
    /// a table in service has them.
    pub(crate) async fn analyze_tables(&self) {
        sqlx::query("analyze")
            .execute(&self.db)
            .await
            .expect("analyze");
    }

    /// How long a message spends in each stage, from delivery to acknowledgement.
    pub(crate) async fn print_stages(&self) {
        let (_, _, sidecar) = &self.replicas[0];
        let url = format!("http://127.0.0.1:{sidecar}/metrics");
        let text = self.client.get(url).send().await.unwrap();
        let text = text.text().await.unwrap();
        let value = |prefix: &str, stage: &str| -> f64 {
            let label = format!("{prefix}{{outcome=\"handled\",stage=\"{stage}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&label));
            line.and_then(|v| v.parse().ok()).unwrap_or(0.0)
        };
        for stage in orchestrator::stages::STAGES.iter().map(|row| row.name) {
            let sum = value("orchestrator_stage_seconds_sum", stage);
            let count = value("orchestrator_stage_seconds_count", stage);
            if count > 0.0 {
                println!(
                    "  stage {stage:<10}{:>9.1} ms mean, {count:.0} messages",
                    1000.0 * sum / count
                );
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn binary(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_BIN_EXE_orchestrator")).with_file_name(name)
}
