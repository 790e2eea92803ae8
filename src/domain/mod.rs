//! The words of the service: values that are parsed once at the door and cannot be wrong afterwards.

pub mod arrival;
pub mod confidence;
pub mod cost;
pub mod escalation;
pub mod finding;
pub mod hold;
pub mod ids;
pub mod language;
pub mod money;
pub mod phone;
pub mod quiet;
pub mod tenant;
pub mod text;
pub mod workflow;

pub use arrival::Arrival;
pub use confidence::Confidence;
pub use cost::{MicroUsd, Prices};
pub use escalation::{EscalationType, Severity};
pub use finding::Finding;
pub use hold::HoldKind;
pub use ids::{
    ContactWindowId, ConversationId, DeadLetterId, DeliveryId, DraftId, EscalationId, EventId,
    HoldId, PlanId, TenantId, WorkflowId,
};
pub use language::Language;
pub use money::Cents;
pub use phone::Phone;
pub use quiet::{Days, Quiet};
pub use tenant::{HistoryEntry, TenantContext};
pub use text::{OpenText, PlanOffer};
pub use workflow::{
    Action, DeliveryKind, Outcome, RoutingReason, StepName, StepStatus, WorkflowStatus,
    WorkflowType,
};
