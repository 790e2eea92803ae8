//! The identifiers of the service, each its own type, so that a draft's id cannot be handed to a
//! function that wants a workflow's. Forms on the wire: `http-api.md` §0.3.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, emit: $emit:literal, accept: [$($accept:literal),*]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Reads the id with or without its prefix. Any other form is simply an unknown id:
            /// callers answer 404, never 422 (`http-api.md` §0.3).
            pub fn parse(text: &str) -> Option<Self> {
                let bare = [$emit, $($accept),*]
                    .into_iter()
                    .filter(|prefix| !prefix.is_empty())
                    .find_map(|prefix| text.strip_prefix(prefix))
                    .unwrap_or(text);
                Uuid::try_parse(bare).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $emit, self.0)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(concat!("not a ", stringify!($name)))
                })
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $emit, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
                })
            }
        }
    };
}

uuid_id!(
    /// One inbound text and everything it caused.
    WorkflowId, emit: "workflow-", accept: []
);
uuid_id!(
    /// A drafted reply: `response_queue_id` on the wire.
    DraftId, emit: "", accept: ["resp_", "queue-"]
);
uuid_id!(
    /// Something a person has to look at.
    EscalationId, emit: "esc_", accept: []
);
uuid_id!(
    /// A payment plan somebody proposed.
    PlanId, emit: "pp_", accept: []
);
uuid_id!(
    /// Why somebody may not be texted until a manager says otherwise.
    HoldId, emit: "hold_", accept: []
);
uuid_id!(
    /// Hours in which a number does not want texts.
    ContactWindowId, emit: "cw_", accept: []
);
uuid_id!(
    /// Work that could not be done.
    DeadLetterId, emit: "dl_", accept: []
);
uuid_id!(
    /// One text to one phone, whatever the number of attempts: the `Idempotency-Key` towards the SMS Agent.
    DeliveryId, emit: "", accept: []
);
uuid_id!(
    /// One message on a subject: `ce-id`, `Nats-Msg-Id` and the key of the handled mark.
    EventId, emit: "", accept: []
);

impl EventId {
    /// The id of the `ordinal`-th event that `stage` emits because of `self`. The same on every run,
    /// which is what makes a second publish after a crash harmless.
    pub fn caused(self, stage: &str, ordinal: usize) -> Self {
        Self(Uuid::new_v5(
            &self.0,
            format!("{stage}/{ordinal}").as_bytes(),
        ))
    }

    /// An id for a row that handling `self` creates. Derived, not drawn, so that a decision taken
    /// twice (redelivery, rolled back batch) names the same row both times.
    pub fn row(self, what: &str) -> Uuid {
        Uuid::new_v5(&self.0, what.as_bytes())
    }

    /// A part of `within` that is its own: so that those who wait for the same thing do not come
    /// back in the same moment. Derived, because decisions draw nothing.
    pub fn share_of(self, within: std::time::Duration) -> std::time::Duration {
        let (_, low) = self.0.as_u64_pair();
        within.mul_f64((low % 1000) as f64 / 1000.0)
    }
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing left after trimming.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit of its kind.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// A character outside the kind's alphabet.
    #[error("may only contain letters, digits and _ . : + @ -")]
    Alphabet,
}

/// The neighbours' name for a conversation: opaque text, 1-128 of `[A-Za-z0-9_.:+@-]`, never
/// required to be a UUID (conflicts C5).
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ConversationId(String);

impl ConversationId {
    /// Checks length and alphabet.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.len() > 128 {
            return Err(InvalidId::TooLong(128));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:+@-".contains(&b);
        if !text.bytes().all(allowed) {
            return Err(InvalidId::Alphabet);
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes a value that was checked when it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The Collections Monitor's name for a tenant: text of 1-100 characters, numbers allowed.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    /// Checks the length.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.chars().count() > 100 {
            return Err(InvalidId::TooLong(100));
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes a value that was checked when it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the Monitor could know this id: 1-50 of `[A-Za-z0-9_-]` (`upstreams.md` §1.1). Any
    /// other id is treated as not found without a call.
    pub fn is_known_form(&self) -> bool {
        (1..=50).contains(&self.0.len())
            && self
                .0
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = "0b0e7d52-5b1c-4f38-9d0a-1c2d3e4f5a6b";

    #[test]
    fn ids_are_read_with_and_without_their_prefix() {
        for text in [BARE.to_owned(), format!("workflow-{BARE}")] {
            let id = WorkflowId::parse(&text).expect("a workflow id");
            assert_eq!(id.to_string(), format!("workflow-{BARE}"));
        }
        for text in [
            BARE.to_owned(),
            format!("resp_{BARE}"),
            format!("queue-{BARE}"),
        ] {
            assert_eq!(DraftId::parse(&text).expect("a draft id").to_string(), BARE);
        }
        for text in [
            "",
            "queue-uuid-123",
            "workflow-",
            "workflow-workflow-",
            "esc_789jkl",
        ] {
            assert_eq!(WorkflowId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn conversation_ids_are_opaque_text_within_limits() {
        for good in ["1", "conv-uuid-123", "sms-12025550143", "a.b:c+d@e_f-g"] {
            assert!(ConversationId::parse(good).is_ok(), "{good}");
        }
        assert_eq!(ConversationId::parse("  "), Err(InvalidId::Empty));
        assert_eq!(ConversationId::parse("a b"), Err(InvalidId::Alphabet));
        assert_eq!(
            ConversationId::parse(&"x".repeat(129)),
            Err(InvalidId::TooLong(128))
        );
    }

    #[test]
    fn what_an_event_causes_has_the_same_id_every_time() {
        let cause = EventId(Uuid::nil());
        assert_eq!(cause.caused("route", 0), cause.caused("route", 0));
        assert_ne!(cause.caused("route", 0), cause.caused("route", 1));
        assert_ne!(cause.caused("route", 0), cause.caused("draft", 0));
    }
}
