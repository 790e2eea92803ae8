//! SQL, and nothing but SQL: one file per aggregate.
//!
//! Writes come as values ([`Change`]) and are applied for a whole batch at a time, most of them in
//! one statement, because the cost of a small row is the round trip and not the row. Only the
//! engine's committer calls [`apply`]; the bridge reads; the relay has tables of its own.

pub mod attempts;
pub mod audit;
pub mod backlog;
mod batch;
pub mod case;
pub mod change;
pub mod consents;
pub mod contact_windows;
pub mod conversations;
pub mod db;
pub mod dead_letters;
pub mod deliveries;
pub mod drafts;
pub mod epochs;
pub mod escalations;
pub mod export;
pub mod gate_decisions;
pub mod handled;
pub mod holds;
pub mod metrics;
pub mod neighbour_checks;
pub mod notifications;
pub mod patience;
pub mod plans;
pub mod pool;
pub mod relay_cursors;
pub mod relay_queue;
pub mod retention;
pub mod steps;
pub mod texts;
pub mod timeline;
pub mod timers;
pub mod together;
pub mod unfinished;
pub mod workflows;

pub(crate) use batch::Batch;
pub use case::{Case, ConsentUse, DraftRef, Needs, SameText};
pub use change::Change;
pub(crate) use change::{Forms, apply};
pub use db::{Db, Tx};
pub use patience::Patience;
pub use pool::{DatabaseSettings, connect, migrate, migrations, open};
pub use together::Questions;

/// One column of a batch, for `UNNEST`.
pub(crate) fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Decisions about one conversation take turns from here to the end of their transactions, also
/// about a conversation that has no row to lock. In one order everywhere, and a family of keys of
/// its own, so that nobody else's advisory locks are met.
pub(crate) async fn lock_conversations(
    tx: &mut Tx<'_>,
    conversations: Vec<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select pg_advisory_xact_lock(1347174734, key)
         from (select distinct hashtext(c) as key from unnest($1::text[]) as u(c) order by 1) keys",
    )
    .bind(conversations)
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

/// Whether two transactions met: a deadlock, or a failure to serialize.
pub fn is_meeting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| code.starts_with("40"))
}

/// Whether the same statement may succeed a moment later: the connection went away, the server is
/// starting or stopping, or two transactions met. Everything else is the statement's own fault.
pub fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| {
            // 08 connection, 40 rollback (serialization, deadlock), 53 resources, 57P operator
            // intervention, 25006 read-only after a failover.
            ["08", "40", "53", "57P"]
                .iter()
                .any(|class| code.starts_with(class))
                || code == "25006"
                // A statement that took longer than it may: it waited for a lock, most likely.
                || code == "57014"
        }),
        _ => false,
    }
}
