//! What else may happen: messages come again, somebody redrives, the hour comes, managers enter
//! consents and holds.

use super::*;

impl World {
    pub(in crate::stages::never) fn redeliver(&mut self, which: usize) {
        if self.handled.is_empty() {
            return;
        }
        let event = self.handled[which % self.handled.len()].clone();
        // The engine's mark makes it nothing; a stage that had to decide again would do nothing too.
        assert!(self.marks.contains(&event.envelope.id));
        let status = self
            .texts
            .get(&event.body.reply.delivery_id)
            .map(|text| text.row.status);
        if status.is_some_and(DeliveryStatus::is_final) {
            let decision = deliver().decide(
                &event,
                &Balance::NotAsked.into(),
                &self.case_of(&event),
                self.now,
            );
            testing::assert_nothing(&decision);
        }
    }

    /// As `retry` does it: the row waits again, the message comes again under its own id, and its
    /// mark is forgotten.
    pub(in crate::stages::never) fn redrive(&mut self, which: usize) {
        let failed = |event: &Incoming<Release>| {
            let text = self.texts.get(&event.body.reply.delivery_id);
            text.is_some_and(|text| text.row.status == DeliveryStatus::Failed)
        };
        let all: Vec<_> = self.handled.iter().filter(|e| failed(e)).cloned().collect();
        if all.is_empty() {
            return;
        }
        let event = all[which % all.len()].clone();
        if let Some(text) = self.texts.get_mut(&event.body.reply.delivery_id) {
            text.row.status = DeliveryStatus::Waiting;
        }
        self.marks.remove(&event.envelope.id);
        self.handled
            .retain(|other| other.envelope.id != event.envelope.id);
        self.redriven.insert(event.body.reply.delivery_id);
        self.stream.push(event);
    }

    pub(in crate::stages::never) fn wake(&mut self, balance_changed: bool) {
        self.balance_changed = balance_changed;
        let due: Vec<(DateTime<Utc>, ReplyApproved)> = self
            .texts
            .values()
            .filter(|text| text.row.status == DeliveryStatus::Held)
            .filter_map(|text| text.row.not_before.zip(text.released.clone()))
            .filter(|(at, _)| *at <= self.now)
            .collect();
        for (at, reply) in due {
            let id = EventId(EventId(reply.delivery_id.0).row(&at.to_rfc3339()));
            let said = self.stream.iter().any(|m| m.envelope.id == id) || self.marks.contains(&id);
            if said {
                continue;
            }
            let mut event = self.event(Release { woken: true, reply });
            event.envelope.id = id;
            self.stream.push(event);
        }
    }

    pub(in crate::stages::never) fn enter_consent(&mut self, opted_out: bool) {
        let entered = ConsentEntered {
            phone_number: phone(),
            opted_out,
            source: "manager".to_owned(),
            note: Some("on the phone".to_owned()),
            manager_id: None,
        };
        self.ledger(Entry::Consent(entered), None);
    }

    pub(in crate::stages::never) fn hold(&mut self, kind: HoldKind) {
        let standing = self
            .holds
            .iter()
            .find(|h| h.lifted.is_none() && h.kind == kind.as_str());
        let standing = standing.cloned();
        let asked = HoldRequested {
            kind,
            phone_number: Some(phone()),
            tenant_id: None,
            conversation_id: None,
            reason: "a letter".to_owned(),
            manager_id: None,
        };
        self.ledger(Entry::Hold(asked), standing);
    }

    pub(in crate::stages::never) fn lift(&mut self, which: usize) {
        if self.holds.is_empty() {
            return;
        }
        let hold = self.holds[which % self.holds.len()].clone();
        let asked = LiftRequested {
            hold_id: hold.id.to_string(),
            reason: "a second letter".to_owned(),
            manager_id: None,
        };
        self.ledger(Entry::Lift(asked), Some(hold));
    }

    fn ledger(&mut self, entry: Entry, found: Option<Hold>) {
        let event = self.event(entry);
        let case = Case {
            standing_hold: found.clone(),
            ..Case::default()
        };
        let decision = Ledger.decide(&event, &found, &case, self.now);
        self.apply(&decision);
    }

    /// R3: at most one for every time the number opted out.
    pub(in crate::stages::never) fn assert_one_confirmation_per_opt_out(&self) {
        let sent = self
            .phone
            .iter()
            .filter(|(_, kind)| *kind == DeliveryKind::Confirmation);
        assert!(sent.count() <= self.opt_outs);
    }

    /// Whatever is left ends when nothing fails any more and the days go by.
    pub(in crate::stages::never) fn run_dry(&mut self) {
        for _ in 0..400 {
            if self.texts.values().all(|t| t.row.status.is_final()) && self.stream.is_empty() {
                return;
            }
            self.wake(false);
            for event in self.stream.clone() {
                self.take(&event, Call::Accepted);
            }
            self.now += TimeDelta::minutes(37);
        }
        let left: Vec<_> = self
            .texts
            .values()
            .filter(|t| !t.row.status.is_final())
            .map(|t| (t.kind.as_str(), t.row.status))
            .collect();
        panic!("left over: {left:?}, {} messages", self.stream.len());
    }
}
