//! `payment_plan.*` and the question about one (`http-api.md` §4).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Fields, Invalid, Received};
use crate::domain::{Cents, ConversationId, PlanId, TenantId, WorkflowId};
use crate::rules::plan::{PlanFinding, PlanRequest, Status};

/// Most dollars a week anybody may name: more is a slip of the keyboard.
const MOST_A_WEEK: Cents = Cents::from_dollars(1_000_000);

/// Somebody asks whether there is a plan in a conversation, and whether it is admissible.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRequested {
    /// The conversation; one we never heard of is fine.
    pub conversation_id: ConversationId,
    /// Whose plan.
    pub tenant_id: TenantId,
    /// What the tenant wrote, 1-5000 characters.
    pub message_content: String,
    /// What was answered, up to 5000 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ai_response: Option<String>,
    /// Dollars a week, when the caller knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<f64>")]
    #[serde(with = "dollars_or_nothing")]
    pub weekly_amount: Option<Cents>,
    /// 1-520.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weeks: Option<u32>,
    /// The first payment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_date: Option<DateTime<Utc>>,
    /// How sure the caller is, 0-1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confidence: Option<f64>,
    /// The workflow it belongs to, as the caller wrote its id; an unknown one is ignored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workflow_id: Option<String>,
    /// The Monitor's answer, when the caller has it: then the Monitor is not asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant_context: Option<Map<String, Value>>,
}

impl PlanRequested {
    /// Reads the body of `POST /orchestrate/payment-plan-detected` by the contract's lenient rules.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let conversation = fields.required_text(&["conversation_id"], 1000);
        let conversation = fields.parsed("conversation_id", conversation, ConversationId::parse);
        let tenant = fields.required_text(&["tenant_id"], 100);
        let tenant = fields.parsed("tenant_id", tenant, TenantId::parse);
        let message = fields.required_text(&["message_content", "message", "content"], 5000);
        let ai_response = fields.text(&["ai_response"], 5000);
        let weekly_amount = fields.money(&["weekly_amount"], MOST_A_WEEK);
        let weeks = fields.whole_number(
            &["weeks", "duration_weeks", "duration", "number_of_payments"],
            1..=520,
        );
        let start_date = fields.time(&["start_date"]);
        let confidence = fields.fraction(&["confidence", "confidence_score"]);
        let workflow_id = fields.text(&["workflow_id"], 200);
        let tenant_context = fields.object(&["tenant_context"]);
        let required = conversation.zip(tenant).zip(message);
        fields.finish(
            required.map(|((conversation_id, tenant_id), message_content)| Self {
                conversation_id,
                tenant_id,
                message_content,
                ai_response,
                weekly_amount,
                weeks: weeks.and_then(|w| u32::try_from(w).ok()),
                start_date,
                confidence,
                workflow_id,
                tenant_context,
            }),
        )
    }

    /// The explicit fields as a source of the plan.
    pub fn explicit(&self) -> PlanRequest {
        PlanRequest {
            weekly_amount: self.weekly_amount,
            weeks: self.weeks,
            start_date: self.start_date.map(|at| at.date_naive()),
        }
    }
}

/// `weekly_amount` is dollars on the wire: the body is the POST's body.
mod dollars_or_nothing {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::domain::Cents;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Cents>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(amount) => to.serialize_some(&amount.as_dollars_f64()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Cents>, D::Error> {
        let dollars = Option::<f64>::deserialize(from)?;
        Ok(dollars.and_then(Cents::from_dollars_f64))
    }
}

/// A plan was found and judged; the same plan of a conversation is said once in 24 hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDetected {
    /// The plan.
    pub payment_plan_id: PlanId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Whose plan, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// What the tenant wrote.
    pub tenant_message: String,
    /// `validated`, `needs_review` or `invalid`.
    pub status: Status,
    /// The plan, the verdict, what to offer instead, the dates.
    pub finding: PlanFinding,
    /// When.
    pub detected_at: DateTime<Utc>,
}

/// A plan by its id, as drafts and managers refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPlan {
    /// The plan.
    pub payment_plan_id: PlanId,
    /// Cents per week.
    pub weekly_amount: Cents,
    /// Number of weeks, when stated.
    pub weeks: Option<u32>,
    /// What the rules say.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<PlanRequested, Invalid> {
        let received = Received {
            at: Utc::now(),
            idempotency_key: None,
        };
        PlanRequested::parse(&Fields::from_json(body.as_bytes())?, received)
    }

    #[test]
    fn the_contracts_aliases_and_forms_are_read() {
        let asked = parse(
            r#"{"conversationId": 7, "tenant_id": 12345, "message": "70 a week",
                "weekly_amount": "70.50", "duration": "8", "start_date": "2026-12-01",
                "confidence_score": 0.92, "tenantContext": {"amount_owed": "550"}}"#,
        )
        .expect("a request");
        assert_eq!(asked.conversation_id.as_str(), "7");
        assert_eq!(asked.weekly_amount, Some(Cents(7050)));
        assert_eq!(asked.weeks, Some(8));
        assert_eq!(asked.confidence, Some(0.92));
        let start = asked.explicit().start_date.expect("a start");
        assert_eq!(start.to_string(), "2026-12-01");
        assert!(asked.tenant_context.is_some());
    }

    #[test]
    fn every_field_outside_its_limits_is_named() {
        let refused = parse(
            r#"{"conversation_id": "c", "weekly_amount": 0, "weeks": 521, "confidence": 1.2,
                "start_date": "soon", "tenant_context": []}"#,
        )
        .expect_err("limits");
        let named: Vec<&str> = refused.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(
            named,
            [
                "/tenant_id",
                "/message_content",
                "/weekly_amount",
                "/weeks",
                "/start_date",
                "/confidence",
                "/tenant_context"
            ]
        );
    }

    #[test]
    fn what_the_bridge_writes_the_stage_reads() {
        let asked = parse(
            r#"{"conversation_id": "c", "tenant_id": "t", "message_content": "hi",
                "weekly_amount": 33.33}"#,
        )
        .expect("a request");
        let wire = serde_json::to_string(&asked).expect("JSON");
        assert_eq!(parse(&wire).expect("the same"), asked);
    }
}
