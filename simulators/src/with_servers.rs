//! `simulators with-servers -- <command…>`: one NATS and one Postgres for a whole test run.

use std::ffi::OsString;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Args)]
pub(crate) struct Options {
    /// The command and its arguments; sees TEST_NATS_URL and TEST_DATABASE_URL.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// Room for every test process to have a pool of its own at the same time.
const CONNECTIONS: u16 = 300;

/// How long the command may take to end once told to.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    // Listening before anything runs: from here on a signal is an order to clean up.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let servers = tokio::task::spawn_blocking(start);
    let (nats, postgres) = tokio::select! {
        servers = servers => servers.context("starting the servers")??,
        _ = interrupt.recv() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    let (program, args) = options.command.split_first().context("no command")?;
    let mut child = Command::new(program)
        .args(args)
        .env("TEST_NATS_URL", nats.url())
        .env("TEST_DATABASE_URL", postgres.url("postgres"))
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        // The terminal has told the command as well; twice would mean "at once" to many.
        _ = interrupt.recv() => ended(&mut child).await?,
        _ = terminate.recv() => {
            send(&child, Signal::TERM);
            ended(&mut child).await?
        }
    };
    Ok(code(status))
}

fn start() -> anyhow::Result<(Nats, Postgres)> {
    let nats = Nats::start(NatsOptions::default())?;
    let postgres = Postgres::start(PostgresOptions {
        max_connections: CONNECTIONS,
        durable: false,
        ..PostgresOptions::default()
    })?;
    Ok((nats, postgres))
}

async fn ended(child: &mut Child) -> anyhow::Result<ExitStatus> {
    if let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await {
        return Ok(status?);
    }
    send(child, Signal::TERM);
    if let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await {
        return Ok(status?);
    }
    child.kill().await?;
    Ok(child.wait().await?)
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // Fails when it has just ended, which is what we want.
        let _ = kill_process(pid, signal);
    }
}

/// As a shell reports it: 128 and the signal's number for a killed command.
fn code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
