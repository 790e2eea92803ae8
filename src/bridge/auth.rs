//! Who calls, and what they may do (`http-api.md` §0.6).
//!
//! The first layer finds out who calls and refuses nobody; each endpoint's own layer, made from the
//! table in `endpoints.rs`, decides. So the limits in between can count by name.

mod jwks;
mod ring;
mod scope;
mod settings;
mod token;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::ExposeSecret;

pub use scope::{Access, Scope};
pub use settings::{AuthSettings, NoKeys};
pub use token::{Identity, MintError, TokenError, mint};

use self::jwks::Jwks;
use super::{ApiError, Bridge};
use crate::engine::Clock;

/// Whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nobody is asked for a token.
    Unchecked,
    /// Has shown one.
    Known(Arc<Identity>),
    /// Has not.
    Nobody(TokenError),
}

/// Checks tokens.
#[derive(Clone)]
pub struct Tokens {
    settings: Arc<AuthSettings>,
    secret: Option<DecodingKey>,
    jwks: Option<Arc<Jwks>>,
    clock: Clock,
}

impl Tokens {
    /// Asks nobody yet: an issuer that is away delays the first caller, not the start.
    pub fn new(settings: &AuthSettings, clock: Clock) -> anyhow::Result<Self> {
        settings.check()?;
        let secret = settings.secret.as_ref();
        let secret = secret.map(|s| DecodingKey::from_secret(s.expose_secret().as_bytes()));
        let jwks = settings.jwks_url.as_deref().map(Jwks::new).transpose()?;
        Ok(Self {
            settings: Arc::new(settings.clone()),
            secret,
            jwks: jwks.map(Arc::new),
            clock,
        })
    }

    /// Who a request is from.
    async fn caller(&self, headers: &HeaderMap) -> Caller {
        if !self.settings.enabled {
            return Caller::Unchecked;
        }
        match self.identity(headers).await {
            Ok(identity) => Caller::Known(Arc::new(identity)),
            Err(error) => Caller::Nobody(error),
        }
    }

    async fn identity(&self, headers: &HeaderMap) -> Result<Identity, TokenError> {
        let given = headers
            .get(header::AUTHORIZATION)
            .ok_or(TokenError::Missing)?;
        let token = given
            .to_str()
            .ok()
            .and_then(bearer)
            .ok_or(TokenError::Malformed)?;
        let (algorithm, id) = token::header(token)?;
        let key = self.key(algorithm, id.as_deref()).await?;
        token::verify(token, algorithm, &key, &self.settings, self.clock.now())
    }

    /// Shared secrets and public keys never meet: the algorithm decides where a key comes from.
    async fn key(&self, algorithm: Algorithm, id: Option<&str>) -> Result<DecodingKey, TokenError> {
        match (algorithm, &self.secret, &self.jwks) {
            (Algorithm::HS256, Some(secret), _) => Ok(secret.clone()),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, Some(jwks)) => {
                jwks.find(algorithm, id).await
            }
            _ => Err(TokenError::Algorithm),
        }
    }
}

/// Believes a token, or not, by `SECRET_KEY` alone; and reads a list of keys: for the fuzz targets.
pub(crate) fn read_token(token: &str, settings: &AuthSettings) -> Result<Identity, TokenError> {
    let (algorithm, _) = token::header(token)?;
    let secret = settings.secret.as_ref().ok_or(TokenError::NoKeys)?;
    let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
    token::verify(
        token,
        algorithm,
        &key,
        settings,
        chrono::DateTime::UNIX_EPOCH,
    )
}

pub(crate) use jwks::count as count_keys;

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// The first layer: writes down who calls.
pub(super) async fn identify(
    State(bridge): State<Bridge>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = bridge.tokens.caller(request.headers()).await;
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// An endpoint's own layer.
pub(super) async fn require(
    State(access): State<Access>,
    request: Request,
    next: Next,
) -> Response {
    // Without the first layer nobody is known, and nobody comes in.
    let nobody = Caller::Nobody(TokenError::Missing);
    let caller = request.extensions().get().unwrap_or(&nobody);
    match admitted(access, caller) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn admitted(access: Access, caller: &Caller) -> Result<(), ApiError> {
    match (access, caller) {
        (Access::Open, _) | (_, Caller::Unchecked) | (Access::Token, Caller::Known(_)) => Ok(()),
        (_, Caller::Nobody(TokenError::NoKeys)) => Err(ApiError::unavailable(
            &TokenError::NoKeys.to_string(),
            serde_json::json!({}),
        )),
        (_, Caller::Nobody(error)) => Err(ApiError::unauthorized(*error)),
        (Access::Scopes(wanted), Caller::Known(identity)) => {
            match identity.scopes.iter().any(|scope| wanted.contains(scope)) {
                true => Ok(()),
                false => Err(ApiError::forbidden(access)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
