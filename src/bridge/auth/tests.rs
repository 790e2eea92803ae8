//! Public keys: which are used, when they are asked for again, and what happens when they are not
//! to be had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ::ring::rand::SystemRandom;
use ::ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use axum::Router;
use axum::http::HeaderValue;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;

/// An issuer whose keys change.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(keys: Option<Value>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let keys = Arc::new(Mutex::new(keys));
        let asked = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (keys.clone(), asked.clone());
        let answer = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let keys = served
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            async move {
                match keys {
                    Some(keys) => axum::Json(json!({ "keys": keys })).into_response(),
                    None => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                }
            }
        };
        let app = Router::new().route("/keys", get(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, keys, asked }
    }

    fn now_has(&self, keys: Value) {
        *self.keys.lock().expect("no panic") = Some(keys);
    }

    fn tokens(&self) -> Tokens {
        self.tokens_and(None)
    }

    fn tokens_and(&self, secret: Option<&str>) -> Tokens {
        let settings = AuthSettings {
            enabled: true,
            jwks_url: Some(self.url.clone()),
            secret: secret.map(SecretString::from),
            issuer: None,
            audience: None,
        };
        Tokens::new(&settings, Clock::system()).expect("keys are configured")
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(header: &Value) -> String {
    let claims = json!({"sub": "alice", "exp": 4_102_444_800_i64, "scope": "manager"});
    format!(
        "{}.{}",
        b64(header.to_string().as_bytes()),
        b64(claims.to_string().as_bytes())
    )
}

/// A key of the issuer, and how it signs.
struct Ed(Ed25519KeyPair, &'static str);

impl Ed {
    fn new(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self(
            Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"),
            id,
        )
    }

    fn public(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.1, "x": b64(self.0.public_key().as_ref())})
    }

    fn token(&self) -> String {
        let message = unsigned(&json!({"alg": "EdDSA", "kid": self.1}));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", b64(signature.as_ref()))
    }
}

fn rs256() -> (Value, String) {
    let file: Value = serde_json::from_str(include_str!("rs256.json")).expect("JSON");
    let token = file["token"].as_str().expect("a token").to_owned();
    (file["jwk"].clone(), token)
}

fn es256() -> (Value, String) {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
    let point = key.public_key().as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "ec-1", "use": "sig",
        "x": b64(&point[1..33]), "y": b64(&point[33..]),
    });
    let message = unsigned(&json!({"alg": "ES256", "kid": "ec-1"}));
    let signature = key.sign(&random, message.as_bytes()).expect("signed");
    (jwk, format!("{message}.{}", b64(signature.as_ref())))
}

async fn ask(tokens: &Tokens, token: &str) -> Result<String, TokenError> {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::try_from(format!("bearer {token}")).expect("a header");
    headers.insert(header::AUTHORIZATION, value);
    tokens
        .identity(&headers)
        .await
        .map(|identity| identity.subject)
}

