//! More comes in than is worked off, or the database has no connection left: the door says so, what
//! was taken is worked off, and the door opens again.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use orchestrator::service::Roles;
use serde_json::{Value, json};

use crate::world::{World, sms};

async fn post(world: &World, conversation: &str) -> (u16, Option<String>, Value) {
    let client = reqwest::Client::new();
    let body = sms(conversation, "hello [confidence=0.95]");
    let url = world.url("/orchestrate/sms-received");
    let answer = client
        .post(url)
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let status = answer.status().as_u16();
    let after = answer.headers().get("retry-after");
    let after = after.map(|after| after.to_str().expect("text").to_owned());
    (status, after, answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbound_stream_refuses_at_the_door_and_opens_again() {
    const ROOM: i64 = 20;
    let mut world = World::with("SYNC_BUDGET_MS", "8000").prepare().await;
    // Nobody works yet.
    let bridge = Roles {
        bridge: true,
        stages: Vec::new(),
    };
    world.start_as(bridge).await;
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(&name).await.expect("the stream");
    let mut config = stream.cached_info().config.clone();
    config.max_messages = ROOM;
    jetstream.update_stream(config).await.expect("a small one");
    for n in 0..ROOM {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }

    let body = sms("direct", "hello").to_string();
    let subject = format!("{}.sms.received", world.prefix);
    let ack = jetstream.publish(subject, body.into()).await.expect("sent");
    let refused = ack.await.expect_err("a publisher is told");
    let said = format!("{refused:?}");
    assert!(said.contains("maximum messages exceeded"), "{said}");
    let (status, after, problem) = post(&world, "late").await;
    assert_eq!((status, after.as_deref()), (503, Some("5")), "{problem}");
    assert_eq!(problem["error_code"], "ORC_004");
    assert_eq!(problem["details"]["may_still_be_processed"], false);

    let workers = Roles {
        bridge: false,
        ..Roles::all()
    };
    world.start_as(workers).await;
    // The caller does what it was told: it comes again.
    let began = Instant::now();
    while post(&world, "late").await.0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "still full");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for n in 0..ROOM {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    world.until_status("late", "sent").await;
    let mut stream = jetstream.get_stream(&name).await.expect("the stream");
    let kept = stream.info().await.expect("the stream").state.messages;
    assert!(kept > 0, "only the older half went: {kept} kept");
    world
        .finish(usize::try_from(ROOM).expect("a count") + 1)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_handled_makes_no_room() {
    const ROOM: i64 = 20;
    let mut world = World::start().await;
    world.text("warm", "hello [confidence=0.95]").await;
    world.stop_service().await;
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(&name).await.expect("the stream");
    let mut config = stream.cached_info().config.clone();
    config.max_messages = ROOM;
    jetstream.update_stream(config).await.expect("a small one");
    for n in 1..ROOM {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
    // Takes texts in and looks after the room, but nobody decides: that consumer keeps what is its.
    let decision = json!({"response_queue_id": "nobody", "action": "approve"});
    let only = Roles {
        bridge: true,
        stages: vec!["intake"],
    };
    world.start_as(only).await;
    let handled = "select count(*) from inbound_messages";
    world
        .until("all are taken in", || async {
            (world.count(handled).await == ROOM).then_some(())
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.publish("approval.decided", &decision, &[]).await;
    let seen = |messages: u64| messages < u64::try_from(ROOM).expect("a count");
    let mut stream = jetstream.get_stream(&name).await.expect("the stream");
    let before = stream.info().await.expect("the stream").state.clone();
    assert!(seen(before.messages), "handled ones have gone");
    for n in 0..ROOM {
        let body = sms(&format!("d{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let info = stream.info().await.expect("the stream");
        if info.state.messages >= u64::try_from(ROOM).expect("a count") - 1 {
            break;
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let subject = format!("{}.approval.decided", world.prefix);
    let kept = stream.get_last_raw_message_by_subject(&subject).await;
    assert!(kept.is_ok(), "nobody has decided yet");
    world.stop_service().await;
    world.start_service().await;
    world.settle().await;
    let texts = usize::try_from(world.count(handled).await).expect("a count");
    world.finish(texts).await;
}

/// An operator pauses a consumer, or somebody's tool reads slowly: the oldest message that one of them has
/// not acknowledged is the oldest that is kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_paused_consumer_has_not_handled_is_kept() {
    const ROOM: u64 = 20;
    let world = World::start().await;
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(&name).await.expect("the stream");
    // It has handled three.
    for n in 0..3 {
        world
            .text(&format!("c{n}"), "hello [confidence=0.95]")
            .await;
    }
    let audit = async_nats::jetstream::consumer::pull::Config {
        durable_name: Some("audit".to_owned()),
        ..Default::default()
    };
    let audit = stream.create_consumer(audit).await.expect("a consumer");
    let three = audit
        .fetch()
        .max_messages(3)
        .messages()
        .await
        .expect("three");
    let three: Vec<_> = three.collect().await;
    for message in three {
        message.expect("one").double_ack().await.expect("handled");
    }
    let until = stream.cached_info().created + Duration::from_secs(3600);
    stream
        .pause_consumer("audit", until)
        .await
        .expect("a pause");
    let mut config = stream.cached_info().config.clone();
    config.max_messages = i64::try_from(ROOM).expect("a count");
    jetstream.update_stream(config).await.expect("a small one");
    for n in 3..ROOM {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
    // The three may go; of the others, handled by every stage as they are, none.
    let first = || async {
        let mut stream = jetstream.get_stream(&name).await.expect("the stream");
        stream
            .info()
            .await
            .expect("the stream")
            .state
            .first_sequence
    };
    world
        .until("what was handled has gone", || async {
            (first().await == 4).then_some(())
        })
        .await;
    world.settle().await;
    for n in 0..3 {
        let body = sms(&format!("d{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
    world.settle().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        first().await,
        4,
        "full again, and nothing of audit's has gone"
    );

    stream.resume_consumer("audit").await.expect("goes on");
    let mut left = audit
        .fetch()
        .max_messages(100)
        .messages()
        .await
        .expect("the rest");
    let mut had = 0;
    while let Some(message) = left.next().await {
        message.expect("one").double_ack().await.expect("handled");
        had += 1;
    }
    assert_eq!(had, ROOM, "everything after the third");
    world
        .until("now the older half may go", || async {
            (first().await > 4).then_some(())
        })
        .await;
    stream.delete_consumer("audit").await.expect("gone");
    world.finish(23).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_connection_the_door_says_so_and_everything_drains() {
    let world = World::with("DATABASE_MAX_CONNECTIONS", "2")
        .set("ACCEPT_TIMEOUT_MS", "2000")
        .set("SYNC_BUDGET_MS", "1000")
        .start()
        .await;
    world.text("warm", "hello [confidence=0.95]").await;
    // Somebody holds what every commit and every read needs.
    let mut held = world.db.begin().await.expect("a transaction");
    sqlx::query("lock table orchestration_workflows in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("the lock");
    let client = reqwest::Client::new();
    let began = Instant::now();
    // The first ones get the connections and are stuck in their statements, the others find none.
    let reads = (0..10).map(|_| {
        let url = world.url("/orchestrate/workflow/warm/status");
        let request = client.get(url).send();
        async move {
            let answer = request.await.expect("an answer");
            let after = answer.headers().get("retry-after").is_some();
            (answer.status().as_u16(), after)
        }
    });
    let writes = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for n in 0..40 {
            let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
            world.publish("sms.received", &body, &[]).await;
        }
        post(&world, "asked").await
    };
    let (reads, (status, after, problem)) =
        futures::join!(futures::future::join_all(reads), writes);
    let took = began.elapsed();
    assert!(reads.iter().all(|read| *read == (503, true)), "{reads:?}");
    assert_eq!((status, after.as_deref()), (503, Some("5")), "{problem}");
    assert_eq!(problem["details"]["may_still_be_processed"], true);
    assert!(took < Duration::from_secs(30), "hung for {took:?}");
    held.rollback().await.expect("let go");
    for n in 0..40 {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    world.until_status("asked", "sent").await;
    world.finish(42).await;
}
