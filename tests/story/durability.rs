//! What each setting of durability costs on this machine: `make durability` prints it.

use std::time::Instant;

use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

const BODY: &str = r#"{"tenant_id":"12345","phone_number":"+12025550143","content":"I can pay $75 a week for 8 weeks","conversation_id":"conv_20481"}"#;

/// Acknowledged publishes per second, `in_flight` at a time.
async fn publishes(sync: &str, in_flight: usize, total: usize) -> f64 {
    let nats = Nats::start(NatsOptions {
        sync_interval: Some(sync.to_owned()),
        ..NatsOptions::default()
    })
    .expect("a nats-server");
    let client = async_nats::connect(nats.url()).await.expect("connected");
    let jetstream = async_nats::jetstream::new(client);
    jetstream
        .create_stream(async_nats::jetstream::stream::Config {
            name: "MEASURED".to_owned(),
            subjects: vec!["measured".to_owned()],
            ..Default::default()
        })
        .await
        .expect("a stream");
    let begun = Instant::now();
    let mut acks = std::collections::VecDeque::new();
    for _ in 0..total {
        acks.push_back(
            jetstream
                .publish("measured", BODY.into())
                .await
                .expect("sent"),
        );
        if acks.len() == in_flight {
            acks.pop_front().expect("one").await.expect("taken");
        }
    }
    for ack in acks {
        ack.await.expect("taken");
    }
    total as f64 / begun.elapsed().as_secs_f64()
}

/// Commits of one row per second, over sixteen connections.
async fn commits(synchronous: &str) -> f64 {
    const EACH: usize = 400;
    let postgres = Postgres::start(PostgresOptions {
        durable: true,
        settings: vec![format!("synchronous_commit={synchronous}")],
        ..PostgresOptions::default()
    })
    .expect("a Postgres");
    let url = postgres.create_database("measured").expect("a database");
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(16)
        .connect(&url)
        .await
        .expect("connected");
    sqlx::query("create table measured (id uuid primary key, body text)")
        .execute(&pool)
        .await
        .expect("a table");
    let begun = Instant::now();
    let writers = (0..16).map(|_| {
        let pool = pool.clone();
        async move {
            for _ in 0..EACH {
                sqlx::query("insert into measured values ($1, $2)")
                    .bind(uuid::Uuid::new_v4())
                    .bind(BODY)
                    .execute(&pool)
                    .await
                    .expect("a row");
            }
        }
    });
    futures::future::join_all(writers).await;
    (16 * EACH) as f64 / begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures: make durability"]
async fn what_durability_costs() {
    for (sync, in_flight, total) in [
        ("always", 1, 1_000),
        ("1s", 1, 3_000),
        ("always", 256, 5_000),
        ("1s", 256, 30_000),
    ] {
        let rate = publishes(sync, in_flight, total).await;
        eprintln!("sync_interval {sync:<7} {in_flight:>4} in flight {rate:>9.0} publishes/s");
    }
    for synchronous in ["on", "off"] {
        let rate = commits(synchronous).await;
        eprintln!("synchronous_commit {synchronous:<4} 16 connections {rate:>9.0} commits/s");
    }
}
