//! The text as it will leave, and what the gate tells the manager about it.

use serde_json::json;

use super::{ON_HOLD, Ruling};
use crate::domain::{DeliveryId, DeliveryKind, Language};
use crate::engine::Decision;
use crate::rules::gate::{Override, Request, Standing, TooLong, Verdict};
use crate::store::gate_decisions::GateDecision;

impl Ruling<'_> {
    /// Whether a text is the one that was released, with or without the wording it was given then.
    pub(super) fn was_the_text(&self, text: &str) -> bool {
        let released = self.draft.final_response.as_deref();
        let kind = DeliveryKind::Approved;
        let as_it_left = |introduced| {
            self.gate
                .worded(text, kind, introduced, self.language())
                .ok()
        };
        released == Some(text)
            || [true, false]
                .into_iter()
                .any(|introduced| as_it_left(introduced).as_deref() == released)
    }

    fn language(&self) -> Language {
        let said = self.draft.language.as_deref();
        said.and_then(Language::parse).unwrap_or_default()
    }

    pub(super) fn overridden(&self) -> Option<Override> {
        let reason = self.command().override_reason.clone()?;
        Some(Override {
            by: self.decided_by(),
            reason,
        })
    }

    /// The text as it will leave, or why it may not: the manager is told now, not the log tomorrow.
    pub(super) fn releasable(&self, kind: DeliveryKind) -> Result<String, Decision> {
        let conversation = self.case.conversation.as_ref();
        let introduced = conversation.is_some_and(|c| c.introduced);
        let own = self.text();
        let worded = self.gate.worded(&own, kind, introduced, self.language());
        let text = worded.as_ref().unwrap_or(&own);
        let overridden = self.overridden();
        let tenant = self.draft.tenant_context();
        let property = tenant.as_ref().and_then(|t| t.property_name.clone());
        let request = Request {
            delivery: DeliveryId(self.draft.id.0),
            to: &self.draft.phone,
            kind,
            text,
            property: property.as_deref(),
            released_at: self.now,
            overridden: overridden.as_ref(),
        };
        let standing = Standing {
            opted_out: self.case.opted_out,
            holds: &self.case.holds,
            introduced,
            last_inbound_at: conversation.and_then(|c| c.last_inbound_at),
            ..Standing::default()
        };
        if let Some(judgement) = self.gate.objections(&request, &standing, self.now) {
            let rules = judgement.rules.clone();
            let refusal = match judgement.verdict {
                Verdict::Refuse { reason: "on_hold" } => self.refuse(
                    "on_hold",
                    ON_HOLD,
                    json!({ "holds": self.case.holds, "rule_ids": rules }),
                ),
                _ => self.refuse(
                    "rule_refused",
                    "A rule stands against this text",
                    json!({ "rule_ids": rules }),
                ),
            };
            return Err(refusal.change(GateDecision {
                delivery: request.delivery,
                conversation_id: self.draft.conversation_id.clone(),
                kind,
                judgement,
                overridden,
            }));
        }
        worded.map_err(|too_long| {
            self.refuse(
                "rule_refused",
                &sentence(too_long),
                json!({ "rule_ids": ["R27"] }),
            )
        })
    }
}

/// As every answer writes it.
fn sentence(too_long: TooLong) -> String {
    format!("The text cannot be sent: {too_long}")
}
