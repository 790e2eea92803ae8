//! Running the service: metrics, logs, health, the sidecar, and what looks around in the background.

pub mod backlog;
pub mod dependencies;
pub mod doctor;
pub mod health;
pub mod memory;
pub mod metrics;
pub mod retention;
pub mod sidecar;
pub mod telemetry;
pub mod trace;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::store::Db;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Env;
use crate::engine::Clock;
use crate::engine::publisher::Publisher;
use crate::neighbours::Neighbours;
use backlog::Backlog;
use dependencies::Dependencies;
use health::Health;
use metrics::Metrics;
use retention::RetentionSettings;

/// How often somebody looks around.
#[derive(Debug, Clone, Copy)]
pub struct OpsSettings {
    /// `BACKLOG_SECONDS`: what waits in the database and in front of the stages.
    pub backlog_every: Duration,
    /// `HEALTH_CHECK_SECONDS`: the neighbours' health, for the figures of days; 0 never.
    pub checks_every: Duration,
    /// What is old is forgotten.
    pub retention: RetentionSettings,
}

impl OpsSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let backlog_every = env.seconds("BACKLOG_SECONDS", 10.0);
        if backlog_every.is_zero() {
            env.fault("BACKLOG_SECONDS", "must be above 0");
        }
        Self {
            backlog_every,
            checks_every: env.seconds("HEALTH_CHECK_SECONDS", 30.0),
            retention: RetentionSettings::read(env),
        }
    }
}

/// What looks around.
#[derive(Clone)]
pub struct Watching {
    /// The neighbours.
    pub dependencies: Arc<Dependencies>,
    /// What waits.
    pub backlog: Arc<Backlog>,
}

/// What it looks with.
pub struct Looking<'a> {
    /// For reading.
    pub db: &'a Db,
    /// For asking the stream.
    pub publisher: &'a Publisher,
    /// Who is asked.
    pub neighbours: &'a Neighbours,
    /// Our own servers.
    pub health: &'a Arc<Health>,
    /// Where the gauges are.
    pub metrics: &'a Arc<Metrics>,
    /// The time.
    pub clock: &'a Clock,
}

impl Watching {
    /// Starts to look. The neighbours are asked by the bridges only: workers have nobody to tell.
    pub fn start(
        with: &Looking<'_>,
        settings: OpsSettings,
        bridge: bool,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let dependencies = Arc::new(Dependencies::new(
            with.neighbours.clone(),
            with.health.clone(),
            with.metrics.clone(),
            with.clock.clone(),
        ));
        let backlog = Arc::new(Backlog {
            db: with.db.clone(),
            publisher: with.publisher.clone(),
            metrics: with.metrics.clone(),
            clock: with.clock.clone(),
            every: settings.backlog_every,
            seen: RwLock::new(None),
        });
        tasks.spawn(backlog.clone().watch(stop.clone()));
        if bridge && !settings.checks_every.is_zero() {
            let watch =
                dependencies
                    .clone()
                    .watch(with.db.clone(), settings.checks_every, stop.clone());
            tasks.spawn(watch);
        }
        Self {
            dependencies,
            backlog,
        }
    }
}
