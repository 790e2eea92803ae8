//! What reads bytes from outside and is nobody else's business: a name for each, for the fuzz
//! targets and their property tests (`fuzz/README.md` lists them all).

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;

pub use crate::neighbours::sms_agent::reading::{history, look, send_answer, sighting};
pub use crate::relay::form::{NotAText, read as webhook_form};

use crate::bridge::auth::{AuthSettings, Identity, TokenError};
use crate::domain::Arrival;
use crate::engine::Names;
use crate::engine::envelope::{Envelope, Origin};
use crate::neighbours::notifications::{self, Notified};

/// A query string, as every list reads it.
pub fn query(text: &str) {
    crate::bridge::read_query(text);
}

/// A bearer token, believed by a secret nobody has.
pub fn token(text: &str, secret: &str) -> Result<Identity, TokenError> {
    let settings = AuthSettings {
        enabled: true,
        jwks_url: None,
        secret: Some(SecretString::from(secret)),
        issuer: None,
        audience: None,
    };
    crate::bridge::auth::read_token(text, &settings)
}

/// An issuer's keys.
pub fn keys(body: &[u8]) -> usize {
    crate::bridge::auth::count_keys(body)
}

/// The notification service's answer.
pub fn notified(status: u16, body: &Value) -> Notified {
    let status = reqwest::StatusCode::from_u16(status).unwrap_or_default();
    notifications::read_answer(status, Some(Duration::from_secs(1)), body)
}

/// A message's headers.
pub fn envelope(subject: &str, lines: &[(&str, &str)]) -> Envelope {
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in lines {
        let name: Result<async_nats::HeaderName, _> = name.parse();
        let value: Result<async_nats::HeaderValue, _> = value.parse();
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    let at: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let origin = Origin {
        stream_created: at,
        arrival: Arrival {
            epoch: 1,
            sequence: 1,
        },
        stored_at: at,
        delivered: 1,
    };
    Envelope::read(subject, Some(&headers), origin, &Names::default())
}
