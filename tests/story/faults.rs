//! Every neighbour with every fault of the wire: one text per decision, at least one notification,
//! nothing lost, and nothing sent unread without its context.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::sms_agent::HistoryRow;
use simulators::{Fault, Rule};

use crate::world::{Plan, World, sms};

/// Every fault, and whether it strikes before the effect or after it.
fn faults() -> Vec<(&'static str, Fault)> {
    let effect = true;
    vec![
        ("never answered", Fault::Hang { effect: false }),
        ("done and never answered", Fault::Hang { effect }),
        ("reset before", Fault::Reset { effect: false }),
        ("reset after", Fault::Reset { effect }),
        ("crash", Fault::Crash { effect: false }),
        ("half a JSON", Fault::MalformedJson { effect }),
        ("other types", Fault::WrongTypes { effect }),
        ("empty", Fault::EmptyBody { effect }),
        (
            "huge",
            Fault::HugeBody {
                bytes: 3_000_000,
                effect,
            },
        ),
        ("drops", Fault::SlowBody { ms: 6_000, effect }),
        ("a web page", Fault::WrongContentType { effect }),
        ("a redirect", Fault::Redirect { effect: false }),
        (
            "an error page",
            Fault::ErrorPage {
                status: 502,
                effect: false,
            },
        ),
        (
            "busy",
            Fault::Status {
                status: 429,
                body: None,
                retry_after: Some(1),
                effect: false,
            },
        ),
        (
            "away",
            Fault::Status {
                status: 503,
                body: None,
                retry_after: Some(1),
                effect: false,
            },
        ),
    ]
}

