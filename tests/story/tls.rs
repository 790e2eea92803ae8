//! The bridge with a certificate of its own.

use reqwest::Certificate;

use crate::world::World;
use crate::world::certificates::Certificates;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_the_bridge_speaks_tls_and_nothing_else() {
    let files = Certificates::new();
    let path = |path: &std::path::Path| path.display().to_string();
    let world = World::with("TLS_CERT_FILE", &path(&files.certificate))
        .set("TLS_KEY_FILE", &path(&files.key))
        .start()
        .await;
    let plain = world.url("/health");
    let secure = plain.replace("http://127.0.0.1", "https://localhost");
    let authority = std::fs::read(&files.authority).unwrap();
    let knows = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(&authority).unwrap()])
        .build()
        .unwrap();
    let answer = knows.get(&secure).send().await.expect("TLS");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
    let stranger = reqwest::Client::new().get(&secure).send().await;
    assert!(stranger.is_err(), "an unknown authority");
    let unencrypted = reqwest::Client::new().get(&plain).send().await;
    assert!(unencrypted.is_err(), "without TLS");
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_stops_the_start_and_names_its_variable() {
    use orchestrator::config::{Config, Env};
    use orchestrator::engine::Clock;
    use orchestrator::service::{Roles, Service};
    let (files, others) = (Certificates::new(), Certificates::new());
    let mut world = World::with("X", "x").prepare().await;
    let base = world.environment();
    for (certificate, key, named) in [
        (
            files.certificate.clone(),
            others.key.clone(),
            "do not fit together",
        ),
        (files.certificate.clone(), "/nowhere".into(), "TLS_KEY_FILE"),
        (files.key.clone(), files.key.clone(), "TLS_CERT_FILE"),
    ] {
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let mut pairs: Vec<(&str, &str)> = base.iter().map(|(k, v)| (&**k, &**v)).collect();
        pairs.extend([("TLS_CERT_FILE", &*certificate), ("TLS_KEY_FILE", &*key)]);
        let config = Config::read(&Env::from_pairs(&pairs)).expect("settings");
        let started = Service::start(config, Roles::all(), Clock::system()).await;
        let error = format!("{:#}", started.err().expect("a start that fails"));
        assert!(error.contains(named), "{named}: {error}");
    }
    world.start_service().await;
    world.finish(0).await;
}
