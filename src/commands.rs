//! Commands for people on call: they write to standard output.

#![expect(clippy::print_stdout, reason = "the answer to a command")]

use anyhow::Context as _;
use chrono::Utc;
use orchestrator::config::Config;
use orchestrator::domain::ConversationId;
use orchestrator::engine::Clock;
use orchestrator::engine::connection;
use orchestrator::engine::publisher::Publisher;
use orchestrator::ops::retention;
use orchestrator::{evidence, store};
use tokio_util::sync::CancellationToken;

/// Purges now, or says what a purge would do.
pub(crate) async fn purge(config: &Config, dry_run: bool) -> anyhow::Result<()> {
    let db = store::connect(&config.database)?;
    let settings = config.ops.retention;
    let counts = if dry_run {
        retention::preview(&db, settings, Utc::now()).await?
    } else {
        let never = CancellationToken::new();
        let run = retention::purge(&db, settings, &Clock::system(), &never).await?;
        if let Some(run) = &run {
            let client = connection::connect(&config.nats).await?;
            let publisher = Publisher {
                jetstream: async_nats::jetstream::new(client.clone()),
                names: config.nats.names.clone(),
                client,
            };
            retention::tell(&publisher, run).await;
        }
        run.map(|run| run.counts)
    };
    let counts = counts.context("another purge is under way")?;
    if counts.is_empty() {
        println!("nothing is old enough");
    }
    for (table, rows) in counts {
        println!("{table:<25} {rows}");
    }
    if dry_run {
        println!("nothing was purged: this was a dry run");
    }
    Ok(())
}

/// Writes a conversation's evidence.
pub(crate) async fn export(config: &Config, conversation: &str) -> anyhow::Result<()> {
    let db = store::connect(&config.database)?;
    let id = ConversationId::parse(conversation)?;
    let found = evidence::of_conversation(&db, &id, Utc::now()).await?;
    let document = found.context("no such conversation")?;
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

/// Checks an exported file.
pub(crate) fn verify(file: &str) -> anyhow::Result<()> {
    let text = std::fs::read(file).with_context(|| file.to_owned())?;
    let records = evidence::verify(&serde_json::from_slice(&text)?)?;
    println!("{records} records, none added, removed or changed");
    Ok(())
}
