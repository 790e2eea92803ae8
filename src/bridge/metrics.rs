//! Figures for people (`GET /orchestrate/metrics`, `http-api.md` §8.1) and for Prometheus.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::query::Query;
use super::schema::health::{FiguresAnswer, FiguresQuery};
use super::{ApiError, Bridge};
use crate::engine::answers::{Problem, stamp};
use crate::events::time;
use crate::store::metrics::{self, Window};
use crate::store::neighbour_checks::{self, Summary};

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(5);
/// Answers kept, one per question. Whoever asks more different questions waits for the database.
const KEPT: usize = 32;
/// Years of history are slow to count, and nobody waits longer.
const PATIENCE: &str = "set local statement_timeout = '7s'";

/// Figures computed a moment ago. The lock is held while they are computed: a flood of the same
/// question costs one computation, and two of different questions take turns.
#[derive(Default)]
pub struct Figures {
    answers: Mutex<HashMap<Asked, (Instant, Value)>>,
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    hours: i64,
    tenant: Option<String>,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Asked {
    fn read(query: &Query) -> Result<Self, ApiError> {
        let hours = query.number("hours", 1..=8760, "must be 1 to 8760");
        let tenant = query.text("tenant_id");
        query.finish()?;
        let moment = |name: &str| -> Result<Option<DateTime<Utc>>, ApiError> {
            let Some(text) = query.text(name) else {
                return Ok(None);
            };
            let moment = time(&text);
            moment
                .map(Some)
                .ok_or_else(|| range(name, "is not a date or an RFC 3339 time"))
        };
        let (start, end) = (moment("start_date")?, moment("end_date")?);
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(range("start_date", "is after end_date"));
        }
        Ok(Self {
            hours: hours.unwrap_or(24),
            tenant,
            start,
            end,
        })
    }

    fn window(&self, now: DateTime<Utc>) -> Window {
        let to = self.end.unwrap_or(now);
        Window {
            from: self.start.unwrap_or(to - TimeDelta::hours(self.hours)),
            to,
            tenant: self.tenant.clone(),
        }
    }
}

/// 400: well formed, but no range (§8.1).
fn range(name: &str, what: &str) -> ApiError {
    Problem {
        status: 400,
        slug: "invalid-range",
        title: "Invalid date range",
        code: "ORC_001",
        detail: format!("{name} {what}"),
        details: json!({}),
        errors: Vec::new(),
    }
    .into()
}

/// Figures over the last hour, today and a time of one's choice.
#[utoipa::path(
    get, path = "/orchestrate/metrics", tag = "Health", params(FiguresQuery),
    responses(
        (status = 200, description = "The figures", content(
            (FiguresAnswer = "application/json"), (String = "text/plain; version=0.0.4")
        )),
        (status = 400, description = "No range of time")
    )
)]
pub(super) async fn figures(
    State(bridge): State<Bridge>,
    query: Query,
) -> Result<Response, ApiError> {
    let format = query.one_of("format", "json", &["json", "dashboard", "prometheus"]);
    let asked = Asked::read(&query)?;
    if format == "prometheus" {
        return prometheus(State(bridge)).await;
    }
    let mut answers = bridge.figures.answers.lock().await;
    answers.retain(|_, (at, _)| at.elapsed() < FRESH);
    let mut body = match answers.get(&asked) {
        Some((_, body)) => body.clone(),
        None => {
            let body = compute(&bridge, &asked).await?;
            if answers.len() < KEPT {
                answers.insert(asked, (Instant::now(), body.clone()));
            }
            body
        }
    };
    drop(answers);
    if format == "dashboard" {
        body = body["dashboard"].take();
    }
    Ok(Json(body).into_response())
}

async fn compute(bridge: &Bridge, asked: &Asked) -> Result<Value, ApiError> {
    let now = bridge.clock.now();
    let window = asked.window(now);
    let of = |from| Window {
        from,
        to: now,
        tenant: asked.tenant.clone(),
    };
    let midnight = now.duration_trunc(TimeDelta::days(1)).unwrap_or(now);
    let mut tx = bridge.db.begin().await?;
    sqlx::query(PATIENCE).execute(&mut *tx).await?;
    let hour = metrics::figures(&mut tx, &of(now - TimeDelta::hours(1))).await?;
    let today = metrics::figures(&mut tx, &of(midnight)).await?;
    let frame = metrics::figures(&mut tx, &window).await?;
    tx.commit().await?;
    let checks = neighbour_checks::between(&bridge.db, window.from, window.to).await?;
    let hour = last_hour(&hour);
    let today = json!({
        "total_messages": today.received,
        "total_conversations": today.conversations,
        "completed_workflows": today.completed,
        "escalations": today.escalations,
        "payment_plans": today.plans,
        "approvals": today.approvals,
    });
    #[expect(clippy::cast_precision_loss, reason = "hours with a fraction")]
    let hours = (window.to - window.from).num_seconds() as f64 / 3600.0;
    Ok(json!({
        "last_hour": hour,
        "today": today,
        "timeframe": timeframe(&frame, hours),
        "dashboard": {
            "last_hour": hour,
            "today": today,
            "system_health": checks.iter().map(health).collect::<Map<_, _>>(),
            "performance": performance(&frame, hours),
        },
        "generated_at": stamp(now),
        "timestamp": stamp(now),
        "filters_applied": {
            "hours": asked.hours,
            "tenant_id": asked.tenant,
            "start_date": asked.start.map(stamp),
            "end_date": asked.end.map(stamp),
        },
    }))
}

