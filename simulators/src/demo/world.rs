//! Everything the demo runs: servers, neighbours, the service itself.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions, Program, default_root};
use simulators::{Config, Neighbours, Profile};

use super::Options;
use super::client::Client;
use super::screen::cut;

/// The first start applies migrations and makes streams; a busy machine needs its time.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long the service may finish what it has begun; it is told a second less.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Stops when dropped, in the order of its fields.
pub(super) struct World {
    service: Program,
    pub neighbours: Neighbours,
    nats: Nats,
    _postgres: Postgres,
    pub port: u16,
    sidecar_port: u16,
    log: PathBuf,
    program: PathBuf,
}

impl World {
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let root = default_root();
        let nats = NatsOptions {
            preferred_port: Some(options.nats_port),
            config: Some(root.join("nats/server.conf")).filter(|file| file.exists()),
            ..NatsOptions::default()
        };
        let nats = begin("nats-server", move || Ok(Nats::start(nats)?)).await?;
        println!("{}", nats.url());
        let postgres = PostgresOptions {
            preferred_port: Some(options.postgres_port),
            ..PostgresOptions::default()
        };
        let (postgres, database) = begin("Postgres", move || {
            let postgres = Postgres::start(postgres)?;
            let database = postgres.create_database("orchestrator")?;
            Ok((postgres, database))
        })
        .await?;
        println!("{database}");
        let neighbours = Neighbours::start(Config {
            profile: Profile::Demo,
            ..Config::default()
        })
        .await?;
        let (port, sidecar_port) = (free(options.port)?, free(options.sidecar_port)?);
        let environment = environment(&[
            ("DATABASE_URL", &database),
            ("NATS_URL", &nats.url()),
            ("MONITOR_URL", &neighbours.monitor.url()),
            ("SMS_AGENT_URL", &neighbours.sms_agent.url()),
            ("NOTIFICATION_URL", &neighbours.notifications.url()),
            ("OPENAI_BASE_URL", &neighbours.model_base_url()),
            ("OPENAI_API_KEY", "demo"),
            // Nobody is asked for a token, so nobody else on the network may come in.
            ("AUTH_ENABLED", "false"),
            // A demo at night should show answers, and what the carrier would say after STOP.
            ("CONTACT_HOURS", "off"),
            ("OPT_OUT_CONFIRMATION", "service"),
            ("COMPANY_NAME", "Elm Street Homes"),
            ("HOST", "127.0.0.1"),
            ("PORT", &port.to_string()),
            ("SIDECAR_PORT", &sidecar_port.to_string()),
            ("LOG_FORMAT", "text"),
            ("NO_COLOR", "1"),
            ("SHUTDOWN_SECONDS", "4"),
        ]);
        let log = root.join(".dev/demo.log");
        let program = beside_us("orchestrator")?;
        let service = Program::start(&program, &["serve"], &environment, &log, STOP_WITHIN)?;
        let mut world = Self {
            service,
            neighbours,
            nats,
            _postgres: postgres,
            port,
            sidecar_port,
            log,
            program,
        };
        world.wait_until_ready().await?;
        Ok(world)
    }

    pub fn nats_port(&self) -> u16 {
        self.nats.port()
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        announce("orchestrator")?;
        let client = Client::new(self.port)?;
        let begun = Instant::now();
        let mut dots = 0;
        while !client.is_ready().await {
            self.is_running()?;
            if begun.elapsed() > READY_WITHIN {
                bail!(
                    "the service is not ready after {} s; the end of {}:\n{}",
                    READY_WITHIN.as_secs(),
                    self.log.display(),
                    self.service.log_tail()
                );
            }
            if begun.elapsed().as_secs() > dots {
                dots += 1;
                print!(".");
                std::io::stdout().flush()?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!(
            "http://localhost:{}   (log: {})",
            self.port,
            self.log.display()
        );
        Ok(())
    }

    fn is_running(&mut self) -> anyhow::Result<()> {
        match self.service.exited() {
            None => Ok(()),
            Some(status) => bail!(
                "the service ended ({status}); the end of {}:\n{}",
                self.log.display(),
                self.service.log_tail()
            ),
        }
    }

    pub fn print_ways_in(&self, waiting: Option<&str>) {
        let base = format!("http://localhost:{}", self.port);
        if let Some(id) = waiting {
            println!("\nApprove the reply that waits for you:");
            println!(
                "  curl -s -X POST {base}/orchestrate/approve-response -H 'Content-Type: application/json' -d '{{\"response_queue_id\":\"{id}\",\"action\":\"approve\",\"manager_id\":\"you\"}}'"
            );
        }
        println!("\nSend a text of your own:");
        println!(
            "  curl -s -X POST {base}/orchestrate/sms-received -H 'Content-Type: application/json' -d '{{\"tenant_id\":\"12346\",\"phone_number\":\"+12025550144\",\"conversation_id\":\"conv-12346\",\"content\":\"How much do I owe?\"}}'"
        );
        println!(
            "\nContact hours (08:00-21:00 where the tenant is) are switched off here; is now one of them?"
        );
        println!(
            "  echo '{{\"id\":1,\"phone\":\"+12025550144\",\"property_zone\":null,\"instant\":\"'$(date -u +%FT%TZ)'\"}}' | {} contact-hours",
            self.program.display()
        );
        println!("\nLook around:");
        println!("  curl -s {base}/orchestrate/approvals");
        println!("  curl -s {base}/orchestrate/holds");
        println!("  curl -s '{base}/orchestrate/consents?status=opted_out'");
        println!("  curl -s {base}/orchestrate/workflow/conv-12347/status");
        println!("  curl -s http://localhost:{}/metrics", self.sidecar_port);
        let nats = self.nats.url();
        println!("  nats -s {nats} stream ls");
        println!("  nats -s {nats} consumer report ORCHESTRATOR");
        println!("  nats -s {nats} sub 'escalation.>'");
    }

    /// Prints what arrives on phones and in inboxes; returns only when the service has ended.
    pub async fn watch(&mut self) -> anyhow::Result<()> {
        let mut texts = self.neighbours.sms_agent.messages().len();
        let mut told = self.neighbours.notifications.notifications().len();
        loop {
            for text in self.neighbours.sms_agent.messages().iter().skip(texts) {
                println!("  phone {}: {}", text.to, cut(&text.body, 150));
                texts += 1;
            }
            let all = self.neighbours.notifications.notifications();
            for notification in all.iter().skip(told) {
                let subject = notification.content["subject"].as_str().unwrap_or("?");
                println!("  inbox {}: {}", notification.recipient, cut(subject, 150));
                told += 1;
            }
            self.is_running()?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn announce(what: &str) -> anyhow::Result<()> {
    print!("{what:<14}");
    std::io::stdout().flush()?;
    Ok(())
}

/// Starting a server blocks; a download may even take minutes, and prints that it does.
async fn begin<T: Send + 'static>(
    what: &'static str,
    start: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    announce(what)?;
    tokio::task::spawn_blocking(start)
        .await?
        .with_context(|| format!("{what} cannot be started"))
}

/// What the service sees, and no more: settings of a real deployment that somebody has exported
/// must not send real texts from a demo.
fn environment(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept = ["PATH", "HOME", "TMPDIR", "LOG_LEVEL", "RUST_BACKTRACE"];
    let kept = kept
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    kept.chain(settings).collect()
}

/// The preferred port when nobody has it, on whatever address; any free one otherwise.
fn free(preferred: u16) -> anyhow::Result<u16> {
    let everywhere = TcpListener::bind(("::", preferred))
        // A machine without IPv6.
        .or_else(|_| TcpListener::bind(("0.0.0.0", preferred)));
    let listener = match everywhere {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("127.0.0.1", 0))?,
    };
    Ok(listener.local_addr()?.port())
}

fn beside_us(name: &str) -> anyhow::Result<PathBuf> {
    let us = std::env::current_exe().context("where am I?")?;
    let program = us.with_file_name(name);
    if program.is_file() {
        return Ok(program);
    }
    bail!("{} is not there; `make demo` builds it", program.display())
}
