//! A nats-server with JetStream as a child process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::child::{self, Launch, ServerProcess};
use super::{Error, default_root, find, tail, while_doing};

const WHAT: &str = "nats-server";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Directory that gets `.dev/` when the server has to be fetched.
    pub root: PathBuf,
    /// JetStream's store; a temporary directory, removed on drop, when absent.
    pub store_dir: Option<PathBuf>,
    /// Taken when it is free, otherwise any free port.
    pub preferred_port: Option<u16>,
    /// A configuration file of yours. Ports, address and store are ours all the same, so that
    /// a production file can be tried next to others; what it includes must lie beside it.
    pub config: Option<PathBuf>,
    /// What `$NAME`s in the configuration stand for.
    pub variables: Vec<(String, String)>,
    /// For example `always` or `1s`. With `config` only where the file sets it too.
    pub sync_interval: Option<String>,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            root: default_root(),
            store_dir: None,
            preferred_port: None,
            config: None,
            variables: Vec::new(),
            sync_interval: None,
        }
    }
}

/// Stops the server when dropped.
pub struct Nats {
    options: NatsOptions,
    program: PathBuf,
    store: PathBuf,
    port: u16,
    monitoring: String,
    // Declared before `home`: the server must be gone before its directory goes.
    process: Option<ServerProcess>,
    home: TempDir,
}

