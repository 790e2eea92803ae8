//! One trace shows a text from its arrival to its reply.

use std::collections::HashSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::process::Process;
use crate::world::{Plan, sms};

const CALLERS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn names(spans: &[&Span]) -> HashSet<String> {
    spans.iter().map(|s| s.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_one_trace_and_a_decision_links_to_it() {
    let collector = Collector::start().await;
    let world = Plan::default()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .prepare()
        .await;
    let process = Process::start(&world, &["serve"]).await;
    let url = |path: &str| format!("http://{}{path}", process.bridge.unwrap());
    let http = reqwest::Client::new();
    let answer = http
        .post(url("/orchestrate/sms-received"))
        .header("traceparent", CALLERS)
        .json(&sms("c1", "hello [confidence=0.95]"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let waiting: Value = http
        .post(url("/orchestrate/sms-received"))
        .json(&sms("c2", "hello [confidence=0.7]"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let approve = json!({"response_queue_id": waiting["response_queue_id"], "action": "approve"});
    let decided = http
        .post(url("/orchestrate/approve-response"))
        .json(&approve)
        .send();
    assert_eq!(decided.await.unwrap().status(), 200);
    world.settle().await;
    let log = process.stop().await;

    let spans = collector.spans();
    let trace =
        |id: &str| -> Vec<&Span> { spans.iter().filter(|s| hex(&s.trace_id) == id).collect() };
    let first = trace(&CALLERS[3..35]);
    let found = names(&first);
    for part in [
        "POST /orchestrate/sms-received",
        "intake",
        "context",
        "draft",
        "route",
        "deliver",
        "gather",
        "commit",
        "publish",
        "read",
        "chat",
        "send",
    ] {
        assert!(found.contains(part), "{part} in {found:?}");
    }
    // Every span hangs below the caller's: nothing is lost on the way through the stream.
    let known: HashSet<Vec<u8>> = first.iter().map(|s| s.span_id.clone()).collect();
    let roots = first.iter().filter(|s| !known.contains(&s.parent_span_id));
    let roots: Vec<String> = roots.map(|s| hex(&s.parent_span_id)).collect();
    assert_eq!(roots, [&CALLERS[36..52]]);

    let root = |name: &str| {
        let of = |s: &&Span| s.name == name && hex(&s.trace_id) != CALLERS[3..35];
        spans.iter().find(of).map(|s| hex(&s.trace_id)).unwrap()
    };
    let text = root("POST /orchestrate/sms-received");
    let decision = root("POST /orchestrate/approve-response");
    assert_ne!(text, decision, "hours may lie between");
    let decided = trace(&decision);
    assert!(
        names(&decided).is_superset(&HashSet::from(["decide".to_owned(), "deliver".to_owned()]))
    );
    let links: HashSet<String> = decided
        .iter()
        .flat_map(|s| &s.links)
        .map(|link| hex(&link.trace_id))
        .collect();
    assert_eq!(
        links,
        HashSet::from([text]),
        "the decision leads back to the text"
    );

    // The neighbours get the context, the model's provider does not.
    let sent = world.neighbours.sms_agent.requests();
    let heads: Vec<_> = sent
        .iter()
        .filter_map(|r| r.header("traceparent"))
        .collect();
    assert!(
        heads.iter().any(|h| h[3..35] == CALLERS[3..35]),
        "{heads:?}"
    );
    assert!(
        world
            .neighbours
            .model
            .requests()
            .iter()
            .all(|r| r.header("traceparent").is_none())
    );
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "JSON, every line"
    );
    world.finish(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_callers_trace_goes_on_all_the_same() {
    let world = crate::world::World::start().await;
    let body = sms("c1", "hello [confidence=0.7]");
    let (status, text) = world
        .post_with(
            "/orchestrate/sms-received",
            &body,
            &[("traceparent", CALLERS)],
        )
        .await;
    assert_eq!(status, 200);
    for neighbour in [
        world.neighbours.monitor.requests(),
        world.neighbours.sms_agent.requests(),
    ] {
        let heads: Vec<_> = neighbour.iter().map(|r| r.header("traceparent")).collect();
        assert!(
            !heads.is_empty() && heads.iter().all(|h| *h == Some(CALLERS)),
            "{heads:?}"
        );
    }
    let kept: Option<String> =
        sqlx::query_scalar("select traceparent from ai_response_queue where id::text = $1")
            .bind(text["response_queue_id"].as_str())
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(kept.as_deref(), Some(CALLERS), "kept for whoever decides");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_line_about_a_text_carries_its_ids() {
    let world = Plan::default().set("MAX_ATTEMPTS", "1").prepare().await;
    let process = Process::start(&world, &["worker"]).await;
    // Nobody knows what such an answer means, so the text is looked for and given up.
    world
        .publish(
            "reply.drafted",
            &json!({"nonsense": true}),
            &[
                ("ce-subject", "sms-12025550143"),
                (
                    "ce-workflowid",
                    "workflow-0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b",
                ),
                ("ce-correlationid", "from-a-test"),
            ],
        )
        .await;
    let line = world
        .until("it says so", || async {
            let said = process.said();
            let line = said
                .lines()
                .find(|l| l.contains("parked as a dead letter"))?;
            serde_json::from_str::<Value>(line).ok()
        })
        .await;
    let span = &line["span"];
    assert_eq!(span["stage"], "route", "{line}");
    assert_eq!(span["correlation_id"], "from-a-test");
    assert_eq!(
        span["workflow_id"],
        "workflow-0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b"
    );
    let conversation = span["conversation_id"].as_str().unwrap();
    assert!(
        conversation.starts_with("hashed-"),
        "a phone number is in it: {conversation}"
    );
    world.settle().await;
    process.stop().await;
    world.finish_with(0, 1).await;
}
