//! Says again what the stream has lost: the stream can be rebuilt from Postgres.
//!
//! Every event is kept beside the mark of its cause. One whose reader has no mark for it is waiting
//! (a backlog), in work (a retry), or lost: with the server's volume, with its power, or because its
//! publisher died and the cause went with the stream. What rightly waits must not be said again and
//! again, so the evidence decides:
//!
//! - said before its stream was made: lost, at once;
//! - its reader's consumer has nothing left, neither to deliver nor to acknowledge: lost;
//! - everything stored as long ago was delivered at least once: in a retry, or lost while others wait
//!   for it. Said again too, rarely: a double is harmless, a text that waits for ever is not.
//!
//! A mistake costs a message, never an effect: ids are the same, readers have their marks. What waits
//! for a manager or for an hour is a row with a mark, and no concern of this.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::crash::{self, Point};
use super::runner::Engine;
use crate::events::{DeadLettered, Event, Stream};
use crate::stages::STAGES;
use crate::store::handled::Kept;
use crate::store::unfinished::{self, Evidence, Lost, Patience, Reader};

/// Marks looked at in one statement.
const PAGE: i64 = 5_000;
/// Pages and batches in one transaction: minutes of backlog after an outage, not hours.
const ROUNDS: usize = 20;
/// Events said again in one go.
const AT_ONCE: i64 = 500;

/// How often is looked, and how old an event must be.
#[derive(Debug, Clone, Copy)]
pub struct SweepSettings {
    /// `SWEEP_SECONDS`.
    pub every: Duration,
    /// `SWEEP_AFTER_SECONDS`: longer than a message usually takes to be handled.
    pub after: Duration,
}

/// What the server says about a stage's consumer.
#[derive(Debug, Clone, Copy)]
struct Seen {
    made: DateTime<Utc>,
    /// The stream's newest message.
    last: u64,
    /// The newest message delivered to the stage.
    delivered: u64,
    waiting: u64,
    in_work: usize,
}

/// How far a stage has come, over several looks.
#[derive(Debug, Clone, Copy)]
struct Note {
    made: DateTime<Utc>,
    at: DateTime<Utc>,
    last: u64,
    delivered_until: Option<DateTime<Utc>>,
}

/// Looks every so often until told to stop. One replica sweeps at a time; all show what waits.
pub async fn run(engine: Arc<Engine>) {
    let settings = engine.settings.sweep;
    let mut notes = HashMap::new();
    loop {
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = tokio::time::sleep(settings.every) => {}
        }
        if let Err(error) = look(&engine, settings, &mut notes).await {
            tracing::warn!(error = format!("{error:#}"), "the sweep looks again later");
        }
    }
}

async fn look(
    engine: &Engine,
    settings: SweepSettings,
    notes: &mut HashMap<&'static str, Note>,
) -> anyhow::Result<()> {
    let asked = Instant::now();
    let seen = consumers(engine).await?;
    let dead = stream_made(engine, Stream::Dead).await?;
    let mut tx = engine.io.db.begin().await?;
    let Some(standing) = unfinished::lock(&mut tx).await? else {
        return Ok(());
    };
    let after = TimeDelta::from_std(settings.after)?;
    let readers: Vec<Reader> = STAGES
        .iter()
        .flat_map(|row| {
            let stage = row.name;
            row.subjects
                .iter()
                .map(move |subject| Reader { subject, stage })
        })
        .collect();
    // Younger ones are on their way.
    let until = standing.horizon.min(standing.now - after);
    let mut position = standing.position;
    for _ in 0..ROUNDS {
        let page = unfinished::notice(&mut tx, position, until, PAGE, &readers).await?;
        position = match page.newest {
            Some(newest) if page.marks == PAGE => newest,
            _ => until.max(position),
        };
        if page.marks < PAGE {
            break;
        }
    }
    unfinished::move_to(&mut tx, position).await?;
    unfinished::forget_finished(&mut tx).await?;

    let observed = standing.now - TimeDelta::from_std(asked.elapsed())?;
    let evidence: Vec<Evidence> = seen
        .into_iter()
        .map(|(stage, seen)| evidence(stage, seen, observed, notes))
        .collect();
    let patience = Patience {
        lost: settings.after.as_secs_f64(),
        unclear: 5.0 * settings.after.as_secs_f64(),
    };
    for _ in 0..ROUNDS {
        let lost = unfinished::lost(&mut tx, &evidence, patience, AT_ONCE).await?;
        if lost.is_empty() {
            break;
        }
        say_again(engine, &lost).await?;
        unfinished::said_again(&mut tx, &lost).await?;
    }
    if standing.dead_made != Some(dead) {
        // The first look ever finds a stream that has its copies.
        if standing.dead_made.is_some() {
            let copies = unfinished::open_letters(&mut tx, DeadLettered::SUBJECT).await?;
            engine.publisher.publish(&copies).await?;
        }
        unfinished::copied_to(&mut tx, dead).await?;
    }
    tx.commit().await?;
    show_unfinished(engine).await?;
    Ok(())
}

