//! What managers and other services want done with escalations: commands (`http-api.md` §5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fields, Invalid, Received};
use crate::domain::{ConversationId, EscalationType, Phone, Severity, TenantId};

/// Somebody wants a person to look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EscalationRequested {
    /// The conversation, unless a known workflow is named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation_id: Option<ConversationId>,
    /// The workflow, as the caller wrote its id; beside a conversation an unknown one is noted
    /// and ignored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow_id: Option<String>,
    /// Why; aliases are read (§5).
    pub escalation_type: EscalationType,
    /// A sentence; the type's own by default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// How soon; the type's own by default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<Severity>,
    /// Found by a rule, not by a person.
    #[serde(default)]
    pub auto_detected: bool,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub escalated_by: Option<String>,
    /// The tenant, as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant_id: Option<TenantId>,
    /// The tenant's number, as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone_number: Option<Phone>,
    /// Kept as it comes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Map<String, Value>>,
}

impl EscalationRequested {
    /// Reads the body of `POST /orchestrate/escalate`.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let reasons = ["reason", "escalation_reason", "description", "notes"];
        Self::read(fields, &reasons, false)
    }

    /// Reads the body of `POST /escalations/trigger`: there `reason` may be the type (§5.2).
    pub fn parse_trigger(fields: &Fields) -> Result<Self, Invalid> {
        let said = fields.text(&["reason"], 2000);
        let names_a_type = said.as_deref().and_then(EscalationType::parse).is_some();
        let reasons: &[&str] = if names_a_type {
            &["notes", "escalation_reason", "description", "reason"]
        } else {
            &["reason", "escalation_reason", "description", "notes"]
        };
        Self::read(fields, reasons, names_a_type)
    }

    fn read(fields: &Fields, reasons: &[&str], reason_is_type: bool) -> Result<Self, Invalid> {
        let conversation = fields.text(&["conversation_id"], 1000);
        let workflow_id = fields.text(&["workflow_id"], 200);
        if conversation.is_none() && workflow_id.is_none() {
            fields.missing("conversation_id");
        }
        let conversation_id = fields.parsed("conversation_id", conversation, ConversationId::parse);
        let mut kind = fields.text(&["escalation_type", "type"], 100);
        if kind.is_none() && reason_is_type {
            kind = fields.text(&["reason"], 2000);
        }
        let escalation_type = match kind {
            None => EscalationType::Manual,
            Some(name) => EscalationType::parse(&name).unwrap_or_else(|| {
                fields.fault("escalation_type", "invalid", "is no type of escalation");
                EscalationType::Manual
            }),
        };
        let reason = fields.text(reasons, 2000);
        let severity = fields.text(&["severity", "priority"], 100);
        let severity = severity.and_then(|word| {
            let known = Severity::parse(&word);
            if known.is_none() {
                fields.fault(
                    "severity",
                    "invalid",
                    "must be low, medium, high or critical",
                );
            }
            known
        });
        let auto_detected = fields.boolean(&["auto_detected"]).unwrap_or(false);
        let escalated_by = fields.text(&["escalated_by", "manager_id"], 100);
        let tenant = fields.text(&["tenant_id"], 100);
        let tenant_id = fields.parsed("tenant_id", tenant, TenantId::parse);
        let phone = fields.text(&["phone_number", "customer_phone"], 64);
        let phone_number = fields.parsed("phone_number", phone, Phone::parse);
        let metadata = fields.object(&["metadata"]);
        fields.finish(Some(Self {
            conversation_id,
            workflow_id,
            escalation_type,
            reason,
            severity,
            auto_detected,
            escalated_by,
            tenant_id,
            phone_number,
            metadata,
        }))
    }
}

/// Somebody is done with an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolutionRequested {
    /// Which, as the caller wrote its id.
    pub escalation_id: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolved_by: Option<String>,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolution: Option<String>,
    /// In a word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
}

impl ResolutionRequested {
    /// Reads the body of `POST /orchestrate/escalations/{id}/resolve`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["escalation_id"], 200);
        let resolved_by = fields.text(&["resolved_by", "manager_id", "handled_by"], 100);
        let resolution = fields.text(&["resolution", "notes", "resolution_notes"], 2000);
        let outcome = fields.text(&["outcome"], 50);
        fields.finish(id.map(|escalation_id| Self {
            escalation_id,
            resolved_by,
            resolution,
            outcome,
        }))
    }
}

/// Somebody takes an escalation over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignmentRequested {
    /// Which, as the caller wrote its id.
    pub escalation_id: String,
    /// Who takes it.
    pub assigned_to: String,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assigned_by: Option<String>,
    /// Kept in the timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notes: Option<String>,
}

impl AssignmentRequested {
    /// Reads the body of `POST /orchestrate/escalations/{id}/assign`, with the id in it.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["escalation_id"], 200);
        let assigned_to = fields.required_text(&["assigned_to", "assignee_id"], 100);
        let assigned_by = fields.text(&["assigned_by", "manager_id"], 100);
        let notes = fields.text(&["notes"], 2000);
        fields.finish(
            id.zip(assigned_to)
                .map(|(escalation_id, assigned_to)| Self {
                    escalation_id,
                    assigned_to,
                    assigned_by,
                    notes,
                }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        Fields::from_json(body.as_bytes()).expect("an object")
    }

    fn escalate(body: &str) -> Result<EscalationRequested, Invalid> {
        let received = Received {
            at: chrono::Utc::now(),
            idempotency_key: None,
        };
        EscalationRequested::parse(&fields(body), received)
    }

    #[test]
    fn the_dashboards_words_are_read() {
        let asked = escalate(
            r#"{"conversation_id":"c1","escalation_reason":"wants a call","priority":"same_day"}"#,
        )
        .expect("a request");
        assert_eq!(asked.escalation_type, EscalationType::Manual);
        assert_eq!(asked.severity, Some(Severity::Medium));
        assert_eq!(asked.reason.as_deref(), Some("wants a call"));
    }

    #[test]
    fn what_is_no_type_or_severity_is_named() {
        let refused = escalate(r#"{"type":"angry","severity":"very"}"#).expect_err("three faults");
        let named: Vec<&str> = refused.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(named, ["/conversation_id", "/escalation_type", "/severity"]);
    }

    #[test]
    fn a_triggers_reason_may_be_its_type() {
        let body = r#"{"workflow_id":"w","reason":"Customer_Anger","notes":"shouted"}"#;
        let asked = EscalationRequested::parse_trigger(&fields(body)).expect("a request");
        assert_eq!(asked.escalation_type, EscalationType::HostileLanguage);
        assert_eq!(asked.reason.as_deref(), Some("shouted"));
        let body = r#"{"conversation_id":"c","reason":"The tenant cried."}"#;
        let asked = EscalationRequested::parse_trigger(&fields(body)).expect("a request");
        assert_eq!(asked.escalation_type, EscalationType::Manual);
        assert_eq!(asked.reason.as_deref(), Some("The tenant cried."));
    }
}
