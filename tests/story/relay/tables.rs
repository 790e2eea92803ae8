//! The relay behind the agent: its tables, read and never written.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::provider::RelayWorld;
use crate::world::{Plan, World};

/// The agent's tables as its own migrations make them, beside ours.
async fn agents_tables(db: &PgPool) {
    for statement in [
        "create table sms_conversations (
           id serial primary key, phone_number_canonical varchar(32) not null unique,
           phone_number_original varchar(64), tenant_id varchar(64),
           last_message_at timestamp, created_at timestamp not null default now())",
        "create table sms_messages (
           id serial primary key, conversation_id integer references sms_conversations (id),
           twilio_sid varchar(64) not null unique, direction varchar(16) not null default 'inbound',
           from_number varchar(64), to_number varchar(64), message_content varchar(2000),
           raw_webhook_data json, created_at timestamp not null default now())",
        "insert into sms_conversations (phone_number_canonical, tenant_id)
         values ('+12025550143', '12345'), ('+12025550000', null)",
    ] {
        sqlx::query(statement).execute(db).await.unwrap();
    }
}

async fn stored(
    executor: impl sqlx::PgExecutor<'_>,
    conversation: i32,
    sid: &str,
    direction: &str,
    text: &str,
) {
    sqlx::query(
        "insert into sms_messages (conversation_id, twilio_sid, direction, message_content,
                                   raw_webhook_data, created_at)
         values ($1, $2, $3, $4, '{\"NumMedia\": \"1\"}', '2025-01-15 05:30:00')",
    )
    .bind(conversation)
    .bind(sid)
    .bind(direction)
    .bind(text)
    .execute(executor)
    .await
    .unwrap();
}

fn reading() -> Plan {
    World::with("RELAY_MODE", "tables")
        .set("RELAY_POLL_MS", "20")
        .set("SMS_AGENT_TIMEZONE", "America/New_York")
}

/// A world whose relays find the tables with one old text in them.
async fn prepared(relays: usize) -> RelayWorld {
    let mut world = RelayWorld::with_replicas(reading(), 0).await;
    agents_tables(&world.db).await;
    stored(&world.db, 1, "SM-old", "inbound", "a year ago").await;
    for _ in 0..relays {
        world.start_relay().await;
    }
    world
        .until("the cursor is set", || async {
            (position(&world).await == Some(1)).then_some(())
        })
        .await;
    world
}

async fn position(world: &World) -> Option<i64> {
    sqlx::query_scalar("select position from relay_cursors")
        .fetch_optional(&world.db)
        .await
        .ok()?
}

