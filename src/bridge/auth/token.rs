//! What a token says, and whether it is to be believed. Pure: the key and the time are arguments.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::settings::AuthSettings;
use super::{Scope, ring};

/// How far the issuer's clock may be from ours, in seconds (`http-api.md` §0.6).
const LEEWAY: f64 = 30.0;
/// As long as any other name of whoever decides.
const LONGEST_SUBJECT: usize = 100;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: the name in the audit log.
    pub subject: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Why a caller is nobody. The words go into `WWW-Authenticate`; they never quote the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `Authorization` header.
    #[error("A bearer token is required")]
    Missing,
    /// Not a bearer token, not signed, or no token at all.
    #[error("The Authorization header holds no signed JSON Web Token")]
    Malformed,
    /// One there is no key for, or another one than the key's.
    #[error("The token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Signed with a key the issuer does not list.
    #[error("The token is signed with an unknown key")]
    UnknownKey,
    /// Not signed with the key it names.
    #[error("The token's signature is wrong")]
    Signature,
    /// `exp` is missing.
    #[error("The token never expires")]
    NoExpiry,
    /// `exp` is over.
    #[error("The token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("The token is not valid yet")]
    NotYet,
    /// Somebody else's.
    #[error("The token is from another issuer")]
    Issuer,
    /// For somebody else.
    #[error("The token is for another audience")]
    Audience,
    /// `sub` is missing, too long or unprintable.
    #[error("The token names nobody, or with more than 100 characters")]
    Subject,
    /// Nobody can say: the issuer's keys could not be had.
    #[error("The keys to check tokens with cannot be read")]
    NoKeys,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    scope: Option<String>,
    scopes: Option<Vec<String>>,
}

/// The algorithm and the key id a token names, unverified: they only choose the key. Unsigned tokens
/// (`none`) and algorithms nobody has heard of do not parse.
pub(super) fn header(token: &str) -> Result<(Algorithm, Option<String>), TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    // RFC 7515 §4.1.11: an extension that must be understood is not.
    if header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    Ok((header.alg, header.kid))
}

/// Believes a token or says why not.
pub(super) fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    settings: &AuthSettings,
    now: DateTime<Utc>,
) -> Result<Identity, TokenError> {
    ring::install();
    let mut validation = Validation::new(algorithm);
    // By our own clock, below: the library asks the machine's.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    validation.validate_aud = settings.audience.is_some();
    if let Some(issuer) = &settings.issuer {
        validation.set_issuer(&[issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    if let Some(audience) = &settings.audience {
        validation.set_audience(&[audience]);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
        .map_err(|error| reason(&error))?
        .claims;
    claims.identity(now)
}

fn reason(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenError::Issuer,
        ErrorKind::MissingRequiredClaim(_) => TokenError::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

impl Claims {
    fn identity(self, now: DateTime<Utc>) -> Result<Identity, TokenError> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century")]
        let now = now.timestamp_millis() as f64 / 1000.0;
        let expires = self.exp.ok_or(TokenError::NoExpiry)?;
        if now >= expires + LEEWAY {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|from| now < from - LEEWAY) {
            return Err(TokenError::NotYet);
        }
        let subject = self.sub.unwrap_or_default().trim().to_owned();
        let length = subject.chars().count();
        if !(1..=LONGEST_SUBJECT).contains(&length) || subject.chars().any(char::is_control) {
            return Err(TokenError::Subject);
        }
        let spaced = self.scope.unwrap_or_default();
        let listed = self.scopes.unwrap_or_default();
        let words = spaced
            .split_whitespace()
            .chain(listed.iter().map(String::as_str));
        Ok(Identity {
            subject,
            scopes: words.filter_map(Scope::parse).collect(),
        })
    }
}

/// What `orchestrator token` writes.
#[derive(Serialize)]
struct Minted<'a> {
    sub: &'a str,
    scope: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// Tokens of another kind are made by whoever has the private key.
    #[error("SECRET_KEY is not set: tokens for JWKS_URL are made by its issuer")]
    NoSecret,
    /// A typo would be a token that may do nothing.
    #[error("there is no scope {0}; there are sms:ingest, manager and operator")]
    Scope(String),
    /// Would be refused.
    #[error("{}", TokenError::Subject)]
    Subject,
    /// The library's own.
    #[error("the token cannot be written: {0}")]
    Library(#[from] jsonwebtoken::errors::Error),
}

/// Makes a token that this service accepts: HS256, with the issuer and audience it asks for.
pub fn mint(
    settings: &AuthSettings,
    subject: &str,
    scope: &str,
    lasts: TimeDelta,
    now: DateTime<Utc>,
) -> Result<SecretString, MintError> {
    ring::install();
    let secret = settings.secret.as_ref().ok_or(MintError::NoSecret)?;
    let mut words = scope.split_whitespace();
    if let Some(unknown) = words.find(|word| Scope::parse(word).is_none()) {
        return Err(MintError::Scope(unknown.to_owned()));
    }
    if subject.trim().is_empty() || subject.chars().count() > LONGEST_SUBJECT {
        return Err(MintError::Subject);
    }
    let claims = Minted {
        sub: subject,
        scope,
        iat: now.timestamp(),
        exp: (now + lasts).timestamp(),
        iss: settings.issuer.as_deref(),
        aud: settings.audience.as_deref(),
    };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?;
    Ok(SecretString::from(token))
}

#[cfg(test)]
mod tests;
