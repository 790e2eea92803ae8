//! `consent.*`, `hold.*` and the commands that managers give about them: who may be texted.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fields, Invalid, Received};
use crate::domain::{ConversationId, HoldId, HoldKind, Phone, TenantId, WorkflowId};

/// A number may not be texted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentRevoked {
    /// The number: revocation holds for every tenant on it (`rules.md` R5).
    pub phone_number: Phone,
    /// Where it was said, when it was said in a text or shown by one.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of that text.
    pub workflow_id: Option<WorkflowId>,
    /// `keyword`, `wording`, `manager`, `email`, `voicemail` or `carrier`.
    pub source: String,
    /// The manager who entered it.
    #[serde(default)]
    pub entered_by: Option<String>,
    /// When it reached us.
    pub revoked_at: DateTime<Utc>,
}

/// A number may be texted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentGranted {
    /// The number.
    pub phone_number: Phone,
    /// Where it was said, when it was said in a text.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of that text.
    pub workflow_id: Option<WorkflowId>,
    /// `keyword`, `manager`, `email` or `voicemail`.
    pub source: String,
    /// The manager who entered it.
    pub entered_by: Option<String>,
    /// Whether there is a proof that lets us begin, not only reply (`rules.md` R31).
    #[serde(default)]
    pub proven: bool,
    /// When it reached us.
    pub granted_at: DateTime<Utc>,
}

/// Nothing is texted to a number or a tenant until a manager lifts this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldPlaced {
    /// The hold.
    pub hold_id: HoldId,
    /// What it is about.
    pub kind: HoldKind,
    /// The number it holds.
    pub phone_number: Option<Phone>,
    /// The tenant it holds, wherever they write from.
    pub tenant_id: Option<TenantId>,
    /// Where it was caused.
    pub conversation_id: Option<ConversationId>,
    /// A sentence for whoever may lift it.
    pub reason: String,
    /// A manager, or `system`.
    pub placed_by: String,
    /// When.
    pub placed_at: DateTime<Utc>,
}

/// A hold stands no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldLifted {
    /// The hold.
    pub hold_id: HoldId,
    /// What it was about.
    pub kind: String,
    /// The number it held.
    pub phone_number: Option<Phone>,
    /// The tenant it held.
    pub tenant_id: Option<TenantId>,
    /// Who lifted it.
    pub lifted_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub lifted_at: DateTime<Utc>,
}

/// How a manager learned what a tenant wants: an opt-out may come any way (`rules.md` R2).
const SOURCES: [&str; 3] = ["manager", "email", "voicemail"];

/// A manager enters what a tenant said about being texted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentEntered {
    /// The number.
    pub phone_number: Phone,
    /// Whether texts are unwanted from now on.
    pub opted_out: bool,
    /// `manager`, `email` or `voicemail`.
    pub source: String,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The proof that lets us begin; without it a consent lets us reply (`rules.md` R31).
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub proof: Option<OptInProof>,
    /// Who enters it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
}

impl ConsentEntered {
    /// Reads the body by the contract's lenient rules.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let phone = fields.required_text(&["phone_number", "customer_phone"], 64);
        let phone_number = fields.parsed("phone_number", phone, Phone::parse);
        let opted_out = fields.boolean(&["opted_out"]);
        if opted_out.is_none() {
            fields.missing("opted_out");
        }
        let source = source_of(fields);
        let proof = OptInProof::parse(fields, opted_out == Some(false));
        let note = fields.text(&["note", "reason", "notes"], 2000);
        let manager_id = fields.text(&["manager_id", "entered_by"], 100);
        if opted_out == Some(false) && note.is_none() {
            fields.missing("note");
        }
        let phone_number = fields.finish(phone_number)?;
        Ok(Self {
            phone_number,
            opted_out: opted_out.unwrap_or(true),
            source: source.unwrap_or_default(),
            note,
            proof,
            manager_id,
        })
    }

    /// The word for the database, which knows no others.
    pub fn source_word(&self) -> &'static str {
        source_word(&self.source)
    }
}

/// How a manager learned it; `manager` unless the body says otherwise.
pub(super) fn source_of(fields: &Fields) -> Option<String> {
    let source = fields.text(&["source"], 50);
    let source = source.map_or_else(|| "manager".to_owned(), |s| s.to_lowercase());
    fields.parsed("source", Some(source), |source: &str| {
        let known = SOURCES.iter().find(|known| **known == source);
        known
            .map(|s| (*s).to_owned())
            .ok_or("must be manager, email or voicemail")
    })
}

/// The word for the database, which knows no others.
pub fn source_word(source: &str) -> &'static str {
    let known = SOURCES.iter().copied().find(|known| *known == source);
    known.unwrap_or("manager")
}

/// How we know that a number wants our texts, also those that answer nothing (`rules.md` R31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OptInProof {
    /// The words that were shown to whoever consented.
    pub text_shown: String,
    /// `web_form`, `paper_form`, `lease`, `text`, `phone` or `in_person`.
    pub method: String,
    /// Who consented.
    pub given_by: String,
    /// When.
    pub given_at: DateTime<Utc>,
}

/// How a consent may have been given.
const METHODS: [&str; 6] = [
    "web_form",
    "paper_form",
    "lease",
    "text",
    "phone",
    "in_person",
];

