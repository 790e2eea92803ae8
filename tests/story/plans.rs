//! Payment plans: in tenants' texts, and asked about by other services.

use serde_json::{Value, json};

use crate::world::{World, sms};

const ASK: &str = "/orchestrate/payment-plan-detected";

/// James Carter owes $912.50 and has kept his plan.
fn from_james(conversation: &str, content: &str) -> Value {
    let mut body = sms(conversation, content);
    body["tenant_id"] = json!("12346");
    body
}

fn asked(conversation: &str, message: &str) -> Value {
    json!({"conversation_id": conversation, "tenant_id": "12346", "message_content": message})
}

async fn told(world: &World, kind: &str) -> i64 {
    let rows: Vec<String> = sqlx::query_scalar("select kind from notifications")
        .fetch_all(&world.db)
        .await
        .unwrap();
    i64::try_from(rows.iter().filter(|k| *k == kind).count()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_within_the_rules_is_answered_and_managers_hear_of_it() {
    let world = World::start().await;
    let body = from_james("c1", "I can pay $80 a week for 12 weeks [confidence=0.95]");
    let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(answer["action_taken"], "auto_sent", "{answer}");
    let id = answer["payment_plan_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("pp_"), "{id}");
    let (status, plan) = world.get(&format!("/orchestrate/payment-plans/{id}")).await;
    assert_eq!(status, 200, "{plan}");
    assert_eq!(plan["status"], "validated");
    assert_eq!(plan["total_amount"], 960.0);
    assert_eq!(plan["amount_remaining"], 912.5);
    assert_eq!(plan["conversation_id"], "c1");
    let (_, page) = world.get("/orchestrate/payment-plans/c1").await;
    assert_eq!(
        (&page["total_plans"], &page["active_plans"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(page["payment_plans"][0]["payment_plan_id"], json!(id));
    let status = world.until_status("c1", "sent").await;
    assert_eq!(status["payment_plan_id"], json!(id));
    let steps = status["steps_completed"].as_array().unwrap();
    assert!(steps.contains(&json!("payment_plan_check")), "{steps:?}");
    world.settle().await;
    assert_eq!(told(&world, "payment_plan_detected").await, 1);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_wants_a_look_is_never_answered_unread() {
    let world = World::start().await;
    // Maria broke a plan before; James leaves open how long.
    let broke = sms("c1", "I can pay $75 a week for 8 weeks [confidence=0.99]");
    let open = from_james("c2", "I can pay $75 a week [confidence=0.99]");
    let little = from_james("c3", "I can pay $30 a week for 10 weeks [confidence=0.99]");
    let cases = [
        (broke, "plan_needs_review", "needs_review"),
        (open, "plan_needs_review", "needs_review"),
        (little, "plan_invalid", "invalid"),
    ];
    for (body, reason, status) in cases {
        let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
        assert_eq!(answer["action_taken"], "queued_for_approval", "{answer}");
        let id = answer["response_queue_id"].as_str().unwrap();
        let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
        assert_eq!(item["routing_reason"], reason);
        assert_eq!(item["payment_plan"]["status"], status);
        assert_eq!(
            item["payment_plan"]["payment_plan_id"],
            answer["payment_plan_id"]
        );
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_far_outside_reaches_a_person_with_its_verdict() {
    let world = World::start().await;
    let body = from_james(
        "c1",
        "I can only do $10 a week for 20 weeks [confidence=0.99]",
    );
    let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(answer["action_taken"], "escalated", "{answer}");
    let id = answer["payment_plan_id"].as_str().unwrap();
    let (_, plan) = world.get(&format!("/orchestrate/payment-plans/{id}")).await;
    assert_eq!(plan["status"], "invalid");
    assert!(!plan["counter_offers"].as_array().unwrap().is_empty());
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_offer_again_is_the_same_plan_and_nobody_is_told_twice() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for text in [
        "I can pay 80 a week for 12 weeks",
        "80 weekly for 12 weeks, ok?",
    ] {
        let body = from_james("c1", &format!("{text} [confidence=0.95]"));
        let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
        ids.push(answer["payment_plan_id"].clone());
    }
    let (_, answer) = world.post(ASK, &asked("c1", "$80/wk x 12")).await;
    ids.push(answer["payment_plan_id"].clone());
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    world.settle().await;
    assert_eq!(told(&world, "payment_plan_detected").await, 1);
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_services_asking_at_once_get_one_plan() {
    let world = World::with("COMMIT_SHARDS", "3").replicas(2).start().await;
    let question = asked("c1", "$80 a week for 12 weeks");
    let asks = (0..20).map(|_| world.post(ASK, &question));
    let answers = futures::future::join_all(asks).await;
    let mut ids: Vec<&Value> = answers.iter().map(|(_, b)| &b["payment_plan_id"]).collect();
    assert!(ids.iter().all(|id| id.is_string()), "{answers:?}");
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let stored = "select count(*) from payment_plan_attempts";
    assert_eq!(world.count(stored).await, 1);
    world.settle().await;
    assert_eq!(told(&world, "payment_plan_detected").await, 1);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_ask_about_a_conversation_nobody_knows() {
    let world = World::start().await;
    let body = json!({
        "conversation_id": "conv_abc123", "tenant_id": "tenant_12345",
        "message_content": "I can pay $50 per week for 3 months",
        "ai_response": "I have noted your payment plan proposal.",
        "weekly_amount": 50.0, "weeks": 12, "start_date": "2025-01-22T00:00:00Z", "confidence": 0.92,
        // The caller knows nothing of the tenant: then the debt is unknown.
        "tenant_context": {},
    });
    let (status, answer) = world.post(ASK, &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["success"], true);
    assert_eq!(answer["payment_plan"]["extracted_from"], "request");
    assert_eq!(answer["payment_plan"]["end_date"], "2025-04-16T00:00:00Z");
    assert_eq!(
        answer["validation_details"]["issue_codes"],
        json!(["START_DATE_IN_PAST"])
    );
    let (_, workflow) = world.get("/orchestrate/workflow/conv_abc123/status").await;
    assert_eq!(workflow["workflow_type"], "payment_plan_validation");
    assert_eq!(workflow["status"], "completed");
    assert_eq!(workflow["workflow_id"], answer["workflow_id"]);
    let (status, _) = world.get("/orchestrate/payment-plans/nobody").await;
    assert_eq!(status, 404);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_is_no_error_and_leaves_an_empty_list() {
    let world = World::start().await;
    let (status, answer) = world.post(ASK, &asked("c1", "when is rent due?")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["success"], false);
    assert_eq!(answer["status"], "not_detected");
    let (status, page) = world.get("/orchestrate/payment-plans/c1").await;
    assert_eq!((status, &page["payment_plans"]), (200, &json!([])));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_the_rules_are_exact() {
    let world = World::start().await;
    let cases = [
        (25.00, 12, json!([])),
        (24.99, 12, json!(["AMOUNT_BELOW_MINIMUM"])),
        (25.00, 13, json!(["DURATION_ABOVE_MAXIMUM"])),
    ];
    for (weekly, weeks, codes) in cases {
        let mut body = asked("c1", "please");
        body["weekly_amount"] = json!(weekly);
        body["weeks"] = json!(weeks);
        // $300 are owed, so that only the limits decide.
        body["tenant_context"] = json!({"data": {"tenant": {"amount_owed": "300.00"}}});
        let (_, answer) = world.post(ASK, &body).await;
        assert_eq!(
            answer["validation_details"]["issue_codes"], codes,
            "{weekly} x {weeks}"
        );
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_hangs_does_not_fail_the_question() {
    let world = World::start().await;
    world.neighbours.monitor.set_latency(8_000, 0);
    let (status, answer) = world
        .post(ASK, &asked("c1", "$80 a week for 12 weeks"))
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["validation_details"]["covers_debt"], Value::Null);
    assert_eq!(answer["degraded"], json!(["collections_monitor"]));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_name_every_field() {
    let world = World::start().await;
    let (status, answer) = world
        .post(
            ASK,
            &json!({"weeks": 0, "weekly_amount": "lots", "message": "hi"}),
        )
        .await;
    assert_eq!(status, 422);
    let named: Vec<&str> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        named,
        ["/conversation_id", "/tenant_id", "/weekly_amount", "/weeks"]
    );
    world.finish(0).await;
}

/// Without HTTP: the same question on its subject has the same answer, on the subject it names.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_on_the_subject_is_answered_like_a_request() {
    let world = World::start().await;
    let inbox = world.nats.new_inbox();
    let mut answers = world.nats.subscribe(inbox.clone()).await.unwrap();
    let body = asked("c1", "$80 a week for 12 weeks");
    let headers = [("Reply-Subject", inbox.as_str())];
    world.publish("command.payment_plan", &body, &headers).await;
    let answer = futures::StreamExt::next(&mut answers).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["status"], "validated");
    world.finish(0).await;
}
