//! Names, numbers, words and keys go through everything, and are in no log, trace or metric.
//!
//! Everything means: answered and escalated texts, managers' words, neighbours that fail while they
//! quote what they were sent, junk on every subject, and the relay, at the most talkative level.

use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::collector::Collector;
use crate::process::Process;
use crate::world::{Plan, World, sms};

const NAME: &str = "Zebedee Quagmire";
const NUMBER: &str = "+12025550199";
const WORDS: &str = "xylophone marmalade";
const MODELS: &str = "perpendicular walrus";
const MANAGERS: &str = "vermilion gazebo";
const JUNK: &str = "obsidian trombone";
const SECRET: &str = "sk-quetzalcoatl-7731";

/// As they might appear, whatever encodes them.
const CANARIES: [&str; 12] = [
    "Zebedee",
    "Quagmire",
    "2025550199",
    "xylophone",
    "marmalade",
    "perpendicular",
    "walrus",
    "vermilion",
    "gazebo",
    "obsidian",
    "trombone",
    "quetzalcoatl",
];

fn quoting(status: u16) -> Fault {
    Fault::Status {
        status,
        body: Some(json!({ "detail": format!("{NAME} {NUMBER} {WORDS} {MODELS}") })),
        retry_after: None,
        effect: false,
    }
}

fn text(conversation: &str, content: &str) -> Value {
    let mut body = sms(conversation, content);
    body["phone_number"] = json!(NUMBER);
    body["tenant_id"] = json!("quagmire");
    body["metadata"] = json!({ "note": WORDS });
    body
}

struct Caller {
    http: reqwest::Client,
    base: String,
}

impl Caller {
    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.base);
        let sent = self.http.post(url).json(body).send().await.unwrap();
        sent.json().await.unwrap_or_default()
    }

    async fn raw(&self, path: &str, body: String) {
        let url = format!("{}{path}", self.base);
        self.http.post(url).body(body).send().await.unwrap();
    }

    async fn get(&self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.http.get(url).send().await.unwrap();
    }
}

/// Every way a text and the words about it can go well.
async fn what_goes_well(caller: &Caller) {
    let says = |score: &str| format!("{WORDS} [confidence={score}] [reply=Dear {NAME}, {MODELS}.]");
    caller
        .post("/orchestrate/sms-received", &text("c1", &says("0.95")))
        .await;
    caller
        .post("/orchestrate/sms-received", &text("c2", &says("0.3")))
        .await;
    let waiting = caller
        .post("/orchestrate/sms-received", &text("c3", &says("0.7")))
        .await;
    let modify = json!({
        "response_queue_id": waiting["response_queue_id"], "action": "modify",
        "modified_text": format!("{MANAGERS} for {NAME}"), "manager_id": "ana", "notes": MANAGERS,
    });
    caller.post("/orchestrate/approve-response", &modify).await;
    let escalate = json!({"conversation_id": "c4", "reason": MANAGERS, "phone_number": NUMBER});
    caller.post("/orchestrate/escalate", &escalate).await;
    let plan = json!({
        "conversation_id": "c5", "tenant_id": "quagmire",
        "message_content": format!("{WORDS}: $50 a week for 8 weeks"),
    });
    caller
        .post("/orchestrate/payment-plan-detected", &plan)
        .await;
    for path in [
        format!("/orchestrate/consents/{NUMBER}"),
        format!("/orchestrate/approvals?phone_number=%2B{}", &NUMBER[1..]),
        format!("/orchestrate/workflow/sms-{}/status", &NUMBER[1..]),
        format!("/orchestrate/conversations/{NUMBER}/timeline?type={JUNK}"),
        format!("/nowhere/{NUMBER}?name={NAME}"),
        "/orchestrate/conversations/c3/export".to_owned(),
        "/orchestrate/metrics?tenant_id=quagmire".to_owned(),
    ] {
        caller.get(&path).await;
    }
}

/// Bodies that are wrong in every place somebody might quote.
async fn what_is_junk(world: &World, caller: &Caller) {
    for body in [
        format!("{{\"content\": \"{JUNK}"),
        json!([JUNK]).to_string(),
        json!({"tenant_id": {"is": JUNK}, "phone_number": JUNK, "content": [JUNK], "conversation_id": JUNK}).to_string(),
        json!({"tenant_id": "1", "phone_number": NUMBER, "content": JUNK, "conversation_id": "c9", "direction": JUNK, "timestamp": JUNK}).to_string(),
    ] {
        for path in ["/orchestrate/sms-received", "/orchestrate/approve-response", "/orchestrate/escalate", "/orchestrate/holds"] {
            caller.raw(path, body.clone()).await;
        }
    }
    for entry in orchestrator::events::CATALOGUE {
        let example = format!(
            "{}/subjects/{}.example.json",
            env!("CARGO_MANIFEST_DIR"),
            entry.subject
        );
        let example: Value = serde_json::from_slice(&std::fs::read(example).unwrap()).unwrap();
        let mut bodies = vec![json!(JUNK), json!({ JUNK: NUMBER })];
        // The example with one field after the other broken: what a decoder says quotes it.
        for key in example.as_object().unwrap().keys() {
            for broken in [json!(JUNK), json!({ "was": JUNK })] {
                let mut body = example.clone();
                body[key] = broken;
                bodies.push(body);
            }
        }
        for (n, body) in bodies.into_iter().enumerate() {
            let id = format!("{JUNK} {} {n}", entry.subject);
            world
                .publish(
                    entry.subject,
                    &body,
                    &[("ce-subject", "sms-12025550199"), ("ce-id", &id)],
                )
                .await;
        }
    }
}

