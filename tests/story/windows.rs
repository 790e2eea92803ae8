//! "Don't text me at work": hours in which a tenant does not want texts, and proof that they want any.

use serde_json::{Value, json};

use crate::world::{World, phone_of, sms};

/// In Connecticut, as the company is.
const NUMBER: &str = "+18605550143";

async fn text(world: &World, conversation: &str, content: &str) -> Value {
    let mut body = sms(conversation, content);
    body["phone_number"] = json!(NUMBER);
    let (status, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
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
async fn a_tenant_names_hours_and_a_manager_lifts_them() {
    let mut world = World::with("CONTACT_HOURS", "on").start().await;
    // Ten in the morning: a good hour for everybody else.
    world.set_clock("10:00");
    let answer = text(
        &world,
        "c1",
        "Please don't text me before noon. What do I owe?",
    )
    .await;
    assert_eq!(answer["action_taken"], "auto_sent", "{answer}");
    until_status(&world, "held", 1).await;
    // In another conversation of the number too, and after a restart.
    world.settle().await;
    world.stop_service().await;
    world.start_service().await;
    let answer = text(&world, "c2", "What do I owe?").await;
    assert_eq!(answer["action_taken"], "auto_sent", "{answer}");
    until_status(&world, "held", 2).await;
    let held: Vec<String> = sqlx::query_scalar(
        "select array_to_string(rules, ',') from gate_decisions where outcome = 'wait'",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    assert_eq!(held, ["R10", "R10"]);

    let (_, listed) = world
        .get("/orchestrate/contact-windows?phone_number=%2B18605550143")
        .await;
    let window = &listed["items"][0];
    assert_eq!(
        (
            &listed["total"],
            &window["quiet"],
            &window["source"],
            &window["set_by"]
        ),
        (
            &json!(1),
            &json!(["00:00-12:00"]),
            &json!("text"),
            &json!("tenant")
        ),
        "{listed}"
    );
    let said: String =
        sqlx::query_scalar("select content from inbound_messages where id = $1::uuid")
            .bind(window["text_id"].as_str().unwrap())
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert!(said.contains("before noon"), "the very text: {said}");
    let (_, number) = world.get(&format!("/orchestrate/consents/{NUMBER}")).await;
    assert_eq!(
        (&number["quiet"], &number["status"]),
        (&json!(["00:00-12:00"]), &json!("opted_in"))
    );

    let path = format!(
        "/orchestrate/contact-windows/{}/lift",
        window["contact_window_id"].as_str().unwrap()
    );
    assert_eq!(
        world.post(&path, &json!({})).await.0,
        422,
        "a reason is wanted"
    );
    let reason = json!({"reason": "Called: any hour is fine", "manager_id": "ana"});
    let (status, lifted) = world.post(&path, &reason).await;
    assert_eq!(
        (status, &lifted["status"], &lifted["lifted_by"]),
        (200, &json!("lifted"), &json!("ana")),
        "{lifted}"
    );
    let (_, again) = world.post(&path, &json!({"reason": "once more"})).await;
    assert_eq!(again["already_lifted"], true);
    // What waited leaves at once, and not at noon.
    until_status(&world, "sent", 2).await;
    let (_, told) = world
        .get("/orchestrate/conversations/c1/timeline?type=contact_window")
        .await;
    let told: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["actor"].clone(), e["summary"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (
                json!("tenant"),
                json!("Hours without texts set: 00:00-12:00.")
            ),
            (
                json!("ana"),
                json!("Hours without texts lifted: 00:00-12:00.")
            ),
        ]
    );
    let (_, gone) = world.get("/orchestrate/contact-windows").await;
    assert_eq!(gone["total"], 0);
    let (_, kept) = world.get("/orchestrate/contact-windows?status=all").await;
    assert_eq!(kept["items"][0]["lift_reason"], "Called: any hour is fine");
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_s_hours_count_although_the_company_s_are_switched_off() {
    let world = World::with("CONTACT_HOURS", "off").start().await;
    world.set_clock("10:00");
    text(&world, "c1", "dont text me before noon. How much is it?").await;
    until_status(&world, "held", 1).await;
    world.pass(chrono::TimeDelta::hours(3));
    until_status(&world, "sent", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_nobody_can_tell_are_a_persons_question() {
    // No model could have been asked: there is none.
    let world = World::with("OPENAI_API_KEY", "").start().await;
    let vague = world.text("c1", "don't text me when I'm driving").await;
    assert_eq!(vague["action_taken"], "escalated", "{vague}");
    let (_, raised) = world.get("/orchestrate/escalations").await;
    let item = &raised["items"][0];
    assert_eq!(item["escalation_type"], "manual", "{raised}");
    assert!(
        item["reason"]
            .as_str()
            .unwrap()
            .contains("does not want texts"),
        "{item}"
    );
    let work = world.text("c2", "Don't text me at work").await;
    assert_eq!(work["action_taken"], "escalated", "{work}");
    let (_, listed) = world.get("/orchestrate/contact-windows").await;
    assert_eq!(
        (&listed["total"], &listed["items"][0]["quiet"]),
        (&json!(1), &json!(["mon-fri 09:00-17:00"])),
        "the usual hours, until somebody has asked"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_writes_hours_down_over_http_or_nats() {
    let world = World::with("CONTACT_HOURS", "on").start().await;
    world.set_clock("10:00");
    let entry = json!({"phone_number": NUMBER, "quiet": ["mon-fri 09:00-17:00", "sat,sun"],
        "source": "voicemail", "note": "Works days", "manager_id": "ana"});
    let (status, set) = world.post("/orchestrate/contact-windows", &entry).await;
    assert_eq!(
        (status, &set["quiet"], &set["source"]),
        (
            200,
            &json!(["mon-fri 09:00-17:00", "sat,sun"]),
            &json!("voicemail")
        ),
        "{set}"
    );
    let nothing = json!({"phone_number": NUMBER, "quiet": "17:00-24:00"});
    let (status, lessened) = world.post("/orchestrate/contact-windows", &nothing).await;
    assert_eq!(status, 200, "an hour in the morning is left: {lessened}");
    let none = json!({"phone_number": NUMBER, "quiet": "00:00-09:00"});
    let (status, refused) = world.post("/orchestrate/contact-windows", &none).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("no_hours_left")),
        "{refused}"
    );
    let (status, bad) = world
        .post("/orchestrate/contact-windows", &json!({"quiet": "at work"}))
        .await;
    assert_eq!(
        (status, bad["errors"].as_array().unwrap().len()),
        (422, 2),
        "{bad}"
    );
    let unknown = "/orchestrate/contact-windows/cw_0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b/lift";
    assert_eq!(world.post(unknown, &json!({"reason": "x"})).await.0, 404);
    let body = json!({"phone_number": phone_of("c9"), "quiet": "sun"});
    world.publish("command.contact_window", &body, &[]).await;
    world
        .until("the entry over NATS", || async {
            let found = "select count(*) from contact_windows where set_by = 'dashboard' and phone_number = $1";
            let found: i64 = sqlx::query_scalar(found)
                .bind(phone_of("c9"))
                .fetch_one(&world.db)
                .await
                .ok()?;
            (found == 1).then_some(())
        })
        .await;
    text(&world, "c1", "What do I owe?").await;
    until_status(&world, "held", 1).await;
    // Until half past eight of the next morning: the one hour that is left.
    world.pass(chrono::TimeDelta::minutes(22 * 60 + 30));
    until_status(&world, "sent", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_with_its_proof_is_kept_and_an_opt_out_takes_it_away() {
    let world = World::start().await;
    let number = phone_of("c1");
    let consent = json!({"phone_number": number, "opted_out": false, "note": "Signed with the lease",
        "text_shown": "I agree to texts about my account. Reply STOP to stop.", "method": "lease",
        "given_by": "Maria Rodriguez", "given_at": "2026-01-02T10:00:00Z", "manager_id": "ana"});
    let (status, answer) = world.post("/orchestrate/consents", &consent).await;
    assert_eq!((status, &answer["proven"]), (200, &json!(true)), "{answer}");
    let (_, one) = world.get(&format!("/orchestrate/consents/{number}")).await;
    assert_eq!(one["may_begin"], true, "{one}");
    let proof = &one["history"][0]["proof"];
    assert_eq!(
        (&proof["method"], &proof["given_by"], &proof["given_at"]),
        (
            &json!("lease"),
            &json!("Maria Rodriguez"),
            &json!("2026-01-02T10:00:00.000Z")
        ),
        "{one}"
    );
    // A text of the tenant's alone lets us reply and no more.
    world.text("c2", "What do I owe?").await;
    let (_, other) = world
        .get(&format!("/orchestrate/consents/{}", phone_of("c2")))
        .await;
    assert_eq!(
        (&other["status"], &other["may_begin"]),
        (&json!("opted_in"), &json!(false))
    );
    world.text("c1", "STOP").await;
    world.text("c1", "START").await;
    let (_, one) = world.get(&format!("/orchestrate/consents/{number}")).await;
    assert_eq!(
        (&one["status"], &one["may_begin"]),
        (&json!("opted_in"), &json!(false))
    );
    let half = json!({"phone_number": number, "opted_out": false, "note": "x", "method": "dream"});
    let (status, bad) = world.post("/orchestrate/consents", &half).await;
    assert_eq!(
        (status, bad["errors"].as_array().unwrap().len()),
        (422, 4),
        "{bad}"
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_reaches_neither_the_database_nor_the_model() {
    let world = World::start().await;
    world
        .text(
            "c1",
            "my card is 4111 1111 1111 1111, ssn 123-45-6789. What do I owe?",
        )
        .await;
    let kept: String = sqlx::query_scalar("select content from inbound_messages")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(
        kept,
        "my card is [card number removed], ssn [social security number removed]. What do I owe?"
    );
    for table in ["handled_events", "ai_response_queue", "escalation_events"] {
        let sql = format!(
            "select count(*) from {table} t where t::text like '%1111 1111%' or t::text like '%45-6789%'"
        );
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&world.db)
            .await
            .unwrap();
        assert_eq!(found, 0, "{table}");
    }
    for request in world.neighbours.model.requests() {
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        assert!(!asked.contains("1111"), "{asked}");
    }
    let texts = world.texts_to("c1").len();
    world.finish(texts).await;
}