#[tokio::test]
async fn all_three_kinds_of_public_keys_are_used_and_asked_for_once() {
    let (rsa, rsa_token) = rs256();
    let (ec, ec_token) = es256();
    let ed = Ed::new("ed-1");
    let strange = json!({"kty": "XYZ", "kid": "new"});
    let issuer = Issuer::start(Some(json!([strange, rsa, ec, ed.public()]))).await;
    let tokens = issuer.tokens();
    for token in [&rsa_token, &ec_token, &ed.token()] {
        assert_eq!(ask(&tokens, token).await.as_deref(), Ok("alice"));
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let (rsa, _) = rs256();
    let issuer = Issuer::start(Some(json!([rsa]))).await;
    // Signed with what everybody can read: the modulus, as text and as bytes.
    let modulus = rsa["n"].as_str().expect("text");
    let bytes = URL_SAFE_NO_PAD.decode(modulus).expect("base64");
    for secret in [modulus.as_bytes(), &bytes] {
        let message = unsigned(&json!({"alg": "HS256", "kid": "rsa-1"}));
        let key = ::ring::hmac::Key::new(::ring::hmac::HMAC_SHA256, secret);
        let tag = ::ring::hmac::sign(&key, message.as_bytes());
        let forged = format!("{message}.{}", b64(tag.as_ref()));
        let without = issuer.tokens();
        assert_eq!(ask(&without, &forged).await, Err(TokenError::Algorithm));
        let with = issuer.tokens_and(Some("a secret that nobody can guess at all"));
        assert_eq!(ask(&with, &forged).await, Err(TokenError::Signature));
    }
}

#[tokio::test]
async fn a_key_is_used_for_its_own_algorithm_only() {
    let (rsa, token) = rs256();
    // The same signature under another name, and with keys that are not for signing, or shared.
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let (_, claims) = message.split_once('.').expect("two parts");
    let renamed = |alg: &str| {
        let header = json!({"alg": alg, "kid": "rsa-1"}).to_string();
        format!("{}.{claims}.{signature}", b64(header.as_bytes()))
    };
    let issuer = Issuer::start(Some(json!([rsa]))).await;
    let tokens = issuer.tokens();
    assert_eq!(
        ask(&tokens, &renamed("ES256")).await,
        Err(TokenError::UnknownKey)
    );
    for alg in ["RS384", "PS256", "RS512", "ES384"] {
        assert_eq!(
            ask(&tokens, &renamed(alg)).await,
            Err(TokenError::Algorithm),
            "{alg}"
        );
    }
    let mut encryption = rsa.clone();
    encryption["use"] = json!("enc");
    let mut other = rsa.clone();
    other["alg"] = json!("RS512");
    let shared = json!({"kty": "oct", "kid": "rsa-1", "k": "AAAA"});
    for unfit in [encryption, other, shared] {
        let issuer = Issuer::start(Some(json!([unfit, Ed::new("x").public()]))).await;
        assert_eq!(
            ask(&issuer.tokens(), &token).await,
            Err(TokenError::UnknownKey),
            "{unfit}"
        );
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_an_issuer_with_one_key() {
    let key = Ed::new("ed-1");
    let message = unsigned(&json!({"alg": "EdDSA"}));
    let token = format!("{message}.{}", b64(key.0.sign(message.as_bytes()).as_ref()));
    let one = Issuer::start(Some(json!([key.public(), rs256().0]))).await;
    assert_eq!(ask(&one.tokens(), &token).await.as_deref(), Ok("alice"));
    let two = Issuer::start(Some(json!([key.public(), Ed::new("ed-2").public()]))).await;
    assert_eq!(
        ask(&two.tokens(), &token).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn an_unknown_key_makes_the_issuer_be_asked_once_a_minute() {
    let (old, new) = (Ed::new("old"), Ed::new("new"));
    let issuer = Issuer::start(Some(json!([old.public()]))).await;
    let tokens = issuer.tokens();
    assert_eq!(ask(&tokens, &old.token()).await.as_deref(), Ok("alice"));
    issuer.now_has(json!([new.public()]));
    // A minute has not passed: whoever sends rubbish cannot have the issuer asked each time.
    for _ in 0..20 {
        assert_eq!(
            ask(&tokens, &new.token()).await,
            Err(TokenError::UnknownKey)
        );
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
    tokens.jwks.as_ref().expect("configured").a_minute_passes();
    let twenty = (0..20).map(|_| async { ask(&tokens, &new.token()).await });
    for answer in futures::future::join_all(twenty).await {
        assert_eq!(answer.as_deref(), Ok("alice"));
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2);
    // What the issuer has taken back is not believed any more.
    assert_eq!(
        ask(&tokens, &old.token()).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn while_the_issuer_is_away_known_keys_go_on_and_without_any_nobody_can_say() {
    let key = Ed::new("ed-1");
    let issuer = Issuer::start(None).await;
    let tokens = issuer.tokens();
    assert_eq!(ask(&tokens, &key.token()).await, Err(TokenError::NoKeys));
    issuer.now_has(json!([key.public()]));
    tokens.jwks.as_ref().expect("configured").a_minute_passes();
    assert_eq!(ask(&tokens, &key.token()).await.as_deref(), Ok("alice"));
    *issuer.keys.lock().expect("no panic") = None;
    for _ in 0..12 {
        tokens.jwks.as_ref().expect("configured").a_minute_passes();
        assert_eq!(ask(&tokens, &key.token()).await.as_deref(), Ok("alice"));
    }
    assert!(
        issuer.asked.load(Ordering::SeqCst) > 2,
        "it was asked again"
    );
}

#[test]
fn a_caller_without_keys_to_check_with_is_told_to_come_back() {
    let caller = Caller::Nobody(TokenError::NoKeys);
    let status = |access| admitted(access, &caller).err().map(|e| e.status());
    assert_eq!(status(Access::Token), Some(503));
    assert_eq!(status(Access::Open), None);
    let caller = Caller::Nobody(TokenError::Expired);
    assert_eq!(
        admitted(Access::Token, &caller).err().map(|e| e.status()),
        Some(401)
    );
}

#[test]
fn only_bearer_tokens_are_read() {
    assert_eq!(bearer("Bearer abc"), Some("abc"));
    assert_eq!(bearer("bearer  abc "), Some("abc"));
    for bad in ["Basic abc", "Bearer", "Bearer ", "abc", ""] {
        assert_eq!(bearer(bad), None, "{bad:?}");
    }
}
