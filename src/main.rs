//! The command line.

mod commands;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use orchestrator::config::{Config, Env};
use orchestrator::engine::Clock;
use orchestrator::engine::connection;
use orchestrator::engine::topology::{self, Mode, State};
use orchestrator::ops::telemetry;
use orchestrator::service::{Roles, Service};
use orchestrator::stages::{Row, STAGES};
use orchestrator::store;

/// Small, short-lived values by the million: see docs/performance.md for what it is worth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers tenants' texts about overdue rent.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one process: bridge, all stages, sidecar.
    Serve,
    /// The HTTP side only, with its sidecar.
    Bridge,
    /// Stages only, with their sidecar.
    Worker {
        /// Comma-separated names; all when left out.
        #[arg(long, value_delimiter = ',')]
        stages: Vec<String>,
    },
    /// Brings in the texts of an SMS Agent that calls nobody: as the public webhook in front of it,
    /// or by reading its tables (`RELAY_MODE`).
    Relay,
    /// Compares streams and consumers with the files in nats/, or makes them so. Never deletes.
    Topology {
        #[command(subcommand)]
        action: TopologyAction,
    },
    /// Brings the database up to date. Needs a direct connection, not a transaction-mode pooler.
    Migrate,
    /// Forgets conversations without activity for `RETENTION_DAYS`, unless they are on hold.
    Purge {
        /// Says what would go and takes it back.
        #[arg(long)]
        dry_run: bool,
    },
    /// Writes everything that is kept about a conversation as JSON, with a chain of hashes.
    Export {
        /// The conversation, or with `--verify` an exported file.
        what: String,
        /// Checks the chain of an exported file instead. Needs no servers.
        #[arg(long)]
        verify: bool,
    },
    /// Checks settings, connections, migrations, streams, clocks and neighbours, and says what to put
    /// right. Exits with 1 when something keeps the service from working.
    Doctor,
    /// Reads texts from standard input, one a line or JSONL with `id`, `text` and optional
    /// `reference_date`, and writes what they say as JSONL. Needs no servers.
    Analyze {
        /// The day relative dates count from; today when left out.
        #[arg(long)]
        reference_date: Option<chrono::NaiveDate>,
    },
    /// Answers from standard input, JSONL of `id`, `phone`, `property_zone` (or null) and `instant`,
    /// whether the number may be texted then: `id`, `allowed`, `not_before`. Needs no servers.
    ContactHours,
    /// Measures the reader on a labelled file: precision, recall and F1 per field and trigger. With
    /// `--replies` replays model answers through the checks (docs/drafting.md). Needs no servers.
    Evaluate {
        /// JSONL; with `--replies` also folders of them.
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
        /// The files hold model answers.
        #[arg(long)]
        replies: bool,
        /// Exits with 1 when a figure is below: `plan_exact=0.93` for F1, `recall:opt_out=1`.
        #[arg(long)]
        floor: Vec<String>,
        /// Does not list the misses.
        #[arg(long)]
        quiet: bool,
    },
    /// Learns the table of the check `wording` from files of model answers (docs/drafting.md).
    Learn {
        /// The table to write.
        #[arg(long, default_value = "src/rules/checks/wording/weights.txt")]
        table: std::path::PathBuf,
        /// JSONL files, or folders of them.
        #[arg(required = true)]
        files: Vec<std::path::PathBuf>,
    },
    /// Asks the sidecar on this machine whether it is ready: for container health checks.
    Healthcheck,
    /// Writes the event schemas and the AsyncAPI document into a folder (see `make contracts`).
    Contracts {
        /// Usually `subjects`.
        folder: std::path::PathBuf,
    },
    /// Writes the OpenAPI document of the HTTP side to standard output.
    Openapi,
    /// Makes a key for a NATS user: the seed is the user's secret, the public key goes to the server.
    Nkey,
    /// Makes a bearer token from `SECRET_KEY`, with `JWT_ISSUER` and `JWT_AUDIENCE` when they are
    /// set, and writes it to standard output.
    Token {
        /// Whose actions are recorded: `sub`.
        #[arg(long)]
        sub: String,
        /// Words separated by blanks: `sms:ingest`, `manager`, `operator`. Without any it only reads.
        #[arg(long, default_value = "")]
        scope: String,
        /// After how many hours it ends.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=8784))]
        hours: u16,
    },
}

