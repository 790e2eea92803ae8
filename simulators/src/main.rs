//! `simulators serve`: the neighbours by themselves. `simulators servers`: NATS and Postgres.
//! `simulators demo`: the product with everything around it. `simulators with-servers`: any
//! command next to NATS and Postgres.

#![forbid(unsafe_code)]

mod demo;
mod with_servers;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use simulators::{Config, Neighbours, Profile};

/// The neighbours of Orchestrator, and development servers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs Collections Monitor, SMS Agent, Notification service and model.
    Serve(Serve),
    /// Runs NATS and Postgres until interrupted, and prints their URLs.
    Servers(Servers),
    /// Runs the product with everything around it, sends telling texts and stays up.
    Demo(demo::Options),
    /// Runs a command with NATS and Postgres beside it, and stops them afterwards.
    WithServers(with_servers::Options),
}

#[derive(Args)]
struct Serve {
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// 0 takes any free port, for all four.
    #[arg(long, default_value_t = 8001)]
    monitor_port: u16,
    #[arg(long, default_value_t = 8002)]
    sms_agent_port: u16,
    #[arg(long, default_value_t = 8003)]
    notifications_port: u16,
    #[arg(long, default_value_t = 8004)]
    model_port: u16,
    #[arg(long, value_enum, default_value_t = Feel::Instant)]
    profile: Feel,
    /// Of every random choice.
    #[arg(long)]
    seed: Option<u64>,
    /// Keeps counters, texts and notifications, but no requests; for benchmarks.
    #[arg(long)]
    no_record: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Feel {
    Instant,
    Demo,
}

#[derive(Args)]
struct Servers {
    /// Preferred port; another one is taken when it is in use.
    #[arg(long, default_value_t = 4222)]
    nats_port: u16,
    #[arg(long, default_value_t = 5432)]
    postgres_port: u16,
    /// Created in the new, empty cluster.
    #[arg(long, default_value = "orchestrator")]
    database: String,
}

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting the async runtime")?;
    let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
    let result = match Cli::parse().command {
        Command::Serve(options) => done(runtime.block_on(serve(options))),
        Command::Servers(options) => done(servers(&runtime, &options)),
        Command::Demo(options) => runtime.block_on(demo::run(options)),
        Command::WithServers(options) => runtime.block_on(with_servers::run(options)),
    };
    // A server that was just being started when we were interrupted is stopped here.
    runtime.shutdown_timeout(Duration::from_secs(30));
    result
}

async fn serve(options: Serve) -> anyhow::Result<()> {
    let neighbours = Neighbours::start(Config {
        host: options.host,
        monitor_port: options.monitor_port,
        sms_agent_port: options.sms_agent_port,
        notifications_port: options.notifications_port,
        model_port: options.model_port,
        profile: match options.profile {
            Feel::Instant => Profile::Instant,
            Feel::Demo => Profile::Demo,
        },
        seed: options.seed,
        record: !options.no_record,
    })
    .await?;
    println!("MONITOR_URL={}", neighbours.monitor.url());
    println!("SMS_AGENT_URL={}", neighbours.sms_agent.url());
    println!("NOTIFICATION_URL={}", neighbours.notifications.url());
    println!("OPENAI_BASE_URL={}", neighbours.model_base_url());
    println!("# seed {}", neighbours.seed());
    interrupted().await
}

fn servers(runtime: &tokio::runtime::Runtime, options: &Servers) -> anyhow::Result<()> {
    let nats = Nats::start(NatsOptions {
        preferred_port: Some(options.nats_port),
        ..NatsOptions::default()
    })?;
    let postgres = Postgres::start(PostgresOptions {
        preferred_port: Some(options.postgres_port),
        ..PostgresOptions::default()
    })?;
    println!("NATS_URL={}", nats.url());
    println!(
        "DATABASE_URL={}",
        postgres.create_database(&options.database)?
    );
    runtime.block_on(interrupted())
}

/// Returning, instead of exiting, lets the guards stop what they guard.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("listening for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("listening for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
