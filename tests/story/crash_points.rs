//! Every stage's process dies at every point of a message's way, and every message is worked on
//! exactly once all the same. Needs the feature `crash-points`, as `make test` gives it.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use orchestrator::engine::crash::Point;
use orchestrator::service::Roles;
use orchestrator::stages::STAGES;
use serde_json::{Value, json};
use simulators::{Fault, Rule};

use crate::world::{Plan, World, phone_of, sms};

/// Where a message of a stage comes by.
fn comes_by(stage: &str, point: Point) -> bool {
    match point {
        Point::IntentWritten | Point::IntentCommitted | Point::Acted => {
            ["deliver", "notify"].contains(&stage)
        }
        // "Not now": said by the stage with the agent. A counted failure: managers cannot be told.
        Point::Postponed => stage == "deliver",
        Point::FailureNoted => stage == "notify",
        _ => true,
    }
}

/// What a stage is given, one per point, and what must have come of it.
struct Trial {
    stage: &'static str,
    /// The text that comes first, worked on by the other stages.
    before: Option<&'static str>,
    /// The subject and what is said on it, from the conversation and the ids of what came before.
    say: fn(&str, &Ids) -> (&'static str, Value),
    /// What counts, by conversation and its phone: exactly one.
    one: &'static str,
}

/// What a command may name.
#[derive(Default)]
struct Ids {
    draft: String,
    workflow: String,
}

const ONE_DRAFT: &str =
    "select count(*) from ai_response_queue where conversation_id = $1 and status = 'pending'";

fn text(score: &str, conversation: &str) -> (&'static str, Value) {
    let body = sms(conversation, &format!("hello [confidence={score}]"));
    ("sms.received", body)
}

const TRIALS: &[Trial] = &[
    Trial {
        stage: "intake",
        before: None,
        say: |c, _| text("0.7", c),
        one: ONE_DRAFT,
    },
    Trial {
        stage: "context",
        before: None,
        say: |c, _| text("0.7", c),
        one: ONE_DRAFT,
    },
    Trial {
        stage: "draft",
        before: None,
        say: |c, _| text("0.7", c),
        one: ONE_DRAFT,
    },
    Trial {
        stage: "route",
        before: None,
        say: |c, _| text("0.7", c),
        one: ONE_DRAFT,
    },
    Trial {
        stage: "claim",
        before: Some("0.7"),
        say: |_, ids| {
            let body = json!({"response_queue_id": ids.draft, "manager_id": "ana"});
            ("command.approval_claim", body)
        },
        one: "select count(*) from ai_response_queue where conversation_id = $1 and claimed_by = 'ana'",
    },
    Trial {
        stage: "decide",
        before: Some("0.7"),
        say: |_, ids| {
            let body = json!({"response_queue_id": ids.draft, "action": "approve", "manager_id": "m1"});
            ("approval.decided", body)
        },
        one: "select count(*) from approval_audit_log a join ai_response_queue q on q.id = a.response_queue_id
              join deliveries d on d.response_queue_id = q.id and d.status = 'sent' where q.conversation_id = $1",
    },
    Trial {
        stage: "escalate",
        before: None,
        say: |c, _| {
            let body = json!({"conversation_id": c, "severity": "high", "reason": "look"});
            ("command.escalate", body)
        },
        one: "select count(*) from escalation_events where conversation_id = $1",
    },
    Trial {
        stage: "retry",
        before: Some("0.3"),
        say: |_, ids| ("command.retry", json!({"workflow_id": ids.workflow, "requested_by": "ana"})),
        one: "select sum(retry_count) from orchestration_workflows where conversation_id = $1",
    },
    Trial {
        stage: "deliver",
        before: None,
        say: |c, _| text("0.95", c),
        one: "select count(*) from deliveries where conversation_id = $1 and status = 'sent'",
    },
    Trial {
        stage: "ledger",
        before: None,
        say: |c, _| {
            let body = json!({"phone_number": phone_of(c), "opted_out": true, "source": "voicemail", "manager_id": "m1"});
            ("command.consent", body)
        },
        one: "select count(*) from consent_history where phone_number = $2",
    },
    Trial {
        stage: "plan",
        before: None,
        say: |c, _| {
            let body = json!({"conversation_id": c, "tenant_id": "12345", "message_content": "I can pay $75 a week for 8 weeks"});
            ("command.payment_plan", body)
        },
        one: "select count(*) from payment_plan_attempts where conversation_id = $1",
    },
    Trial {
        stage: "timer",
        before: None,
        say: |c, _| text("0.7", c),
        one: "select count(*) from escalation_events where conversation_id = $1 and escalation_type = 'approval_timeout'",
    },
    Trial {
        stage: "notify",
        before: None,
        say: |c, _| text("0.7", c),
        one: ONE_DRAFT,
    },
];

/// A process that runs one stage and dies at one point.
fn doomed(world: &World, stage: &str, at: &str) -> tokio::process::Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["worker", "--stages", stage])
        .env_clear()
        .envs(world.environment())
        .env("CRASH_AT", at)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the product's binary")
}

