//! What tenants write, and from where.

use serde_json::{Value, json};

/// A phone number per conversation.
pub(crate) fn phone_of(conversation: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    conversation.hash(&mut hasher);
    // Ten digits of hash: with seven, two of two thousand conversations shared a phone.
    format!("+1{:010}", hasher.finish() % 10_000_000_000)
}

/// The body of a tenant's text.
pub(crate) fn sms(conversation: &str, content: &str) -> Value {
    json!({
        "tenant_id": "12345",
        "phone_number": phone_of(conversation),
        "content": content,
        "conversation_id": conversation,
    })
}