#[derive(Subcommand)]
enum TopologyAction {
    /// Exits with 1 when something is missing or differs.
    Check,
    /// Creates what is missing, updates what differs.
    Apply,
}

fn main() -> std::process::ExitCode {
    match start(Cli::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // Not the debug form: a wrong setting is no reason for a backtrace.
            eprintln!("orchestrator: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    // One provider for all TLS in the process; a second call would be the only way to fail.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(cli.command))
}

async fn run(command: Command) -> anyhow::Result<()> {
    match &command {
        Command::Contracts { folder } => return orchestrator::contracts::write(folder),
        Command::Openapi => return write_openapi(),
        Command::Nkey => return nkey(),
        Command::Token { sub, scope, hours } => {
            return token(&Env::of_process(), sub, scope, *hours);
        }
        Command::Healthcheck => return healthcheck(&Env::of_process()).await,
        Command::Analyze { reference_date } => return analyze(*reference_date),
        Command::Export { what, verify: true } => return commands::verify(what),
        Command::Doctor => return orchestrator::ops::doctor::run(&Env::of_process()).await,
        Command::ContactHours => return contact_hours(&Env::of_process()),
        Command::Learn { table, files } => {
            return orchestrator::evaluation::learning::learn(files, table);
        }
        Command::Evaluate {
            files,
            replies: true,
            quiet,
            ..
        } => return orchestrator::evaluation::replies::report(files, *quiet),
        Command::Evaluate {
            files,
            floor,
            quiet,
            ..
        } => {
            return files
                .iter()
                .try_for_each(|file| orchestrator::evaluation::report(file, floor, *quiet));
        }
        _ => {}
    }
    let config = Config::read(&Env::of_process())?;
    let telemetry = telemetry::start(&config.log)?;
    let done = Box::pin(work(command, config)).await;
    telemetry.stop().await;
    done
}

async fn work(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Serve => Box::pin(serve(config, Roles::all())).await,
        Command::Bridge => {
            let roles = Roles {
                bridge: true,
                stages: Vec::new(),
            };
            Box::pin(serve(config, roles)).await
        }
        Command::Worker { stages } => {
            let stages = named(&stages)?;
            let roles = Roles {
                bridge: false,
                stages,
            };
            Box::pin(serve(config, roles)).await
        }
        Command::Relay => relay(config).await,
        Command::Topology { action } => apply_topology(&config, &action).await,
        Command::Migrate => {
            let db = store::connect(&config.database)?;
            store::migrate(&db).await.context("migrations")?;
            tracing::info!("the database is up to date");
            Ok(())
        }
        Command::Purge { dry_run } => commands::purge(&config, dry_run).await,
        Command::Export { what, .. } => commands::export(&config, &what).await,
        // Done before the settings were read: these need none.
        _ => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the answer to a command")]
fn write_openapi() -> anyhow::Result<()> {
    print!("{}", orchestrator::contracts::openapi());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to a command")]
fn nkey() -> anyhow::Result<()> {
    let key = nkeys::KeyPair::new_user();
    println!("seed    {}", key.seed()?);
    println!("public  {}", key.public_key());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to a command")]
fn token(env: &Env, sub: &str, scope: &str, hours: u16) -> anyhow::Result<()> {
    use orchestrator::bridge::auth::{AuthSettings, mint};
    use secrecy::ExposeSecret as _;
    let settings = AuthSettings::read(env);
    env.finish()?;
    let lasts = chrono::TimeDelta::hours(i64::from(hours));
    let token = mint(&settings, sub, scope, lasts, chrono::Utc::now())?;
    println!("{}", token.expose_secret());
    Ok(())
}

fn analyze(reference_date: Option<chrono::NaiveDate>) -> anyhow::Result<()> {
    let reference = reference_date.unwrap_or_else(|| chrono::Utc::now().date_naive());
    let input = std::io::BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let output = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let counts = orchestrator::analyze::analyze(input, output, reference)?;
    eprintln!("{} read, {} failed", counts.read, counts.failed);
    Ok(())
}

fn contact_hours(env: &Env) -> anyhow::Result<()> {
    let hours = orchestrator::rules::contact_hours::ContactHours::read(env);
    env.finish()?;
    let input = std::io::BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let output = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let counts = orchestrator::answer_hours::answer(input, output, &hours)?;
    eprintln!("{} answered, {} failed", counts.read, counts.failed);
    Ok(())
}

/// Needs no settings but the port: a health check must not fail because a secret is unset.
async fn healthcheck(env: &Env) -> anyhow::Result<()> {
    let port: u16 = env.number_of(&["SIDECAR_PORT", "METRICS_PORT"], 9090);
    let answer = reqwest::Client::new()
        .get(format!("http://127.0.0.1:{port}/health/ready"))
        .timeout(std::time::Duration::from_secs(3))
        .send()
        .await
        .context("the sidecar does not answer")?;
    let status = answer.status();
    anyhow::ensure!(
        status.is_success(),
        "not ready: {}",
        answer.text().await.unwrap_or_default()
    );
    Ok(())
}

fn named(wanted: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if wanted.is_empty() {
        return Ok(Roles::all().stages);
    }
    let find = |name: &String| {
        let known = || {
            STAGES
                .iter()
                .map(|row| row.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        Row::named(name)
            .map(|row| row.name)
            .with_context(|| format!("no stage is called {name}; there are {}", known()))
    };
    wanted.iter().map(find).collect()
}

async fn serve(config: Config, roles: Roles) -> anyhow::Result<()> {
    if roles.bridge && !config.bridge.auth.enabled {
        tracing::warn!("AUTH_ENABLED is false: every caller on this network may do everything");
    }
    warn_about_texts(&config);
    let service = Service::start(config, roles, Clock::system()).await?;
    tracing::info!(bridge = ?service.bridge, sidecar = %service.sidecar, "listening");
    stop_signal().await?;
    tracing::info!("stopping");
    service.stop().await;
    Ok(())
}

async fn relay(config: Config) -> anyhow::Result<()> {
    let relay = orchestrator::relay::Running::start(config, Clock::system()).await?;
    tracing::info!(webhook = ?relay.webhook, sidecar = %relay.sidecar, "listening");
    stop_signal().await?;
    tracing::info!("stopping");
    relay.stop().await;
    Ok(())
}

fn warn_about_texts(config: &Config) {
    use orchestrator::rules::gate::Profile;
    let gate = &config.stages.gate.settings;
    if gate.profile == Profile::FdcpaCollector {
        tracing::warn!(
            "COLLECTION_PROFILE is fdcpa_collector: carriers forbid third-party debt collection by text (Twilio 30863)"
        );
    }
    if !gate.hours.on {
        tracing::warn!("CONTACT_HOURS is off: texts leave at any hour");
    }
}

async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        pressed = tokio::signal::ctrl_c() => pressed?,
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer to a command")]
async fn apply_topology(config: &Config, action: &TopologyAction) -> anyhow::Result<()> {
    let client = connection::connect(&config.nats).await?;
    let mode = match action {
        TopologyAction::Check => Mode::Check,
        TopologyAction::Apply => Mode::Apply,
    };
    let findings =
        topology::ensure(&client, &config.nats.names, config.nats.replicas, mode).await?;
    for finding in &findings {
        let state = match &finding.state {
            State::Same => "same".to_owned(),
            State::Missing => "MISSING".to_owned(),
            State::Differs(fields) => format!("DIFFERS in {}", fields.join(", ")),
            State::Created => "created".to_owned(),
            State::Updated => "updated".to_owned(),
        };
        println!("{:<40} {state}", finding.what);
    }
    if findings.iter().all(topology::Finding::is_right) {
        Ok(())
    } else {
        anyhow::bail!("the server is not as nats/ says; `orchestrator topology apply` makes it so")
    }
}
