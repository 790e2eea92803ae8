//! An SMS Agent that calls nobody, with the relay in front of it.

mod killed;
mod outages;
mod provider;
mod tables;

use serde_json::{Value, json};
use simulators::{Fault, Rule};

use self::provider::{Provider, RelayWorld, form};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_text_passes_the_agent_untouched_and_is_answered() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    let (status, body) = world.provider().post(&posted).await;
    assert_eq!((status, body.as_str()), (200, ""));
    world.until_status("sms-12025550143", "sent").await;
    let requests = world.neighbours.sms_agent.requests();
    let webhook = requests
        .iter()
        .find(|r| r.path.starts_with("/webhook"))
        .expect("the agent was asked");
    assert_eq!(webhook.path, "/webhook/twilio/sms?tenant=a%20b");
    assert_eq!(webhook.header("host"), Some(Provider::HOST));
    assert_eq!(webhook.header("x-forwarded-proto"), Some("https"));
    assert_eq!(
        webhook.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(&webhook.body[..], posted.body.as_bytes());
    let (key, tenant, content, metadata): (String, Option<String>, String, Value) = sqlx::query_as(
        "select idempotency_key, tenant_id, content, metadata from inbound_messages",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert_eq!(key, "SM1");
    assert_eq!(
        tenant.as_deref(),
        Some("12345"),
        "the agent's history knows"
    );
    assert_eq!(content, "hello [confidence=0.95]");
    assert_eq!(
        metadata,
        json!({"source": "relay", "stored_by_agent": true})
    );
    world.until_queue("taken", 1).await;
    let kept = "select count(*) from relay_queue
        where sender is not null or content is not null or event is not null";
    assert_eq!(world.count(kept).await, 0, "what was taken is forgotten");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agent_refuses_goes_nowhere() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let mut forged = form("SM1", "+12025550143", "hello");
    forged.signature = "AAAA".to_owned();
    let (status, _) = world.provider().post(&forged).await;
    assert_eq!(status, 403);
    // A repetition of a good one with another body does not harm what is under way.
    let good = form("SM2", "+12025550143", "hello [confidence=0.95]");
    world.provider().post(&good).await;
    let mut changed = form("SM2", "+12025550143", "I owe nothing");
    changed.signature = "AAAA".to_owned();
    assert_eq!(world.provider().post(&changed).await.0, 403);
    world.until_status("sms-12025550143", "sent").await;
    world.until_queue("published", 1).await;
    assert_eq!(world.count("select count(*) from relay_queue").await, 1);
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        1
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_configured_paths_are_public() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let url = world.webhook_url();
    let http = reqwest::Client::new();
    let before = world.neighbours.sms_agent.requests().len();
    for path in ["/sms/send", "/conversations/+12025550143", "/health", "/"] {
        let body = json!({"to": "+12025550143", "body": "free texts"});
        let post = http.post(format!("{url}{path}")).json(&body).send().await;
        assert_eq!(post.unwrap().status(), 404, "{path}");
    }
    let get = http.get(format!("{url}/webhook/twilio/sms")).send().await;
    assert_eq!(get.unwrap().status(), 405);
    let large = http
        .post(format!("{url}/webhook/twilio/sms"))
        .body("x".repeat(70_000))
        .send()
        .await;
    assert_eq!(large.unwrap().status(), 413);
    assert_eq!(world.neighbours.sms_agent.requests().len(), before);
    let mut callback = form("SM9", "+12025550143", "");
    callback.set("MessageStatus", "delivered");
    callback.path = "/webhook/twilio/status".to_owned();
    callback.sign();
    assert_eq!(world.provider().post(&callback).await.0, 200);
    callback.signature = "AAAA".to_owned();
    assert_eq!(world.provider().post(&callback).await.0, 403);
    assert_eq!(world.count("select count(*) from relay_queue").await, 0);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_twenty_times_is_one_text() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    let provider = world.provider();
    let all = (0..20).map(|_| provider.post(&posted));
    for (status, _) in futures::future::join_all(all).await {
        assert_eq!(status, 200);
    }
    world.until_status("sms-12025550143", "sent").await;
    // Long after it was published, too.
    world.until_queue("published", 1).await;
    assert_eq!(provider.post(&posted).await.0, 200);
    assert_eq!(world.neighbours.sms_agent.inbound_count("SM1"), 1);
    world.until_queue("published", 1).await;
    world.settle().await;
    let stream = format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase());
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let mut stream = jetstream.get_stream(stream).await.unwrap();
    let published = stream.info().await.unwrap().state.messages;
    assert_eq!(published, 1);
    let metrics = reqwest::get(world.sidecar_url("/metrics")).await.unwrap();
    let once = "orchestrator_relay_texts_total{outcome=\"published\"} 1\n";
    assert!(
        metrics.text().await.unwrap().contains(once),
        "what is published is not even offered to the stream again"
    );
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        1
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_limit_at_once_are_asked_to_come_again() {
    let world =
        RelayWorld::start(World::with("RELAY_PORT", "0").set("RELAY_MAX_PARALLEL", "2")).await;
    world.neighbours.sms_agent.set_latency(300, 0);
    let provider = world.provider();
    let forms: Vec<_> = (0..5)
        .map(|n| {
            form(
                &format!("SM{n}"),
                &format!("+1202555014{n}"),
                "hello [confidence=0.95]",
            )
        })
        .collect();
    let answers = futures::future::join_all(forms.iter().map(|f| provider.post(f))).await;
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    let busy = answers.iter().filter(|(status, _)| *status == 503).count();
    assert_eq!((taken, busy), (2, 3));
    world.neighbours.sms_agent.set_latency(0, 0);
    world.until_queue("published", 2).await;
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_the_agent_loses_is_not_lost() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    world.neighbours.sms_agent.lose_inbound(true);
    let posted = form("SM1", "+12025550143", "hello [confidence=0.95]");
    assert_eq!(world.provider().post(&posted).await.0, 200);
    world.until_status("sms-12025550143", "sent").await;
    let (tenant, metadata): (Option<String>, Value) =
        sqlx::query_as("select tenant_id, metadata from inbound_messages")
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(tenant, None, "the history says nothing, so nobody says");
    assert_eq!(metadata["stored_by_agent"], false);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_a_text_without_words() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let mut picture = form("SM1", "+12025550143", "");
    picture.set("NumMedia", "2");
    picture.sign();
    assert_eq!(world.provider().post(&picture).await.0, 200);
    world.until_queue("published", 1).await;
    world.settle().await;
    let (content, metadata): (String, Value) =
        sqlx::query_as("select content, metadata from inbound_messages")
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(content, "[message without text]");
    assert_eq!(metadata["num_media"], 2);
    let texts = world.neighbours.sms_agent.messages().len();
    world.finish(texts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_published_is_kept_for_a_person() {
    let world = RelayWorld::start(World::with("RELAY_PORT", "0")).await;
    let short_code = form("SM1", "26262", "Your parcel is here");
    assert_eq!(world.provider().post(&short_code).await.0, 200);
    let long = form("SM2", "+12025550143", &"x".repeat(2001));
    assert_eq!(world.provider().post(&long).await.0, 200);
    world.until_queue("refused", 2).await;
    let why: Vec<String> =
        sqlx::query_scalar("select last_error from relay_queue order by message_sid")
            .fetch_all(&world.db)
            .await
            .unwrap();
    assert!(why[0].contains("/phone_number"), "{why:?}");
    assert!(why[1].contains("/content"), "{why:?}");
    let kept = "select count(*) from relay_queue where content is not null";
    assert_eq!(world.count(kept).await, 2);
    // What is no text at all is the agent's business alone.
    let mut nameless = form("SM3", "+12025550143", "hi");
    nameless.remove("MessageSid");
    nameless.sign();
    assert_eq!(world.provider().post(&nameless).await.0, 200);
    assert_eq!(world.count("select count(*) from relay_queue").await, 2);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_one_phone_keep_their_order() {
    let plan = World::with("RELAY_PORT", "0").set("RETRY_BASE_MS", "200");
    let world = RelayWorld::with_replicas(plan, 2).await;
    // The first text has to wait for its history while the others come in.
    let mut fault = Rule::new(Fault::Crash { effect: false });
    fault.path = Some("/conversations/".to_owned());
    fault.first = Some(2);
    world.neighbours.sms_agent.add_fault(fault);
    for n in 0..12 {
        let posted = form(
            &format!("SM{n:02}"),
            "+12025550143",
            &format!("text {n:02}"),
        );
        assert_eq!(world.provider_of(n % 2).post(&posted).await.0, 200);
    }
    world.until_queue("published", 12).await;
    world.settle().await;
    let texts: Vec<String> = sqlx::query_scalar(
        "select content from inbound_messages order by arrival_epoch, arrival_seq",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    let wanted: Vec<String> = (0..12).map(|n| format!("text {n:02}")).collect();
    assert_eq!(texts, wanted);
    let sent = world.neighbours.sms_agent.messages().len();
    world.finish(sent).await;
}
