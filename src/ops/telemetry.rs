//! Logs and traces: ids, never phone numbers, names or texts.

use std::future::Future;
use std::io::IsTerminal;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use secrecy::{ExposeSecret as _, SecretString};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::trace::PARTS;
use crate::config::Env;

/// How logs are written and where traces go.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `LOG_LEVEL`, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// `LOG_FORMAT`: `json` or `text`.
    pub json: bool,
    /// Where traces go; nowhere when left out.
    pub traces: Option<TraceSettings>,
}

/// Where traces go.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: a collector's OTLP/HTTP address, without `/v1/traces`.
    pub endpoint: String,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: `name=value`, separated by commas.
    pub headers: Option<SecretString>,
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
    /// `OTEL_TRACES_SAMPLER_ARG`: share of the traces that begin here, 0 to 1. One that began
    /// elsewhere is kept or not as it began.
    pub share: f64,
}

impl LogSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let share = env.float("OTEL_TRACES_SAMPLER_ARG", 1.0);
        if !(0.0..=1.0).contains(&share) {
            env.fault("OTEL_TRACES_SAMPLER_ARG", "must be between 0 and 1");
        }
        let headers = env.secret_of(&["OTEL_EXPORTER_OTLP_HEADERS"]);
        let service = env.text("OTEL_SERVICE_NAME", "orchestrator");
        let endpoint = env.optional("OTEL_EXPORTER_OTLP_ENDPOINT");
        if endpoint.as_ref().is_some_and(|e| !e.starts_with("http")) {
            env.fault(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "must begin with http:// or https://",
            );
        }
        Self {
            filter: env.text("LOG_LEVEL", "info"),
            json: env.one_of("LOG_FORMAT", "json", &["json", "text"]) == "json",
            traces: endpoint.map(|endpoint| TraceSettings {
                endpoint: endpoint.trim_end_matches('/').to_owned(),
                headers,
                service,
                share,
            }),
        }
    }
}

/// What must not be logged whatever somebody sets: libraries that log bodies, requests or rows.
///
/// A filter of its own, not more words for the one that somebody sets: there `sqlx::query=trace` would
/// win over `sqlx=warn`, and `async_nats=info` over `error`.
const CAPS: [(&str, LevelFilter); 12] = [
    ("async_openai", LevelFilter::OFF),
    ("async_nats", LevelFilter::INFO),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("h2", LevelFilter::WARN),
    ("reqwest", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    ("sqlx", LevelFilter::WARN),
    ("tower", LevelFilter::WARN),
    ("opentelemetry", LevelFilter::WARN),
    ("opentelemetry_sdk", LevelFilter::WARN),
    ("opentelemetry-otlp", LevelFilter::WARN),
];

fn caps() -> Targets {
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(CAPS)
}

/// Stops the exporter; what it holds is sent first.
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what is left, at most five seconds.
    pub async fn stop(self) {
        let Some(provider) = self.0 else { return };
        // It blocks, and our client wants the runtime meanwhile.
        let stopped = tokio::task::spawn_blocking(move || {
            provider.shutdown_with_timeout(Duration::from_secs(5))
        });
        if let Ok(Err(error)) = stopped.await {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging, and exporting if there is somewhere to export to. A second call does nothing.
/// Inside the runtime, which the exporter uses.
pub fn start(settings: &LogSettings) -> anyhow::Result<Telemetry> {
    // The spans of parts are for traces only.
    let filter = |words: &str| EnvFilter::try_new(format!("{words},{PARTS}=off"));
    let filter = filter(&settings.filter).or_else(|_| filter("info"))?;
    let provider = settings.traces.as_ref().map(provider).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("orchestrator"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Ours only, whatever the log's level: a library's spans may hold what it sends.
            .with_filter(Targets::new().with_target("orchestrator", LevelFilter::INFO))
    });
    // One filter for all while nothing is exported: then the spans of parts are never made.
    let started = match traces {
        None => tracing_subscriber::registry()
            .with(filter)
            .with(caps())
            .with(logs(settings.json))
            .try_init(),
        Some(traces) => tracing_subscriber::registry()
            .with(logs(settings.json).with_filter(filter.and(caps())))
            .with(traces)
            .try_init(),
    };
    drop(started);
    std::panic::set_hook(Box::new(tell_of));
    Ok(Telemetry(provider))
}

fn logs<S>(json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    match json {
        // The innermost span has the ids; the list would say them again.
        true => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        false => layer
            .with_target(false)
            // Colours belong on a terminal, not in a file.
            .with_ansi(std::io::stderr().is_terminal())
            .boxed(),
    }
}

/// Where it happened and nothing else: what a panic says may quote the text it stumbled over.
fn tell_of(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "a task panicked");
}

fn provider(settings: &TraceSettings) -> anyhow::Result<SdkTracerProvider> {
    let headers = settings.headers.as_ref().map(|h| h.expose_secret());
    let headers = headers.unwrap_or_default().split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    });
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_endpoint(format!("{}/v1/traces", settings.endpoint))
        .with_timeout(Duration::from_secs(5))
        .with_headers(headers.collect())
        .build()?;
    let resource = Resource::builder()
        .with_service_name(settings.service.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.share)));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

/// Our HTTP client for the exporter, whose thread is outside the runtime.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

impl Client {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            http: crate::neighbours::connections::client_builder()
                .connect_timeout(Duration::from_secs(2))
                .timeout(Duration::from_secs(5))
                .build()?,
            runtime: tokio::runtime::Handle::try_current()?,
        })
    }
}

impl HttpClient for Client {
    // Written out, because one method is no reason for the macro's crate.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)?;
            let http = self.http.clone();
            let sent = self.runtime.spawn(async move {
                let answer = http.execute(request).await?;
                let (status, headers) = (answer.status(), answer.headers().clone());
                Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
            });
            let (status, headers, body) = sent.await??;
            let mut response = Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn no_word_of_an_operator_makes_a_library_talk() {
        let caps = caps();
        for target in [
            "sqlx::query",
            "hyper::proto::h1",
            "hyper_util::client",
            "reqwest::connect",
        ] {
            assert!(!caps.would_enable(target, &Level::INFO), "{target}");
            assert!(caps.would_enable(target, &Level::WARN), "{target}");
        }
        assert!(!caps.would_enable("async_nats::connection", &Level::DEBUG));
        assert!(!caps.would_enable("async_openai::client", &Level::ERROR));
        assert!(caps.would_enable("orchestrator::engine", &Level::TRACE));
    }
}
