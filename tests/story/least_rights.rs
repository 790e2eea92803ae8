//! Who may see and do what in the database (deploy/postgres/roles.sql).

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::PgPool;

use crate::world::{Plan, World};

fn roles() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/postgres/roles.sql");
    std::fs::read_to_string(file).unwrap()
}

/// A world whose service logs in with a role; the stories' own connection stays the superuser's.
async fn with_roles(logins: &[&str]) -> (World, Vec<String>) {
    let world = Plan::default()
        .set("SETUP_ON_START", "false")
        .prepare()
        .await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(roles()))
        .execute(&world.db)
        .await
        .unwrap();
    // As the migrator, so that the tables belong to no superuser.
    let options: sqlx::postgres::PgConnectOptions = world.setting("DATABASE_URL").parse().unwrap();
    let as_migrator = options.options([("role", "orchestrator_migrator")]);
    let migrator = PgPool::connect_with(as_migrator).await.unwrap();
    orchestrator::store::migrate(&orchestrator::store::Db::new(migrator, false))
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(roles()))
        .execute(&world.db)
        .await
        .unwrap();
    let url = world.setting("DATABASE_URL");
    let (_, rest) = url.split_once('@').unwrap();
    let mut urls = Vec::new();
    for role in logins {
        let login = format!("{}_{role}", world.prefix);
        let sql = format!("create role {login} login password 'x' in role orchestrator_{role}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&world.db)
            .await
            .unwrap();
        urls.push(format!("postgres://{login}:x@{rest}"));
    }
    let topology = crate::topology::orchestrator(&world, &["topology", "apply"]);
    assert!(topology.0, "{}", topology.1);
    (world, urls)
}

