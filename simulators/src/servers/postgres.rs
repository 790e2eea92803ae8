//! A Postgres cluster of its own as a child process.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::child::{self, Launch, ServerProcess};
use super::find::{self, Identity, PostgresBinaries};
use super::{Error, default_root, free_port, tail, while_doing, wire};

const WHAT: &str = "Postgres";
const PATIENCE: Duration = Duration::from_secs(30);
/// After kill -9 of the postmaster its backends need a moment to notice; until then the lock
/// file and the shared memory still count as in use.
const RETRY_START: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Directory that gets `.dev/` when the server has to be fetched.
    pub root: PathBuf,
    /// Kept on drop and used again if it holds a cluster; a temporary one when absent. As root
    /// every directory above must be enterable for the unprivileged user.
    pub data_dir: Option<PathBuf>,
    /// Taken when it is free, otherwise any free port.
    pub preferred_port: Option<u16>,
    /// `false` skips fsync. Commits still survive `kill9` (the kernel has them), only a power
    /// cut would lose them, so tests want `false` and benchmarks `true`.
    pub durable: bool,
    pub max_connections: u16,
    /// More `name=value` settings.
    pub settings: Vec<String>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            root: default_root(),
            data_dir: None,
            preferred_port: None,
            durable: false,
            max_connections: 200,
            settings: Vec::new(),
        }
    }
}

/// Stops the server when dropped.
pub struct Postgres {
    options: PostgresOptions,
    identity: Option<Identity>,
    data: PathBuf,
    port: u16,
    // Declared before the directories: the server must be gone before they go.
    process: Option<ServerProcess>,
    binaries: PostgresBinaries,
    home: TempDir,
}

impl Postgres {
    pub fn start(options: PostgresOptions) -> Result<Self, Error> {
        let identity = Identity::for_postgres()?;
        let binaries = find::postgres(&options.root, identity.as_ref())?;
        let home = find::reachable_temp_dir("simulators-pg-")?;
        give_to(identity.as_ref(), home.path())?;
        let data = match &options.data_dir {
            Some(dir) => fs::create_dir_all(dir)
                .and_then(|()| dir.canonicalize())
                .map_err(while_doing(format!("creating {}", dir.display())))?,
            None => home.path().join("data"),
        };
        let mut postgres = Self {
            options,
            identity,
            data,
            port: 0,
            process: None,
            binaries,
            home,
        };
        if !postgres.data.join("PG_VERSION").exists() {
            postgres.init()?;
        }
        let preferred = postgres
            .options
            .preferred_port
            .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
        // Between our look and its bind another process may take a port.
        postgres
            .launch(preferred.map_or_else(free_port, Ok)?)
            .or_else(|_| postgres.launch(free_port()?))?;
        Ok(postgres)
    }

    /// Over TCP, as the superuser `postgres`, without a password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Over the unix socket, in the form sqlx, tokio-postgres and libpq understand.
    pub fn socket_url(&self, database: &str) -> String {
        let dir = self.home.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{dir}:{}/{database}", self.port)
    }

    pub fn socket_dir(&self) -> &Path {
        self.home.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    pub fn log_file(&self) -> PathBuf {
        self.home.path().join("postgres.log")
    }

    /// Creates the database and answers its URL.
    pub fn create_database(&self, name: &str) -> Result<String, Error> {
        let quoted = name.replace('"', "\"\"");
        self.execute("postgres", &format!("CREATE DATABASE \"{quoted}\""))?;
        Ok(self.url(name))
    }

    /// Runs one statement, outside of a transaction; rows are thrown away.
    pub fn execute(&self, database: &str, statement: &str) -> Result<(), Error> {
        wire::execute(self.port, database, statement)
            .map_err(while_doing(format!("running `{statement}`")))?
            .map_err(|message| Error::Sql {
                statement: statement.to_owned(),
                message,
            })
    }

    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    /// Fast shutdown: open sessions are ended.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again on the same port with the same data, after `kill9`, `stop` or neither.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        let deadline = Instant::now() + RETRY_START;
        loop {
            match self.launch(self.port) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn init(&self) -> Result<(), Error> {
        if self.options.data_dir.is_some() {
            give_to(self.identity.as_ref(), &self.data)?;
        }
        let mut command = Command::new(self.binaries.bin.join("initdb"));
        command
            .args(["--no-sync", "--locale=C", "-E", "UTF8", "-A", "trust"])
            .args(["-U", "postgres", "-D"])
            .arg(&self.data)
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        if let Some(identity) = &self.identity {
            command.uid(identity.uid).gid(identity.gid);
        }
        let output = command.output().map_err(while_doing("starting initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Start {
            what: "initdb",
            reason: output.status.to_string(),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn launch(&mut self, port: u16) -> Result<(), Error> {
        let home = self.home.path().to_path_buf();
        let log = self.log_file();
        let mut settings = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", home.display()),
            format!("max_connections={}", self.options.max_connections),
            "logging_collector=off".to_owned(),
            "timezone=UTC".to_owned(),
        ];
        if !self.options.durable {
            // Not synchronous_commit=off: that one loses commits at kill -9.
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        settings.extend(self.options.settings.iter().cloned());
        let mut args = vec!["-D".to_owned(), self.data.display().to_string()];
        for setting in settings {
            args.extend(["-c".to_owned(), setting]);
        }
        let mut process = ServerProcess::launch(Launch {
            program: &self.binaries.bin.join("postgres"),
            args,
            environment: None,
            identity: self.identity.as_ref(),
            working_dir: &home,
            log: &log,
            sweep: Some(&home),
            // INT ends sessions; TERM would wait for the clients, which may never leave.
            clean_stop: Signal::INT,
            patience: child::PATIENCE,
        })
        .map_err(while_doing("starting postgres"))?;
        let failed = |reason: String| Error::Start {
            what: WHAT,
            reason,
            log: tail(&log),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.exited() {
                return Err(failed(status.to_string()));
            }
            if says_ready(&self.data, process.pid())
                && let Ok(Ok(())) = wire::execute(port, "postgres", "SELECT 1")
            {
                self.port = port;
                self.process = Some(process);
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(failed(format!("not ready after {PATIENCE:?}")));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The postmaster writes its state into the last line of the lock file. The pid is compared,
/// because a killed one leaves its file, saying "ready", behind; and asking over TCP alone
/// could reach a stranger on the same port.
fn says_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines
        .next()
        .is_some_and(|line| line.trim() == pid.to_string())
        && lines.last().is_some_and(|line| line.trim() == "ready")
}

fn give_to(identity: Option<&Identity>, dir: &Path) -> Result<(), Error> {
    match identity {
        Some(identity) => chown(dir, Some(identity.uid), Some(identity.gid)).map_err(while_doing(
            format!("giving {} to Postgres' user", dir.display()),
        )),
        None => Ok(()),
    }
}
