//! Several texts of one conversation, several replicas.

use serde_json::json;

use crate::world::{Plan, World, sms};

#[tokio::test(flavor = "multi_thread")]
async fn texts_within_seconds_get_one_reply() {
    let world = World::start().await;
    world.neighbours.model.set_latency(3_000, 0);
    let bodies: Vec<_> = ["hi", "when is rent due", "and how much [confidence=0.95]"]
        .iter()
        .map(|text| sms("c1", text))
        .collect();
    let mut waiters = Vec::new();
    for body in &bodies {
        let request = world.post("/orchestrate/sms-received", body);
        waiters.push(request);
        // The stream's order is the order of arrival.
    }
    let (first, second, third) = {
        let mut all = waiters.into_iter();
        let (a, b, c) = (
            all.next().unwrap(),
            all.next().unwrap(),
            all.next().unwrap(),
        );
        // Not by the clock: on a busy machine the later one would be the first.
        let taken = |n: i64| {
            let world = &world;
            world.until("the one before is taken in", move || async move {
                let texts = world.count("select count(*) from inbound_messages").await;
                (texts == n).then_some(())
            })
        };
        futures::join!(
            a,
            async {
                taken(1).await;
                b.await
            },
            async {
                taken(2).await;
                c.await
            }
        )
    };
    assert_eq!(first.1["action_taken"], "merged", "{}", first.1);
    assert_eq!(second.1["action_taken"], "merged", "{}", second.1);
    assert_eq!(third.1["action_taken"], "auto_sent", "{}", third.1);
    assert_eq!(first.1["workflow_status"], "completed");
    assert_eq!(second.1["merged_into"], third.1["workflow_id"]);
    let asked = world.neighbours.model.requests();
    let last = asked.last().unwrap().json();
    let users: Vec<_> = last["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["role"] == "user")
        .map(|m| m["content"].clone())
        .collect();
    assert_eq!(
        users,
        [
            json!("hi"),
            json!("when is rent due"),
            json!("and how much [confidence=0.95]")
        ]
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reply_has_left_the_next_text_is_answered_by_itself() {
    let world = World::start().await;
    world.text("c1", "hi [confidence=0.95]").await;
    world.text("c1", "thanks [confidence=0.95]").await;
    assert_eq!(world.texts_to("c1").len(), 2);
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_work_and_answer_everybody_once() {
    let world = Plan::default()
        .replicas(2)
        .set("SMS_MAX_PARALLEL", "50")
        .start()
        .await;
    let client = reqwest::Client::new();
    let requests = (0..120).map(|n| {
        let url = world.url_of(n % 2, "/orchestrate/sms-received");
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        let client = client.clone();
        async move {
            client
                .post(url)
                .json(&body)
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    });
    let statuses = futures::future::join_all(requests).await;
    assert!(statuses.iter().all(|status| [200, 202].contains(status)));
    for n in 0..120 {
        world.until_status(&format!("c{n}"), "sent").await;
        assert_eq!(world.texts_to(&format!("c{n}")).len(), 1);
    }
    world.finish(120).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_conversation_keeps_its_order_across_replicas() {
    let world = Plan::default()
        .replicas(2)
        .set("SMS_MAX_PARALLEL", "50")
        .start()
        .await;
    world.neighbours.model.set_latency(20, 20);
    for n in 0..40 {
        world
            .publish(
                "sms.received",
                &sms("busy", &format!("text {n} [confidence=0.95]")),
                &[],
            )
            .await;
    }
    world.settle().await;
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select content, turn from inbound_messages order by arrival_seq")
            .fetch_all(&world.db)
            .await
            .unwrap();
    assert_eq!(rows.len(), 40);
    assert!(
        rows.windows(2).all(|pair| pair[0].1 <= pair[1].1),
        "turns follow the arrivals: {rows:?}"
    );
    let texts = world.texts_to("busy").len();
    let sent = world
        .count("select count(*) from orchestration_workflows where status = 'sent'")
        .await;
    let merged = world
        .count("select count(*) from orchestration_workflows where outcome = 'merged'")
        .await;
    assert_eq!(i64::try_from(texts).unwrap(), sent);
    assert_eq!(sent + merged, 40, "every text has one outcome");
    world.finish(texts).await;
}
