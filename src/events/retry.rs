//! What is tried again: commands (`http-api.md` §7, §9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fields, Invalid, Received};

/// Somebody wants a workflow tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryRequested {
    /// Which, as the caller wrote its id.
    pub workflow_id: String,
    /// Why.
    pub reason: String,
    /// Also one that is neither failed nor escalated.
    #[serde(default)]
    pub force_retry: bool,
    /// Kept in the timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery_strategy: Option<String>,
    /// Kept in the timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<String>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested_by: Option<String>,
}

impl RetryRequested {
    /// Reads the body of `POST /orchestrate/retry/{workflow_id}`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["workflow_id"], 1000);
        let reason = fields.text(&["reason"], 1000);
        let force_retry = fields.boolean(&["force_retry"]).unwrap_or(false);
        let recovery_strategy = fields.text(&["recovery_strategy"], 100);
        let notes = fields.text(&["notes"], 2000);
        let requested_by = fields.text(&["requested_by", "manager_id"], 100);
        fields.finish(id.map(|workflow_id| Self {
            workflow_id,
            reason: reason.unwrap_or_else(|| "Manual retry".to_owned()),
            force_retry,
            recovery_strategy,
            notes,
            requested_by,
        }))
    }
}

/// Somebody wants a parked message worked on again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RedriveRequested {
    /// Which, as the caller wrote its id.
    pub dead_letter_id: String,
    /// Also a text that may have been sent: the tenant might get it twice.
    #[serde(default)]
    pub confirm_duplicate_risk: bool,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl RedriveRequested {
    /// Reads the body of `POST /orchestrate/dead-letters/{id}/redrive`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["dead_letter_id"], 1000);
        let confirm_duplicate_risk = fields.boolean(&["confirm_duplicate_risk"]).unwrap_or(false);
        let requested_by = fields.text(&["requested_by", "manager_id"], 100);
        let reason = fields.text(&["reason"], 1000);
        fields.finish(id.map(|dead_letter_id| Self {
            dead_letter_id,
            confirm_duplicate_risk,
            requested_by,
            reason,
        }))
    }
}

/// Somebody is done with a parked message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterResolutionRequested {
    /// Which, as the caller wrote its id.
    pub dead_letter_id: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolved_by: Option<String>,
    /// What was done instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolution: Option<String>,
}

impl LetterResolutionRequested {
    /// Reads the body of `POST /orchestrate/dead-letters/{id}/resolve`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["dead_letter_id"], 1000);
        let resolved_by = fields.text(&["resolved_by", "requested_by", "manager_id"], 100);
        let resolution = fields.text(&["resolution", "notes", "reason"], 2000);
        fields.finish(id.map(|dead_letter_id| Self {
            dead_letter_id,
            resolved_by,
            resolution,
        }))
    }
}
