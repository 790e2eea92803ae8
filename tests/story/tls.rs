//! TLS: the bridge with a certificate of its own, and Postgres with one. NATS: `permissions.rs`.

use std::path::Path;

use reqwest::Certificate;
use simulators::servers::{Postgres, PostgresOptions};

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

/// A Postgres of the story's own: `ssl` is switched on while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_spoken_to_over_tls_and_its_certificate_is_checked() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let postgres = Postgres::start(PostgresOptions::default()).expect("a Postgres");
    let admin = sqlx::PgPool::connect(&postgres.url("postgres"))
        .await
        .unwrap();
    let home: String = sqlx::query_scalar("show data_directory")
        .fetch_one(&admin)
        .await
        .unwrap();
    let files = Certificates::new();
    // The server wants its key to be its own, and in a directory that it may enter.
    let owner = std::fs::metadata(&home).unwrap();
    for (from, to) in [(&files.certificate, "tls.crt"), (&files.key, "tls.key")] {
        let to = Path::new(&home).join(to);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    for setting in [
        "ssl_cert_file = 'tls.crt'",
        "ssl_key_file = 'tls.key'",
        "ssl = on",
    ] {
        let set = sqlx::AssertSqlSafe(format!("alter system set {setting}"));
        if let Err(error) = sqlx::query(set).execute(&admin).await {
            eprintln!("SKIPPED: this Postgres was built without TLS: {error}");
            return;
        }
    }
    sqlx::query("select pg_reload_conf()")
        .execute(&admin)
        .await
        .unwrap();
    let plain = postgres.create_database("story").unwrap();
    let address = |mode: &str, authority: &Path| {
        let plain = plain.replace("127.0.0.1", "localhost");
        format!("{plain}?sslmode={mode}&sslrootcert={}", authority.display())
    };
    let ours = address("verify-full", &files.authority);
    // The reload takes its moment.
    let mut tries = 0;
    while let Err(error) = sqlx::PgPool::connect(&ours).await {
        tries += 1;
        assert!(tries < 100, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let others = address("verify-full", &Certificates::new().authority);
    assert!(
        sqlx::PgPool::connect(&others).await.is_err(),
        "another authority"
    );
    let world = World::with("DATABASE_URL", &ours).start().await;
    world.text("c1", "hello [confidence=0.95]").await;
    let unencrypted = world
        .count("select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where datname = 'story' and not ssl")
        .await;
    assert_eq!(unencrypted, 0);
    world.finish(1).await;
}
