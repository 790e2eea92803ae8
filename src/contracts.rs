//! The documents for other developers, generated from the code: `subjects/` and `docs/openapi.json`.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::events::{CATALOGUE, asyncapi};

/// Every generated file by its name. JSON is YAML: the AsyncAPI document is written as JSON in
/// a `.yaml` file, so that no YAML writer is needed.
pub fn documents() -> Vec<(String, String)> {
    let pretty = |value: &Value| format!("{value:#}\n");
    let mut all: Vec<(String, String)> = CATALOGUE
        .iter()
        .map(|entry| {
            (
                format!("{}.schema.json", entry.subject),
                pretty(&(entry.schema)()),
            )
        })
        .collect();
    all.push(("asyncapi.yaml".to_owned(), pretty(&asyncapi())));
    all
}

/// The HTTP side, as `docs/openapi.json` has it.
pub fn openapi() -> String {
    format!("{:#}\n", crate::bridge::docs::openapi())
}

/// Writes them. Examples are written by hand and stay.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in documents() {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
