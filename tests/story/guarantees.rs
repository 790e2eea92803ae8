//! docs/guarantees.md names the tests that would fail without a promise: they have to exist.

use std::path::Path;

/// What is quoted like code in the document's tables.
fn quoted(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_the_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/guarantees.md")).expect("the document");
    let mut found = 0;
    for name in quoted(&text) {
        if name.starts_with("src/") {
            let file = std::fs::read_to_string(root.join(name));
            let file = file.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(file.contains("test]"), "{name} has no test");
            found += 1;
            continue;
        }
        let Some((module, test)) = name.split_once("::") else {
            continue;
        };
        let file = root.join(format!("tests/story/{module}.rs"));
        let file = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{name}: {e}"));
        // One for each stage is written by a macro.
        let one_of_many = module == "crash_points" && file.contains(&format!(" {test} "));
        assert!(
            file.contains(&format!("fn {test}(")) || one_of_many,
            "{name} is not there"
        );
        found += 1;
    }
    assert!(found > 30, "{found} names: the tables are not read");
}
