//! What managers do with drafts.

use serde_json::{Value, json};

use crate::world::{Plan, World, sms};

async fn waiting(world: &World, conversation: &str) -> String {
    let answer = world
        .text(conversation, "What do I owe? [confidence=0.7]")
        .await;
    assert_eq!(answer["action_taken"], "queued_for_approval", "{answer}");
    answer["response_queue_id"].as_str().unwrap().to_owned()
}

async fn decide(world: &World, body: Value) -> (u16, Value) {
    world.post("/orchestrate/approve-response", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_draft_is_sent_once() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["status"], "pending");
    assert_eq!(item["routing_reason"], "confidence_in_manual_band");
    assert!(item["context"]["tenant"]["amount_owed"].is_number());
    let body = json!({"response_queue_id": id, "action": "approve", "manager_id": "m1"});
    let (status, first) = decide(&world, body.clone()).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["queue_status"], "approved");
    assert_eq!(first["delivery"]["status"], "sent");
    assert_eq!(first["already_processed"], false);
    let (status, again) = decide(&world, body).await;
    assert_eq!((status, &again["already_processed"]), (200, &json!(true)));
    let (status, other) = decide(&world, json!({"id": id, "action": "escalate"})).await;
    assert_eq!(
        (status, &other["details"]["reason"]),
        (409, &json!("already_decided"))
    );
    assert_eq!(other["details"]["actioned_by"], "m1");
    let status = world.until_status("c1", "sent").await;
    assert_eq!(status["metadata"]["outcome"], "manager_approved");
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["audit"].as_array().unwrap().len(), 1);
    assert_eq!(item["delivery"]["status"], "sent");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_may_send_another_text() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let (status, answer) = decide(
        &world,
        json!({"response_queue_id": id, "action": "modify", "modified_text": "Please call us.", "approved_by": "m2"}),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["queue_status"], "modified");
    // The first text of a conversation says who we are and how to stop it (`rules.md` R27).
    let introduced = "Please call us.\nProperty Management. Reply STOP to stop texts.";
    assert_eq!(answer["final_response"], introduced);
    assert_eq!(world.texts_to("c1"), [introduced]);
    let id = waiting(&world, "c2").await;
    let (_, answer) = decide(
        &world,
        json!({"id": format!("resp_{id}"), "action": "approve", "approved_text": "Ok."}),
    )
    .await;
    let final_response = answer["final_response"].as_str().unwrap();
    assert!(final_response.starts_with("Ok.\n"), "{final_response}");
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_take_over() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let (status, answer) = decide(
        &world,
        json!({"response_queue_id": id, "action": "escalate", "escalation_reason": "Tenant disputes amount owed"}),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["queue_status"], "escalated");
    assert_eq!(answer["final_response"], json!(null));
    assert_eq!(answer["delivery"]["status"], "not_applicable");
    assert!(answer["escalation_id"].is_string());
    world.until_status("c1", "escalated").await;
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboards_proxy_names_only_the_conversation() {
    let world = World::start().await;
    waiting(&world, "c1").await;
    let body =
        json!({"conversation_id": "c1", "phone_number": "+19999999999", "action": "approve"});
    assert_eq!(decide(&world, body).await.0, 404, "another number");
    let phone = crate::world::phone_of("c1");
    let body = json!({"conversation_id": "c1", "phone_number": phone, "action": "approve"});
    let (status, answer) = decide(&world, body).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("processed")),
        "{answer}"
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_managers_one_wins() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let all = (0..20).map(|n| {
        let action = if n % 2 == 0 { "approve" } else { "escalate" };
        decide(
            &world,
            json!({"response_queue_id": id, "action": action, "manager_id": format!("m{n}")}),
        )
    });
    let answers = futures::future::join_all(all).await;
    let won = answers
        .iter()
        .filter(|(status, body)| *status == 200 && body["already_processed"] == false);
    assert_eq!(won.count(), 1);
    let refused = answers.iter().filter(|(status, _)| *status == 409).count();
    assert!(refused >= 10, "{refused} refused");
    let texts = world.texts_to("c1").len();
    world.finish(texts).await;
    assert!(texts <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_text_makes_the_draft_obsolete() {
    let world = World::start().await;
    let old = waiting(&world, "c1").await;
    let answer = world
        .text("c1", "Sorry, I meant $80 [confidence=0.75]")
        .await;
    let new = answer["response_queue_id"].as_str().unwrap();
    let (status, refused) = decide(&world, json!({"id": old, "action": "approve"})).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("superseded"))
    );
    assert_eq!(refused["details"]["successor_id"], new);
    let (_, list) = world.get("/orchestrate/approvals").await;
    assert_eq!(list["total"], 1);
    assert_eq!(
        list["items"][0]["tenant_message"],
        "What do I owe? [confidence=0.7]\nSorry, I meant $80 [confidence=0.75]"
    );
    let (status, _) = decide(&world, json!({"id": new, "action": "approve"})).await;
    assert_eq!(status, 200);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_may_also_arrive_as_an_event() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let body = json!({"response_queue_id": id, "action": "approve", "manager_id": "m1"});
    world.publish("approval.decided", &body, &[]).await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_items_are_404_whatever_their_form() {
    let world = World::start().await;
    for id in [
        "queue-uuid-123",
        "resp_789def",
        "0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b",
    ] {
        let (status, body) = decide(
            &world,
            json!({"response_queue_id": id, "action": "approve"}),
        )
        .await;
        assert_eq!(
            (status, &body["error_code"]),
            (404, &json!("ORC_008")),
            "{id}: {body}"
        );
        assert_eq!(
            world.get(&format!("/orchestrate/approvals/{id}")).await.0,
            404
        );
    }
    assert_eq!(
        decide(
            &world,
            json!({"conversation_id": "nobody", "action": "approve"})
        )
        .await
        .0,
        404
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_listed_in_pages() {
    let world = World::start().await;
    for n in 0..3 {
        waiting(&world, &format!("c{n}")).await;
    }
    let (_, page) = world.get("/orchestrate/approvals?limit=2").await;
    assert_eq!(
        (page["total"].as_i64(), page["has_more"].as_bool()),
        (Some(3), Some(true))
    );
    let (_, rest) = world
        .get("/orchestrate/approvals?limit=2&offset=2&order=asc")
        .await;
    assert_eq!(
        (
            rest["items"].as_array().unwrap().len(),
            rest["has_more"].as_bool()
        ),
        (1, Some(false))
    );
    let (_, one) = world
        .get("/api/v1/orchestrate/approvals/?conversation_id=c1&min_confidence=0.7")
        .await;
    assert_eq!(one["total"], 1);
    let (status, bad) = world
        .get("/orchestrate/approvals?limit=0&status=odd&min_confidence=2")
        .await;
    assert_eq!(
        (status, bad["errors"].as_array().unwrap().len()),
        (422, 3),
        "{bad}"
    );
    let (_, none) = world
        .post("/orchestrate/sms-received", &sms("c9", "STOP"))
        .await;
    assert_eq!(none["action_taken"], "suppressed");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_the_agent_refuses_for_good_is_told_to_the_manager() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    world.neighbours.sms_agent.add_fault(
        simulators::Rule::new(simulators::Fault::Status {
            status: 400,
            body: Some(json!({"detail": "invalid request"})),
            retry_after: None,
            effect: false,
        })
        .path("/sms/send"),
    );
    let (status, body) = decide(&world, json!({"id": id, "action": "approve"})).await;
    assert_eq!(
        (status, &body["error_code"]),
        (502, &json!("ORC_011")),
        "{body}"
    );
    let named = body["details"]["escalation_id"]
        .as_str()
        .unwrap()
        .trim_start_matches("esc_")
        .to_owned();
    world.until_status("c1", "escalated").await;
    let known: Option<String> = sqlx::query_scalar(
        "select id::text from escalation_events where escalation_type = 'delivery_failed'",
    )
    .fetch_optional(&world.db)
    .await
    .unwrap();
    assert_eq!(known.as_deref(), Some(named.as_str()));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_decides_many_at_once_and_hears_of_each() {
    let world = World::start().await;
    let (first, second) = (waiting(&world, "c1").await, waiting(&world, "c2").await);
    let body = json!({"manager_id": "ana", "decisions": [
        {"response_queue_id": first, "action": "approve"},
        {"response_queue_id": second, "action": "reject", "manager_id": "bob"},
        {"response_queue_id": "queue-uuid-123", "action": "approve"},
        {"action": "approve"},
    ]});
    let (status, answer) = world.post("/orchestrate/approvals/bulk", &body).await;
    assert_eq!(status, 200, "{answer}");
    let statuses: Vec<&Value> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["status"])
        .collect();
    assert_eq!(statuses, [200, 200, 404, 422]);
    assert_eq!(
        (&answer["succeeded"], &answer["failed"]),
        (&json!(2), &json!(2))
    );
    let (_, item) = world.get(&format!("/orchestrate/approvals/{second}")).await;
    assert_eq!(item["actioned_by"], "bob");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_approves_whatever_is_sure_enough() {
    let world = World::start().await;
    waiting(&world, "c1").await;
    let body = json!({"conversationIds": ["c1", "c2"], "minConfidence": 0.9});
    let (_, answer) = world.post("/orchestrate/approvals/bulk", &body).await;
    assert_eq!(answer["succeeded"], 0, "{answer}");
    assert_eq!(answer["results"][0]["reason"], "nothing_waits");
    let body = json!({"conversationIds": ["c1"], "minConfidence": 0.6});
    let (_, answer) = world.post("/orchestrate/approvals/bulk", &body).await;
    assert_eq!(answer["succeeded"], 1, "{answer}");
    let none = json!({"decisions": []});
    assert_eq!(
        world.post("/orchestrate/approvals/bulk", &none).await.0,
        422
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_on_a_draft_is_not_overtaken_for_five_minutes() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let claim = format!("/orchestrate/approvals/{id}/claim");
    let (status, taken) = world.post(&claim, &json!({"manager_id": "ana"})).await;
    assert_eq!(
        (status, &taken["claimed_by"]),
        (200, &json!("ana")),
        "{taken}"
    );
    let (status, _) = world.post(&claim, &json!({"manager_id": "bob"})).await;
    assert_eq!(status, 409);
    let by = |who: &str| json!({"response_queue_id": id, "action": "approve", "manager_id": who});
    let (status, refused) = decide(&world, by("bob")).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("claimed"))
    );
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["claimed_by"], "ana");
    world.pass(chrono::TimeDelta::minutes(5) + chrono::TimeDelta::seconds(1));
    let (status, answer) = decide(&world, by("bob")).await;
    assert_eq!(status, 200, "{answer}");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_managers_on_two_replicas_one_wins() {
    let world = Plan::default().replicas(2).start().await;
    let id = waiting(&world, "c1").await;
    let bodies: Vec<Value> = (0..50)
        .map(|n| match n % 3 {
            0 => json!({"id": id, "action": "approve", "manager_id": format!("m{n}")}),
            1 => json!({"id": id, "action": "modify", "modified_text": format!("Call us, {n}."), "manager_id": format!("m{n}")}),
            _ => json!({"id": id, "action": "escalate", "manager_id": format!("m{n}")}),
        })
        .collect();
    let asks = bodies.iter().map(|body| decide(&world, body.clone()));
    let answers = futures::future::join_all(asks).await;
    let won = answers
        .iter()
        .filter(|(status, body)| *status == 200 && body["already_processed"] == false);
    assert_eq!(won.count(), 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|(status, _)| [200, 409].contains(status))
    );
    let audit = "select count(*) from approval_audit_log";
    assert_eq!(world.count(audit).await, 1);
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    let texts = usize::from(item["status"] != "escalated");
    world.finish(texts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_whose_figures_have_changed_is_written_anew() {
    let world = World::start().await;
    let old = waiting(&world, "c1").await;
    let owed = json!({"tenant_id": "12345", "tenant_portion": "100.00", "amount_owed": "100.00"});
    let owed = serde_json::from_value(owed).unwrap();
    world.neighbours.monitor.set_tenant(owed);
    let approve = |id: &str| json!({"response_queue_id": id, "action": "approve"});
    world.pass(chrono::TimeDelta::minutes(61));
    let (status, refused) = decide(&world, approve(&old)).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("superseded")),
        "{refused}"
    );
    assert_eq!(refused["details"]["cause"], "balance_changed");
    world.until_status("c1", "awaiting_approval").await;
    let (_, list) = world.get("/orchestrate/approvals").await;
    assert_eq!(list["total"], 1);
    let new = list["items"][0]["id"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(
        list["items"][0]["tenant_message"],
        "What do I owe? [confidence=0.7]"
    );
    let (_, late) = decide(&world, approve(&old)).await;
    assert_eq!(late["details"]["successor_id"], new);
    let (status, answer) = decide(&world, approve(new)).await;
    assert_eq!(status, 200, "{answer}");
    world.finish(1).await;
}
