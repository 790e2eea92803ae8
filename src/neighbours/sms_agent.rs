//! SMS Agent: history and sending (`upstreams.md` §2).
//!
//! The agent has no idempotency: the same request twice is two texts. So every answer that leaves
//! room for doubt is [`SendResult::Unclear`], and before any repeat somebody looks.

pub(crate) mod reading;
mod webhook;

use std::time::Duration;

use chrono_tz::Tz;
use reqwest::Method;
use serde_json::{Value, json};
use tracing::Instrument as _;

pub use webhook::{NoAnswer, Posted, Said, Sighting};

use super::caller::{self, CallError, Caller, Unanswered, segment};
use crate::domain::{HistoryEntry, Phone, TenantId};
use crate::rules::gate::Permit;

/// How the agent is spoken to.
#[derive(Debug, Clone)]
pub struct SmsAgentSettings {
    /// `SMS_AGENT_TIMEZONE`: its time stamps have no zone.
    pub zone: Tz,
    /// `SMS_SEND_TIMEOUT_SECONDS`: after this a send's fate is unclear; default 30.
    pub send_timeout: Duration,
}

/// A conversation as the agent has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The agent asked the Monitor already.
    pub tenant_id: Option<TenantId>,
    /// Oldest first, at most 20, without texts that never reached the tenant.
    pub messages: Vec<HistoryEntry>,
    /// The highest row number, whatever its fate.
    pub newest_id: i64,
}

/// What became of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// The provider took it.
    Accepted {
        /// The agent's row.
        message_id: Option<String>,
        /// The provider's id.
        twilio_sid: Option<String>,
        /// The agent's number for the conversation.
        conversation: Option<i64>,
    },
    /// Certainly not sent; may work later.
    NotSent {
        /// What the agent asked for.
        after: Option<Duration>,
        /// Why, without the text.
        detail: String,
    },
    /// It may have been sent.
    Unclear(String),
    /// The provider says that the number has opted out (Twilio's error 21610).
    OptedOut,
    /// Refused for good.
    Refused {
        /// `permanent_failure` or `configuration`.
        reason: &'static str,
        /// Why, without the text.
        detail: String,
    },
}

/// What the agent's history says about a text of unclear fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookResult {
    /// It went out.
    Found {
        /// The agent's row.
        message_id: String,
        /// The provider's id.
        twilio_sid: Option<String>,
    },
    /// It did not: no row, or a failed one.
    NotThere,
    /// A row that may yet go out: nobody can say.
    Pending,
    /// The agent cannot be asked.
    Unavailable(String),
}

/// Why an answer is no history.
const UNREADABLE: &str = "answered something that is no history";

/// The client.
pub struct SmsAgent {
    reads: Caller,
    /// With a circuit, a limit and connections of their own: a slow history must not hold up texts.
    sends: Caller,
    settings: SmsAgentSettings,
}

impl SmsAgent {
    /// Over prepared callers, for its history and for texts.
    pub fn new(reads: Caller, sends: Caller, settings: SmsAgentSettings) -> Self {
        Self {
            reads,
            sends,
            settings,
        }
    }

    /// `GET /conversations/{phone}`: the newest 20 messages. An unknown number has no history,
    /// which is not an error (recorded: 404).
    pub async fn history(&self, phone: &Phone, correlation_id: &str) -> Result<History, CallError> {
        let path = format!("/conversations/{}?limit=20", segment(phone.as_str()));
        match self.reads.get(&path, correlation_id).await {
            Ok(body) => reading::history(&body, self.settings.zone)
                .ok_or_else(|| self.reads.transient(UNREADABLE.to_owned(), None)),
            Err(CallError::Permanent { status: 404, .. }) => Ok(History::default()),
            Err(error) => Err(error),
        }
    }

    /// `POST /sms/send`, once. `conversation_id` is never sent: the agent refuses ours and ignores
    /// its own (recorded).
    ///
    /// Wants the gate's permit instead of a number and a text: nothing else in the service can make
    /// the agent send.
    pub async fn send(&self, permit: &Permit) -> SendResult {
        let sending = self.hand_over(permit);
        sending.instrument(self.sends.call("send")).await
    }

    async fn hand_over(&self, permit: &Permit) -> SendResult {
        let correlation_id = permit.delivery().to_string();
        let body = json!({ "to": permit.to(), "body": permit.text() });
        let build = |client: &reqwest::Client| {
            let request = self
                .sends
                .request(client, Method::POST, "/sms/send", &correlation_id);
            request
                // Today's agent ignores it; a later one or a gateway may honour it.
                .header("Idempotency-Key", &correlation_id)
                .json(&body)
        };
        // Now or not at all: while it waited for a place the intent would grow too old.
        let result = match self.sends.ask_now(build, caller::reads).await {
            Ok(answer) => {
                let status = answer.status.as_u16();
                reading::send_answer(status, answer.retry_after, answer.json)
            }
            Err(Unanswered::Open(open)) => {
                return SendResult::NotSent {
                    after: Some(open.after),
                    detail: open.to_string(),
                };
            }
            Err(Unanswered::Busy) => {
                return SendResult::NotSent {
                    after: Some(Duration::from_secs(1)),
                    detail: "as many texts as allowed are with the agent".to_owned(),
                };
            }
            // Nothing was written to the wire, so nothing was sent.
            Err(Unanswered::NotReached(detail)) => SendResult::NotSent {
                after: None,
                detail,
            },
            Err(Unanswered::Broken(detail)) => SendResult::Unclear(detail),
        };
        self.sends.count(match &result {
            SendResult::Accepted { .. } => "ok",
            SendResult::NotSent { .. } => "transient",
            SendResult::Unclear(_) => "unclear",
            SendResult::Refused { .. } | SendResult::OptedOut => "permanent",
        });
        result
    }

    /// How long a text would have to wait; `None` when it may be tried now.
    pub fn refuses(&self) -> Option<Duration> {
        self.sends.circuit().refuses()
    }

    /// Whether `body` went out to `to`, judged by the agent's rows above `newer_than` that no
    /// other delivery has claimed (§2.5).
    pub async fn look(
        &self,
        to: &Phone,
        body: &str,
        newer_than: i64,
        claimed: &[String],
    ) -> LookResult {
        let path = format!("/conversations/{}?limit=50", segment(to.as_str()));
        match self.reads.get(&path, "look").await {
            Ok(answer) => reading::look(&answer, body, newer_than, claimed),
            Err(CallError::Permanent { status: 404, .. }) => LookResult::NotThere,
            Err(error) => LookResult::Unavailable(error.to_string()),
        }
    }

    /// Whether it can be reached.
    pub async fn is_reachable(&self) -> bool {
        self.reads.is_reachable("/health").await
    }
}

/// Text, or a number as its decimal text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
