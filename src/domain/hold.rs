//! Why a tenant or a number may not be texted although nobody opted out (`rules.md` R13-R16, R21-R23).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EscalationType;

macro_rules! hold_kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, rule: $rule:literal;)*) => {
        /// What a hold is about. While it stands nothing is texted, whoever releases it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
        pub enum HoldKind { $($(#[$doc])* #[serde(rename = $word)] #[schema(rename = $word)] $variant,)* }

        impl HoldKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word, ignoring case.
            pub fn parse(text: &str) -> Option<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The rule that asks for it.
            pub fn rule(self) -> &'static str {
                match self { $(Self::$variant => $rule,)* }
            }
        }
    };
}

hold_kinds! {
    /// A lawyer was named or claimed: only the lawyer may be written to.
    Attorney = "attorney", rule: "R13";
    /// Bankruptcy: the automatic stay.
    Bankruptcy = "bankruptcy", rule: "R14";
    /// The debt is contested: no demand until a manager has verified it.
    Dispute = "dispute", rule: "R15";
    /// "Leave me alone", "I refuse to pay": only a person may send the one notice that is left.
    Cease = "cease", rule: "R16";
    /// Somebody else has the number.
    WrongNumber = "wrong_number", rule: "R21";
    /// A life may be in danger: a person takes over.
    SelfHarm = "self_harm", rule: "R22";
    /// Violence, a death, a minor, military service: not for a machine.
    Crisis = "crisis", rule: "R23";
    /// A manager's own reason.
    Manual = "manual", rule: "hold";
}

impl HoldKind {
    /// The hold that something in a tenant's text causes.
    pub fn caused_by(trigger: EscalationType) -> Option<Self> {
        match trigger {
            EscalationType::AttorneyRepresented => Some(Self::Attorney),
            EscalationType::Bankruptcy => Some(Self::Bankruptcy),
            EscalationType::PaymentDispute => Some(Self::Dispute),
            EscalationType::WrongNumber => Some(Self::WrongNumber),
            EscalationType::SelfHarm => Some(Self::SelfHarm),
            _ => None,
        }
    }

    /// Whether it is about the tenant, wherever they write from. A wrong number says nothing about
    /// the tenant who was sought.
    pub fn follows_the_tenant(self) -> bool {
        self != Self::WrongNumber
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for kind in HoldKind::ALL {
            assert_eq!(HoldKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(HoldKind::parse(" Attorney "), Some(HoldKind::Attorney));
        assert_eq!(HoldKind::parse("lawyer"), None);
    }
}
