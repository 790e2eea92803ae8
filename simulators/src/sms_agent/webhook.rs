//! The route the SMS provider posts inbound texts to, and the signature it is guarded with.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;

use super::{Ledger, Row, SmsAgent};
use crate::exchange::{Answer, Call};
use crate::tenants::e164;

/// What provider and agent share.
pub const AUTH_TOKEN: &str = "simulated-token";
const COLUMN_LIMIT: usize = 2_000;

/// The provider's signature: HMAC-SHA1 over the address and the sorted parameters.
pub fn signature(url: &str, parameters: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = parameters.iter().collect();
    sorted.sort();
    let mut signed = url.to_owned();
    for (name, value) in sorted {
        signed.push_str(name);
        signed.push_str(value);
    }
    STANDARD.encode(hmac_sha1(AUTH_TOKEN.as_bytes(), signed.as_bytes()))
}

/// RFC 2104; keys of ours are shorter than a block.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let block = |pad: u8| {
        let mut block = [pad; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let mut inner = sha1_smol::Sha1::from(block(0x36));
    inner.update(message);
    let mut outer = sha1_smol::Sha1::from(block(0x5c));
    outer.update(&inner.digest().bytes());
    outer.digest().bytes()
}

impl SmsAgent {
    /// From now on the agent says 200 and stores nothing, as it does without its tables.
    pub fn lose_inbound(&self, lose: bool) {
        self.loses_inbound.store(lose, Ordering::Relaxed);
    }

    /// Rows of a phone that came in by this provider id.
    pub fn inbound_count(&self, sid: &str) -> usize {
        count(&self.ledger(), sid)
    }

    /// An inbound text (recorded): 403 for a wrong signature, 200 with an empty body for
    /// everything else, whether it was stored or not.
    pub(super) fn inbound(&self, call: &Call) -> Answer {
        let Some(form) = verified(call) else {
            return Answer::text(403, "");
        };
        let field = |name: &str| {
            let found = form.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let done = Answer::text(200, "");
        let (Some(sid), Some(from)) = (field("MessageSid"), field("From")) else {
            return done;
        };
        let text = field("Body").unwrap_or_default();
        let Some(phone) = e164(&from) else {
            return done;
        };
        let lost = self.loses_inbound.load(Ordering::Relaxed);
        if lost || text.chars().count() > COLUMN_LIMIT {
            return done;
        }
        let mut ledger = self.ledger();
        if count(&ledger, &sid) > 0 {
            return done;
        }
        ledger.push(&phone, &from, |id| Row {
            id,
            outbound: false,
            text: text.into(),
            sid: Some(sid),
            status: None,
            at: Utc::now(),
        });
        done
    }

    /// A delivery callback (recorded): checked, and on the agent's own migrations never applied.
    pub(super) fn status_callback(&self, call: &Call) -> Answer {
        match verified(call) {
            Some(_) => Answer::text(200, ""),
            None => Answer::text(403, ""),
        }
    }
}

fn count(ledger: &Ledger, sid: &str) -> usize {
    let rows = ledger.conversations.values().flat_map(|c| &c.rows);
    rows.filter(|row| !row.outbound && row.sid.as_deref() == Some(sid))
        .count()
}

/// The form, when its signature fits the address as the agent sees it.
fn verified(call: &Call) -> Option<Vec<(String, String)>> {
    let form: Vec<(String, String)> = form_urlencoded::parse(call.body()).into_owned().collect();
    let scheme = call.header("x-forwarded-proto").unwrap_or("http");
    let host = call.header("host").unwrap_or_default();
    let url = format!("{scheme}://{host}{}", call.path_and_query());
    (call.header("x-twilio-signature") == Some(signature(&url, &form).as_str())).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_the_standards() {
        // RFC 2202, test case 2.
        let digest = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }
}
