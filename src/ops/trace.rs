//! Traces: W3C context in and out, and the spans that carry the ids of every log line.
//!
//! Two kinds of spans. [`request`] and [`message`] stand around a piece of work: their ids are on
//! every log line written inside, and they are the backbone of a trace. [`part`] is a step of that
//! work, for traces only: without an exporter it is never made. All of them hold ids and words of
//! ours, never a text, a name or a number of a tenant's.
//!
//! Without an exporter a caller's `traceparent` is handed on as it came, through the stream and to
//! the neighbours, so that others' traces do not end at our door.

use std::future::Future;
use std::sync::Arc;

use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use sha2::{Digest as _, Sha256};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::engine::Envelope;

const TRACEPARENT: reqwest::header::HeaderName =
    reqwest::header::HeaderName::from_static("traceparent");

/// Spans for traces only: the log's layer leaves this target out.
pub const PARTS: &str = "orchestrator::trace";

tokio::task_local! {
    /// What came in, for when there are no spans of our own to name.
    static INCOMING: Option<Arc<str>>;
}

/// The span of an HTTP request. At the level of errors, or terse logs would lose their ids.
pub fn request(method: &str, route: &str, correlation_id: &str) -> Span {
    tracing::error_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        method,
        route,
        correlation_id = logged(correlation_id),
    )
}

/// The span of one message in one stage.
pub fn message(stage: &'static str, envelope: &Envelope) -> Span {
    let conversation = envelope.conversation.as_ref();
    tracing::error_span!(
        "message",
        otel.name = stage,
        otel.kind = "consumer",
        stage,
        subject = envelope.subject,
        event_id = %envelope.id,
        correlation_id = logged(&envelope.correlation_id),
        conversation_id = conversation.map(|c| logged(c.as_str())),
        workflow_id = envelope.workflow.map(tracing::field::display),
    )
}

/// The span of a step, for traces only.
#[macro_export]
macro_rules! part {
    ($name:expr $(, $($field:tt)*)?) => {
        tracing::info_span!(target: $crate::ops::trace::PARTS, "part", otel.name = $name $(, $($field)*)?)
    };
}
pub use part;

/// Runs `work` inside `span`, which goes on from where `incoming` comes from.
pub async fn within<F: Future>(incoming: Option<&str>, span: Span, work: F) -> F::Output {
    if let Some(parent) = incoming.and_then(parse) {
        let parent = opentelemetry::Context::new().with_remote_span_context(parent);
        // Without an exporter nobody keeps it.
        drop(span.set_parent(parent));
    }
    INCOMING
        .scope(incoming.map(Arc::from), work.instrument(span))
        .await
}

/// How a span's work ended, for its trace only: nothing is logged after it, and to record a field makes
/// the log's layer read and write all of them again.
pub fn conclude(span: &Span, key: &'static str, value: impl Into<opentelemetry::Value>) {
    span.set_attribute(key, value);
}

/// The `traceparent` of whatever is done now because of this work.
pub fn current() -> Option<String> {
    let own = of(&Span::current());
    own.or_else(|| {
        INCOMING
            .try_with(|t| t.as_deref().map(str::to_owned))
            .ok()?
    })
}

/// [`current`] as headers of a request to a neighbour.
pub fn headers() -> reqwest::header::HeaderMap {
    let value = current().and_then(|t| reqwest::header::HeaderValue::try_from(t).ok());
    value
        .map(|value| (TRACEPARENT, value))
        .into_iter()
        .collect()
}

/// Links work to the trace that led to it: a decision to the draft, hours later.
pub fn link(span: &Span, traceparent: &str) {
    let context = span.context();
    let own = context.span().span_context().clone();
    if let Some(other) = parse(traceparent)
        && own.is_valid()
        && other.trace_id() != own.trace_id()
    {
        span.add_link(other);
    }
}

fn of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let found = span.span_context();
    found.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            found.trace_id(),
            found.span_id(),
            found.trace_flags().to_u8()
        )
    })
}

/// Reads the header of the W3C recommendation; later versions may be longer.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version.len(), trace.len(), span.len(), flags.len()];
    let lower = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let formed = lengths == [2, 32, 16, 2] && [version, trace, span, flags].into_iter().all(lower);
    if !formed || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & TraceFlags::SAMPLED.to_u8()),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

/// An id of somebody else's as logs and traces show it. Some are made of a phone number
/// (`sms-12025550143`): those become a hash, the same every time.
pub fn logged(id: &str) -> String {
    let number =
        |part: &str| (10..=15).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let looks_like_one = id.split(|c: char| !c.is_ascii_alphanumeric()).any(number);
    if !looks_like_one || uuid::Uuid::try_parse(id.trim_start_matches("workflow-")).is_ok() {
        return id.to_owned();
    }
    let hash = Sha256::digest(id.as_bytes());
    let hex: String = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("hashed-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_the_recommendation_has_it() {
        let parsed = parse(GOOD).expect("a context");
        assert_eq!(parsed.span_id().to_string(), "00f067aa0ba902b7");
        assert!(parsed.is_sampled() && parsed.is_remote());
        assert!(
            parse(&GOOD.replace("00-4b", "01-4b")).is_some(),
            "a later version"
        );
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn without_an_exporter_the_callers_context_is_handed_on() {
        let seen = within(Some(GOOD), Span::none(), async { current() }).await;
        assert_eq!(seen.as_deref(), Some(GOOD));
        assert_eq!(within(None, Span::none(), async { current() }).await, None);
    }

    #[test]
    fn ids_made_of_phone_numbers_are_hashed() {
        for id in [
            "sms-12025550143",
            "+12025550143",
            "2025550143",
            "a.12025550143.b",
        ] {
            let shown = logged(id);
            assert!(
                shown.starts_with("hashed-") && !shown.contains("555"),
                "{shown}"
            );
            assert_eq!(shown, logged(id));
        }
        for id in [
            "conv_20481",
            "12345",
            "SM01234567890123456789012345678901",
            "0b0e7d52-5b1c-4f38-9d0a-123456789012",
            "workflow-0b0e7d52-5b1c-4f38-9d0a-123456789012",
        ] {
            assert_eq!(logged(id), id);
        }
    }
}
