//! Thousands of texts wait, published while nobody was there. `make chaos` has more of them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::fleet::{Replica, number};
use crate::world::{World, sms};

const TEXTS_EACH: usize = 4;

/// Resident memory of a process, now and at most so far, in MB.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let megabytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes / 1024)
    };
    (
        megabytes("VmRSS").unwrap_or(0),
        megabytes("VmHWM").unwrap_or(0),
    )
}

/// What `/metrics` says about a stage's messages.
async fn stage_messages(replica: &Replica, stage: &str, state: &str) -> f64 {
    let asked = reqwest::get(format!("{}/metrics", replica.sidecar())).await;
    let Ok(answer) = asked else { return 0.0 };
    let text = answer.text().await.unwrap_or_default();
    let name = format!("orchestrator_stage_messages{{stage=\"{stage}\",state=\"{state}\"}} ");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name.as_str()));
    line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_drained_in_order_and_in_little_memory() {
    let texts = number("BACKLOG_TEXTS", 2_000);
    let conversations = texts / TEXTS_EACH;
    let mut world = World::with("SWEEP_SECONDS", "0.5")
        .set("SMS_MAX_PARALLEL", "100")
        .prepare()
        .await;
    world.patience = Duration::from_secs(120 + texts as u64 / 20);
    // The streams are made by whoever starts first.
    let mut replica = Replica::start(&world);
    world
        .until("the replica is ready", || async {
            replica.is_ready().await.then_some(())
        })
        .await;
    let (idle, _) = memory(replica.pid());
    replica.stop().await;

    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let subject = format!("{}.sms.received", world.prefix);
    let mut acks = Vec::new();
    for n in 0..texts {
        let (conversation, text) = (n % conversations, n / conversations);
        let body = sms(
            &format!("c{conversation}"),
            &format!("text {text} [confidence=0.95]"),
        );
        let sent = jetstream
            .publish(subject.clone(), body.to_string().into())
            .await;
        acks.push(sent.expect("sent"));
        if acks.len() == 500 || n + 1 == texts {
            for ack in acks.drain(..) {
                ack.await.expect("the stream takes it");
            }
        }
    }

    let begun = Instant::now();
    replica.run();
    world
        .until("the replica is ready", || async {
            replica.is_ready().await.then_some(())
        })
        .await;
    let live = async {
        let posted = Instant::now();
        let mut body = sms("live", "hello [confidence=0.95]");
        body["message_sid"] = json!("SM-live");
        let client = reqwest::Client::new();
        let url = format!("{}/orchestrate/sms-received", replica.url());
        world
            .until("the live text is accepted", || async {
                let asked = client.post(&url).json(&body).send().await.ok()?;
                [200, 202].contains(&asked.status().as_u16()).then_some(())
            })
            .await;
        let accepted = posted.elapsed();
        world
            .until("the live text is answered", || async {
                (world.texts_to("live").len() == 1).then_some(())
            })
            .await;
        (accepted, posted.elapsed())
    };
    let draining = async {
        world
            .until("every text has its outcome", || async {
                let done = world
                    .count("select count(*) from orchestration_workflows where status not in ('received', 'processing')")
                    .await;
                (usize::try_from(done).unwrap() == texts + 1).then_some(())
            })
            .await;
        world.settle().await;
        begun.elapsed()
    };
    let lag = async {
        let mut most = 0.0_f64;
        for _ in 0..100 {
            most = most.max(stage_messages(&replica, "intake", "waiting").await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    };
    let ((accepted, answered), drained, lag) = futures::join!(live, draining, lag);
    let (after, peak) = memory(replica.pid());
    eprintln!(
        "backlog: {texts} texts drained in {:.1} s ({:.0}/s); memory {idle} MB idle, {peak} MB at most, {after} MB after; lag seen {lag}; a live text was accepted after {:.1} s and answered after {:.1} s",
        drained.as_secs_f64(),
        texts as f64 / drained.as_secs_f64(),
        accepted.as_secs_f64(),
        answered.as_secs_f64(),
    );
    assert!(peak < idle + 200, "memory grew from {idle} to {peak} MB");
    assert!(
        answered <= drained,
        "live traffic waits no longer than the drain"
    );
    assert!(lag > 0.0, "the metrics tell the lag");
    for (what, sql) in [
        (
            "turns follow the arrivals",
            "select count(*) from (select turn, lag(turn) over (partition by conversation_id
               order by arrival_seq) as before from inbound_messages) t where turn < before",
        ),
        (
            "arrivals follow the texts",
            "select count(*) from (select content, lag(content) over (partition by conversation_id
               order by arrival_seq) as before from inbound_messages) t where content < before",
        ),
        (
            "replies follow the turns",
            "select count(*) from (select w.turn, lag(w.turn) over (partition by d.conversation_id
               order by d.sms_message_id::bigint) as before from deliveries d
               join orchestration_workflows w on w.id = d.workflow_id where d.status = 'sent') t where turn < before",
        ),
    ] {
        let wrong: i64 = sqlx::query_scalar(sql).fetch_one(&world.db).await.unwrap();
        assert_eq!(wrong, 0, "{what}");
    }
    let sent = world
        .count("select count(*) from deliveries where status = 'sent'")
        .await;
    replica.stop().await;
    world.finish(usize::try_from(sent).unwrap()).await;
}
