//! Bad input gets a clear error naming the field, and nothing stops.

use serde_json::{Value, json};

use crate::world::{World, sms};

fn named(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_of_a_text_names_its_field() {
    let world = World::start().await;
    let cases: Vec<(&str, Value)> = vec![
        ("/tenant_id", json!("")),
        ("/tenant_id", json!("x".repeat(101))),
        ("/phone_number", json!("555")),
        ("/content", json!("   ")),
        ("/content", json!("a\u{0}b")),
        ("/timestamp", json!("-0500-01-01")),
        ("/content", json!("é".repeat(2001))),
        ("/conversation_id", json!("a b")),
        ("/conversation_id", json!("x".repeat(129))),
        ("/timestamp", json!("soon")),
        ("/direction", json!("sideways")),
        ("/message_sid", json!("x".repeat(129))),
        ("/metadata", json!("text")),
    ];
    for (pointer, value) in cases {
        let mut body = sms("c1", "hi");
        body[pointer.trim_start_matches('/')] = value;
        let (status, answer) = world.post("/orchestrate/sms-received", &body).await;
        assert_eq!(status, 422, "{pointer}: {answer}");
        assert_eq!(named(&answer), [pointer]);
        assert_eq!(
            (&answer["error_code"], &answer["success"]),
            (&json!("ORC_001"), &json!(false))
        );
        assert_eq!(answer["status"], 422);
    }
    let (_, answer) = world
        .post(
            "/orchestrate/sms-received",
            &json!({"phone_number": "+1234567890", "content": "t"}),
        )
        .await;
    assert_eq!(named(&answer), ["/tenant_id", "/conversation_id"]);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_cannot_hold_is_refused_at_the_door() {
    let world = World::start().await;
    for path in [
        "/orchestrate/approvals?conversation_id=a%00b",
        "/orchestrate/dead-letters?status=all&conversation_id=%00",
        "/orchestrate/escalations?tenant_id=%00",
        "/orchestrate/holds?tenant_id=%00",
    ] {
        let (status, answer) = world.get(path).await;
        assert_eq!(status, 422, "{path}: {answer}");
    }
    for path in [
        "/orchestrate/workflow/a%00b/status",
        "/orchestrate/consents/%00",
        "/orchestrate/payment-plans/%00",
        "/orchestrate/approvals/%FF",
    ] {
        assert_eq!(world.get(path).await.0, 404, "{path}");
    }
    let long = "x".repeat(300);
    for id in ["%00", "%FF", &long] {
        let path = format!("/orchestrate/retry/{id}");
        assert_eq!(world.post(&path, &json!({})).await.0, 404, "{id}");
    }
    // What is no id is not repeated in an answer whose ids are texts.
    let odd = json!({"decisions": [{"response_queue_id": {}, "conversation_id": 7, "action": "approve"}]});
    let (status, answer) = world.post("/orchestrate/approvals/bulk", &odd).await;
    assert_eq!(
        (status, &answer["results"][0]["response_queue_id"]),
        (200, &Value::Null)
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_document() {
    let world = World::start().await;
    let client = reqwest::Client::new();
    let url = |path: &str| world.url(path);
    let huge = json!({"content": "x".repeat(70_000)}).to_string();
    let requests = [
        (404, client.get(url("/nowhere"))),
        (
            404,
            client.get(url("/orchestrate/workflow/non-conv/status")),
        ),
        (405, client.get(url("/orchestrate/sms-received"))),
        (405, client.delete(url("/orchestrate/approvals"))),
        (
            422,
            client
                .post(url("/orchestrate/sms-received"))
                .body("{\"content\": "),
        ),
        (
            422,
            client.post(url("/orchestrate/sms-received")).body("[]"),
        ),
        (422, client.post(url("/orchestrate/sms-received"))),
        (
            413,
            client.post(url("/orchestrate/sms-received")).body(huge),
        ),
        (
            400,
            client
                .post(url("/orchestrate/approve-response"))
                .body(r#"{"id":"q","action":"publish"}"#),
        ),
        (
            400,
            client
                .post(url("/orchestrate/approve-response"))
                .body(r#"{"id":"q","action":"modify"}"#),
        ),
        (
            422,
            client
                .post(url("/orchestrate/approve-response"))
                .body(r#"{"action":"approve"}"#),
        ),
    ];
    for (expected, request) in requests {
        let answer = request
            .header("X-Correlation-ID", "corr-1")
            .send()
            .await
            .unwrap();
        let path = answer.url().path().to_owned();
        assert_eq!(answer.status().as_u16(), expected, "{path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.headers()["x-correlation-id"], "corr-1", "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["status"], expected);
        assert_eq!(body["correlation_id"], "corr-1");
        for member in [
            "type",
            "title",
            "detail",
            "instance",
            "error",
            "message",
            "error_code",
            "timestamp",
        ] {
            assert!(body[member].is_string(), "{path}: {member} in {body}");
        }
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_on_the_subject_becomes_a_dead_letter_and_nothing_stops() {
    let world = World::start().await;
    for junk in ["not json", "[]", "{\"content\":\"hi\"}", "{", "\u{0}\u{1}"] {
        world
            .publish("sms.received", &Value::String(junk.to_owned()), &[])
            .await;
    }
    let answer = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.settle().await;
    let rows: Vec<(String, String, String, Vec<u8>)> = sqlx::query_as(
        "select kind, reason, last_error, payload from dead_letters order by created_at",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    assert_eq!(rows.len(), 5);
    assert!(
        rows.iter()
            .all(|(kind, reason, ..)| kind == "event" && reason == "invalid_message")
    );
    assert!(
        rows.iter()
            .any(|(_, _, error, _)| error.contains("phone_number is required"))
    );
    assert!(
        rows.iter().any(|(_, _, _, payload)| payload == b"not json"),
        "kept byte for byte"
    );
    world.finish_with(1, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_over_nats_is_told_what_is_wrong() {
    use futures::StreamExt;
    let world = World::start().await;
    let inbox = world.nats.new_inbox();
    let mut answers = world.nats.subscribe(inbox.clone()).await.unwrap();
    world
        .publish(
            "sms.received",
            &json!({"content": "hi"}),
            &[("Reply-Subject", &inbox)],
        )
        .await;
    let answer = answers.next().await.unwrap();
    let body: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(body["status"], 422);
    assert_eq!(
        named(&body),
        ["/tenant_id", "/phone_number", "/conversation_id"]
    );
    world.finish_with(0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_between_our_own_stages_is_parked_too() {
    let world = World::start().await;
    for subject in [
        "turn.opened",
        "turn.ready",
        "reply.drafted",
        "reply.approved",
        "escalation.raised",
    ] {
        world.publish(subject, &json!({"odd": true}), &[]).await;
    }
    world.settle().await;
    assert_eq!(
        world
            .count("select count(*) from dead_letters where status = 'open'")
            .await,
        5
    );
    world.finish_with(0, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_junk_under_the_same_id_does_not_stop_its_neighbours() {
    let world = World::start().await;
    let headers = [("ce-id", "1"), ("ce-source", "agent")];
    let junk = Value::String("junk".to_owned());
    let all = (0..40).map(|_| world.publish("sms.received", &junk, &headers));
    futures::future::join_all(all).await;
    let unknown = json!({"response_queue_id": "nothing", "action": "approve"});
    let all = (0..20).map(|_| world.publish("approval.decided", &unknown, &headers));
    futures::future::join_all(all).await;
    for n in 0..6 {
        let answer = world
            .text(&format!("c{n}"), "hello [confidence=0.95]")
            .await;
        assert_eq!(answer["action_taken"], "auto_sent");
    }
    world.finish_with(6, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_monologue_goes_to_a_person_before_it_is_too_large_to_carry() {
    let world = World::with("AUTONOMY_MODE", "draft_only").start().await;
    let long = "é".repeat(1990);
    let mut escalated = 0;
    for n in 0..20 {
        let answer = world.text("c1", &format!("{n} {long}")).await;
        escalated += usize::from(answer["action_taken"] == "escalated");
    }
    assert!(escalated >= 1, "nobody was told");
    world.finish(0).await;
}
