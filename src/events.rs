//! The one list of events.
//!
//! A line in [`events!`] below gives an event its subject, its stream and its place in the story;
//! the struct gives the body; JSON Schemas, the AsyncAPI document and the README's tables are
//! generated from both and compared by a test. To add an event: a struct in `events/`, a line
//! here, `make contracts`, and an example in `subjects/` - the test names what is missing.

mod approval;
mod catalogue;
mod claim;
mod consent;
mod contact_window;
mod escalate;
mod escalation;
mod fields;
mod inbound;
mod neighbour;
mod plan;
mod reply;
mod retention;
mod retry;
mod timer;
mod turn;

pub use approval::{
    ApprovalApproved, ApprovalDecided, ApprovalEscalated, ApprovalModified, ApprovalRefused,
    ApprovalRequested, ApprovalSuperseded, Decided, DecisionAction,
};
pub use catalogue::{Entry, asyncapi, schema_of};
pub use claim::{ApprovalClaimed, ClaimRequested, ReleaseRequested};
pub use consent::{
    ConsentEntered, ConsentGranted, ConsentRevoked, HoldLifted, HoldPlaced, HoldRequested,
    LiftRequested, OptInProof, source_word,
};
pub use contact_window::{
    ContactWindowLifted, ContactWindowSet, WindowEntered, WindowLiftRequested,
};
pub use escalate::{AssignmentRequested, EscalationRequested, ResolutionRequested};
pub use escalation::{
    DeadLettered, EscalationAssigned, EscalationRaised, EscalationResolved, NotificationSent,
    WorkflowFailed,
};
pub use fields::{FieldError, Fields, Invalid, time};
pub use inbound::{Direction, SmsReceived};
pub use neighbour::CircuitChanged;
pub use plan::{FoundPlan, PlanDetected, PlanRequested};
pub use reply::{
    DeliveryDue, DeliveryFailed, DeliveryHeld, DeliverySuppressed, DraftedReply, ModelEscalation,
    ReplyApproved, ReplyDrafted, ReplySent,
};
pub use retention::RetentionPurged;
pub use retry::{LetterResolutionRequested, RedriveRequested, RetryRequested};
pub use timer::{ApprovalExpired, Awaited, EscalationOverdue, WorkflowDue};
pub use turn::{Neighbour, Turn, TurnFacts, TurnOpened, TurnReady};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Which JetStream stream keeps an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Texts and commands from outside; refuses when full, so that pressure is felt at the door.
    Inbound,
    /// The whole story, kept for days.
    Story,
    /// Work that could not be done.
    Dead,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Inbound, Self::Story, Self::Dead];

    /// Its name on the server, before any prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "ORCHESTRATOR_IN",
            Self::Story => "ORCHESTRATOR",
            Self::Dead => "ORCHESTRATOR_DEAD",
        }
    }
}

/// What a decoder may know besides the body.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// When the stream stored the message: the door's clock for relative rules.
    pub at: DateTime<Utc>,
    /// The header `Idempotency-Key`, which over NATS means what it means over HTTP.
    pub idempotency_key: Option<&'a str>,
}

/// A body with a subject of its own.
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Without the shared cluster's prefix.
    const SUBJECT: &'static str;
    /// Where it is kept.
    const STREAM: Stream;
    /// Raised only for a change that is not an added field.
    const VERSION: u32 = 1;

    /// Reads a body. Our own events are written by us and read by the letter; bodies from outside
    /// override this with the lenient rules of the HTTP contract.
    fn decode(body: &[u8], _received: Received<'_>) -> Result<Self, Invalid> {
        serde_json::from_slice(body).map_err(|error| Invalid::json(&error))
    }
}

/// What a stage reads: one event, or an enum over several.
pub trait StageInput: Send + Sync + Sized + 'static {
    /// The subjects its consumer filters on.
    const SUBJECTS: &'static [&'static str];
    /// Reads the body that came on `subject`.
    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid>;
}

impl<E: Event> StageInput for E {
    const SUBJECTS: &'static [&'static str] = &[E::SUBJECT];
    fn decode(_subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        <E as Event>::decode(body, received)
    }
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $subject:literal in $stream:ident, from $sender:literal, to $readers:literal;)*) => {
        $(impl_event!($name, $subject, $stream);)*

        /// Every event, in story order.
        pub static CATALOGUE: &[Entry] = &[$(Entry {
            name: stringify!($name),
            subject: $subject,
            version: <$name as Event>::VERSION,
            stream: Stream::$stream,
            doc: concat!($($doc),+),
            sender: $sender,
            readers: $readers,
            schema: schema_of::<$name>,
            check: |body, received| <$name as Event>::decode(body, received).map(|_| ()),
        }),*];
    };
}

