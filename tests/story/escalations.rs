//! Managers and other services raise, take over and finish escalations.

use serde_json::{Value, json};

use crate::world::World;

const ESCALATE: &str = "/orchestrate/escalate";

async fn raised(world: &World, body: Value) -> Value {
    let (status, answer) = world.post(ESCALATE, &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_escalates_a_conversation_nobody_knows_and_finishes_it() {
    let world = World::start().await;
    let answer = raised(
        &world,
        json!({
            "conversation_id": "conv_abc123", "escalation_type": "hostile_language",
            "reason": "Customer requested supervisor assistance", "severity": "high",
            "auto_detected": false, "escalated_by": "manager_456", "metadata": {"department": "legal"},
        }),
    )
    .await;
    assert_eq!(answer["status"], "escalated_processed");
    assert_eq!(answer["dashboard_status"], "created");
    let id = answer["escalation_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("esc_"), "{id}");
    let (_, workflow) = world.get("/orchestrate/workflow/conv_abc123/status").await;
    assert_eq!(workflow["workflow_type"], "escalation");
    assert_eq!(workflow["status"], "escalated");
    let (_, list) = world.get("/orchestrate/escalations").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["items"][0]["dashboard_type"], "threatening");
    assert_eq!(list["items"][0]["metadata"]["department"], "legal");
    let assign = format!("/orchestrate/escalations/{id}/assign");
    let (status, taken) = world.post(&assign, &json!({"assigneeId": "ana"})).await;
    assert_eq!((status, &taken["status"]), (200, &json!("in_progress")));
    let resolve = format!("/orchestrate/escalations/{id}/resolve");
    let done = json!({"resolved_by": "ana", "resolution": "called", "outcome": "ok"});
    let (status, answer) = world.post(&resolve, &done).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["already_resolved"], false);
    let (_, again) = world.post(&resolve, &json!({"resolved_by": "bob"})).await;
    assert_eq!(again["already_resolved"], true);
    assert_eq!(again["resolved_by"], "ana");
    let (status, late) = world.post(&assign, &json!({"assigned_to": "bob"})).await;
    assert_eq!(status, 409, "{late}");
    let (_, workflow) = world.get("/orchestrate/workflow/conv_abc123/status").await;
    assert_eq!(workflow["status"], "completed");
    let (_, item) = world.get(&format!("/orchestrate/escalations/{id}")).await;
    assert_eq!(item["status"], "resolved");
    assert_eq!(item["assigned_to"], "ana");
    assert_eq!(item["metadata"]["outcome"], "ok");
    let (_, open) = world.get("/orchestrate/escalations").await;
    assert_eq!(open["total"], 0);
    world.settle().await;
    let told = world.count("select count(*) from notifications").await;
    assert_eq!(told, 1, "one notification");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_are_one_escalation() {
    let world = World::with("COMMIT_SHARDS", "3").replicas(2).start().await;
    let body = json!({"conversation_id": "c1", "escalation_reason": "help", "priority": "high"});
    let asks = (0..20).map(|_| world.post(ESCALATE, &body));
    let answers = futures::future::join_all(asks).await;
    let mut ids: Vec<String> = answers
        .iter()
        .map(|(_, b)| b["escalation_id"].as_str().unwrap().to_owned())
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let first = answers.iter().filter(|(_, b)| b["duplicate"] == false);
    assert_eq!(first.count(), 1);
    world.settle().await;
    assert_eq!(world.count("select count(*) from notifications").await, 1);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_stays_decidable_after_an_escalation() {
    let world = World::start().await;
    let answer = world.text("c1", "What do I owe? [confidence=0.7]").await;
    let draft = answer["response_queue_id"].clone();
    raised(&world, json!({"conversation_id": "c1"})).await;
    let (_, workflow) = world.get("/orchestrate/workflow/c1/status").await;
    assert_eq!(workflow["status"], "escalated");
    assert_eq!(workflow["workflow_id"], answer["workflow_id"]);
    let approve = json!({"response_queue_id": draft, "action": "approve"});
    let (status, sent) = world.post("/orchestrate/approve-response", &approve).await;
    assert_eq!(status, 200, "{sent}");
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalated_text_is_not_answered_by_the_model_any_more() {
    let world = World::start().await;
    world.neighbours.model.set_latency(1_000, 0);
    let body = crate::world::sms("c1", "What do I owe? [confidence=0.95]");
    let headers = [("Prefer", "respond-async")];
    let (status, _) = world
        .post_with("/orchestrate/sms-received", &body, &headers)
        .await;
    assert_eq!(status, 202);
    raised(&world, json!({"conversation_id": "c1"})).await;
    world.until_status("c1", "escalated").await;
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_endpoint_speaks_its_own_words() {
    let world = World::start().await;
    let text = world.text("c1", "I will sue you").await;
    let body = json!({
        "workflow_id": text["workflow_id"], "customer_phone": "+12025550143",
        "reason": "customer_anger", "notes": "shouted on the phone",
    });
    let (status, answer) = world.post("/escalations/trigger", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["status"], "escalation_created");
    assert_eq!(answer["escalation_type"], "hostile_language");
    assert_eq!(answer["data"]["escalation_id"], answer["escalation_id"]);
    assert_eq!(answer["data"]["status"], "escalation_created");
    assert!(answer["expected_resolution_time"].is_string());
    let unknown = json!({"workflow_id": "non-existent", "reason": "x"});
    let (status, refused) = world.post("/escalations/trigger", &unknown).await;
    assert_eq!((status, &refused["error_code"]), (404, &json!("ORC_008")));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_escalations_name_their_fields_and_odd_ids_are_unknown() {
    let world = World::start().await;
    let (status, refused) = world
        .post(ESCALATE, &json!({"type": "angry", "severity": "very"}))
        .await;
    assert_eq!(status, 422);
    assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "{refused}");
    for path in ["esc_x", "esc_00000000-0000-4000-8000-000000000000"] {
        let path = format!("/orchestrate/escalations/{path}");
        assert_eq!(world.get(&path).await.0, 404);
        let (status, _) = world.post(&format!("{path}/resolve"), &json!({})).await;
        assert_eq!(status, 404);
    }
    let (status, _) = world.get("/orchestrate/escalations?severity=very").await;
    assert_eq!(status, 422);
    world.finish(0).await;
}

/// Without HTTP, for services that only publish.
#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_may_be_published() {
    let world = World::start().await;
    world
        .publish("command.escalate", &json!({"conversation_id": "c1"}), &[])
        .await;
    let status = world.until_status("c1", "escalated").await;
    assert_eq!(status["escalation_triggered"], true);
    world.finish(0).await;
}
