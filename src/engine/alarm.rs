//! Says what is due: texts that waited for an hour of the day, and what nobody has done in time.
//!
//! The rows are the timers: nothing is lost with a process, and any number of replicas may look. Each
//! says the same event with the same id, so the stream keeps one, and a second one would find the
//! first one's mark. An event that got lost is said again at the next look, because its row still
//! waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::crash::{self, Point};
use super::emitted::{self, About};
use super::runner::Engine;
use crate::domain::EventId;
use crate::events::{Awaited, DeliveryDue, WorkflowDue};
use crate::store::deliveries::{self, Due};
use crate::store::handled::Kept;
use crate::store::{handled, timers};

/// `ce-source`.
const SOURCE: &str = "orchestrator/alarm";

/// The most events at once of a kind: when the day begins, all of the night's texts are due.
const AT_ONCE: i64 = 500;

/// How long an event that was said is not said again. Longer than its way through the stage usually
/// is, shorter than anybody should wait for a lost one.
const SAID_FOR: TimeDelta = TimeDelta::minutes(5);

/// As whose word the events are kept.
const NAME: &str = "alarm";

/// What an alarm watches, and how often it looks.
#[derive(Debug, Clone, Copy)]
pub struct AlarmSettings {
    /// `WAKE_SECONDS`.
    pub every: Duration,
    /// `ESCALATION_HOURS`: how long silence is no news.
    pub silence: TimeDelta,
    /// Texts that wait for an hour: whoever sends them wakes them.
    pub texts: bool,
    /// What nobody has done in time.
    pub timers: bool,
}

/// Looks every so often until told to stop.
pub async fn run(engine: Arc<Engine>, settings: AlarmSettings) {
    let mut said: HashMap<EventId, DateTime<Utc>> = HashMap::new();
    while !engine.stop.is_cancelled() {
        let now = engine.clock.now();
        said.retain(|_, at| now - *at < SAID_FOR);
        if let Err(error) = wake(&engine, settings, &mut said, now).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "what is due is looked for again"
            );
        }
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = tokio::time::sleep(settings.every) => {}
        }
    }
}

async fn wake(
    engine: &Engine,
    settings: AlarmSettings,
    said: &mut HashMap<EventId, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let waiting = i64::try_from(said.len()).unwrap_or(i64::MAX);
    let limit = AT_ONCE.saturating_add(waiting);
    let (db, patience) = (&engine.io.db, &engine.patience);
    let mut due = Vec::new();
    if settings.texts {
        for text in patience.within(deliveries::due(db, now, limit)).await? {
            due.push(text_due(text, now)?);
        }
    }
    if settings.timers {
        let mut late = patience.within(timers::undecided(db, now, limit)).await?;
        let unanswered = timers::unanswered(db, now, settings.silence, limit);
        late.extend(patience.within(unanswered).await?);
        late.extend(patience.within(timers::unresolved(db, now, limit)).await?);
        for late in &late {
            due.push(late_event(late, now)?);
        }
    }
    due.retain(|event| !said.contains_key(&event.id));
    if due.is_empty() {
        return Ok(());
    }
    // The row of a text that is being sent no longer says that it was woken: the event must not get
    // lost with the stream.
    handled::remember(db, NAME, &due).await?;
    crash::point(NAME, Point::DecisionCommitted);
    engine.publisher.publish(&due).await?;
    crash::point(NAME, Point::Published);
    said.extend(due.iter().map(|event| (event.id, now)));
    tracing::info!(events = due.len(), "their hour has come");
    Ok(())
}

/// One per text and opening, whoever says it.
fn text_due(due: Due, now: DateTime<Utc>) -> anyhow::Result<Kept> {
    let opening = due.not_before.timestamp_micros().to_string();
    let id = EventId(EventId(due.id.0).row(&opening));
    let body = DeliveryDue {
        not_before: due.not_before,
        // What serde says would quote the text.
        reply: serde_json::from_value(due.released)
            .map_err(|_| anyhow::anyhow!("the release of {} cannot be read", due.id))?,
    };
    let about = About {
        conversation: Some(body.reply.conversation_id.to_string()),
        workflow: Some(body.reply.workflow_id.to_string()),
        correlation_id: due.id.to_string(),
    };
    let mut kept = emitted::unprompted(SOURCE, id, &body, about, now)?;
    // The night is part of the text's trace.
    let traceparent = due.traceparent.map(|t| ("traceparent".to_owned(), t));
    kept.headers.extend(traceparent);
    Ok(kept)
}

/// One per thing and moment, whoever says it.
fn late_event(late: &WorkflowDue, now: DateTime<Utc>) -> anyhow::Result<Kept> {
    let about = match &late.awaited {
        Awaited::Decision(id) => id.0,
        Awaited::Resolution(id) => id.0,
        Awaited::Answer(_) => uuid::Uuid::new_v5(
            &uuid::Uuid::NAMESPACE_OID,
            late.conversation_id.as_str().as_bytes(),
        ),
    };
    let id = EventId(EventId(about).row(&late.due_at.timestamp_micros().to_string()));
    let about = About {
        conversation: Some(late.conversation_id.to_string()),
        workflow: late.workflow_id.map(|w| w.to_string()),
        correlation_id: about.to_string(),
    };
    Ok(emitted::unprompted(SOURCE, id, late, about, now)?)
}