macro_rules! impl_event {
    // What comes from outside is read by the contract's lenient rules.
    ($name:ident, $subject:literal, Inbound) => {
        impl Event for $name {
            const SUBJECT: &'static str = $subject;
            const STREAM: Stream = Stream::Inbound;
            fn decode(body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
                $name::parse(&Fields::from_json(body)?, received)
            }
        }
    };
    ($name:ident, $subject:literal, $stream:ident) => {
        impl Event for $name {
            const SUBJECT: &'static str = $subject;
            const STREAM: Stream = Stream::$stream;
        }
    };
}

events! {
    /// A text reached the company. Published by the SMS Agent itself or by the bridge; the body is
    /// the body of `POST /orchestrate/sms-received`, with or without CloudEvents headers.
    SmsReceived = "sms.received" in Inbound, from "SMS Agent, bridge", to "intake";
    /// The open texts of a conversation form a turn that wants an answer. A later turn of the same
    /// conversation replaces it.
    TurnOpened = "turn.opened" in Story, from "intake, decide, retry", to "context";
    /// Tenant and history are there, or known to be missing.
    TurnReady = "turn.ready" in Story, from "context", to "draft";
    /// The model wrote a reply; nobody has released it.
    ReplyDrafted = "reply.drafted" in Story, from "draft", to "route";
    /// A manager has to decide about a draft.
    ApprovalRequested = "approval.requested" in Story, from "route", to "notify, dashboards";
    /// A newer text replaced a draft that was waiting.
    ApprovalSuperseded = "approval.superseded" in Story, from "intake", to "dashboards";
    /// Somebody's decision about a draft: a command, not yet a fact. The body is the body of
    /// `POST /orchestrate/approve-response`.
    ApprovalDecided = "approval.decided" in Inbound, from "bridge, deciding services", to "decide";
    /// Somebody asks for the verdict on a plan: a command. The body is the body of
    /// `POST /orchestrate/payment-plan-detected`.
    PlanRequested = "command.payment_plan" in Inbound, from "bridge, other services", to "plan";
    /// A payment plan was found and judged. Nothing is agreed by it.
    PlanDetected = "payment_plan.detected" in Story, from "context, draft, plan", to "notify, dashboards";
    /// A manager takes a draft to work on it: a command.
    ClaimRequested = "command.approval_claim" in Inbound, from "bridge, other services", to "claim";
    /// A manager gives a draft back: a command.
    ReleaseRequested = "command.approval_release" in Inbound, from "bridge, other services", to "claim";
    /// A manager works on a draft, or does no longer.
    ApprovalClaimed = "approval.claimed" in Story, from "claim", to "dashboards";
    /// A draft was released as written, or with the text the decision named.
    ApprovalApproved = "approval.approved" in Story, from "decide", to "dashboards";
    /// A draft was released with a manager's own text.
    ApprovalModified = "approval.modified" in Story, from "decide", to "dashboards";
    /// A draft was taken over by a person; nothing is sent.
    ApprovalEscalated = "approval.escalated" in Story, from "decide", to "dashboards";
    /// A decision came too late, twice or for nothing; the body says why.
    ApprovalRefused = "approval.refused" in Story, from "decide", to "dashboards";
    /// A text was released and may be sent once.
    ReplyApproved = "reply.approved" in Story, from "intake, route, decide", to "deliver";
    /// A released text may not leave at this hour; it waits in Postgres.
    DeliveryHeld = "delivery.held" in Story, from "deliver", to "dashboards";
    /// The hour has come for a text that had to wait. The gate is asked again.
    DeliveryDue = "delivery.due" in Story, from "the alarm", to "deliver";
    /// The SMS Agent accepted a text.
    ReplySent = "reply.sent" in Story, from "deliver", to "dashboards";
    /// A text will not be sent: refused for good, or its fate is unknown and a person must look.
    DeliveryFailed = "delivery.failed" in Story, from "deliver", to "dashboards";
    /// A released text was not sent: the number may not be texted, a rule forbids it, or it has been
    /// overtaken.
    DeliverySuppressed = "delivery.suppressed" in Story, from "deliver", to "dashboards";
    /// A person has to look.
    EscalationRaised = "escalation.raised" in Story, from "intake, context, draft, route, decide, deliver, escalate, timer", to "notify, dashboards";
    /// Somebody wants a person to look: a command. The body is the body of
    /// `POST /orchestrate/escalate`.
    EscalationRequested = "command.escalate" in Inbound, from "bridge, other services", to "escalate";
    /// Somebody wants a workflow tried again: a command. The body is the body of
    /// `POST /orchestrate/retry/{workflow_id}`, with the id in it.
    RetryRequested = "command.retry" in Inbound, from "bridge, other services", to "retry";
    /// Somebody wants a parked message worked on again: a command.
    RedriveRequested = "command.redrive" in Inbound, from "bridge, other services", to "retry";
    /// Somebody is done with a parked message: a command.
    LetterResolutionRequested = "command.dead_letter_resolve" in Inbound, from "bridge, other services", to "retry";
    /// Somebody is done with an escalation: a command.
    ResolutionRequested = "command.escalation_resolve" in Inbound, from "bridge, other services", to "escalate";
    /// Somebody takes an escalation over: a command.
    AssignmentRequested = "command.escalation_assign" in Inbound, from "bridge, other services", to "escalate";
    /// Something has not happened in time: a decision, an answer, the end of an escalation.
    WorkflowDue = "workflow.due" in Story, from "the alarm", to "timer";
    /// Nobody decided about a draft in time; it may still be decided.
    ApprovalExpired = "approval.expired" in Story, from "timer", to "dashboards";
    /// Nobody was done with an escalation in time.
    EscalationOverdue = "escalation.overdue" in Story, from "timer", to "notify, dashboards";
    /// A person has taken an escalation over.
    EscalationAssigned = "escalation.assigned" in Story, from "escalate", to "dashboards";
    /// An escalation is done.
    EscalationResolved = "escalation.resolved" in Story, from "escalate", to "dashboards";
    /// A number may not be texted any more.
    ConsentRevoked = "consent.revoked" in Story, from "intake, deliver, ledger", to "dashboards";
    /// A number may be texted again.
    ConsentGranted = "consent.granted" in Story, from "intake, ledger", to "dashboards";
    /// A manager enters what a tenant said about being texted: a command. The body is the body of
    /// `POST /orchestrate/consents`.
    ConsentEntered = "command.consent" in Inbound, from "bridge, other services", to "ledger";
    /// A number wants no texts at certain hours.
    ContactWindowSet = "consent.window_set" in Story, from "intake, ledger", to "dashboards";
    /// Such hours count no longer.
    ContactWindowLifted = "consent.window_lifted" in Story, from "ledger", to "dashboards";
    /// A manager enters when a number wants no texts: a command. The body is the body of
    /// `POST /orchestrate/contact-windows`.
    WindowEntered = "command.contact_window" in Inbound, from "bridge, other services", to "ledger";
    /// A manager lifts such hours: a command. The body is the body of
    /// `POST /orchestrate/contact-windows/{id}/lift` with the entry's id.
    WindowLiftRequested = "command.lift_contact_window" in Inbound, from "bridge, other services", to "ledger";
    /// A manager holds a number or a tenant: a command. The body is the body of
    /// `POST /orchestrate/holds`.
    HoldRequested = "command.hold" in Inbound, from "bridge, other services", to "ledger";
    /// A manager lifts a hold: a command. The body is the body of `POST /orchestrate/holds/{id}/lift`
    /// with the hold's id.
    LiftRequested = "command.lift_hold" in Inbound, from "bridge, other services", to "ledger";
    /// Nothing is texted to a number or a tenant until a manager lifts this.
    HoldPlaced = "hold.placed" in Story, from "intake, ledger", to "dashboards";
    /// A hold stands no longer.
    HoldLifted = "hold.lifted" in Story, from "ledger", to "dashboards";
    /// Managers were told.
    NotificationSent = "notification.sent" in Story, from "notify", to "dashboards";
    /// A neighbour is not asked for a while, or is asked again. Best effort: the process's metrics
    /// have the truth.
    CircuitChanged = "neighbour.circuit_changed" in Story, from "every process", to "dashboards";
    /// A workflow could not be finished; its dead letter says why.
    WorkflowFailed = "workflow.failed" in Story, from "every stage", to "notify, dashboards";
    /// Old conversations were purged: how many rows of which table, and nothing about anybody.
    RetentionPurged = "retention.purged" in Story, from "retention", to "operators";
    /// A message that cannot be worked on, as it came, with the reason. A copy: Postgres has the truth.
    DeadLettered = "dead.letter" in Dead, from "every stage", to "operators";
}
