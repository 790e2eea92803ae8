//! Whether the neighbours can be reached (`http-api.md` §1).
//!
//! Asked at most every ten seconds however often somebody wants to know: one who asks starts the
//! probes, the others wait for the same answer. The probes run side by side, two seconds each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store::Db;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::metrics::Metrics;
use crate::engine::Clock;
use crate::events::Neighbour;
use crate::neighbours::Neighbours;
use crate::neighbours::breaker::CircuitState;
use crate::store::neighbour_checks::{self, Check};

/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(10);
/// Slower than this is degraded.
const SLOW: Duration = Duration::from_secs(1);
/// How long a failed call to the model counts. Nothing may follow it for hours, so after that the
/// free probe decides.
const FAILURE_COUNTS_FOR: TimeDelta = TimeDelta::seconds(60);

/// The neighbours in the contract's order.
pub const NEIGHBOURS: [Neighbour; 4] = [
    Neighbour::CollectionsMonitor,
    Neighbour::SmsAgent,
    Neighbour::NotificationService,
    Neighbour::Openai,
];

/// Asks the neighbours.
pub struct Dependencies {
    neighbours: Neighbours,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    clock: Clock,
    cached: Mutex<Option<(Instant, Arc<Report>)>>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The neighbours.
    pub services: Vec<Service>,
    /// Our Postgres.
    pub supabase: bool,
    /// Our message stream.
    pub nats: bool,
    /// How long Postgres took.
    pub database_took: Duration,
    /// When.
    pub at: DateTime<Utc>,
}

/// One neighbour.
#[derive(Debug, Clone)]
pub struct Service {
    /// Who.
    pub who: Neighbour,
    /// It answers, and its circuit lets calls through.
    pub up: bool,
    /// Its circuit.
    pub circuit: CircuitState,
    /// How long the probe took.
    pub took: Duration,
    /// What the newest call or probe said when it failed.
    pub error: Option<String>,
}

impl Service {
    /// `healthy`, `degraded` or `down`.
    pub fn status(&self) -> &'static str {
        match self {
            Self { up: false, .. } => "down",
            Self {
                circuit: CircuitState::Closed,
                took,
                ..
            } if *took <= SLOW => "healthy",
            _ => "degraded",
        }
    }
}

impl Dependencies {
    /// Nothing is asked yet.
    pub fn new(
        neighbours: Neighbours,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        Self {
            neighbours,
            health,
            metrics,
            clock,
            cached: Mutex::new(None),
        }
    }

    /// What was found within the last ten seconds; our own servers as they are now.
    pub async fn report(&self) -> Report {
        let mut cached = self.cached.lock().await;
        let report = match &*cached {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            _ => {
                let report = Arc::new(self.ask().await);
                *cached = Some((Instant::now(), report.clone()));
                report
            }
        };
        drop(cached);
        Report {
            supabase: self.health.database(),
            nats: self.health.nats(),
            database_took: self.health.database_took(),
            ..(*report).clone()
        }
    }

    /// Asks every so often and writes down who was up, for the figures of days. The first time
    /// after one interval: a process that starts over and over is no witness.
    pub async fn watch(self: Arc<Self>, db: Db, every: Duration, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let report = Arc::new(self.ask().await);
            let check = |service: &Service| Check {
                service: service.who.as_str(),
                healthy: service.up,
                response_ms: service.took.as_secs_f64() * 1000.0,
                at: report.at,
            };
            let checks: Vec<Check> = report.services.iter().map(check).collect();
            *self.cached.lock().await = Some((Instant::now(), report));
            if let Err(error) = neighbour_checks::add(&db, &checks).await {
                tracing::debug!(%error, "the neighbours' health was not written down");
            }
        }
    }

    async fn ask(&self) -> Report {
        let services = join_all(NEIGHBOURS.map(|who| self.probe(who))).await;
        for service in &services {
            let up = i64::from(service.up);
            let name = service.who.as_str();
            self.metrics.reachable.with_label_values(&[name]).set(up);
        }
        Report {
            services,
            supabase: false,
            nats: false,
            database_took: Duration::ZERO,
            at: self.clock.now(),
        }
    }

    async fn probe(&self, who: Neighbour) -> Service {
        let began = Instant::now();
        let circuits = self.neighbours.circuits_of(who);
        // Either model will do; of the agent both are needed, history and sending.
        let circuit = match who {
            Neighbour::Openai => circuits.iter().map(|c| c.state).min_by_key(|s| s.figure()),
            _ => circuits.iter().map(|c| c.state).max_by_key(|s| s.figure()),
        };
        let circuit = circuit.unwrap_or(CircuitState::Closed);
        let newest = circuits.iter().max_by_key(|c| c.last_call);
        let said = newest.filter(|c| c.last_call_worked == Some(false));
        let configured = who != Neighbour::Openai || self.neighbours.model.is_configured();
        // The model's calls tell more than its list; before the first one a key is enough
        // (`http-api.md` §12.8).
        let (failed, untried) = match who {
            Neighbour::Openai => (
                said.is_some_and(|c| c.last_call.is_some_and(|at| self.is_recent(at))),
                configured && newest.is_some_and(|c| c.last_call.is_none()),
            ),
            _ => (false, false),
        };
        let reachable = !failed && (untried || self.neighbours.is_reachable(who).await);
        let up = reachable && circuit != CircuitState::Open;
        let error = match (up, configured) {
            (true, _) => None,
            (false, false) => Some("no key is configured".to_owned()),
            (false, true) => {
                let known = said.and_then(|c| c.last_error.clone());
                Some(known.unwrap_or_else(|| "does not answer".to_owned()))
            }
        };
        Service {
            who,
            up,
            circuit,
            took: began.elapsed(),
            error,
        }
    }

    fn is_recent(&self, at: DateTime<Utc>) -> bool {
        self.clock.now() - at < FAILURE_COUNTS_FOR
    }
}

