//! The figures the reader must keep on the labelled files (labelling guide §5).

use chrono::NaiveDate;
use orchestrator::evaluation::{Record, Report, evaluate};

fn report(name: &str) -> Report {
    let path = format!("{}/tests/data/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let data = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let records: Vec<Record> = data
        .lines()
        .filter(|l| !l.trim().is_empty())
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{path}: {e}")))
        .collect();
    evaluate(&records, NaiveDate::from_ymd_opt(2025, 11, 17).unwrap())
}

#[test]
fn every_labelled_file_stays_above_the_bars() {
    for name in ["half_a", "half_b", "own", "own_heldout", "own_third"] {
        let report = report(name);
        for (field, floor) in [
            ("plan_exact", 0.93),
            ("triggers_micro", 0.92),
            ("language", 0.95),
        ] {
            let f1 = report.score(field).f1();
            assert!(f1 >= floor, "{name} {field}: {f1}");
        }
        for field in ["opt_out", "self_harm"] {
            let recall = report.score(field).recall();
            assert!(recall >= 1.0, "{name} {field}: {recall}");
        }
        let (wrong, of) = report.false_plans;
        assert!(
            wrong * 100 <= of,
            "{name}: {wrong} of {of} harmless texts read as plans"
        );
    }
}
