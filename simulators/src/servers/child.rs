//! A server process that cannot outlive this one, not even when this one is killed with -9.
//!
//! How: the child starts as `sh`, which leaves a tiny watcher behind and then becomes the
//! server by `exec`. The watcher blocks reading a pipe whose only writing end is ours. The
//! kernel closes that end whenever we die, by whatever death; the watcher sees the end of
//! file and shuts the server down cleanly. A line on the pipe dismisses the watcher instead.
//!
//! Rejected:
//! - `PR_SET_PDEATHSIG` in `pre_exec`: needs `unsafe`, exists on Linux only, is cleared by the
//!   change of user, and fires when the spawning *thread* ends, so a server started from a
//!   tokio worker or a test thread dies at random.
//! - `setpriv --pdeathsig`: the same thread trap, and not on macOS or in small images.
//! - polling the parent's pid: late, and wrong once the pid is reused.
//!
//! Easy to get wrong: the watcher must be a grandchild (an unknown direct child of the
//! postmaster is logged as untracked), and the pipe must be dismissed *before* the server is
//! reaped, or the watcher could signal a stranger that got the same pid.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::find::Identity;

/// `$1` signal for a clean stop, `$2` a temporary directory to remove afterwards or nothing,
/// the rest is the server. The wait is bounded because in a container whose first process
/// does not reap, a dead server stays visible for ever.
const LAUNCHER: &str = r#"
exec 3<&0 </dev/null
signal=$1; sweep=$2; shift 2
( (
  if read -r _ <&3; then exit 0; fi
  kill -s "$signal" $$
  [ -n "$sweep" ] || exit 0
  tries=0
  while kill -0 $$ && [ $tries -lt 50 ]; do tries=$((tries + 1)); sleep 0.1 || sleep 1; done
  cd / && rm -rf -- "$sweep"
) >/dev/null 2>&1 & )
exec "$@" 3<&-
"#;

pub(super) struct Launch<'a> {
    pub program: &'a Path,
    pub args: Vec<String>,
    /// The whole environment; ours when absent.
    pub environment: Option<&'a [(String, String)]>,
    pub identity: Option<&'a Identity>,
    /// Must be reachable for `identity`: a Postgres that cannot enter its working directory fails.
    pub working_dir: &'a Path,
    pub log: &'a Path,
    /// Removed by the watcher when we die without a chance to clean up.
    pub sweep: Option<&'a Path>,
    pub clean_stop: Signal,
    /// How long a clean stop may take.
    pub patience: Duration,
}

/// For servers: a Postgres with much to write down needs seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct ServerProcess {
    child: Child,
    clean_stop: Signal,
    patience: Duration,
}

impl ServerProcess {
    pub fn launch(launch: Launch<'_>) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(launch.log)?;
        let signal = if launch.clean_stop == Signal::INT {
            "INT"
        } else {
            "TERM"
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", LAUNCHER, "launcher", signal])
            .arg(launch.sweep.unwrap_or(Path::new("")))
            .arg(launch.program)
            .args(&launch.args)
            .current_dir(launch.working_dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own: Ctrl-C in the terminal reaches us first, and we stop the
            // servers after the service has drained.
            .process_group(0);
        if let Some(environment) = launch.environment {
            command.env_clear().envs(environment.iter().cloned());
        }
        if let Some(identity) = launch.identity {
            command.uid(identity.uid).gid(identity.gid);
        }
        Ok(Self {
            child: command.spawn()?,
            clean_stop: launch.clean_stop,
            patience: launch.patience,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Clean shutdown; when the patience is over, a hard one.
    pub fn stop(&mut self) {
        self.dismiss_watcher();
        if self.exited().is_some() {
            return;
        }
        self.signal(self.clean_stop);
        // One that stands still would not hear it.
        self.resume();
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            if self.exited().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill9();
    }

    pub fn kill9(&mut self) {
        self.dismiss_watcher();
        // Both fail only when the process is already gone, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stands still until `resume`: alive for the kernel, dead for everybody else.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Not reaped yet, so the pid is still ours even if the process has ended.
            let _ = kill_process(pid, signal);
        }
    }

    fn dismiss_watcher(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}