async fn dies(world: &World, mut process: tokio::process::Child, at: &str) {
    let ended = tokio::time::timeout(world.patience, process.wait()).await;
    let status = ended
        .unwrap_or_else(|_| panic!("{at}: nothing came by"))
        .expect("its end");
    assert_eq!(status.signal(), Some(6), "{at}: ended otherwise, {status}");
}

fn others(stage: &str) -> Roles {
    let names = STAGES.iter().map(|row| row.name);
    Roles {
        bridge: true,
        stages: names.filter(|name| *name != stage).collect(),
    }
}

fn alone(stage: &'static str) -> Roles {
    Roles {
        bridge: false,
        stages: vec![stage],
    }
}

async fn prepared(world: &World, conversation: &str, score: &str) -> Ids {
    let (subject, body) = text(score, conversation);
    world.publish(subject, &body, &[]).await;
    let status = if score == "0.3" {
        "escalated"
    } else {
        "awaiting_approval"
    };
    let found = world.until_status(conversation, status).await;
    Ids {
        draft: found["response_queue_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        workflow: found["workflow_id"].as_str().unwrap_or_default().to_owned(),
    }
}

async fn endure(stage: &'static str) {
    let trial = TRIALS.iter().find(|trial| trial.stage == stage).unwrap();
    // Without the sweep's net: what was committed and not published must come with the redelivery.
    let mut plan = Plan::default()
        .set("SMS_LOOK_AFTER_SECONDS", "3.1")
        .set("SWEEP_AFTER_SECONDS", "3600");
    if stage == "timer" {
        plan = plan.set("APPROVAL_TIMEOUT_HOURS", "0");
    }
    let mut world = plan.prepare().await;
    world.patience = std::time::Duration::from_secs(60);
    world.start_as(others(stage)).await;
    world.shorten_deadlines().await;
    let points = Point::ALL
        .into_iter()
        .filter(|point| comes_by(stage, *point));
    let points: Vec<(Point, String)> = points.map(|p| (p, format!("c-{p:?}"))).collect();
    for (point, conversation) in &points {
        let ids = match trial.before {
            Some(score) => prepared(&world, conversation, score).await,
            None => Ids::default(),
        };
        let refused = Fault::Status {
            status: 503,
            body: None,
            retry_after: None,
            effect: false,
        };
        match point {
            Point::Postponed => world
                .neighbours
                .sms_agent
                .add_fault(Rule::new(refused).path("/sms/send").first(1)),
            Point::FailureNoted => world
                .neighbours
                .notifications
                .add_fault(Rule::new(refused).first(4)),
            _ => {}
        }
        let at = format!("{stage}:{point:?}");
        let process = doomed(&world, stage, &at);
        let (subject, body) = (trial.say)(conversation, &ids);
        world.publish(subject, &body, &[]).await;
        if *point == Point::Parked {
            let subject = STAGES
                .iter()
                .find(|row| row.name == stage)
                .unwrap()
                .subjects[0];
            world.publish(subject, &json!("junk"), &[]).await;
        }
        dies(&world, process, &at).await;
    }
    world.start_as(alone(stage)).await;
    world.settle().await;
    for (_, conversation) in &points {
        world
            .until(
                &format!("{stage}: one outcome for {conversation}"),
                || async {
                    let count: Option<i64> = sqlx::query_scalar(trial.one)
                        .bind(conversation)
                        .bind(phone_of(conversation))
                        .fetch_one(&world.db)
                        .await
                        .unwrap();
                    (count == Some(1)).then_some(())
                },
            )
            .await;
    }
    world.settle().await;
    // A text for each, or for each that a manager released.
    let sends = ["deliver", "decide"].contains(&stage);
    let texts = if sends { points.len() } else { 0 };
    if sends {
        for (_, conversation) in &points {
            assert_eq!(
                world.texts_to(conversation).len(),
                1,
                "{stage}: {conversation}"
            );
        }
    }
    let silent = world
        .count(
            "select count(*) from (select workflow_id from ai_response_queue where status = 'pending'
               union select workflow_id from escalation_events) w
             where not exists (select from notifications n where n.workflow_id = w.workflow_id)",
        )
        .await;
    assert_eq!(
        silent, 0,
        "{stage}: managers know of everything that waits for them"
    );
    world.finish_with(texts, 1).await;
}