async fn until_texts(world: &World, wanted: i64) {
    world
        .until(&format!("{wanted} texts came in"), || async {
            let count = world.count("select count(*) from inbound_messages").await;
            (count == wanted).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_inbound_rows_are_published_and_old_ones_are_not() {
    let world = prepared(1).await;
    stored(&world.db, 1, "SM1", "inbound", "hello [confidence=0.95]").await;
    stored(&world.db, 1, "SM2", "outbound", "our own words").await;
    stored(&world.db, 2, "SM3", "inbound", "").await;
    until_texts(&world, 2).await;
    world.until_status("1", "sent").await;
    let rows: Vec<(String, Option<String>, String, String, Value, i64)> = sqlx::query_as(
        "select conversation_id, tenant_id, content, idempotency_key, metadata,
                extract(epoch from sent_at)::bigint
         from inbound_messages order by arrival_seq",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    let (conversation, tenant, content, key, metadata, at) = &rows[0];
    assert_eq!(conversation, "1", "the agent's number, as text");
    assert_eq!(tenant.as_deref(), Some("12345"));
    assert_eq!(
        (content.as_str(), key.as_str()),
        ("hello [confidence=0.95]", "SM1")
    );
    assert_eq!(metadata["stored_by_agent"], true);
    assert_eq!(*at, 1_736_937_000, "half past five in New York");
    let (conversation, tenant, content, ..) = &rows[1];
    assert_eq!((conversation.as_str(), tenant), ("2", &None));
    assert_eq!(content, "[message without text]");
    assert_eq!(
        rows[1].4,
        json!({"source": "relay", "stored_by_agent": true, "num_media": 1})
    );
    world
        .until("the cursor is at the end", || async {
            (position(&world).await == Some(4)).then_some(())
        })
        .await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_publish_every_row_once_and_in_order() {
    let mut world = prepared(2).await;
    // A conversation's texts are committed one after the other: 450 of one would measure the disk.
    sqlx::query(
        "insert into sms_conversations (id, phone_number_canonical)
         select n, '+1202555' || n from generate_series(1000, 1044) as n",
    )
    .execute(&world.db)
    .await
    .unwrap();
    world.patience = std::time::Duration::from_secs(60);
    for n in 0..450 {
        stored(
            &world.db,
            1000 + n % 45,
            &format!("SM{n}"),
            "inbound",
            &format!("text {n:03}"),
        )
        .await;
    }
    until_texts(&world, 450).await;
    let stream = format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase());
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let mut stream = jetstream.get_stream(stream).await.unwrap();
    let published = stream.info().await.unwrap().state.messages;
    assert_eq!(
        published, 450,
        "no row twice, not even for the stream to drop"
    );
    let texts: Vec<String> =
        sqlx::query_scalar("select content from inbound_messages order by arrival_seq")
            .fetch_all(&world.db)
            .await
            .unwrap();
    let wanted: Vec<String> = (0..450).map(|n| format!("text {n:03}")).collect();
    assert_eq!(texts, wanted);
    world.settle().await;
    let sent = world.neighbours.sms_agent.messages().len();
    world.finish(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_committed_late_is_not_passed_over() {
    let world = prepared(1).await;
    let mut late = world.db.begin().await.unwrap();
    stored(&mut *late, 2, "SM-late", "inbound", "I was first").await;
    stored(
        &world.db,
        1,
        "SM-quick",
        "inbound",
        "hello [confidence=0.95]",
    )
    .await;
    until_texts(&world, 1).await;
    world
        .until("the cursor has passed it", || async {
            (position(&world).await == Some(3)).then_some(())
        })
        .await;
    late.commit().await.unwrap();
    until_texts(&world, 2).await;
    world
        .until("nothing is missing", || async {
            let missing = world.count("select count(*) from relay_missing").await;
            (missing == 0).then_some(())
        })
        .await;
    world.settle().await;
    let sent = world.neighbours.sms_agent.messages().len();
    world.finish(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_died_before_its_commit_repeats_itself_without_harm() {
    let mut world = prepared(1).await;
    stored(&world.db, 1, "SM1", "inbound", "hello [confidence=0.95]").await;
    world.until_status("1", "sent").await;
    world.stop_relay().await;
    // As if the transaction of the cursor had never been committed.
    sqlx::query("update relay_cursors set position = 1")
        .execute(&world.db)
        .await
        .unwrap();
    // Beyond the stream's own memory of ids, too.
    world.lose_streams().await;
    world.start_relay().await;
    world
        .until("it has read on", || async {
            (position(&world).await == Some(2)).then_some(())
        })
        .await;
    world.settle().await;
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        1
    );
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_loses_is_published_again() {
    let mut world = RelayWorld::without_a_service(reading().set("RELAY_START_AFTER", "0")).await;
    agents_tables(&world.db).await;
    stored(&world.db, 1, "SM1", "inbound", "hello [confidence=0.95]").await;
    world.until_queue("published", 1).await;
    world.lose_streams().await;
    world.start_service().await;
    world.until_status("1", "sent").await;
    world.until_queue("taken", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_nobody_can_answer_is_kept_and_does_not_stop_the_others() {
    let world = prepared(1).await;
    sqlx::query(
        "insert into sms_messages (twilio_sid, from_number, message_content)
         values ('SM-short', '26262', 'Your parcel is here')",
    )
    .execute(&world.db)
    .await
    .unwrap();
    stored(&world.db, 1, "SM1", "inbound", "hello [confidence=0.95]").await;
    world.until_status("1", "sent").await;
    world.until_queue("refused", 1).await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_begin_anew_are_noticed() {
    let world = prepared(1).await;
    let seen = || async {
        let answer = reqwest::get(world.sidecar_url("/metrics")).await.ok()?;
        let text = answer.text().await.ok()?;
        text.contains("outcome=\"cursor_beyond_end\"").then_some(())
    };
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(seen().await, None, "a quiet night is no reason");
    sqlx::query("truncate sms_messages restart identity")
        .execute(&world.db)
        .await
        .unwrap();
    world.until("somebody is told", seen).await;
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_tables_are_only_read() {
    let mut world = RelayWorld::with_replicas(reading(), 0).await;
    agents_tables(&world.db).await;
    sqlx::query(
        "create function refuse() returns trigger language plpgsql as $$
         begin raise exception 'somebody writes'; end $$",
    )
    .execute(&world.db)
    .await
    .unwrap();
    stored(&world.db, 1, "SM-old", "inbound", "a year ago").await;
    world.start_relay().await;
    world
        .until("the cursor is set", || async {
            (position(&world).await == Some(1)).then_some(())
        })
        .await;
    stored(&world.db, 1, "SM1", "inbound", "hello [confidence=0.95]").await;
    for table in ["sms_messages", "sms_conversations"] {
        let guard = format!(
            "create trigger guard before insert or update or delete on {table}
             for each statement execute function refuse()"
        );
        sqlx::query(sqlx::AssertSqlSafe(guard))
            .execute(&world.db)
            .await
            .unwrap();
    }
    world.until_status("1", "sent").await;
    let rows = "select count(*) from sms_messages";
    assert_eq!(world.count(rows).await, 2);
    world.finish(1).await;
}
