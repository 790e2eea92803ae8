//! What handlers take from a request: who calls, about what, and the body. One way for all of them,
//! so that no endpoint has limits or names of its own.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;

use super::auth::{Caller, TokenError};
use super::command::render;
use super::query::Query;
use super::request::About;
use super::{ApiError, Bridge};
use crate::events::{Event, Fields};

/// No id of any kind is longer; commands would refuse one as a field, which is another answer.
const LONGEST_ID: usize = 200;
/// The longest name of somebody who decides.
const LONGEST_NAME: usize = 100;
/// As long as the shortest field for a reason may be.
const LONGEST_NOTE: usize = 1000;

/// Who acts, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Actor {
    /// Whoever the token names. Nobody can act under another name.
    Token(String),
    /// Nobody was asked for a token: the header `X-Manager-ID`, if it is there.
    Said(Option<String>),
}

impl Actor {
    /// Who acted: the token, else the body, else the header (`http-api.md` §0.6, §3.1).
    pub(super) fn or(&self, named: Option<String>) -> Option<String> {
        match self {
            Self::Token(subject) => Some(subject.clone()),
            Self::Said(header) => named.or_else(|| header.clone()),
        }
    }

    /// As [`Self::or`], and a note of the name that the body gave when the token has another one.
    pub(super) fn settle(&self, named: &mut Option<String>, note: &mut Option<String>) {
        if let (Self::Token(subject), Some(given)) = (self, named.as_deref())
            && subject != given
        {
            let said = format!("Named in the request: {given}");
            let both = match note.as_deref() {
                Some(note) => format!("{note}\n{said}"),
                None => said,
            };
            // A note that is as long as notes may be is worth more than the name.
            if both.chars().count() <= LONGEST_NOTE {
                *note = Some(both);
            }
        }
        *named = self.or(named.take());
    }

    /// As [`Self::settle`], where the note is a reason that has to be there.
    pub(super) fn settle_reason(&self, named: &mut Option<String>, reason: &mut String) {
        let mut note = Some(std::mem::take(reason));
        self.settle(named, &mut note);
        *reason = note.unwrap_or_default();
    }
}

/// A request that a handler answers.
pub(super) struct Call {
    /// What handlers use.
    pub bridge: Bridge,
    /// Its ids.
    pub about: About,
    /// Who sent it.
    pub actor: Actor,
}

impl Call {
    /// Publishes a command and answers with its outcome.
    pub(super) async fn command<E: Event>(&self, body: &E) -> Result<Response, ApiError> {
        let (status, body) = self.outcome(body).await?;
        render(status, body)
    }

    /// As [`Self::command`], for an endpoint with something to add.
    pub(super) async fn outcome<E: Event>(
        &self,
        body: &E,
    ) -> Result<(u16, serde_json::Value), ApiError> {
        self.bridge.outcome(body, &self.about).await
    }
}

impl FromRequestParts<Bridge> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, bridge: &Bridge) -> Result<Self, Infallible> {
        let caller = parts.extensions.get();
        let actor = match caller.unwrap_or(&Caller::Nobody(TokenError::Missing)) {
            Caller::Known(identity) => Actor::Token(identity.subject.clone()),
            Caller::Unchecked | Caller::Nobody(_) => Actor::Said(manager(parts)),
        };
        let about = parts.extensions.get().cloned();
        Ok(Self {
            bridge: bridge.clone(),
            about: about.unwrap_or_default(),
            actor,
        })
    }
}

/// The header `X-Manager-ID`; one of an odd length is nobody.
fn manager(parts: &Parts) -> Option<String> {
    let id = parts.headers.get("x-manager-id")?.to_str().ok()?.trim();
    (1..=LONGEST_NAME)
        .contains(&id.len())
        .then(|| id.to_owned())
}

/// The id in a path. One that cannot even be decoded, or is of an odd form, is unknown (§0.3).
pub(super) struct Id(pub String);

impl FromRequestParts<Bridge> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, bridge: &Bridge) -> Result<Self, ApiError> {
        let Path(id): Path<String> = Path::from_request_parts(parts, bridge).await?;
        if id.contains('\0') || id.chars().count() > LONGEST_ID {
            return Err(ApiError::not_found("Nothing by that id", json!({})));
        }
        Ok(Self(id))
    }
}

impl FromRequestParts<Bridge> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Bridge) -> Result<Self, Infallible> {
        Ok(Self::read(parts.uri.query().unwrap_or_default()))
    }
}

/// A body that has to be there: a JSON object.
pub(super) struct Body(pub Fields);

impl FromRequest<Bridge> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, bridge: &Bridge) -> Result<Self, ApiError> {
        let body = bytes(request, bridge).await?;
        Ok(Self(Fields::from_json(&body)?))
    }
}

/// A body that may be left out.
pub(super) struct OptionalBody(pub Fields);

impl FromRequest<Bridge> for OptionalBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, bridge: &Bridge) -> Result<Self, ApiError> {
        let body = bytes(request, bridge).await?;
        Ok(Self(Fields::from_optional_json(&body)?))
    }
}

/// The whole body, within its size (a layer's limit) and its time: a client that sends a byte every
/// few seconds would hold a place for hours.
async fn bytes(request: Request, bridge: &Bridge) -> Result<Bytes, ApiError> {
    let patience: Duration = bridge.settings.limits.body_patience;
    match tokio::time::timeout(patience, Bytes::from_request(request, bridge)).await {
        Ok(body) => Ok(body?),
        Err(_) => Err(ApiError::slow_body()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_decides_who_acted_and_another_name_is_a_note() {
        let token = Actor::Token("sub-1".to_owned());
        let (mut named, mut note) = (Some("alice".to_owned()), Some("ok".to_owned()));
        token.settle(&mut named, &mut note);
        assert_eq!(named.as_deref(), Some("sub-1"));
        assert_eq!(note.as_deref(), Some("ok\nNamed in the request: alice"));
        let (mut named, mut note) = (Some("sub-1".to_owned()), None);
        token.settle(&mut named, &mut note);
        assert_eq!((named.as_deref(), note), (Some("sub-1"), None));
    }

    #[test]
    fn without_tokens_the_body_wins_over_the_header() {
        let said = Actor::Said(Some("header".to_owned()));
        assert_eq!(said.or(Some("body".to_owned())).as_deref(), Some("body"));
        assert_eq!(said.or(None).as_deref(), Some("header"));
        assert_eq!(Actor::Said(None).or(None), None);
    }
}
