//! Logs: ids, never phone numbers, names or texts.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How logs are written.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `LOG_LEVEL`, in the syntax of `RUST_LOG`.
    pub filter: String,
    /// `LOG_FORMAT`: `json` or `text`.
    pub json: bool,
}

/// Starts logging. A second call does nothing.
pub fn start(settings: &LogSettings) {
    // These log bodies of answers they cannot read: a tenant's text, a model's draft.
    let filter = format!(
        "{},async_openai=off,async_nats=info,hyper=warn,sqlx=warn",
        settings.filter
    );
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| {
        EnvFilter::new("info,async_openai=off,async_nats=info,hyper=warn,sqlx=warn")
    });
    let registry = tracing_subscriber::registry().with(filter);
    let started = if settings.json {
        registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init()
    } else {
        registry
            .with(
                fmt::layer()
                    .with_target(false)
                    // Colours belong on a terminal, not in a file.
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init()
    };
    drop(started);
}
