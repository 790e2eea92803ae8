//! The text as it will leave, and what the gate tells the manager about it.

use serde_json::json;

use super::{Decide, ON_HOLD, Ruling};
use crate::domain::{DeliveryId, DeliveryKind, Finding, HistoryEntry, Language, TenantContext};
use crate::engine::Decision;
use crate::rules::checks::{self, Grounds};
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
    pub(super) fn releasable(
        &self,
        kind: DeliveryKind,
        stage: &Decide,
    ) -> Result<String, Decision> {
        let conversation = self.case.conversation.as_ref();
        let introduced = conversation.is_some_and(|c| c.introduced);
        let own = self.text();
        let worded = self.gate.worded(&own, kind, introduced, self.language());
        let text = worded.as_ref().unwrap_or(&own);
        let overridden = self.overridden();
        let tenant = self.draft.tenant_context();
        let unexplained = self.unexplained(&own, tenant.as_ref(), stage);
        let property = tenant.as_ref().and_then(|t| t.property_name.clone());
        let request = Request {
            delivery: DeliveryId(self.draft.id.0),
            to: &self.draft.phone,
            kind,
            text,
            property: property.as_deref(),
            released_at: self.now,
            overridden: overridden.as_ref(),
            unexplained: &unexplained,
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
                _ if rules.contains(&"R17") => self.refuse(
                    "rule_refused",
                    &amounts(&unexplained),
                    json!({ "rule_ids": rules, "figures": unexplained }),
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

impl Ruling<'_> {
    /// Amounts that neither the account nor the plan rules nor the tenant's words explain (R17). A
    /// draft that is released as it was written was compared when it was written.
    fn unexplained(
        &self,
        text: &str,
        tenant: Option<&TenantContext>,
        stage: &Decide,
    ) -> Vec<String> {
        let failed = |finding: &Finding| !finding.passed && finding.name == checks::AMOUNTS;
        if text == self.draft.ai_response && !self.draft.checks.iter().any(failed) {
            return Vec::new();
        }
        let history = self.draft.context.get("history").cloned();
        let history: Vec<HistoryEntry> = history
            .and_then(|history| serde_json::from_value(history).ok())
            .unwrap_or_default();
        let grounds = Grounds::new(
            tenant,
            &[&self.draft.tenant_message],
            &history,
            &[],
            stage.planning.today(self.now),
            &stage.checks,
            "",
        );
        checks::unexplained_amounts(text, &grounds)
    }
}

/// The manager is told which, and what to do.
fn amounts(unexplained: &[String]) -> String {
    format!(
        "Neither the account nor the tenant's words explain {}; correct the amount, or send it with override_reason",
        unexplained.join(", ")
    )
}

/// As every answer writes it.
fn sentence(too_long: TooLong) -> String {
    format!("The text cannot be sent: {too_long}")
}
