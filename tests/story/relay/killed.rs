//! The relay's process is killed at the worst moments.

use std::process::Stdio;
use std::time::Duration;

use simulators::servers::{Nats, NatsOptions};

use super::provider::{Provider, RelayWorld, form};
use crate::world::World;

/// A relay in a process of its own, on a port that was free a moment ago.
struct Process {
    child: tokio::process::Child,
    provider: Provider,
}

impl Process {
    async fn start(world: &World) -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("its number").port()
        };
        let (port, sidecar) = (free(), free());
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .arg("relay")
            .env_clear()
            .envs(world.environment())
            .env("RELAY_PORT", port.to_string())
            .env("SIDECAR_PORT", sidecar.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the product's binary");
        let ready = format!("http://127.0.0.1:{sidecar}/livez");
        world
            .until("the relay is alive", || async {
                reqwest::get(&ready).await.ok().map(|_| ())
            })
            .await;
        Self {
            child,
            provider: Provider::to(format!("http://127.0.0.1:{port}")),
        }
    }

    async fn kill9(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_agents_answer_the_text_is_found_in_its_history() {
    let plan = World::with("RELAY_PORT", "0").set("RELAY_AGENT_TIMEOUT_SECONDS", "1");
    let mut world = RelayWorld::with_replicas(plan, 0).await;
    let relay = Process::start(&world).await;
    // The agent stores at once and answers late.
    world.neighbours.sms_agent.set_latency(800, 0);
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    let asked = relay.provider.try_post(&posted);
    let killed = async {
        world
            .until("the agent has it", || async {
                (world.neighbours.sms_agent.inbound_count("SM1") == 1).then_some(())
            })
            .await;
        relay.child.id().expect("a running process");
    };
    tokio::select! {
        answer = asked => panic!("answered too soon: {answer:?}"),
        () = killed => {}
    }
    relay.kill9().await;
    world.neighbours.sms_agent.set_latency(0, 0);
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        0
    );
    world.start_relay().await;
    world.until_status("sms-12025550143", "sent").await;
    world.until_queue("published", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_agents_yes_and_the_stream_nothing_is_lost() {
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let plan = World::with("NATS_URL", &nats.url()).set("RELAY_PORT", "0");
    let mut world = RelayWorld::with_replicas(plan, 0).await;
    world.shorten_deadlines().await;
    let relay = Process::start(&world).await;
    nats.kill9();
    for n in 0..10 {
        let posted = form(
            &format!("SM{n}"),
            &format!("+1202555014{n}"),
            "hello [confidence=0.95]",
        );
        assert_eq!(relay.provider.post(&posted).await.0, 200);
    }
    relay.kill9().await;
    nats.restart().expect("the same server again");
    world.start_relay().await;
    world.until_queue("published", 10).await;
    for n in 0..10 {
        world
            .until_status(&format!("sms-1202555014{n}"), "sent")
            .await;
    }
    world.finish(10).await;
}

/// Again and again, at any moment: every text the provider was told is taken gets one answer, and
/// every text it was not told about is posted again, as the provider would.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_every_text_gets_one_answer() {
    let plan = World::with("RELAY_PORT", "0").set("RELAY_AGENT_TIMEOUT_SECONDS", "1");
    let mut world = RelayWorld::with_replicas(plan, 0).await;
    world.neighbours.sms_agent.set_latency(20, 15);
    let mut left: Vec<usize> = (0..40).collect();
    for round in 0..4 {
        let relay = Process::start(&world).await;
        let posts = left.iter().map(|n| {
            let posted = form(
                &format!("SM{n}"),
                &format!("+12025551{n:03}"),
                "hello [confidence=0.95]",
            );
            let provider = &relay.provider;
            async move {
                tokio::time::sleep(Duration::from_millis(*n as u64 * 7)).await;
                let answer = provider.try_post(&posted).await;
                answer.is_ok_and(|a| a.status() == 200)
            }
        });
        let posts = futures::future::join_all(posts);
        if round < 3 {
            let dying = async {
                tokio::time::sleep(Duration::from_millis(120)).await;
                relay.child.id().map(|id| {
                    std::process::Command::new("kill")
                        .args(["-9", &id.to_string()])
                        .status()
                })
            };
            let (taken, _) = futures::future::join(posts, dying).await;
            left = left
                .iter()
                .zip(taken)
                .filter(|(_, taken)| !taken)
                .map(|(n, _)| *n)
                .collect();
            assert!(!left.is_empty(), "the relay was killed too late to matter");
        } else {
            assert!(posts.await.into_iter().all(|taken| taken));
            relay.kill9().await;
        }
    }
    world.neighbours.sms_agent.set_latency(0, 0);
    world.start_relay().await;
    world.until_queue("published", 40).await;
    for n in 0..40 {
        world
            .until_status(&format!("sms-12025551{n:03}"), "sent")
            .await;
    }
    assert_eq!(world.count("select count(*) from relay_queue").await, 40);
    world.finish(40).await;
}
