//! What tokens are checked with.

use secrecy::{ExposeSecret, SecretString};

use crate::config::Env;

/// The least length of `SECRET_KEY`, in bytes: as long as what HS256 makes of it.
const SECRET_BYTES: usize = 32;

/// Which tokens are accepted (`http-api.md` §0.6).
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// `AUTH_ENABLED`; `false` for a private network only.
    pub enabled: bool,
    /// `JWKS_URL`: public keys of whoever issues tokens (RS256, ES256, EdDSA).
    pub jwks_url: Option<String>,
    /// `SECRET_KEY`: for HS256.
    pub secret: Option<SecretString>,
    /// `JWT_ISSUER`: the only `iss` accepted, when set.
    pub issuer: Option<String>,
    /// `JWT_AUDIENCE`: has to be among `aud`, when set.
    pub audience: Option<String>,
}

/// A door that should ask for tokens and has nothing to check them with.
#[derive(Debug, thiserror::Error)]
#[error(
    "AUTH_ENABLED is true, and there is no key to check tokens with: set JWKS_URL, or SECRET_KEY to at least 32 random bytes; AUTH_ENABLED=false is for a private network only"
)]
pub struct NoKeys;

impl AuthSettings {
    /// Reads the variables. That keys are missing is no fault yet: a worker needs none.
    pub fn read(env: &Env) -> Self {
        let settings = Self {
            enabled: env.boolean("AUTH_ENABLED", true),
            jwks_url: env.optional("JWKS_URL"),
            secret: env.secret_of(&["SECRET_KEY"]),
            issuer: env.optional("JWT_ISSUER"),
            audience: env.optional("JWT_AUDIENCE"),
        };
        let address = settings.jwks_url.as_deref().unwrap_or("https://");
        if !(address.starts_with("http://") || address.starts_with("https://")) {
            env.fault("JWKS_URL", "must begin with http:// or https://");
        }
        let secret = settings.secret.as_ref();
        if secret.is_some_and(|secret| secret.expose_secret().len() < SECRET_BYTES) {
            env.fault("SECRET_KEY", "must be at least 32 bytes long");
        }
        settings
    }

    /// Whether a door may open with these.
    pub fn check(&self) -> Result<(), NoKeys> {
        if self.enabled && self.jwks_url.is_none() && self.secret.is_none() {
            return Err(NoKeys);
        }
        Ok(())
    }
}
