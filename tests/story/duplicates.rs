//! The same text more than once.

use serde_json::json;

use crate::world::{World, sms};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_over_http_and_nats_are_one() {
    let world = World::start().await;
    let mut body = sms("c1", "Can I pay Friday? [confidence=0.95]");
    body["message_sid"] = json!("SM1");
    let http = (0..14).map(|_| world.post("/orchestrate/sms-received", &body));
    let nats = (0..6).map(|_| world.publish("sms.received", &body, &[]));
    let (answers, _) = futures::join!(
        futures::future::join_all(http),
        futures::future::join_all(nats)
    );
    let mut workflows: Vec<_> = answers
        .iter()
        .map(|(_, a)| a["workflow_id"].to_string())
        .collect();
    workflows.dedup();
    assert_eq!(workflows.len(), 1, "{workflows:?}");
    for (status, answer) in &answers {
        assert!([200, 202].contains(status), "{answer}");
    }
    let originals = answers
        .iter()
        .filter(|(_, a)| a["duplicate"] == false)
        .count();
    assert!(originals <= 1);
    world.until_status("c1", "sent").await;
    assert_eq!(
        world
            .count("select count(*) from orchestration_workflows")
            .await,
        1
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_decides_and_without_one_the_content_does() {
    let world = World::start().await;
    let body = sms("c1", "hello [confidence=0.95]");
    let keyed = |key: &'static str| [("Idempotency-Key", key)];
    let (_, a) = world
        .post_with("/orchestrate/sms-received", &body, &keyed("k1"))
        .await;
    let (_, b) = world
        .post_with("/orchestrate/sms-received", &body, &keyed("k1"))
        .await;
    assert_eq!(a["workflow_id"], b["workflow_id"]);
    assert_eq!(
        (&a["duplicate"], &b["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        b["action_taken"], "auto_sent",
        "the current values of the first"
    );
    let (_, c) = world
        .post_with("/orchestrate/sms-received", &body, &keyed("k2"))
        .await;
    assert_eq!(c["duplicate"], false, "another key is another text");
    let (_, d) = world.post("/orchestrate/sms-received", &body).await;
    let (_, e) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(
        (&d["duplicate"], &e["duplicate"]),
        (&json!(false), &json!(true))
    );
    let mut timed = body.clone();
    timed["timestamp"] = json!("2025-01-15T10:30:00Z");
    let (_, f) = world.post("/orchestrate/sms-received", &timed).await;
    let (_, g) = world.post("/orchestrate/sms-received", &timed).await;
    assert_eq!(
        (&f["duplicate"], &g["duplicate"]),
        (&json!(false), &json!(true))
    );
    world.finish(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_for_equal_content_ends() {
    let world = World::with("DEDUPE_WINDOW_SECONDS", "0.3").start().await;
    let first = world.text("c1", "ok [confidence=0.95]").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let second = world.text("c1", "ok [confidence=0.95]").await;
    assert_ne!(first["workflow_id"], second["workflow_id"]);
    world.finish(2).await;
}
