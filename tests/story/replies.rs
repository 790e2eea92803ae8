//! What the checks of drafted replies must keep on the recorded answers (docs/drafting.md).

use std::path::PathBuf;

use orchestrator::evaluation::replies::{self, Record};

use crate::world::World;

fn records() -> Vec<Record> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies");
    replies::read(&[folder]).unwrap()
}

#[test]
fn no_wrong_reply_goes_out_unread_and_hardly_a_good_one_waits() {
    let records = records();
    let report = replies::evaluate(&records);
    assert!(report.holds(), "{:#?}", report.misses);
    let count = |suite: &str| report.counts[suite];
    assert!(count("good").good >= 1300);
    assert!(count("wrong").wrong >= 1600);
    assert!(count("injection").wrong >= 550);
    assert!(count("language").wrong >= 10 && count("length").wrong >= 5);
    assert_eq!(report.total().other_check, 0, "a named check did not fail");
}

#[test]
fn a_clean_reply_keeps_its_rating_and_a_wrong_one_never_gets_one_back() {
    for rating in [0.95, 0.86, 0.7, 0.2] {
        for record in records() {
            if record.reply.is_none() {
                continue;
            }
            let record = Record {
                confidence: Some(rating),
                ..record
            };
            let became = replies::replay(&record);
            // A reply that was nothing but control lines is no usable answer.
            let Some(score) = became.confidence else {
                assert_eq!(record.expect, "not_auto");
                continue;
            };
            let score = score.as_f64();
            // How few good ones are not clean is counted above.
            if record.expect == "auto" && became.failed.is_empty() {
                assert!((score - rating).abs() < 1e-9, "{}: {score}", record.id);
            } else if record.expect != "auto" {
                assert!(score <= rating && score <= 0.85, "{}: {score}", record.id);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_sees_what_is_wrong_with_a_reply_and_what_it_cost() {
    let world = World::start().await;
    let text = "75 a week for 8 weeks, how much is that in total?";
    let answer = world.text("c1", text).await;
    assert_eq!(answer["action_taken"], "queued_for_approval", "{answer}");
    assert_eq!(answer["confidence"], 0.6);
    let id = answer["response_queue_id"].as_str().unwrap();
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert_eq!(item["model_confidence"], 0.93, "the model was sure");
    let checks = item["checks"].as_array().unwrap();
    let failed: Vec<_> = checks.iter().filter(|c| c["passed"] == false).collect();
    assert_eq!(failed[0]["name"], "amounts", "{failed:?}");
    assert!(failed[0]["reason"].as_str().unwrap().contains(": "));
    assert!(checks.len() > 20, "those that passed are shown as well");
    assert_eq!(item["prompt_version"], "system.v2");
    assert!(item["tokens"]["prompt"].as_i64().unwrap() > 100);
    assert!(item["cost_usd"].as_f64().unwrap() > 0.0);
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_reads_in_english_what_the_tenant_would_get_in_spanish() {
    let world = World::start().await;
    let text = "¿75 por semana por 8 semanas, cuánto sería en total?";
    let answer = world.text("c1", text).await;
    assert_eq!(answer["action_taken"], "queued_for_approval", "{answer}");
    let id = answer["response_queue_id"].as_str().unwrap();
    let (_, item) = world.get(&format!("/orchestrate/approvals/{id}")).await;
    assert!(
        item["ai_response"]
            .as_str()
            .unwrap()
            .starts_with("Gracias.")
    );
    let english = item["ai_response_en"].as_str().unwrap();
    assert!(english.starts_with("Thank you. $75 a week"), "{english}");
    world.finish(0).await;
}
