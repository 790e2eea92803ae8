//! Health and readiness (`http-api.md` §1).

use std::time::Duration;

use axum::extract::State;
use axum::response::{Json, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::query::Query;
use super::schema::health::{
    Alive, Dependencies, DependenciesQuery, Detailed, Health, NotReady, Ready,
};
use super::{ApiError, Bridge};
use crate::engine::answers::stamp;
use crate::events::Neighbour;
use crate::ops::backlog::Seen;
use crate::ops::dependencies::Report;
use crate::ops::{memory, sidecar};

/// A check's result, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Bad above these.
    fn by(measure: f64, degraded: f64, unhealthy: f64) -> Self {
        match () {
            () if measure > unhealthy => Self::Unhealthy,
            () if measure > degraded => Self::Degraded,
            () => Self::Healthy,
        }
    }
}

/// Whether the process is alive, and all there. Asks nobody.
#[utoipa::path(
    get, path = "/health", tag = "Health",
    responses((status = 200, description = "It can answer", body = Health))
)]
pub(super) async fn health(State(bridge): State<Bridge>) -> Json<Value> {
    let health = &bridge.health;
    let status = match health.is_degraded() {
        true => "degraded",
        false => "healthy",
    };
    let checks = json!({
        "database": if health.database() { "healthy" } else { "unhealthy" },
        "openai": if bridge.model_configured { "configured" } else { "not_configured" },
    });
    let mut body = body(&bridge, status, &checks);
    let circuits = bridge.circuits.iter().map(|circuit| circuit.view());
    body["circuits"] = circuits
        .map(|c| (c.name.as_str().to_owned(), json!(c.state)))
        .collect();
    Json(body)
}

fn body(bridge: &Bridge, status: &str, checks: &Value) -> Value {
    json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": bridge.health.uptime().as_secs_f64(),
        "timestamp": stamp(bridge.clock.now()),
        "service_name": "orchestrator-service",
        "checks": checks,
    })
}

/// Everything that is known inside. Asks the neighbours at most every ten seconds; the rest was
/// found in the background.
#[utoipa::path(
    get, path = "/health/detailed", tag = "Health",
    responses((status = 200, description = "What is known", body = Detailed))
)]
pub(super) async fn detailed(State(bridge): State<Bridge>) -> Json<Value> {
    let report = bridge.watching.dependencies.report().await;
    let seen = bridge.watching.backlog.seen();
    let now = bridge.clock.now();
    let (memory, memory_details) = memory_check();
    let database = match () {
        () if !report.supabase => Condition::Unhealthy,
        () => Condition::by(report.database_took.as_secs_f64(), 1.0, f64::INFINITY),
    };
    // The model is a check of its own.
    let down = report.services.iter().filter(|s| !s.up);
    let external = match down.filter(|s| s.who != Neighbour::Openai).count() {
        0 if report.nats => Condition::Healthy,
        1 | 2 if report.nats => Condition::Degraded,
        _ => Condition::Unhealthy,
    };
    let openai = match report.up(Neighbour::Openai) {
        true => Condition::Healthy,
        // People answer instead.
        false => Condition::Degraded,
    };
    let (outbox, scheduler) = queues(seen.as_deref(), now);
    let checks = [
        ("database", database),
        ("external_services", external),
        ("memory", memory),
        ("openai", openai),
        ("outbox", outbox),
        ("scheduler", scheduler),
    ];
    let stopping = match bridge.health.is_stopping() {
        true => Condition::Degraded,
        false => Condition::Healthy,
    };
    let worst = checks.iter().map(|(_, state)| *state).max();
    let status = worst.unwrap_or(Condition::Healthy).max(stopping);
    let words: Map<String, Value> = checks
        .iter()
        .map(|(name, state)| ((*name).to_owned(), json!(state.as_str())))
        .collect();
    let mut body = body(&bridge, status.as_str(), &Value::Object(words));
    body["details"] = details(&bridge, &report, seen.as_deref(), now);
    body["details"]["memory"] = memory_details;
    Json(body)
}

