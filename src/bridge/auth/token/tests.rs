//! Which tokens are believed. HS256 here; public keys are in `auth/tests.rs`.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn now() -> DateTime<Utc> {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

fn settings() -> AuthSettings {
    AuthSettings {
        enabled: true,
        jwks_url: None,
        secret: Some(SecretString::from(SECRET)),
        issuer: None,
        audience: None,
    }
}

fn signed(claims: &Value) -> String {
    ring::install();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("a token")
}

fn read(settings: &AuthSettings, token: &str) -> Result<Identity, TokenError> {
    let (algorithm, _) = header(token)?;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    verify(token, algorithm, &key, settings, now())
}

fn in_seconds(seconds: i64) -> i64 {
    (now() + TimeDelta::seconds(seconds)).timestamp()
}

#[test]
fn who_and_what_for() {
    let both = json!({"sub": " alice ", "exp": in_seconds(60), "scope": "manager openid", "scopes": ["operator", "x"]});
    let identity = read(&settings(), &signed(&both)).expect("believed");
    assert_eq!(identity.subject, "alice");
    assert_eq!(identity.scopes, [Scope::Manager, Scope::Operator]);
    let none = json!({"sub": "a", "exp": in_seconds(60)});
    assert_eq!(
        read(&settings(), &signed(&none)).expect("believed").scopes,
        []
    );
}

#[test]
fn clocks_may_differ_by_thirty_seconds_and_no_more() {
    for (claims, expected) in [
        (json!({"sub": "a", "exp": in_seconds(-29)}), None),
        (
            json!({"sub": "a", "exp": in_seconds(-30)}),
            Some(TokenError::Expired),
        ),
        (
            json!({"sub": "a", "exp": in_seconds(60), "nbf": in_seconds(30)}),
            None,
        ),
        (
            json!({"sub": "a", "exp": in_seconds(60), "nbf": in_seconds(31)}),
            Some(TokenError::NotYet),
        ),
        (json!({"sub": "a"}), Some(TokenError::NoExpiry)),
        (
            json!({"sub": "a", "exp": "never"}),
            Some(TokenError::Malformed),
        ),
    ] {
        assert_eq!(
            read(&settings(), &signed(&claims)).err(),
            expected,
            "{claims}"
        );
    }
}

#[test]
fn somebody_has_to_be_named() {
    let long = "x".repeat(101);
    for sub in [
        json!(null),
        json!(""),
        json!("  "),
        json!(long),
        json!("a\nb"),
    ] {
        let token = signed(&json!({"sub": sub, "exp": in_seconds(60)}));
        assert_eq!(
            read(&settings(), &token).err(),
            Some(TokenError::Subject),
            "{sub}"
        );
    }
}

#[test]
fn issuer_and_audience_have_to_be_ours_when_they_are_set() {
    let strict = AuthSettings {
        issuer: Some("https://login".to_owned()),
        audience: Some("orchestrator".to_owned()),
        ..settings()
    };
    let claims =
        |iss: Value, aud: Value| json!({"sub": "a", "exp": in_seconds(60), "iss": iss, "aud": aud});
    let ours = "https://login";
    for (claims, expected) in [
        (claims(json!(ours), json!("orchestrator")), None),
        (claims(json!(ours), json!(["x", "orchestrator"])), None),
        (
            claims(json!("https://other"), json!("orchestrator")),
            Some(TokenError::Issuer),
        ),
        (
            claims(json!(null), json!("orchestrator")),
            Some(TokenError::Issuer),
        ),
        (claims(json!(ours), json!("x")), Some(TokenError::Audience)),
        (claims(json!(ours), json!(null)), Some(TokenError::Audience)),
    ] {
        assert_eq!(read(&strict, &signed(&claims)).err(), expected, "{claims}");
        // Where they are not set, they are not asked for.
        assert_eq!(read(&settings(), &signed(&claims)).err(), None, "{claims}");
    }
}

#[test]
fn a_token_that_was_touched_is_refused() {
    let token = signed(&json!({"sub": "a", "exp": in_seconds(60)}));
    let (_, signature) = token.rsplit_once('.').expect("a signature");
    let other = signed(&json!({"sub": "b", "exp": in_seconds(60)}));
    let (head, _) = other.rsplit_once('.').expect("a signature");
    let forged = format!("{head}.{signature}");
    assert_eq!(
        read(&settings(), &forged).err(),
        Some(TokenError::Signature)
    );
    let unsigned = format!("{head}.");
    assert_eq!(
        read(&settings(), &unsigned).err(),
        Some(TokenError::Signature)
    );
}

#[test]
fn what_is_no_signed_token_is_refused() {
    // {"alg":"none"} and {"alg":"HS1"}, and one whose extension has to be understood.
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.";
    let unknown = "eyJhbGciOiJIUzEifQ.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA";
    let critical = {
        let mut header = Header::new(Algorithm::HS256);
        header.crit = Some(vec!["x".to_owned()]);
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        ring::install();
        let claims = json!({"sub": "a", "exp": in_seconds(60)});
        jsonwebtoken::encode(&header, &claims, &key).expect("a token")
    };
    for bad in [
        none, unknown, &critical, "", "a", "a.b", "a.b.c", "a.b.c.d", "....",
    ] {
        assert_eq!(
            read(&settings(), bad).err(),
            Some(TokenError::Malformed),
            "{bad}"
        );
    }
}

#[test]
fn a_minted_token_is_believed() {
    let strict = AuthSettings {
        issuer: Some("us".to_owned()),
        audience: Some("orchestrator".to_owned()),
        ..settings()
    };
    let minted = mint(
        &strict,
        "alice",
        "manager sms:ingest",
        TimeDelta::hours(1),
        now(),
    );
    let identity = read(&strict, minted.expect("a token").expose_secret()).expect("believed");
    assert_eq!(identity.subject, "alice");
    assert_eq!(identity.scopes, [Scope::Manager, Scope::SmsIngest]);
}

#[test]
fn a_token_that_would_be_refused_is_not_made() {
    let make = |sub: &str, scope: &str| mint(&settings(), sub, scope, TimeDelta::hours(1), now());
    assert!(matches!(make("a", "manger"), Err(MintError::Scope(word)) if word == "manger"));
    assert!(matches!(make(" ", ""), Err(MintError::Subject)));
    let none = AuthSettings {
        secret: None,
        ..settings()
    };
    assert!(matches!(
        mint(&none, "a", "", TimeDelta::hours(1), now()),
        Err(MintError::NoSecret)
    ));
}
