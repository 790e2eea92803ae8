//! From the queue to the stream, and to an answer about texts whose fate is unknown: at the agent,
//! or on the stream.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future;

use super::Relay;
use super::event::{self, Relayed};
use crate::domain::{EventId, Phone};
use crate::events::{Event, SmsReceived};
use crate::neighbours::sms_agent::Sighting;
use crate::stages::STAGES;
use crate::store::handled;
use crate::store::relay_queue::{self, DueText, Outcome, Waiting};

/// Texts in work at once; each is of another sender.
const BATCH: i64 = 16;
/// How often the queue is looked at when nobody rings.
const IDLE: Duration = Duration::from_secs(1);
/// After this many failed looks at the agent's history a text goes on without its tenant: the
/// stages ask the Monitor themselves.
const LOOKS_BEFORE_PUBLISHING: i32 = 2;
/// After this many looks a text that the agent neither confirmed nor has is given up.
const LOOKS_BEFORE_GIVING_UP: i32 = 6;
/// How long the id of a published text is remembered here. Longer than any provider repeats.
const REMEMBERED: TimeDelta = TimeDelta::days(7);

/// Works until the service stops.
pub(super) async fn run(relay: &Relay) {
    let mut rounds: u32 = 0;
    while !relay.stop.is_cancelled() {
        match round(relay).await {
            // More may be due: the next texts of the same senders.
            Ok(done) if done > 0 => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the relay's queue cannot be read"),
        }
        if rounds.is_multiple_of(5) {
            look_after(relay, rounds).await;
        }
        rounds = rounds.wrapping_add(1);
        tokio::select! {
            () = relay.stop.cancelled() => {}
            () = relay.arrived.notified() => {}
            () = tokio::time::sleep(IDLE.min(relay.retry_base.max(Duration::from_millis(10)))) => {}
        }
    }
}

/// Everything that is due now; how much it was. The rows stay locked meanwhile: whoever dies lets
/// go of them at once, and the next one publishes the same texts under the same ids.
async fn round(relay: &Relay) -> Result<usize, sqlx::Error> {
    let now = relay.clock.now();
    let mut tx = relay.db.begin().await?;
    let ready = relay_queue::hold(&mut tx, Waiting::Ready, now, BATCH).await?;
    let unclear = relay_queue::hold(&mut tx, Waiting::Forwarding, now, BATCH).await?;
    let published = relay_queue::hold(&mut tx, Waiting::Published, now, BATCH).await?;
    let ids: Vec<EventId> = published
        .iter()
        .map(|d| event::id_of(&d.text.sid))
        .collect();
    let handled = handled::among(&mut tx, &ids, first_stage()).await?;
    let all = future::join3(
        future::join_all(ready.iter().map(|due| publish(relay, due))),
        future::join_all(unclear.iter().map(|due| look(relay, due))),
        future::join_all(
            published
                .iter()
                .zip(&ids)
                .map(|(due, id)| check(relay, due, handled.contains(id))),
        ),
    );
    let (first, second, third) = all.await;
    let now = relay.clock.now();
    let held = ready.iter().chain(&unclear).chain(&published);
    for (due, outcome) in held.zip(first.iter().chain(&second).chain(&third)) {
        note(relay, due, outcome);
        relay_queue::settle(&mut tx, due.id, outcome, now).await?;
    }
    tx.commit().await?;
    Ok(ready.len() + unclear.len() + published.len())
}

/// Who handles what the relay publishes.
fn first_stage() -> &'static str {
    STAGES
        .iter()
        .find(|row| row.subjects.contains(&SmsReceived::SUBJECT))
        .map_or("intake", |row| row.name)
}

/// One text that the agent has accepted.
async fn publish(relay: &Relay, due: &DueText) -> Outcome {
    let (text, now) = (&due.text, relay.clock.now());
    let seen = match sighting(relay, due, 20).await {
        Ok(seen) => Some(seen),
        Err(error) if due.attempts < LOOKS_BEFORE_PUBLISHING => return later(relay, due, error),
        Err(_) => None,
    };
    if seen.as_ref().is_some_and(|seen| !seen.stored) {
        // Recorded: it answers 200 also when its database refuses. Then ours is the only copy.
        tracing::warn!(
            sid = text.sid,
            "the agent accepted a text and does not have it"
        );
        relay.count("lost_by_agent");
    }
    let relayed = Relayed {
        sid: &text.sid,
        phone: &text.sender,
        conversation: None,
        tenant_id: seen
            .as_ref()
            .and_then(|s| s.tenant_id.as_ref())
            .map(ToString::to_string),
        content: &text.content,
        num_media: Some(text.num_media),
        stored_by_agent: seen.map(|seen| seen.stored),
        at: Some(text.received_at),
    };
    let sms = match relayed.event(now) {
        Ok(sms) => sms,
        Err(invalid) => return Outcome::Refused(event::faults(&invalid)),
    };
    match event::publish(&relay.publisher, &text.sid, &sms, now).await {
        Ok(()) => match serde_json::to_value(&sms) {
            Ok(event) => Outcome::Published {
                event,
                due_at: relay.taken_by(now, 0),
            },
            Err(error) => later(relay, due, error.to_string()),
        },
        Err(error) => later(relay, due, error.to_string()),
    }
}