/// Texts should be with the agent within minutes, and timers should ring.
fn queues(seen: Option<&Seen>, now: DateTime<Utc>) -> (Condition, Condition) {
    let Some(seen) = seen.filter(|seen| now - seen.at < TimeDelta::minutes(2)) else {
        // Nobody could look: that is Postgres' fault, and its check says so.
        return (Condition::Degraded, Condition::Degraded);
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let age = |oldest: Option<DateTime<Utc>>| {
        oldest.map_or(0.0, |oldest| (now - oldest).num_seconds() as f64)
    };
    (
        Condition::by(age(seen.waiting.sms.oldest), 300.0, 3600.0),
        Condition::by(age(seen.waiting.timers.oldest), 120.0, 900.0),
    )
}

fn memory_check() -> (Condition, Value) {
    let (used, limit) = (memory::resident(), memory::limit());
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = used
        .zip(limit)
        .map_or(0.0, |(used, limit)| used as f64 / limit.max(1) as f64);
    let details = json!({ "resident_bytes": used, "limit_bytes": limit });
    (Condition::by(share, 0.85, 0.95), details)
}

fn details(bridge: &Bridge, report: &Report, seen: Option<&Seen>, now: DateTime<Utc>) -> Value {
    let circuits: Map<String, Value> = bridge
        .circuits
        .iter()
        .map(|circuit| circuit.view())
        .map(|c| (c.name.as_str().to_owned(), json!(c.state)))
        .collect();
    let stages: Map<String, Value> = seen
        .map(|seen| seen.lags.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|lag| {
            let queue = json!({
                "pending": lag.pending,
                "unacknowledged": lag.unacknowledged,
                "redelivered": lag.redelivered,
                "paused": lag.paused,
            });
            (lag.stage.to_owned(), queue)
        })
        .collect();
    let queue = |of: fn(&Seen) -> crate::store::backlog::Queue| {
        let queue = seen.map(of).unwrap_or_default();
        let age = queue.oldest.map(|at| (now - at).num_seconds().max(0));
        json!({ "depth": queue.depth, "oldest_age_seconds": age })
    };
    let (open, idle) = bridge.db.connections();
    json!({
        "authentication": match bridge.settings.auth.enabled {
            true => "on",
            false => "off",
        },
        "database": {
            "response_time_ms": millis(report.database_took),
            "connections": open,
            "idle_connections": idle,
        },
        "nats": { "connected": report.nats },
        "circuits": circuits,
        "stages": stages,
        "outbox": queue(|seen| seen.waiting.sms),
        "held_texts": queue(|seen| seen.waiting.held),
        "approvals": queue(|seen| seen.waiting.approvals),
        "undecided_workflows": queue(|seen| seen.waiting.undecided),
        "late_timers": queue(|seen| seen.waiting.timers),
        "looked_at": seen.map(|seen| stamp(seen.at)),
        "stopping": bridge.health.is_stopping(),
    })
}

/// Who answers and who does not. Takes as long as a probe at most, and asks at most every ten seconds.
#[utoipa::path(
    get, path = "/health/dependencies", tag = "Health", params(DependenciesQuery),
    responses((status = 200, description = "Whoever is down", body = Dependencies))
)]
pub(super) async fn dependencies(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    let dashboard = query.one_of("format", "json", &["json", "dashboard"]) == "dashboard";
    query.finish()?;
    let report = bridge.watching.dependencies.report().await;
    let word = |up: bool| match (dashboard, up) {
        (false, up) => json!(up),
        (true, true) => json!("healthy"),
        (true, false) => json!("down"),
    };
    let mut services = Map::new();
    let mut body = json!({
        "overall_status": report.overall(),
        "degradation_mode": report.mode(),
        "orchestrator": report.orchestrator(),
        "supabase": word(report.supabase),
        // Not among the five that the dashboard knows.
        "nats": report.nats,
        "queued_operations": bridge.watching.backlog.seen().map_or(0, |seen| seen.outbox()),
        "timestamp": stamp(bridge.clock.now()),
    });
    for service in &report.services {
        let name = service.who.as_str();
        body[name] = word(service.up);
        let about = json!({
            "status": service.status(),
            "circuit": service.circuit.as_str(),
            "response_time_ms": millis(service.took),
            "last_check": stamp(report.at),
            "last_error": service.error,
        });
        services.insert(name.to_owned(), about);
    }
    for (name, up, took) in [
        ("supabase", report.supabase, Some(report.database_took)),
        ("nats", report.nats, None),
    ] {
        let about = json!({
            "status": if up { "healthy" } else { "down" },
            // No breaker stands in front of our own servers.
            "circuit": "closed",
            "response_time_ms": took.map(millis),
            "last_check": stamp(bridge.clock.now()),
            "last_error": if up { Value::Null } else { json!("not reachable") },
        });
        services.insert(name.to_owned(), about);
    }
    body["services"] = Value::Object(services);
    Ok(Json(body))
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Whether traffic should come here.
#[utoipa::path(
    get, path = "/health/ready", tag = "Health",
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "It should not, and why", body = NotReady)
    )
)]
pub(super) async fn ready(State(bridge): State<Bridge>) -> Response {
    sidecar::readiness(&bridge.health)
}

/// As `/health/ready`.
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "It should not, and why", body = NotReady)
    )
)]
pub(super) async fn readyz(State(bridge): State<Bridge>) -> Response {
    sidecar::readiness(&bridge.health)
}

/// Whether the process is alive.
#[utoipa::path(
    get, path = "/livez", tag = "Health",
    responses((status = 200, description = "It is", body = Alive))
)]
pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backlog::{Queue, Waiting};

    #[test]
    fn old_texts_and_late_timers_show() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let since = |minutes| Queue {
            depth: 1,
            oldest: Some(now - TimeDelta::minutes(minutes)),
        };
        let seen = |sms, timers| Seen {
            waiting: Waiting {
                sms,
                timers,
                ..Waiting::default()
            },
            lags: Vec::new(),
            at: now,
        };
        let none = Queue::default();
        let healthy = (Condition::Healthy, Condition::Healthy);
        assert_eq!(queues(Some(&seen(none, none)), now), healthy);
        assert_eq!(
            queues(Some(&seen(since(6), since(61))), now),
            (Condition::Degraded, Condition::Unhealthy)
        );
        let long_ago = now + TimeDelta::minutes(3);
        assert_eq!(
            queues(Some(&seen(none, none)), long_ago).0,
            Condition::Degraded,
            "nobody has looked lately"
        );
    }
}
