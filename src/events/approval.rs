//! `approval.*`: a manager's question, decision and its consequences (`http-api.md` §3).
//!
//! `approval.decided` is a command and may be refused; the others are facts after commit.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fields, FoundPlan, Invalid, Neighbour, Received};
use crate::domain::{
    Confidence, ConversationId, DraftId, EscalationId, EscalationType, Phone, RoutingReason,
    TenantId, WorkflowId,
};

/// What somebody wants done with a draft.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DecisionAction {
    /// Send it.
    Approve,
    /// Send another text.
    Modify,
    /// A person takes over.
    Escalate,
    /// As escalate, with another default reason (conflicts C22).
    Reject,
}

impl DecisionAction {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Modify => "modify",
            Self::Escalate => "escalate",
            Self::Reject => "reject",
        }
    }

    /// Reads the word, ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "approve" => Some(Self::Approve),
            "modify" => Some(Self::Modify),
            "escalate" => Some(Self::Escalate),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// Somebody's decision about a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalDecided {
    /// The draft, as the caller wrote its id: an id of an odd form is simply unknown (§0.3).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_queue_id: Option<String>,
    /// Instead of the draft: its conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation_id: Option<ConversationId>,
    /// With `conversation_id`: must be the draft's number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone_number: Option<Phone>,
    /// What to do.
    pub action: DecisionAction,
    /// The text to send instead of the stored one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approved_text: Option<String>,
    /// The text to send, for `modify`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified_text: Option<String>,
    /// Why a person takes over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub escalation_reason: Option<String>,
    /// Who decides.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
    /// Kept in the audit log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<String>,
    /// Decide although the tenant has written again.
    #[serde(default)]
    pub override_superseded: bool,
    /// Send although a rule stands against the text, and why. Not every rule can be overridden; an
    /// opt-out and a hold never.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub override_reason: Option<String>,
}

impl ApprovalDecided {
    /// A decision about one draft and nothing else.
    pub fn about(draft: DraftId, action: DecisionAction) -> Self {
        Self {
            response_queue_id: Some(draft.to_string()),
            conversation_id: None,
            phone_number: None,
            action,
            approved_text: None,
            modified_text: None,
            escalation_reason: None,
            manager_id: None,
            notes: None,
            override_superseded: false,
            override_reason: None,
        }
    }

    /// Reads the body by the contract's lenient rules. An unknown action and `modify` without a
    /// text are contradictions (400), everything else is a field error (422); field errors win.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let response_queue_id = fields.text(&["response_queue_id", "queue_id", "id"], 200);
        let conversation = fields.text(&["conversation_id"], 1000);
        if response_queue_id.is_none() && conversation.is_none() {
            fields.missing("response_queue_id");
            fields.missing("conversation_id");
        }
        let conversation_id = fields.parsed("conversation_id", conversation, ConversationId::parse);
        let phone = fields.text(&["phone_number", "customer_phone"], 64);
        let phone_number = fields.parsed("phone_number", phone, Phone::parse);
        let action = fields.required_text(&["action"], 100);
        let approved_text = fields.text(&["approved_text"], 1600);
        let modified_text = fields.text(&["modified_text", "newContent"], 1600);
        let escalation_reason = fields.text(&["escalation_reason", "reason"], 2000);
        let manager_id = fields.text(
            &["manager_id", "approved_by", "actioned_by", "approver_id"],
            100,
        );
        let notes = fields.text(&["notes", "approverNotes"], 2000);
        let override_superseded = fields.boolean(&["override_superseded"]).unwrap_or(false);
        let override_reason = fields.text(&["override_reason"], 2000);
        let action = fields.finish(action)?;
        let Some(action) = DecisionAction::parse(&action) else {
            return Err(Invalid::contradiction(
                "action",
                "must be approve, modify, escalate or reject",
            ));
        };
        if action == DecisionAction::Modify && modified_text.is_none() {
            return Err(Invalid::contradiction(
                "modified_text",
                "is required for modify",
            ));
        }
        Ok(Self {
            response_queue_id,
            conversation_id,
            phone_number,
            action,
            approved_text,
            modified_text,
            escalation_reason,
            manager_id,
            notes,
            override_superseded,
            override_reason,
        })
    }
}