impl OptInProof {
    /// All four fields or none; only a consent has a proof.
    fn parse(fields: &Fields, consents: bool) -> Option<Self> {
        const NAMES: [&str; 4] = ["text_shown", "method", "given_by", "given_at"];
        if !NAMES.iter().any(|name| fields.has(&[*name])) {
            return None;
        }
        if !consents {
            fields.fault("text_shown", "invalid", "only a consent has a proof");
            return None;
        }
        let text_shown = fields.required_text(&["text_shown"], 2000);
        let method = fields.required_text(&["method"], 50);
        let method = fields.parsed("method", method, |method: &str| {
            let method = method.to_lowercase();
            let known = METHODS.iter().find(|known| **known == method);
            known
                .map(|m| (*m).to_owned())
                .ok_or("must be web_form, paper_form, lease, text, phone or in_person")
        });
        let given_by = fields.required_text(&["given_by"], 200);
        let given_at = fields.time(&["given_at"]);
        if given_at.is_none() && !fields.has(&["given_at"]) {
            fields.missing("given_at");
        }
        Some(Self {
            text_shown: text_shown?,
            method: method?,
            given_by: given_by?,
            given_at: given_at?,
        })
    }
}

/// A manager holds a number or a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldRequested {
    /// What it is about.
    pub kind: HoldKind,
    /// The number to hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone_number: Option<Phone>,
    /// The tenant to hold, wherever they write from. One of the two is needed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant_id: Option<TenantId>,
    /// Where it was caused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation_id: Option<ConversationId>,
    /// Why.
    pub reason: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
}

impl HoldRequested {
    /// Reads the body by the contract's lenient rules.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let kind = fields.required_text(&["kind", "hold_type", "type"], 50);
        let kind = fields.parsed("kind", kind, |kind: &str| {
            HoldKind::parse(kind).ok_or("must be attorney, bankruptcy, dispute, cease, wrong_number, self_harm, crisis or manual")
        });
        let phone = fields.text(&["phone_number", "customer_phone"], 64);
        let tenant = fields.text(&["tenant_id"], 1000);
        if phone.is_none() && tenant.is_none() {
            fields.missing("phone_number");
            fields.missing("tenant_id");
        }
        let phone_number = fields.parsed("phone_number", phone, Phone::parse);
        let tenant_id = fields.parsed("tenant_id", tenant, TenantId::parse);
        let conversation = fields.text(&["conversation_id"], 1000);
        let conversation_id = fields.parsed("conversation_id", conversation, ConversationId::parse);
        let reason = fields.required_text(&["reason", "notes"], 2000);
        let manager_id = fields.text(&["manager_id", "placed_by"], 100);
        let (kind, reason) = (kind.zip(reason)).map_or((None, None), |(k, r)| (Some(k), Some(r)));
        let kind = fields.finish(kind)?;
        Ok(Self {
            kind,
            phone_number,
            tenant_id,
            conversation_id,
            reason: reason.unwrap_or_default(),
            manager_id,
        })
    }
}

/// A manager lifts a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiftRequested {
    /// The hold, as the caller wrote its id: an id of an odd form is simply unknown (§0.3).
    pub hold_id: String,
    /// Why it may be lifted.
    pub reason: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
}

impl LiftRequested {
    /// Reads the body by the contract's lenient rules.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let hold_id = fields.required_text(&["hold_id", "id"], 200);
        let reason = fields.required_text(&["reason", "notes"], 2000);
        let manager_id = fields.text(&["manager_id", "lifted_by"], 100);
        let read = hold_id.zip(reason);
        let (hold_id, reason) = fields.finish(read)?;
        Ok(Self {
            hold_id,
            reason,
            manager_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        Fields::from_json(body.as_bytes()).expect("an object")
    }

    fn received() -> Received<'static> {
        Received {
            at: DateTime::UNIX_EPOCH,
            idempotency_key: None,
        }
    }

    #[test]
    fn a_consent_is_entered_with_its_proof() {
        let out = r#"{"phoneNumber":"(202) 555-0143","opted_out":true,"source":"Email"}"#;
        let out = ConsentEntered::parse(&fields(out), received()).expect("an opt-out");
        assert_eq!(
            (out.source_word(), out.phone_number.as_str()),
            ("email", "+12025550143")
        );
        for (body, pointers) in [
            (
                r#"{"phone_number":"+12025550143","opted_out":false}"#,
                vec!["/note"],
            ),
            (
                r#"{"phone_number":"911"}"#,
                vec!["/phone_number", "/opted_out"],
            ),
            (
                r#"{"phone_number":"+12025550143","opted_out":true,"source":"dream"}"#,
                vec!["/source"],
            ),
        ] {
            let error = ConsentEntered::parse(&fields(body), received()).expect_err(body);
            let named: Vec<&str> = error.errors.iter().map(|e| e.pointer.as_str()).collect();
            assert_eq!(named, pointers, "{body}");
        }
    }

    #[test]
    fn a_hold_needs_a_kind_a_reason_and_somebody_to_hold() {
        let good = r#"{"kind":"Attorney","tenant_id":12345,"reason":"Letter of counsel"}"#;
        let hold = HoldRequested::parse(&fields(good), received()).expect("a hold");
        assert_eq!((hold.kind, hold.phone_number), (HoldKind::Attorney, None));
        let error =
            HoldRequested::parse(&fields(r#"{"kind":"mood"}"#), received()).expect_err("bad");
        let named: Vec<&str> = error.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(
            named,
            ["/kind", "/phone_number", "/tenant_id", "/reason"].map(|s| s),
            "{named:?}"
        );
    }

    #[test]
    fn lifting_needs_a_reason() {
        let error =
            LiftRequested::parse(&fields(r#"{"hold_id":"hold_1"}"#), received()).expect_err("bad");
        assert_eq!(error.errors[0].pointer, "/reason");
    }
}