macro_rules! endured {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            endure(stringify!($name)).await;
        }
    )*};
}

endured! { intake context draft route claim decide escalate retry deliver ledger plan timer notify }

#[test]
fn every_stage_is_tried_at_every_point() {
    let tried: Vec<_> = TRIALS.iter().map(|trial| trial.stage).collect();
    let stages: Vec<_> = STAGES.iter().map(|row| row.name).collect();
    assert_eq!(tried, stages);
    for point in Point::ALL {
        assert!(
            stages.iter().any(|stage| comes_by(stage, point)),
            "{point:?}"
        );
    }
}

/// A message that kills whoever touches it is suspected, runs alone, and is parked; others are not.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_worker_is_parked() {
    let mut world = Plan::default().prepare().await;
    world.patience = std::time::Duration::from_secs(60);
    world.start_as(others("draft")).await;
    world.shorten_deadlines().await;
    let (subject, body) = text("0.95", "c1");
    world.publish(subject, &body, &[]).await;
    let mut deaths = 0;
    loop {
        let mut process = doomed(&world, "draft", "draft:Gathered");
        let parked = world.until("it dies or parks the message", || async {
            (world.count("select count(*) from dead_letters").await == 1).then_some(())
        });
        tokio::select! {
            ended = process.wait() => assert_eq!(ended.unwrap().signal(), Some(6)),
            () = parked => break,
        }
        deaths += 1;
        assert!(deaths < 30, "it kills for ever");
    }
    assert!(deaths > 5, "workers die of other causes too: {deaths}");
    world.start_as(alone("draft")).await;
    let (subject, body) = text("0.95", "c2");
    world.publish(subject, &body, &[]).await;
    world.until_status("c2", "sent").await;
    world.finish_with(1, 1).await;
}

/// The alarm: remembered and not said, said and not noted.
#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_dies_and_what_is_due_is_said_all_the_same() {
    let mut world = Plan::default()
        .set("APPROVAL_TIMEOUT_HOURS", "0")
        .set("SWEEP_SECONDS", "0.5")
        .set("SWEEP_AFTER_SECONDS", "2")
        .prepare()
        .await;
    world.start_as(others("timer")).await;
    world.shorten_deadlines().await;
    let points = [Point::DecisionCommitted, Point::Published];
    for point in points {
        let at = format!("alarm:{point:?}");
        let process = doomed(&world, "timer", &at);
        let (subject, body) = text("0.7", &format!("c-{point:?}"));
        world.publish(subject, &body, &[]).await;
        dies(&world, process, &at).await;
    }
    world.start_as(alone("timer")).await;
    world
        .until("both have expired", || async {
            let count = world
                .count("select count(*) from escalation_events where escalation_type = 'approval_timeout'")
                .await;
            (count == 2).then_some(())
        })
        .await;
    world.finish(0).await;
}

/// The sweep dies after it has said things again and before it has noted that.
#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_dies_and_nothing_is_said_for_ever() {
    let mut world = Plan::default()
        .set("SWEEP_SECONDS", "0.5")
        .set("SWEEP_AFTER_SECONDS", "2")
        .prepare()
        .await;
    world.start_as(alone("intake")).await;
    let (subject, body) = text("0.95", "c1");
    world.publish(subject, &body, &[]).await;
    world
        .until("it is taken", || async {
            (world.count("select count(*) from inbound_messages").await == 1).then_some(())
        })
        .await;
    world.stop_service().await;
    world.lose_streams().await;
    let process = doomed(&world, "timer", "sweep:Published");
    dies(&world, process, "sweep:Published").await;
    world.start_service().await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}
