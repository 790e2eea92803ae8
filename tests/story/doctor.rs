//! `orchestrator doctor` says what to put right.

use crate::topology::orchestrator;
use crate::world::{Plan, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_deployment_has_nothing_to_put_right() {
    let world = World::start().await;
    let (ok, said) = orchestrator(&world, &["doctor"]);
    assert!(ok && !said.contains("FIX"), "{said}");
    for line in [
        "ok    settings",
        "ok    postgres",
        "ok    clock",
        "ok    migrations",
        "note  database rights        a superuser",
        "ok    nats",
        "ok    streams",
        "ok    sms_agent",
        "ok    openai",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_its_remedy() {
    let mut world = Plan::default().prepare().await;
    world.neighbours.sms_agent.take_down();
    world.set("OPENAI_API_KEY", "");
    let (ok, said) = orchestrator(&world, &["doctor"]);
    assert!(!ok, "{said}");
    for line in [
        "FIX   migrations             none: run `orchestrator migrate`",
        "missing: run `orchestrator topology apply`",
        "note  sms_agent",
        "note  openai                 OPENAI_API_KEY is not set",
    ] {
        assert!(said.contains(line), "{line} in\n{said}");
    }
    assert!(orchestrator(&world, &["migrate"]).0);
    assert!(orchestrator(&world, &["topology", "apply"]).0);
    let newest = "update _sqlx_migrations set checksum = '\\x00' where version = 1";
    sqlx::query(newest).execute(&world.db).await.unwrap();
    let (ok, said) = orchestrator(&world, &["doctor"]);
    assert!(
        !ok && said.contains("0001 applied with other contents"),
        "{said}"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_not_there_are_no_reason_to_wait() {
    let mut world = Plan::default().prepare().await;
    assert!(orchestrator(&world, &["migrate"]).0);
    assert!(orchestrator(&world, &["topology", "apply"]).0);
    world.set("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/x");
    world.set("NATS_URL", "nats://127.0.0.1:1");
    let (ok, said) = orchestrator(&world, &["doctor"]);
    assert!(
        !ok && said.contains("FIX   postgres") && said.contains("FIX   nats"),
        "{said}"
    );
    assert!(!said.contains("hunter2"));
    world.set("PORT", "eighty");
    let (ok, said) = orchestrator(&world, &["doctor"]);
    assert!(
        !ok && said.contains("FIX   settings") && said.contains("PORT must be"),
        "{said}"
    );
    world.finish(0).await;
}
