//! Every stage passes the same harness: its messages come again, long after they were handled.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::StreamExt;

use crate::world::World;

/// Publishes every event of the story a second time, with another message id so that the stream's
/// own memory does not help: only the handled marks do.
async fn say_everything_again(world: &World) {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    for kind in [
        orchestrator::events::Stream::Inbound,
        orchestrator::events::Stream::Story,
    ] {
        let name = format!("{}_{}", world.prefix.to_uppercase(), kind.name());
        let stream = jetstream.get_stream(&name).await.unwrap();
        let total = usize::try_from(stream.cached_info().state.messages).unwrap();
        let consumer = stream
            .create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                deliver_policy: DeliverPolicy::All,
                ..Default::default()
            })
            .await
            .unwrap();
        let mut messages = consumer
            .fetch()
            .max_messages(total)
            .messages()
            .await
            .unwrap();
        let mut all = Vec::new();
        while let Some(Ok(message)) = messages.next().await {
            all.push(message);
        }
        assert_eq!(all.len(), total);
        for message in all {
            let mut headers = message.headers.clone().unwrap_or_default();
            headers.insert("Nats-Msg-Id", uuid::Uuid::new_v4().to_string().as_str());
            jetstream
                .publish_with_headers(message.subject.clone(), headers, message.payload.clone())
                .await
                .unwrap()
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_twice() {
    let world = World::start().await;
    world.text("auto", "hello [confidence=0.95]").await;
    let asked = world.text("asked", "hello [confidence=0.7]").await;
    world.text("angry", "you are crooks").await;
    world.text("stop", "STOP").await;
    let body = serde_json::json!({"id": asked["response_queue_id"], "action": "approve"});
    world.post("/orchestrate/approve-response", &body).await;
    world.settle().await;
    let told = world.neighbours.notifications.notifications().len();
    let drafted = world.neighbours.model.requests().len();
    let rows = |world: &World| {
        let db = world.db.clone();
        async move {
            let mut counts = Vec::new();
            for table in [
                "inbound_messages",
                "orchestration_workflows",
                "ai_response_queue",
                "deliveries",
                "escalation_events",
                "workflow_steps",
                "approval_audit_log",
                "consent_history",
                "notifications",
                "handled_events",
            ] {
                let sql = format!("select count(*) from {table}");
                let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                    .fetch_one(&db)
                    .await
                    .unwrap();
                counts.push((table, count));
            }
            counts
        }
    };
    let before = rows(&world).await;
    say_everything_again(&world).await;
    world.settle().await;
    assert_eq!(rows(&world).await, before);
    assert_eq!(
        world.neighbours.notifications.notifications().len(),
        told,
        "managers told again"
    );
    assert_eq!(
        world.neighbours.model.requests().len(),
        drafted,
        "the model was paid again"
    );
    world.finish(2).await;
}
