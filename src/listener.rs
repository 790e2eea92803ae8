//! A port that is served: with TLS when there is a certificate, and with little patience for clients
//! that are slow on purpose.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Env;

/// The most headers of a request; more are answered with 431.
const MOST_HEADERS: usize = 64;
/// All of them together, and what is read of a body at once.
const HEADER_BYTES: usize = 32 * 1024;
/// After which renewed certificates are read: they are renewed days before they end.
const RENEWAL: Duration = Duration::from_secs(600);

/// How a port is served.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// `TLS_CERT_FILE` and `TLS_KEY_FILE`, PEM: TLS, when set.
    pub tls: Option<TlsFiles>,
    /// `HTTP_HEADER_SECONDS`: how long a request's headers may take, and a kept connection may rest.
    pub header_patience: Duration,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl ListenerSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let certificate = env.optional("TLS_CERT_FILE").map(PathBuf::from);
        let key = env.optional("TLS_KEY_FILE").map(PathBuf::from);
        if certificate.is_some() != key.is_some() {
            env.fault(
                "TLS_CERT_FILE",
                "and TLS_KEY_FILE are set together, or not at all",
            );
        }
        Self {
            tls: certificate
                .zip(key)
                .map(|(certificate, key)| TlsFiles { certificate, key }),
            header_patience: env.seconds("HTTP_HEADER_SECONDS", 30.0),
        }
    }

    /// The same without TLS: for what is asked on this machine only.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self {
            tls: None,
            ..self.clone()
        }
    }
}

/// Takes a port.
pub async fn listen(host: &str, port: u16, variable: &str) -> anyhow::Result<TcpListener> {
    let unbracketed = host.trim_start_matches('[').trim_end_matches(']');
    match TcpListener::bind((unbracketed, port)).await {
        // A machine without IPv6.
        Err(error)
            if host == "::"
                && matches!(
                    error.kind(),
                    std::io::ErrorKind::AddrNotAvailable | std::io::ErrorKind::Unsupported
                ) =>
        {
            TcpListener::bind(("0.0.0.0", port)).await
        }
        bound => bound,
    }
    .with_context(|| format!("cannot listen on port {port}; set {variable} to another one"))
}

/// Serves in the background until told to stop, then lets requests under way finish. Fails before
/// that when the certificate cannot be used.
pub fn serve(
    listener: TcpListener,
    settings: &ListenerSettings,
    app: Router,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let tls = settings.tls.as_ref().map(certificate).transpose()?;
    let files = settings.tls.clone();
    let patience = settings.header_patience;
    Ok(async move {
        let handle = Handle::new();
        let mut server = axum_server::Server::<SocketAddr>::from_listener(listener)
            .http1_only()
            .handle(handle.clone());
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_headers(MOST_HEADERS)
            .max_buf_size(HEADER_BYTES);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let stopping = async {
            stop.cancelled().await;
            handle.graceful_shutdown(None);
            std::future::pending::<()>().await;
        };
        let serving = async {
            match tls.zip(files) {
                Some((config, files)) => {
                    let renewed = config.clone();
                    let server = server.acceptor(RustlsAcceptor::new(config));
                    tokio::select! {
                        served = server.serve(app) => served,
                        () = renew(renewed, files) => Ok(()),
                    }
                }
                None => server.serve(app).await,
            }
        };
        let served = tokio::select! {
            served = serving => served,
            () = stopping => Ok(()),
        };
        if let Err(error) = served {
            tracing::error!(%error, "a listener failed");
        }
    })
}

fn certificate(files: &TlsFiles) -> anyhow::Result<RustlsConfig> {
    Ok(RustlsConfig::from_config(Arc::new(read(files)?)))
}

fn read(files: &TlsFiles) -> anyhow::Result<rustls::ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| unreadable("TLS_CERT_FILE", &files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| unreadable("TLS_KEY_FILE", &files.key))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("TLS_CERT_FILE and TLS_KEY_FILE do not fit together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn unreadable(variable: &str, path: &Path) -> String {
    format!(
        "{variable}: {} is no PEM file that can be read",
        path.display()
    )
}

/// Reads the files again and again: whoever renews certificates need not know us.
async fn renew(config: RustlsConfig, files: TlsFiles) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match read(&files) {
            Ok(renewed) => config.reload_from_config(Arc::new(renewed)),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the old certificate stays"),
        }
    }
}
