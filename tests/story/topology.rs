//! Streams and consumers on the server against the files.

use std::process::Command;

use crate::world::{Plan, World};

pub(crate) fn orchestrator(world: &World, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(arguments)
        .env_clear()
        .envs(world.environment())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_is_missing_and_apply_makes_it_so() {
    let world = Plan::default().prepare().await;
    let (right, text) = orchestrator(&world, &["topology", "check"]);
    assert!(!right && text.contains("MISSING"), "{text}");
    let (right, text) = orchestrator(&world, &["topology", "apply"]);
    assert!(right && text.contains("created"), "{text}");
    let (right, text) = orchestrator(&world, &["topology", "check"]);
    assert!(right && !text.contains("DIFFERS"), "{text}");

    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let name = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(&name).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_age = std::time::Duration::from_secs(86_400);
    jetstream.update_stream(config).await.unwrap();
    let (right, text) = orchestrator(&world, &["topology", "check"]);
    assert!(!right && text.contains("DIFFERS in max_age"), "{text}");
    let (right, text) = orchestrator(&world, &["topology", "apply"]);
    assert!(right && text.contains("updated"), "{text}");
    let (ok, text) = orchestrator(&world, &["migrate"]);
    assert!(ok, "{text}");
    world.finish(0).await;
}
