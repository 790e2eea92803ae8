//! The issuer's public keys: cached, and asked for again when they change.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::token::TokenError;

/// After which keys are asked for again although all tokens fit: a key that was taken back is
/// known here no longer than that.
const FRESH: Duration = Duration::from_secs(600);
/// Between two questions because of an unknown `kid` (`http-api.md` §0.6).
const PAUSE: Duration = Duration::from_secs(60);
/// Between two questions while there is no key at all: nobody can come in before there is.
const EAGER_PAUSE: Duration = Duration::from_secs(2);
/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// One usable key.
#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// What is known, and since when. Pure.
#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Known {
    /// The key a token names. One without a `kid` is checked with the only key of its algorithm.
    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm == algorithm)
            .filter(|key| id.is_none() || key.id.as_deref() == id);
        match (fitting.next(), fitting.next(), id) {
            (Some(key), None, _) | (Some(key), Some(_), Some(_)) => Some(key.key.clone()),
            _ => None,
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.fetched.is_none_or(|at| now >= at + FRESH)
    }

    fn may_ask(&self, now: Instant) -> bool {
        let pause = match self.keys.is_empty() {
            true => EAGER_PAUSE,
            false => PAUSE,
        };
        self.tried.is_none_or(|at| now >= at + pause)
    }
}

/// Keys at `JWKS_URL`.
pub(super) struct Jwks {
    url: String,
    client: reqwest::Client,
    known: RwLock<Known>,
    /// One question at a time; whoever waits for it finds its answer.
    asking: tokio::sync::Mutex<()>,
}

impl Jwks {
    pub(super) fn new(url: &str) -> Result<Self, reqwest::Error> {
        let client = crate::neighbours::connections::client_builder()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            url: url.to_owned(),
            client,
            known: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// The key for a token. Asks the issuer when its keys are old, or do not have it.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<DecodingKey, TokenError> {
        let found = self.read(|known| {
            let stale = known.is_stale(Instant::now());
            known.find(algorithm, id).map(|key| (key, stale))
        });
        if let Some((key, false)) = found {
            return Ok(key);
        }
        self.refresh().await;
        self.read(|known| {
            known
                .find(algorithm, id)
                .ok_or(match known.keys.is_empty() {
                    true => TokenError::NoKeys,
                    false => TokenError::UnknownKey,
                })
        })
    }

    async fn refresh(&self) {
        let _one = self.asking.lock().await;
        if !self.read(|known| known.may_ask(Instant::now())) {
            return;
        }
        let fetched = self.fetch().await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.tried = Some(now);
        match fetched {
            Ok(keys) => {
                known.keys = keys;
                known.fetched = Some(now);
            }
            // The old keys go on: an issuer that is away is no reason to shut everybody out.
            Err(error) => tracing::warn!(error, "JWKS_URL cannot be read"),
        }
    }

    async fn fetch(&self) -> Result<Vec<Key>, &'static str> {
        let answer = self.client.get(&self.url).send().await;
        let answer = answer.map_err(|_| "it does not answer")?;
        if !answer.status().is_success() {
            return Err("it answers with an error");
        }
        let body = answer.bytes().await.map_err(|_| "it broke off")?;
        keys(&body)
    }

    /// As far as the keys can tell.
    #[cfg(test)]
    pub(super) fn a_minute_passes(&self) {
        let mut known = self.known.write().expect("no panic");
        let back = |at: Option<Instant>| at.and_then(|at| at.checked_sub(PAUSE));
        known.tried = back(known.tried);
        known.fetched = back(known.fetched);
    }

    fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The usable keys of a set. Others are passed over, so that a new kind of key at the issuer does
/// not shut out the old ones.
fn keys(body: &[u8]) -> Result<Vec<Key>, &'static str> {
    let set: Value = serde_json::from_slice(body).map_err(|_| "it is no JSON")?;
    let listed = set["keys"].as_array().ok_or("it lists no keys")?;
    let keys: Vec<Key> = listed.iter().filter_map(key).collect();
    match keys.is_empty() {
        true => Err("it lists no usable key"),
        false => Ok(keys),
    }
}

/// How many keys of a list are usable.
pub(crate) fn count(body: &[u8]) -> usize {
    keys(body).map_or(0, |keys| keys.len())
}

fn key(listed: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(listed.clone()).ok()?;
    if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    // The key's kind decides its algorithm. A shared secret in a public list is no key.
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|alg| alg != named) {
        return None;
    }
    Some(Key {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithm,
    })
}
