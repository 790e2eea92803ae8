//! The database as the rest of the code sees it: a pool, or a pool behind a pooler.
//!
//! A pooler in transaction mode gives every transaction another connection. What lives on a connection
//! across transactions is not there the next time: prepared statements above all. So with
//! `DATABASE_POOLER=transaction` every use is one transaction, and its statements have no names. That
//! the statement cache is off is not enough: the client library would still name every statement, and
//! two clients' first statements would meet on one connection.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, PgPool, Postgres, SqlSafeStr, SqlStr, Transaction};

use super::patience::Patience;

/// A pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    pooled: bool,
    /// Without it a statement outside a transaction of ours may wait for ever.
    patience: Option<Patience>,
}

impl Db {
    /// `pooled`: a transaction-mode pooler stands between.
    pub fn new(pool: PgPool, pooled: bool) -> Self {
        Self {
            pool,
            pooled,
            patience: None,
        }
    }

    /// Every statement on the pool itself ends in time: what a stage looks up before it decides, for
    /// example, which nobody else puts a limit on.
    pub(super) fn with(self, patience: Patience) -> Self {
        let patience = Some(patience);
        Self { patience, ..self }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match &self.patience {
            Some(patience) => patience.within(work).await,
            None => work.await,
        }
    }

    /// Whether a transaction-mode pooler stands between.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx<'static>, sqlx::Error> {
        let inner = self.pool.begin().await?;
        let pooled = self.pooled;
        Ok(Tx(Conn { inner, pooled }))
    }

    /// Begins a transaction that cannot write.
    pub async fn begin_read_only(&self) -> Result<Tx<'static>, sqlx::Error> {
        self.begin_with("begin read only").await
    }

    /// Begins a transaction in these words.
    pub(super) async fn begin_with(
        &self,
        words: impl SqlSafeStr,
    ) -> Result<Tx<'static>, sqlx::Error> {
        let inner = self.pool.begin_with(words).await?;
        let pooled = self.pooled;
        Ok(Tx(Conn { inner, pooled }))
    }

    /// A connection, for one statement of the simple protocol: that needs no transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.pool.acquire().await
    }

    /// The pool itself, for what needs a session: migrations.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Connections that are open: all, and those in use by nobody.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction. Rolled back when dropped.
#[derive(Debug)]
pub struct Tx<'a>(Conn<'a>);

impl Tx<'_> {
    /// Commits.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.inner.commit().await
    }

    /// Takes everything back, and waits until it is.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.0.inner.rollback().await
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Conn<'a>;
    fn deref(&self) -> &Conn<'a> {
        &self.0
    }
}

impl<'a> DerefMut for Tx<'a> {
    fn deref_mut(&mut self) -> &mut Conn<'a> {
        &mut self.0
    }
}

/// A transaction's connection.
pub struct Conn<'a> {
    inner: Transaction<'a, Postgres>,
    pooled: bool,
}

impl fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conn")
    }
}

/// A statement without a name.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }
    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }
    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }
    fn persistent(&self) -> bool {
        false
    }
}

type Described = sqlx::Describe<Postgres>;

/// Rows and counts, as the driver gives them.
type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c mut Conn<'_> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.pooled {
            return (&mut *self.inner).fetch_many(Unnamed(query));
        }
        (&mut *self.inner).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.pooled {
            return (&mut *self.inner).fetch_optional(Unnamed(query));
        }
        (&mut *self.inner).fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        (&mut *self.inner).prepare_with(sql, parameters)
    }

    // Wanted by the trait for the checking macros, which are not used here.
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Described, sqlx::Error>>
    where
        'c: 'e,
    {
        (&mut *self.inner).describe(sql)
    }
}

impl<'p> Executor<'p> for &'p Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let once = async move {
            if !self.pooled {
                return self.pool.fetch_many(query).try_collect().await;
            }
            let mut tx = self.begin().await?;
            let found: Vec<Step> = (&mut *tx).fetch_many(query).try_collect().await?;
            tx.commit().await?;
            Ok(found)
        };
        let all = async move {
            let found: Vec<Step> = self.in_time(once).await?;
            Ok(stream::iter(found.into_iter().map(Ok)))
        };
        all.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let once = async move {
            if !self.pooled {
                return self.pool.fetch_optional(query).await;
            }
            let mut tx = self.begin().await?;
            let found = (&mut *tx).fetch_optional(query).await?;
            tx.commit().await?;
            Ok(found)
        };
        self.in_time(once).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        self.pool.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Described, sqlx::Error>>
    where
        'p: 'e,
    {
        self.pool.describe(sql)
    }
}
