//! Makes room on the inbound stream. It refuses when it is full, and keeps what was handled for days:
//! after a flood it would go on refusing although everything is done. So above four fifths of a limit
//! the older half of what every consumer has handled goes; what anybody has yet to read never does.
//!
//! Rejected: work-queue retention (forgets what was acknowledged when it deduplicates, and keeps no
//! record at all), `discard: old` (loses what nobody has read), a shorter age (a quiet week's record
//! for a day's flood).

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy};
use async_nats::jetstream::stream::Info;
use futures::TryStreamExt as _;

use super::runner::Engine;
use crate::events::Stream;
use crate::stages::STAGES;

/// Of a limit, from which on room is made.
const FULL_PERCENT: u64 = 80;

/// The longest between two looks. A flood fills a fifth of 2 GiB in minutes, not in seconds.
const EVERY: Duration = Duration::from_secs(5);

/// Looks every so often until the service stops. Any number of replicas may.
pub async fn keep(engine: Arc<Engine>) {
    let every = engine.settings.wake_every.min(EVERY);
    while !engine.stop.is_cancelled() {
        match make_room(&engine).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "handled messages made room for new ones"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::debug!(error, "room on the inbound stream is looked after again");
            }
        }
        tokio::select! {
            () = engine.stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Says how many messages went.
async fn make_room(engine: &Engine) -> anyhow::Result<u64> {
    let name = engine.publisher.names.stream(Stream::Inbound);
    let stream = engine.publisher.jetstream.get_stream(&name).await?;
    let info = stream.cached_info();
    let used = used_percent(info);
    #[expect(clippy::cast_precision_loss, reason = "hundredths")]
    let ratio = used as f64 / 100.0;
    engine
        .metrics
        .inbound_used
        .with_label_values(&[] as &[&str])
        .set(ratio);
    if used < FULL_PERCENT {
        return Ok(0);
    }
    // Asked after the stream: who has nothing left now has handled all that was there then.
    let mut readers = Vec::new();
    let mut consumers = stream.consumers();
    while let Some(consumer) = consumers.try_next().await? {
        readers.push(Reader::of(&consumer));
    }
    let Some(keep_from) = keep_from(info, &readers) else {
        return Ok(0);
    };
    match stream.purge().sequence(keep_from).await {
        Ok(purged) => Ok(purged.purged),
        Err(error) => {
            // The door closes soon: unlike a server that is away, this does not pass by itself.
            tracing::warn!(%error, "handled messages may not be purged to make room");
            Ok(0)
        }
    }
}

/// Who reads the stream, and how far.
#[derive(Debug, Clone)]
struct Reader {
    name: String,
    /// The sequence up to which everything is handled; `None` when nothing is left at all.
    floor: Option<u64>,
    /// Who acknowledges nothing is a watcher, for whom nothing is kept.
    watches: bool,
}

impl Reader {
    fn of(consumer: &consumer::Info) -> Self {
        let has_all = consumer.num_pending == 0 && consumer.num_ack_pending == 0;
        Self {
            name: consumer.name.clone(),
            floor: (!has_all).then_some(consumer.ack_floor.stream_sequence),
            watches: consumer.config.ack_policy == AckPolicy::None,
        }
    }
}

/// The first sequence that stays, or nothing if all of them do.
fn keep_from(stream: &Info, readers: &[Reader]) -> Option<u64> {
    let state = &stream.state;
    // A cluster's list leaves out whoever has no leader at the moment; and a consumer that was deleted
    // is made anew and begins at the first message.
    let ours = STAGES
        .iter()
        .filter(|row| row.stream() == Stream::Inbound)
        .all(|row| readers.iter().any(|reader| reader.name == row.name));
    if !ours || readers.len() < state.consumer_count {
        return None;
    }
    let floors = readers.iter().filter(|reader| !reader.watches);
    let handled = floors
        .filter_map(|reader| reader.floor)
        .fold(state.last_sequence, u64::min);
    let half = state.first_sequence + state.messages / 2;
    let keep_from = handled.saturating_add(1).min(half);
    (keep_from > state.first_sequence).then_some(keep_from)
}

/// Of the limit that is nearest.
fn used_percent(info: &Info) -> u64 {
    let of = |used: u64, limit: i64| match u64::try_from(limit) {
        Ok(limit) if limit > 0 => used.saturating_mul(100) / limit,
        _ => 0,
    };
    let (state, config) = (&info.state, &info.config);
    of(state.bytes, config.max_bytes).max(of(state.messages, config.max_messages))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Messages 101 to 200.
    fn stream(consumers: usize) -> Info {
        serde_json::from_value(json!({
            "config": { "name": "ORCHESTRATOR_IN", "retention": "limits", "storage": "file",
                "discard": "new", "max_consumers": -1, "max_msgs": 100, "max_bytes": -1,
                "max_age": 0, "num_replicas": 1 },
            "created": "2026-11-21T00:00:00Z",
            "state": { "messages": 100, "bytes": 1_000, "first_seq": 101,
                "first_ts": "2026-11-21T00:00:00Z", "last_seq": 200,
                "last_ts": "2026-11-21T00:00:00Z", "consumer_count": consumers },
            "ts": "2026-11-21T00:00:00Z"
        }))
        .expect("a stream")
    }

    fn reader(name: &str, floor: Option<u64>) -> Reader {
        Reader {
            name: name.to_owned(),
            floor,
            watches: false,
        }
    }

    /// Every stage that reads the stream has nothing left, but for these; and a stranger.
    fn readers(behind: &[(&str, u64)]) -> Vec<Reader> {
        let floor = |name| {
            let found = behind.iter().find(|(stage, _)| *stage == name);
            found.map(|(_, floor)| *floor)
        };
        let ours = STAGES.iter().filter(|row| row.stream() == Stream::Inbound);
        ours.map(|row| row.name)
            .chain(["audit"])
            .map(|name| reader(name, floor(name)))
            .collect()
    }

    #[test]
    fn what_anybody_has_yet_to_handle_stays() {
        for (behind, kept, what) in [
            (&[][..], Some(151), "the older half goes"),
            (&[("decide", 120)], Some(121), "not beyond the slowest"),
            (&[("decide", 180)], Some(151), "nor beyond the half"),
            (&[("decide", 100)], None, "nothing is handled"),
            (&[("decide", 0)], None, "never read: paused"),
            (
                &[("decide", 130), ("intake", 110)],
                Some(111),
                "the slowest of two",
            ),
            (&[("audit", 130)], Some(131), "a stranger's"),
        ] {
            let readers = readers(behind);
            assert_eq!(keep_from(&stream(readers.len()), &readers), kept, "{what}");
        }
    }

    #[test]
    fn who_is_not_listed_may_have_handled_nothing() {
        let all = readers(&[]);
        assert_eq!(keep_from(&stream(all.len() + 1), &all), None, "a stranger");
        for missing in all.iter().filter(|reader| reader.name != "audit") {
            let listed: Vec<Reader> = all
                .iter()
                .filter(|reader| reader.name != missing.name)
                .cloned()
                .collect();
            let stream = stream(listed.len());
            assert_eq!(keep_from(&stream, &listed), None, "{}", missing.name);
        }
        assert_eq!(keep_from(&stream(0), &[]), None, "nobody");
    }

    #[test]
    fn nothing_is_kept_for_a_watcher() {
        let mut all = readers(&[]);
        all.push(Reader {
            watches: true,
            ..reader("watcher", Some(0))
        });
        assert_eq!(keep_from(&stream(all.len()), &all), Some(151));
    }
}
