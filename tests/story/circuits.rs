//! A neighbour that keeps failing is left alone; nothing is lost or sent unread for that.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures::StreamExt;
use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::world::{Plan, World};

fn away() -> Fault {
    Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
        effect: false,
    }
}

/// Circuits stay open for ten minutes of the service's clock, which a story moves.
fn ten_minutes() -> Plan {
    World::with("CIRCUIT_BREAKER_TIMEOUT_SECONDS", "600")
}

async fn until_circuit(world: &World, name: &str, state: i64) {
    let line = format!("orchestrator_circuit_state{{service=\"{name}\"}} {state}");
    world
        .until(&line, || async {
            let text = reqwest::get(world.url("/metrics")).await.ok()?;
            text.text().await.ok()?.contains(&line).then_some(())
        })
        .await;
}

fn sends(world: &World) -> usize {
    let requests = world.neighbours.sms_agent.requests();
    let is_send = |path: &str| path.starts_with("/sms/send");
    requests.iter().filter(|r| is_send(&r.path)).count()
}

/// What was said about circuits, oldest first.
async fn changes(world: &World) -> Vec<Value> {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(&name).await.expect("the stream");
    let config = async_nats::jetstream::consumer::pull::OrderedConfig {
        filter_subject: format!("{}.neighbour.circuit_changed", world.prefix),
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    let mut said = Vec::new();
    while let Ok(Some(Ok(message))) =
        tokio::time::timeout(Duration::from_secs(1), messages.next()).await
    {
        said.push(serde_json::from_slice(&message.payload).expect("JSON"));
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_keeps_failing_is_left_alone_and_texts_wait_for_it() {
    let world = ten_minutes().start().await;
    let agent = &world.neighbours.sms_agent;
    agent.add_fault(Rule::new(away()).path("/sms/send"));
    let first = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(first["action_taken"], "auto_sent");
    until_circuit(&world, "sms_agent", 2).await;
    assert_eq!(sends(&world), 3, "three failures open it");
    let (_, health) = world.get("/health").await;
    assert_eq!(health["circuits"]["sms_agent"], "open");
    assert_eq!(health["circuits"]["sms_agent_reads"], "closed");
    for n in 2..=5 {
        let answer = world
            .text(&format!("c{n}"), "hello [confidence=0.95]")
            .await;
        assert_eq!(answer["action_taken"], "auto_sent", "accepted for delivery");
        assert_eq!(answer["degraded"], json!(["sms_agent"]));
    }
    agent.clear_faults();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        sends(&world),
        3,
        "nobody knows that it is back, and nobody asks"
    );
    let tried = world
        .count("select count(*) from deliveries where attempts > 0")
        .await;
    assert_eq!(tried, 1, "who waits uses up nothing");
    world.pass(TimeDelta::minutes(10));
    for n in 1..=5 {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    assert_eq!(sends(&world), 3 + 5, "one probe, then everybody");
    until_circuit(&world, "sms_agent", 0).await;
    let said = changes(&world).await;
    let states: Vec<&Value> = said.iter().map(|change| &change["to"]).collect();
    assert_eq!(states, ["open", "half_open", "closed"], "{said:?}");
    assert_eq!(said[0]["reason"], "answered 503");
    assert_eq!(said[0]["failures"], 3);
    world.finish(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_text_is_overtaken_by_a_newer_one() {
    let world = ten_minutes().start().await;
    let agent = &world.neighbours.sms_agent;
    agent.add_fault(Rule::new(away()).path("/sms/send"));
    world.text("c0", "hello [confidence=0.95]").await;
    until_circuit(&world, "sms_agent", 2).await;
    world
        .text("c1", "how much do I owe? [confidence=0.95]")
        .await;
    world.text("c1", "and until when? [confidence=0.95]").await;
    agent.clear_faults();
    world.pass(TimeDelta::minutes(10));
    world.until_status("c1", "sent").await;
    world.settle().await;
    assert_eq!(world.texts_to("c1").len(), 1, "one reply to both");
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_while_the_agent_is_left_alone() {
    let world = ten_minutes().start().await;
    let agent = &world.neighbours.sms_agent;
    agent.add_fault(Rule::new(away()).path("/sms/send"));
    world.text("c0", "hello [confidence=0.95]").await;
    until_circuit(&world, "sms_agent", 2).await;
    world.text("c1", "hello [confidence=0.95]").await;
    world.text("c1", "STOP").await;
    agent.clear_faults();
    world.pass(TimeDelta::minutes(10));
    world.until_status("c0", "sent").await;
    world.settle().await;
    assert!(world.texts_to("c1").is_empty(), "what waited was not sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_keeps_failing_is_left_alone_and_nothing_leaves_unread() {
    let world = ten_minutes().start().await;
    let monitor = &world.neighbours.monitor;
    monitor.add_fault(Rule::new(away()));
    for n in 1..=4 {
        let answer = world
            .text(&format!("c{n}"), "hello [confidence=0.99]")
            .await;
        assert_eq!(answer["action_taken"], "queued_for_approval");
        assert_eq!(answer["degraded"], json!(["collections_monitor"]));
    }
    let asked = monitor.requests().len();
    assert_eq!(
        asked, 5,
        "four tries for the first text, one for the second"
    );
    monitor.clear_faults();
    let answer = world.text("c5", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "queued_for_approval");
    assert_eq!(monitor.requests().len(), asked);
    world.pass(TimeDelta::minutes(10));
    let answer = world.text("c6", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_tenants_open_no_circuit() {
    let world = ten_minutes().start().await;
    for n in 1..=8 {
        let mut body = crate::world::sms(&format!("c{n}"), "hello");
        body["tenant_id"] = json!(format!("unknown{n}"));
        let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
        assert_eq!(answer["action_taken"], "escalated");
    }
    let answer = world.text("c9", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_keeps_failing_is_left_alone_and_people_get_the_texts() {
    let world = ten_minutes().start().await;
    let model = &world.neighbours.model;
    model.add_fault(Rule::new(away()));
    for n in 1..=4 {
        let answer = world.text(&format!("c{n}"), "hello").await;
        assert_eq!(answer["action_taken"], "escalated");
        assert_eq!(answer["degraded"], json!(["openai"]));
    }
    assert_eq!(model.requests().len(), 5);
    model.clear_faults();
    world.pass(TimeDelta::minutes(10));
    let answer = world.text("c5", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.settle().await;
    let told = world.neighbours.notifications.notifications();
    assert_eq!(told.len(), 4, "somebody knows of each");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_notifier_texts_go_on_and_managers_are_told_later() {
    let open_for = 1.5;
    let world = World::with("CIRCUIT_BREAKER_TIMEOUT_SECONDS", &open_for.to_string())
        // Counted as failures, the repeats of this outage would be too many.
        .set("MAX_ATTEMPTS", "2")
        .start()
        .await;
    let notifier = &world.neighbours.notifications;
    notifier.add_fault(Rule::new(away()));
    let began = Instant::now();
    for n in 0..20 {
        let answer = world.text(&format!("c{n}"), "hello [confidence=0.7]").await;
        assert_eq!(answer["action_taken"], "queued_for_approval");
    }
    let answer = world.text("auto", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (asked, took) = (notifier.requests().len(), began.elapsed().as_secs_f64());
    // Calls that were under way when it opened, and one probe each time.
    let most = 5.0 + 20.0 + took / open_for;
    assert!(asked as f64 <= most, "asked {asked} times in {took} s");
    let worst = world
        .count("select coalesce(max(count), 0)::bigint from attempts")
        .await;
    assert!(worst <= 5, "a message used up {worst} attempts");
    notifier.clear_faults();
    // Each comes back after its own pause, at most half a minute.
    let began = Instant::now();
    while notifier.notifications().len() < 20 {
        assert!(began.elapsed() < Duration::from_secs(90), "never told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.settle().await;
    assert_eq!(notifier.notifications().len(), 20);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_than_allowed_are_under_way() {
    let world = World::with("MONITOR_MAX_PARALLEL", "3")
        .set("SMS_MAX_PARALLEL", "2")
        .start()
        .await;
    let slow = Duration::from_millis(200);
    world.neighbours.monitor.set_latency(200, 0);
    world.neighbours.sms_agent.add_fault(
        Rule::new(Fault::Delay {
            ms: 200,
            jitter_ms: 0,
            late_effect: false,
        })
        .path("/sms/send"),
    );
    for n in 0..24 {
        let body = crate::world::sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
    for n in 0..24 {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    // The fourth call begins after one of the three before it has ended.
    let spaced = |what: &str, mut times: Vec<chrono::DateTime<chrono::Utc>>, most: usize| {
        times.sort();
        for together in times.windows(most + 1) {
            let apart = (together[most] - together[0]).to_std().unwrap_or_default();
            assert!(apart >= slow, "{what}: {} calls within {apart:?}", most + 1);
        }
    };
    let monitor = world.neighbours.monitor.requests();
    let agent = world.neighbours.sms_agent.requests();
    assert_eq!(monitor.len(), 24);
    spaced("monitor", monitor.iter().map(|r| r.at).collect(), 3);
    let sends = agent.iter().filter(|r| r.path.starts_with("/sms/send"));
    spaced("agent", sends.map(|r| r.at).collect(), 2);
    world.finish(24).await;
}
