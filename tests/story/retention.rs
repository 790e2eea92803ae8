//! What is old is forgotten, what is on hold is kept (`rules.md` R32).

use serde_json::{Value, json};

use crate::topology::orchestrator;
use crate::world::World;

/// Everything about a conversation happened four years earlier.
async fn age(world: &World, conversation: &str) {
    let mut tx = world.db.begin().await.unwrap();
    for sql in [
        "update conversations set created_at = created_at - interval '4 years',
           last_inbound_at = last_inbound_at - interval '4 years',
           last_outbound_at = last_outbound_at - interval '4 years',
           -- As it would be: silence is noted after a day and a half, not after years.
           silence_noted_at = now() where id = $1",
        "update orchestration_workflows set created_at = created_at - interval '4 years',
           updated_at = updated_at - interval '4 years' where conversation_id = $1",
        "update consents set changed_at = changed_at - interval '4 years' where phone_number =
           (select phone_number from conversations where id = $1)",
    ] {
        sqlx::query(sql)
            .bind(conversation)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Rows that mention a conversation, anywhere.
async fn rows_of(world: &World, conversation: &str) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from conversations where id = $1)
              + (select count(*) from inbound_messages where conversation_id = $1)
              + (select count(*) from orchestration_workflows where conversation_id = $1)
              + (select count(*) from workflow_steps s where not exists
                   (select from orchestration_workflows w where w.id = s.workflow_id))
              + (select count(*) from ai_response_queue where conversation_id = $1)
              + (select count(*) from approval_audit_log a where not exists
                   (select from ai_response_queue q where q.id = a.response_queue_id))
              + (select count(*) from escalation_events where conversation_id = $1)
              + (select count(*) from deliveries where conversation_id = $1)
              + (select count(*) from gate_decisions where conversation_id = $1)
              + (select count(*) from payment_plan_attempts where conversation_id = $1)
              + (select count(*) from notifications n where not exists
                   (select from orchestration_workflows w where w.id = n.workflow_id))",
    )
    .bind(conversation)
    .fetch_one(&world.db)
    .await
    .unwrap()
}

