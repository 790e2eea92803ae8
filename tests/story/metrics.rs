//! Figures for people and for machines.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use orchestrator::ops::metrics::{Metrics, TABLE};
use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::world::World;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_documented_table_is_the_registry() {
    let row = |row: &orchestrator::ops::metrics::Row| {
        let labels: Vec<String> = row.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, kind, help) = (row.name, row.kind(), row.help());
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    };
    let registry: BTreeSet<String> = TABLE.iter().map(row).collect();
    let text = document("docs/metrics.md");
    let documented: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with("| `orchestrator_"))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = registry.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&registry).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing in docs/metrics.md:\n{missing:#?}\nunknown:\n{unknown:#?}"
    );
}

#[test]
fn names_follow_the_conventions() {
    Metrics::new().unwrap();
    for row in TABLE {
        let name = row.name;
        assert!(name.starts_with("orchestrator_"), "{name}");
        assert_eq!(row.kind() == "counter", name.ends_with("_total"), "{name}");
        let seconds = name.ends_with("_seconds") && !name.contains("_age_");
        let other = ["_tokens", "_usd"].iter().any(|unit| name.ends_with(unit));
        assert_eq!(row.kind() == "histogram", seconds || other, "{name}");
        for unit in ["_ms", "_millis", "_micro", "_cents", "_kb", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in a base unit");
        }
        // Whatever names a person, a number or a conversation would be a series of its own.
        for label in ["tenant", "phone", "conversation", "workflow", "path"] {
            assert!(row.labels.iter().all(|l| !l.contains(label)), "{name}");
        }
    }
}

/// The value of a line of the text format.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

