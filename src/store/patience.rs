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
        let millis = limit.as_millis().max(1);
        Self {
            limit,
            // Local: behind a transaction-mode pooler there is no session to set anything in. The
            // second one ends the transactions of clients that are gone without a word, whose
            // conversations would stay locked as long as the server believes in them.
            //
            // The rest is for speed (docs/performance.md). Everything a round asks has an index. But a
            // plan made while a table was small is kept for as long as its statistics are, and then
            // reads the whole table for every round; and no round is worth compiling.
            begin: format!(
                "begin; set local statement_timeout = {millis}; \
                 set local idle_in_transaction_session_timeout = {millis}; \
                 set local enable_seqscan = off; set local jit = off"
            )
            .into(),
            stalled: Arc::default(),
        }
    }

    /// Begins a transaction whose statements the server itself ends in time.
    pub async fn begin(&self, db: &Db) -> Result<Tx<'static>, sqlx::Error> {
        db.begin_with(AssertSqlSafe(self.begin.to_string())).await
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
