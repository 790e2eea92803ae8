//! How long Postgres may take, and what is done about connections that are dead without knowing it.
//!
//! A database that fails over, or a firewall that forgets a connection, leaves connections behind on
//! which nothing ever comes; the kernel gives up after a quarter of an hour. So whoever waits too
//! long lets go, and every connection that is older than that moment is closed instead of used:
//! handed back to the pool, it would be tested by a question nobody answers, and hold its place for
//! ever.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgPoolOptions};

use super::{Db, Tx};

/// Given to the server so that it ends a statement before we let go of its connection: a statement
/// without a client would go on waiting for its lock, and ours beside it.
const GRACE: Duration = Duration::from_secs(2);

/// How a round's statements are planned. Everything it asks is asked by keys that have an index. But a
/// plan made while a table was small is kept for as long as its statistics are, and then reads the whole
/// table, or the whole of an index to join it in order, for every round (docs/performance.md); and no
/// round is worth compiling.
const BY_KEYS: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// The patience with one database.
#[derive(Debug, Clone)]
pub struct Patience {
    limit: Duration,
    begin: Arc<str>,
    stalled: Arc<Mutex<Option<Instant>>>,
}

impl Patience {
    /// `DATABASE_TIMEOUT_SECONDS`: how long a statement may take, at least a millisecond.
    pub fn new(limit: Duration) -> Self {
        let patience = Self {
            limit,
            begin: Arc::default(),
            stalled: Arc::default(),
        };
        Self {
            begin: format!("begin; {}", patience.settings("local ")).into(),
            ..patience
        }
    }

    /// The settings of a round, as statements. The second one ends the transactions of clients that are
    /// gone without a word, whose conversations would stay locked as long as the server believes in them.
    fn settings(&self, how: &str) -> String {
        let millis = self.limit.as_millis().max(1);
        let mut all = format!(
            "set {how}statement_timeout = {millis}; \
             set {how}idle_in_transaction_session_timeout = {millis}"
        );
        for (name, value) in BY_KEYS {
            all.push_str(&format!("; set {how}{name} = {value}"));
        }
        all
    }

    /// Gives every connection the settings of rounds. Not as parameters of its beginning: poolers that
    /// keep a session for each client refuse or forget those. Behind one that does not there is no
    /// session to set anything in, and every round begins with them.
    pub(super) fn settle(&self, pool: PgPoolOptions) -> PgPoolOptions {
        let settings: Arc<str> = self.settings("").into();
        pool.after_connect(move |connection, _| {
            let settings = AssertSqlSafe(settings.to_string());
            Box::pin(async move {
                sqlx::raw_sql(settings).execute(connection).await?;
                Ok(())
            })
        })
    }

    /// Begins a transaction whose statements the server itself ends in time, on a pool of
    /// [`super::pool::for_rounds`].
    pub async fn begin(&self, db: &Db) -> Result<Tx<'static>, sqlx::Error> {
        if db.is_pooled() {
            return db.begin_with(AssertSqlSafe(self.begin.to_string())).await;
        }
        db.begin().await
    }

    /// Waits, but not for ever.
    ///
    /// # Errors
    /// A time-out looks like a connection that broke: what was asked for may have happened.
    pub async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.within_of(self.limit + GRACE, work).await
    }

    /// As [`Self::within`], for whoever has less time.
    pub async fn within_of<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut work = pin!(work);
        match tokio::time::timeout(limit, &mut work).await {
            Ok(done) => done,
            // Noted before `work` lets go of its connection, so that the pool closes it.
            Err(_) => {
                *self.lock() = Some(Instant::now());
                Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
            }
        }
    }

    /// Whether a connection of this age may be used.
    fn trusts(&self, age: Duration) -> bool {
        self.lock().is_none_or(|stalled| age < stalled.elapsed())
    }

    pub(super) fn watch(&self, options: PgPoolOptions) -> PgPoolOptions {
        let (before, after) = (self.clone(), self.clone());
        options
            .before_acquire(move |_: &mut PgConnection, about| {
                let trusted = before.trusts(about.age);
                Box::pin(async move { Ok(trusted) })
            })
            .after_release(move |_: &mut PgConnection, about| {
                let trusted = after.trusts(about.age);
                Box::pin(async move { Ok(trusted) })
            })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_a_stall_only_younger_connections_are_used() {
        let patience = Patience::new(Duration::from_secs(30));
        assert!(patience.trusts(Duration::from_secs(3600)));
        let never = std::future::pending::<Result<(), sqlx::Error>>();
        let stalled = patience.within_of(Duration::from_millis(1), never).await;
        assert!(crate::store::is_transient(&stalled.expect_err("a stall")));
        assert!(!patience.trusts(Duration::from_secs(3600)));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(patience.trusts(Duration::from_millis(1)), "made since");
    }
}
