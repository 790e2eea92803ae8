//! Makes room on the inbound stream. It refuses when it is full, and keeps what was handled for days:
//! after a flood it would go on refusing although everything is done. So above four fifths of a limit
//! the older half of what every consumer has handled goes; what anybody has yet to read never does.
//!
//! Rejected: work-queue retention (forgets what was acknowledged when it deduplicates, and keeps no
//! record at all), `discard: old` (loses what nobody has read), a shorter age (a quiet week's record
//! for a day's flood).

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::stream::Info;
use futures::TryStreamExt as _;

use super::runner::Engine;
use crate::events::Stream;

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
    let mut handled = info.state.last_sequence;
    let mut consumers = stream.consumers();
    while let Some(consumer) = consumers.try_next().await? {
        let has_all = consumer.num_pending == 0 && consumer.num_ack_pending == 0;
        // Who acknowledges nothing is a watcher.
        if has_all || consumer.config.ack_policy == AckPolicy::None {
            continue;
        }
        handled = handled.min(consumer.ack_floor.stream_sequence);
    }
    let first = info.state.first_sequence;
    let half = first + info.state.messages / 2;
    let keep_from = handled.saturating_add(1).min(half);
    if keep_from <= first {
        return Ok(0);
    }
    let purged = stream.purge().sequence(keep_from).await?;
    Ok(purged.purged)
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
