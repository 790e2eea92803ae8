//! The bridge for an SMS Agent that calls nobody: `orchestrator relay` (`upstreams.md` §2.4).
//!
//! Two ways to see every inbound text, never both for the same agent at once, because they name
//! conversations differently:
//!
//! - [`webhook`], the default: the public address that the SMS provider posts to. The request goes
//!   to the agent as it came; after its 200 the text is in a queue of ours (`relay_queue`), and
//!   [`drain`] brings it to the stream.
//! - [`tables`]: reads the agent's tables by cursor. Nothing changes at the provider.
//!
//! What arrives on the stream is an ordinary `sms.received`, so nothing behind it knows of the relay.

mod drain;
mod event;
pub(crate) mod form;
mod tables;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Env};
use crate::engine::publisher::Publisher;
use crate::engine::{Clock, connection};
use crate::listener;
use crate::neighbours::SmsAgent;
use crate::neighbours::open::Opening;
use crate::ops::health::Health;
use crate::ops::metrics::Metrics;
use crate::ops::sidecar::{self, Sidecar};
use crate::service;
use crate::store::{self, DatabaseSettings};

/// How inbound texts are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayMode {
    /// In front of the agent.
    Webhook,
    /// Behind it.
    Tables,
}

/// The relay's own settings.
#[derive(Debug, Clone)]
pub struct RelaySettings {
    /// `RELAY_MODE`: `webhook` or `tables`.
    pub mode: RelayMode,
    /// `RELAY_PORT`.
    pub port: u16,
    /// `RELAY_SMS_PATHS`: inbound texts come here.
    pub sms_paths: Vec<String>,
    /// `RELAY_PASS_PATHS`: handed to the agent and to nobody else.
    pub pass_paths: Vec<String>,
    /// `RELAY_AGENT_TIMEOUT_SECONDS`: longer than the provider waits, because its leaving does not
    /// undo what the agent does.
    pub agent_timeout: Duration,
    /// `RELAY_MAX_PARALLEL`: requests under way at once.
    pub parallel: usize,
    /// `SMS_AGENT_DATABASE_URL`; ours when left out.
    pub agent_database: Option<DatabaseSettings>,
    /// `RELAY_POLL_MS`: how often the agent's tables are read.
    pub poll: Duration,
    /// `RELAY_START_AFTER`: where the very first reading begins; at the end when left out.
    pub start_after: Option<i64>,
}

impl RelaySettings {
    /// Reads the relay's variables.
    pub fn read(env: &Env) -> Self {
        let mode = match env
            .one_of("RELAY_MODE", "webhook", &["webhook", "tables"])
            .as_str()
        {
            "tables" => RelayMode::Tables,
            _ => RelayMode::Webhook,
        };
        let paths = |name: &str, default: &str| {
            let text = env.text(name, default);
            let mut paths: Vec<String> = text.split(',').map(|p| p.trim().to_owned()).collect();
            paths.sort();
            paths.dedup();
            // The rest would mean something to the router.
            let plain =
                |p: &String| p.starts_with('/') && !p.contains(['{', '}', '*', ':', '?', '#']);
            if !paths.iter().all(plain) {
                env.fault(name, "must be paths that begin with /, separated by commas");
            }
            paths
        };
        let sms_paths = paths("RELAY_SMS_PATHS", "/webhook/twilio/sms");
        let pass_paths = paths("RELAY_PASS_PATHS", "/webhook/twilio/status");
        if sms_paths.iter().any(|p| pass_paths.contains(p)) {
            env.fault("RELAY_PASS_PATHS", "has a path of RELAY_SMS_PATHS");
        }
        let agent_database =
            env.secret_of(&["SMS_AGENT_DATABASE_URL"])
                .map(|url| DatabaseSettings {
                    url,
                    max_connections: 2,
                    statement_cache: env.number("DATABASE_STATEMENT_CACHE", 100),
                    // Works on a direct connection too, with a round trip or two more.
                    pooled: env.text("DATABASE_POOLER", "none") == "transaction",
                    timeout: env.seconds("DATABASE_TIMEOUT_SECONDS", 30.0),
                });
        if let Some(database) = &agent_database
            && (!database.url.expose_secret().starts_with("postgres")
                || database.options().is_err())
        {
            env.fault("SMS_AGENT_DATABASE_URL", "is not a postgres:// address");
        }
        let start_after = env
            .optional("RELAY_START_AFTER")
            .map(|_| env.number("RELAY_START_AFTER", 0_i64));
        Self {
            mode,
            port: env.number("RELAY_PORT", 8080),
            sms_paths,
            pass_paths,
            agent_timeout: env.seconds("RELAY_AGENT_TIMEOUT_SECONDS", 20.0),
            parallel: env.number("RELAY_MAX_PARALLEL", 100),
            agent_database,
            poll: env.millis("RELAY_POLL_MS", 1000),
            start_after,
        }
    }
}