impl Report {
    /// Whether one neighbour is up.
    pub fn up(&self, who: Neighbour) -> bool {
        self.services.iter().any(|s| s.who == who && s.up)
    }

    /// `healthy`, `degraded`, `unhealthy` or `critical`.
    pub fn overall(&self) -> &'static str {
        if !self.supabase || !self.nats {
            return "critical";
        }
        // Of the five; Postgres is up here.
        match self.services.iter().filter(|s| !s.up).count() {
            0 => "healthy",
            1 | 2 => "degraded",
            _ => "unhealthy",
        }
    }

    /// What the service still does.
    pub fn mode(&self) -> &'static str {
        let agent = self.up(Neighbour::SmsAgent);
        let model = self.up(Neighbour::Openai);
        let monitor = self.up(Neighbour::CollectionsMonitor);
        match () {
            () if !self.supabase || !self.nats => "emergency",
            () if !agent && !model => "offline",
            () if !agent => "read_only",
            () if !monitor || !model => "partial",
            () => "full",
        }
    }

    /// The dashboard's word for us: with our own servers there we take texts, whoever else is missing.
    pub fn orchestrator(&self) -> &'static str {
        match self.overall() {
            "healthy" => "healthy",
            "degraded" | "unhealthy" => "degraded",
            _ => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(down: &[Neighbour], supabase: bool, nats: bool) -> Report {
        let service = |who| Service {
            who,
            up: !down.contains(&who),
            circuit: CircuitState::Closed,
            took: Duration::ZERO,
            error: None,
        };
        Report {
            services: NEIGHBOURS.map(service).into(),
            supabase,
            nats,
            database_took: Duration::ZERO,
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_words_follow_the_contract() {
        use Neighbour::{CollectionsMonitor, NotificationService, Openai, SmsAgent};
        let cases: [(&[Neighbour], bool, bool, [&str; 3]); 9] = [
            (&[], true, true, ["healthy", "full", "healthy"]),
            (
                &[NotificationService],
                true,
                true,
                ["degraded", "full", "degraded"],
            ),
            (
                &[CollectionsMonitor],
                true,
                true,
                ["degraded", "partial", "degraded"],
            ),
            (
                &[Openai, NotificationService],
                true,
                true,
                ["degraded", "partial", "degraded"],
            ),
            (
                &[SmsAgent],
                true,
                true,
                ["degraded", "read_only", "degraded"],
            ),
            (
                &[SmsAgent, Openai],
                true,
                true,
                ["degraded", "offline", "degraded"],
            ),
            (
                &[SmsAgent, Openai, CollectionsMonitor],
                true,
                true,
                ["unhealthy", "offline", "degraded"],
            ),
            (&[], false, true, ["critical", "emergency", "down"]),
            (
                &[SmsAgent, Openai],
                true,
                false,
                ["critical", "emergency", "down"],
            ),
        ];
        for (down, supabase, nats, words) in cases {
            let report = report(down, supabase, nats);
            let found = [report.overall(), report.mode(), report.orchestrator()];
            assert_eq!(found, words, "{down:?} {supabase} {nats}");
        }
    }

    #[test]
    fn slow_or_half_open_is_degraded() {
        let mut one = report(&[], true, true).services.remove(0);
        assert_eq!(one.status(), "healthy");
        one.took = Duration::from_millis(1001);
        assert_eq!(one.status(), "degraded");
        one.took = Duration::ZERO;
        one.circuit = CircuitState::HalfOpen;
        assert_eq!(one.status(), "degraded");
        one.up = false;
        assert_eq!(one.status(), "down");
    }
}
