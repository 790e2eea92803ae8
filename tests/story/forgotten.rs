//! After its time nothing of a number is left, in no table there is or will be (`rules.md` R32).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::texts::phone_of;
use crate::topology::orchestrator;
use crate::world::{World, sms};

/// Tables that no purge touches, and why not.
const KEPT: [(&str, &str); 7] = [
    ("_sqlx_migrations", "what was migrated"),
    ("purge_runs", "numbers of rows, for ever"),
    ("relay_cursors", "one position for each source"),
    (
        "relay_missing",
        "ids of rows, which the relay itself forgets",
    ),
    ("stream_epochs", "one row for each time a stream was made"),
    ("sweep", "one row"),
    ("unfinished_events", "ids, which the sweep itself forgets"),
];

async fn tables(world: &World) -> BTreeSet<String> {
    let names: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
            .fetch_all(&world.db)
            .await
            .unwrap();
    names.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_purged_or_kept_for_a_reason() {
    let world = World::start().await;
    let functions: Vec<String> = sqlx::query_scalar(
        "select prosrc from pg_proc where proname in ('purge_conversations', 'purge_remains')",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    let purged: BTreeSet<String> = functions
        .iter()
        .flat_map(|body| body.split("delete from ").skip(1))
        .filter_map(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let kept: BTreeSet<String> = KEPT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let there = tables(&world).await;
    let forgotten: Vec<_> = there
        .iter()
        .filter(|name| !purged.contains(*name) && !kept.contains(*name))
        .collect();
    assert!(
        forgotten.is_empty(),
        "a purge in a migration, or a reason in KEPT: {forgotten:?}"
    );
    let both: Vec<_> = purged.intersection(&kept).collect();
    let gone: Vec<_> = purged
        .union(&kept)
        .filter(|n| !there.contains(*n))
        .collect();
    assert!(both.is_empty() && gone.is_empty(), "{both:?} {gone:?}");
    world.finish(0).await;
}

/// Everything there is happened four years earlier, whatever table and column it is in.
async fn age_everything(world: &World) {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select c.table_name::text,
                string_agg(format('%1$I = %1$I - interval ''4 years''', c.column_name), ', ')
         from information_schema.columns c join pg_tables t on t.tablename = c.table_name
         where c.table_schema = 'public' and t.schemaname = 'public'
           and c.data_type = 'timestamp with time zone'
           and c.table_name not in ('_sqlx_migrations', 'sweep', 'stream_epochs')
         group by c.table_name",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    assert!(columns.len() > 18, "{columns:?}");
    let mut tx = world.db.begin().await.unwrap();
    // What happened may not be changed, not even when.
    let triggers = "set local session_replication_role = replica";
    sqlx::query(triggers).execute(&mut *tx).await.unwrap();
    for (table, columns) in columns {
        let sql = format!("update {table} set {columns}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Rows of each table that have the number anywhere, also in documents and bytes.
async fn mentions(world: &World, number: &str) -> BTreeMap<String, i64> {
    let digits = number.trim_start_matches("+1");
    let mut found = BTreeMap::new();
    for table in tables(world).await {
        let sql = format!(
            "select count(*) from {table} t
             where t::text like '%' || $1 || '%' or t::text like '%' || encode($1::bytea, 'hex') || '%'"
        );
        let n: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(digits)
            .fetch_one(&world.db)
            .await
            .unwrap();
        if n > 0 {
            found.insert(table, n);
        }
    }
    found
}

/// A number for whom a manager wrote everything down that can be, and took it back.
async fn entered_and_lifted(world: &World, number: &str) {
    let consent = json!({"phone_number": number, "opted_out": false, "note": "Signed",
        "text_shown": "I agree to texts.", "method": "lease", "given_by": "Maria Rodriguez",
        "given_at": "2026-01-02T10:00:00Z", "manager_id": "ana"});
    let (status, answer) = world.post("/orchestrate/consents", &consent).await;
    assert_eq!(status, 200, "{answer}");
    let window = json!({"phone_number": number, "quiet": "00:00-12:00", "source": "voicemail", "manager_id": "ana"});
    let (status, window) = world.post("/orchestrate/contact-windows", &window).await;
    assert_eq!(status, 200, "{window}");
    let hold =
        json!({"kind": "manual", "phone_number": number, "reason": "Letter", "manager_id": "ana"});
    let (status, hold) = world.post("/orchestrate/holds", &hold).await;
    assert_eq!(status, 200, "{hold}");
    let reason = json!({"reason": "It was another number", "manager_id": "ana"});
    for path in [
        format!(
            "/orchestrate/contact-windows/{}/lift",
            id(&window["contact_window_id"])
        ),
        format!("/orchestrate/holds/{}/lift", id(&hold["hold_id"])),
    ] {
        let (status, lifted) = world.post(&path, &reason).await;
        assert_eq!(status, 200, "{path}: {lifted}");
    }
}

fn id(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("an id: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_time_nothing_of_a_number_is_left_anywhere() {
    let mut world = World::start().await;
    let texted = phone_of("texted");
    let never_texted = phone_of("never texted");
    let stopped = phone_of("stopped");
    // What becomes of a text: a draft, a decision, a delivery, a plan, an escalation, a dead letter.
    let waiting = world
        .text(
            "texted",
            "I can pay $75 a week for 8 weeks [confidence=0.7]",
        )
        .await;
    let approve = json!({"response_queue_id": waiting["response_queue_id"], "action": "approve", "manager_id": "ana"});
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("texted", "sent").await;
    world.text("texted", "hello [confidence=0.3]").await;
    let mut junk = sms("texted", "hello");
    junk["content"] = json!({"not": "a text"});
    world.publish("sms.received", &junk, &[]).await;
    world.text("stopped", "STOP").await;
    for number in [&texted, &never_texted] {
        entered_and_lifted(&world, number).await;
    }
    sqlx::query(
        "insert into relay_queue (message_sid, state, sender, content, received_at, due_at)
         values ('SM1', 'refused', $1, 'hello', now(), now())",
    )
    .bind(&texted)
    .execute(&world.db)
    .await
    .unwrap();
    world.settle().await;
    let before = mentions(&world, &texted).await;
    let wanted = [
        "ai_response_queue",
        "consent_history",
        "consents",
        "contact_windows",
        "conversations",
        "dead_letters",
        "deliveries",
        "escalation_events",
        "handled_events",
        "holds",
        "inbound_messages",
        "orchestration_workflows",
        "relay_queue",
    ];
    for table in wanted {
        assert!(before.contains_key(table), "{table} in {before:?}");
    }
    world.stop_service().await;
    let (ok, said) = orchestrator(&world, &["purge"]);
    assert!(ok, "{said}");
    assert_eq!(mentions(&world, &texted).await, before, "it is young");

    age_everything(&world).await;
    let lately =
        "update contact_windows set lifted_at = now() - interval '1 year' where phone_number = $1";
    sqlx::query(lately)
        .bind(&never_texted)
        .execute(&world.db)
        .await
        .unwrap();
    let (ok, said) = orchestrator(&world, &["purge"]);
    assert!(ok, "{said}");
    assert_eq!(mentions(&world, &texted).await, BTreeMap::new());
    let kept: BTreeSet<_> = mentions(&world, &never_texted).await.into_keys().collect();
    let wish = ["consent_history", "consents", "contact_windows"].map(str::to_owned);
    assert_eq!(kept, wish.into(), "lifted a year ago only");
    let proof = BTreeMap::from([
        ("consents".to_owned(), 1),
        ("consent_history".to_owned(), 1),
    ]);
    assert_eq!(mentions(&world, &stopped).await, proof, "honoured for ever");

    age_everything(&world).await;
    let (ok, said) = orchestrator(&world, &["purge"]);
    assert!(ok, "{said}");
    assert_eq!(mentions(&world, &never_texted).await, BTreeMap::new());
    assert_eq!(mentions(&world, &stopped).await, proof);
    world.finish(1).await;
}
