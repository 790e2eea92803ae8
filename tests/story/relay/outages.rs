//! Something around the relay is away while a text comes in.

use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use simulators::{Fault, Rule};

use super::provider::{RelayWorld, form};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_texts_wait_in_the_queue() {
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let mut world =
        RelayWorld::start(World::with("NATS_URL", &nats.url()).set("RELAY_PORT", "0")).await;
    world.shorten_deadlines().await;
    nats.kill9();
    for n in 0..5 {
        let phone = format!("+1202555014{n}");
        let posted = form(&format!("SM{n}"), &phone, "hello [confidence=0.95]");
        assert_eq!(world.provider().post(&posted).await.0, 200);
    }
    let waiting = "select count(*) from relay_queue where state = 'ready'";
    assert_eq!(world.count(waiting).await, 5);
    // The relay stays open to the provider, and its end does not matter either.
    world.stop_relay().await;
    world.start_relay().await;
    nats.restart().expect("the same server again");
    world.until_queue("published", 5).await;
    for n in 0..5 {
        world
            .until_status(&format!("sms-1202555014{n}"), "sent")
            .await;
    }
    world.finish(5).await;
}

/// A power cut can cost a stream what it has acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_loses_is_published_again() {
    let mut world = RelayWorld::without_a_service(World::with("RELAY_PORT", "0")).await;
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    // Its tables are there.
    world.until_queue("ready", 0).await;
    assert_eq!(world.provider().post(&posted).await.0, 200);
    world.until_queue("published", 1).await;
    world.lose_streams().await;
    world.start_service().await;
    world.until_status("sms-12025550143", "sent").await;
    world.until_queue("taken", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_agent_the_provider_is_told_and_nothing_is_invented() {
    let world =
        RelayWorld::start(World::with("RELAY_PORT", "0").set("RELAY_AGENT_TIMEOUT_SECONDS", "0.5"))
            .await;
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    world.neighbours.sms_agent.take_down();
    assert_eq!(world.provider().post(&posted).await.0, 502);
    assert_eq!(world.count("select count(*) from relay_queue").await, 0);
    world.neighbours.sms_agent.bring_up().await.expect("back");
    // It hangs without having done anything: after some looks the text is given up, and kept.
    let mut hang = Rule::new(Fault::Hang { effect: false });
    hang.path = Some("/webhook".to_owned());
    hang.first = Some(1);
    world.neighbours.sms_agent.add_fault(hang);
    assert_eq!(world.provider().post(&posted).await.0, 504);
    world.until_queue("unconfirmed", 1).await;
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        0
    );
    // The provider comes again, and now everything is well.
    assert_eq!(world.provider().post(&posted).await.0, 200);
    world.until_status("sms-12025550143", "sent").await;
    world.until_queue("published", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_the_agent_has_although_it_said_500_is_found() {
    let world =
        RelayWorld::start(World::with("RELAY_PORT", "0").set("RELAY_AGENT_TIMEOUT_SECONDS", "0.5"))
            .await;
    let mut crash = Rule::new(Fault::Crash { effect: true });
    crash.path = Some("/webhook".to_owned());
    crash.first = Some(1);
    world.neighbours.sms_agent.add_fault(crash);
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    assert_eq!(world.provider().post(&posted).await.0, 500);
    world.until_queue("published", 1).await;
    world.until_status("sms-12025550143", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_history_fails_costs_the_tenant_not_the_text() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let mut fault = Rule::new(Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
        effect: false,
    });
    fault.path = Some("/conversations/".to_owned());
    fault.first = Some(3);
    world.neighbours.sms_agent.add_fault(fault);
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    assert_eq!(world.provider().post(&posted).await.0, 200);
    world.until_status("sms-12025550143", "sent").await;
    let tenant: Option<String> = sqlx::query_scalar("select tenant_id from inbound_messages")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(tenant, None);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_the_stream_takes_it_and_without_both_the_provider_comes_again() {
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let mut postgres = Postgres::start(PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    })
    .expect("a Postgres of our own");
    let url = postgres.create_database("story").expect("a database");
    let plan = World::with("DATABASE_URL", &url)
        .set("NATS_URL", &nats.url())
        .set("RELAY_PORT", "0");
    let world = RelayWorld::start(plan).await;
    world.shorten_deadlines().await;
    postgres.kill9();
    let first = form("SM1", "+12025550143", "hello [confidence=0.95]");
    assert_eq!(world.provider().post(&first).await.0, 200);
    nats.kill9();
    let second = form("SM2", "+12025550144", "hello [confidence=0.95]");
    let (status, _) = world.provider().post(&second).await;
    assert_eq!(status, 503, "the agent's yes alone is not enough");
    postgres.restart().expect("the same server again");
    nats.restart().expect("the same server again");
    world
        .until("the text is taken", || async {
            (world.provider().post(&second).await.0 == 200).then_some(())
        })
        .await;
    world.until_status("sms-12025550143", "sent").await;
    world.until_status("sms-12025550144", "sent").await;
    assert_eq!(world.neighbours.sms_agent.inbound_count("SM2"), 1);
    world.finish(2).await;
}