/// What follows from a look at a consumer, with what earlier looks found.
fn evidence(
    stage: &'static str,
    seen: Seen,
    observed: DateTime<Utc>,
    notes: &mut HashMap<&'static str, Note>,
) -> Evidence {
    let fresh = Note {
        made: seen.made,
        at: observed,
        last: seen.last,
        delivered_until: None,
    };
    let note = notes.entry(stage).or_insert(fresh);
    if note.made != seen.made {
        *note = fresh;
    }
    if seen.waiting == 0 {
        *note = Note {
            delivered_until: Some(observed),
            ..fresh
        };
    } else if seen.delivered >= note.last {
        // Under load something always waits: but not what was there at the earlier look.
        *note = Note {
            delivered_until: Some(note.at),
            ..fresh
        };
    }
    Evidence {
        stage,
        made: seen.made,
        quiet: (seen.waiting == 0 && seen.in_work == 0).then_some(observed),
        delivered: note.delivered_until,
    }
}

async fn consumers(engine: &Engine) -> anyhow::Result<Vec<(&'static str, Seen)>> {
    let mut seen = Vec::with_capacity(STAGES.len());
    for kind in [Stream::Inbound, Stream::Story] {
        let name = engine.publisher.names.stream(kind);
        let stream = engine.publisher.jetstream.get_stream(&name).await?;
        let made = made(stream.cached_info(), &name)?;
        for row in STAGES.iter().filter(|row| row.stream() == kind) {
            let info = stream
                .consumer_info(row.name)
                .await
                .map_err(|error| anyhow::anyhow!("consumer {}: {error}", row.name))?;
            let of = Seen {
                made,
                last: stream.cached_info().state.last_sequence,
                delivered: info.delivered.stream_sequence,
                waiting: info.num_pending,
                in_work: info.num_ack_pending,
            };
            seen.push((row.name, of));
        }
    }
    Ok(seen)
}

async fn stream_made(engine: &Engine, stream: Stream) -> anyhow::Result<DateTime<Utc>> {
    let name = engine.publisher.names.stream(stream);
    let stream = engine.publisher.jetstream.get_stream(&name).await?;
    made(stream.cached_info(), &name)
}

/// When a stream was made, as Postgres keeps times.
pub(super) fn made(
    info: &async_nats::jetstream::stream::Info,
    name: &str,
) -> anyhow::Result<DateTime<Utc>> {
    DateTime::from_timestamp(info.created.unix_timestamp(), info.created.nanosecond())
        .map(|t| chrono::SubsecRound::trunc_subsecs(t, 6))
        .ok_or_else(|| anyhow::anyhow!("stream {name} has no creation time"))
}

async fn say_again(engine: &Engine, lost: &[Lost]) -> anyhow::Result<()> {
    let events: Vec<Kept> = lost.iter().map(|lost| lost.kept.clone()).collect();
    engine.publisher.publish(&events).await?;
    crash::point("sweep", Point::Published);
    for lost in lost {
        engine
            .metrics
            .said_again
            .with_label_values(&[&lost.stage])
            .inc();
    }
    tracing::warn!(
        events = lost.len(),
        first = %lost[0].event,
        stage = lost[0].stage,
        "said again: no stage has handled them"
    );
    Ok(())
}

async fn show_unfinished(engine: &Engine) -> anyhow::Result<()> {
    let counts: HashMap<String, i64> = unfinished::counts(&engine.io.db)
        .await?
        .into_iter()
        .collect();
    for row in STAGES {
        let gauge = engine
            .metrics
            .stage_messages
            .with_label_values(&[row.name, "overdue"]);
        gauge.set(counts.get(row.name).copied().unwrap_or(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn seen(last: u64, delivered: u64, waiting: u64, in_work: usize) -> Seen {
        Seen {
            made: at(0),
            last,
            delivered,
            waiting,
            in_work,
        }
    }

    #[test]
    fn a_backlog_is_no_loss_and_a_busy_stage_hides_none_for_ever() {
        let mut notes = HashMap::new();
        let mut look = |second, seen| evidence("draft", seen, at(second), &mut notes);
        let first = look(100, seen(50, 10, 40, 10));
        assert_eq!(
            (first.quiet, first.delivered),
            (None, None),
            "it may be in the backlog"
        );
        let second = look(110, seen(90, 49, 41, 10));
        assert_eq!(second.delivered, None, "not all of the first look's");
        let third = look(120, seen(130, 60, 70, 10));
        assert_eq!(
            third.delivered,
            Some(at(100)),
            "all that was there at the first look"
        );
        let fourth = look(130, seen(130, 130, 0, 3));
        assert_eq!((fourth.quiet, fourth.delivered), (None, Some(at(130))));
        let last = look(140, seen(130, 130, 0, 0));
        assert_eq!(
            last.quiet,
            Some(at(140)),
            "nothing left: what has no mark is lost"
        );
    }

    #[test]
    fn a_stream_made_anew_begins_its_notes_anew() {
        let mut notes = HashMap::new();
        evidence("draft", seen(1_000, 1_000, 0, 0), at(100), &mut notes);
        let anew = Seen {
            made: at(105),
            ..seen(5, 0, 5, 0)
        };
        let found = evidence("draft", anew, at(110), &mut notes);
        assert_eq!((found.made, found.delivered), (at(105), None));
    }
}
