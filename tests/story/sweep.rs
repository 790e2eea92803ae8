//! The stream is lost, or a message in it, and Postgres has what it takes to go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use simulators::servers::{Nats, NatsOptions};
use simulators::{Fault, Rule};

use crate::world::{Plan, World, sms};

/// Looks twice a second for what is two seconds old, and does not let the door wait long.
fn sweeping() -> Plan {
    World::with("SWEEP_SECONDS", "0.5")
        .set("SWEEP_AFTER_SECONDS", "2")
        .set("SMS_MAX_PARALLEL", "50")
}

/// How many events were said again, by all replicas.
async fn said_again(world: &World) -> f64 {
    let text = world.metrics().await;
    let name = "orchestrator_events_said_again_total{";
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The agent says no before it does anything.
fn refused_once() -> Rule {
    let fault = Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
        effect: false,
    };
    Rule::new(fault).path("/sms/send").first(1)
}

/// Takes the last message of a subject out of the stream and away from its consumer: lost, as far as
/// anybody can tell.
async fn lose_the_newest(world: &World, subject: &str) {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(name).await.unwrap();
    let subject = format!("{}.{subject}", world.prefix);
    world
        .until("the event is there", || async {
            stream.get_last_raw_message_by_subject(&subject).await.ok()
        })
        .await;
    stream.purge().filter(&subject).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_text_survives_the_loss_of_the_whole_nats_volume() {
    const TEXTS: usize = 120;
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let mut world = sweeping()
        .set("NATS_URL", &nats.url())
        .set("SYNC_BUDGET_MS", "0")
        .set("ACCEPT_TIMEOUT_MS", "3000")
        // Most texts wait on the stream for the model, in nobody's memory: those are what is lost.
        .set("MODEL_MAX_PARALLEL", "4")
        .replicas(2)
        .start()
        .await;
    // Slow enough that the loss finds texts in every stage.
    world.neighbours.model.set_latency(400, 300);
    world.neighbours.sms_agent.set_latency(100, 80);
    let client = reqwest::Client::new();
    let (taken, lost) = (AtomicBool::new(false), AtomicBool::new(false));
    let texts = (0..TEXTS).map(|n| {
        let (client, taken, lost) = (&client, &taken, &lost);
        let score = ["0.95", "0.7", "0.3"][n % 3];
        let mut body = sms(&format!("c{n}"), &format!("hello [confidence={score}]"));
        body["message_sid"] = json!(format!("SM{n}"));
        let url = world.url_of(n % 2, "/orchestrate/sms-received");
        async move {
            tokio::time::sleep(Duration::from_millis(15 * n as u64)).await;
            // As a caller does: until it is told that the text is accepted.
            for _ in 0..200 {
                let asked = client.post(&url).json(&body).send().await;
                let status = asked.map_or(0, |answer| answer.status().as_u16());
                if status == 202 || status == 200 {
                    taken.store(true, Ordering::Relaxed);
                    return !lost.load(Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            panic!("text {n} was never accepted");
        }
    });
    let loss = async {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert!(taken.load(Ordering::Relaxed), "in mid-traffic");
        lost.store(true, Ordering::Relaxed);
        tokio::task::block_in_place(|| {
            nats.kill9();
            nats.wipe_store().expect("an empty store");
            nats.restart().expect("the same server with nothing in it");
        });
    };
    let (before, ()) = futures::join!(futures::future::join_all(texts), loss);
    let early = before.into_iter().filter(|early| *early);
    let before = early.count();
    assert!(
        before > 10 && before < TEXTS,
        "{before} were accepted before the loss"
    );
    world.patience = Duration::from_secs(90);
    for n in 0..TEXTS {
        let status = ["sent", "awaiting_approval", "escalated"][n % 3];
        world.until_status(&format!("c{n}"), status).await;
    }
    world.settle().await;
    for n in 0..TEXTS {
        let expected = usize::from(n % 3 == 0);
        assert_eq!(world.texts_to(&format!("c{n}")).len(), expected, "c{n}");
    }
    let told = world
        .count("select count(distinct workflow_id) from notifications")
        .await;
    assert_eq!(told, 2 * TEXTS as i64 / 3, "managers know of every one");
    let again = said_again(&world).await;
    assert!(again > 0.0, "the sweep had something to do");
    world.finish(TEXTS / 3).await;
}

/// The text before it waits for the agent and its message is gone: without the sweep the later one
/// would wait for it as long as it lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_text_whose_message_was_lost_holds_nobody_back() {
    let mut world = sweeping().set("SMS_RETRY_BASE_MS", "4000").start().await;
    world.neighbours.sms_agent.add_fault(refused_once());
    world
        .publish("sms.received", &sms("c1", "hello [confidence=0.95]"), &[])
        .await;
    world
        .until("the text waits for the agent", || async {
            let waiting = world
                .count("select count(*) from deliveries where status = 'waiting'")
                .await;
            (waiting == 1).then_some(())
        })
        .await;
    lose_the_newest(&world, "reply.approved").await;
    world
        .publish(
            "sms.received",
            &sms("c1", "and when? [confidence=0.95]"),
            &[],
        )
        .await;
    world.patience = Duration::from_secs(60);
    world
        .until("both are on the phone", || async {
            (world.texts_to("c1").len() == 2).then_some(())
        })
        .await;
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_woken_for_its_hour_survives_the_loss_too() {
    let mut world = sweeping()
        .set("CONTACT_HOURS", "on")
        // The stream's clock does not jump with the service's.
        .set("SMS_GIVE_UP_HOURS", "1000000")
        .set("SMS_RETRY_BASE_MS", "2000")
        .start()
        .await;
    world.set_clock("03:00");
    world
        .publish("sms.received", &sms("c1", "hello [confidence=0.95]"), &[])
        .await;
    world
        .until("the text waits for its hour", || async {
            let held = world
                .count("select count(*) from deliveries where status = 'held'")
                .await;
            (held == 1).then_some(())
        })
        .await;
    world.neighbours.sms_agent.add_fault(refused_once());
    world.set_clock("15:00");
    world
        .until("it was woken and the agent said no", || async {
            let waiting = world
                .count("select count(*) from deliveries where status = 'waiting'")
                .await;
            (waiting == 1).then_some(())
        })
        .await;
    world.lose_streams().await;
    world.patience = Duration::from_secs(60);
    world
        .until("it is on the phone", || async {
            (world.texts_to("c1").len() == 1).then_some(())
        })
        .await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_copied_to_a_stream_made_anew() {
    let mut world = sweeping().start().await;
    world.publish("sms.received", &json!("junk"), &[]).await;
    let copies = || async {
        let jetstream = async_nats::jetstream::new(world.nats.clone());
        let name = format!("{}_ORCHESTRATOR_DEAD", world.prefix.to_uppercase());
        let stream = jetstream.get_stream(name).await.ok()?;
        (stream.cached_info().state.messages == 1).then_some(stream.cached_info().created)
    };
    let first = world.until("the letter's copy", copies).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.lose_streams().await;
    let second = world.until("the copy in the new stream", copies).await;
    assert_ne!(first, second);
    world.patience = Duration::from_secs(60);
    world.finish_with(0, 1).await;
}

/// What waits for a manager, and what waits in a backlog, is not lost: nothing is said twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_rightly_waits_is_left_alone() {
    let world = sweeping().set("MODEL_MAX_PARALLEL", "2").start().await;
    world.neighbours.model.set_latency(700, 0);
    for n in 0..16 {
        let body = sms(&format!("c{n}"), "hello [confidence=0.7]");
        world.publish("sms.received", &body, &[]).await;
    }
    // Six seconds of backlog, three times what counts as old.
    for n in 0..16 {
        world
            .until_status(&format!("c{n}"), "awaiting_approval")
            .await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let again = said_again(&world).await;
    assert!(again == 0.0, "said again: {again}");
    world.finish(0).await;
}
