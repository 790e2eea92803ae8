//! What a check of a drafted reply found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Confidence;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check.
    pub name: String,
    /// Whether nothing is wrong.
    pub passed: bool,
    /// Why not: a code, a colon, a sentence without personal data.
    pub reason: Option<String>,
    /// The confidence cannot be above it; `null` when passed.
    pub ceiling: Option<Confidence>,
}

impl Finding {
    /// Nothing is wrong.
    pub fn passed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            passed: true,
            reason: None,
            ceiling: None,
        }
    }

    /// Something is: a code for machines, a sentence for managers.
    pub fn failed(name: &str, ceiling: f64, code: &str, sentence: &str) -> Self {
        Self {
            name: name.to_owned(),
            passed: false,
            reason: Some(format!("{code}: {sentence}")),
            ceiling: Confidence::new(ceiling),
        }
    }
}
