//! The permit: made by the gate, wanted by everything that sends.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Request, RuleId};
use crate::domain::{DeliveryId, DeliveryKind, Phone};

/// One text may leave for one number, decided at one moment. Its fields are private and nothing but
/// the gate can make one, so a text without a permit is code that does not compile:
///
/// ```compile_fail
/// use orchestrator::rules::gate::Permit;
/// let forged = Permit { text: "You owe us.".to_owned() };
/// ```
///
/// It cannot be read from anywhere either, and it is used up by the attempt it was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    id: Uuid,
    delivery: DeliveryId,
    to: Phone,
    text: String,
    kind: DeliveryKind,
    rules: Vec<RuleId>,
    inputs: [u8; 32],
    at: DateTime<Utc>,
}

impl Permit {
    /// For [`super::Gate::judge`] alone.
    pub(super) fn new(
        request: &Request<'_>,
        rules: Vec<RuleId>,
        inputs: [u8; 32],
        at: DateTime<Utc>,
    ) -> Self {
        let moment = at.timestamp_micros().to_string();
        Self {
            // Derived: a decision that is taken twice gives the same permit both times.
            id: Uuid::new_v5(&request.delivery.0, moment.as_bytes()),
            delivery: request.delivery,
            to: request.to.clone(),
            text: request.text.to_owned(),
            kind: request.kind,
            rules,
            inputs,
            at,
        }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The text's id: the `Idempotency-Key` towards the agent.
    pub fn delivery(&self) -> DeliveryId {
        self.delivery
    }

    /// The addressee.
    pub fn to(&self) -> &Phone {
        &self.to
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What kind of text it is.
    pub fn kind(&self) -> DeliveryKind {
        self.kind
    }

    /// The rules it was measured by.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// SHA-256 over what the verdict follows from.
    pub fn inputs(&self) -> &[u8; 32] {
        &self.inputs
    }

    /// When it was given: the moment of the send intent.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}
