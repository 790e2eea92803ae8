//! A program of ours under the same guard as the servers: it cannot outlive us either.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use super::child::{Launch, ServerProcess};
use super::{Error, tail, while_doing};

/// Stops when dropped: asked first, killed when the patience is over.
pub struct Program {
    process: ServerProcess,
    log: PathBuf,
}

impl Program {
    /// Sees only the environment given here: what a developer has exported for a real deployment
    /// must not reach a program that is only tried out. The log is begun anew.
    pub fn start(
        program: &Path,
        args: &[&str],
        environment: &[(String, String)],
        log: &Path,
        patience: Duration,
    ) -> Result<Self, Error> {
        let doing = || while_doing(format!("starting {}", program.display()));
        if let Some(dir) = log.parent() {
            std::fs::create_dir_all(dir).map_err(doing())?;
        }
        std::fs::File::create(log).map_err(doing())?;
        let process = ServerProcess::launch(Launch {
            program,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            environment: Some(environment),
            identity: None,
            working_dir: Path::new("."),
            log,
            sweep: None,
            clean_stop: Signal::TERM,
            patience,
        })
        .map_err(doing())?;
        Ok(Self {
            process,
            log: log.to_path_buf(),
        })
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.exited()
    }

    /// The end of its log, for error messages.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }
}
