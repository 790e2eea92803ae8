//! The rules one by one: each has its place and its test, and those that no other story tells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{World, phone_of, sms};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Names of functions that are tests: with `#[test]` or `#[tokio::test]` right before them.
fn tests_of(text: &str) -> Vec<&str> {
    let mut marked = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line
            .strip_prefix("async ")
            .unwrap_or(line)
            .strip_prefix("fn ")
        {
            names.extend(rest.split('(').next().filter(|_| marked));
            marked = false;
        }
    }
    names
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_rule_has_its_place_and_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let texts: Vec<String> = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a source"))
        .collect();
    let tests: BTreeSet<&str> = texts.iter().flat_map(|text| tests_of(text)).collect();
    assert!(tests.len() > 300, "{}", tests.len());
    let table = std::fs::read_to_string(root.join("docs/rules.md")).expect("the table");
    let mut rules = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rule, what, places, named] = cells[..] else {
            panic!("{row}")
        };
        rules.push(rule.to_owned());
        assert!(!what.is_empty(), "{row}");
        let (places, named) = (quoted(places), quoted(named));
        assert!(
            !places.is_empty() && !named.is_empty(),
            "{rule}: nowhere or untested"
        );
        for place in places {
            assert!(root.join(place).exists(), "{rule}: no file {place}");
        }
        for test in named {
            assert!(tests.contains(test), "{rule}: no test {test}");
        }
    }
    let all: Vec<String> = (1..=34).map(|n| format!("R{n}")).collect();
    assert_eq!(rules, all);
}

/// A text of another tenant, from a given number.
async fn text_from(
    world: &World,
    tenant: &str,
    number: &str,
    conversation: &str,
    content: &str,
) -> Value {
    let mut body = sms(conversation, content);
    body["tenant_id"] = json!(tenant);
    body["phone_number"] = json!(number);
    let (status, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_from_a_shared_phone_holds_for_every_tenant_on_it() {
    let world = World::start().await;
    let shared = phone_of("shared");
    let waits = "What do I owe? [confidence=0.7]";
    let mother = text_from(&world, "12345", &shared, "c1", waits).await;
    assert_eq!(mother["action_taken"], "queued_for_approval", "{mother}");
    let son = text_from(&world, "55555", &shared, "c2", "STOP").await;
    assert_eq!(son["action_taken"], "suppressed", "{son}");
    let (_, item) = world
        .get(&format!(
            "/orchestrate/approvals/{}",
            mother["response_queue_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(item["status"], "suppressed", "{item}");
    for (tenant, conversation) in [("12345", "c1"), ("55555", "c2"), ("12345", "c3")] {
        let later = text_from(&world, tenant, &shared, conversation, "What do I owe?").await;
        assert_eq!(later["action_taken"], "suppressed", "{tenant}: {later}");
    }
    // The mother's own phone is another number.
    let own = text_from(&world, "12345", &phone_of("own"), "c4", "What do I owe?").await;
    assert_eq!(own["action_taken"], "auto_sent", "{own}");
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_on_the_phone_is_told_nothing() {
    let world = World::start().await;
    for (at, words) in [
        "wrong number",
        "he moved out, this is his mother",
        "número equivocado",
    ]
    .into_iter()
    .enumerate()
    {
        let conversation = format!("c{at}");
        let answer = world.text(&conversation, words).await;
        assert_eq!(answer["action_taken"], "escalated", "{words}: {answer}");
        let again = world.text(&conversation, "who is this?").await;
        assert_eq!(again["action_taken"], "suppressed", "{words}: {again}");
    }
    let (_, holds) = world.get("/orchestrate/holds?kind=wrong_number").await;
    assert_eq!(holds["total"], 3, "{holds}");
    assert!(world.neighbours.model.requests().is_empty());
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_keeps_nothing_and_never_sees_a_number() {
    let world = World::start().await;
    world.text("c1", "What do I owe?").await;
    let requests = world.neighbours.model.requests();
    assert!(!requests.is_empty());
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["store"], false, "{body}");
        let number = phone_of("c1");
        let digits = number.trim_start_matches("+1");
        assert!(!body.to_string().contains(digits), "{body}");
    }
    world.finish(1).await;
}
