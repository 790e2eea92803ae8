//! The connection pool and its settings.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::Db;

use super::patience::Patience;

/// The migrations, embedded: the binary brings its own schema.
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The migrations that this binary knows, oldest first.
pub fn migrations() -> &'static [sqlx::migrate::Migration] {
    &MIGRATOR.migrations
}

/// The tables cannot be made as this binary needs them.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFailed {
    /// The lock that keeps two replicas from migrating at once belongs to a session.
    #[error("needs a direct connection, not one through a pooler (DATABASE_POOLER=transaction)")]
    Pooled,
    /// Postgres said no.
    #[error(transparent)]
    Refused(#[from] sqlx::migrate::MigrateError),
}

/// Brings the database up to date. Migrations that this binary does not know are a newer one's: they
/// only widen, and an old replica that starts again in the middle of a roll-out must run.
pub async fn migrate(db: &Db) -> Result<(), MigrateFailed> {
    if db.is_pooled() {
        return Err(MigrateFailed::Pooled);
    }
    let mut migrator = sqlx::migrate::Migrator {
        migrations: MIGRATOR.migrations.clone(),
        ..sqlx::migrate::Migrator::DEFAULT
    };
    migrator.set_ignore_missing(true);
    Ok(migrator.run(db.pool()).await?)
}

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`, alias `SUPABASE_DB_URL`.
    pub url: SecretString,
    /// `DATABASE_MAX_CONNECTIONS`, default 10; the committer's and the questioners' come on top.
    pub max_connections: u32,
    /// `DATABASE_STATEMENT_CACHE`: prepared statements kept per connection, default 100.
    pub statement_cache: usize,
    /// `DATABASE_POOLER=transaction`: the next transaction is on another connection.
    pub pooled: bool,
    /// `DATABASE_TIMEOUT_SECONDS`: how long a statement may take; default 30.
    pub timeout: Duration,
}

impl DatabaseSettings {
    /// Checks the address without connecting.
    pub fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let options = PgConnectOptions::from_str(self.url.expose_secret())?;
        let options = options.application_name("orchestrator");
        if self.pooled {
            // A pooler refuses parameters that it cannot keep apart; floats are read in binary anyway.
            return Ok(options.statement_cache_capacity(0).extra_float_digits(None));
        }
        Ok(options.statement_cache_capacity(self.statement_cache))
    }
}

/// A pool that connects when first used, so that the service starts, answers health checks and
/// waits while Postgres is still coming up.
pub fn connect(settings: &DatabaseSettings) -> Result<Db, sqlx::Error> {
    Ok(open(settings)?.0)
}

/// As [`connect`], with the patience that belongs to the pool.
pub fn open(settings: &DatabaseSettings) -> Result<(Db, Patience), sqlx::Error> {
    let patience = Patience::new(settings.timeout);
    let pool = PgPoolOptions::new().max_connections(settings.max_connections);
    let db = with_patience(settings, pool, &patience)?;
    Ok((db, patience))
}

/// A pool for rounds, and for questions that many messages ask at once: all by keys, and planned so.
/// For the runtime that is entered.
pub fn for_rounds(
    settings: &DatabaseSettings,
    connections: u32,
    patience: &Patience,
) -> Result<Db, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(connections);
    let pool = match settings.pooled {
        true => pool,
        false => patience.settle(pool),
    };
    with_patience(settings, pool, patience)
}

/// What is known of dead connections is shared by all who have this patience.
fn with_patience(
    settings: &DatabaseSettings,
    pool: PgPoolOptions,
    patience: &Patience,
) -> Result<Db, sqlx::Error> {
    let pool = pool
        .acquire_timeout(Duration::from_secs(5))
        // A connection that sat idle through a failover would fail its first statement.
        .test_before_acquire(false)
        .max_lifetime(Duration::from_secs(1800));
    let pool = patience.watch(pool).connect_lazy_with(settings.options()?);
    Ok(Db::new(pool, settings.pooled).with(patience.clone()))
}
