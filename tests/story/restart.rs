//! An orderly stop loses nothing and leaves nothing for a deadline.

use crate::world::{World, sms};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_it_began_and_gives_back_the_rest() {
    let mut world = World::start().await;
    world.neighbours.model.set_latency(300, 0);
    for n in 0..30 {
        world
            .publish(
                "sms.received",
                &sms(&format!("c{n}"), "hello [confidence=0.95]"),
                &[],
            )
            .await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    world.stop_service().await;
    let started = std::time::Instant::now();
    world.start_service().await;
    world.settle().await;
    assert!(
        started.elapsed().as_secs() < 15,
        "nothing waited for the ack deadline of 30 s"
    );
    world.finish(30).await;
}
