//! The service is killed in the middle of its work.

use std::process::Stdio;
use std::time::Duration;

use crate::world::{Plan, sms};

struct Killed(tokio::process::Child);

impl Killed {
    fn start(environment: &[(String, String)]) -> Self {
        let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .arg("worker")
            .env_clear()
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the product's binary");
        Self(child)
    }

    async fn kill9(&mut self) {
        self.0.start_kill().unwrap();
        self.0.wait().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_text_gets_one_outcome_although_the_service_dies_and_dies() {
    let texts: usize = std::env::var("CRASH_TEXTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(300);
    let mut world = Plan::default()
        .set("SMS_MAX_PARALLEL", "20")
        .set("SMS_LOOK_AFTER_SECONDS", "3.1")
        .prepare()
        .await;
    let mut worker = Killed::start(&world.environment());
    let ready = |world: &crate::world::World| {
        let (nats, stream) = (
            world.nats.clone(),
            format!("{}_ORCHESTRATOR_IN", world.prefix.to_uppercase()),
        );
        async move {
            async_nats::jetstream::new(nats)
                .get_stream(stream)
                .await
                .ok()
                .map(|_| ())
        }
    };
    world.until("the streams are there", || ready(&world)).await;
    world.neighbours.model.set_latency(30, 20);
    for n in 0..texts {
        let score = if n % 3 == 0 { "0.7" } else { "0.95" };
        world
            .publish(
                "sms.received",
                &sms(&format!("c{n}"), &format!("hello [confidence={score}]")),
                &[],
            )
            .await;
        if n % (texts / 5) == texts / 5 - 1 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            worker.kill9().await;
            worker = Killed::start(&world.environment());
        }
    }
    // What the killed ones held comes again after the ack deadline of 30 s; the harness does not
    // wait for that: it takes the messages' deadline away.
    worker.kill9().await;
    world.shorten_deadlines().await;
    world.start_service().await;
    world.settle().await;
    let expected = texts - texts.div_ceil(3);
    for n in (0..texts).filter(|n| n % 3 != 0) {
        assert_eq!(world.texts_to(&format!("c{n}")).len(), 1, "c{n}");
    }
    let waiting = world
        .count("select count(*) from ai_response_queue where status = 'pending'")
        .await;
    assert_eq!(usize::try_from(waiting).unwrap(), texts.div_ceil(3));
    world.finish(expected).await;
}
