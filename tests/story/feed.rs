//! The live feed: the story as it happens, for whoever watches.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::servers::{Nats, NatsOptions};
use tokio::io::AsyncWriteExt;

use crate::world::{Plan, World};

/// One block of the feed.
#[derive(Debug, Clone, Default, PartialEq)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Value,
    comment: bool,
}

/// A client of the feed, as a browser would be one.
struct Client {
    response: reqwest::Response,
    buffer: String,
    last_id: Option<String>,
}

impl Client {
    async fn open(world: &World, replica: usize, query: &str, last_id: Option<&str>) -> Self {
        let answer = Self::try_open(world, replica, query, last_id).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            response: answer,
            buffer: String::new(),
            last_id: last_id.map(str::to_owned),
        }
    }

    async fn try_open(
        world: &World,
        replica: usize,
        query: &str,
        last_id: Option<&str>,
    ) -> reqwest::Response {
        let url = world.url_of(replica, &format!("/orchestrate/events{query}"));
        let mut request = reqwest::Client::new().get(url);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        request.send().await.expect("an answer")
    }

    /// The next block; `None` when the feed has ended.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let parsed = parse(block);
                self.buffer = rest.to_owned();
                if parsed.id.is_some() {
                    self.last_id.clone_from(&parsed.id);
                }
                return Some(parsed);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(15), self.response.chunk())
                .await
                .expect("waited in vain for the feed");
            match chunk {
                Ok(Some(bytes)) => self.buffer.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next event with a name.
    async fn event(&mut self) -> Block {
        loop {
            let block = self.block().await.expect("the feed goes on");
            if block.event.is_some() {
                return block;
            }
        }
    }

    /// The next events of a conversation until its text was sent: their types.
    async fn until_sent(&mut self, conversation: &str) -> Vec<String> {
        let mut types = Vec::new();
        loop {
            let event = self.event().await;
            let name = event.event.expect("a name");
            if event.data["subject"] == conversation {
                types.push(name.clone());
                if name == "reply.sent" {
                    return types;
                }
            }
        }
    }
}

