//! Puts the parts together and takes them apart again in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use crate::bridge::{self, Bridge, Feeds, Limits, Parts, Tokens, Waiting};
use crate::config::Config;
use crate::engine::committer::Committer;
use crate::engine::connection::connect;
use crate::engine::publisher::Publisher;
use crate::engine::runner::Engine;
use crate::engine::stage::Io;
use crate::engine::topology::{self, Mode};
use crate::engine::{Clock, Stage as _, alarm, outages, room, sweep};
use crate::listener;
use crate::neighbours::open::Opening;
use crate::ops::health::Health;
use crate::ops::metrics::Metrics;
use crate::ops::sidecar::{self, Sidecar};
use crate::ops::{Looking, Watching, retention};
use crate::stages::deliver::Deliver;
use crate::stages::intake::Intake;
use crate::stages::timer::Timer;
use crate::stages::{Row, STAGES};
use crate::store;
use crate::store::Db;

/// Which parts of the service this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Serves HTTP.
    pub bridge: bool,
    /// Runs these stages.
    pub stages: Vec<&'static str>,
}

impl Roles {
    /// Everything.
    pub fn all() -> Self {
        Self {
            bridge: true,
            stages: STAGES.iter().map(|row| row.name).collect(),
        }
    }
}

/// A running service.
pub struct Service {
    /// Where the bridge listens.
    pub bridge: Option<SocketAddr>,
    /// Where the sidecar listens.
    pub sidecar: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    stages: TaskTracker,
    commits: CancellationToken,
    patience: Duration,
    client: async_nats::Client,
}

impl Service {
    /// Starts. Ports are bound before anything else; Postgres and NATS may come later, and until
    /// then the service is alive, not ready, and says why.
    pub async fn start(config: Config, roles: Roles, clock: Clock) -> anyhow::Result<Self> {
        if roles.bridge {
            config.bridge.auth.check()?;
        }
        let metrics = Arc::new(Metrics::new()?);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let health = Arc::new(Health::new(stop.clone(), metrics.clone()));
        let sidecar =
            listener::listen(&config.bridge.host, config.sidecar_port, "SIDECAR_PORT").await?;
        let sidecar_address = sidecar.local_addr()?;
        let app = sidecar::router(Sidecar {
            health: health.clone(),
            metrics: metrics.clone(),
        });
        let plain = config.bridge.listener.plain();
        tasks.spawn(listener::serve(sidecar, &plain, app, stop.clone())?);

        let listener = match roles.bridge {
            true => Some(listener::listen(&config.bridge.host, config.bridge.port, "PORT").await?),
            false => None,
        };
        let bridge_address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let (db, patience) = store::open(&config.database)?;
        let client = connect(&config.nats).await?;
        let publisher = Publisher {
            jetstream: async_nats::jetstream::new(client.clone()),
            names: config.nats.names.clone(),
            client: client.clone(),
        };
        tasks.spawn(
            health
                .clone()
                .watch(db.clone(), patience.clone(), client.clone()),
        );
        let (told, changes) = mpsc::channel(outages::AT_ONCE);
        let neighbours = Opening {
            settings: &config.neighbours,
            clock: &clock,
            metrics: &metrics,
            told: Some(told),
        }
        .all()?;
        tasks.spawn(outages::publish(changes, publisher.clone(), stop.clone()));
        let looking = Looking {
            db: &db,
            publisher: &publisher,
            neighbours: &neighbours,
            health: &health,
            metrics: &metrics,
            clock: &clock,
        };
        let watching = Watching::start(&looking, config.ops, roles.bridge, &tasks, &stop);
        if let Some(listener) = listener {
            let bridge = Bridge::from(Parts {
                db: db.clone(),
                publisher: publisher.clone(),
                waiting: Waiting::listen(&client).await?,
                feeds: Feeds::new(&config.bridge.feed, stop.clone()),
                tokens: Tokens::new(&config.bridge.auth, clock.clone())?,
                limits: Limits::new(&config.bridge.limits),
                health: health.clone(),
                watching,
                figures: Arc::default(),
                metrics: metrics.clone(),
                clock: clock.clone(),
                settings: config.bridge.clone(),
                model_configured: neighbours.model.is_configured(),
                circuits: neighbours.circuits.clone(),
            });
            let app = NormalizePathLayer::trim_trailing_slash().layer(bridge::router(bridge));
            let app = axum::Router::new().fallback_service(app);
            let settings = &config.bridge.listener;
            tasks.spawn(listener::serve(listener, settings, app, stop.clone())?);
        }
        let commits = CancellationToken::new();
        let stages = TaskTracker::new();
        let engine = Arc::new(Engine {
            committer: Committer::start(
                &config.database,
                &patience,
                &clock,
                &metrics,
                config.engine.commit_shards,
                &commits,
            )?,
            publisher: publisher.clone(),
            io: Io {
                neighbours,
                db: db.clone(),
                questions: store::Questions::start(&store::pool::for_rounds(
                    &config.database,
                    QUESTIONERS,
                    &patience,
                )?),
                clock: clock.clone(),
                metrics: Arc::clone(&metrics),
            },
            patience,
            clock,
            settings: config.engine.clone(),
            metrics,
            stop: stop.clone(),
            tasks: stages.clone(),
            alone: Engine::suspects(),
        });
        let patience = config.engine.shutdown;
        tasks.spawn(run_stages(config, roles, engine, health));
        Ok(Self {
            bridge: bridge_address,
            sidecar: sidecar_address,
            stop,
            tasks,
            stages,
            commits,
            patience,
            client,
        })
    }