/// What the parts of the relay share.
struct Relay {
    db: crate::store::Db,
    agent: SmsAgent,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    clock: Clock,
    settings: RelaySettings,
    /// First pause of everything that is tried again.
    retry_base: Duration,
    /// Something is due at once.
    arrived: tokio::sync::Notify,
    stop: CancellationToken,
}

impl Relay {
    /// When to try again after `attempts` failures: doubled each time, ten seconds at most, because
    /// a tenant waits.
    fn pause(&self, attempts: i32) -> TimeDelta {
        let doubled = self
            .retry_base
            .max(Duration::from_millis(10))
            .saturating_mul(1 << attempts.clamp(0, 10).unsigned_abs());
        TimeDelta::from_std(doubled.min(Duration::from_secs(10))).unwrap_or(TimeDelta::seconds(10))
    }

    /// When a stage should have handled what was published; doubled each time, half an hour at most:
    /// a backlog is no loss, and more copies would only lengthen it.
    fn taken_by(&self, from: DateTime<Utc>, attempts: i32) -> DateTime<Utc> {
        let doubled =
            (self.retry_base * 60).saturating_mul(1 << attempts.clamp(0, 5).unsigned_abs());
        from + TimeDelta::from_std(doubled.min(Duration::from_secs(1800)))
            .unwrap_or(TimeDelta::minutes(1))
    }

    /// After which an agent that gave no clear answer has certainly finished, one way or another.
    fn clear_by(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        from + TimeDelta::from_std(self.settings.agent_timeout).unwrap_or(TimeDelta::seconds(20))
            + TimeDelta::seconds(2)
    }

    fn count(&self, outcome: &str) {
        self.metrics.relayed.with_label_values(&[outcome]).inc();
    }
}

/// A running relay.
pub struct Running {
    /// Where the provider posts to; none when tables are read.
    pub webhook: Option<SocketAddr>,
    /// Where the sidecar listens.
    pub sidecar: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    patience: Duration,
}

