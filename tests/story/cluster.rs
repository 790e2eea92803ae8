//! Three nats-servers, every stream on all of them, and replicas that come and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use simulators::servers::NatsCluster;

use crate::fleet::{Load, Replica, built, number};
use crate::world::World;

/// Who leads the story's stream, once somebody does.
async fn leader(world: &World) -> String {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    world
        .until("the stream has a leader", || async {
            let stream = jetstream.get_stream(&name).await.ok()?;
            stream.cached_info().cluster.as_ref()?.leader.clone()
        })
        .await
}

async fn ready(world: &World, replica: &Replica) {
    world
        .until("a replica is ready", || async {
            replica.is_ready().await.then_some(())
        })
        .await;
}

async fn applied(world: &World) -> i64 {
    world.count("select count(*) from _sqlx_migrations").await
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_dies_another_hangs_replicas_come_and_go() {
    let seed = number("CHAOS_SEED", usize::from(fastrand::u16(..))) as u64;
    let texts = number("CLUSTER_TEXTS", 450);
    eprintln!("cluster: CHAOS_SEED={seed} CLUSTER_TEXTS={texts}");
    let mut cluster = NatsCluster::start(3).expect("three nats-servers");
    let mut world = World::with("NATS_URL", &cluster.url())
        .set("NATS_REPLICAS", "3")
        .set("SMS_MAX_PARALLEL", "20")
        .set("SMS_LOOK_AFTER_SECONDS", "3.1")
        .set("SWEEP_SECONDS", "2")
        .set("SWEEP_AFTER_SECONDS", "20")
        .prepare()
        .await;
    world.patience = seconds(180);
    // The version before, where one is named: the roll-out below replaces it.
    let old = std::env::var_os("CHAOS_OLD_BINARY").filter(|path| !path.is_empty());
    // It makes the tables and the streams as it knows them; the next one widens them while it runs.
    let first = Replica::start_as(&world, old);
    ready(&world, &first).await;
    let known = applied(&world).await;
    let second = Replica::start(&world);
    ready(&world, &second).await;
    eprintln!(
        "cluster: {known} migrations at first, {} beside it",
        applied(&world).await
    );
    let mut replicas = [first, second];
    let load = Load::of(texts, seconds(50));
    let urls: Vec<String> = replicas.iter().map(Replica::url).collect();
    let events = async {
        tokio::time::sleep(seconds(5)).await;
        let mut gaps = vec![("nothing happens", load.take_gap())];

        let name = leader(&world).await;
        tokio::task::block_in_place(|| cluster.node(&name).expect("a node").kill9());
        tokio::time::sleep(seconds(10)).await;
        gaps.push(("the leader is killed", load.take_gap()));
        tokio::task::block_in_place(|| cluster.node(&name).expect("a node").restart())
            .expect("again");
        tokio::time::sleep(seconds(5)).await;
        gaps.push(("it comes back", load.take_gap()));

        let name = leader(&world).await;
        cluster.node(&name).expect("a node").pause();
        tokio::time::sleep(seconds(15)).await;
        cluster.node(&name).expect("a node").resume();
        tokio::time::sleep(seconds(3)).await;
        gaps.push(("the leader hangs for 15 s", load.take_gap()));

        let mut third = Replica::start(&world);
        ready(&world, &third).await;
        gaps.push(("a replica is added", load.take_gap()));
        third.stop().await;
        gaps.push(("and taken away", load.take_gap()));

        for replica in &mut replicas {
            replica.stop().await;
            replica.program = built();
            replica.run();
            ready(&world, replica).await;
        }
        gaps.push(("both are replaced, one after the other", load.take_gap()));
        gaps
    };
    let working = async {
        let ((), gaps) = futures::join!(load.send(&world, &urls, seed), events);
        load.until_done(&world).await;
        load.stop.store(true, Ordering::Relaxed);
        gaps
    };
    let (gaps, ()) = futures::join!(working, load.watch(&world));
    let on_phones = load.judge(&world).await;
    eprintln!(
        "cluster: {} texts, {on_phones} replies; longest time without an outcome while",
        load.texts()
    );
    for (what, gap) in gaps {
        eprintln!("  {what:<40} {gap:>6.1} s");
    }
    for replica in &mut replicas {
        replica.stop().await;
    }
    world.finish(on_phones).await;
}
