//! Compares every answer of every story with the OpenAPI document: its status, its type, and every
//! member, in both directions. What a story is told and the document does not say is a failure, and
//! so is a member that is missing.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The document, with members it does not name forbidden: clients have to bear them, we do not.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = orchestrator::bridge::docs::openapi().clone();
    let lenient = document["components"]["schemas"].clone();
    let schemas = document["components"]["schemas"].as_object_mut();
    for schema in schemas.expect("schemas").values_mut() {
        close(schema, &lenient);
    }
    document
});

fn close(schema: &mut Value, lenient: &Value) {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        for part in parts {
            let name = part["$ref"].as_str().and_then(|r| r.rsplit('/').next());
            if let Some(name) = name {
                *part = lenient[name].clone();
            }
        }
        schema["unevaluatedProperties"] = json!(false);
    } else if schema.get("properties").is_some() {
        schema["additionalProperties"] = json!(false);
    }
}

fn validator(schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = STRICT["components"].clone();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .expect("a schema")
}

/// Fails when the document knows no such answer.
pub(crate) fn check(method: &str, path: &str, status: u16, kind: &str, body: &Value) {
    let asked = format!("{method} {path}: {status} {body}");
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let path = match path.len() {
        0 | 1 => path,
        _ => path.trim_end_matches('/'),
    };
    let paths = STRICT["paths"].as_object().expect("paths");
    let method = method.to_ascii_lowercase();
    let Some(operation) = find(paths, path).and_then(|found| found.get(&method)) else {
        assert!(matches!(status, 404 | 405), "nobody serves this: {asked}");
        return;
    };
    let status = status.to_string();
    let mut response = &operation["responses"][&status];
    assert!(!response.is_null(), "an undocumented status: {asked}");
    if let Some(name) = response["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        response = &STRICT["components"]["responses"][name];
    }
    let kind = kind.split(';').next().unwrap_or_default();
    let schema = &response["content"][kind]["schema"];
    assert!(!schema.is_null(), "an undocumented type {kind}: {asked}");
    let errors: Vec<String> = {
        static KNOWN: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().expect("nothing in here panics");
        let validator = known
            .entry(schema.to_string())
            .or_insert_with(|| validator(schema));
        let errors = validator.iter_errors(body);
        errors
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect()
    };
    assert!(errors.is_empty(), "{errors:#?}\n{asked}");
}

/// A path that is written out wins over one with an id in it, as it does in the router.
fn find<'a>(paths: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let fits = |pattern: &str| {
        let (pattern, path) = (pattern.split('/'), path.split('/'));
        pattern.clone().count() == path.clone().count()
            && pattern
                .zip(path)
                .all(|(pattern, word)| pattern.starts_with('{') || pattern == word)
    };
    paths.get(path).or_else(|| {
        let mut fitting = paths.iter().filter(|(pattern, _)| fits(pattern));
        fitting.next().map(|(_, found)| found)
    })
}
