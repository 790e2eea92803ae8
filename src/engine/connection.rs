//! The way to NATS.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};

use super::Names;
use crate::config::Env;

/// How to reach NATS, and as whom.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// `NATS_URL`, comma-separated; `tls://` asks for TLS.
    pub servers: Vec<String>,
    /// `NATS_CREDS`: a credentials file.
    pub credentials: Option<String>,
    /// `NATS_NKEY`: the seed of a user's key, `SU…`.
    pub nkey: Option<SecretString>,
    /// `NATS_USER`, `NATS_PASSWORD`.
    pub user: Option<(String, SecretString)>,
    /// `NATS_CA_FILE`: PEM; whose certificates the server may have, besides the known ones.
    pub ca_file: Option<PathBuf>,
    /// `NATS_CLIENT_CERT`, `NATS_CLIENT_KEY`: PEM; for servers that ask clients for a certificate.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// `NATS_INBOX_PREFIX`: below which answers to us come; ours alone, where users are told apart.
    pub inbox: String,
    /// `NATS_SUBJECT_PREFIX`.
    pub names: Names,
    /// `NATS_PING_SECONDS`: two unanswered pings and another server is tried.
    pub ping: Duration,
    /// `NATS_REPLICAS`: overrides the files' number of replicas, 3 on a cluster.
    pub replicas: Option<u64>,
}

impl NatsSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let names = Names::with_prefix(env.optional("NATS_SUBJECT_PREFIX").as_deref());
        let names = names.unwrap_or_else(|error| {
            env.fault("NATS_SUBJECT_PREFIX", &error.to_string());
            Names::default()
        });
        let servers = env.text("NATS_URL", "nats://localhost:4222");
        let replicas = env
            .optional("NATS_REPLICAS")
            .map(|_| env.number("NATS_REPLICAS", 1_u64));
        let (user, password) = (env.optional("NATS_USER"), env.secret_of(&["NATS_PASSWORD"]));
        if user.is_some() != password.is_some() {
            env.fault(
                "NATS_USER",
                "and NATS_PASSWORD are set together, or not at all",
            );
        }
        let path = |name: &str| env.optional(name).map(PathBuf::from);
        let (certificate, key) = (path("NATS_CLIENT_CERT"), path("NATS_CLIENT_KEY"));
        if certificate.is_some() != key.is_some() {
            env.fault(
                "NATS_CLIENT_CERT",
                "and NATS_CLIENT_KEY are set together, or not at all",
            );
        }
        let settings = Self {
            servers: servers
                .split(',')
                .map(|s| s.trim().to_owned())
                .filter(|s| !s.is_empty())
                .collect(),
            credentials: env.optional("NATS_CREDS"),
            nkey: env.secret_of(&["NATS_NKEY"]),
            user: user.zip(password),
            ca_file: path("NATS_CA_FILE"),
            client_certificate: certificate.zip(key),
            inbox: env.text("NATS_INBOX_PREFIX", "_INBOX"),
            names,
            ping: env.seconds("NATS_PING_SECONDS", 2.0),
            replicas,
        };
        let ways = [
            settings.credentials.is_some(),
            settings.nkey.is_some(),
            settings.user.is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            env.fault(
                "NATS_CREDS",
                ", NATS_NKEY and NATS_USER are three ways; set one",
            );
        }
        let inbox = &settings.inbox;
        // Answers elsewhere are refused (`Names::may_reply_to`), our own bridge's too.
        if inbox != "_INBOX" && !inbox.starts_with("_INBOX.") || inbox.ends_with('.') {
            env.fault("NATS_INBOX_PREFIX", "must be _INBOX or begin with _INBOX.");
        }
        settings
    }
}

/// A connection that is made when the server is there, and made again whenever it comes back.
pub async fn connect(settings: &NatsSettings) -> anyhow::Result<async_nats::Client> {
    let mut options = async_nats::ConnectOptions::new()
        .name("orchestrator")
        .custom_inbox_prefix(&settings.inbox)
        .retry_on_initial_connect()
        // A hung server must not stop us for its whole hang.
        .ping_interval(settings.ping)
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(Some(Duration::from_secs(5)))
        .event_callback(|event| async move {
            match event {
                async_nats::Event::ServerError(_) | async_nats::Event::ClientError(_) => {
                    tracing::warn!(%event, "NATS");
                }
                _ => tracing::info!(%event, "NATS"),
            }
        });
    if let Some(file) = &settings.credentials {
        options = options
            .credentials_file(file)
            .await
            .with_context(|| format!("NATS_CREDS: {file} cannot be read"))?;
    }
    if let Some(seed) = &settings.nkey {
        options = options.nkey(seed.expose_secret().to_owned());
    }
    if let Some((user, password)) = &settings.user {
        options = options.user_and_password(user.clone(), password.expose_secret().to_owned());
    }
    if let Some(file) = &settings.ca_file {
        // Who names an authority wants it asked: without this a server could do without TLS.
        options = options
            .add_root_certificates(file.clone())
            .require_tls(true);
    }
    if let Some((certificate, key)) = &settings.client_certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    options
        .connect(settings.servers.clone())
        .await
        .context("NATS_URL")
}