fn parse(block: &str) -> Block {
    let mut parsed = Block::default();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("", _)) => parsed.comment = true,
            Some(("id", value)) => parsed.id = Some(value.trim().to_owned()),
            Some(("event", value)) => parsed.event = Some(value.trim().to_owned()),
            Some(("data", value)) => parsed.data = serde_json::from_str(value).expect("JSON"),
            _ => panic!("not a line of a feed: {line}"),
        }
    }
    parsed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_texts_story_is_told_as_it_happens() {
    let world = World::start().await;
    let mut everything = Client::open(&world, 0, "", None).await;
    let first = everything.block().await.expect("a beginning");
    assert!(first.id.is_some() && first.event.is_none(), "{first:?}");
    let mut one = Client::open(&world, 0, "?conversation_id=c2", None).await;
    let mut some = Client::open(&world, 0, "?type=approval.*,reply.sent", None).await;
    world.text("c1", "hello [confidence=0.95]").await;
    world.text("c2", "What do I owe? [confidence=0.7]").await;
    let types = everything.until_sent("c1").await;
    assert_eq!(
        types,
        [
            "turn.opened",
            "turn.ready",
            "reply.drafted",
            "reply.approved",
            "reply.sent"
        ]
    );
    let sent = some.event().await;
    assert_eq!(sent.event.as_deref(), Some("reply.sent"));
    let data = &sent.data;
    assert_eq!(data["specversion"], "1.0");
    assert_eq!(data["type"], "reply.sent", "without the cluster's prefix");
    assert_eq!(data["subject"], "c1");
    assert_eq!(data["source"], "orchestrator/deliver");
    assert!(data["id"].is_string() && data["time"].is_string(), "{data}");
    assert_eq!(data["data"]["conversation_id"], "c1");
    let requested = some.event().await;
    assert_eq!(requested.event.as_deref(), Some("approval.requested"));
    for name in [
        "turn.opened",
        "turn.ready",
        "reply.drafted",
        "approval.requested",
    ] {
        let event = one.event().await;
        assert_eq!(event.event.as_deref(), Some(name));
        assert_eq!(event.data["subject"], "c2");
    }
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_has_missed_nothing() {
    let world = Plan::default().replicas(2).start().await;
    let query = "?type=reply.sent";
    let mut client = Client::open(&world, 0, query, None).await;
    // Lost before the first event: the beginning itself had an id.
    client.block().await.expect("a beginning");
    let start = client.last_id.clone().expect("an id");
    let mut id = start.clone();
    drop(client);
    for n in 0..12 {
        world
            .text(&format!("c{n}"), "hello [confidence=0.95]")
            .await;
    }
    let mut seen = Vec::new();
    // In pieces, from one replica and the other, as the header and as the parameter.
    for piece in 0..4 {
        let mut client = match piece {
            3 => {
                let query = format!("{query}&last_event_id={id}");
                Client::open(&world, 1, &query, None).await
            }
            _ => Client::open(&world, piece % 2, query, Some(&id)).await,
        };
        for _ in 0..3 {
            let event = client.event().await;
            assert_eq!(event.event.as_deref(), Some("reply.sent"), "{event:?}");
            seen.push(event.data["subject"].as_str().unwrap().to_owned());
        }
        id = client.last_id.clone().expect("an id");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 12, "every one, and none twice: {seen:?}");
    // Without a filter not one place in the stream is left out, wherever the connection breaks.
    let place = |id: &str| -> u64 { id.split_once('-').unwrap().1.parse().unwrap() };
    let mut id = start;
    for replica in [0, 1, 0] {
        let mut client = Client::open(&world, replica, "", Some(&id)).await;
        for _ in 0..10 {
            let event = client.event().await;
            let next = event.id.expect("an id");
            assert_eq!(place(&next), place(&id) + 1);
            id = next;
        }
    }
    world.finish(12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_made_anew_is_a_gap_and_no_end() {
    let world = World::with("ACCEPT_TIMEOUT_MS", "1500")
        .set("SYNC_BUDGET_MS", "1000")
        .start()
        .await;
    let mut client = Client::open(&world, 0, "?type=reply.sent", None).await;
    world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(client.event().await.data["subject"], "c1");
    let old = client.last_id.clone().expect("an id");
    world.settle().await;
    world.lose_streams().await;
    let body = crate::world::sms("c2", "hello [confidence=0.95]");
    world
        .until("the text is taken", || async {
            let (status, _) = world.post("/orchestrate/sms-received", &body).await;
            (status == 200 || status == 202).then_some(())
        })
        .await;
    world.until_status("c2", "sent").await;
    let later = Client::open(&world, 0, "?type=reply.sent", Some(&old)).await;
    for mut client in [client, later] {
        let gap = client.event().await;
        assert_eq!(gap.event.as_deref(), Some("gap"));
        assert_eq!(gap.data["reason"], "stream_replaced");
        assert_eq!(gap.data["resumed_after"].as_str(), gap.id.as_deref());
        let next = client.event().await;
        assert_eq!(next.data["subject"], "c2", "all of the new stream");
        assert_ne!(next.id.as_deref(), Some(old.as_str()));
    }
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_has_forgotten_is_said_aloud() {
    let world = World::start().await;
    let mut client = Client::open(&world, 0, "?type=reply.sent", None).await;
    client.block().await.expect("a beginning");
    let start = client.last_id.clone().expect("an id");
    world.text("c1", "hello [confidence=0.95]").await;
    let seen = client.event().await.id.expect("an id");
    drop(client);
    world.text("c2", "hello [confidence=0.95]").await;
    world.settle().await;
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let stream = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(stream).await.unwrap();
    // The oldest goes, as it does after seven days; what this client has not seen stays.
    let (_, sequence) = seen.split_once('-').unwrap();
    let sequence: u64 = sequence.parse().unwrap();
    stream.purge().sequence(sequence).await.unwrap();
    let mut late = Client::open(&world, 0, "?type=reply.sent", Some(&start)).await;
    let gap = late.event().await;
    assert_eq!(gap.event.as_deref(), Some("gap"));
    assert_eq!(gap.data["reason"], "expired");
    assert_eq!(gap.data["after"], json!(start));
    // The one that is gone by now is the first after the gap's own place.
    assert_eq!(late.event().await.data["subject"], "c1");
    let mut in_time = Client::open(&world, 0, "?type=reply.sent", Some(&seen)).await;
    assert_eq!(
        in_time.event().await.data["subject"],
        "c2",
        "no gap for who has seen what is gone"
    );
    for strange in ["garbage", "1-1-1"] {
        let mut client = Client::open(&world, 0, "", Some(strange)).await;
        let gap = client.event().await;
        assert_eq!(gap.data["reason"], "unknown_position", "{strange}");
    }
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_refused_before_the_feed_begins() {
    let world = World::start().await;
    for (query, field) in [
        ("?type=reply.snet", "/type"),
        ("?type=sms.received", "/type"),
        ("?conversation_id=a%20b", "/conversation_id"),
    ] {
        let answer = Client::try_open(&world, 0, query, None).await;
        assert_eq!(answer.status(), 422, "{query}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["pointer"], field, "{body}");
    }
    let other = Client::try_open(&world, 0, "/", None).await;
    assert_eq!(other.status(), 200, "a trailing slash");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_has_a_heartbeat_and_places_are_given_back() {
    let world = World::with("FEED_HEARTBEAT_SECONDS", "0.2")
        .set("FEED_MAX_CLIENTS", "1")
        .start()
        .await;
    let mut client = Client::open(&world, 0, "", None).await;
    client.block().await.expect("a beginning");
    for _ in 0..2 {
        let block = client.block().await.expect("a sign of life");
        assert!(block.comment && block.event.is_none(), "{block:?}");
    }
    let refused = Client::try_open(&world, 0, "", None).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    drop(client);
    world
        .until("the place is free", || async {
            let answer = Client::try_open(&world, 0, "", None).await;
            (answer.status() == 200).then_some(())
        })
        .await;
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let stream = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let story =
        |row: &&orchestrator::stages::Row| row.stream() == orchestrator::events::Stream::Story;
    let stages = orchestrator::stages::STAGES.iter().filter(story).count();
    world
        .until("only the stages read the stream", || async {
            let mut stream = jetstream.get_stream(&stream).await.ok()?;
            let consumers = stream.info().await.ok()?.state.consumer_count;
            (consumers == stages).then_some(())
        })
        .await;
    world.finish(0).await;
}

/// 128 KiB that no stage reads.
async fn noise(world: &World, events: usize) {
    let body = json!({ "noise": "x".repeat(128 * 1024) });
    for _ in 0..events {
        world.publish("hold.noise", &body, &[]).await;
    }
}

async fn feeds_open(world: &World) -> Option<String> {
    let answer = reqwest::get(world.url("/metrics")).await.ok()?;
    let text = answer.text().await.ok()?;
    text.lines()
        .find(|line| line.starts_with("orchestrator_feeds_open "))
        .map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_let_go_and_may_come_back() {
    let world = World::with("FEED_SLOW_SECONDS", "0.3").start().await;
    let mut quick = Client::open(&world, 0, "?type=reply.sent", None).await;
    quick.block().await.expect("a beginning");
    let start = quick.last_id.clone().expect("an id");
    let address = world.url("");
    let address = address.trim_start_matches("http://");
    let mut deaf = tokio::net::TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /orchestrate/events HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    world
        .until("both are open", || async {
            (feeds_open(&world).await? == "orchestrator_feeds_open 2").then_some(())
        })
        .await;
    noise(&world, 250).await;
    world
        .until("the deaf one is let go", || async {
            (feeds_open(&world).await? == "orchestrator_feeds_open 1").then_some(())
        })
        .await;
    world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(
        quick.event().await.data["subject"],
        "c1",
        "the others do not notice"
    );
    let mut back = Client::open(&world, 0, "", Some(&start)).await;
    for _ in 0..250 {
        let event = back.event().await;
        assert_eq!(event.event.as_deref(), Some("hold.noise"));
    }
    drop(deaf);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_feed_does_not_hold_up_a_stop() {
    let mut world = Plan::default()
        .set("SHUTDOWN_SECONDS", "20")
        .replicas(2)
        .start()
        .await;
    let mut client = Client::open(&world, 0, "?type=reply.sent", None).await;
    client.block().await.expect("a beginning");
    let started = Instant::now();
    world.stop_service().await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "stopped after {:?}",
        started.elapsed()
    );
    while client.block().await.is_some() {}
    // The other replica goes on where this one ended.
    world.text("c1", "hello [confidence=0.95]").await;
    let id = client.last_id.clone();
    let mut client = Client::open(&world, 0, "?type=reply.sent", id.as_deref()).await;
    assert_eq!(client.event().await.data["subject"], "c1");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_outlives_an_outage_of_nats() {
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let world = World::with("NATS_URL", &nats.url())
        .set("FEED_HEARTBEAT_SECONDS", "0.2")
        .start()
        .await;
    world.shorten_deadlines().await;
    let mut client = Client::open(&world, 0, "?type=reply.sent", None).await;
    world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(client.event().await.data["subject"], "c1");
    nats.kill9();
    assert!(client.block().await.expect("a sign of life").comment);
    world
        .until("the service knows", || async {
            let (status, _) = world.get("/health/ready").await;
            (status == 503).then_some(())
        })
        .await;
    let refused = Client::try_open(&world, 0, "", None).await;
    assert_eq!(refused.status(), 503, "nobody is promised a feed now");
    nats.restart().expect("the same server again");
    let body = crate::world::sms("c2", "hello [confidence=0.95]");
    world
        .until("the text is taken", || async {
            let (status, _) = world.post("/orchestrate/sms-received", &body).await;
            (status == 200 || status == 202).then_some(())
        })
        .await;
    world.until_status("c2", "sent").await;
    let next = client.event().await;
    assert_eq!(next.event.as_deref(), Some("reply.sent"), "{next:?}");
    assert_eq!(next.data["subject"], "c2");
    world.finish(2).await;
}
