//! The states and words of a workflow (`http-api.md` §2, §6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] #[schema(rename = $word)] $variant,)* }

        impl $name {
            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
            /// Reads the exact word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What a workflow is about.
    WorkflowType {
        /// A tenant's text.
        SmsProcessing = "sms_processing",
        /// A plan that another service asked about.
        PaymentPlanValidation = "payment_plan_validation",
        /// An escalation that no text of ours caused.
        Escalation = "escalation",
    }
}

words! {
    /// Where a workflow stands.
    WorkflowStatus {
        /// Stored, nothing decided.
        Received = "received",
        /// A stage has begun.
        Processing = "processing",
        /// A manager has to decide about the draft.
        AwaitingApproval = "awaiting_approval",
        /// The SMS Agent took the text. Final.
        Sent = "sent",
        /// A person has it.
        Escalated = "escalated",
        /// We could not finish it; a dead letter says why.
        Failed = "failed",
        /// Closed without a text of its own. Final.
        Completed = "completed",
    }
}

impl WorkflowStatus {
    /// The dashboard's word (`http-api.md` §6.1).
    pub fn dashboard(self) -> &'static str {
        match self {
            Self::Received => "pending",
            Self::Processing | Self::AwaitingApproval => "processing",
            Self::Sent | Self::Completed | Self::Escalated => "completed",
            Self::Failed => "failed",
        }
    }
}

words! {
    /// What was decided about a text: `action_taken`.
    Action {
        /// Accepted for delivery without a person.
        AutoSent = "auto_sent",
        /// A manager decides.
        QueuedForApproval = "queued_for_approval",
        /// A person takes over.
        Escalated = "escalated",
        /// Nothing may be texted.
        Suppressed = "suppressed",
        /// Not a tenant's text.
        Ignored = "ignored",
        /// Not decided yet.
        Pending = "pending",
        /// Answered together with a later text.
        Merged = "merged",
    }
}

words! {
    /// How a workflow ended: `metadata.outcome`.
    Outcome {
        /// Sent without a person.
        AutoSent = "auto_sent",
        /// Sent as drafted, by a manager.
        ManagerApproved = "manager_approved",
        /// Sent as a manager changed it.
        ManagerModified = "manager_modified",
        /// Given to a person.
        Escalated = "escalated",
        /// Nothing may be texted.
        Suppressed = "suppressed",
        /// Answered together with a later text.
        Merged = "merged",
        /// Not finished.
        Failed = "failed",
    }
}

words! {
    /// The steps a reader of the audit trail sees; exact names (`http-api.md` §6.1).
    StepName {
        /// The text is stored.
        SmsReceived = "sms_received",
        /// The Monitor answered.
        TenantContextLoaded = "tenant_context_loaded",
        /// The SMS Agent's history is there.
        ConversationHistoryLoaded = "conversation_history_loaded",
        /// The model answered.
        AiResponseGenerated = "ai_response_generated",
        /// Triggers were looked for.
        EscalationCheck = "escalation_check",
        /// Plans were looked for.
        PaymentPlanCheck = "payment_plan_check",
        /// The score was compared with the thresholds.
        ConfidenceEvaluated = "confidence_evaluated",
        /// A manager was asked.
        QueuedForApproval = "queued_for_approval",
        /// A manager decided.
        ManagerApproval = "manager_approval",
        /// The SMS Agent took the text.
        ResponseSent = "response_sent",
        /// A person took over.
        Escalated = "escalated",
        /// A manager was told.
        NotificationSent = "notification_sent",
        /// Somebody started the workflow again.
        WorkflowRetry = "workflow_retry",
    }
}

impl StepName {
    /// The step's category (`step_type`).
    pub fn step_type(self) -> &'static str {
        match self {
            Self::TenantContextLoaded | Self::ConversationHistoryLoaded | Self::ResponseSent => {
                "api_call"
            }
            Self::AiResponseGenerated => "ai_processing",
            Self::NotificationSent => "notification",
            _ => "database_operation",
        }
    }

    /// How many steps a text passes on the longest way: the contract's `total_steps`.
    pub const TOTAL: u32 = 9;
}

words! {
    /// How a step ended.
    StepStatus {
        /// Done.
        Completed = "completed",
        /// Tried and not done.
        Failed = "failed",
        /// Not needed, or overtaken.
        Skipped = "skipped",
    }
}

words! {
    /// Why a draft waits for a manager.
    RoutingReason {
        /// The score is between the thresholds.
        ConfidenceInManualBand = "confidence_in_manual_band",
        /// A neighbour was missing.
        DegradedContext = "degraded_context",
        /// The proposed plan needs a person.
        PlanNeedsReview = "plan_needs_review",
        /// The proposed plan breaks the rules.
        PlanInvalid = "plan_invalid",
        /// The tenant describes a hardship.
        Hardship = "hardship",
        /// The account says that a legal case is open.
        LegalCase = "legal_case",
        /// `AUTONOMY_MODE=draft_only`.
        Autonomy = "autonomy",
        /// The drafted text says something that a rule forbids.
        RuleRefused = "rule_refused",
        /// A retry after a text had gone out.
        RetryAfterSend = "retry_after_send",
    }
}

words! {
    /// Who released a text.
    DeliveryKind {
        /// The thresholds did.
        Auto = "auto",
        /// A manager did, as drafted.
        Approved = "approved",
        /// A manager did, with changes.
        Modified = "modified",
        /// A text that answers nothing: ours to begin.
        Reminder = "reminder",
        /// The one confirmation of an opt-out.
        Confirmation = "confirmation",
        /// The fixed answer to HELP.
        Help = "help",
        /// The fixed answer to somebody who may be in danger.
        Crisis = "crisis",
    }
}

impl DeliveryKind {
    /// Every kind: whoever adds one has to say how the gate treats it.
    pub const ALL: [Self; 7] = [
        Self::Auto,
        Self::Approved,
        Self::Modified,
        Self::Reminder,
        Self::Confirmation,
        Self::Help,
        Self::Crisis,
    ];

    /// Written by people once, word for word; never about anybody's rent.
    pub fn is_fixed(self) -> bool {
        matches!(self, Self::Confirmation | Self::Help | Self::Crisis)
    }

    /// Begins something instead of answering.
    pub fn is_started(self) -> bool {
        self == Self::Reminder
    }
}
