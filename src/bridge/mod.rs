//! The HTTP side: a request becomes an event, and whoever sent it waits for what becomes of it.
//!
//! The bridge reads the database and never writes it: consumers alone change state, so a message
//! published straight to the subject has the same outcome as a request.

mod approvals;
pub mod auth;
mod bulk;
mod call;
mod command;
mod consents;
mod contact_windows;
pub mod docs;
mod endpoints;
mod escalations;
mod feed;
mod health;
mod limits;
mod metrics;
mod plans;
mod problem;
mod query;
mod request;
mod retries;
mod schema;
mod sms;
mod timeline;
mod workflow;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;

pub use auth::{AuthSettings, Tokens};
pub use command::Waiting;
pub use feed::{FeedSettings, Feeds};
pub use limits::{LimitSettings, Limits};
pub use metrics::Figures;
pub use problem::ApiError;

use crate::config::Env;
use crate::engine::Clock;
use crate::engine::publisher::Publisher;
use crate::listener::ListenerSettings;
use crate::neighbours::Circuit;
use crate::ops::Watching;
use crate::ops::health::Health;
use crate::ops::metrics::Metrics;
use crate::store::Db;

/// How the bridge listens and waits.
#[derive(Debug, Clone)]
pub struct BridgeSettings {
    /// `HOST`.
    pub host: String,
    /// `PORT`.
    pub port: u16,
    /// `SYNC_BUDGET_MS`: how long a text's caller waits for the decision; 0 never.
    pub sync_budget: Duration,
    /// `ACCEPT_TIMEOUT_MS`: how long any caller waits until the service must have taken the request.
    pub accept_timeout: Duration,
    /// `MAX_WORKFLOW_RETRIES`, to show.
    pub max_retries: i32,
    /// Live feeds.
    pub feed: FeedSettings,
    /// Tokens.
    pub auth: AuthSettings,
    /// How much.
    pub limits: LimitSettings,
    /// TLS and slow clients.
    pub listener: ListenerSettings,
}

impl BridgeSettings {
    /// Reads the bridge's variables.
    pub fn read(env: &Env) -> Self {
        Self {
            host: env.text("HOST", "::"),
            port: env.number("PORT", 8000),
            sync_budget: env.millis("SYNC_BUDGET_MS", 1800),
            accept_timeout: env.millis("ACCEPT_TIMEOUT_MS", 5000),
            max_retries: env.number("MAX_WORKFLOW_RETRIES", 3),
            feed: FeedSettings::read(env),
            auth: AuthSettings::read(env),
            limits: LimitSettings::read(env),
            listener: ListenerSettings::read(env),
        }
    }
}

/// What the handlers use. Cheap to clone: every layer of every request does.
#[derive(Clone)]
pub struct Bridge(Arc<Parts>);

impl From<Parts> for Bridge {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Bridge {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of a bridge.
pub struct Parts {
    /// For reading.
    pub db: Db,
    /// For publishing.
    pub publisher: Publisher,
    /// For waiting.
    pub waiting: Waiting,
    /// For watching.
    pub feeds: Feeds,
    /// For knowing who calls.
    pub tokens: Tokens,
    /// For refusing.
    pub limits: Limits,
    /// What is known about ourselves.
    pub health: Arc<Health>,
    /// What is known about the neighbours and about what waits.
    pub watching: Watching,
    /// Figures computed a moment ago.
    pub figures: Arc<Figures>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// How.
    pub settings: BridgeSettings,
    /// A model key is configured.
    pub model_configured: bool,
    /// This process's circuits.
    pub circuits: Vec<Arc<Circuit>>,
}

/// Reads a query string as every list does.
pub(crate) fn read_query(text: &str) {
    let query = || query::Query::read(text);
    drop(approvals::filter(&query()));
    drop(escalations::filter(&query()));
    drop(timeline::filter(&query()));
    feed::read(&query());
}

/// The largest request body (`http-api.md` §0.1).
const LARGEST_BODY: usize = 64 * 1024;

/// All routes, also under `/api/v1`.
pub fn router(bridge: Bridge) -> Router {
    let routes = endpoints::routes();
    let tls = bridge.settings.listener.tls.is_some();
    let cors = bridge.settings.limits.cors();
    let router = Router::new()
        .nest("/api/v1", routes.clone())
        .merge(routes)
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        // From here on upwards: who it is, whether there is room, what is measured.
        .layer(middleware::from_fn_with_state(
            bridge.clone(),
            limits::admit,
        ))
        .layer(middleware::from_fn_with_state(
            bridge.clone(),
            auth::identify,
        ))
        .layer(middleware::from_fn_with_state(
            bridge.clone(),
            request::about,
        ));
    // Outside of all: a browser asks first without a token, and reads refusals too.
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router
        .layer(middleware::from_fn_with_state(tls, limits::guard))
        .with_state(bridge)
}
