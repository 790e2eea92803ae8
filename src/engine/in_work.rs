//! What a replica has in work: each message once, its deadline extended.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::Acker;

/// Sequences of messages in work.
pub(super) type InWork = Arc<Mutex<HashSet<i64>>>;

/// One message's entry among those in work; leaves with it.
pub(super) struct OnlyOne {
    among: InWork,
    sequence: i64,
}

impl OnlyOne {
    /// `None`: it is in work already.
    pub(super) fn claim(among: &InWork, sequence: i64) -> Option<Self> {
        // A set of numbers cannot be left half changed.
        let mut all = among.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(sequence).then(|| Self {
            among: among.clone(),
            sequence,
        })
    }
}

impl Drop for OnlyOne {
    fn drop(&mut self) {
        let mut all = self.among.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.sequence);
    }
}

/// Extends the message's deadline while `work` runs, however long that takes.
pub(super) async fn with_progress<T>(
    acker: &Acker,
    every: Duration,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = tick.tick() => drop(acker.ack_with(AckKind::Progress).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_work_is_not_begun_twice() {
        let among = InWork::default();
        let first = OnlyOne::claim(&among, 7);
        assert!(first.is_some());
        assert!(
            OnlyOne::claim(&among, 7).is_none(),
            "delivered again meanwhile"
        );
        assert!(OnlyOne::claim(&among, 8).is_some());
        drop(first);
        assert!(
            OnlyOne::claim(&among, 7).is_some(),
            "given back, and delivered again"
        );
    }
}
