//! Rows, stream, phones and clock of the properties, in memory.

mod happenings;
mod rows;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use crate::domain::{
    ConversationId, DeliveryId, DeliveryKind, EventId, HoldKind, Language, OpenText,
};
use crate::engine::{Effect, EffectResult, Incoming, Next, Stage};
use crate::events::{
    ApprovalDecided, ConsentEntered, DecisionAction, Direction, HoldRequested, LiftRequested,
    OptInProof, ReplyApproved, SmsReceived, WindowEntered, WindowLiftRequested,
};
use crate::neighbours::sms_agent::{LookResult, SendResult};
use crate::rules::gate::{Permit, introduces};
use crate::stages::decide::{self, Decide};
use crate::stages::deliver::{Balance, Deliver, DeliverSettings, Release};
use crate::stages::intake::{self, Intake, IntakeSettings};
use crate::stages::ledger::{self, Entry, Ledger};
use crate::stages::route::Route;
use crate::stages::testing::{
    self, after, assert_no_row_twice, incoming, open_text, phone, reply_drafted, tenant_id, turn,
};
use crate::store::Case;
use crate::store::contact_windows::ContactWindow;
use crate::store::conversations::Conversation;
use crate::store::deliveries::{Delivery, DeliveryStatus};
use crate::store::drafts::Draft;
use crate::store::holds::Hold;

/// What becomes of a call of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Accepted,
    NotSent,
    UnclearButSent,
    UnclearNotSent,
    OptedOut,
    Refused,
    WeDieBefore,
    WeDieAfter,
}

struct Room {
    row: Conversation,
    texts: Vec<OpenText>,
}

struct Text {
    row: Delivery,
    kind: DeliveryKind,
    released: Option<ReplyApproved>,
}

pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    /// Which kinds of texts were handed to the agent, and on which path.
    pub(super) walked: BTreeSet<(&'static str, &'static str)>,
    events: u32,
    rooms: Vec<Room>,
    opted_out: bool,
    /// There is a proof of an opt-in.
    proven: bool,
    opt_outs: usize,
    holds: Vec<Hold>,
    windows: Vec<ContactWindow>,
    drafts: Vec<Draft>,
    texts: BTreeMap<DeliveryId, Text>,
    /// Messages that `deliver` has not handled.
    stream: Vec<Incoming<Release>>,
    handled: Vec<Incoming<Release>>,
    marks: BTreeSet<EventId>,
    /// What is on the tenant's phone.
    phone: Vec<(DeliveryId, DeliveryKind)>,
    balance_changed: bool,
    redriven: BTreeSet<DeliveryId>,
}

const LOOK_AFTER: TimeDelta = TimeDelta::seconds(35);

fn deliver() -> Deliver {
    Deliver {
        settings: DeliverSettings {
            parallel: 10,
            look_after: LOOK_AFTER,
            give_up_after: TimeDelta::days(30),
            retry_base: std::time::Duration::from_secs(1),
        },
        handover: testing::handover(),
        gate: gate(),
    }
}

fn gate() -> crate::rules::gate::Gate {
    testing::gate_with(&[
        ("CONTACT_HOURS", "on"),
        ("OPT_OUT_CONFIRMATION", "service"),
        ("TEXTS_PER_HOUR", "1000"),
    ])
}

impl World {
    pub(super) fn new() -> Self {
        let room = |name: &str| Room {
            row: Conversation {
                id: ConversationId::parse(name).expect("an id"),
                introduced: false,
                last_inbound_at: None,
                ..testing::quiet(0)
            },
            texts: Vec::new(),
        };
        Self {
            now: after(0),
            walked: BTreeSet::new(),
            events: 0,
            // Two conversations of one number: what is said in one holds in the other.
            rooms: vec![room("c1"), room("c2")],
            opted_out: false,
            proven: false,
            opt_outs: 0,
            holds: Vec::new(),
            windows: Vec::new(),
            drafts: Vec::new(),
            texts: BTreeMap::new(),
            stream: Vec::new(),
            handled: Vec::new(),
            marks: BTreeSet::new(),
            phone: Vec::new(),
            balance_changed: false,
            redriven: BTreeSet::new(),
        }
    }

