//! The neighbours over HTTP: every recorded example of the contracts, and every kind of fault.

use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use simulators::model::Mode;
use simulators::sms_agent::HistoryRow;
use simulators::{Config, Fault, Neighbours, Rule};

async fn neighbours() -> Neighbours {
    // Fails from the second time on, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Neighbours::start(Config {
        seed: Some(7),
        ..Config::default()
    })
    .await
    .unwrap()
}

async fn send(neighbours: &Neighbours, body: &Value) -> Response {
    let url = format!("{}/sms/send", neighbours.sms_agent.url());
    let request = Client::new().post(url).json(body);
    request
        .header("Idempotency-Key", "key-1")
        .send()
        .await
        .unwrap()
}

async fn get(url: String) -> (u16, Value) {
    let response = reqwest::get(url).await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_agent_judges_conversation_ids_as_recorded() {
    let neighbours = neighbours().await;
    for accepted in [json!(null), json!(1), json!("1"), json!(999_999)] {
        let body = json!({"to": "+12025550143", "body": "Hi", "conversation_id": accepted});
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status(), 202, "{accepted}");
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["id"].is_string() && answer["twilio_sid"].is_string());
        assert_eq!(
            answer["conversation_id"], 1,
            "the real id, whatever was sent"
        );
    }
    for refused in ["7b0f1c1e-6a55-4bb2-9a6b-6f5f2f1f0a11", "conv_abc123", ""] {
        let body = json!({"to": "+12025550143", "body": "Hi", "conversation_id": refused});
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status(), 422);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(
            answer,
            json!({"detail": [{"type": "int_parsing", "loc": ["body", "conversation_id"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": refused}]})
        );
    }
    assert_eq!(neighbours.sms_agent.messages().len(), 4);
}

#[tokio::test]
async fn the_agent_refuses_as_recorded() {
    let neighbours = neighbours().await;
    let long = "x".repeat(2001);
    for (body, status, expected) in [
        (
            json!({"to": "+12025550143", "body": "  "}),
            400,
            json!({"detail": "body must not be empty"}),
        ),
        (
            json!({"to": "555", "body": "Hi"}),
            400,
            json!({"detail": "invalid request"}),
        ),
        (
            json!({"body": "Hi"}),
            422,
            json!({"detail": [{"type": "missing", "loc": ["body", "to"],
                "msg": "Field required", "input": {"body": "Hi"}}]}),
        ),
        (
            json!({"to": "+12025550143", "body": long}),
            500,
            Value::Null,
        ),
    ] {
        let answer = send(&neighbours, &body).await;
        assert_eq!(answer.status().as_u16(), status);
        if status == 500 {
            assert_eq!(
                answer.headers()["content-type"],
                "text/plain; charset=utf-8"
            );
            assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
        } else {
            assert_eq!(answer.json::<Value>().await.unwrap(), expected);
        }
    }
    assert!(neighbours.sms_agent.messages().is_empty());
}

#[tokio::test]
async fn the_agent_tells_the_history_newest_first() {
    let neighbours = neighbours().await;
    let agent = neighbours.sms_agent.url();
    let unknown = get(format!("{agent}/conversations/%2B12025550143")).await;
    assert_eq!(unknown, (404, json!({"detail": "Conversation not found"})));
    for number in ["+12025550143", "2025550143", "(202) 555-0143"] {
        let body = json!({"to": number, "body": "  Can you start Friday?  "});
        assert_eq!(send(&neighbours, &body).await.status(), 202);
    }
    neighbours
        .sms_agent
        .add_row(HistoryRow::inbound("+12025550143", "Yes Friday"));
    let (status, history) = get(format!("{agent}/conversations/%2B12025550143?limit=2")).await;
    assert_eq!(status, 200);
    assert_eq!(history["tenant_id"], "12345");
    assert_eq!(history["total"], 4);
    assert_eq!(history["phone_number_canonical"], "+12025550143");
    let inbound = &history["messages"][0];
    assert_eq!(inbound["direction"], "inbound");
    assert_eq!(inbound["content"], "Yes Friday");
    assert_eq!(inbound["delivery_status"], Value::Null);
    let outbound = &history["messages"][1];
    assert_eq!(outbound["message_content"], "Can you start Friday?");
    assert_eq!(outbound["from_number"], Value::Null);
    assert_eq!(outbound["delivery_status"], "queued");
    let stamp = outbound["created_at"].as_str().unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S%.6f").is_ok());
    let past = get(format!("{agent}/conversations/2025550143?page=9"))
        .await
        .1;
    assert_eq!((&past["messages"], &past["total"]), (&json!([]), &json!(4)));
    for bad in ["limit=0", "limit=101", "page=0", "offset=-1", "limit=x"] {
        let (status, body) = get(format!("{agent}/conversations/2025550143?{bad}")).await;
        assert_eq!(status, 422, "{bad}: {body}");
    }
    let health = get(format!("{agent}/health")).await.1;
    assert_eq!(health["checks"], json!({"config": true, "db": "unknown"}));
}

#[tokio::test]
async fn a_repeated_text_is_sent_twice_unless_keys_are_honoured() {
    let neighbours = neighbours().await;
    let body = json!({"to": "+12025550143", "body": "Hi"});
    for _ in 0..2 {
        send(&neighbours, &body).await;
    }
    let texts = neighbours.sms_agent.messages_to("2025550143");
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0].idempotency_key.as_deref(), Some("key-1"));
    neighbours.sms_agent.honour_idempotency_keys(true);
    for _ in 0..2 {
        send(&neighbours, &body).await;
    }
    assert_eq!(neighbours.sms_agent.message_count(), 3);
}

#[tokio::test]
async fn the_monitor_answers_in_both_shapes() {
    let neighbours = neighbours().await;
    let monitor = neighbours.monitor.url();
    let a = get(format!("{monitor}/monitor/tenant/12345")).await.1;
    let tenant = &a["data"]["tenant"];
    assert_eq!(tenant["tenant_portion"], "567.00");
    assert_eq!(tenant["phone_numbers"], json!(["+12025550143"]));
    let b = get(format!("{monitor}/monitor/tenant/20481")).await.1;
    assert_eq!(
        b["data"],
        json!({"tenant_info": {"tenant_id": 20481, "tenant_name": "A. Tenant",
            "current_balance": 912.5, "days_late": 21},
            "payment_history": {"reliability_score": 6, "failed_plans": 1}})
    );
    assert_eq!(
        get(format!("{monitor}/monitor/tenant/unknown-1")).await.0,
        404
    );
    assert_eq!(get(format!("{monitor}/monitor/tenant/a%2Fb")).await.0, 400);
    let any = get(format!("{monitor}/monitor/tenant/load-77")).await;
    assert_eq!(
        any.1["data"],
        get(format!("{monitor}/monitor/tenant/load-77")).await.1["data"]
    );
    for (phone, expected) in [
        ("%2B12025550143", json!({"tenant_id": "12345"})),
        ("2025550143", json!({"tenant_id": "12345"})),
        ("%2B13055551234", json!({"tenant_id": "t3055551234"})),
    ] {
        let found = get(format!("{monitor}/tenants/lookup?phone={phone}")).await;
        assert_eq!(found, (200, expected));
    }
    let lost = get(format!("{monitor}/tenants/lookup?phone=%2B13055550000")).await;
    assert_eq!(lost.0, 404);
    let list = get(format!("{monitor}/monitor/delinquent?page=2&page_size=10"))
        .await
        .1;
    assert_eq!(list["data"]["tenants"].as_array().unwrap().len(), 10);
    assert_eq!(list["data"]["pagination"]["has_prev"], true);
    assert_eq!(list["data"]["tenants"][0]["phone_numbers"], Value::Null);
    let refused = get(format!("{monitor}/monitor/delinquent?page_size=101")).await;
    assert_eq!(refused.0, 422);
    let stats = get(format!("{monitor}/monitor/stats")).await.1;
    assert!(stats["data"]["total_amount_owed"].is_string());
}

#[tokio::test]
async fn tenants_are_set_over_the_control_api() {
    let neighbours = neighbours().await;
    let monitor = neighbours.monitor.url();
    let set = json!([{"tenant_id": "9", "shape": "bare", "amount_owed": "$1,200.50",
        "phone_numbers": ["+13055550000"]}, {"tenant_id": "10", "absent": true}]);
    let control = format!("{monitor}/_control/tenants");
    let answer = Client::new().post(control).json(&set).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let nine = get(format!("{monitor}/monitor/tenant/9")).await.1;
    assert_eq!(nine["data"]["amount_owed"], "$1,200.50");
    assert_eq!(get(format!("{monitor}/monitor/tenant/10")).await.0, 404);
    let found = get(format!("{monitor}/tenants/lookup?phone=3055550000")).await;
    assert_eq!(found.1["tenant_id"], "9");
    neighbours.reset();
    assert_eq!(get(format!("{monitor}/monitor/tenant/10")).await.0, 200);
}

#[tokio::test]
async fn notifications_are_checked_and_kept() {
    let neighbours = neighbours().await;
    let url = format!("{}/notifications/send", neighbours.notifications.url());
    let post = async |body: Value| {
        let answer = Client::new().post(&url).json(&body).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let single = post(json!({"channel": "email", "recipient": "m@example.com",
        "content": {"subject": "s", "body": "b"}, "metadata": {"event": "approval_required"}}))
    .await;
    assert_eq!(single.0, 200);
    assert!(single.1["tracking_id"].is_string());
    let bulk = post(json!({"channel": "sms", "recipients": ["a", "b"], "priority": "high"})).await;
    assert_eq!(bulk.1["count"], 2);
    assert_eq!(bulk.1["tracking_ids"].as_array().unwrap().len(), 2);
    let old = post(json!({"type": "approval", "priority": "medium", "queue_id": "1"})).await;
    assert_eq!(old.0, 422);
    let places: Vec<&Value> = old.1["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["loc"][1])
        .collect();
    assert_eq!(places, ["channel", "recipient", "priority"]);
    assert_eq!(
        get(format!("{}/health", neighbours.notifications.url()))
            .await
            .0,
        404
    );
    let kept = neighbours.notifications.notifications();
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0].priority, "normal");
}

async fn ask(neighbours: &Neighbours, text: &str, format: Option<&str>) -> Response {
    let mut request = json!({"model": "gpt-4-turbo", "messages": [
        {"role": "system", "content": "Answer well.\nAmount owed: $567.00"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "user", "content": text}]});
    if let Some(format) = format {
        request["response_format"] = json!({"type": format});
    }
    let url = format!("{}/chat/completions", neighbours.model_base_url());
    Client::new().post(url).json(&request).send().await.unwrap()
}

async fn content(response: Response) -> (String, String) {
    let answer: Value = response.json().await.unwrap();
    assert!(answer["usage"]["total_tokens"].as_u64().unwrap() > 0);
    let choice = &answer["choices"][0];
    let text = choice["message"]["content"].as_str().unwrap_or("<null>");
    (
        text.to_owned(),
        choice["finish_reason"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn the_model_answers_in_the_format_asked_for() {
    let neighbours = neighbours().await;
    let offer = "I can pay $75 a week for 8 weeks";
    let (text, _) = content(ask(&neighbours, offer, Some("json_schema")).await).await;
    let reply: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(reply["payment_plan"]["weekly_amount"], 75.0);
    assert_eq!(reply["payment_plan"]["weeks"], 8);
    assert_eq!(
        (&reply["language"], &reply["reply_en"]),
        (&json!("en"), &Value::Null)
    );
    let (text, _) = content(ask(&neighbours, offer, None).await).await;
    assert!(text.ends_with("PAYMENT_PLAN: weekly=75, weeks=8"), "{text}");
    let refused = ask(&neighbours, offer, Some("json_object")).await;
    assert_eq!(refused.status(), 400, "the prompt does not say JSON");
    for (marked, expected) in [("x [empty]", ""), ("x [reply=Yes] [plain]", "Yes")] {
        let (text, _) = content(ask(&neighbours, marked, Some("json_schema")).await).await;
        assert_eq!(text, expected);
    }
    let (text, _) = content(ask(&neighbours, "x [broken]", Some("json_schema")).await).await;
    assert!(serde_json::from_str::<Value>(&text).is_err());
    let begun = Instant::now();
    ask(&neighbours, "x [slow=150]", Some("json_schema")).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_model_fails_in_the_ways_set() {
    let neighbours = neighbours().await;
    let model = &neighbours.model;
    let asked = async || ask(&neighbours, "thanks", Some("json_schema")).await;
    model.set_mode_for(Mode::RefuseJsonSchema, 1);
    let answer = asked().await;
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["error"]["param"],
        "response_format"
    );
    assert_eq!(asked().await.status(), 200, "only the first one");
    model.set_mode(Mode::RateLimited { retry_after: 3 });
    let answer = asked().await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );
    model.set_mode(Mode::InsufficientQuota);
    let answer: Value = asked().await.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "insufficient_quota");
    model.set_mode(Mode::ServerError);
    assert_eq!(asked().await.status(), 500);
    for (mode, expected, reason) in [
        (Mode::Refusal, "<null>", "stop"),
        (Mode::ContentFilter, "", "content_filter"),
        (Mode::Empty, "", "stop"),
    ] {
        model.set_mode(mode);
        assert_eq!(
            content(asked().await).await,
            (expected.to_owned(), reason.to_owned())
        );
    }
    model.set_mode(Mode::Truncated);
    let (text, reason) = content(asked().await).await;
    assert_eq!(reason, "length");
    assert!(serde_json::from_str::<Value>(&text).is_err());
    model.set_mode(Mode::PlainText);
    assert!(content(asked().await).await.0.starts_with("Thank you"));
}

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
