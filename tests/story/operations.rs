//! What an operator does by hand has the effect that docs/operations.md promises.

use std::path::Path;

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_stage_waits_and_the_others_go_on() {
    let world = World::with("BACKLOG_SECONDS", "0.2").start().await;
    world.text("c0", "hello [confidence=0.95]").await;
    let pause = |until: Option<String>| {
        let stream = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
        let asked = json!({ "pause_until": until }).to_string();
        let subject = format!("$JS.API.CONSUMER.PAUSE.{stream}.deliver");
        world.nats.request(subject, asked.into())
    };
    // `nats consumer pause ORCHESTRATOR deliver 1h`
    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    pause(Some(until.to_rfc3339())).await.unwrap();
    let paused = |wanted: bool| {
        let world = &world;
        async move {
            world
                .until("the pause is seen", || async {
                    let (_, body) = world.get("/health/detailed").await;
                    (body["details"]["stages"]["deliver"]["paused"] == wanted).then_some(())
                })
                .await;
        }
    };
    paused(true).await;
    let body = crate::world::sms("c1", "hello [confidence=0.95]");
    let (_, answer) = world
        .post_with("/orchestrate/sms-received", &body, &[("Prefer", "wait=1")])
        .await;
    assert_eq!(answer["action_taken"], "auto_sent", "decided");
    assert_ne!(answer["workflow_status"], "sent", "and not gone");
    world
        .until("everything else is done", || async {
            let (_, body) = world.get("/health/detailed").await;
            (body["details"]["stages"]["deliver"]["pending"] == 1).then_some(())
        })
        .await;
    assert!(world.texts_to("c1").is_empty());
    // `nats consumer resume ORCHESTRATOR deliver`
    pause(None).await.unwrap();
    world.until_status("c1", "sent").await;
    paused(false).await;
    world.finish(2).await;
}

#[test]
fn the_commands_in_the_documents_name_streams_and_stages_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut seen = 0;
    for command in text.split('`').filter(|part| part.starts_with("nats ")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let place = words.iter().position(|w| w.starts_with("ORCHESTRATOR"));
        let Some(place) = place else { continue };
        let stream = orchestrator::events::Stream::ALL
            .into_iter()
            .find(|s| s.name() == words[place]);
        let stream = stream.unwrap_or_else(|| panic!("{command}"));
        if let ("consumer", Some(stage)) = (words[1], words.get(place + 1)) {
            let row =
                orchestrator::stages::Row::named(stage).unwrap_or_else(|| panic!("{command}"));
            assert_eq!(row.stream(), stream, "{command}");
        }
        seen += 1;
    }
    assert!(seen > 8, "{seen} commands");
}
