//! What went wrong is tried again, and nothing that was done is done twice.

use serde_json::{Value, json};
use simulators::faults::{Fault, Rule};

use crate::world::World;

async fn retry(world: &World, workflow: &Value, body: &Value) -> (u16, Value) {
    let id = workflow.as_str().unwrap();
    world.post(&format!("/orchestrate/retry/{id}"), body).await
}

async fn letters(world: &World) -> Vec<Value> {
    let (_, page) = world.get("/orchestrate/dead-letters").await;
    page["items"].as_array().unwrap().clone()
}

/// The database refuses drafts until told otherwise.
async fn break_drafts(world: &World) {
    for sql in [
        "create function broken() returns trigger language plpgsql as
         $$ begin raise exception 'broken'; end $$",
        "create trigger broken before insert on ai_response_queue
         for each row execute function broken()",
    ] {
        sqlx::query(sql).execute(&world.db).await.unwrap();
    }
}

async fn mend_drafts(world: &World) {
    sqlx::query("drop trigger broken on ai_response_queue")
        .execute(&world.db)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_workflow_goes_on_where_it_failed_without_a_second_bill() {
    let world = World::with("MAX_ATTEMPTS", "2").start().await;
    break_drafts(&world).await;
    let text = world.text("c1", "What do I owe? [confidence=0.95]").await;
    assert_eq!(text["workflow_status"], "failed", "{text}");
    let parked = letters(&world).await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0]["stage"], "route");
    mend_drafts(&world).await;
    let asked = world.neighbours.model.requests().len();
    let (status, answer) = retry(&world, &text["workflow_id"], &json!({"reason": "fixed"})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["status"], "retry_initiated");
    let done = world.until_status("c1", "sent").await;
    assert_eq!(done["retry_count"], 1);
    assert!(
        done["steps_completed"]
            .as_array()
            .unwrap()
            .contains(&json!("workflow_retry"))
    );
    assert_eq!(
        world.neighbours.model.requests().len(),
        asked,
        "no second bill"
    );
    let (_, all) = world.get("/orchestrate/dead-letters?status=all").await;
    assert_eq!(all["items"][0]["status"], "redriven");
    world.finish_with(1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_is_open_again() {
    let world = World::with("MAX_ATTEMPTS", "1").start().await;
    break_drafts(&world).await;
    let text = world.text("c1", "What do I owe? [confidence=0.95]").await;
    let id = letters(&world).await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/orchestrate/dead-letters/{id}/redrive");
    let (status, answer) = world.post(&path, &json!({"requested_by": "ops"})).await;
    assert_eq!(
        (status, &answer["redrive_count"]),
        (200, &json!(1)),
        "{answer}"
    );
    world.until_status("c1", "failed").await;
    world.settle().await;
    let open = letters(&world).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["history"][0]["by"], "ops");
    mend_drafts(&world).await;
    let many = json!({"kind": "workflow"});
    let (status, answer) = world.post("/orchestrate/dead-letters/redrive", &many).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["redriven"], json!([id]));
    world.until_status("c1", "sent").await;
    let (status, _) = world.post(&path, &json!({})).await;
    assert_eq!(status, 409, "not open any more");
    assert!(text["workflow_id"].is_string());
    world.finish_with(1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_given_up_is_sent_once_when_it_is_redriven() {
    let world = World::with("SMS_GIVE_UP_HOURS", "0").start().await;
    world.neighbours.sms_agent.add_fault(
        Rule::new(Fault::Status {
            status: 503,
            body: None,
            retry_after: None,
            effect: false,
        })
        .path("/sms/send"),
    );
    world.text("c1", "What do I owe? [confidence=0.95]").await;
    world.until_status("c1", "escalated").await;
    let parked = letters(&world).await;
    assert_eq!(parked[0]["kind"], "sms");
    assert_eq!(parked[0]["last_error"]["service"], "sms_agent");
    assert!(parked[0]["payload"]["text"].is_string());
    world.neighbours.sms_agent.clear_faults();
    let id = parked[0]["id"].as_str().unwrap();
    let path = format!("/orchestrate/dead-letters/{id}/redrive");
    let (status, answer) = world.post(&path, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    world.until_status("c1", "sent").await;
    world.finish_with(1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalated_text_may_be_tried_again_three_times_and_two_at_once_are_one() {
    let world = World::start().await;
    world.neighbours.model.set_latency(400, 0);
    let text = world.text("c1", "What do I owe? [confidence=0.3]").await;
    assert_eq!(text["action_taken"], "escalated");
    let id = &text["workflow_id"];
    for attempt in 1..=3 {
        let empty = json!({});
        let (first, second) = tokio::join!(retry(&world, id, &empty), retry(&world, id, &empty));
        let mut both = [first.0, second.0];
        both.sort_unstable();
        assert_eq!(both, [200, 400], "{first:?} {second:?}");
        let (won, lost) = if first.0 == 200 {
            (first.1, second.1)
        } else {
            (second.1, first.1)
        };
        assert_eq!(won["attempt"], attempt);
        assert_eq!(lost["details"]["reason"], "in_progress");
        assert_eq!(lost["dashboard_status"], "failed");
        world.until_status("c1", "escalated").await;
    }
    let (status, refused) = retry(&world, id, &json!({"force_retry": true})).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (400, &json!("retry_limit_reached"))
    );
    assert_eq!(refused["error_code"], "ORC_003");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_text_a_forced_retry_ends_at_a_manager() {
    let world = World::start().await;
    let text = world.text("c1", "What do I owe? [confidence=0.95]").await;
    world.until_status("c1", "sent").await;
    let id = &text["workflow_id"];
    let (status, refused) = retry(&world, id, &json!({})).await;
    assert_eq!(
        (status, &refused["details"]["reason"]),
        (400, &json!("not_retryable"))
    );
    let (status, _) = retry(&world, id, &json!({"force_retry": true})).await;
    assert_eq!(status, 200);
    world.until_status("c1", "awaiting_approval").await;
    let (_, list) = world.get("/orchestrate/approvals").await;
    assert_eq!(list["items"][0]["routing_reason"], "retry_after_send");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_not_found_and_bad_lists_are_named() {
    let world = World::start().await;
    let (status, refused) = retry(&world, &json!("non-existent-workflow"), &json!({})).await;
    assert_eq!((status, &refused["success"]), (404, &json!(false)));
    assert_eq!(world.get("/orchestrate/dead-letters/dl_x").await.0, 404);
    assert_eq!(world.get("/orchestrate/dead-letters?kind=x").await.0, 422);
    let (status, _) = world
        .post("/orchestrate/dead-letters/redrive", &json!({}))
        .await;
    assert_eq!(status, 422);
    // Found by schemathesis: an empty id became a command that no stage could read.
    let odd = ["", "  ", "dl_x", "\u{fc}\u{a7}", &"9".repeat(300)];
    let asked = json!({ "ids": odd });
    let (status, answer) = world
        .post("/orchestrate/dead-letters/redrive", &asked)
        .await;
    assert_eq!((status, &answer["total"]), (200, &json!(odd.len())));
    let skipped = answer["skipped"].as_array().expect("a list");
    assert!(
        skipped.iter().all(|s| s["reason"] == "not_found"),
        "{answer}"
    );
    world.finish(0).await;
}
