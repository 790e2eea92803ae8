//! Why a person has to look, and how urgently (`http-api.md` §5).

use std::fmt;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! escalation_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, severity: $severity:ident, said: $said:literal $(, alias: $alias:literal)*;)*) => {
        /// The thirteen triggers of the labelling guide and seven causes of our own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
        pub enum EscalationType {
            $($(#[$doc])* #[serde(rename = $name)] #[schema(rename = $name)] $variant,)*
        }

        impl EscalationType {
            /// Every type, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Reads a canonical name or an accepted alias, ignoring case.
            pub fn parse(text: &str) -> Option<Self> {
                let text = text.trim().to_ascii_lowercase();
                match text.as_str() {
                    $($name $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// How urgent the type is when nobody says otherwise.
            pub fn default_severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// The dashboard's word for the type (§5).
            pub fn dashboard(self) -> &'static str {
                match self {
                    Self::HostileLanguage | Self::LegalThreat | Self::MediaOrRegulatorThreat => "threatening",
                    Self::PaymentDispute => "amount_dispute",
                    Self::DeliveryFailed => "phone_failed",
                    Self::NoResponse => "no_response",
                    _ => "complex_situation",
                }
            }

            /// The sentence a manager reads when no reason was given.
            pub fn default_reason(self) -> &'static str {
                match self { $(Self::$variant => $said,)* }
            }
        }
    };
}

escalation_types! {
    /// Insults or threats of harm aimed at the staff.
    HostileLanguage = "hostile_language", severity: High, said: "The tenant's language is hostile.",
        alias: "threatening", alias: "customer_anger", alias: "hostile";
    /// The tenant says they may take legal action.
    LegalThreat = "legal_threat", severity: High, said: "The tenant threatens legal action.",
        alias: "legal_request", alias: "legal";
    /// The tenant has a lawyer in this matter.
    AttorneyRepresented = "attorney_represented", severity: High, said: "The tenant says an attorney represents them.";
    /// The tenant contests the debt.
    PaymentDispute = "payment_dispute", severity: Medium, said: "The tenant disputes what is owed.",
        alias: "amount_dispute", alias: "dispute";
    /// A plan longer or smaller than any we may accept.
    UnrealisticProposal = "unrealistic_proposal", severity: Medium, said: "The proposed plan is outside the limits.";
    /// The tenant wants a manager.
    SupervisorRequest = "supervisor_request", severity: Medium, said: "The tenant asks for a manager.";
    /// A cause in the tenant's life that hurts their ability to pay.
    Hardship = "hardship", severity: Medium, said: "The tenant describes a hardship.";
    /// The tenant may hurt themselves.
    SelfHarm = "self_harm", severity: Critical, said: "The tenant may be in danger. Please call now.";
    /// Bankruptcy filed or considered.
    Bankruptcy = "bankruptcy", severity: High, said: "The tenant mentions bankruptcy.";
    /// We reached somebody else.
    WrongNumber = "wrong_number", severity: Medium, said: "The number seems to belong to somebody else.";
    /// The tenant does not want texts.
    OptOut = "opt_out", severity: Medium, said: "The tenant asked not to be texted.";
    /// The tenant asks for help or a person.
    HelpRequest = "help_request", severity: Medium, said: "The tenant asks for help.";
    /// The tenant will go to the press or a regulator.
    MediaOrRegulatorThreat = "media_or_regulator_threat", severity: High, said: "The tenant threatens to go to the press or a regulator.";
    /// No answer for the configured time.
    NoResponse = "no_response", severity: Medium, said: "The tenant has not answered.",
        alias: "timeout", alias: "no_response_36_hours";
    /// The draft is not good enough to show.
    LowConfidence = "low_confidence", severity: Medium, said: "The drafted reply is too uncertain.";
    /// Nobody knows who wrote.
    UnknownTenant = "unknown_tenant", severity: Medium, said: "The sender is not a known tenant.";
    /// No usable draft could be had.
    AiUnavailable = "ai_unavailable", severity: High, said: "No reply could be drafted.";
    /// The text could not be delivered.
    DeliveryFailed = "delivery_failed", severity: High, said: "The text could not be delivered.",
        alias: "phone_failed";
    /// Nobody decided in time.
    ApprovalTimeout = "approval_timeout", severity: Medium, said: "The drafted reply was not decided in time.";
    /// A person asked for it.
    Manual = "manual", severity: Medium, said: "Escalated by a manager.",
        alias: "formal_complaint", alias: "customer_confusion", alias: "general_dissatisfaction",
        alias: "complex_situation", alias: "other";
}

impl fmt::Display for EscalationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How soon a person has to look.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The next business day will do.
    Low,
    /// The same day.
    Medium,
    /// Within the hour.
    High,
    /// Now.
    Critical,
}

impl Severity {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads our scale and the dashboard's (conflicts C26), ignoring case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "low" | "next_business_day" => Some(Self::Low),
            "medium" | "same_day" | "normal" => Some(Self::Medium),
            "high" => Some(Self::High),
            "critical" | "urgent" | "immediate" => Some(Self::Critical),
            _ => None,
        }
    }

    /// The dashboard's word for an escalation's urgency (§5): silence can wait.
    pub fn dashboard_priority(self, kind: EscalationType) -> &'static str {
        match self {
            Self::Low => "next_business_day",
            Self::Medium if kind == EscalationType::NoResponse => "next_business_day",
            Self::Medium => "same_day",
            Self::High | Self::Critical => "immediate",
        }
    }

    /// Within which time somebody is expected to be done with it (§5.2).
    pub fn expected_within(self) -> TimeDelta {
        match self {
            Self::Critical | Self::High => TimeDelta::hours(1),
            Self::Medium => TimeDelta::hours(8),
            Self::Low => TimeDelta::hours(24),
        }
    }

    /// The Notification service's word for it (`upstreams.md` §3.1: it has no `medium`).
    pub fn notification_priority(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_is_read_back() {
        for kind in EscalationType::ALL {
            assert_eq!(EscalationType::parse(kind.as_str()), Some(*kind));
        }
        let cases = [
            ("TIMEOUT", EscalationType::NoResponse),
            ("customer_anger", EscalationType::HostileLanguage),
            ("amount_dispute", EscalationType::PaymentDispute),
            ("phone_failed", EscalationType::DeliveryFailed),
            ("other", EscalationType::Manual),
        ];
        for (said, kind) in cases {
            assert_eq!(EscalationType::parse(said), Some(kind), "{said}");
        }
        assert_eq!(EscalationType::parse("angry"), None);
    }

    #[test]
    fn severities_follow_the_contract() {
        use EscalationType as T;
        assert_eq!(T::SelfHarm.default_severity(), Severity::Critical);
        for high in [
            T::HostileLanguage,
            T::LegalThreat,
            T::AttorneyRepresented,
            T::Bankruptcy,
            T::MediaOrRegulatorThreat,
            T::AiUnavailable,
            T::DeliveryFailed,
        ] {
            assert_eq!(high.default_severity(), Severity::High, "{high}");
        }
        assert_eq!(T::PaymentDispute.default_severity(), Severity::Medium);
        assert_eq!(Severity::parse("Immediate"), Some(Severity::Critical));
        assert_eq!(Severity::parse("same_day"), Some(Severity::Medium));
    }
}
