//! `turn.*`: the open texts of a conversation on their way to a draft.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ConversationId, HistoryEntry, OpenText, Phone, TenantContext, TenantId, WorkflowId,
};

/// A neighbour by the name `/health/dependencies` and `degraded` use.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Neighbour {
    /// Tenant context.
    CollectionsMonitor,
    /// History and sending.
    SmsAgent,
    /// Managers' notifications.
    NotificationService,
    /// The model.
    Openai,
}

impl Neighbour {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CollectionsMonitor => "collections_monitor",
            Self::SmsAgent => "sms_agent",
            Self::NotificationService => "notification_service",
            Self::Openai => "openai",
        }
    }
}

/// All texts of a conversation that are not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Rises by one with every text; a stage whose number is not the newest has been overtaken.
    pub number: i64,
    /// The newest text's workflow, which carries the turn.
    pub workflow_id: WorkflowId,
    /// Who wrote.
    pub phone_number: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The texts, in the order they arrived.
    pub texts: Vec<OpenText>,
    /// Tried again after a text had gone out: whatever comes of it, a manager releases it.
    #[serde(default)]
    pub after_send: bool,
}

impl Turn {
    /// The texts as one, for lists that show a single message.
    pub fn joined_text(&self) -> String {
        let texts: Vec<&str> = self.texts.iter().map(|t| t.content.as_str()).collect();
        texts.join("\n")
    }

    /// When the oldest open text arrived: the start of what the tenant waits for.
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.texts.iter().map(|t| t.received_at).min()
    }
}

/// A turn wants an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnOpened {
    /// The turn.
    pub turn: Turn,
}

/// What the neighbours know about the turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnFacts {
    /// `null` when the Monitor could not be asked; then nothing is sent unread.
    pub tenant: Option<TenantContext>,
    /// At most 20 messages, oldest first.
    pub history: Vec<HistoryEntry>,
    /// The newest row the SMS Agent had before we sent anything: a later row with our text is ours.
    pub newest_known_message: i64,
    /// Neighbours that were missing.
    pub degraded: Vec<Neighbour>,
}

/// Tenant and history are there, or known to be missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnReady {
    /// The turn.
    pub turn: Turn,
    /// What the neighbours know.
    pub facts: TurnFacts,
}
