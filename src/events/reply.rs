//! `reply.*` and `delivery.*`: a text from draft to the tenant's phone.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FoundPlan, Turn, TurnFacts};
use crate::domain::{
    Cents, Confidence, ConversationId, DeliveryId, DeliveryKind, DraftId, EscalationType, Finding,
    Phone, PlanOffer, Severity, TenantId, WorkflowId,
};
use crate::rules::gate::Override;

/// The model asks for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelEscalation {
    /// The type, when the model named one we know; else `manual`.
    #[serde(rename = "type")]
    pub kind: EscalationType,
    /// How urgent.
    pub severity: Severity,
    /// The model's words.
    pub reason: String,
}

/// A usable answer of the model (`model-reply.md`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DraftedReply {
    /// The text for the tenant, without control lines.
    pub reply: String,
    /// ISO 639-1 of `reply`, as the model says.
    pub language: Option<String>,
    /// The model's rating after our checks; never above the model's own.
    pub confidence: Confidence,
    /// Whether the model rated its reply at all; an unrated one is never sent unread.
    #[serde(default = "yes")]
    pub rated: bool,
    /// English back-translation for the manager.
    pub reply_en: Option<String>,
    /// What the model thinks the tenant wants.
    pub intent: Option<String>,
    /// The plan the model understood.
    pub payment_plan: Option<PlanOffer>,
    /// Set when the model wants a person.
    pub escalation: Option<ModelEscalation>,
    /// Which model wrote it.
    pub model: String,
    /// Which prompt it was given.
    pub prompt_version: String,
    /// Tokens in and out, when the server said.
    pub tokens: Option<(i64, i64)>,
    /// The model's own rating, before our checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Confidence>,
    /// What our checks found, in order; empty from a version that had none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Finding>,
    /// What the answer cost, in millionths of a dollar, when prices are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
}

fn yes() -> bool {
    true
}

/// The model wrote a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyDrafted {
    /// The turn it answers.
    pub turn: Turn,
    /// What the model was told.
    pub facts: TurnFacts,
    /// What it wrote.
    pub draft: DraftedReply,
    /// The plan on the table, judged.
    #[serde(default)]
    pub plan: Option<FoundPlan>,
}

/// A text was released and may be sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyApproved {
    /// One text, whatever the number of attempts.
    pub delivery_id: DeliveryId,
    /// The draft it came from; `null` for fixed texts.
    pub draft_id: Option<DraftId>,
    /// The workflow it finishes.
    pub workflow_id: WorkflowId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The turn it answers; only the current one may leave.
    pub turn: i64,
    /// The addressee.
    pub phone_number: Phone,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The exact text.
    pub text: String,
    /// Who released it.
    pub kind: DeliveryKind,
    /// The manager, for `approved` and `modified`.
    pub released_by: Option<String>,
    /// See `TurnFacts`.
    pub newest_known_message: i64,
    /// A newer text exists and the manager decided all the same.
    #[serde(default)]
    pub override_superseded: bool,
    /// Where the tenant lives: the name of the property, as far as known.
    #[serde(default)]
    pub property: Option<String>,
    /// What was owed when it was written, in cents: a text that has to wait is measured again.
    #[serde(default)]
    pub balance: Option<Cents>,
    /// A manager's word against a rule.
    #[serde(default)]
    pub overridden: Option<Override>,
    /// When the tenant's text reached us, for an answer that is only good for minutes.
    #[serde(default)]
    pub answers_text_of: Option<DateTime<Utc>>,
}

/// The hour has come for a text that had to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryDue {
    /// Since when.
    pub not_before: DateTime<Utc>,
    /// The release, as it was said the first time.
    pub reply: ReplyApproved,
}

/// A released text may not leave at this hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryHeld {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// When the gate is asked again.
    pub not_before: DateTime<Utc>,
    /// The rules that hold it.
    pub rules: Vec<String>,
}

/// The SMS Agent accepted a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplySent {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its draft; `null` for fixed texts.
    pub draft_id: Option<DraftId>,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who released it.
    pub kind: DeliveryKind,
    /// The agent's row.
    pub sms_message_id: Option<String>,
    /// The provider's id.
    pub twilio_sid: Option<String>,
    /// When the agent accepted it.
    pub sent_at: DateTime<Utc>,
    /// Found in the agent's history after an unclear answer, not acknowledged directly.
    pub found_in_history: bool,
}

/// A text will not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryFailed {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// `permanent_failure`, `unknown_outcome`, `attempts_exhausted` or `configuration`.
    pub reason: String,
    /// What the agent said, without the text.
    pub detail: String,
}

/// A released text was not sent because nothing may be texted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliverySuppressed {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// `opted_out`, `on_hold`, `rule_refused`, `overtaken`, `stale` or `balance_changed`.
    pub reason: String,
    /// The rules that stopped it.
    #[serde(default)]
    pub rules: Vec<String>,
}