async fn without_roles(world: World, logins: &[&str], texts: usize) {
    for role in logins {
        let login = format!("{}_{role}", world.prefix);
        let sql = format!("drop role {login}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&world.db)
            .await
            .unwrap();
    }
    world.finish(texts).await;
}

async fn refused(db: &PgPool, sql: &'static str) {
    let error = sqlx::query(sql)
        .execute(db)
        .await
        .expect_err(sql)
        .to_string();
    assert!(error.contains("permission denied"), "{sql}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_needs_no_more_than_its_role() {
    let (mut world, urls) = with_roles(&["service"]).await;
    world.set("DATABASE_URL", &urls[0]);
    world.start_service().await;
    let refuses = simulators::Fault::Status {
        status: 400,
        body: None,
        retry_after: None,
        effect: false,
    };
    let rule = simulators::Rule::new(refuses)
        .path("/notifications")
        .first(1);
    world.neighbours.notifications.add_fault(rule);
    world.text("c1", "hello [confidence=0.95]").await;
    let waiting = world
        .text("c2", "I can pay $75 a week for 8 weeks [confidence=0.7]")
        .await;
    world.text("c3", "hello [confidence=0.3]").await;
    world.text("c4", "STOP").await;
    let approve = json!({"response_queue_id": waiting["response_queue_id"], "action": "approve", "manager_id": "ana"});
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("c2", "sent").await;
    world.text("c5", "I filed for bankruptcy last week").await;
    let (_, holds) = world.get("/orchestrate/holds").await;
    let lift = format!(
        "/orchestrate/holds/{}/lift",
        holds["items"][0]["id"].as_str().unwrap()
    );
    let (status, lifted) = world
        .post(
            &lift,
            &json!({"reason": "it was a joke", "manager_id": "ana"}),
        )
        .await;
    assert_eq!(status, 200, "{lifted}");
    world.publish("sms.received", &json!("junk"), &[]).await;
    world.settle().await;
    let (_, letters) = world.get("/orchestrate/dead-letters").await;
    let letters = letters["items"].as_array().unwrap();
    let letter = |kind: &str| {
        let of = letters.iter().find(|l| l["kind"] == kind);
        of.unwrap_or_else(|| panic!("{kind} in {letters:?}"))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (junk, id) = (letter("event"), letter("notification"));
    let path = format!("/orchestrate/dead-letters/{junk}/resolve");
    assert_eq!(world.post(&path, &json!({})).await.0, 200);
    let (status, redriven) = world
        .post(
            &format!("/orchestrate/dead-letters/{id}/redrive"),
            &json!({}),
        )
        .await;
    assert_eq!(status, 200, "{redriven}");
    world.settle().await;
    let (status, figures) = world.get("/orchestrate/metrics").await;
    assert_eq!(
        (status, &figures["today"]["total_messages"]),
        (200, &json!(5))
    );
    assert_eq!(
        world.get("/orchestrate/conversations/c2/export").await.0,
        200
    );
    let (ok, said) = crate::topology::orchestrator(&world, &["doctor"]);
    assert!(ok && said.contains("ok    database rights"), "{said}");

    let service = PgPool::connect(&urls[0]).await.unwrap();
    for sql in [
        "update approval_audit_log set approved_by = 'nobody'",
        "delete from approval_audit_log",
        "update workflow_steps set status = 'failed'",
        "update gate_decisions set outcome = 'permit'",
        "delete from consent_history",
        "delete from inbound_messages",
        "delete from conversations",
        "truncate dead_letters",
        "drop table deliveries",
        "create table mine (id integer)",
        "alter table consents disable row level security",
    ] {
        let error = sqlx::query(sql)
            .execute(&service)
            .await
            .expect_err(sql)
            .to_string();
        let no = error.contains("permission denied") || error.contains("must be owner");
        assert!(no, "{sql}: {error}");
    }
    service.close().await;
    world.stop_service().await;
    sqlx::query("delete from dead_letters")
        .execute(&world.db)
        .await
        .unwrap();
    without_roles(world, &["service"], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_reads_views_and_an_operator_reads_all() {
    let (world, urls) = with_roles(&["dashboard", "ops"]).await;
    sqlx::query("insert into consents (phone_number, opted_out, source, changed_at) values ('+1', true, 'x', now())")
        .execute(&world.db)
        .await
        .unwrap();
    let dashboard = PgPool::connect(&urls[0]).await.unwrap();
    let shown: i64 = sqlx::query_scalar("select count(*) from dashboard.escalations")
        .fetch_one(&dashboard)
        .await
        .unwrap();
    assert_eq!(shown, 0);
    for sql in [
        "select * from orchestration_workflows",
        "select * from inbound_messages",
        "select * from ai_response_queue",
        "select * from purge_runs",
        "delete from dashboard.escalations",
        "select purge_conversations(now() - interval '9 years', 1)",
    ] {
        refused(&dashboard, sql).await;
    }
    let ops = PgPool::connect(&urls[1]).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from consents")
        .fetch_one(&ops)
        .await
        .unwrap();
    assert_eq!(seen, 1, "its policy lets it see");
    refused(&ops, "update consents set opted_out = false").await;
    refused(&ops, "delete from conversations").await;
    sqlx::query("select purge_conversations(now() - interval '9 years', 1)")
        .execute(&ops)
        .await
        .unwrap();
    dashboard.close().await;
    ops.close().await;
    without_roles(world, &["dashboard", "ops"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_grants_sees_nothing() {
    let (world, urls) = with_roles(&["service"]).await;
    let sql = format!(
        "revoke orchestrator_service from {0}_service; grant usage on schema public to {0}_service;
                       grant select on all tables in schema public to {0}_service",
        world.prefix
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&world.db)
        .await
        .unwrap();
    sqlx::query("insert into consents (phone_number, opted_out, source, changed_at) values ('+1', true, 'x', now())")
        .execute(&world.db)
        .await
        .unwrap();
    let stranger = PgPool::connect(&urls[0]).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from consents")
        .fetch_one(&stranger)
        .await
        .unwrap();
    assert_eq!(
        seen, 0,
        "a REST layer that hands out the schema shows nothing"
    );
    stranger.close().await;
    let drop = format!("drop owned by {}_service", world.prefix);
    sqlx::query(sqlx::AssertSqlSafe(drop))
        .execute(&world.db)
        .await
        .unwrap();
    without_roles(world, &["service"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_thought_of() {
    let (world, _) = with_roles(&[]).await;
    let rows: Vec<(String, bool, i64)> = sqlx::query_as(
        "select t.tablename::text, c.relrowsecurity,
                (select count(*) from pg_policies p where p.tablename = t.tablename and p.policyname in ('service', 'ops'))
         from pg_tables t join pg_class c on c.oid = ('public.' || t.tablename)::regclass
         where t.schemaname = 'public' and t.tablename <> '_sqlx_migrations'",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    assert!(rows.len() > 20);
    let open: BTreeSet<_> = rows.iter().filter(|(_, on, n)| !on || *n != 2).collect();
    assert!(
        open.is_empty(),
        "row level security in a migration, rights in deploy/postgres/roles.sql: {open:?}"
    );
    without_roles(world, &[], 0).await;
}
