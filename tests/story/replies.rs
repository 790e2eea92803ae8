//! What the checks of drafted replies must keep on the recorded answers (docs/drafting.md).

use std::path::PathBuf;

use orchestrator::evaluation::replies::{self, Record};

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
    assert!(count("good").good >= 150);
    assert!(count("wrong").wrong >= 150);
    assert!(count("injection").wrong >= 100);
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
            // A reply that was nothing but control lines is no usable answer.
            let Some(score) = replies::replay(&record).confidence else {
                assert_eq!(record.expect, "not_auto");
                continue;
            };
            let score = score.as_f64();
            if record.expect == "auto" {
                assert!((score - rating).abs() < 1e-9, "{}: {score}", record.id);
            } else {
                assert!(score <= rating && score <= 0.85, "{}: {score}", record.id);
            }
        }
    }
}
