//! Who may come in, and under whose name.

use chrono::{TimeDelta, Utc};
use orchestrator::bridge::auth::{AuthSettings, mint};
use orchestrator::config::{Config, Env};
use orchestrator::engine::Clock;
use orchestrator::service::{Roles, Service};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::{Plan, World, sms};

const SECRET: &str = "a secret that nobody can guess at all";

fn with_tokens() -> Plan {
    World::with("AUTH_ENABLED", "true").set("SECRET_KEY", SECRET)
}

pub(crate) fn token(sub: &str, scope: &str) -> String {
    let env = Env::from_pairs(&[("SECRET_KEY", SECRET)]);
    let settings = AuthSettings::read(&env);
    let token = mint(&settings, sub, scope, TimeDelta::hours(1), Utc::now()).expect("a token");
    format!("Bearer {}", token.expose_secret())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_the_door_stays_shut_and_says_which_variable_to_set() {
    let world = Plan::default().prepare().await;
    let pairs = world.environment();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .filter(|(name, _)| name != "AUTH_ENABLED")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let config = Config::read(&Env::from_pairs(&pairs)).expect("settings");
    let started = Service::start(config.clone(), Roles::all(), Clock::system()).await;
    let error = started.err().expect("no keys").to_string();
    for name in ["AUTH_ENABLED", "JWKS_URL", "SECRET_KEY"] {
        assert!(error.contains(name), "{name} in {error}");
    }
    // A worker has no door.
    let roles = Roles {
        bridge: false,
        ..Roles::all()
    };
    let worker = Service::start(config, roles, Clock::system()).await;
    worker.expect("a worker").stop().await;
    let mut world = world;
    world.start_service().await;
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_asks_for_what_its_description_says() {
    let world = with_tokens().start().await;
    let paths = orchestrator::bridge::docs::openapi()["paths"].as_object();
    let http = reqwest::Client::new();
    let mut asked = 0;
    for (pattern, operations) in paths.expect("paths") {
        let path: Vec<&str> = pattern
            .split('/')
            .map(|word| if word.starts_with('{') { "x" } else { word })
            .collect();
        let url = world.url(&path.join("/"));
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            let request = || http.request(reqwest::Method::clone(&method), &url);
            let wanted = operation["security"].as_array().expect("alternatives");
            let scopes: Vec<&str> = wanted
                .iter()
                .flat_map(|w| w["token"].as_array().expect("scopes"))
                .filter_map(Value::as_str)
                .collect();
            let status = |token: Option<String>| {
                let request = match token {
                    Some(token) => request().header("Authorization", token),
                    None => request(),
                };
                async move { request.send().await.expect("an answer").status().as_u16() }
            };
            let nobody = status(None).await;
            if wanted.is_empty() {
                assert!(nobody < 400, "{pattern} is open: {nobody}");
                continue;
            }
            asked += 1;
            assert_eq!(nobody, 401, "{pattern} without a token");
            assert_eq!(status(Some("Bearer x".to_owned())).await, 401, "{pattern}");
            let others = ["sms:ingest", "manager", "operator"];
            for scope in others {
                let got = status(Some(token("alice", scope))).await;
                let may = scopes.is_empty() || scopes.contains(&scope);
                assert_eq!(got == 403, !may, "{pattern} with {scope}: {got}");
                assert_ne!(got, 401, "{pattern} with {scope}");
            }
        }
    }
    assert!(asked > 25, "{asked} endpoints");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_problems_with_a_challenge() {
    let world = with_tokens().start().await;
    let path = "/orchestrate/sms-received";
    let (status, body) = world.post(path, &sms("c1", "hi")).await;
    assert_eq!((status, &body["error_code"]), (401, &json!("ORC_007")));
    let manager = token("alice", "manager");
    let headers = [("Authorization", manager.as_str())];
    let (status, body) = world.post_with(path, &sms("c1", "hi"), &headers).await;
    assert_eq!(
        (status, &body["details"]["scope"]),
        (403, &json!("sms:ingest"))
    );
    let http = reqwest::Client::new();
    for (token, expected) in [
        (None, "Bearer"),
        (
            Some("Bearer a.b.c"),
            "Bearer error=\"invalid_token\", error_description=\"The Authorization header holds no signed JSON Web Token\"",
        ),
        (
            Some(manager.as_str()),
            "Bearer error=\"insufficient_scope\", scope=\"sms:ingest\"",
        ),
    ] {
        let mut request = http.post(world.url(path)).json(&sms("c1", "hi"));
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], expected);
    }
    // Nothing came in.
    assert_eq!(
        world.count("select count(*) from inbound_messages").await,
        0
    );
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_the_token_names_decided_whatever_the_body_says() {
    let world = with_tokens().start().await;
    let agent = token("sms-agent", "sms:ingest");
    let (_, body) = world
        .post_with(
            "/orchestrate/sms-received",
            &sms("c1", "hello [confidence=0.7]"),
            &[("Authorization", &agent)],
        )
        .await;
    assert_eq!(body["action_taken"], "queued_for_approval");
    let decision = json!({
        "response_queue_id": body["response_queue_id"], "action": "approve",
        "manager_id": "mallory", "notes": "fine",
    });
    let alice = token("alice", "manager");
    let headers = [("Authorization", alice.as_str()), ("X-Manager-ID", "eve")];
    let path = "/orchestrate/approve-response";
    let (status, answer) = world.post_with(path, &decision, &headers).await;
    assert_eq!(status, 200, "{answer}");
    let (by, notes): (String, String) =
        sqlx::query_as("select approved_by, notes from approval_audit_log")
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(
        (by.as_str(), notes.as_str()),
        ("alice", "fine\nNamed in the request: mallory")
    );
    let by: String = sqlx::query_scalar("select actioned_by from ai_response_queue")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(by, "alice");
    world.finish(1).await;
}
