//! The agent's own webhook, with us in front of it (`upstreams.md` §2.4).

use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;

use super::{SmsAgent, reading};
use crate::domain::{Phone, TenantId};
use crate::neighbours::caller::{CallError, describe, segment};

/// A request of the SMS provider, as it came.
pub struct Posted {
    /// Path and query, still encoded: the signature covers them.
    pub target: String,
    /// All of them.
    pub headers: HeaderMap,
    /// The form.
    pub body: Bytes,
}

/// What the agent said to it.
#[derive(Debug)]
pub struct Said {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without those that belong to the connection.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The agent gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing was handed over.
    #[error("sms_agent: {0}")]
    NotReached(String),
    /// It may have the text all the same.
    #[error("sms_agent: {0}")]
    Unclear(String),
}

/// What the agent's history tells about one inbound text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sighting {
    /// The text is there.
    pub stored: bool,
    /// Whose number it is, as far as the agent knows.
    pub tenant_id: Option<TenantId>,
}

/// Headers of one connection (RFC 9110 §7.6.1), and those the client library writes itself.
const OF_THE_CONNECTION: [header::HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in &OF_THE_CONNECTION {
        kept.remove(name);
    }
    kept.remove("keep-alive");
    kept
}

impl SmsAgent {
    /// Hands the provider's request over, unchanged: the agent checks a signature over the address
    /// that the provider called, so `Host` and the forwarded scheme stay as they are.
    pub async fn pass_on(&self, posted: Posted, patience: Duration) -> Result<Said, NoAnswer> {
        let answer = self
            .sends
            .handed_on(Method::POST, &posted.target)
            .timeout(patience)
            .headers(end_to_end(&posted.headers))
            .body(posted.body)
            .send()
            .await;
        let result = match answer {
            Err(error) if error.is_connect() || error.is_builder() => {
                Err(NoAnswer::NotReached(describe(&error)))
            }
            Err(error) => Err(NoAnswer::Unclear(describe(&error))),
            Ok(answer) => {
                let (status, headers) = (answer.status(), end_to_end(answer.headers()));
                match answer.bytes().await {
                    Ok(body) => Ok(Said {
                        status,
                        headers,
                        body,
                    }),
                    Err(error) => Err(NoAnswer::Unclear(describe(&error))),
                }
            }
        };
        self.sends.count(match &result {
            Ok(said) if said.status.is_success() => "ok",
            Ok(said) if said.status.is_client_error() => "permanent",
            Ok(_) | Err(NoAnswer::Unclear(_)) => "unclear",
            Err(NoAnswer::NotReached(_)) => "transient",
        });
        result
    }

    /// Looks for an inbound text among the newest `limit` of its sender. An unknown number is an
    /// empty history (recorded: 404).
    pub async fn sighting(
        &self,
        from: &Phone,
        sid: &str,
        limit: u32,
    ) -> Result<Sighting, CallError> {
        let path = format!("/conversations/{}?limit={limit}", segment(from.as_str()));
        match self.reads.get(&path, sid).await {
            Ok(body) => reading::sighting(&body, sid)
                .ok_or_else(|| self.reads.transient(super::UNREADABLE.to_owned(), None)),
            Err(CallError::Permanent { status: 404, .. }) => Ok(Sighting::default()),
            Err(error) => Err(error),
        }
    }
}
