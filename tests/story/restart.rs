//! An orderly stop loses nothing and leaves nothing for a deadline.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::PullConsumer;
use futures::StreamExt as _;
use orchestrator::stages::STAGES;

use crate::world::{World, sms};

/// Who has messages that no replica could have at once, and how many: those that the stopped one took
/// along. Takes everything, and gives it back.
async fn out_of_reach(world: &World) -> Vec<(&'static str, usize)> {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let mut out = Vec::new();
    for row in STAGES {
        let stream = format!("{}_{}", world.prefix.to_uppercase(), row.stream().name());
        let stream = jetstream.get_stream(&stream).await.expect("the stream");
        let mut consumer: PullConsumer = stream.get_consumer(row.name).await.expect("a consumer");
        let info = consumer.info().await.expect("its state");
        let left = info.num_ack_pending + usize::try_from(info.num_pending).unwrap();
        let mut had = Vec::new();
        // One request may end before the last message that was given back is ready again.
        for _ in 0..50 {
            let asked = consumer.fetch().max_messages(1_000);
            let mut found = asked.messages().await.expect("messages");
            while let Some(Ok(message)) = found.next().await {
                had.push(message);
            }
            if had.len() >= left {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for message in &had {
            message
                .ack_with(AckKind::Nak(None))
                .await
                .expect("given back");
        }
        if had.len() < left {
            out.push((row.name, left - had.len()));
        }
    }
    world.nats.flush().await.expect("all of it");
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_it_began_and_gives_back_the_rest() {
    let mut world = World::start().await;
    world.neighbours.model.set_latency(300, 0);
    let mut texts = 0;
    for round in 0..4_u64 {
        for n in 0..40 {
            let text = sms(&format!("r{round}c{n}"), "hello [confidence=0.95]");
            world.publish("sms.received", &text, &[]).await;
            texts += 1;
        }
        // In the middle of intake, of drafting, of sending.
        tokio::time::sleep(Duration::from_millis(150 * (round + 1))).await;
        world.stop_service().await;
        assert_eq!(
            out_of_reach(&world).await,
            [],
            "round {round}: what was not finished waits for the ack deadline of 30 s"
        );
        world.start_service().await;
    }
    world.patience = Duration::from_secs(60);
    world.finish(texts).await;
}