    fn event<T>(&mut self, body: T) -> Incoming<T> {
        // No two things happen in the same microsecond; a moment is part of what names a wake-up.
        self.now += TimeDelta::milliseconds(1);
        self.events += 1;
        let mut event = incoming(self.events, body);
        event.envelope.received_at = self.now;
        event
    }

    fn held_by(&self) -> Vec<HoldKind> {
        let standing = self.holds.iter().filter(|hold| hold.lifted.is_none());
        let kinds: BTreeSet<HoldKind> = standing
            .filter_map(|hold| HoldKind::parse(&hold.kind))
            .collect();
        kinds.into_iter().collect()
    }

    fn case(&self, room: usize) -> Case {
        let Room { row, texts } = &self.rooms[room];
        let pending = self
            .drafts
            .iter()
            .find(|d| d.conversation_id == row.id && d.is_pending());
        Case {
            conversation: Some(row.clone()),
            opted_out: self.opted_out,
            holds: self.held_by(),
            quiet: self.quiet(),
            proven: self.proven,
            started_last_week: self.started_last_week(),
            open_texts: if row.turn_open {
                texts.clone()
            } else {
                Vec::new()
            },
            draft: pending.filter(|_| row.turn_open).cloned(),
            ..Case::default()
        }
    }

    fn room_of(&self, id: &ConversationId) -> usize {
        self.rooms
            .iter()
            .position(|room| room.row.id == *id)
            .expect("a room")
    }

    pub(super) fn text(&mut self, room: usize, words: &str) {
        let sms = SmsReceived {
            tenant_id: Some(tenant_id()),
            phone_number: phone(),
            content: words.to_owned(),
            conversation_id: self.rooms[room].row.id.clone(),
            timestamp: None,
            direction: Direction::Inbound,
            message_sid: None,
            metadata: None,
        };
        let event = self.event(sms);
        let stage = Intake {
            settings: IntakeSettings {
                dedupe_window: TimeDelta::seconds(30),
            },
            handover: testing::handover(),
            gate: gate(),
        };
        let heard = intake::hear(&event);
        let before = self.rooms[room].row.turn;
        let decision = stage.decide(&event, &heard, &self.case(room), self.now);
        if decision.subjects().contains(&"turn.opened") {
            let mut own = open_text(self.events, words);
            own.triggers = heard.triggers.clone();
            if !self.rooms[room].row.turn_open {
                self.rooms[room].texts.clear();
            }
            self.rooms[room].texts.push(own);
        }
        self.apply(&decision);
        assert!(self.rooms[room].row.turn >= before);
    }

    /// The model's draft for the open turn, if `context` would let it come to that.
    pub(super) fn draft(&mut self, room: usize, sure: bool) {
        let Room { row, texts } = &self.rooms[room];
        let for_a_person = texts.iter().any(|t| !t.triggers.is_empty());
        let drafted_before = self
            .drafts
            .iter()
            .any(|d| d.conversation_id == row.id && d.turn == row.turn);
        if !row.turn_open || for_a_person || drafted_before || texts.is_empty() {
            return;
        }
        let mut turn = turn(row.turn, texts.clone());
        turn.conversation_id = row.id.clone();
        turn.workflow_id = row.turn_workflow.unwrap_or(turn.workflow_id);
        let drafted = reply_drafted(turn, if sure { 0.95 } else { 0.7 });
        let event = self.event(drafted);
        let stage = Route {
            settings: testing::routing(),
            handover: testing::handover(),
            gate: gate(),
        };
        let decision = stage.decide(&event, &(), &self.case(room), self.now);
        self.apply(&decision);
    }

