//! NATS or Postgres goes away and comes back.

use serde_json::json;
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

use crate::world::{World, sms};

/// Health answers whatever is missing, and says what (`http-api.md` §1).
async fn tells_of_the_outage(world: &World, missing: &str, database: &str) {
    let (status, health) = world.get("/health").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert_eq!(health["checks"]["database"], database, "{health}");
    let (status, detailed) = world.get("/health/detailed").await;
    assert_eq!((status, &detailed["status"]), (200, &json!("unhealthy")));
    let (status, found) = world.get("/health/dependencies").await;
    assert_eq!((status, &found[missing]), (200, &json!(false)), "{found}");
    assert_eq!(found["services"][missing]["status"], "down");
    let words = ["overall_status", "degradation_mode", "orchestrator"].map(|word| &found[word]);
    assert_eq!(words, ["critical", "emergency", "down"]);
    assert_eq!(world.get("/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_the_door_says_so_and_afterwards_everything_goes_on() {
    let mut nats = Nats::start(NatsOptions::default()).expect("a nats-server of our own");
    let world = World::with("NATS_URL", &nats.url())
        .set("ACCEPT_TIMEOUT_MS", "1500")
        .set("SYNC_BUDGET_MS", "1000")
        .start()
        .await;
    let answer = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    // A killed server may forget the newest acknowledgements, and then delivers again.
    world.shorten_deadlines().await;
    nats.kill9();
    let mut body = sms("c2", "hello [confidence=0.95]");
    body["message_sid"] = json!("SM-during-the-outage");
    let (status, refused) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(
        (status, &refused["error_code"]),
        (503, &json!("ORC_004")),
        "{refused}"
    );
    world
        .until("the service knows", || async {
            let (status, body) = world.get("/health/ready").await;
            (status == 503 && body["reasons"] == json!(["message stream unreachable"]))
                .then_some(())
        })
        .await;
    tells_of_the_outage(&world, "nats", "healthy").await;
    nats.restart().expect("the same server again");
    // The caller does what it was told: the same text with the same key.
    world
        .until("the text is taken", || async {
            let (status, _) = world.post("/orchestrate/sms-received", &body).await;
            (status == 200 || status == 202).then_some(())
        })
        .await;
    world.until_status("c2", "sent").await;
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_volume_is_made_anew_without_a_restart() {
    let world = World::with("ACCEPT_TIMEOUT_MS", "1500")
        .set("SYNC_BUDGET_MS", "4000")
        .start()
        .await;
    world.text("c1", "hello [confidence=0.95]").await;
    world.settle().await;
    world.lose_streams().await;
    let mut body = sms("c2", "hello [confidence=0.95]");
    body["message_sid"] = json!("SM-after-the-loss");
    world
        .until("the text is taken", || async {
            let (status, _) = world.post("/orchestrate/sms-received", &body).await;
            (status == 200 || status == 202).then_some(())
        })
        .await;
    world.until_status("c2", "sent").await;
    let epochs: Vec<i32> =
        sqlx::query_scalar("select distinct arrival_epoch from inbound_messages order by 1")
            .fetch_all(&world.db)
            .await
            .unwrap();
    assert_eq!(
        epochs,
        [1, 2],
        "a new stream is later than all of the old one"
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_texts_wait() {
    let mut postgres = Postgres::start(PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    })
    .expect("a Postgres of our own");
    let url = postgres.create_database("story").expect("a database");
    let world = World::with("DATABASE_URL", &url).start().await;
    world.neighbours.model.set_latency(400, 0);
    for n in 0..10 {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    postgres.kill9();
    world
        .until("the service knows", || async {
            let (status, body) = world.get("/health/ready").await;
            (status == 503 && body["reasons"] == json!(["database unreachable"])).then_some(())
        })
        .await;
    tells_of_the_outage(&world, "supabase", "unhealthy").await;
    postgres.restart().expect("the same server again");
    for n in 0..10 {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    world.finish(10).await;
}
