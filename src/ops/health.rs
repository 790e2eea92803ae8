//! Whether Postgres and NATS can be reached, probed in the background: a health check never waits
//! for anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::store::Db;
use crate::store::Patience;

/// How long Postgres may take to answer a probe before its connections are taken for dead.
const PROBE: Duration = Duration::from_secs(5);

/// What is known about ourselves.
pub struct Health {
    started: Instant,
    database: AtomicBool,
    migrated: AtomicBool,
    nats: AtomicBool,
    /// Of the newest answer of Postgres.
    database_micros: AtomicU64,
    topology: AtomicBool,
    probe_now: tokio::sync::Notify,
    stopping: CancellationToken,
    serves_regardless: bool,
    metrics: Arc<Metrics>,
}

impl Health {
    /// Nothing is known yet.
    pub fn new(stopping: CancellationToken, metrics: Arc<Metrics>) -> Self {
        Self {
            started: Instant::now(),
            database: AtomicBool::new(false),
            migrated: AtomicBool::new(false),
            nats: AtomicBool::new(false),
            database_micros: AtomicU64::new(0),
            topology: AtomicBool::new(false),
            probe_now: tokio::sync::Notify::new(),
            stopping,
            serves_regardless: false,
            metrics,
        }
    }

    /// For a door that does its work also while Postgres or NATS are away: a load balancer must not
    /// shut it because of them. They are still probed and measured.
    #[must_use]
    pub fn that_serves_regardless(mut self) -> Self {
        self.serves_regardless = true;
        self
    }

    /// Since when.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Postgres answered the last probe.
    pub fn database(&self) -> bool {
        self.database.load(Ordering::Relaxed)
    }

    /// How long Postgres took to answer the newest probe, its connection included.
    pub fn database_took(&self) -> Duration {
        Duration::from_micros(self.database_micros.load(Ordering::Relaxed))
    }

    /// The service is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// NATS is connected.
    pub fn nats(&self) -> bool {
        self.nats.load(Ordering::Relaxed)
    }

    /// The streams are there, and so are the tables: worth a probe before its time.
    pub fn set_topology(&self, ready: bool) {
        self.topology.store(ready, Ordering::Relaxed);
        self.probe_now.notify_one();
    }

    /// Alive, but not all there.
    pub fn is_degraded(&self) -> bool {
        !self.database() || !self.nats() || self.stopping.is_cancelled()
    }

    /// Why no traffic should come here; empty when it should.
    pub fn reasons_not_ready(&self) -> Vec<&'static str> {
        if self.serves_regardless {
            return match self.stopping.is_cancelled() {
                true => vec!["shutting down"],
                false => Vec::new(),
            };
        }
        let checks = [
            (!self.database(), "database unreachable"),
            (
                self.database() && !self.migrated.load(Ordering::Relaxed),
                "migrations missing",
            ),
            (!self.nats(), "message stream unreachable"),
            (
                self.nats() && !self.topology.load(Ordering::Relaxed),
                "streams missing",
            ),
            (self.stopping.is_cancelled(), "shutting down"),
        ];
        checks
            .into_iter()
            .filter(|(bad, _)| *bad)
            .map(|(_, why)| why)
            .collect()
    }

    /// Probes until the service stops.
    pub async fn watch(self: Arc<Self>, pool: Db, patience: Patience, client: async_nats::Client) {
        while !self.stopping.is_cancelled() {
            self.probe(&pool, &patience, &client).await;
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.probe_now.notified() => {}
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
            }
        }
    }

    async fn probe(&self, pool: &Db, patience: &Patience, client: &async_nats::Client) {
        let began = Instant::now();
        // No table yet is an answer: the database is there, the migrations are not.
        let applied = sqlx::raw_sql("select count(*) from _sqlx_migrations where success");
        // A pool with all connections in use is no sign of a dead one.
        let connection = tokio::time::timeout(Duration::from_secs(2), pool.acquire()).await;
        let applied: Result<i64, _> = match connection {
            Ok(Ok(mut connection)) => {
                patience
                    .within_of(PROBE, async move {
                        let row = applied.fetch_one(&mut *connection).await?;
                        sqlx::Row::try_get(&row, 0)
                    })
                    .await
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        let (database, count) = match applied {
            Ok(count) => (true, count),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => {
                (true, 0)
            }
            Err(_) => (false, 0),
        };
        self.database.store(database, Ordering::Relaxed);
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.database_micros.store(micros, Ordering::Relaxed);
        if database {
            let wanted = i64::try_from(crate::store::migrations().len()).unwrap_or(i64::MAX);
            self.migrated.store(count >= wanted, Ordering::Relaxed);
        }
        let nats = client.connection_state() == async_nats::connection::State::Connected;
        self.nats.store(nats, Ordering::Relaxed);
        let up = |name, up| {
            self.metrics
                .reachable
                .with_label_values(&[name])
                .set(i64::from(up))
        };
        up("postgres", database);
        up("nats", nats);
    }
}