    pub(super) fn decide(&mut self, which: usize, modify: bool, overrides: bool) {
        if self.drafts.is_empty() {
            return;
        }
        let draft = self.drafts[which % self.drafts.len()].clone();
        let command = ApprovalDecided {
            response_queue_id: Some(draft.id.to_string()),
            conversation_id: None,
            phone_number: None,
            action: if modify {
                DecisionAction::Modify
            } else {
                DecisionAction::Approve
            },
            approved_text: None,
            modified_text: modify.then(|| "Please call us.".to_owned()),
            escalation_reason: None,
            manager_id: Some("m1".to_owned()),
            notes: None,
            override_superseded: overrides,
            override_reason: overrides.then(|| "I know what I do".to_owned()),
        };
        let event = self.event(command);
        let stage = Decide {
            fresh: chrono::TimeDelta::hours(1),
            checks: testing::checks(),
            planning: testing::planning(),
            handover: testing::handover(),
            gate: gate(),
        };
        let room = self.room_of(&draft.conversation_id);
        let case = Case {
            draft: Some(draft.clone()),
            ..self.case(room)
        };
        let found = decide::Found::of(draft);
        let decision = stage.decide(&event, &found, &case, self.now);
        self.apply(&decision);
    }

    pub(super) fn deliver(&mut self, which: usize, call: Call) {
        if self.stream.is_empty() {
            return;
        }
        let event = self.stream[which % self.stream.len()].clone();
        self.take(&event, call);
    }

    /// One delivery of a message: decided, acted, concluded, until it leaves.
    fn take(&mut self, event: &Incoming<Release>, call: Call) {
        let stage = deliver();
        let found = match (event.body.woken, event.body.reply.balance) {
            (true, Some(_)) if self.balance_changed => Balance::Now(None),
            (true, balance @ Some(_)) => Balance::Now(balance),
            _ => Balance::NotAsked,
        };
        let found = found.into();
        let mut decision = stage.decide(event, &found, &self.case_of(event), self.now);
        loop {
            assert_no_row_twice(&decision);
            if let Next::Act(effect) = &decision.next
                && let Effect::SendText { permit } = &**effect
            {
                self.assert_may_leave(permit, event);
            }
            self.apply(&decision);
            let result = match &decision.next {
                Next::Done => {
                    self.marks.insert(event.envelope.id);
                    self.stream
                        .retain(|other| other.envelope.id != event.envelope.id);
                    self.handled.push(event.clone());
                    return;
                }
                Next::Later { .. } => return,
                Next::Never { reason, detail } => panic!("{reason}: {detail}"),
                Next::Act(effect) => match &**effect {
                    Effect::SendText { permit } => self.call(permit, call),
                    Effect::LookForText { intended_at, .. } => Some(EffectResult::Looked {
                        result: self.look(event.body.reply.delivery_id),
                        intended_at: *intended_at,
                    }),
                    Effect::Notify(_) => panic!("no manager is asked here"),
                },
            };
            let Some(result) = result else { return };
            decision = stage.conclude(event, &found, &result, &self.case_of(event), self.now);
        }
    }

    fn case_of(&self, event: &Incoming<Release>) -> Case {
        let reply = &event.body.reply;
        let own = self
            .texts
            .get(&reply.delivery_id)
            .map(|text| text.row.clone());
        let created = own.as_ref().map(|d| (d.created_at, d.id));
        let others = self.texts.values().map(|text| &text.row);
        let other_in_flight = others
            .filter(|d| d.conversation_id == reply.conversation_id && d.id != reply.delivery_id)
            .any(|d| match d.status {
                DeliveryStatus::Intended => true,
                DeliveryStatus::Waiting => created.is_none_or(|own| (d.created_at, d.id) < own),
                DeliveryStatus::Held if d.not_before.is_some_and(|at| at <= self.now) => {
                    created.is_none_or(|own| (d.created_at, d.id) < own)
                }
                _ => false,
            });
        Case {
            delivery: own,
            other_in_flight,
            ..self.case(self.room_of(&reply.conversation_id))
        }
    }

