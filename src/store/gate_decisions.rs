//! Every verdict of the gate: what was asked, what it said, by which rules.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Batch, column};
use crate::domain::{ConversationId, DeliveryId, DeliveryKind};
use crate::rules::gate::{Judgement, Override, Verdict};

/// A verdict to keep.
#[derive(Debug, Clone)]
pub struct GateDecision {
    /// The text.
    pub delivery: DeliveryId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// What kind of text it is.
    pub kind: DeliveryKind,
    /// The verdict.
    pub judgement: Judgement,
    /// What a manager had overridden.
    pub overridden: Option<Override>,
}

impl GateDecision {
    fn not_before(&self) -> Option<DateTime<Utc>> {
        match self.judgement.verdict {
            Verdict::Wait { until } => Some(until),
            Verdict::Permit(_) | Verdict::Refuse { .. } => None,
        }
    }

    /// A permit's row has the permit's id; the others get one of their own, the same every time.
    fn id(&self) -> Uuid {
        match &self.judgement.verdict {
            Verdict::Permit(permit) => permit.id(),
            _ => {
                let moment = self.judgement.at.timestamp_micros();
                let what = format!("{}/{moment}", self.judgement.outcome());
                Uuid::new_v5(&self.delivery.0, what.as_bytes())
            }
        }
    }
}

pub(super) fn insert(all: &mut Batch, rows: &[GateDecision]) {
    all.add(
        "insert into gate_decisions
           (id, delivery_id, conversation_id, kind, outcome, rules, inputs, not_before,
            overridden_by, override_reason, decided_at)
         select id, delivery, conversation, kind, outcome, string_to_array(rules, ','), inputs,
                not_before, by, reason, at
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::bytea[], $8::timestamptz[], $9::text[], $10::text[], $11::timestamptz[])
           as t(id, delivery, conversation, kind, outcome, rules, inputs, not_before, by, reason, at)
         on conflict do nothing",
    )
    .bind(column(rows, GateDecision::id))
    .bind(column(rows, |r| r.delivery.0))
    .bind(column(rows, |r| r.conversation_id.as_str()))
    .bind(column(rows, |r| r.kind.as_str()))
    .bind(column(rows, |r| r.judgement.outcome()))
    .bind(column(rows, |r| r.judgement.rules.join(",")))
    .bind(column(rows, |r| r.judgement.inputs.as_slice()))
    .bind(column(rows, GateDecision::not_before))
    .bind(column(rows, |r| {
        r.overridden.as_ref().map(|o| o.by.as_str())
    }))
    .bind(column(rows, |r| {
        r.overridden.as_ref().map(|o| o.reason.as_str())
    }))
    .bind(column(rows, |r| r.judgement.at));
}
