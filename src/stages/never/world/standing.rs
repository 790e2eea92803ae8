//! How things stand with the number, as the database would say.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::World;
use crate::domain::{ConversationId, Quiet};
use crate::store::deliveries::DeliveryStatus;

impl World {
    /// When the number wants no texts.
    pub(super) fn quiet(&self) -> Vec<Quiet> {
        let standing = self.windows.iter().filter(|w| w.lifted.is_none());
        let all: BTreeSet<Quiet> = standing.flat_map(|w| w.quiet.clone()).collect();
        all.into_iter().collect()
    }

    /// As the database counts: intended or sent within seven days.
    pub(super) fn started_last_week(&self) -> i64 {
        let since = self.now - TimeDelta::days(7);
        let started = self.texts.values().filter(|text| {
            let out = matches!(
                text.row.status,
                DeliveryStatus::Intended | DeliveryStatus::Sent
            );
            let begun = text.kind.is_started() || self.nobody_wrote_in(&text.row.conversation_id);
            begun && out && text.row.created_at > since
        });
        i64::try_from(started.count()).expect("few")
    }

    pub(super) fn nobody_wrote_in(&self, conversation: &ConversationId) -> bool {
        self.rooms[self.room_of(conversation)]
            .row
            .last_inbound_at
            .is_none()
    }
}