    /// Every promise, in the moment of the send intent.
    fn assert_may_leave(&mut self, permit: &Permit, event: &Incoming<Release>) {
        let reply = &event.body.reply;
        let kind = permit.kind();
        assert_eq!(
            (permit.text(), permit.to()),
            (reply.text.as_str(), &phone())
        );
        assert_eq!(
            permit.at(),
            self.now,
            "a permit is good for this moment alone"
        );
        match kind {
            DeliveryKind::Confirmation => {
                let received = reply.answers_text_of.expect("when STOP came");
                assert!(
                    self.now - received <= TimeDelta::minutes(5),
                    "a late confirmation"
                );
            }
            _ => assert!(
                !self.opted_out,
                "a text after an opt-out: {}",
                kind.as_str()
            ),
        }
        if kind != DeliveryKind::Crisis {
            assert_eq!(self.held_by(), [], "a text on hold: {}", kind.as_str());
        }
        if !kind.is_fixed() {
            let hour = self.now.with_timezone(&chrono_tz::America::New_York).hour();
            assert!((8..21).contains(&hour), "a text at {hour}");
            // R10: by the clock of the number's own zone, as the tenant said it.
            let local = self
                .now
                .with_timezone(&chrono_tz::America::New_York)
                .naive_local();
            for quiet in self.quiet() {
                assert!(!quiet.covers(local), "a text in {quiet} at {local}");
            }
            let room = &self.rooms[self.room_of(&reply.conversation_id)].row;
            assert!(room.introduced || introduces(permit.text()), "who are we?");
        }
        // R31, R11: nothing is begun without proof, and no third time within seven days.
        if kind.is_started() || !kind.is_fixed() && self.nobody_wrote_in(&reply.conversation_id) {
            assert!(self.proven, "begun without proof: {}", kind.as_str());
            assert!(self.started_last_week() < 2, "a third text of ours");
        }
        let attempts = self
            .texts
            .get(&permit.delivery())
            .map_or(0, |text| text.row.attempts);
        let path = if attempts > 0 {
            "again"
        } else if event.body.woken {
            "woken"
        } else {
            "first"
        };
        if self.redriven.contains(&permit.delivery()) {
            self.walked.insert((kind.as_str(), "redriven"));
        }
        self.walked.insert((kind.as_str(), path));
        if path == "woken" {
            self.walked.insert((kind.as_str(), "first"));
        }
    }

    fn call(&mut self, permit: &Permit, call: Call) -> Option<EffectResult> {
        let reaches = matches!(
            call,
            Call::Accepted | Call::UnclearButSent | Call::WeDieAfter
        );
        if reaches {
            let twice = self.phone.iter().any(|(id, _)| *id == permit.delivery());
            assert!(!twice, "the same text twice");
            self.phone.push((permit.delivery(), permit.kind()));
        }
        let result = match call {
            Call::WeDieBefore | Call::WeDieAfter => return None,
            Call::Accepted => SendResult::Accepted {
                message_id: Some(self.phone.len().to_string()),
                twilio_sid: None,
                conversation: None,
            },
            Call::NotSent => SendResult::NotSent {
                after: None,
                detail: "busy".to_owned(),
            },
            Call::UnclearButSent | Call::UnclearNotSent => {
                SendResult::Unclear("timeout".to_owned())
            }
            Call::OptedOut => SendResult::OptedOut,
            Call::Refused => SendResult::Refused {
                reason: "permanent_failure",
                detail: "unreachable".to_owned(),
            },
        };
        Some(EffectResult::Sent {
            result,
            intended_at: permit.at(),
        })
    }

    fn look(&self, delivery: DeliveryId) -> LookResult {
        match self.phone.iter().position(|(id, _)| *id == delivery) {
            Some(at) => LookResult::Found {
                message_id: at.to_string(),
                twilio_sid: None,
            },
            None => LookResult::NotThere,
        }
    }
}
