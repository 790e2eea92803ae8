//! Replicas, nats-server and Postgres are killed at random while texts come in. Short here; `make
//! chaos` is the same for longer.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

use crate::fleet::{Load, Replica, number};
use crate::world::World;

/// What is killed, and how often of a hundred.
const VICTIMS: [(&str, u32); 4] = [
    ("replica 1", 35),
    ("replica 2", 35),
    ("nats-server", 15),
    ("postgres", 15),
];

fn victim(luck: &mut fastrand::Rng) -> &'static str {
    let mut drawn = luck.u32(..100);
    for (name, share) in VICTIMS {
        if drawn < share {
            return name;
        }
        drawn -= share;
    }
    VICTIMS[0].0
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_nothing_is_lost_and_nothing_doubled() {
    let seed = number("CHAOS_SEED", usize::from(fastrand::u16(..))) as u64;
    let (kills, texts) = (number("CHAOS_KILLS", 10), number("CHAOS_TEXTS", 300));
    eprintln!("chaos: CHAOS_SEED={seed} CHAOS_KILLS={kills} CHAOS_TEXTS={texts}");
    let mut luck = fastrand::Rng::with_seed(seed);
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let mut postgres = Postgres::start(PostgresOptions::default()).expect("a Postgres of our own");
    let url = postgres.create_database("chaos").expect("a database");
    let mut world = World::with("NATS_URL", &nats.url())
        .set("DATABASE_URL", &url)
        .set("SMS_MAX_PARALLEL", "20")
        .set("SMS_LOOK_AFTER_SECONDS", "3.1")
        .set("SWEEP_SECONDS", "2")
        .set("SWEEP_AFTER_SECONDS", "20")
        .prepare()
        .await;
    world.patience = Duration::from_secs(300);
    world.neighbours.model.set_latency(60, 40);
    world.neighbours.sms_agent.set_latency(30, 20);
    let mut replicas = [Replica::start(&world), Replica::start(&world)];
    for replica in &replicas {
        world
            .until("a replica is ready", || async {
                replica.is_ready().await.then_some(())
            })
            .await;
    }
    world.shorten_deadlines().await;
    // About as long as the killing takes.
    let load = Load::of(texts, Duration::from_millis(1_300 * kills as u64));
    let urls: Vec<String> = replicas.iter().map(Replica::url).collect();
    let begun = Instant::now();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let killing = async {
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(luck.u64(200..2_000))).await;
            let name = victim(&mut luck);
            *counts.entry(name).or_default() += 1;
            let away = Duration::from_millis(luck.u64(0..1_000));
            match name {
                "nats-server" => {
                    tokio::task::block_in_place(|| nats.kill9());
                    tokio::time::sleep(away).await;
                    tokio::task::block_in_place(|| nats.restart()).expect("the same server again");
                }
                "postgres" => {
                    tokio::task::block_in_place(|| postgres.kill9());
                    tokio::time::sleep(away).await;
                    tokio::task::block_in_place(|| postgres.restart())
                        .expect("the same server again");
                }
                _ => {
                    let replica = &mut replicas[usize::from(name == "replica 2")];
                    replica.kill9().await;
                    tokio::time::sleep(away).await;
                    replica.run();
                }
            }
        }
        begun.elapsed()
    };
    let working = async {
        let (_, killed_for) = futures::join!(load.send(&world, &urls, seed), killing);
        load.until_done(&world).await;
        load.stop.store(true, Ordering::Relaxed);
        killed_for
    };
    let (killed_for, ()) = futures::join!(working, load.watch(&world));
    let took = begun.elapsed();
    let on_phones = load.judge(&world).await;
    eprintln!(
        "chaos: {} texts, {on_phones} replies, {kills} kills {counts:?} in {:.0} s, done after {:.0} s; longest time without an outcome {:.1} s; {} attempts failed, {} published texts taken late",
        load.texts(),
        killed_for.as_secs_f64(),
        took.as_secs_f64(),
        load.take_gap(),
        world
            .count("select coalesce(sum(count), 0)::bigint from attempts")
            .await,
        Load::late(&world).await,
    );
    for replica in &mut replicas {
        replica.stop().await;
    }
    world.finish(on_phones).await;
}