fn last_hour(found: &metrics::Figures) -> Value {
    let millis = whole(found.response_ms);
    json!({
        "sms_received": found.received,
        "ai_responses": found.responses,
        "auto_approval_rate": auto_rate(found),
        "avg_response_time_ms": millis,
        "avg_response_time": millis,
        "approvals_pending": found.pending,
        "escalations": found.escalations,
        "payment_plans": found.plans,
    })
}

fn timeframe(found: &metrics::Figures, hours: f64) -> Value {
    json!({
        "timeframe_hours": rounded(hours, 2),
        "sms_metrics": {
            "received": found.received,
            "processed": found.processed,
            "failed": found.failed,
            "rate_per_hour": per_hour(found.received, hours),
        },
        "ai_metrics": {
            "responses": found.responses,
            "avg_response_time_ms": whole(found.response_ms),
            "avg_confidence": rounded(found.confidence.unwrap_or(0.0), 4),
            "response_rate": share(found.responses, found.received),
        },
        "approval_metrics": {
            "total": found.approvals,
            "approved": found.approved,
            "rejected": found.rejected,
            "auto_approval_rate": auto_rate(found),
            "avg_approval_time_ms": whole(found.approval_ms),
        },
        "escalation_metrics": {
            "total": found.escalations,
            "by_type": found.by_type,
            "by_severity": found.by_severity,
            "rate_per_hour": per_hour(found.escalations, hours),
            "avg_resolution_time_ms": whole(found.resolution_ms),
        },
        "payment_plan_metrics": {
            "detected": found.plans,
            "validated": found.plans_validated,
            "auto_approved": found.plans_auto,
            "detection_rate": share(found.plans, found.received),
            "validation_rate": share(found.plans_validated, found.plans),
        },
    })
}

fn performance(found: &metrics::Figures, hours: f64) -> Value {
    json!({
        "avg_response_times": {
            "ai_response_ms": whole(found.response_ms),
            "processing_ms": whole(found.processing_ms),
            "approval_ms": whole(found.approval_ms),
            "escalation_resolution_ms": whole(found.resolution_ms),
        },
        "throughput": {
            "messages_per_hour": per_hour(found.received, hours),
            "replies_per_hour": per_hour(found.sent, hours),
        },
        "error_rates": {
            "failed": share(found.failed, found.received),
            "escalated": share(found.escalations, found.received),
        },
        "p95_processing_ms": whole(found.processing_p95_ms),
    })
}

fn health(found: &Summary) -> (String, Value) {
    let about = json!({
        "healthy": found.healthy,
        "unhealthy": found.unhealthy,
        "availability": share(found.healthy, found.healthy + found.unhealthy),
        "response_time_ms": rounded(found.response_ms.unwrap_or(0.0), 1),
        "last_check": stamp(found.last_check),
    });
    (found.service.clone(), about)
}

/// Sent unread, of all that a good enough draft decided.
fn auto_rate(found: &metrics::Figures) -> f64 {
    let all = found.auto_sent + found.queued + found.low_confidence;
    share(found.auto_sent, all)
}

/// To four decimals; nothing of nothing is nothing.
fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let share = part as f64 / whole as f64;
    rounded(share, 4)
}

fn per_hour(count: i64, hours: f64) -> f64 {
    if hours <= 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let rate = count as f64 / hours;
    rounded(rate, 2)
}

fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}

/// Whole milliseconds, zero without a case.
fn whole(millis: Option<f64>) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "durations of days")]
    let whole = millis.unwrap_or(0.0).round() as i64;
    whole
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Health",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain; version=0.0.4"))
)]
pub(super) async fn prometheus(State(bridge): State<Bridge>) -> Result<Response, ApiError> {
    let text = bridge
        .metrics
        .text()
        .map_err(|_| ApiError::unavailable("Metrics cannot be shown", json!({})))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(parameters: &[(&str, &str)]) -> Result<Asked, ApiError> {
        let pairs = parameters.iter();
        let pairs = pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Asked::read(&Query::new(pairs.collect()))
    }

    #[test]
    fn a_range_wins_over_hours() {
        let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().expect("a time");
        let window = |parameters: &[(&str, &str)]| {
            let window = asked(parameters).expect("a question").window(now);
            (window.to - window.from).num_hours()
        };
        assert_eq!(window(&[]), 24);
        assert_eq!(window(&[("hours", "8760")]), 8760);
        let days = [("start_date", "2026-11-01"), ("end_date", "2026-11-03")];
        assert_eq!(window(&days), 48);
        for bad in [
            &[("hours", "0")] as &[_],
            &[("hours", "8761")],
            &[("hours", "many")],
            &[("start_date", "soon")],
            &[("start_date", "2026-11-03"), ("end_date", "2026-11-01")],
        ] {
            assert!(asked(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert!(share(0, 0).abs() < f64::EPSILON);
        assert!((share(2, 3) - 0.6667).abs() < f64::EPSILON);
        assert!(per_hour(5, 0.0).abs() < f64::EPSILON);
        assert_eq!(whole(None), 0);
    }
}
