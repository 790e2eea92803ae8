//! What nobody has done in time. Days pass in a second.

use chrono::TimeDelta;
use serde_json::json;

use crate::world::{Plan, World};

async fn raised(world: &World, kind: &str) -> i64 {
    let rows: Vec<String> = sqlx::query_scalar("select escalation_type from escalation_events")
        .fetch_all(&world.db)
        .await
        .unwrap();
    i64::try_from(rows.iter().filter(|k| *k == kind).count()).unwrap()
}

async fn until_raised(world: &World, kind: &str, times: i64) {
    world
        .until(kind, || async {
            (raised(world, kind).await == times).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_six_hours_of_silence_are_told_once_by_two_replicas() {
    let world = Plan::default().replicas(2).start().await;
    world.text("c1", "What do I owe? [confidence=0.95]").await;
    world.until_status("c1", "sent").await;
    world.settle().await;
    world.pass(TimeDelta::hours(35));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(raised(&world, "no_response").await, 0, "not yet");
    world.pass(TimeDelta::hours(1) + TimeDelta::seconds(1));
    until_raised(&world, "no_response", 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    world.settle().await;
    assert_eq!(raised(&world, "no_response").await, 1, "once");
    let (_, list) = world.get("/orchestrate/escalations").await;
    assert_eq!(list["items"][0]["auto_detected"], true);
    assert_eq!(list["items"][0]["dashboard_priority"], "next_business_day");
    let status = world.until_status("c1", "sent").await;
    assert_eq!(status["status"], "sent", "it was answered all the same");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_is_not_silent() {
    let world = World::start().await;
    world.text("c1", "What do I owe? [confidence=0.95]").await;
    world.until_status("c1", "sent").await;
    world.pass(TimeDelta::hours(30));
    world.text("c1", "ok thanks [confidence=0.5]").await;
    world.pass(TimeDelta::hours(7));
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    world.settle().await;
    assert_eq!(raised(&world, "no_response").await, 0);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecided_draft_expires_and_may_still_be_decided() {
    let mut world = World::start().await;
    let text = world.text("c1", "What do I owe? [confidence=0.7]").await;
    let id = text["response_queue_id"].as_str().unwrap().to_owned();
    // Over a restart: the row is the timer.
    world.stop_service().await;
    world.pass(TimeDelta::hours(25));
    world.start_service().await;
    until_raised(&world, "approval_timeout", 1).await;
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["status"], "expired");
    let status = world.until_status("c1", "escalated").await;
    assert_eq!(status["escalation_triggered"], true);
    let approve = json!({"response_queue_id": id, "action": "approve"});
    let (status, answer) = world.post("/orchestrate/approve-response", &approve).await;
    assert_eq!(status, 200, "{answer}");
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_are_reminded_by_severity() {
    let world = World::start().await;
    let body = |c: &str, severity: &str| json!({"conversation_id": c, "severity": severity});
    world
        .post("/orchestrate/escalate", &body("c1", "high"))
        .await;
    world
        .post("/orchestrate/escalate", &body("c2", "low"))
        .await;
    world.pass(TimeDelta::hours(2));
    let reminded = || async {
        world
            .count("select count(*) from escalation_events where reminded_at is not null")
            .await
    };
    world
        .until("the urgent one", || async {
            (reminded().await == 1).then_some(())
        })
        .await;
    world.pass(TimeDelta::hours(23));
    world
        .until("the other one", || async {
            (reminded().await == 2).then_some(())
        })
        .await;
    world.settle().await;
    let told = world.count("select count(*) from notifications").await;
    assert_eq!(told, 4, "two raised, two reminders");
    world.finish(0).await;
}
