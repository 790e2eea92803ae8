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

    /// A text that answers nothing, as a stage that begins texts would release it; or one that calls
    /// itself a reply.
    pub(in crate::stages::never) fn remind(&mut self, room: usize, as_reply: bool) {
        let kind = if as_reply {
            DeliveryKind::Approved
        } else {
            DeliveryKind::Reminder
        };
        let conversation = self.rooms[room].row.clone();
        let words = "Your rent is due on Friday.";
        let text = gate()
            .worded(words, DeliveryKind::Reminder, false, Language::English)
            .expect("short");
        let reply = ReplyApproved {
            delivery_id: DeliveryId(uuid::Uuid::from_u128(
                0xBE61 + u128::from(self.events) * 7919,
            )),
            draft_id: None,
            workflow_id: testing::workflow(900 + self.events),
            conversation_id: conversation.id.clone(),
            turn: conversation.turn,
            phone_number: phone(),
            tenant_id: Some(tenant_id()),
            text,
            kind,
            released_by: None,
            newest_known_message: 0,
            override_superseded: false,
            property: None,
            balance: None,
            overridden: None,
            answers_text_of: None,
        };
        // A reply belongs to a turn; without one only a conversation in which nobody wrote is of use.
        if as_reply && conversation.last_inbound_at.is_some() {
            return;
        }
        let event = self.event(Release {
            woken: false,
            reply,
        });
        self.stream.push(event);
    }

    /// Everything in memory is gone. What the stream has comes again, the newest first and as it was
    /// written; messages whose acknowledgement was lost come again too; a wake-up that was not said yet
    /// is said by the next one who looks.
    pub(in crate::stages::never) fn restart(&mut self) {
        let held = |event: &Incoming<Release>| {
            let text = self.texts.get(&event.body.reply.delivery_id);
            text.is_some_and(|text| text.row.status == DeliveryStatus::Held)
        };
        let mut again: Vec<Incoming<Release>> = Vec::new();
        for event in self.stream.iter().rev() {
            if event.body.woken && held(event) {
                continue;
            }
            let written = serde_json::to_value(&event.body.reply).expect("a body");
            let mut event = event.clone();
            event.body.reply = serde_json::from_value(written).expect("the same body");
            event.envelope.delivered += 1;
            again.push(event);
        }
        self.stream = again;
        for back in 1..=3usize.min(self.handled.len()) {
            self.redeliver(self.handled.len() - back);
        }
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

    pub(in crate::stages::never) fn enter_consent(&mut self, opted_out: bool, with_proof: bool) {
        let proof = OptInProof {
            text_shown: "Text me about my rent".to_owned(),
            method: "lease".to_owned(),
            given_by: "Maria Rodriguez".to_owned(),
            given_at: self.now,
        };
        let proof = Some(proof).filter(|_| !opted_out && with_proof);
        let entered = ConsentEntered {
            phone_number: phone(),
            opted_out,
            source: "manager".to_owned(),
            note: Some("on the phone".to_owned()),
            proof,
            manager_id: None,
        };
        self.ledger(Entry::Consent(entered), None::<Hold>, None);
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
        self.ledger(Entry::Hold(asked), None::<Hold>, standing);
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
        self.ledger(Entry::Lift(asked), Some(hold), None);
    }

    pub(in crate::stages::never) fn enter_window(&mut self, quiet: &str) {
        let entered = WindowEntered {
            phone_number: phone(),
            quiet: vec![quiet.parse().expect("hours")],
            source: "voicemail".to_owned(),
            note: None,
            manager_id: None,
        };
        self.ledger(Entry::Window(entered), None::<Hold>, None);
    }

    pub(in crate::stages::never) fn lift_window(&mut self, which: usize) {
        if self.windows.is_empty() {
            return;
        }
        let window = self.windows[which % self.windows.len()].clone();
        let asked = WindowLiftRequested {
            contact_window_id: window.id.to_string(),
            reason: "works from home now".to_owned(),
            manager_id: None,
        };
        self.ledger(Entry::LiftWindow(asked), Some(window), None);
    }

    fn ledger(&mut self, entry: Entry, found: impl Into<ledger::Found>, standing: Option<Hold>) {
        let event = self.event(entry);
        let case = Case {
            standing_hold: standing,
            quiet: self.quiet(),
            ..Case::default()
        };
        let stage = Ledger { gate: gate() };
        let decision = stage.decide(&event, &found.into(), &case, self.now);
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
