//! What becomes of a text.

use serde_json::json;

use crate::world::{World, sms};

#[tokio::test(flavor = "multi_thread")]
async fn a_sure_reply_goes_out_by_itself() {
    let world = World::start().await;
    let answer = world
        .text("c1", "When is my rent due? [confidence=0.95]")
        .await;
    assert_eq!(answer["action_taken"], "auto_sent");
    assert_eq!(answer["workflow_status"], "sent");
    assert_eq!(answer["confidence"], 0.95);
    assert_eq!(answer["duplicate"], false);
    let status = world.until_status("c1", "sent").await;
    assert_eq!(status["dashboard_status"], "completed");
    assert_eq!(status["metadata"]["outcome"], "auto_sent");
    assert_eq!(
        status["steps_completed"],
        json!([
            "sms_received",
            "tenant_context_loaded",
            "conversation_history_loaded",
            "escalation_check",
            "ai_response_generated",
            "confidence_evaluated",
            "response_sent"
        ])
    );
    assert_eq!(world.texts_to("c1").len(), 1);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_both_edges_a_manager_sees_it_first() {
    let world = World::start().await;
    let cases = [
        ("0.8501", "auto_sent"),
        ("0.85", "queued_for_approval"),
        ("0.60", "queued_for_approval"),
        ("0.5999", "escalated"),
    ];
    for (score, action) in cases {
        let answer = world
            .text(&format!("c{score}"), &format!("Hello [confidence={score}]"))
            .await;
        assert_eq!(answer["action_taken"], action, "{score}: {answer}");
    }
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_goes_to_a_person_without_asking_the_model() {
    let world = World::start().await;
    let answer = world
        .text("c1", "I already paid this, it's the wrong amount")
        .await;
    assert_eq!(answer["action_taken"], "escalated");
    assert_eq!(answer["workflow_status"], "escalated");
    assert!(
        answer["escalation_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("esc_"))
    );
    assert!(world.neighbours.model.requests().is_empty());
    world.settle().await;
    let told = world.neighbours.notifications.notifications();
    assert_eq!(told.len(), 1);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_stop_nothing_is_texted_any_more() {
    let world = World::start().await;
    let waiting = world.text("c1", "Can I pay later? [confidence=0.7]").await;
    let stop = world.text("c1", " Stop! ").await;
    assert_eq!(stop["action_taken"], "suppressed");
    let later = world.text("c1", "hello? [confidence=0.99]").await;
    assert_eq!(later["action_taken"], "suppressed");
    let decision = json!({"response_queue_id": waiting["response_queue_id"], "action": "approve"});
    let (status, body) = world.post("/orchestrate/approve-response", &decision).await;
    assert_eq!(
        (status, &body["details"]["reason"]),
        (409, &json!("opted_out")),
        "{body}"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_sender_is_looked_up_and_then_a_person_is_asked() {
    let world = World::start().await;
    world
        .neighbours
        .monitor
        .set_tenant(simulators::tenants::TenantSetting {
            tenant_id: "nobody".to_owned(),
            absent: true,
            ..Default::default()
        });
    let mut unknown = sms("c1", "hi");
    unknown["tenant_id"] = json!("nobody");
    let (_, answer) = world.post("/orchestrate/sms-received", &unknown).await;
    assert_eq!(answer["action_taken"], "escalated");
    let escalations = world
        .count("select count(*) from escalation_events where escalation_type = 'unknown_tenant'")
        .await;
    assert_eq!(escalations, 1);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_to_wait_is_told_at_once() {
    let world = World::start().await;
    world.neighbours.model.set_latency(700, 0);
    let body = sms("c1", "hi [confidence=0.95]");
    let (status, answer) = world
        .post_with(
            "/orchestrate/sms-received",
            &body,
            &[("Prefer", "respond-async")],
        )
        .await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["status"], "accepted");
    assert_eq!(answer["action_taken"], "pending");
    world.until_status("c1", "sent").await;
    let (status, answer) = world
        .post_with(
            "/orchestrate/sms-received",
            &sms("c2", "hi [confidence=0.95]"),
            &[("Prefer", "wait=0")],
        )
        .await;
    assert_eq!(status, 202, "{answer}");
    world.until_status("c2", "sent").await;
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_ends_in_202_and_the_work_goes_on() {
    let world = World::with("SYNC_BUDGET_MS", "100").start().await;
    world.neighbours.model.set_latency(600, 0);
    let (status, answer) = world
        .post(
            "/orchestrate/sms-received",
            &sms("c1", "hi [confidence=0.95]"),
        )
        .await;
    assert_eq!(status, 202, "{answer}");
    assert!(["received", "processing"].contains(&answer["workflow_status"].as_str().unwrap()));
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_ours_is_only_noted() {
    let world = World::start().await;
    let mut ours = sms("c1", "we called you");
    ours["direction"] = json!("outbound");
    let (status, answer) = world.post("/orchestrate/sms-received", &ours).await;
    assert_eq!((status, &answer["action_taken"]), (200, &json!("ignored")));
    assert_eq!(answer["workflow_id"], json!(null));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_the_bridge_has_the_same_outcome() {
    let world = World::start().await;
    world
        .publish(
            "sms.received",
            &sms("c1", "When is rent due? [confidence=0.95]"),
            &[],
        )
        .await;
    let direct = world.until_status("c1", "sent").await;
    world
        .text("c2", "When is rent due? [confidence=0.95]")
        .await;
    let bridged = world.until_status("c2", "sent").await;
    for field in ["status", "steps_completed", "ai_confidence", "current_step"] {
        assert_eq!(direct[field], bridged[field], "{field}");
    }
    assert_eq!(
        direct["metadata"]["outcome"],
        bridged["metadata"]["outcome"]
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_nats_the_answer_is_the_body_the_post_would_have_returned() {
    use futures::StreamExt;
    let world = World::start().await;
    let inbox = world.nats.new_inbox();
    let mut answers = world.nats.subscribe(inbox.clone()).await.unwrap();
    world
        .publish(
            "sms.received",
            &sms("c1", "Hello [confidence=0.7]"),
            &[("Reply-Subject", &inbox)],
        )
        .await;
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), answers.next())
        .await
        .expect("in time")
        .expect("an answer");
    let body: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(body["action_taken"], "queued_for_approval");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_for_us_is_ever_texted() {
    let world = World::start().await;
    let text = "hi [plain]";
    let answer = world.text("c1", text).await;
    assert_ne!(
        answer["action_taken"], "auto_sent",
        "an unrated answer is never sent unread"
    );
    for text in world.texts_to("c1") {
        assert!(!text.contains("PAYMENT_PLAN:") && !text.contains("ESCALATE:"));
    }
    world.finish(0).await;
}
