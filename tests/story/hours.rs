//! Texts at night.

use serde_json::{Value, json};

use crate::world::{Plan, World};

/// In Connecticut, as the company is.
const NUMBER: &str = "+18605550143";

fn by_the_hour() -> Plan {
    World::with("CONTACT_HOURS", "on")
}

async fn text(world: &World, conversation: &str, content: &str) -> Value {
    let body = json!({
        "tenant_id": "12345", "phone_number": NUMBER, "content": content, "conversation_id": conversation,
    });
    let (status, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn on_the_phone(world: &World) -> usize {
    world.neighbours.sms_agent.messages_to(NUMBER).len()
}

async fn until_status(world: &World, status: &'static str, count: i64) {
    world
        .until(&format!("{count} deliveries are {status}"), || async {
            let found: i64 =
                sqlx::query_scalar("select count(*) from deliveries where status = $1")
                    .bind(status)
                    .fetch_one(&world.db)
                    .await
                    .ok()?;
            (found == count).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_text_at_night_leaves_in_the_morning_whoever_is_awake() {
    let mut world = by_the_hour().replicas(2).start().await;
    world.set_clock("23:15");
    let answer = text(&world, "c1", "What do I owe?").await;
    assert_eq!(answer["action_taken"], "auto_sent", "{answer}");
    let pending = text(&world, "c2", "What do I owe? [confidence=0.7]").await;
    let id = pending["response_queue_id"].as_str().unwrap();
    let approve = json!({"response_queue_id": id, "action": "approve"});
    let (status, approved) = world.post("/orchestrate/approve-response", &approve).await;
    assert_eq!(
        (status, &approved["delivery"]["status"]),
        (200, &json!("held")),
        "{approved}"
    );
    assert_eq!(
        approved["delivery"]["not_before"],
        "2030-01-16T13:00:00.000Z"
    );
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["delivery"]["status"], "held");
    // Everything is handled; nothing but the rows remembers the texts.
    world.settle().await;
    world.stop_service().await;
    assert_eq!(on_the_phone(&world), 0);
    world.set_clock("23:59");
    world.start_service().await;
    until_status(&world, "held", 2).await;
    world.pass(chrono::TimeDelta::hours(9));
    until_status(&world, "sent", 2).await;
    world.until_status("c1", "sent").await;
    let (_, told) = world
        .get("/orchestrate/conversations/c1/timeline?type=decision,message_sent")
        .await;
    let summaries: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["summary"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        summaries
            .iter()
            .any(|s| s.contains("waits for contact hours")),
        "{summaries:?}"
    );
    assert_eq!(
        world
            .count("select count(*) from gate_decisions where outcome = 'wait' and rules = '{R7}'")
            .await,
        2
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_text_at_night_replaces_the_reply_that_waits() {
    let world = by_the_hour().start().await;
    world.set_clock("05:00");
    text(&world, "c1", "What do I owe?").await;
    until_status(&world, "held", 1).await;
    text(&world, "c1", "And when is it due?").await;
    until_status(&world, "held", 2).await;
    world.pass(chrono::TimeDelta::hours(4));
    until_status(&world, "sent", 1).await;
    until_status(&world, "suppressed", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_at_night_ends_what_waits_at_once() {
    let world = by_the_hour().start().await;
    world.set_clock("05:00");
    text(&world, "c1", "What do I owe?").await;
    until_status(&world, "held", 1).await;
    text(&world, "c2", "STOP").await;
    until_status(&world, "suppressed", 1).await;
    let (_, status) = world.get("/orchestrate/workflow/c1/status").await;
    assert_eq!(status["metadata"]["outcome"], "suppressed", "{status}");
    world.pass(chrono::TimeDelta::hours(4));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_changed_overnight_is_a_persons() {
    let world = by_the_hour().start().await;
    world.set_clock("05:00");
    text(&world, "c1", "What do I owe?").await;
    until_status(&world, "held", 1).await;
    world.neighbours.monitor.set_tenant(
        serde_json::from_value(
            json!({"tenant_id": "12345", "amount_owed": 1.0, "tenant_portion": 1.0}),
        )
        .unwrap(),
    );
    world.pass(chrono::TimeDelta::hours(4));
    until_status(&world, "suppressed", 1).await;
    world.until_status("c1", "escalated").await;
    world.finish(0).await;
}