/// Neighbours that fail and quote.
async fn what_fails(world: &World, caller: &Caller) {
    let neighbours = &world.neighbours;
    for status in [500, 400, 422, 429] {
        neighbours
            .monitor
            .add_fault(Rule::new(quoting(status)).first(2));
        neighbours
            .model
            .add_fault(Rule::new(quoting(status)).first(2));
        neighbours
            .notifications
            .add_fault(Rule::new(quoting(status)).first(2));
        neighbours
            .sms_agent
            .add_fault(Rule::new(quoting(status)).path("/conversations").first(2));
        neighbours
            .sms_agent
            .add_fault(Rule::new(quoting(status)).path("/sms/send").first(1));
        let conversation = format!("f{status}");
        caller
            .post(
                "/orchestrate/sms-received",
                &text(&conversation, &format!("{WORDS} [confidence=0.95]")),
            )
            .await;
    }
    for fault in [
        Fault::Reset { effect: false },
        Fault::MalformedJson { effect: true },
    ] {
        neighbours
            .model
            .add_fault(Rule::new(fault.clone()).first(2));
        neighbours
            .sms_agent
            .add_fault(Rule::new(fault).path("/sms/send").first(1));
        caller
            .post(
                "/orchestrate/sms-received",
                &text("f1", &format!("{WORDS} [confidence=0.95]")),
            )
            .await;
    }
    caller
        .post(
            "/orchestrate/sms-received",
            &text("f2", &format!("{WORDS} [broken]")),
        )
        .await;
    caller
        .post(
            "/orchestrate/sms-received",
            &text("f3", &format!("STOP {WORDS}")),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_no_trace_and_no_metric_tells_who_wrote_what() {
    let collector = Collector::start().await;
    let world = Plan::default()
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .set(
            "OTEL_EXPORTER_OTLP_HEADERS",
            &format!("authorization={SECRET}"),
        )
        .set(
            "LOG_LEVEL",
            "trace,async_nats=trace,async_nats::connection=trace,async_nats::client=trace,sqlx=trace,\
             sqlx::query=trace,hyper=trace,hyper::proto=trace,hyper_util::client=trace,reqwest=trace,\
             reqwest::connect=trace,async_openai::client=trace,rustls::client=trace",
        )
        .set("OPENAI_API_KEY", SECRET)
        .set("UPSTREAM_AUTH_TOKEN_SMS_AGENT", SECRET)
        .set("UPSTREAM_AUTH_TOKEN_COLLECTIONS_MONITOR", SECRET)
        .set("MAX_ATTEMPTS", "2")
        .set("RETRY_TIMES", "1")
        .set("SYNC_BUDGET_MS", "3000")
        .set("HEALTH_CHECK_SECONDS", "1")
        .set("RELAY_PORT", "0")
        .prepare()
        .await;
    world
        .neighbours
        .monitor
        .set_tenant(simulators::tenants::TenantSetting {
            tenant_id: "quagmire".to_owned(),
            fields: json!({"tenant_name": NAME, "phone_number": NUMBER})
                .as_object()
                .unwrap()
                .clone(),
            ..Default::default()
        });
    let service = Process::start(&world, &["serve"]).await;
    let relay = Process::start(&world, &["relay"]).await;
    let caller = Caller {
        http: reqwest::Client::new(),
        base: format!("http://{}", service.bridge.unwrap()),
    };
    what_goes_well(&caller).await;
    what_is_junk(&world, &caller).await;
    what_fails(&world, &caller).await;
    let webhook = Caller {
        http: reqwest::Client::new(),
        base: format!("http://{}", relay.webhook.unwrap()),
    };
    let form = format!(
        "MessageSid=SM1&From=%2B{}&To=%2B12025550100&Body={WORDS}",
        &NUMBER[1..]
    );
    webhook.raw("/webhook/twilio/sms", form.clone()).await;
    webhook
        .raw("/webhook/twilio/sms", format!("{form}&NumMedia={JUNK}"))
        .await;
    webhook.raw(&format!("/nowhere/{NUMBER}"), form).await;
    world.settle().await;
    let metrics = format!("{}{}", service.metrics().await, relay.metrics().await);
    let log = format!("{}{}", service.stop().await, relay.stop().await);
    let traces = String::from_utf8_lossy(&collector.raw()).into_owned();

    // They did go through: this proves that the net was in the water.
    let stored = world
        .count("select count(*) from inbound_messages where content like '%xylophone%'")
        .await;
    assert!(stored > 8, "{stored} texts stored");
    let letters = world.count("select count(*) from dead_letters").await;
    assert!(letters > 50, "{letters} dead letters");
    let models = world
        .count("select count(*) from ai_response_queue where ai_response like '%walrus%'")
        .await;
    assert!(models > 1, "{models} drafts");
    assert!(
        log.contains("\"level\":\"TRACE\"") || log.contains("\"level\":\"DEBUG\""),
        "talkative"
    );
    assert!(collector.spans().len() > 100);
    let mut leaks = Vec::new();
    for canary in CANARIES {
        for (place, said) in [("log", &log), ("traces", &traces), ("metrics", &metrics)] {
            let line = said.lines().find(|line| line.contains(canary));
            leaks.extend(line.map(|line| {
                let at = line.find(canary).unwrap_or_default();
                let from = line.floor_char_boundary(at.saturating_sub(400));
                let to = line.floor_char_boundary((at + 100).min(line.len()));
                format!("{canary} in the {place}: {}", &line[from..to])
            }));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    let texts = world.neighbours.sms_agent.message_count();
    world
        .finish_with(usize::try_from(texts).unwrap(), letters)
        .await;
}
