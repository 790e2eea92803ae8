//! `consent.window_*` and the commands about them: when a number wants no texts (`rules.md` R10).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::consent::source_of;
use super::{Fields, Invalid, Received};
use crate::domain::{ContactWindowId, ConversationId, EventId, Phone, Quiet, WorkflowId};

/// A number wants no texts at certain hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactWindowSet {
    /// The entry.
    pub contact_window_id: ContactWindowId,
    /// The number.
    pub phone_number: Phone,
    /// No texts then, by the clock of the number.
    pub quiet: Vec<Quiet>,
    /// `text`, `manager`, `email` or `voicemail`.
    pub source: String,
    /// Where it was said, when it was said in a text.
    pub conversation_id: Option<ConversationId>,
    /// The workflow of that text.
    pub workflow_id: Option<WorkflowId>,
    /// That text: the id of its `sms.received`.
    pub text_id: Option<EventId>,
    /// `tenant`, or the manager who entered it.
    pub set_by: String,
    /// When it reached us.
    pub set_at: DateTime<Utc>,
}

/// Such hours count no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactWindowLifted {
    /// The entry.
    pub contact_window_id: ContactWindowId,
    /// The number.
    pub phone_number: Phone,
    /// The hours that were quiet.
    pub quiet: Vec<Quiet>,
    /// Who lifted it.
    pub lifted_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub lifted_at: DateTime<Utc>,
}

/// A manager enters when a number wants no texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowEntered {
    /// The number.
    pub phone_number: Phone,
    /// No texts then: 1 to 20 spans like `mon-fri 09:00-17:00`, `00:00-12:00` or `sun`.
    pub quiet: Vec<Quiet>,
    /// `manager`, `email` or `voicemail`.
    pub source: String,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who enters it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
}

impl WindowEntered {
    /// Reads the body by the contract's lenient rules. `quiet` may be one text.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let phone = fields.required_text(&["phone_number", "customer_phone"], 64);
        let phone_number = fields.parsed("phone_number", phone, Phone::parse);
        let spans = match fields.raw(&["quiet"]) {
            Some(serde_json::Value::String(one)) => Some(vec![one.trim().to_owned()]),
            Some(_) => fields.texts(&["quiet"], 20),
            None => {
                fields.missing("quiet");
                None
            }
        };
        let quiet: Option<Vec<Quiet>> = spans.map(|spans| {
            let each = spans.into_iter();
            each.filter_map(|span| fields.parsed("quiet", Some(span), str::parse::<Quiet>))
                .collect()
        });
        let source = source_of(fields);
        let note = fields.text(&["note", "reason", "notes"], 2000);
        let manager_id = fields.text(&["manager_id", "entered_by"], 100);
        let (phone_number, quiet) = fields.finish(phone_number.zip(quiet))?;
        Ok(Self {
            phone_number,
            quiet,
            source: source.unwrap_or_default(),
            note,
            manager_id,
        })
    }
}

/// A manager lifts such hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowLiftRequested {
    /// The entry, as the caller wrote its id: an id of an odd form is simply unknown (§0.3).
    pub contact_window_id: String,
    /// Why it may be lifted.
    pub reason: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager_id: Option<String>,
}

impl WindowLiftRequested {
    /// Reads the body by the contract's lenient rules.
    pub fn parse(fields: &Fields, _received: Received<'_>) -> Result<Self, Invalid> {
        let id = fields.required_text(&["contact_window_id", "id"], 200);
        let reason = fields.required_text(&["reason", "notes"], 2000);
        let manager_id = fields.text(&["manager_id", "lifted_by"], 100);
        let (contact_window_id, reason) = fields.finish(id.zip(reason))?;
        Ok(Self {
            contact_window_id,
            reason,
            manager_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(body: &str) -> Result<WindowEntered, Invalid> {
        let fields = Fields::from_json(body.as_bytes()).expect("an object");
        let received = Received {
            at: DateTime::UNIX_EPOCH,
            idempotency_key: None,
        };
        WindowEntered::parse(&fields, received)
    }

    #[test]
    fn hours_are_a_list_or_one_text() {
        let one = entered(r#"{"phone_number":"(202) 555-0143","quiet":"mon-fri 9:00-17:00"}"#);
        let one = one.expect("hours");
        assert_eq!(one.quiet[0].to_string(), "mon-fri 09:00-17:00");
        assert_eq!(one.source, "manager");
        let two = entered(
            r#"{"phone_number":"+12025550143","quiet":["sun","00:00-12:00"],"source":"email"}"#,
        );
        assert_eq!(two.expect("hours").quiet.len(), 2);
        for (body, pointers) in [
            (r#"{"quiet":"at work"}"#, vec!["/phone_number", "/quiet"]),
            (r#"{"phone_number":"+12025550143"}"#, vec!["/quiet"]),
            (
                r#"{"phone_number":"+12025550143","quiet":[]}"#,
                vec!["/quiet"],
            ),
        ] {
            let error = entered(body).expect_err(body);
            let named: Vec<&str> = error.errors.iter().map(|e| e.pointer.as_str()).collect();
            assert_eq!(named, pointers, "{body}");
        }
    }
}
