//! TLS: the bridge with a certificate of its own, Postgres with one, neighbours behind a company's
//! own authority, and a NATS server that asks for ours. Who may do what on NATS: `permissions.rs`.

use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum_server::tls_rustls::RustlsConfig;
use reqwest::Certificate;
use simulators::servers::{Nats, NatsOptions, Postgres, PostgresOptions};

use crate::process::Process;
use crate::world::certificates::Certificates;
use crate::world::{World, sms};

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

/// What a company puts in front of a service: TLS ends here. Gives its address.
async fn behind_tls(plain: String, files: &Certificates) -> String {
    let http = reqwest::Client::new();
    let pass = move |request: Request| {
        let (http, plain) = (http.clone(), plain.clone());
        async move {
            let (head, body) = request.into_parts();
            let path = head.uri.path_and_query().expect("a path").as_str();
            let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let mut asked = http.request(head.method, format!("{plain}{path}"));
            let kind = head.headers.get("content-type").cloned();
            asked = kind.map_or(asked.try_clone().expect("empty"), |kind| {
                asked.header("content-type", kind)
            });
            let answer = asked.body(body).send().await.expect("an answer");
            let said = Response::builder().status(answer.status().as_u16());
            let said = said.header("content-type", "application/json");
            let body = Body::from(answer.bytes().await.expect("a body"));
            said.body(body).expect("an answer")
        }
    };
    let tls = RustlsConfig::from_pem_file(&files.certificate, &files.key);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = axum::Router::new().fallback(pass);
    let server = axum_server::from_tcp_rustls(listener, tls.await.unwrap()).unwrap();
    tokio::spawn(server.serve(app.into_make_service()));
    format!("https://localhost:{port}")
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_may_have_certificates_of_the_company_s_own_authority() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let files = Certificates::new();
    let mut world = World::with("X", "x").prepare().await;
    let model = world.neighbours.model_base_url();
    let (model, path) = model.split_at(model.rfind("/v1").expect("a path"));
    let model = behind_tls(model.to_owned(), &files).await + path;
    for (name, plain) in [
        ("MONITOR_URL", world.neighbours.monitor.url()),
        ("SMS_AGENT_URL", world.neighbours.sms_agent.url()),
        ("NOTIFICATION_URL", world.neighbours.notifications.url()),
    ] {
        let secure = behind_tls(plain, &files).await;
        world.set(name, &secure);
    }
    world.set("OPENAI_BASE_URL", &model);
    let ask = async |process: &Process, conversation: &str| -> serde_json::Value {
        let url = format!(
            "http://{}/orchestrate/sms-received",
            process.bridge.unwrap()
        );
        let body = sms(conversation, "hello [confidence=0.95]");
        let sent = reqwest::Client::new().post(url).json(&body).send().await;
        sent.unwrap().json().await.unwrap()
    };
    // Nobody vouches for the neighbours: not one of them is believed.
    let process = Process::start(&world, &["serve"]).await;
    let answer = ask(&process, "c1").await;
    assert_eq!(answer["action_taken"], "escalated", "{answer}");
    process.stop().await;
    assert!(world.neighbours.sms_agent.requests().is_empty());
    assert!(world.neighbours.model.requests().is_empty());

    world.set("SSL_CERT_FILE", &files.authority.display().to_string());
    let process = Process::start(&world, &["serve"]).await;
    let answer = ask(&process, "c2").await;
    assert_eq!(answer["action_taken"], "auto_sent", "{answer}");
    let sent = "select count(*) from deliveries where status = 'sent'";
    world
        .until("the agent has it", || async {
            (world.count(sent).await == 1).then_some(())
        })
        .await;
    world
        .until("the managers know", || async {
            (!world.neighbours.notifications.requests().is_empty()).then_some(())
        })
        .await;
    process.stop().await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_may_ask_for_our_certificate() {
    let files = Certificates::new();
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("nats.conf");
    let path = |path: &Path| path.display().to_string();
    let text = format!(
        "listen: 0.0.0.0:4222\nhttp: 127.0.0.1:8222\njetstream {{ store_dir: /data/jetstream }}\n\
         tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n",
        files.certificate, files.key, files.authority,
    );
    std::fs::write(&config, text).unwrap();
    let options = NatsOptions {
        config: Some(config),
        ..NatsOptions::default()
    };
    let nats = Nats::start(options).expect("a nats-server that verifies");
    let url = format!("tls://localhost:{}", nats.port());
    let anonymous =
        async_nats::ConnectOptions::new().add_root_certificates(files.authority.clone());
    assert!(
        anonymous.connect(&url).await.is_err(),
        "without a certificate"
    );
    let world = World::with("NATS_URL", &url)
        .set("NATS_CA_FILE", &path(&files.authority))
        .set("NATS_CLIENT_CERT", &path(&files.certificate))
        .set("NATS_CLIENT_KEY", &path(&files.key))
        .start()
        .await;
    world.text("c1", "hello [confidence=0.95]").await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}
