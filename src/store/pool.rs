//! The connection pool and its settings.

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::patience::Patience;

/// The migrations, embedded: the binary brings its own schema.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`, alias `SUPABASE_DB_URL`.
    pub url: SecretString,
    /// `DATABASE_MAX_CONNECTIONS`, default 10.
    pub max_connections: u32,
    /// `DATABASE_STATEMENT_CACHE`: prepared statements kept per connection, default 100. Zero
    /// behind a transaction-mode pooler, where the next transaction is on another connection.
    pub statement_cache: usize,
    /// `DATABASE_TIMEOUT_SECONDS`: how long a statement may take; default 30.
    pub timeout: Duration,
}

impl DatabaseSettings {
    /// Checks the address without connecting.
    pub fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let options = PgConnectOptions::from_str(self.url.expose_secret())?;
        Ok(options
            .application_name("orchestrator")
            .statement_cache_capacity(self.statement_cache))
    }
}

/// A pool that connects when first used, so that the service starts, answers health checks and
/// waits while Postgres is still coming up.
pub fn connect(settings: &DatabaseSettings) -> Result<PgPool, sqlx::Error> {
    Ok(open(settings)?.0)
}

/// As [`connect`], with the patience that belongs to the pool.
pub fn open(settings: &DatabaseSettings) -> Result<(PgPool, Patience), sqlx::Error> {
    let patience = Patience::new(settings.timeout);
    let options = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_secs(5))
        // A connection that sat idle through a failover would fail its first statement.
        .test_before_acquire(false)
        .max_lifetime(Duration::from_secs(1800));
    let pool = patience
        .watch(options)
        .connect_lazy_with(settings.options()?);
    Ok((pool, patience))
}
