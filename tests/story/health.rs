//! Is it alive, ready, and whom does it miss?

use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::world::World;

fn down() -> Rule {
    Rule::new(Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
        effect: false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_missing_is_told_in_the_contracts_words() {
    let world = World::start().await;
    let (status, body) = world.get("/health/dependencies").await;
    assert_eq!(status, 200, "{body}");
    for name in [
        "collections_monitor",
        "sms_agent",
        "notification_service",
        "supabase",
        "openai",
        "nats",
    ] {
        assert_eq!(body[name], true, "{name} in {body}");
        assert_eq!(body["services"][name]["status"], "healthy");
        assert_eq!(body["services"][name]["circuit"], "closed");
    }
    assert_eq!(body["overall_status"], "healthy");
    assert_eq!(body["degradation_mode"], "full");
    assert_eq!(body["orchestrator"], "healthy");
    assert_eq!(body["queued_operations"], 0);
    let (_, words) = world.get("/health/dependencies?format=dashboard").await;
    assert_eq!(
        (&words["supabase"], &words["openai"]),
        (&json!("healthy"), &json!("healthy"))
    );
    assert_eq!(world.get("/health/dependencies?format=xml").await.0, 422);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_neighbour_costs_two_seconds_once_and_a_flood_costs_nothing() {
    let world = World::start().await;
    world
        .neighbours
        .sms_agent
        .add_fault(Rule::new(Fault::Hang { effect: false }).path("/health"));
    world
        .neighbours
        .notifications
        .add_fault(down().path("/health"));
    world.neighbours.monitor.take_down();
    let asking = (0..200).map(|_| world.get("/health/dependencies"));
    let answers = futures::future::join_all(asking).await;
    for (status, body) in &answers {
        assert_eq!(*status, 200);
        assert_eq!(body["overall_status"], "unhealthy", "{body}");
        assert_eq!(body["degradation_mode"], "read_only");
        assert_eq!(body["orchestrator"], "degraded");
        assert_eq!(body["services"]["sms_agent"]["status"], "down");
        assert!(body["services"]["sms_agent"]["last_error"].is_string());
    }
    let asked = world.neighbours.sms_agent.requests();
    let probes = asked.iter().filter(|r| r.path == "/health").count();
    assert_eq!(probes, 1, "two hundred askers, one probe");
    let (_, detailed) = world.get("/health/detailed").await;
    assert_eq!(
        detailed["checks"]["external_services"], "unhealthy",
        "{detailed}"
    );
    assert_eq!(detailed["status"], "unhealthy", "the worst of the checks");
    let (status, ready) = world.get("/health/ready").await;
    assert_eq!(
        (status, &ready["ready"]),
        (200, &json!(true)),
        "neighbours do not take traffic away"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_shows_after_its_first_failure() {
    let world = World::start().await;
    world.neighbours.model.add_fault(down());
    world.text("c1", "hello").await;
    let (_, body) = world.get("/health/dependencies").await;
    assert_eq!(body["openai"], false, "{body}");
    assert_eq!(
        body["services"]["openai"]["last_error"],
        "openai: answered 503"
    );
    assert_eq!(body["degradation_mode"], "partial");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn details_name_every_part() {
    let world = World::with("BACKLOG_SECONDS", "0.2").start().await;
    world.text("c1", "hello [confidence=0.7]").await;
    let body = world
        .until("the draft is seen waiting", || async {
            let (_, body) = world.get("/health/detailed").await;
            (body["details"]["approvals"]["depth"] == 1).then_some(body)
        })
        .await;
    let checks = body["checks"].as_object().unwrap();
    let names: Vec<&str> = checks.keys().map(String::as_str).collect();
    let wanted = [
        "database",
        "external_services",
        "memory",
        "openai",
        "outbox",
        "scheduler",
    ];
    assert_eq!(names, wanted);
    assert!(checks.values().all(|v| v == "healthy"), "{body}");
    assert_eq!(body["status"], "healthy");
    assert_eq!(body["service_name"], "orchestrator-service");
    assert_eq!(body["details"]["authentication"], "off");
    assert_eq!(body["details"]["stages"]["draft"]["pending"], 0);
    let number = |v: &Value| v.as_f64().is_some_and(|n| n > 0.0);
    assert!(number(&body["details"]["memory"]["resident_bytes"]));
    assert!(number(&body["details"]["database"]["connections"]));
    let (_, short) = world.get("/health").await;
    assert_eq!(
        short["checks"],
        json!({"database": "healthy", "openai": "configured"})
    );
    world.finish(0).await;
}
