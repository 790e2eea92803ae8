//! What happened in a conversation, for those who have to answer for it.

use serde_json::{Value, json};

use crate::world::World;

fn types(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|e| e["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_told_in_order_with_who_did_it() {
    let world = World::start().await;
    let text = world
        .text("c1", "I can pay $75 a week for 8 weeks [confidence=0.7]")
        .await;
    let approve = json!({
        "response_queue_id": text["response_queue_id"], "action": "modify",
        "modified_text": "Let us talk.", "manager_id": "ana", "notes": "she is new",
    });
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("c1", "sent").await;
    let escalate = json!({"conversation_id": "c1", "escalated_by": "bob"});
    let (_, raised) = world.post("/orchestrate/escalate", &escalate).await;
    let id = raised["escalation_id"].as_str().unwrap();
    let resolve = format!("/orchestrate/escalations/{id}/resolve");
    world.post(&resolve, &json!({"resolved_by": "ana"})).await;
    world.settle().await;
    let path = "/orchestrate/conversations/c1/timeline";
    let (status, page) = world.get(path).await;
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["tenant_id"], "12345");
    assert_eq!(page["workflows"].as_array().unwrap().len(), 1);
    let told = types(&page);
    let place = |kind: &str| told.iter().position(|t| *t == kind);
    let story = [
        "message_received",
        "upstream_call",
        "ai_response",
        "decision",
        "approval",
        "message_sent",
        "escalation_created",
        "escalation_resolved",
    ];
    let places: Vec<usize> = story.iter().map(|k| place(k).expect(k)).collect();
    assert!(places.is_sorted(), "{told:?}");
    assert!(place("payment_plan").is_some() && place("notification").is_some());
    let items = page["items"].as_array().unwrap();
    let approval = items.iter().find(|e| e["type"] == "approval").unwrap();
    assert_eq!(approval["actor"], "ana");
    let said = approval["data"]["final_response"].as_str().unwrap();
    assert!(said.starts_with("Let us talk.\n"), "{said}");
    assert_eq!(approval["data"]["notes"], "she is new");
    let raised = items.iter().find(|e| e["type"] == "escalation_created");
    assert_eq!(raised.unwrap()["actor"], "bob");
    let ids: std::collections::HashSet<_> = items.iter().map(|e| e["id"].as_str()).collect();
    assert_eq!(ids.len(), items.len(), "every event has an id of its own");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_narrowed_turned_and_paged() {
    let world = World::start().await;
    world.text("c1", "What do I owe? [confidence=0.7]").await;
    world.settle().await;
    let path = |query: &str| format!("/orchestrate/conversations/c1/timeline?{query}");
    let (_, some) = world.get(&path("type=message_received,ai_response")).await;
    assert_eq!(types(&some), ["message_received", "ai_response"]);
    let (_, turned) = world
        .get(&path(
            "type=message_received,ai_response&order=desc&limit=1",
        ))
        .await;
    assert_eq!(types(&turned), ["ai_response"]);
    assert_eq!(
        (&turned["total"], &turned["has_more"]),
        (&json!(2), &json!(true))
    );
    let (_, none) = world.get(&path("to=2020-01-01T00:00:00Z")).await;
    assert_eq!(none["total"], 0);
    for bad in ["type=gossip", "limit=501", "from=soon", "order=up"] {
        assert_eq!(world.get(&path(bad)).await.0, 422, "{bad}");
    }
    let unknown = "/orchestrate/conversations/nobody/timeline";
    assert_eq!(world.get(unknown).await.0, 404);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_rewrites_what_happened() {
    let world = World::start().await;
    world.text("c1", "STOP").await;
    world.settle().await;
    for sql in [
        "update workflow_steps set status = 'failed'",
        "delete from workflow_steps",
        "delete from consent_history",
        "update consent_history set opted_out = false",
    ] {
        let refused = sqlx::query(sql).execute(&world.db).await;
        let error = refused.expect_err(sql).to_string();
        assert!(error.contains("append-only"), "{error}");
    }
    world.finish(0).await;
}
