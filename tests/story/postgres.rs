//! Postgres fails over, refuses transactions, or sits behind a pooler.

use std::time::Duration;

use orchestrator::store;
use simulators::servers::{PgBouncer, Postgres, PostgresOptions};
use sqlx::{Connection, Executor};

use crate::world::{World, sms};

fn postgres(settings: &[&str]) -> Postgres {
    Postgres::start(PostgresOptions {
        settings: settings.iter().map(|s| (*s).to_owned()).collect(),
        ..PostgresOptions::default()
    })
    .expect("a Postgres of our own")
}

async fn publish(world: &World, texts: std::ops::Range<usize>) {
    for n in texts {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
    }
}

async fn all_sent(world: &World, texts: usize) {
    for n in 0..texts {
        world.until_status(&format!("c{n}"), "sent").await;
        assert_eq!(world.texts_to(&format!("c{n}")).len(), 1, "c{n}");
    }
}

/// What a managed Postgres does to its clients at a failover: sessions end, for a moment nobody
/// answers, then somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn three_failovers_under_load_lose_nothing() {
    let mut server = postgres(&[]);
    let url = server.create_database("story").expect("a database");
    let mut world = World::with("DATABASE_URL", &url)
        .set("SMS_MAX_PARALLEL", "20")
        .replicas(2)
        .start()
        .await;
    world.patience = Duration::from_secs(60);
    world.neighbours.model.set_latency(150, 100);
    for failover in 0..3 {
        publish(&world, failover * 30..(failover + 1) * 30).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::block_in_place(|| {
            server.stop();
            std::thread::sleep(Duration::from_millis(500));
            server.restart().expect("the same data again");
        });
    }
    all_sent(&world, 90).await;
    world.finish(90).await;
}

/// Takes the rows that our transactions take, in the other order.
async fn lock_backwards(session: &mut sqlx::PgConnection, texts: usize) -> Result<(), sqlx::Error> {
    let mut tx = session.begin().await?;
    for n in (0..texts).rev() {
        sqlx::query("select 1 from conversations where id = $1 for update")
            .bind(format!("c{n}"))
            .execute(&mut *tx)
            .await?;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    tx.commit().await
}

/// Every third transaction is told that it could not be serialized or was the victim of a deadlock, and
/// somebody brings about real ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_to_serialize_or_deadlocks_is_tried_again() {
    const TEXTS: usize = 40;
    let server = postgres(&["deadlock_timeout=20ms"]);
    let url = server.create_database("story").expect("a database");
    let mut world = World::with("DATABASE_URL", &url).replicas(2).start().await;
    world.patience = Duration::from_secs(60);
    world
        .db
        .execute(
            "create sequence refused;
             create function refuse() returns trigger language plpgsql as $$
             begin
                 if random() < 0.33 then
                     perform nextval('refused');
                     if random() < 0.5 then
                         raise exception 'could not serialize' using errcode = 'serialization_failure';
                     end if;
                     raise exception 'deadlock' using errcode = 'deadlock_detected';
                 end if;
                 return null;
             end $$;
             create trigger refuse after insert on handled_events for each statement execute function refuse();",
        )
        .await
        .unwrap();
    // The conversations exist, so that there are rows to lock.
    publish(&world, 0..TEXTS).await;
    all_sent(&world, TEXTS).await;
    let hostile = async {
        let mut session = sqlx::PgConnection::connect(&url).await.unwrap();
        loop {
            // Whoever closes the circle is the victim: sometimes ours, sometimes this one.
            let _ = lock_backwards(&mut session, TEXTS).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let second = async {
        // All at once, so that rounds lock many conversations.
        for n in 0..TEXTS {
            let body = sms(&format!("c{n}"), "and when? [confidence=0.95]");
            world.publish("sms.received", &body, &[]).await;
        }
        world
            .until("each is answered again", || async {
                let sent = world
                    .count("select count(*) from deliveries where status = 'sent'")
                    .await;
                (usize::try_from(sent).unwrap() == 2 * TEXTS).then_some(())
            })
            .await;
    };
    tokio::select! {
        () = second => {}
        () = hostile => {}
    }
    let refused = world.count("select last_value from refused").await;
    let deadlocks = world
        .count("select deadlocks from pg_stat_database where datname = current_database()")
        .await;
    eprintln!("{refused} transactions were refused, {deadlocks} ended in a deadlock");
    assert!(refused > 10, "{refused} refused");
    assert!(deadlocks > 0, "no deadlock came about");
    let failed = world
        .count("select coalesce(sum(count), 0)::bigint from attempts")
        .await;
    assert_eq!(failed, 0, "no message paid for it with an attempt");
    world.finish(2 * TEXTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_through_a_transaction_mode_pooler() {
    let Some(program) = PgBouncer::installed() else {
        eprintln!(
            "SKIPPED: no pgbouncer on this machine (apt-get install pgbouncer, or name it with PGBOUNCER)"
        );
        return;
    };
    let server = postgres(&[]);
    let direct = server.create_database("story").expect("a database");
    // Three connections for two replicas with six each: the next transaction is on another one.
    let pooler = PgBouncer::start(&program, server.port(), 3).expect("a pooler");
    let pool = sqlx::PgPool::connect(&direct).await.unwrap();
    let db = store::Db::new(pool, false);
    store::migrate(&db).await.expect("over the direct address");
    db.close().await;
    let mut world = World::with("DATABASE_URL", &pooler.url("story"))
        .set("STORY_DATABASE_URL", &direct)
        .set("DATABASE_POOLER", "transaction")
        .set("SWEEP_SECONDS", "0.5")
        .set("SWEEP_AFTER_SECONDS", "2")
        .replicas(2)
        .start()
        .await;
    world.patience = Duration::from_secs(60);
    publish(&world, 0..60).await;
    all_sent(&world, 60).await;
    // The door's reads, a manager's decision, an escalation: other statements on the same connections.
    let asked = world.text("asked", "hello [confidence=0.7]").await;
    let body = serde_json::json!({"id": asked["response_queue_id"], "action": "approve"});
    let (status, answer) = world.post("/orchestrate/approve-response", &body).await;
    assert_eq!(status, 200, "{answer}");
    world.until_status("asked", "sent").await;
    for path in [
        "approvals",
        "escalations",
        "dead-letters",
        "consents",
        "holds",
    ] {
        let (status, answer) = world.get(&format!("/orchestrate/{path}")).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let failed = world.count("select count(*) from attempts").await;
    assert_eq!(failed, 0, "nothing failed on the way");
    world.finish(61).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_not_made_through_a_pooler() {
    let pool = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let refused = store::migrate(&store::Db::new(pool, true)).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("direct connection")
    );
}
