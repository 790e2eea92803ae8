//! Languages of tenants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language a tenant may prefer. The Monitor uses words, the SMS Agent codes, the dashboard
/// capitalised words (`upstreams.md` §1.5); all are read, words are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `es`
    Spanish,
    /// `pt`
    Portuguese,
    /// `fr`
    French,
}

impl Language {
    /// Reads a word or a code; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "en" | "english" => Some(Self::English),
            "es" | "spanish" | "español" => Some(Self::Spanish),
            "pt" | "portuguese" | "português" => Some(Self::Portuguese),
            "fr" | "french" => Some(Self::French),
            _ => None,
        }
    }

    /// The word form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "english",
            Self::Spanish => "spanish",
            Self::Portuguese => "portuguese",
            Self::French => "french",
        }
    }
}
