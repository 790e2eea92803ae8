//! The figures the reader must keep on the labelled files (labelling guide §5), and what must hold
//! for any text.

use chrono::NaiveDate;
use orchestrator::evaluation::{Record, Report, evaluate};
use proptest::prelude::*;

#[path = "../../fuzz/checks.rs"]
mod checks;

/// Every labelled file. `own_fifth` onwards were written to measure, not to tune: what they showed at
/// first is in docs/reading.md.
const FILES: &[&str] = &[
    "half_a",
    "half_b",
    "own",
    "own_heldout",
    "own_third",
    "own_fourth",
    "own_fifth",
    "own_sixth",
    "own_seventh",
    "own_eighth",
    "own_ninth",
    "own_tenth",
    "own_eleventh",
    "own_twelfth",
    "own_thirteenth",
    "own_fourteenth",
    "own_fifteenth",
    "own_sixteenth",
    "fresh_1",
    "fresh_2",
    "fresh_3",
    "fresh_4",
    "fresh_5",
    "fresh_6",
    "fresh_7",
    "fresh_8",
    "fresh_opt_out",
];

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
    for name in FILES {
        let report = report(name);
        for (field, floor) in [("triggers_micro", 0.95), ("language", 0.95)] {
            let f1 = report.score(field).f1();
            assert!(f1 >= floor, "{name} {field}: {f1}");
        }
        // The later files hold only two dozen plans and ten promises: one missed weighs much.
        let late = [
            "own_fifth",
            "own_sixth",
            "own_seventh",
            "own_eighth",
            "fresh_6",
            "fresh_7",
            "fresh_8",
        ]
        .contains(name);
        let floors = if late { (0.85, 0.70) } else { (0.93, 0.90) };
        for (field, floor) in [("plan_exact", floors.0), ("promise_exact", floors.1)] {
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

/// Phrases of the tables with odd characters between them: far likelier to reach deep code than
/// random Unicode alone.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "i can do", "no puedo", "you said", "$20 43", "usd50", "a buck fifty", "one-fifty",
            "twenty-five", "a dozen weeks", "2 years and 3 months", "20 dollars 43 cents", "a week",
            "cada quincena", "100-150", "1.2k", "don't text", "me", "leave me alone", "stop", "STOP.",
            "not gonna", "my lawyer", "Keisha", "this is not", "at 5", "around", "friday", "12/05/2025",
            "x 8", "mes y medio", "half", "down", "then", "every", "the 15th", "9223372036854775807",
            "f**k", "a$$", "...", "?", "\u{1F64F}", "e\u{301}", "\u{FB01}", "\u{2460}", "@", "'",
        ]).prop_map(str::to_owned),
        2 => "\\PC{0,6}",
        1 => "[0-9,./:$-]{1,12}",
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|p| p.join(" "))
}

/// PROPTEST_CASES asks for more than the ordinary run takes.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig::with_cases(asked.and_then(|n| n.parse().ok()).unwrap_or(1_000))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_text_of_phrases_is_read_within_bounds(text in texts()) {
        checks::reader(&text);
    }

    #[test]
    fn any_bytes_are_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        checks::reader(&text);
        checks::money(&text);
        checks::plan_line(&text);
    }

    #[test]
    fn money_is_written_as_it_is_read(text in "[-+]?[$]?[0-9,]{0,16}[.]?[0-9]{0,5}") {
        checks::money(&text);
    }

    #[test]
    fn plan_lines_are_read_whole_or_not(
        text in "PAYMENT_PLAN: *(weekly|weeks|start)= ?[0-9.-]{0,10}(, ?(weekly|weeks|start)=[0-9.-]{0,10}){0,2}"
    ) {
        checks::plan_line(&text);
    }
}
