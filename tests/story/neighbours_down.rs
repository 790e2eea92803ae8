//! A neighbour is missing, slow or unclear.

use serde_json::json;
use simulators::{Fault, Rule};

use crate::world::World;

fn status(status: u16) -> Fault {
    Fault::Status {
        status,
        body: None,
        retry_after: None,
        effect: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_monitor_nothing_is_sent_unread() {
    let world = World::start().await;
    world.neighbours.monitor.add_fault(Rule::new(status(500)));
    let answer = world.text("c1", "hello [confidence=0.99]").await;
    assert_eq!(answer["action_taken"], "queued_for_approval");
    assert_eq!(answer["degraded"], json!(["collections_monitor"]));
    assert_eq!(
        answer["confidence"], 0.99,
        "degraded context does not change the score"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_model_a_person_gets_the_text() {
    let world = World::start().await;
    world.neighbours.model.add_fault(Rule::new(status(500)));
    let answer = world.text("c1", "hello").await;
    assert_eq!(answer["action_taken"], "escalated");
    assert_eq!(answer["degraded"], json!(["openai"]));
    world.settle().await;
    let kinds = world
        .count("select count(*) from escalation_events where escalation_type = 'ai_unavailable'")
        .await;
    assert_eq!(kinds, 1);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_of_the_model_is_asked_for_once_more() {
    let world = World::start().await;
    world.text("c1", "hello [broken]").await;
    assert_eq!(world.neighbours.model.requests().len(), 2);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_knows_no_schema_is_asked_without_one() {
    let world = World::start().await;
    world
        .neighbours
        .model
        .set_mode(simulators::model::Mode::RefuseJsonSchema);
    let answer = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.text("c2", "hello [confidence=0.95]").await;
    assert_eq!(
        world.neighbours.model.requests().len(),
        3,
        "the finding is remembered"
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_down_agent_gets_the_text_once_when_it_is_back() {
    let world = World::start().await;
    world.text("c0", "warm up [confidence=0.95]").await;
    world
        .neighbours
        .sms_agent
        .add_fault(Rule::new(status(503)).path("/sms/send").first(4));
    let answer = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    assert_eq!(answer["degraded"], json!(["sms_agent"]));
    let sent = world.until_status("c1", "sent").await;
    assert_eq!(sent["metadata"]["outcome"], "auto_sent");
    assert_eq!(world.texts_to("c1").len(), 1);
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_after_sending_is_not_asked_again() {
    let world = World::start().await;
    let faults = [
        ("c1", Fault::Crash { effect: true }),
        ("c2", Fault::Reset { effect: true }),
        ("c3", Fault::Hang { effect: true }),
    ];
    for (conversation, fault) in faults {
        let phone = crate::world::phone_of(conversation);
        world
            .neighbours
            .sms_agent
            .add_fault(Rule::new(fault).path("/sms/send").phone(&phone).first(1));
    }
    let texts = ["c1", "c2", "c3"].map(|c| world.text(c, "hello [confidence=0.95]"));
    for answer in futures::future::join_all(texts).await {
        assert_eq!(answer["action_taken"], "auto_sent");
    }
    for conversation in ["c1", "c2", "c3"] {
        world.until_status(conversation, "sent").await;
        assert_eq!(world.texts_to(conversation).len(), 1, "{conversation}");
    }
    world.finish(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_before_sending_is_asked_again_after_a_look() {
    let world = World::start().await;
    world.neighbours.sms_agent.add_fault(
        Rule::new(Fault::Reset { effect: false })
            .path("/sms/send")
            .first(1),
    );
    world.text("c1", "hello [confidence=0.95]").await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_notifier_texts_go_on() {
    let world = World::start().await;
    world
        .neighbours
        .notifications
        .add_fault(Rule::new(status(503)).first(2));
    let answer = world.text("c1", "hello [confidence=0.7]").await;
    assert_eq!(answer["action_taken"], "queued_for_approval");
    let answer = world.text("c2", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.settle().await;
    assert_eq!(world.neighbours.notifications.notifications().len(), 1);
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_notification_is_parked_and_the_draft_stays_decidable() {
    let world = World::start().await;
    world
        .neighbours
        .notifications
        .add_fault(Rule::new(status(422)));
    let answer = world.text("c1", "hello [confidence=0.7]").await;
    world.settle().await;
    assert_eq!(
        world
            .count("select count(*) from dead_letters where kind = 'notification'")
            .await,
        1
    );
    let body = json!({"id": answer["response_queue_id"], "action": "approve"});
    assert_eq!(
        world.post("/orchestrate/approve-response", &body).await.0,
        200
    );
    world.finish_with(1, 1).await;
}