    /// Stops: no new requests, no new messages; what is under way is finished within the patience;
    /// what is not begins again elsewhere, because it was never acknowledged.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.stages.close();
        let drained = async {
            self.stages.wait().await;
            self.tasks.wait().await;
        };
        if tokio::time::timeout(self.patience, drained).await.is_err() {
            tracing::warn!("work in flight was left to redelivery");
        }
        self.commits.cancel();
        // The last acknowledgements are only queued: a process that ends now would take them along.
        let flushed = self.client.flush();
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::debug!("the last acknowledgements may not have left");
        }
    }
}

/// Connections for what stages ask before they decide: one for each kind of question.
const QUESTIONERS: u32 = 2;

/// How long the last acknowledgements may take to leave; without NATS they never do.
const FLUSH: Duration = Duration::from_secs(1);

/// Waits until everything is there, then runs the stages until the end.
async fn run_stages(config: Config, roles: Roles, engine: Arc<Engine>, health: Arc<Health>) {
    let stop = engine.stop.clone();
    // The reader's tables take a moment to compile; no tenant should wait for that.
    let _ = tokio::task::spawn_blocking(crate::reading::warm_up).await;
    while !stop.is_cancelled() {
        match prepare(&config, &engine.io.db, &engine.publisher).await {
            Ok(()) => break,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "not ready yet");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
            }
        }
    }
    health.set_topology(true);
    tracing::info!(stages = roles.stages.join(","), "running");
    let rows = roles.stages.iter().filter_map(|name| Row::named(name));
    let stages = rows.map(|row| row.start(engine.clone(), &config.stages));
    let stages = futures::future::join_all(stages);
    // Whoever handles it also says that it is due.
    let alarm = async {
        let settings = alarm::AlarmSettings {
            every: config.engine.wake_every,
            silence: config.engine.silence,
            texts: roles.stages.contains(&Deliver::NAME),
            timers: roles.stages.contains(&Timer::NAME),
        };
        if settings.texts || settings.timers {
            alarm::run(engine.clone(), settings).await;
        }
    };
    let sweep = async {
        if !roles.stages.is_empty() {
            sweep::run(engine.clone()).await;
        }
    };
    // Whoever takes texts in looks after the room for them.
    let room = async {
        if roles.stages.contains(&Intake::NAME) {
            room::keep(engine.clone()).await;
        }
    };
    // Likewise beside the stage that watches the time, so that a bridge never purges.
    let retention = async {
        if roles.stages.contains(&Timer::NAME) {
            let (db, publisher) = (engine.io.db.clone(), engine.publisher.clone());
            let (clock, stop) = (engine.clock.clone(), engine.stop.clone());
            retention::run(db, publisher, config.ops.retention, clock, stop).await;
        }
    };
    futures::join!(stages, alarm, sweep, room, retention);
}

pub(crate) async fn prepare(config: &Config, db: &Db, publisher: &Publisher) -> anyhow::Result<()> {
    let mode = if config.setup_on_start {
        Mode::CreateMissing
    } else {
        Mode::Check
    };
    // Behind a pooler they were applied over another address; health says so when they were not.
    if config.setup_on_start && !db.is_pooled() {
        store::migrate(db).await.context("migrations")?;
    }
    let findings = topology::ensure(
        &publisher.client,
        &publisher.names,
        config.nats.replicas,
        mode,
    )
    .await?;
    for finding in &findings {
        match &finding.state {
            topology::State::Missing => anyhow::bail!(
                "{} is missing: run `orchestrator topology apply`",
                finding.what
            ),
            topology::State::Differs(fields) => tracing::warn!(
                what = finding.what,
                fields = fields.join(","),
                "differs from the file; `orchestrator topology apply` would update it"
            ),
            topology::State::Created => tracing::info!(what = finding.what, "created"),
            _ => {}
        }
    }
    Ok(())
}
