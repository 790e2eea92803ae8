//! The parts of the service in processes of their own.

use orchestrator::service::Roles;
use orchestrator::stages::STAGES;

use crate::world::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_and_a_worker_per_stage_are_one_service() {
    let mut world = Plan::default().prepare().await;
    world
        .start_as(Roles {
            bridge: true,
            stages: Vec::new(),
        })
        .await;
    for row in STAGES {
        world
            .start_as(Roles {
                bridge: false,
                stages: vec![row.name],
            })
            .await;
    }
    let answer = world.text("c1", "hello [confidence=0.95]").await;
    assert_eq!(answer["action_taken"], "auto_sent");
    world.finish(1).await;
}