/// One text that the stream has taken. An acknowledged message can be lost with the server's disk,
/// or its power; what no stage has handled after a while is published again under the same id.
async fn check(relay: &Relay, due: &DueText, handled: bool) -> Outcome {
    if handled {
        return Outcome::Taken;
    }
    let now = relay.clock.now();
    let again = |error| Outcome::Later {
        error,
        due_at: relay.taken_by(now, due.attempts + 1),
    };
    let sms = due.event.clone().map(serde_json::from_value::<SmsReceived>);
    let Some(Ok(sms)) = sms else {
        return Outcome::Refused("its event cannot be read back".to_owned());
    };
    match event::publish(&relay.publisher, &due.text.sid, &sms, now).await {
        Ok(()) => again(None),
        Err(error) => later(relay, due, error.to_string()),
    }
}

/// One text whose fate at the agent is not known: a crash, a timeout, a 500.
async fn look(relay: &Relay, due: &DueText) -> Outcome {
    match sighting(relay, due, 100).await {
        Ok(seen) if seen.stored => Outcome::Ready,
        // It may still be at it.
        Ok(_) if due.attempts < LOOKS_BEFORE_GIVING_UP => {
            later(relay, due, "not there yet".to_owned())
        }
        Ok(_) => Outcome::Unconfirmed("the agent neither answered 200 nor has it".to_owned()),
        Err(error) => later(relay, due, error),
    }
}

/// The outcome, for whoever watches.
fn note(relay: &Relay, due: &DueText, outcome: &Outcome) {
    let (sid, attempts) = (due.text.sid.as_str(), due.attempts);
    match outcome {
        Outcome::Published { .. } => relay.count("published"),
        Outcome::Taken => relay.count("taken"),
        Outcome::Ready => tracing::info!(sid, "the agent has a text whose fate was unknown"),
        Outcome::Later {
            error: Some(error), ..
        } => tracing::info!(sid, attempts, error, "relayed later"),
        Outcome::Later { error: None, .. } => {
            tracing::info!(
                sid,
                attempts,
                "published again: no stage has handled it yet"
            );
            relay.count("published_again");
        }
        Outcome::Refused(why) => {
            tracing::error!(sid, why, "a text cannot be published; it is kept");
            relay.count("refused");
        }
        Outcome::Unconfirmed(why) => {
            tracing::warn!(sid, why, "a text is kept, not published");
            relay.count("unconfirmed");
        }
    }
}

async fn sighting(relay: &Relay, due: &DueText, limit: u32) -> Result<Sighting, String> {
    // A sender that is no phone number has no history.
    let Ok(phone) = Phone::parse(&due.text.sender) else {
        return Ok(Sighting::default());
    };
    relay
        .agent
        .sighting(&phone, &due.text.sid, limit)
        .await
        .map_err(|error| error.to_string())
}

fn later(relay: &Relay, due: &DueText, error: String) -> Outcome {
    Outcome::Later {
        error: Some(error),
        due_at: relay.clock.now() + relay.pause(due.attempts),
    }
}

/// Shows what waits, and forgets what is long done.
async fn look_after(relay: &Relay, rounds: u32) {
    match relay_queue::counts(&relay.db).await {
        Ok(counts) => {
            for (state, count) in counts {
                relay
                    .metrics
                    .relay_queue
                    .with_label_values(&[state.as_str()])
                    .set(count);
            }
        }
        Err(error) => tracing::debug!(%error, "the relay's queue cannot be counted"),
    }
    if rounds.is_multiple_of(3600) {
        let before = relay.clock.now() - REMEMBERED;
        if let Err(error) = relay_queue::prune(&relay.db, before).await {
            tracing::debug!(%error, "old rows stay");
        }
    }
}