async fn a_few_conversations() -> World {
    let world = World::start().await;
    world.text("young", "hello [confidence=0.95]").await;
    let old = world
        .text("old", "I can pay $75 a week for 8 weeks [confidence=0.7]")
        .await;
    let approve = json!({"response_queue_id": old["response_queue_id"], "action": "approve"});
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("old", "sent").await;
    let mut body = crate::world::sms("held", "hello [confidence=0.3]");
    body["tenant_id"] = json!("67890");
    world.post("/orchestrate/sms-received", &body).await;
    let mut body = crate::world::sms("stopped", "STOP");
    body["tenant_id"] = json!("67890x");
    world.post("/orchestrate/sms-received", &body).await;
    let hold = json!({"kind": "manual", "tenant_id": "67890", "reason": "a court wants it", "manager_id": "ana"});
    let (status, placed) = world.post("/orchestrate/holds", &hold).await;
    assert_eq!(status, 200, "{placed}");
    world
        .post(
            "/orchestrate/escalate",
            &json!({"conversation_id": "never-texted"}),
        )
        .await;
    world.settle().await;
    for conversation in ["old", "held", "stopped", "never-texted"] {
        age(&world, conversation).await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn old_conversations_go_and_those_on_hold_stay() {
    let world = a_few_conversations().await;
    let before = rows_of(&world, "held").await;
    let (ok, said) = orchestrator(&world, &["purge", "--dry-run"]);
    assert!(ok && said.contains("conversations             2"), "{said}");
    assert!(rows_of(&world, "old").await > 5, "nothing has gone yet");
    let (ok, said) = orchestrator(&world, &["purge"]);
    assert!(ok && said.contains("inbound_messages          2"), "{said}");
    for gone in ["old", "stopped", "never-texted"] {
        assert_eq!(rows_of(&world, gone).await, 0, "{gone}");
    }
    assert_eq!(rows_of(&world, "held").await, before);
    assert!(rows_of(&world, "young").await > 3);
    let kept = world
        .count("select count(*) from consents where opted_out")
        .await;
    assert_eq!(kept, 1, "an opt-out is honoured for ever");
    assert_eq!(
        world.count("select count(*) from consent_history").await,
        1,
        "and its proof kept"
    );
    let (ok, said) = orchestrator(&world, &["purge"]);
    assert!(ok && said.contains("nothing is old enough"), "{said}");

    // What is said about it holds numbers only.
    let counts: Value =
        sqlx::query_scalar("select counts from purge_runs order by started_at limit 1")
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(
        (&counts["conversations"], &counts["ai_response_queue"]),
        (&json!(2), &json!(1))
    );
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let stream = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(stream).await.unwrap();
    let subject = format!("{}.retention.purged", world.prefix);
    let told = stream
        .get_last_raw_message_by_subject(&subject)
        .await
        .unwrap();
    let told: Value = serde_json::from_slice(&told.payload).unwrap();
    assert!(told["run_id"].is_string());

    let lift = json!({"kind": "manual", "tenant_id": "67890"});
    let (_, holds) = world.get("/orchestrate/holds").await;
    let id = holds["items"][0]["id"]
        .as_str()
        .expect("the hold")
        .to_owned();
    drop(lift);
    let path = format!("/orchestrate/holds/{id}/lift");
    world
        .post(
            &path,
            &json!({"reason": "the case is closed", "manager_id": "ana"}),
        )
        .await;
    world.settle().await;
    orchestrator(&world, &["purge"]);
    assert_eq!(rows_of(&world, "held").await, 0, "lifted, so it goes");
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_young_can_be_purged_whoever_asks() {
    let world = World::start().await;
    world.text("c1", "hello [confidence=0.95]").await;
    for sql in [
        "select purge_conversations(now(), 100)",
        "select purge_conversations(now() - interval '29 days', 100)",
        "select purge_remains(now() - interval '31 days', now() - interval '31 days', now(), 100)",
    ] {
        let error = sqlx::query(sql).execute(&world.db).await.expect_err(sql);
        assert!(error.to_string().contains("purge"), "{error}");
    }
    let error = sqlx::query("delete from workflow_steps")
        .execute(&world.db)
        .await
        .expect_err("append-only");
    assert!(error.to_string().contains("append-only"), "{error}");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_purges_by_itself_one_at_a_time() {
    let world = World::with("PURGE_EVERY_HOURS", "0.0005")
        .replicas(2)
        .start()
        .await;
    world.text("old", "hello [confidence=0.95]").await;
    world.settle().await;
    age(&world, "old").await;
    sqlx::query("update handled_events set handled_at = now() - interval '40 days'")
        .execute(&world.db)
        .await
        .unwrap();
    sqlx::query("insert into attempts values (gen_random_uuid(), 'draft', 1, 'x', now() - interval '40 days', now() - interval '40 days')")
        .execute(&world.db)
        .await
        .unwrap();
    world
        .until("it is gone", || async {
            let left = rows_of(&world, "old").await
                + world.count("select count(*) from handled_events").await
                + world.count("select count(*) from attempts").await;
            (left == 0).then_some(())
        })
        .await;
    world
        .until("it is written down", || async {
            (world.count("select count(*) from purge_runs").await > 0).then_some(())
        })
        .await;
    let overlapping = "select count(*) from purge_runs a join purge_runs b
        on a.id < b.id and a.started_at < b.finished_at and b.started_at < a.finished_at
        where a.counts <> '{}' and b.counts <> '{}'";
    assert_eq!(world.count(overlapping).await, 0);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conversations_evidence_is_a_file_that_shows_changes() {
    let world = World::start().await;
    let text = world
        .text("c1", "I can pay $75 a week for 8 weeks [confidence=0.7]")
        .await;
    let approve = json!({"response_queue_id": text["response_queue_id"], "action": "approve", "manager_id": "ana"});
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("c1", "sent").await;
    world.text("c1", "I filed for bankruptcy last week").await;
    world.settle().await;
    let (status, document) = world.get("/orchestrate/conversations/c1/export").await;
    assert_eq!(status, 200);
    let sections = document["sections"].as_array().unwrap();
    let count = |name: &str| {
        let section = sections.iter().find(|s| s["section"] == name).expect(name);
        section["records"].as_array().unwrap().len()
    };
    assert_eq!(
        (count("messages"), count("drafts"), count("decisions")),
        (2, 1, 1)
    );
    assert!(count("verdicts") >= 1 && count("holds") == 1 && count("steps") > 8);
    assert!(count("timeline") > 8 && count("payment_plans") == 1 && count("escalations") == 1);
    assert_eq!(
        world
            .get("/orchestrate/conversations/nobody/export")
            .await
            .0,
        404
    );
    assert_eq!(
        world.get("/orchestrate/conversations/a%20b/export").await.0,
        404
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c1.json");
    let (ok, said) = orchestrator(&world, &["export", "c1"]);
    assert!(ok, "{said}");
    let printed = &said[said.find('{').unwrap()..];
    let printed: Value = serde_json::Deserializer::from_str(printed)
        .into_iter()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        printed["integrity"], document["integrity"],
        "over HTTP and here the same chain"
    );
    std::fs::write(&file, printed.to_string()).unwrap();
    let path = file.to_str().unwrap();
    let (ok, said) = orchestrator(&world, &["export", "--verify", path]);
    assert!(
        ok && said.contains("none added, removed or changed"),
        "{said}"
    );
    std::fs::write(
        &file,
        printed
            .to_string()
            .replacen("bankruptcy last", "bankruptcy next", 1),
    )
    .unwrap();
    let (ok, said) = orchestrator(&world, &["export", "--verify", path]);
    assert!(!ok && said.contains("it was changed"), "{said}");
    world.finish(1).await;
}
