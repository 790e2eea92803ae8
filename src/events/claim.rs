//! A manager works on a draft (`command.approval_claim`, `command.approval_release`).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fields, Invalid, Received};
use crate::domain::{ConversationId, DraftId};

/// A manager takes a draft to work on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimRequested {
    /// Which, as the caller wrote its id.
    pub response_queue_id: String,
    /// Who.
    pub manager_id: String,
}

/// A manager gives a draft back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRequested {
    /// Which, as the caller wrote its id.
    pub response_queue_id: String,
    /// Who.
    pub manager_id: String,
}

fn read(fields: &Fields) -> Result<(String, String), Invalid> {
    let id = fields.required_text(&["response_queue_id", "queue_id", "id"], 1000);
    let by = fields.required_text(&["manager_id", "claimed_by", "approver_id"], 100);
    fields.finish(id.zip(by))
}

impl ClaimRequested {
    /// Reads the body of `POST /orchestrate/approvals/{id}/claim`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let (response_queue_id, manager_id) = read(fields)?;
        Ok(Self {
            response_queue_id,
            manager_id,
        })
    }
}

impl ReleaseRequested {
    /// Reads the body of `POST /orchestrate/approvals/{id}/release`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let (response_queue_id, manager_id) = read(fields)?;
        Ok(Self {
            response_queue_id,
            manager_id,
        })
    }
}

/// A manager works on a draft, or does no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalClaimed {
    /// The draft.
    pub response_queue_id: DraftId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who works on it; `null` when it was given back.
    pub claimed_by: Option<String>,
    /// Until when nobody else decides about it.
    pub claimed_until: Option<DateTime<Utc>>,
}
