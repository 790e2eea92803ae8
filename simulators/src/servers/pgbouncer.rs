//! A pooler in transaction mode in front of a Postgres, where one is installed. It is not fetched: no
//! wheel has it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::child::{self, Launch, ServerProcess};
use super::find::{self, Identity};
use super::{Error, free_port, tail, while_doing, wire};

const WHAT: &str = "pgbouncer";
const PATIENCE: Duration = Duration::from_secs(10);

/// Stops the pooler when dropped.
pub struct PgBouncer {
    port: u16,
    _process: ServerProcess,
    _home: TempDir,
}

impl PgBouncer {
    /// Where it is: `PGBOUNCER`, the path, or where Debian puts it.
    pub fn installed() -> Option<PathBuf> {
        let named = std::env::var_os("PGBOUNCER").map(PathBuf::from);
        let usual = PathBuf::from("/usr/sbin/pgbouncer");
        let mut found = named.into_iter().chain(find::on_path(WHAT)).chain([usual]);
        found.find(|path| path.is_file())
    }

    /// In front of the Postgres at `postgres`, with so few connections that clients must share them.
    pub fn start(
        program: &std::path::Path,
        postgres: u16,
        connections: u16,
    ) -> Result<Self, Error> {
        let identity = Identity::for_postgres()?;
        let home = find::reachable_temp_dir("simulators-pooler-")?;
        let (users, file, log) = (
            home.path().join("users.txt"),
            home.path().join("pgbouncer.ini"),
            home.path().join("pgbouncer.log"),
        );
        let port = free_port()?;
        fs::write(&users, "\"postgres\" \"\"\n").map_err(while_doing("writing users.txt"))?;
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 500\n",
            users.display()
        );
        fs::write(&file, text).map_err(while_doing("writing pgbouncer.ini"))?;
        let mut process = ServerProcess::launch(Launch {
            program,
            args: vec![file.display().to_string()],
            environment: None,
            identity: identity.as_ref(),
            working_dir: home.path(),
            log: &log,
            sweep: Some(home.path()),
            clean_stop: Signal::INT,
            patience: child::PATIENCE,
        })
        .map_err(while_doing("starting pgbouncer"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = process.exited();
            if ended.is_some() || Instant::now() > deadline {
                return Err(Error::Start {
                    what: WHAT,
                    reason: ended
                        .map_or("not ready in time".to_owned(), |status| status.to_string()),
                    log: tail(&log),
                });
            }
            if let Ok(Ok(())) = wire::execute(port, "postgres", "SELECT 1") {
                return Ok(Self {
                    port,
                    _process: process,
                    _home: home,
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}
