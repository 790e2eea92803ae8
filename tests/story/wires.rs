//! The wire between the service and what it talks to is cut, blocked or stretched, and the service
//! finds its way back by itself.

use std::net::SocketAddr;
use std::time::Duration;

use orchestrator::store::{self, DatabaseSettings};
use serde_json::json;
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use simulators::{Proxy, Wire};
use sqlx::PgPool;

use crate::world::{Plan, World, sms};

/// A world in which one of the neighbours is behind a wire.
async fn behind(setting: &str, plan: Plan) -> (World, Proxy) {
    let wire = Proxy::start().await.expect("a proxy");
    let mut world = plan
        .set(setting, &wire.url())
        .set("NEIGHBOUR_TIMEOUT_SECONDS", "1")
        .set("NOTIFICATION_TIMEOUT_SECONDS", "1")
        .prepare()
        .await;
    let neighbours = &world.neighbours;
    wire.lead_to(match setting {
        "MONITOR_URL" => neighbours.monitor.address(),
        "SMS_AGENT_URL" => neighbours.sms_agent.address(),
        _ => neighbours.notifications.address(),
    });
    world.start_service().await;
    (world, wire)
}

const BROKEN: [Wire; 4] = [Wire::Silent, Wire::Reset, Wire::ResetAnswers, Wire::Stalled];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_wire_to_the_monitor_nothing_leaves_unread() {
    let (world, wire) = behind("MONITOR_URL", Plan::default()).await;
    for (n, broken) in BROKEN.into_iter().enumerate() {
        wire.set(broken);
        let answer = world
            .text(&format!("c{n}"), "hello [confidence=0.99]")
            .await;
        assert_eq!(answer["action_taken"], "queued_for_approval", "{broken:?}");
        wire.set(Wire::Open);
    }
    // The circuit may be open for a third of a second more.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = world.text("after", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_wire_to_the_model_a_person_gets_the_text() {
    let wire = Proxy::start().await.expect("a proxy");
    let mut world = World::with("OPENAI_BASE_URL", &format!("{}/v1", wire.url()))
        .set("OPENAI_TIMEOUT_SECONDS", "1")
        .prepare()
        .await;
    wire.lead_to(world.neighbours.model.address());
    world.start_service().await;
    for (n, broken) in BROKEN.into_iter().enumerate() {
        wire.set(broken);
        let answer = world
            .text(&format!("c{n}"), "hello [confidence=0.99]")
            .await;
        assert_eq!(answer["action_taken"], "escalated", "{broken:?}");
        wire.set(Wire::Open);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = world.text("after", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_wire_while_a_text_is_sent_the_tenant_has_it_once() {
    let (world, wire) = behind("SMS_AGENT_URL", Plan::default()).await;
    for (n, broken) in BROKEN.into_iter().enumerate() {
        let conversation = format!("c{n}");
        let draft = world.text(&conversation, "hello [confidence=0.7]").await;
        wire.set(broken);
        let body = json!({"id": draft["response_queue_id"], "action": "approve"});
        let (status, answer) = world.post("/orchestrate/approve-response", &body).await;
        assert_eq!(status, 200, "{broken:?}: {answer}");
        // Long enough for the call to be given up.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        wire.set(Wire::Open);
        world.until_status(&conversation, "sent").await;
        assert_eq!(world.texts_to(&conversation).len(), 1, "{broken:?}");
    }
    world.finish(BROKEN.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_wire_managers_are_told() {
    let (world, wire) = behind("NOTIFICATION_URL", Plan::default()).await;
    for (n, broken) in BROKEN.into_iter().enumerate() {
        wire.set(broken);
        let answer = world.text(&format!("c{n}"), "hello [confidence=0.7]").await;
        assert_eq!(answer["action_taken"], "queued_for_approval", "{broken:?}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        wire.set(Wire::Open);
        world.settle().await;
        let told = world.neighbours.notifications.notifications();
        let about = told
            .iter()
            .filter(|n_| n_.metadata["conversation_id"] == format!("c{n}"));
        assert!(about.count() >= 1, "{broken:?}");
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_first_repeat_finds_a_fresh_connection() {
    let plan = World::with("RETRY_TIMES", "1");
    let (world, wire) = behind("MONITOR_URL", plan).await;
    world.neighbours.monitor.set_latency(300, 0);
    // Several at once leave several connections behind.
    let names: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    let texts = names
        .iter()
        .map(|c| world.text(c, "hello [confidence=0.99]"));
    futures::future::join_all(texts).await;
    world.neighbours.monitor.set_latency(0, 0);
    let before = wire.connections();
    assert!(before >= 2, "{before} connections");
    wire.forget_connections();
    let answer = world.text("after", "hello [confidence=0.99]").await;
    assert_eq!(
        answer["action_taken"], "auto_sent",
        "a dead connection costs one try, not one for each of its kind"
    );
    world.finish(9).await;
}

async fn tell(world: &World, direct: &async_nats::Client, from: usize, to: usize) {
    let jetstream = async_nats::jetstream::new(direct.clone());
    for n in from..to {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        let subject = format!("{}.sms.received", world.prefix);
        let ack = jetstream.publish(subject, body.to_string().into()).await;
        ack.expect("sent").await.expect("the stream takes it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_wire_to_nats_every_text_is_answered_once() {
    let nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let wire = Proxy::start().await.expect("a proxy");
    wire.lead_to(SocketAddr::from(([127, 0, 0, 1], nats.port())));
    let url = format!("nats://{}", wire.address());
    let mut world = World::with("NATS_URL", &url).prepare().await;
    // The story itself talks to the server directly.
    let direct = async_nats::connect(nats.url()).await.expect("a connection");
    world.nats = direct.clone();
    world.start_service().await;
    world.shorten_deadlines().await;
    world.neighbours.model.set_latency(150, 100);
    let mut told = 0;
    for round in 0..3 {
        tell(&world, &direct, told, told + 10).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        match round {
            0 => wire.cut(),
            1 => {
                // Longer than two pings: the client gives the connection up.
                wire.set(Wire::Stalled);
                tokio::time::sleep(Duration::from_secs(12)).await;
                wire.set(Wire::Open);
            }
            _ => wire.forget_connections(),
        }
        tell(&world, &direct, told + 10, told + 20).await;
        told += 20;
        for n in 0..told {
            eventually_sent(&world, &format!("c{n}")).await;
        }
    }
    world.finish(told).await;
}

/// As `until_status`, with the patience that a client needs to give up a silent server.
async fn eventually_sent(world: &World, conversation: &str) {
    let sent = "select count(*) from orchestration_workflows where status = 'sent' and conversation_id = $1";
    for _ in 0..600 {
        let count: Result<i64, _> = sqlx::query_scalar(sent)
            .bind(conversation)
            .fetch_one(&world.db)
            .await;
        if count.is_ok_and(|count| count == 1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{conversation} is not answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_wire_to_postgres_every_text_is_answered_once() {
    let postgres = Postgres::start(PostgresOptions::default()).expect("a Postgres of our own");
    let direct = postgres.create_database("story").expect("a database");
    let wire = Proxy::start().await.expect("a proxy");
    wire.lead_to(SocketAddr::from(([127, 0, 0, 1], postgres.port())));
    let there = format!("127.0.0.1:{}", postgres.port());
    assert!(direct.contains(&there), "{direct}");
    let url = direct.replace(&there, &wire.address().to_string());
    let mut world = World::with("DATABASE_URL", &url)
        .set("DATABASE_TIMEOUT_SECONDS", "3")
        .prepare()
        .await;
    world.db = PgPool::connect(&direct).await.expect("a way around");
    world.start_service().await;
    world.neighbours.model.set_latency(150, 100);
    let nats = world.nats.clone();
    let mut told = 0;
    for round in 0..4 {
        tell(&world, &nats, told, told + 10).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        match round {
            0 => wire.cut(),
            1 => {
                wire.set(Wire::Stalled);
                tokio::time::sleep(Duration::from_secs(6)).await;
                wire.set(Wire::Open);
            }
            2 => wire.set(Wire::Slow(Duration::from_millis(20))),
            _ => {
                wire.set(Wire::Open);
                wire.forget_connections();
            }
        }
        tell(&world, &nats, told + 10, told + 20).await;
        told += 20;
        for n in 0..told {
            eventually_sent(&world, &format!("c{n}")).await;
        }
    }
    world.finish(told).await;
}

/// What a stage looks up before it decides is a statement of its own, without a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_over_a_silent_wire_ends() {
    let postgres = Postgres::start(PostgresOptions::default()).expect("a Postgres of our own");
    let direct = postgres.create_database("story").expect("a database");
    let wire = Proxy::start().await.expect("a proxy");
    wire.lead_to(SocketAddr::from(([127, 0, 0, 1], postgres.port())));
    let there = format!("127.0.0.1:{}", postgres.port());
    let settings = DatabaseSettings {
        url: direct.replace(&there, &wire.address().to_string()).into(),
        max_connections: 1,
        statement_cache: 100,
        pooled: false,
        timeout: Duration::from_secs(1),
    };
    let db = store::connect(&settings).expect("an address");
    let ask = || sqlx::query_scalar::<_, i32>("select 1").fetch_one(&db);
    assert_eq!(ask().await.expect("an open wire"), 1);
    wire.set(Wire::Stalled);
    let asked = tokio::time::timeout(Duration::from_secs(60), ask()).await;
    let error = asked.expect("no read waits for ever").expect_err("silence");
    assert!(store::is_transient(&error), "{error}");
    wire.set(Wire::Open);
    // The connection that said nothing is not used again.
    assert_eq!(ask().await.expect("a new connection"), 1);
}
