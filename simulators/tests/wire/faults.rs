//! Faults: before and after the effect, spoiled answers, deaths.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::{get, neighbours};

fn transient(effect: bool) -> Fault {
    Fault::ProviderFailure {
        category: "transient".into(),
        status_code: None,
        effect,
        row: (!effect).then(|| "failed".into()),
    }
}

#[tokio::test]
async fn ambiguous_failures_send_or_do_not() {
    let neighbours = neighbours().await;
    let agent = &neighbours.sms_agent;
    let client = Client::builder()
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let body = json!({"to": "+12025550143", "body": "Hi"});
    let send = async || {
        let url = format!("{}/sms/send", agent.url());
        client.post(url).json(&body).send().await
    };
    for effect in [true, false] {
        let sent_before = agent.message_count();
        agent.add_fault(
            Rule::new(Fault::Crash { effect })
                .path("/sms/send")
                .first(1),
        );
        let answer = send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
        agent.add_fault(Rule::new(transient(effect)).phone("202-555-0143").first(1));
        let answer = send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        let envelope: Value = answer.json().await.unwrap();
        assert_eq!(envelope["error"]["details"]["status_code"], Value::Null);
        assert_eq!(envelope["error"]["code"], "sms.external_failed");
        agent.add_fault(Rule::new(Fault::Reset { effect }).method("post").first(1));
        let error = send().await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert!(
            format!("{error:?}").contains("ConnectionReset"),
            "{error:?}"
        );
        agent.add_fault(Rule::new(Fault::Hang { effect }).first(1));
        assert!(send().await.unwrap_err().is_timeout());
        let expected = if effect { 4 } else { 0 };
        assert_eq!(
            agent.message_count() - sent_before,
            expected,
            "effect {effect}"
        );
    }
    let history = get(format!("{}/conversations/2025550143", agent.url()))
        .await
        .1;
    assert_eq!(history["messages"][0]["delivery_status"], "failed");
    let records = agent.requests();
    assert_eq!(records[2].status, None);
    assert_eq!(records[2].fault, Some("reset"));
    assert!(records[2].effect && !records[6].effect);
    assert_eq!(send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_late_effect_comes_after_the_client_has_left() {
    let neighbours = neighbours().await;
    let agent = &neighbours.sms_agent;
    agent.add_fault(Rule::new(Fault::Delay {
        ms: 400,
        jitter_ms: 0,
        late_effect: true,
    }));
    let client = Client::builder()
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let body = json!({"to": "+12025550143", "body": "Hi"});
    let url = format!("{}/sms/send", agent.url());
    assert!(client.post(url).json(&body).send().await.is_err());
    assert_eq!(agent.message_count(), 0);
    let deadline = Instant::now() + Duration::from_secs(5);
    while agent.message_count() == 0 {
        assert!(Instant::now() < deadline, "the text never arrived");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn answers_are_spoiled_over_the_control_api() {
    let neighbours = neighbours().await;
    let monitor = neighbours.monitor.url();
    let set = async |rules: Value| {
        let url = format!("{monitor}/_control/faults");
        let answer = Client::new().post(url).json(&rules).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    };
    let tenant = async || {
        reqwest::get(format!("{monitor}/monitor/tenant/12345"))
            .await
            .unwrap()
    };
    set(json!([
        {"tenant": "12345", "first": 1, "kind": "malformed_json"},
        {"skip": 1, "first": 1, "kind": "wrong_content_type"},
        {"path": "/nowhere", "kind": "hang"},
    ]))
    .await;
    assert!(tenant().await.json::<Value>().await.is_err());
    // The first rule spared the second request, so the second rule saw only one so far.
    assert!(tenant().await.json::<Value>().await.is_ok());
    let page = tenant().await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    set(json!({"kind": "status", "status": 503, "retry_after": 2, "first": 1})).await;
    let busy = tenant().await;
    assert_eq!(
        (busy.status().as_u16(), &busy.headers()["retry-after"]),
        (503, &"2".parse().unwrap())
    );
    set(json!({"kind": "slow_body", "ms": 200, "first": 1})).await;
    let begun = Instant::now();
    let slow = tenant().await;
    assert!(slow.json::<Value>().await.is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let wrong = Client::new().post(format!("{monitor}/_control/faults"));
    let wrong = wrong
        .json(&json!({"kind": "nonsense"}))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 400);
    let faults = get(format!("{monitor}/_control/faults")).await.1;
    assert_eq!(faults[0]["struck"], 1);
    let client = Client::new();
    let latency = client.post(format!("{monitor}/_control/latency"));
    latency
        .json(&json!({"mean_ms": 120, "jitter_ms": 20}))
        .send()
        .await
        .unwrap();
    let begun = Instant::now();
    assert_eq!(tenant().await.status(), 200);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let requests = get(format!("{monitor}/_control/requests?since=1")).await.1;
    assert_eq!(requests[0]["seq"], 2);
    assert_eq!(requests[0]["path"], "/monitor/tenant/12345");
    client
        .post(format!("{monitor}/_control/reset"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        get(format!("{monitor}/_control/requests")).await.1,
        json!([])
    );
}

#[tokio::test]
async fn a_neighbour_goes_down_and_comes_back_on_its_port() {
    let neighbours = neighbours().await;
    let agent = &neighbours.sms_agent;
    let client = Client::new();
    let health = async || client.get(format!("{}/health", agent.url())).send().await;
    assert_eq!(health().await.unwrap().status(), 200);
    agent.take_down();
    assert!(health().await.is_err(), "the kept-alive connection");
    assert!(health().await.unwrap_err().is_connect(), "a new one");
    agent.bring_up().await.unwrap();
    assert_eq!(health().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_same_seed_strikes_the_same_requests() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let neighbours = neighbours().await;
        neighbours.monitor.add_fault(
            Rule::new(Fault::Status {
                status: 503,
                body: None,
                retry_after: None,
                effect: false,
            })
            .probability(0.5),
        );
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(get(format!("{}/health", neighbours.monitor.url())).await.0);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&200) && runs[0].contains(&503));
}

/// A crashed request takes its connection along, and the next one must not see a half-dead one
/// as an answer.
#[tokio::test]
async fn the_connection_is_gone_after_a_crash() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let neighbours = neighbours().await;
    neighbours
        .sms_agent
        .add_fault(Rule::new(Fault::Crash { effect: false }));
    let mut stream = tokio::net::TcpStream::connect(neighbours.sms_agent.address())
        .await
        .unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(
        !answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
}