impl Nats {
    pub fn start(options: NatsOptions) -> Result<Self, Error> {
        let program = find::nats_server(&options.root)?;
        let home = find::reachable_temp_dir("simulators-nats-")?;
        let store = match &options.store_dir {
            Some(dir) => fs::create_dir_all(dir)
                .and_then(|()| dir.canonicalize())
                .map_err(while_doing(format!("creating {}", dir.display())))?,
            None => home.path().join("store"),
        };
        let mut nats = Self {
            options,
            program,
            store,
            port: 0,
            monitoring: String::new(),
            process: None,
            home,
        };
        let preferred = nats
            .options
            .preferred_port
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        match preferred {
            // Somebody may take the port between the look and the bind.
            Some(port) => nats.launch(Some(port)).or_else(|_| nats.launch(None))?,
            None => nats.launch(None)?,
        }
        Ok(nats)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    /// Base URL of the HTTP monitoring port; another one after a restart.
    pub fn monitoring_url(&self) -> &str {
        &self.monitoring
    }

    pub fn store_dir(&self) -> &Path {
        &self.store
    }

    pub fn log_file(&self) -> PathBuf {
        self.home.path().join("nats-server.log")
    }

    /// Like pulling the plug of the process; the page cache survives, so this loses what
    /// `persist_mode: async` loses but not what a power cut loses.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill9();
        }
    }

    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Hangs, with all its connections open, until `resume`.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.pause();
        }
    }

    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.resume();
        }
    }

    /// Starts again on the same port with the same store, after `kill9`, `stop` or neither.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        let deadline = Instant::now() + Duration::from_secs(2);
        // The port may be in the hands of a client's dying connection for a moment.
        loop {
            match self.launch(Some(self.port)) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Stops the server and forgets every stream; `restart` then begins with an empty store.
    pub fn wipe_store(&mut self) -> Result<(), Error> {
        self.stop();
        match fs::remove_dir_all(&self.store) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(while_doing(
                format!("removing {}", self.store.display()),
            )(error)),
            _ => Ok(()),
        }
    }

    fn launch(&mut self, port: Option<u16>) -> Result<(), Error> {
        let home = self.home.path().to_path_buf();
        let log = self.log_file();
        let config = self.config_file()?;
        let args = [
            "-a",
            "127.0.0.1",
            "-p",
            &port.map_or("-1".to_owned(), |port| port.to_string()),
            // Always a free one: a fixed one out of a file would meet the next test's.
            "-m",
            "-1",
            "--ports_file_dir",
            &home.display().to_string(),
            "-c",
            &config.display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        // Included files see the environment only, not what the file that includes them sets.
        let mut environment: Vec<(String, String)> = std::env::vars().collect();
        environment.extend(self.options.variables.iter().cloned());
        let mut process = ServerProcess::launch(Launch {
            program: &self.program,
            args,
            environment: Some(&environment),
            identity: None,
            working_dir: &home,
            log: &log,
            sweep: Some(&home),
            clean_stop: Signal::TERM,
            patience: child::PATIENCE,
        })
        .map_err(while_doing("starting nats-server"))?;
        let failed = |reason: String| Error::Start {
            what: WHAT,
            reason,
            log: tail(&log),
        };
        let ports_file = home.join(format!("nats-server_{}.ports", process.pid()));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.exited() {
                return Err(failed(status.to_string()));
            }
            if let Some(ports) = Ports::read(&ports_file)
                && greets(ports.client)
            {
                self.port = ports.client;
                self.monitoring = ports.monitoring;
                self.process = Some(process);
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(failed(format!("not ready after {PATIENCE:?}")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The file the server really reads, in our directory. There is no flag for `sync_interval`,
    /// and the flag for the store is an error as soon as the file names one too.
    fn config_file(&self) -> Result<PathBuf, Error> {
        let file = self.home.path().join("nats-server.conf");
        let store = format!("{:?}", self.store);
        let sync = self.options.sync_interval.as_deref();
        let Some(config) = &self.options.config else {
            let sync = sync.unwrap_or("1s");
            fs::write(
                &file,
                // Streams reserve all they may ever grow to; hundreds of tests' streams would
                // use up the disk on paper, and the server would refuse the next one.
                format!(
                    "jetstream {{ store_dir: {store}, sync_interval: {sync}, max_file_store: 100TB }}\n"
                ),
            )
            .map_err(while_doing("writing nats-server.conf"))?;
            return Ok(file);
        };
        let reading = || while_doing(format!("reading {}", config.display()));
        let mut text = fs::read_to_string(config).map_err(reading())?;
        text = match with_setting(&text, "store_dir", &store) {
            Some(changed) => changed,
            None if has_word(&text, "jetstream") => {
                return Err(refused(
                    "the configuration enables jetstream without store_dir; name one there, it is replaced by a temporary directory",
                ));
            }
            None => format!("jetstream {{ store_dir: {store} }}\n{text}"),
        };
        if let Some(sync) = sync {
            text = with_setting(&text, "sync_interval", sync).ok_or_else(|| {
                refused("the configuration has no sync_interval to replace; add one there")
            })?;
        }
        let beside = config.parent().filter(|dir| !dir.as_os_str().is_empty());
        for entry in fs::read_dir(beside.unwrap_or(Path::new("."))).map_err(reading())? {
            let path = entry.map_err(reading())?.path();
            if path.extension().is_some_and(|ending| ending == "conf") {
                let copy = self.home.path().join(path.file_name().unwrap_or_default());
                fs::copy(&path, copy).map_err(reading())?;
            }
        }
        fs::write(&file, text).map_err(while_doing("writing nats-server.conf"))?;
        Ok(file)
    }
}

fn refused(reason: &str) -> Error {
    Error::Start {
        what: WHAT,
        reason: reason.to_owned(),
        log: String::new(),
    }
}

/// The text with the value of `key` replaced; `None` when the key is not set in it.
fn with_setting(text: &str, key: &str, value: &str) -> Option<String> {
    let (start, _) = word_positions(text, key).next()?;
    let after = start + key.len();
    let rest = &text[after..];
    let value_at = after + rest.find(|c: char| !matches!(c, ' ' | '\t' | ':' | '='))?;
    let old = &text[value_at..];
    let length = match old.chars().next() {
        Some(quote @ ('"' | '\'')) => old[1..].find(quote)? + 2,
        _ => old
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ';' | '#'))
            .unwrap_or(old.len()),
    };
    Some(format!("{}{value}{}", &text[..value_at], &old[length..]))
}

fn has_word(text: &str, word: &str) -> bool {
    word_positions(text, word).next().is_some()
}

/// Where the word stands as a key: not inside a longer name and not in a comment.
fn word_positions<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.match_indices(word).filter(move |(at, _)| {
        let line = text[..*at].rsplit('\n').next().unwrap_or_default();
        let before = line.chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        !line.contains('#')
            && !line.contains("//")
            && !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | '$'))
            && !behind.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

struct Ports {
    client: u16,
    monitoring: String,
}

impl Ports {
    /// `None` while the file is missing or half written.
    fn read(file: &Path) -> Option<Self> {
        let ports: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let client = ports["nats"][0]
            .as_str()?
            .rsplit(':')
            .next()?
            .parse()
            .ok()?;
        Some(Self {
            client,
            monitoring: ports["monitoring"][0].as_str()?.to_owned(),
        })
    }
}

/// The server greets only after JetStream is up, so the greeting is the readiness check; it
/// needs no credentials, whatever the configuration says.
fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("INFO ")
}

#[cfg(test)]
mod tests {
    use super::with_setting;

    #[test]
    fn a_setting_is_replaced_where_it_is_set_and_nowhere_else() {
        let text = "# store_dir: /old\njetstream {\n  store_dir: \"/data\" # here\n  sync_interval = always\n}\n";
        let changed = with_setting(text, "store_dir", "\"/tmp/x\"").unwrap();
        assert!(changed.contains("# store_dir: /old\n"));
        assert!(changed.contains("store_dir: \"/tmp/x\" # here"));
        let changed = with_setting(text, "sync_interval", "1s").unwrap();
        assert!(changed.contains("sync_interval = 1s\n}"));
        assert_eq!(
            with_setting("a: {store_directory: 1}", "store_dir", "2"),
            None
        );
    }
}