async fn scraped(world: &World) -> String {
    let answer = reqwest::get(world.url("/metrics")).await.unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(kind, "text/plain; version=0.0.4");
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_counted_the_same_for_people_and_for_machines() {
    let world = World::with("BACKLOG_SECONDS", "0.2").start().await;
    world.text("c1", "hello [confidence=0.95]").await;
    let waiting = world.text("c2", "hello [confidence=0.7]").await;
    world.text("c3", "hello [confidence=0.3]").await;
    let plan = "I can pay $100 a week for 9 weeks [confidence=0.7]";
    world.text("c4", plan).await;
    world
        .text("c5", "this is harassment, my attorney will call you")
        .await;
    let approve = json!({"response_queue_id": waiting["response_queue_id"], "action": "approve", "manager_id": "ana"});
    world.post("/orchestrate/approve-response", &approve).await;
    world.until_status("c2", "sent").await;
    world.publish("sms.received", &json!("no JSON"), &[]).await;
    world.settle().await;

    let (status, body) = world.get("/orchestrate/metrics").await;
    assert_eq!(status, 200, "{body}");
    let hour = &body["last_hour"];
    assert_eq!(hour["sms_received"], 5);
    assert_eq!(hour["ai_responses"], 4, "{hour}");
    assert_eq!(hour["approvals_pending"], 1);
    assert_eq!(hour["payment_plans"], 1);
    // One sent unread, two queued, one too uncertain.
    assert_eq!(hour["auto_approval_rate"], 0.25);
    let frame = &body["timeframe"];
    let sms = json!({"received": 5, "processed": 5, "failed": 0, "rate_per_hour": 0.21});
    assert_eq!(frame["sms_metrics"], sms);
    assert_eq!(frame["ai_metrics"]["response_rate"], 0.8);
    let approvals = &frame["approval_metrics"];
    assert_eq!(
        (
            &approvals["total"],
            &approvals["approved"],
            &approvals["rejected"]
        ),
        (&json!(1), &json!(1), &json!(0))
    );
    let escalations = &frame["escalation_metrics"];
    assert_eq!(
        escalations["by_type"],
        json!({"low_confidence": 1, "legal_threat": 1})
    );
    let plans = &frame["payment_plan_metrics"];
    assert_eq!(
        (&plans["detected"], &plans["validated"]),
        (&json!(1), &json!(0)),
        "this tenant has broken a plan before"
    );
    assert_eq!(body["dashboard"]["last_hour"], *hour);
    assert_eq!(body["dashboard"]["today"], body["today"]);
    assert_eq!(body["today"]["total_conversations"], 5);
    let (_, dashboard) = world.get("/orchestrate/metrics?format=dashboard").await;
    assert_eq!(dashboard["today"], body["today"]);
    let (_, nobody) = world.get("/orchestrate/metrics?tenant_id=nobody").await;
    assert_eq!(nobody["timeframe"]["sms_metrics"]["received"], 0);
    assert_eq!(nobody["timeframe"]["ai_metrics"]["avg_confidence"], 0.0);

    let text = world
        .until("the gauges have caught up", || async {
            let text = scraped(&world).await;
            let open = value(&text, "orchestrator_dead_letters{kind=\"event\"} ");
            let pending = value(&text, "orchestrator_approvals_pending ");
            (open == Some(1.0) && pending == Some(1.0)).then_some(text)
        })
        .await;
    let series = [
        ("orchestrator_sms_received_total ", 5.0),
        ("orchestrator_ai_responses_total ", 4.0),
        ("orchestrator_decisions_total{action=\"auto_sent\"} ", 1.0),
        (
            "orchestrator_decisions_total{action=\"queued_for_approval\"} ",
            2.0,
        ),
        ("orchestrator_decisions_total{action=\"escalated\"} ", 2.0),
        ("orchestrator_processing_seconds_count ", 5.0),
        (
            "orchestrator_approval_decisions_total{action=\"approve\"} ",
            1.0,
        ),
        (
            "orchestrator_escalations_total{severity=\"medium\",type=\"low_confidence\"} ",
            1.0,
        ),
        (
            "orchestrator_payment_plans_total{status=\"needs_review\"} ",
            1.0,
        ),
        ("orchestrator_circuit_state{service=\"sms_agent\"} ", 0.0),
        ("orchestrator_outbox_depth{kind=\"sms\"} ", 0.0),
        (
            "orchestrator_stage_messages{stage=\"draft\",state=\"waiting\"} ",
            0.0,
        ),
        (
            "orchestrator_dead_letters_parked_total{kind=\"event\",stage=\"intake\"} ",
            1.0,
        ),
        ("orchestrator_escalations_open{severity=\"high\"} ", 1.0),
    ];
    for (name, expected) in series {
        assert_eq!(value(&text, name), Some(expected), "{name}\n{text}");
    }
    let (_, prometheus) = (
        0,
        reqwest::get(world.url("/orchestrate/metrics?format=prometheus"))
            .await
            .unwrap(),
    );
    assert!(
        prometheus
            .text()
            .await
            .unwrap()
            .contains("orchestrator_sms_received_total 5")
    );
    for (bad, status) in [
        ("hours=0", 422),
        ("hours=8761", 422),
        ("format=xml", 422),
        ("start_date=soon", 400),
        ("start_date=2026-02-01&end_date=2026-01-01", 400),
    ] {
        let path = format!("/orchestrate/metrics?{bad}");
        assert_eq!(world.get(&path).await.0, status, "{bad}");
    }
    world.finish_with(2, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traffic_every_figure_is_zero() {
    let world = World::start().await;
    let (status, body) = world.get("/orchestrate/metrics?hours=8760").await;
    assert_eq!(status, 200);
    fn numbers(value: &Value, found: &mut Vec<f64>) {
        match value {
            Value::Number(n) => found.push(n.as_f64().unwrap()),
            Value::Object(fields) => fields.values().for_each(|v| numbers(v, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for part in ["last_hour", "today", "dashboard"] {
        numbers(&body[part], &mut found);
    }
    assert!(
        found.len() > 20 && found.iter().all(|n| *n == 0.0),
        "{body}"
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_clients_make_up_are_no_series() {
    let world = World::start().await;
    let http = reqwest::Client::new();
    for n in 0..20 {
        let method = reqwest::Method::from_bytes(format!("WORD{n}").as_bytes()).unwrap();
        let url = world.url(&format!("/orchestrate/approvals/{n}"));
        http.request(method, url).send().await.unwrap();
        http.get(world.url(&format!("/nowhere/{n}")))
            .send()
            .await
            .unwrap();
    }
    let text = scraped(&world).await;
    let series = text
        .lines()
        .filter(|l| l.starts_with("orchestrator_request_seconds_count"));
    assert!(
        series.clone().count() < 8,
        "{:?}",
        series.collect::<Vec<_>>()
    );
    assert!(!text.contains("WORD") && !text.contains("nowhere"));
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbours_are_asked_now_and_then_and_remembered() {
    let mut world = World::with("HEALTH_CHECK_SECONDS", "0.1").prepare().await;
    let down = Fault::Status {
        status: 503,
        body: None,
        retry_after: None,
        effect: false,
    };
    world
        .neighbours
        .sms_agent
        .add_fault(Rule::new(down).path("/health"));
    world.start_service().await;
    let health = world
        .until("a few checks", || async {
            world.pass(TimeDelta::seconds(6));
            let (_, body) = world
                .get("/orchestrate/metrics?hours=1&format=dashboard")
                .await;
            let health = body["system_health"].clone();
            (health["sms_agent"]["unhealthy"].as_i64()? > 2).then_some(health)
        })
        .await;
    assert_eq!(health["sms_agent"]["healthy"], 0);
    assert_eq!(health["sms_agent"]["availability"], 0.0);
    assert_eq!(health["collections_monitor"]["availability"], 1.0);
    assert!(
        health["collections_monitor"]["response_time_ms"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    world.finish(0).await;
}

/// Metric names in a file, without what a histogram adds.
fn used_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    // Roles and logins of the database are called so too.
    let roles = [
        "app",
        "migration",
        "migrator",
        "service",
        "dashboard",
        "ops",
    ];
    let ours = words.filter(|word| {
        let rest = word.strip_prefix("orchestrator_");
        rest.is_some_and(|rest| !roles.contains(&rest))
    });
    let known = |name: &str| TABLE.iter().any(|row| row.name == name);
    let base = |word: &str| {
        let parts = ["_bucket", "_count", "_sum"];
        let stripped = parts.iter().find_map(|part| word.strip_suffix(part));
        stripped
            .filter(|name| known(name))
            .unwrap_or(word)
            .to_owned()
    };
    ours.map(base).collect()
}

#[test]
fn alerts_and_dashboards_ask_for_metrics_that_there_are() {
    let known: BTreeSet<String> = TABLE.iter().map(|row| row.name.to_owned()).collect();
    let mut everywhere = BTreeSet::new();
    for file in [
        "deploy/prometheus/alerts.yml",
        "deploy/prometheus/alerts.test.yml",
        "deploy/grafana/orchestrator.json",
        "docs/metrics.md",
        "docs/operations.md",
    ] {
        let used = used_in(&document(file));
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
        everywhere.extend(used);
    }
    let board: Value = serde_json::from_str(&document("deploy/grafana/orchestrator.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.len() > 20);
    let ids: BTreeSet<_> = panels.iter().map(|p| p["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
}
