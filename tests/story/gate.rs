//! What may be texted: opt-outs, holds, calls for help, and rules against a text.

use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::world::{World, phone_of, sms};

async fn waiting(world: &World, conversation: &str) -> String {
    let answer = world
        .text(conversation, "What do I owe? [confidence=0.7]")
        .await;
    assert_eq!(answer["action_taken"], "queued_for_approval", "{answer}");
    answer["response_queue_id"].as_str().unwrap().to_owned()
}

async fn approve(world: &World, id: &str) -> (u16, Value) {
    let body = json!({"response_queue_id": id, "action": "approve"});
    world.post("/orchestrate/approve-response", &body).await
}

/// A text of another tenant than the others of the story.
async fn text_of(world: &World, tenant: &str, conversation: &str, content: &str) -> Value {
    let mut body = sms(conversation, content);
    body["tenant_id"] = json!(tenant);
    let (status, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until the tenant's phone shows so many texts.
async fn until_texts(world: &World, conversation: &str, count: usize) -> Vec<String> {
    world
        .until("the texts are on the phone", || async {
            let texts = world.texts_to(conversation);
            (texts.len() == count).then_some(texts)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_confirmed_once_and_start_ends_it() {
    let world = World::with("OPT_OUT_CONFIRMATION", "service").start().await;
    let id = waiting(&world, "c1").await;
    for word in ["STOP", "Stop!"] {
        let stopped = world.text("c1", word).await;
        assert_eq!(stopped["action_taken"], "suppressed");
    }
    let texts = until_texts(&world, "c1", 1).await;
    assert!(texts[0].contains("no more texts"), "{texts:?}");
    let (status, refused) = approve(&world, &id).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("opted_out"))
    );
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "suppressed"
    );
    assert_eq!(world.text("c1", "HELP").await["action_taken"], "suppressed");

    let number = phone_of("c1");
    let (_, listed) = world.get("/orchestrate/consents?status=opted_out").await;
    assert_eq!(
        (&listed["total"], &listed["items"][0]["phone_number"]),
        (&json!(1), &json!(number))
    );
    assert_eq!(world.text("c1", "start").await["action_taken"], "ignored");
    assert_eq!(
        world.text("c1", "How much is it?").await["action_taken"],
        "auto_sent"
    );
    until_texts(&world, "c1", 2).await;
    let (_, one) = world.get(&format!("/orchestrate/consents/{number}")).await;
    let said: Vec<bool> = one["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["opted_out"].as_bool().unwrap())
        .collect();
    assert_eq!(
        (said, &one["status"]),
        (vec![true, true, false], &json!("opted_in"))
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_s_entry_counts_like_a_text() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let entry = json!({"phone_number": phone_of("c1"), "opted_out": true, "source": "voicemail", "manager_id": "ana"});
    let (status, answer) = world.post("/orchestrate/consents", &entry).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("opted_out")),
        "{answer}"
    );
    let (status, refused) = approve(&world, &id).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("opted_out")),
        "{refused}"
    );
    let (status, bad) = world
        .post("/orchestrate/consents", &json!({"phone_number": "911"}))
        .await;
    assert_eq!(
        (status, bad["errors"].as_array().unwrap().len()),
        (422, 2),
        "{bad}"
    );
    let (_, told) = world
        .get("/orchestrate/conversations/c1/timeline?type=consent")
        .await;
    assert_eq!(told["items"][0]["actor"], "ana", "{told}");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_answered_without_a_model() {
    let world = World::with("OPENAI_API_KEY", "")
        .set("COMPANY_NAME", "Elm Homes")
        .start()
        .await;
    let answer = world.text("c1", "ayuda").await;
    assert_eq!(
        (&answer["action_taken"], &answer["workflow_status"]),
        (&json!("auto_sent"), &json!("sent")),
        "{answer}"
    );
    let texts = world.texts_to("c1");
    assert!(
        texts[0].contains("Elm Homes") && texts[0].contains("STOP"),
        "{texts:?}"
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_follows_the_tenant_until_a_manager_lifts_it() {
    let world = World::start().await;
    // The tenant's other number: its draft waits.
    let id = waiting(&world, "c2").await;
    let first = world.text("c1", "Talk to my lawyer from now on").await;
    assert_eq!(first["action_taken"], "escalated", "{first}");
    let (status, refused) = approve(&world, &id).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("on_hold")),
        "{refused}"
    );
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "suppressed"
    );
    let stranger = text_of(&world, "55555", "c3", "What do I owe?").await;
    assert_eq!(stranger["action_taken"], "auto_sent", "another tenant");

    let (_, holds) = world.get("/orchestrate/holds?tenant_id=12345").await;
    let hold = &holds["items"][0];
    assert_eq!(
        (&holds["total"], &hold["kind"], &hold["status"]),
        (&json!(1), &json!("attorney"), &json!("active"))
    );
    let path = format!(
        "/orchestrate/holds/{}/lift",
        hold["hold_id"].as_str().unwrap()
    );
    assert_eq!(
        world.post(&path, &json!({})).await.0,
        422,
        "a reason is wanted"
    );
    let (status, lifted) = world
        .post(
            &path,
            &json!({"reason": "Counsel withdrew", "manager_id": "ana"}),
        )
        .await;
    assert_eq!(
        (status, &lifted["status"], &lifted["lifted_by"]),
        (200, &json!("lifted"), &json!("ana")),
        "{lifted}"
    );
    let (_, again) = world.post(&path, &json!({"reason": "once more"})).await;
    assert_eq!(
        (&again["already_lifted"], &again["lift_reason"]),
        (&json!(true), &json!("Counsel withdrew"))
    );
    let (status, approved) = approve(&world, &id).await;
    assert_eq!(
        (status, &approved["delivery"]["status"]),
        (200, &json!("sent")),
        "{approved}"
    );
    let (_, told) = world
        .get("/orchestrate/conversations/c1/timeline?type=hold")
        .await;
    let names: Vec<_> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["actor"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["system", "ana"]);
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_may_hold_a_tenant() {
    let world = World::start().await;
    let hold = json!({"kind": "crisis", "tenant_id": "12345", "reason": "Death in the family"});
    let (status, placed) = world.post("/orchestrate/holds", &hold).await;
    assert_eq!(
        (status, &placed["duplicate"]),
        (200, &json!(false)),
        "{placed}"
    );
    let (_, again) = world.post("/orchestrate/holds", &hold).await;
    assert_eq!(
        (&again["duplicate"], &again["hold_id"]),
        (&json!(true), &placed["hold_id"])
    );
    let clicked = json!({"kind": "manual", "tenant_id": "777", "reason": "twice at once"});
    let (first, second) = futures::join!(
        world.post("/orchestrate/holds", &clicked),
        world.post("/orchestrate/holds", &clicked)
    );
    assert_eq!(
        first.1["hold_id"], second.1["hold_id"],
        "{first:?} {second:?}"
    );
    // From a number that nobody had connected with the tenant before.
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "suppressed"
    );
    let unknown = "/orchestrate/holds/hold_0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b/lift";
    assert_eq!(world.post(unknown, &json!({"reason": "x"})).await.0, 404);
    assert_eq!(
        world
            .post("/orchestrate/holds", &json!({"kind": "mood"}))
            .await
            .0,
        422
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_in_danger_is_answered_at_once_and_a_person_is_told() {
    let world = World::with("OPENAI_API_KEY", "").start().await;
    let answer = world.text("c1", "I want to kill myself").await;
    assert_eq!(answer["action_taken"], "escalated", "{answer}");
    let texts = until_texts(&world, "c1", 1).await;
    assert!(
        texts[0].contains("988") && texts[0].contains("911"),
        "{texts:?}"
    );
    let (_, raised) = world
        .get("/orchestrate/escalations?escalation_type=self_harm")
        .await;
    assert_eq!(raised["items"][0]["severity"], "critical", "{raised}");
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "suppressed"
    );
    let status = world.get("/orchestrate/workflow/c1/status").await.1;
    assert_eq!(status["status"], "completed");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_may_know_of_an_opt_out_first() {
    let world = World::start().await;
    let body = json!({"error": {"code": "sms.external_failed", "message": "Attempt to send to unsubscribed recipient",
        "details": {"category": "permanent", "status_code": 400, "provider_code": 21610}}});
    world.neighbours.sms_agent.add_fault(
        Rule::new(Fault::Status {
            status: 400,
            body: Some(body),
            retry_after: None,
            effect: false,
        })
        .path("/sms/send"),
    );
    let answer = world.text("c1", "What do I owe?").await;
    assert_eq!(answer["action_taken"], "suppressed", "{answer}");
    let (_, one) = world
        .get(&format!("/orchestrate/consents/{}", phone_of("c1")))
        .await;
    assert_eq!(
        (&one["opted_out"], &one["source"]),
        (&json!(true), &json!("carrier"))
    );
    assert_eq!(
        world.count("select count(*) from escalation_events").await,
        0
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_stands_against_a_managers_text_too() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let mut body = json!({"response_queue_id": id, "action": "modify", "modified_text": "We will see you in court."});
    let (status, refused) = world.post("/orchestrate/approve-response", &body).await;
    assert_eq!(
        (status, &refused["details"]["rule_ids"]),
        (409, &json!(["R18"])),
        "{refused}"
    );
    assert_eq!(refused["details"]["reason"], "rule_refused");
    body["override_reason"] = json!("Counsel wrote it");
    let (status, sent) = world.post("/orchestrate/approve-response", &body).await;
    assert_eq!(
        (status, &sent["delivery"]["status"]),
        (200, &json!("sent")),
        "{sent}"
    );
    let kept: (String, String) = sqlx::query_as(
        "select override_reason, overridden_by from gate_decisions where outcome = 'permit'",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert_eq!(
        kept,
        ("Counsel wrote it".to_owned(), "dashboard".to_owned())
    );
    let refusals =
        "select count(*) from gate_decisions where outcome = 'refuse' and rules = '{R18}'";
    assert_eq!(world.count(refusals).await, 1);
    let metrics = reqwest::get(world.url("/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for (outcome, rule) in [("refuse", "R18"), ("permit", "none")] {
        let line =
            format!("orchestrator_gate_decisions_total{{outcome=\"{outcome}\",rule=\"{rule}\"}} 1");
        assert!(metrics.contains(&line), "{line}");
    }
    let id = waiting(&world, "c2").await;
    let long =
        json!({"response_queue_id": id, "action": "modify", "modified_text": "x".repeat(1600)});
    let (status, refused) = world.post("/orchestrate/approve-response", &long).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (409, &json!("rule_refused")),
        "{refused}"
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_knows_no_text_without_a_permit() {
    let world = World::start().await;
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "auto_sent"
    );
    world.settle().await;
    assert_eq!(
        world
            .count("select count(*) from deliveries where status = 'sent' and permit_id is null")
            .await,
        0
    );
    let permits = "select count(*) from deliveries d join gate_decisions g on g.id = d.permit_id and g.inputs = d.permit_inputs";
    assert_eq!(world.count(permits).await, 1);
    for forged in [
        "update deliveries set permit_id = null",
        "insert into deliveries (id, workflow_id, conversation_id, phone_number, kind, body, status, intended_at)
         values (gen_random_uuid(), gen_random_uuid(), 'c1', '+12025550143', 'auto', 'x', 'sent', now())",
        "insert into deliveries (id, workflow_id, conversation_id, phone_number, kind, body, status, intended_at)
         values (gen_random_uuid(), gen_random_uuid(), 'c1', '+12025550143', 'auto', 'x', 'intended', now())",
        "delete from gate_decisions",
    ] {
        let refused = sqlx::query(forged).execute(&world.db).await;
        assert!(refused.is_err(), "{forged}");
    }
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_model_is_asked_once_nothing_may_be_texted() {
    let world = World::start().await;
    // The text is on its way: the Monitor takes its time.
    world.neighbours.monitor.set_latency(3_000, 0);
    for (conversation, entry) in [
        (
            "c1",
            (
                "/orchestrate/holds",
                json!({"kind": "manual", "phone_number": phone_of("c1"), "reason": "Letter"}),
            ),
        ),
        (
            "c2",
            (
                "/orchestrate/consents",
                json!({"phone_number": phone_of("c2"), "opted_out": true}),
            ),
        ),
    ] {
        let body = sms(conversation, "What do I owe?");
        let (status, _) = world
            .post_with(
                "/orchestrate/sms-received",
                &body,
                &[("Prefer", "respond-async")],
            )
            .await;
        assert_eq!(status, 202);
        let (path, entry) = entry;
        assert_eq!(world.post(path, &entry).await.0, 200);
        let done = world.until_status(conversation, "completed").await;
        assert_eq!(done["metadata"]["outcome"], "suppressed", "{done}");
    }
    assert!(world.neighbours.model.requests().is_empty());
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_in_a_manager_s_text_is_compared_with_the_account() {
    let world = World::start().await;
    let id = waiting(&world, "c1").await;
    let mut body = json!({"response_queue_id": id, "action": "modify",
        "modified_text": "You owe $9,999.00, please pay on Friday."});
    let (status, refused) = world.post("/orchestrate/approve-response", &body).await;
    assert_eq!(
        (
            status,
            &refused["details"]["rule_ids"],
            &refused["details"]["figures"]
        ),
        (409, &json!(["R17"]), &json!(["$9,999.00"])),
        "{refused}"
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("$9,999.00"),
        "{refused}"
    );
    // The item waits as before, and a reason is kept with the verdict.
    body["override_reason"] = json!("The ledger was corrected this morning");
    let (status, sent) = world.post("/orchestrate/approve-response", &body).await;
    assert_eq!(
        (status, &sent["delivery"]["status"]),
        (200, &json!("sent")),
        "{sent}"
    );
    let verdicts =
        "select count(*) from gate_decisions where rules = '{R17}' and outcome = 'refuse'";
    assert_eq!(world.count(verdicts).await, 1);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_may_be_an_opt_out_are_held_for_a_person() {
    let world = World::with("OPENAI_API_KEY", "").start().await;
    let doubt = world.text("c1", "I'm tired of all these messages").await;
    assert_eq!(doubt["action_taken"], "escalated", "{doubt}");
    assert_eq!(
        world.text("c1", "What do I owe?").await["action_taken"],
        "suppressed"
    );
    let (_, holds) = world.get("/orchestrate/holds").await;
    assert_eq!(
        (&holds["total"], &holds["items"][0]["kind"]),
        (&json!(1), &json!("manual")),
        "{holds}"
    );
    let (_, raised) = world
        .get("/orchestrate/escalations?escalation_type=opt_out")
        .await;
    assert_eq!(raised["total"], 1);
    world.finish(0).await;
}