/// Circuits have stories of their own: here every call is made.
fn without_circuits() -> Plan {
    World::with("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "1000000")
        .set("NEIGHBOUR_TIMEOUT_SECONDS", "1")
        .set("NOTIFICATION_TIMEOUT_SECONDS", "1")
        .set("OPENAI_TIMEOUT_SECONDS", "1")
        .set("SYNC_BUDGET_MS", "0")
}

/// A conversation of its own for every fault: its name occurs in everything that is about it.
struct Case {
    name: &'static str,
    conversation: String,
    tenant: String,
}

fn cases() -> Vec<(Case, Fault)> {
    let numbered = faults().into_iter().enumerate();
    numbered
        .map(|(n, (name, fault))| {
            let case = Case {
                name,
                conversation: format!("fault-{n:02}-x"),
                tenant: format!("9{n:02}77"),
            };
            (case, fault)
        })
        .collect()
}

impl Case {
    fn body(&self, content: &str) -> Value {
        let mut body = sms(&self.conversation, content);
        body["tenant_id"] = json!(self.tenant);
        body
    }

    async fn tell(&self, world: &World, content: &str) {
        let body = self.body(content);
        world.publish("sms.received", &body, &[]).await;
    }

    /// What became of it, once that is known.
    async fn outcome(&self, world: &World, states: &[&str]) -> Value {
        let path = format!("/orchestrate/workflow/{}/status", self.conversation);
        let began = Instant::now();
        loop {
            let (code, body) = world.get(&path).await;
            if code == 200 && states.iter().any(|state| body["status"] == *state) {
                return body;
            }
            let patience = Duration::from_secs(60);
            assert!(began.elapsed() < patience, "{}: {body}", self.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_monitor_does_nothing_leaves_unread_without_it() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (case, fault) in &cases {
        let rule = Rule::new(fault.clone()).tenant(&case.tenant);
        world.neighbours.monitor.add_fault(rule);
        case.tell(&world, "hello [confidence=0.99]").await;
    }
    for (case, _) in &cases {
        let body = case.outcome(&world, &["awaiting_approval", "sent"]).await;
        assert_eq!(body["status"], "awaiting_approval", "{}", case.name);
        let degraded = &body["metadata"]["degraded"];
        let degraded = if degraded.is_null() {
            &body["degraded"]
        } else {
            degraded
        };
        assert_eq!(*degraded, json!(["collections_monitor"]), "{}", case.name);
    }
    let notified = cases.len();
    world.settle().await;
    assert_eq!(
        world.neighbours.notifications.notifications().len(),
        notified
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_agents_history_does_nothing_leaves_unread_without_it() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (case, fault) in &cases {
        let phone = crate::world::phone_of(&case.conversation);
        let rule = Rule::new(fault.clone())
            .path("/conversations/")
            .phone(&phone);
        world.neighbours.sms_agent.add_fault(rule);
        // With one earlier message, so that there is something to be garbled.
        world
            .neighbours
            .sms_agent
            .add_row(HistoryRow::inbound(&phone, "earlier"));
        case.tell(&world, "hello [confidence=0.99]").await;
    }
    for (case, _) in &cases {
        let body = case.outcome(&world, &["awaiting_approval", "sent"]).await;
        assert_eq!(body["status"], "awaiting_approval", "{}", case.name);
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_of_a_read_costs_nothing_but_time() {
    let world = without_circuits().start().await;
    let cases = cases();
    // JSON that says something else is no fault of the wire, and is not asked for again.
    let passing = |name: &str| name != "other types" && name != "huge";
    for (case, fault) in cases.iter().filter(|(case, _)| passing(case.name)) {
        let phone = crate::world::phone_of(&case.conversation);
        let rule = Rule::new(fault.clone()).first(2);
        let (monitor, agent) = (&world.neighbours.monitor, &world.neighbours.sms_agent);
        monitor.add_fault(rule.clone().tenant(&case.tenant));
        agent.add_fault(rule.path("/conversations/").phone(&phone));
        case.tell(&world, "hello [confidence=0.99]").await;
    }
    let mut sent = 0;
    for (case, _) in cases.iter().filter(|(case, _)| passing(case.name)) {
        case.outcome(&world, &["sent"]).await;
        assert_eq!(world.texts_to(&case.conversation).len(), 1, "{}", case.name);
        sent += 1;
    }
    world.finish(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_agent_does_with_a_text_the_tenant_has_it_once() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (case, fault) in &cases {
        let phone = crate::world::phone_of(&case.conversation);
        let rule = Rule::new(fault.clone()).path("/sms/send").phone(&phone);
        world.neighbours.sms_agent.add_fault(rule.first(1));
        case.tell(&world, "hello [confidence=0.99]").await;
    }
    for (case, _) in &cases {
        case.outcome(&world, &["sent"]).await;
        assert_eq!(world.texts_to(&case.conversation).len(), 1, "{}", case.name);
    }
    world.finish(cases.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_agents_history_does_after_an_unclear_send_there_is_one_text() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (n, (case, fault)) in cases.iter().enumerate() {
        let phone = crate::world::phone_of(&case.conversation);
        // Every other text did go out although the agent says nothing.
        let unclear = Fault::Reset { effect: n % 2 == 0 };
        let unclear = Rule::new(unclear).path("/sms/send").phone(&phone).first(1);
        let looking = Rule::new(fault.clone())
            .path("/conversations/")
            .phone(&phone);
        // The first reading is the context's; the look meets the fault in all its repeats.
        world.neighbours.sms_agent.add_fault(unclear);
        world
            .neighbours
            .sms_agent
            .add_fault(looking.skip(1).first(4));
        case.tell(&world, "hello [confidence=0.99]").await;
    }
    for (case, _) in &cases {
        case.outcome(&world, &["sent"]).await;
        assert_eq!(world.texts_to(&case.conversation).len(), 1, "{}", case.name);
    }
    world.finish(cases.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_notifier_does_managers_are_told_and_texts_go_on() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (case, fault) in &cases {
        let rule = Rule::new(fault.clone()).tenant(&case.conversation).first(2);
        world.neighbours.notifications.add_fault(rule);
        case.tell(&world, "hello [confidence=0.7]").await;
    }
    for (case, _) in &cases {
        case.outcome(&world, &["awaiting_approval"]).await;
    }
    world.settle().await;
    let told = world.neighbours.notifications.notifications();
    for (case, _) in &cases {
        let about = |text: String| text.contains(&case.conversation);
        let times = told
            .iter()
            .filter(|n| about(n.metadata.to_string()))
            .count();
        assert!(
            (1..=3).contains(&times),
            "{}: told {times} times",
            case.name
        );
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_model_does_a_person_gets_the_text_or_the_tenant_one_reply() {
    let world = without_circuits().start().await;
    let cases = cases();
    for (case, fault) in &cases {
        let marker = format!("reference {}", case.conversation);
        let rule = Rule::new(fault.clone()).tenant(&marker);
        world.neighbours.model.add_fault(rule);
        let content = format!("hello, {marker} [confidence=0.99]");
        case.tell(&world, &content).await;
    }
    for (case, _) in &cases {
        let body = case.outcome(&world, &["escalated", "sent"]).await;
        assert_eq!(body["status"], "escalated", "{}", case.name);
    }
    world.settle().await;
    let kinds = "select count(*) from escalation_events where escalation_type = 'ai_unavailable'";
    assert_eq!(
        world.count(kinds).await,
        i64::try_from(cases.len()).unwrap()
    );
    world.neighbours.model.clear_faults();
    for (case, fault) in &cases {
        // An unusable answer is asked for once more, a failed one three times.
        let marker = format!("second {}", case.conversation);
        let rule = Rule::new(fault.clone()).tenant(&marker).first(1);
        world.neighbours.model.add_fault(rule);
        let content = format!("hello, {marker} [confidence=0.99]");
        case.tell(&world, &content).await;
    }
    for (case, _) in &cases {
        case.outcome(&world, &["sent"]).await;
    }
    world.finish(cases.len()).await;
}