impl Running {
    /// Starts. The webhook works before Postgres and NATS do: the agent must not miss texts
    /// because something behind it is away.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let webhook = config.relay.mode == RelayMode::Webhook;
        let mut health = Health::new(stop.clone(), metrics.clone());
        if webhook {
            health = health.that_serves_regardless();
        }
        let health = Arc::new(health);
        let host = &config.bridge.host;
        let sidecar = listener::listen(host, config.sidecar_port, "SIDECAR_PORT").await?;
        let sidecar_address = sidecar.local_addr()?;
        let app = sidecar::router(Sidecar {
            health: health.clone(),
            metrics: metrics.clone(),
        });
        let plain = config.bridge.listener.plain();
        tasks.spawn(listener::serve(sidecar, &plain, app, stop.clone())?);
        let listener = match webhook {
            true => Some(listener::listen(host, config.relay.port, "RELAY_PORT").await?),
            false => None,
        };
        let address = listener.as_ref().map(|l| l.local_addr()).transpose()?;
        let (db, patience) = store::open(&config.database)?;
        let client = connection::connect(&config.nats).await?;
        tasks.spawn(health.clone().watch(db.clone(), patience, client.clone()));
        let relay = Arc::new(Relay {
            db,
            agent: Opening {
                settings: &config.neighbours,
                clock: &clock,
                metrics: &metrics,
                told: None,
            }
            .agent_once()?,
            publisher: Publisher {
                jetstream: async_nats::jetstream::new(client.clone()),
                names: config.nats.names.clone(),
                client,
            },
            metrics,
            clock,
            settings: config.relay.clone(),
            retry_base: config.neighbours.retry.base,
            arrived: tokio::sync::Notify::new(),
            stop: stop.clone(),
        });
        if let Some(listener) = listener {
            let app = webhook::router(relay.clone(), tasks.clone());
            tasks.spawn(listener::serve(listener, &plain, app, stop.clone())?);
        }
        let patience = config.engine.shutdown;
        tasks.spawn(work(config, relay, health));
        Ok(Self {
            webhook: address,
            sidecar: sidecar_address,
            stop,
            tasks,
            patience,
        })
    }

    /// Stops: no new requests; those under way are finished within the patience. What is queued
    /// stays queued.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.patience, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("requests in flight were left to the next relay");
        }
    }
}

/// Waits for tables and streams, then relays until the end.
async fn work(config: Config, relay: Arc<Relay>, health: Arc<Health>) {
    while !relay.stop.is_cancelled() {
        match service::prepare(&config, &relay.db, &relay.publisher).await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "not ready yet");
                tokio::select! {
                    () = relay.stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
            }
        }
    }
    health.set_topology(true);
    match relay.settings.mode {
        RelayMode::Webhook => drain::run(&relay).await,
        RelayMode::Tables => {
            let zone = config.neighbours.agent.zone;
            match agent_tables(&config).context("SMS_AGENT_DATABASE_URL") {
                Ok(agent) => {
                    let reading = tables::run(&relay, &agent, zone);
                    futures::future::join(reading, drain::run(&relay)).await;
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "no tables to read"),
            }
        }
    }
}

fn agent_tables(config: &Config) -> Result<crate::store::Db, sqlx::Error> {
    store::connect(
        config
            .relay
            .agent_database
            .as_ref()
            .unwrap_or(&config.database),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<RelaySettings, String> {
        let env = Env::from_pairs(pairs);
        let settings = RelaySettings::read(&env);
        env.finish().map(|()| settings).map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_are_the_agents_own_paths() {
        let settings = read(&[]).expect("defaults");
        assert_eq!(settings.mode, RelayMode::Webhook);
        assert_eq!(settings.sms_paths, ["/webhook/twilio/sms"]);
        assert_eq!(settings.pass_paths, ["/webhook/twilio/status"]);
        assert_eq!(settings.start_after, None);
    }

    #[test]
    fn paths_the_router_would_not_take_literally_are_refused() {
        for bad in ["sms", "/a/{b}", "/a/:b", "/a/*", "/a?b=c", "/a,,/b"] {
            let fault = read(&[("RELAY_SMS_PATHS", bad)]).expect_err(bad);
            assert!(fault.contains("RELAY_SMS_PATHS"), "{fault}");
        }
        let same = [("RELAY_SMS_PATHS", "/a, /b,/a"), ("RELAY_PASS_PATHS", "/b")];
        let fault = read(&same).expect_err("one path, two meanings");
        assert!(fault.contains("RELAY_PASS_PATHS"), "{fault}");
        let two = read(&[("RELAY_SMS_PATHS", "/a, /b,/a")]).expect("two paths");
        assert_eq!(two.sms_paths, ["/a", "/b"]);
    }

    #[test]
    fn the_agents_database_is_checked_and_its_password_is_not_shown() {
        let fault = read(&[("SMS_AGENT_DATABASE_URL", "mysql://u:hunter2@h/x")]);
        let fault = fault.expect_err("not Postgres");
        assert!(fault.contains("SMS_AGENT_DATABASE_URL") && !fault.contains("hunter2"));
    }
}
