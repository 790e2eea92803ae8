//! Escalations: what a person has to look at.

use chrono::{DateTime, Utc};

use super::{Tx, column};
use crate::domain::{Phone, TenantId};
use crate::events::EscalationRaised;

/// An escalation to store, together with what its event does not carry.
#[derive(Debug, Clone)]
pub struct NewEscalation {
    /// The event that tells the others.
    pub raised: EscalationRaised,
    /// The tenant's number.
    pub phone: Option<Phone>,
    /// Who raised it.
    pub by: String,
    /// Who should look.
    pub assigned_to: Option<String>,
}

impl NewEscalation {
    fn at(&self) -> DateTime<Utc> {
        self.raised.raised_at
    }
}

pub(super) async fn insert(tx: &mut Tx<'_>, rows: &[NewEscalation]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into escalation_events
           (id, workflow_id, conversation_id, tenant_id, tenant_name, phone_number,
            escalation_type, severity, reason, auto_detected, escalated_by, assigned_to,
            response_queue_id, created_at)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                              $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[],
                              $12::text[], $13::uuid[], $14::timestamptz[])",
    )
    .bind(column(rows, |r| r.raised.escalation_id.0))
    .bind(column(rows, |r| r.raised.workflow_id.0))
    .bind(column(rows, |r| r.raised.conversation_id.as_str()))
    .bind(column(rows, |r| r.raised.tenant_id.as_ref().map(TenantId::as_str)))
    .bind(column(rows, |r| r.raised.tenant_name.as_deref()))
    .bind(column(rows, |r| r.phone.as_ref().map(Phone::as_str)))
    .bind(column(rows, |r| r.raised.escalation_type.as_str()))
    .bind(column(rows, |r| r.raised.severity.as_str()))
    .bind(column(rows, |r| r.raised.reason.as_str()))
    .bind(column(rows, |r| r.raised.auto_detected))
    .bind(column(rows, |r| r.by.as_str()))
    .bind(column(rows, |r| r.assigned_to.as_deref()))
    .bind(column(rows, |r| r.raised.response_queue_id.map(|d| d.0)))
    .bind(column(rows, NewEscalation::at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
