//! The files for other developers say what the code does.

use std::path::Path;

use orchestrator::contracts::{documents, openapi};
use orchestrator::events::{CATALOGUE, Received};
use orchestrator::stages::STAGES;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn generated_files_are_current() {
    for (name, text) in documents() {
        assert!(
            file(&format!("subjects/{name}")) == text,
            "subjects/{name} is old: run `make contracts`"
        );
    }
}

#[test]
fn the_http_document_is_current() {
    assert!(
        file("docs/openapi.json") == openapi(),
        "docs/openapi.json is old: run `make contracts`"
    );
}

#[test]
fn every_subject_has_an_example_that_fits_its_schema_and_is_read() {
    for entry in CATALOGUE {
        let text = file(&format!("subjects/{}.example.json", entry.subject));
        let example: serde_json::Value = serde_json::from_str(&text).unwrap();
        let schema = (entry.schema)();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&example)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", entry.subject);
        let received = Received {
            at: chrono::DateTime::UNIX_EPOCH,
            idempotency_key: None,
        };
        (entry.check)(text.as_bytes(), received)
            .unwrap_or_else(|e| panic!("{}: {e}", entry.subject));
    }
}

#[test]
fn no_file_describes_what_does_not_exist() {
    let known = |name: &str| {
        name == "asyncapi.yaml"
            || CATALOGUE.iter().any(|e| {
                name == format!("{}.schema.json", e.subject)
                    || name == format!("{}.example.json", e.subject)
            })
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("subjects");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known(&name), "subjects/{name} belongs to no event");
    }
}

#[test]
fn every_subject_is_in_its_streams_file() {
    for entry in CATALOGUE {
        let name = match entry.stream {
            orchestrator::events::Stream::Inbound => "inbound",
            orchestrator::events::Stream::Story => "story",
            orchestrator::events::Stream::Dead => "dead",
        };
        let stream: serde_json::Value =
            serde_json::from_str(&file(&format!("nats/streams/{name}.json"))).unwrap();
        let covered = stream["subjects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|pattern| {
                let pattern = pattern.as_str().unwrap();
                pattern == entry.subject
                    || pattern
                        .strip_suffix('>')
                        .is_some_and(|root| entry.subject.starts_with(root))
            });
        assert!(covered, "{} is not on stream {name}", entry.subject);
    }
}

#[test]
fn the_readme_lists_every_stage_and_its_events() {
    let readme = file("README.md");
    for row in STAGES {
        let line = format!(
            "| `{}` | {} | {} | {} |",
            row.name,
            row.question,
            row.subjects
                .iter()
                .map(|s| format!("`{s}`"))
                .collect::<Vec<_>>()
                .join(", "),
            row.emits
                .split(", ")
                .map(|s| format!("`{s}`"))
                .collect::<Vec<_>>()
                .join(", "),
        );
        assert!(readme.contains(&line), "README.md lacks the row\n{line}");
    }
}
