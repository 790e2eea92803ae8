//! How much anybody may ask for, and what browsers may make of the answers.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde_json::json;
use tokio::sync::Semaphore;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::auth::Caller;
use super::{ApiError, Bridge};
use crate::config::Env;

/// The limits of the bridge.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// `RATE_LIMIT_PER_MINUTE`: requests of one client; 0 is no limit. As many may come at once.
    pub per_minute: u32,
    /// `HTTP_MAX_PARALLEL`: requests under way at the same time, per process; above, 503.
    pub parallel: usize,
    /// `HTTP_BODY_SECONDS`: how long a body may take to arrive.
    pub body_patience: Duration,
    /// `CORS_ORIGINS`: whose pages may ask; nobody's when empty.
    pub origins: Vec<HeaderValue>,
}

impl LimitSettings {
    /// Reads the variables.
    pub fn read(env: &Env) -> Self {
        let listed = env.text("CORS_ORIGINS", "");
        let origins = listed.split(',').map(str::trim).filter(|o| !o.is_empty());
        let origins = origins.filter_map(|origin| {
            let web = origin.starts_with("http://") || origin.starts_with("https://");
            let whole = web && origin.matches('/').count() == 2;
            let value = HeaderValue::from_str(origin).ok().filter(|_| whole);
            if value.is_none() {
                env.fault("CORS_ORIGINS", "must be origins such as https://dashboard.company.com, separated by commas; * is none");
            }
            value
        });
        Self {
            per_minute: env.number("RATE_LIMIT_PER_MINUTE", 0),
            parallel: env.number("HTTP_MAX_PARALLEL", 4096_usize).max(1),
            body_patience: env.seconds("HTTP_BODY_SECONDS", 10.0),
            origins: origins.collect(),
        }
    }

    /// For browsers. Tokens are sent by scripts, never as cookies: no credentials.
    pub(super) fn cors(&self) -> Option<CorsLayer> {
        if self.origins.is_empty() {
            return None;
        }
        let names = [
            "authorization",
            "content-type",
            "idempotency-key",
            "last-event-id",
            "prefer",
            "x-correlation-id",
        ];
        let names = names.map(header::HeaderName::from_static);
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::list(self.origins.clone()))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(names)
            .expose_headers([
                header::RETRY_AFTER,
                header::HeaderName::from_static("x-correlation-id"),
            ])
            .max_age(Duration::from_secs(600));
        Some(layer)
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Client {
    /// Whoever the token names, from wherever.
    Subject(String),
    /// Whoever shows none: where it comes from. Behind a proxy that is the proxy.
    Peer(Option<IpAddr>),
}

/// What the bridge has counted.
#[derive(Clone)]
pub struct Limits {
    rate: Option<Arc<DefaultKeyedRateLimiter<Client>>>,
    places: Arc<Semaphore>,
}

impl Limits {
    /// Nothing counted yet.
    pub fn new(settings: &LimitSettings) -> Self {
        let quota = NonZeroU32::new(settings.per_minute).map(Quota::per_minute);
        Self {
            rate: quota.map(|quota| Arc::new(RateLimiter::keyed(quota))),
            places: Arc::new(Semaphore::new(settings.parallel)),
        }
    }

    /// Seconds to wait when there are too many.
    fn too_many(&self, client: Client) -> Option<u64> {
        let rate = self.rate.as_ref()?;
        // Whoever has not come for a while is forgotten; now and then is enough.
        if rate.len() > 10_000 {
            rate.retain_recent();
        }
        let refused = rate.check_key(&client).err()?;
        let wait = refused.wait_time_from(DefaultClock::default().now());
        Some(wait.as_secs_f64().ceil() as u64)
    }
}

/// Counts a request and finds it a place.
pub(super) async fn admit(State(bridge): State<Bridge>, request: Request, next: Next) -> Response {
    // Whether it lives is asked of a service that is busy, too.
    if matches!(request.uri().path(), "/livez" | "/health/ready" | "/readyz") {
        return next.run(request).await;
    }
    if let Some(seconds) = bridge.limits.too_many(client(&request)) {
        return ApiError::too_many(seconds).into_response();
    }
    let Ok(_place) = bridge.limits.places.try_acquire() else {
        return ApiError::unavailable("Too many requests are under way", json!({})).into_response();
    };
    next.run(request).await
}

fn client(request: &Request) -> Client {
    if let Some(Caller::Known(identity)) = request.extensions().get() {
        return Client::Subject(identity.subject.clone());
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    Client::Peer(peer.map(|ConnectInfo(address)| address.ip()))
}

/// What browsers are told about every answer. Answers hold personal data: nobody stores or frames
/// them, or guesses that they are something else.
pub(super) async fn guard(State(tls): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    if tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_minute: u32) -> Limits {
        Limits::new(&LimitSettings {
            per_minute,
            parallel: 1,
            body_patience: Duration::from_secs(1),
            origins: Vec::new(),
        })
    }

    #[test]
    fn each_client_has_its_own_minute() {
        let limits = limits(2);
        let alice = || Client::Subject("alice".to_owned());
        assert_eq!(limits.too_many(alice()), None);
        assert_eq!(limits.too_many(alice()), None);
        let wait = limits.too_many(alice()).expect("a third is too many");
        assert!((1..=30).contains(&wait), "{wait}");
        assert_eq!(limits.too_many(Client::Peer(None)), None);
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = limits(0);
        assert!((0..1000).all(|_| limits.too_many(Client::Peer(None)).is_none()));
    }

    #[test]
    fn origins_are_origins() {
        let read = |value: &str| {
            let env = Env::from_pairs(&[("CORS_ORIGINS", value)]);
            let settings = LimitSettings::read(&env);
            env.finish().map(|()| settings.origins.len())
        };
        assert_eq!(
            read("https://a.example, http://localhost:5000").ok(),
            Some(2)
        );
        for bad in ["*", "a.example", "https://a.example/", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