/// A manager has to decide: everything needed to decide well is in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRequested {
    /// The draft to decide about.
    pub response_queue_id: DraftId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The tenant, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// What the tenant wrote, texts joined by line breaks.
    pub tenant_message: String,
    /// What the model would answer.
    pub ai_response: String,
    /// English, when the draft is in another language and the model supplied it.
    pub ai_response_en: Option<String>,
    /// How sure we are.
    pub confidence_score: Confidence,
    /// Why it waits.
    pub routing_reason: RoutingReason,
    /// Neighbours that were missing.
    pub degraded: Vec<Neighbour>,
    /// The plan on the table, judged.
    #[serde(default)]
    pub plan: Option<FoundPlan>,
    /// Until when a decision is expected.
    pub expires_at: DateTime<Utc>,
}

/// A newer text replaced a draft that was waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalSuperseded {
    /// The draft.
    pub response_queue_id: DraftId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The workflow that answers instead; `null` when nothing will be sent.
    pub merged_into: Option<WorkflowId>,
}

/// What every decision that took effect says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The draft.
    pub response_queue_id: DraftId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Who decided.
    pub decided_by: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// What the model had written.
    pub original_response: String,
    /// What is sent; `null` when a person took over.
    pub final_response: Option<String>,
}

/// A draft was released as written, or with the text the decision named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalApproved {
    /// The decision.
    pub decision: Decided,
}

/// A draft was released with a manager's own text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalModified {
    /// The decision.
    pub decision: Decided,
}

/// A draft was taken over by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalEscalated {
    /// The decision.
    pub decision: Decided,
    /// The escalation it became.
    pub escalation_id: EscalationId,
    /// Its type.
    pub escalation_type: EscalationType,
}

/// A decision that did not take effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRefused {
    /// The draft as the decider named it.
    pub response_queue_id: Option<String>,
    /// The conversation, when known.
    pub conversation_id: Option<ConversationId>,
    /// `not_found`, `already_decided`, `superseded`, `opted_out`, `on_hold`, `rule_refused`.
    pub reason: String,
    /// Who wanted to decide.
    pub decided_by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<ApprovalDecided, Invalid> {
        let received = Received {
            at: DateTime::UNIX_EPOCH,
            idempotency_key: None,
        };
        ApprovalDecided::parse(&Fields::from_json(body.as_bytes())?, received)
    }

    #[test]
    fn the_documents_examples_are_read() {
        let approve = parse(
            r#"{"response_queue_id":"queue-uuid-123","action":"approve",
                "approved_text":"Thank you.","manager_id":"manager-001"}"#,
        )
        .expect("PRD");
        assert_eq!(approve.action, DecisionAction::Approve);
        let proxy =
            parse(r#"{"conversation_id":"c1","phone_number":"+12025550143","action":"APPROVE"}"#)
                .expect("the dashboard's proxy");
        assert_eq!(proxy.response_queue_id, None);
        let ui =
            parse(r#"{"queueId":"q","action":"modify","newContent":"Hi","approverNotes":"n"}"#)
                .expect("the dashboard's wishes");
        assert_eq!(ui.modified_text.as_deref(), Some("Hi"));
    }

    #[test]
    fn what_does_not_fit_together_is_a_contradiction() {
        for body in [
            r#"{"id":"q","action":"publish"}"#,
            r#"{"id":"q","action":"modify"}"#,
        ] {
            assert!(parse(body).expect_err(body).contradictory, "{body}");
        }
    }

    #[test]
    fn what_is_malformed_is_a_field_error() {
        let cases = [
            (r#"{"action":"approve"}"#, "/response_queue_id"),
            (r#"{"id":"q"}"#, "/action"),
            (
                r#"{"id":"q","action":"approve","override_superseded":"yes"}"#,
                "/override_superseded",
            ),
            (
                r#"{"conversation_id":"a b","action":"approve"}"#,
                "/conversation_id",
            ),
        ];
        for (body, pointer) in cases {
            let error = parse(body).expect_err(body);
            assert!(!error.contradictory, "{body}");
            assert_eq!(error.errors[0].pointer, pointer, "{body}");
        }
        let long =
            serde_json::json!({"id":"q","action":"approve","approved_text":"x".repeat(1601)});
        assert_eq!(
            parse(&long.to_string()).expect_err("long").errors[0].pointer,
            "/approved_text"
        );
    }
}
