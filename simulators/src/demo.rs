//! `simulators demo`: the product as its users run it, with everything around it, and a dozen
//! texts that show what it does and why.

mod client;
mod play;
mod publish;
mod screen;
mod script;
mod world;

use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use play::Play;
use world::World;

#[derive(Args)]
pub(crate) struct Options {
    /// Ends after the summary; with an error when an outcome is not the expected one.
    #[arg(long)]
    once: bool,
    /// Preferred ports, here and below; others are taken when they are in use.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    #[arg(long, default_value_t = 9090)]
    sidecar_port: u16,
    #[arg(long, default_value_t = 4222)]
    nats_port: u16,
    #[arg(long, default_value_t = 5432)]
    postgres_port: u16,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    // Before anything starts: from here on a signal is an order to clean up. Dropping the demo
    // drops its world, and that stops the service first and the servers after it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let result = tokio::select! {
        result = demo(&options) => result,
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
    };
    println!("\nstopped");
    result
}

async fn demo(options: &Options) -> anyhow::Result<ExitCode> {
    // Fails when there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut world = World::start(options).await?;
    let mut play = Play::new(&world)?;
    play.run().await?;
    let (waiting, faults) = play.end().await?;
    world.print_ways_in(waiting.as_deref());
    for fault in &faults {
        println!("\nNOT AS EXPECTED: {fault}");
    }
    if options.once {
        return Ok(match faults.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    println!("\nCtrl-C stops everything. From now on, on phones and in managers' inboxes:");
    world.watch().await?;
    Ok(ExitCode::FAILURE)
}
