//! The HTTP side: a request becomes an event, and whoever sent it waits for what becomes of it.
//!
//! The bridge reads the database and never writes it: consumers alone change state, so a message
//! published straight to the subject has the same outcome as a request.

mod approvals;
mod bulk;
mod command;
mod consents;
mod escalations;
mod feed;
mod health;
mod metrics;
mod plans;
mod problem;
mod query;
mod request;
mod retries;
mod sms;
mod timeline;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use sqlx::PgPool;

pub use command::Waiting;
pub use feed::{FeedSettings, Feeds};
pub use metrics::Figures;
pub use problem::ApiError;

use crate::config::Env;
use crate::engine::Clock;
use crate::engine::publisher::Publisher;
use crate::ops::Watching;
use crate::ops::health::Health;
use crate::ops::metrics::Metrics;

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
}

impl BridgeSettings {
    /// Reads the bridge's variables.
    pub fn read(env: &Env) -> Self {
        if env.boolean("AUTH_ENABLED", true) {
            env.fault(
                "AUTH_ENABLED",
                "is true, but this version cannot check tokens yet: set AUTH_ENABLED=false, and only on a private network",
            );
        }
        Self {
            host: env.text("HOST", "::"),
            port: env.number("PORT", 8000),
            sync_budget: env.millis("SYNC_BUDGET_MS", 1800),
            accept_timeout: env.millis("ACCEPT_TIMEOUT_MS", 5000),
            max_retries: env.number("MAX_WORKFLOW_RETRIES", 3),
            feed: FeedSettings::read(env),
        }
    }

    /// Whether callers have to say who they are, for `/health/detailed`.
    pub fn authentication(&self) -> &'static str {
        // Nothing else starts yet, see `read`.
        "off"
    }
}

/// What the handlers use.
#[derive(Clone)]
pub struct Bridge {
    /// For reading.
    pub db: PgPool,
    /// For publishing.
    pub publisher: Publisher,
    /// For waiting.
    pub waiting: Waiting,
    /// For watching.
    pub feeds: Feeds,
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
}

/// The largest request body (`http-api.md` §0.1).
const LARGEST_BODY: usize = 64 * 1024;

/// All routes, also under `/api/v1`.
pub fn router(bridge: Bridge) -> Router {
    let routes = Router::new()
        .route("/health", get(health::health))
        .route("/health/detailed", get(health::detailed))
        .route("/health/dependencies", get(health::dependencies))
        .route("/health/ready", get(health::ready))
        .route("/readyz", get(health::ready))
        .route("/livez", get(health::livez))
        .route("/orchestrate/sms-received", post(sms::received))
        .route("/orchestrate/approve-response", post(approvals::decide))
        .route("/orchestrate/approvals", get(approvals::list))
        .route("/orchestrate/approvals/bulk", post(bulk::decide))
        .route("/orchestrate/approvals/{id}", get(approvals::one))
        .route("/orchestrate/approvals/{id}/claim", post(approvals::claim))
        .route(
            "/orchestrate/approvals/{id}/release",
            post(approvals::release),
        )
        .route(
            "/orchestrate/conversations/{conversation_id}/timeline",
            get(timeline::timeline),
        )
        .route(
            "/orchestrate/conversations/{conversation_id}/export",
            get(timeline::export),
        )
        .route("/orchestrate/events", get(feed::events))
        .route("/orchestrate/escalate", post(escalations::escalate))
        .route("/escalations/trigger", post(escalations::trigger))
        .route("/orchestrate/escalations", get(escalations::list))
        .route("/orchestrate/escalations/{id}", get(escalations::one))
        .route(
            "/orchestrate/escalations/{id}/resolve",
            post(escalations::resolve),
        )
        .route(
            "/orchestrate/escalations/{id}/assign",
            post(escalations::assign),
        )
        .route("/orchestrate/retry/{workflow_id}", post(retries::retry))
        .route("/orchestrate/dead-letters", get(retries::list))
        .route(
            "/orchestrate/dead-letters/redrive",
            post(retries::redrive_many),
        )
        .route("/orchestrate/dead-letters/{id}", get(retries::one))
        .route(
            "/orchestrate/dead-letters/{id}/redrive",
            post(retries::redrive),
        )
        .route(
            "/orchestrate/dead-letters/{id}/resolve",
            post(retries::resolve),
        )
        .route("/orchestrate/payment-plan-detected", post(plans::detected))
        .route("/orchestrate/payment-plans/{id}", get(plans::one_or_all))
        .route(
            "/orchestrate/workflow/{conversation_id}/status",
            get(workflow::status),
        )
        .route(
            "/orchestrate/consents",
            get(consents::list).post(consents::enter),
        )
        .route("/orchestrate/consents/{number}", get(consents::one))
        .route(
            "/orchestrate/holds",
            get(consents::holds).post(consents::hold),
        )
        .route("/orchestrate/holds/{id}/lift", post(consents::lift))
        .route("/orchestrate/metrics", get(metrics::figures))
        .route("/metrics", get(metrics::prometheus));
    Router::new()
        .nest("/api/v1", routes.clone())
        .merge(routes)
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(
            bridge.clone(),
            request::about,
        ))
        .with_state(bridge)
}
