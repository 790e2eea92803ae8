//! Whatever the order of arrival, every text has exactly one fate.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::{Arrival, DraftId};
use crate::stages::testing::{arrival, case, quiet, stored_draft, workflow};
use crate::store::Change;
use crate::store::drafts::Draft;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Plain,
    Stop,
    Danger,
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    /// Text number so-and-so is delivered, for the first time or again.
    Arrives(u32),
    /// The carrier's draft waits for a manager.
    DraftWaits,
    /// The reply to the open turn is on its way.
    ReplyLeaves,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    MergedInto(WorkflowId),
    Suppressed,
    Escalated,
    Answered,
}

/// The rows that intake reads and writes.
struct World {
    conversation: Conversation,
    opted_out: bool,
    texts: Vec<(i64, OpenText)>,
    keys: BTreeMap<String, WorkflowId>,
    draft: Option<Draft>,
    fates: BTreeMap<WorkflowId, Fate>,
    /// The texts an answer is owed to, kept without looking at what intake writes.
    unanswered: BTreeSet<Arrival>,
    announced: Option<Turn>,
}

impl World {
    fn new() -> Self {
        Self {
            conversation: quiet(0),
            opted_out: false,
            texts: Vec::new(),
            keys: BTreeMap::new(),
            draft: None,
            fates: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            announced: None,
        }
    }

    fn case_for(&self, needs: &Needs) -> Case {
        let Some(SameText::Key(key)) = &needs.same_text else {
            panic!("every text has a key")
        };
        let of_turn = |(turn, _): &&(i64, OpenText)| {
            self.conversation.turn_open && *turn == self.conversation.turn
        };
        let mut open_texts: Vec<OpenText> = self
            .texts
            .iter()
            .filter(of_turn)
            .map(|(_, text)| text.clone())
            .collect();
        open_texts.sort_by_key(|text| text.arrival);
        Case {
            opted_out: self.opted_out,
            duplicate_of: self.keys.get(key).copied(),
            open_texts,
            draft: self.draft.clone().filter(|_| self.conversation.turn_open),
            ..case(self.conversation.clone())
        }
    }

    fn arrives(&mut self, number: u32, says: Says) {
        let event = sms(number, "text");
        let reading = match says {
            Says::Plain => plain(),
            Says::Stop => opting_out(OptOut::Keyword),
            Says::Danger => in_danger(),
        };
        let case = self.case_for(&stage().needs(&event, &reading));
        let is_new = case.duplicate_of.is_none();
        if is_new && says == Says::Plain && !self.opted_out {
            self.unanswered.insert(arrival(number));
        } else if is_new {
            self.unanswered.clear();
        }
        let decision = decide(&event, &reading, &case);
        if let Some(opened) = decision.emitted::<TurnOpened>() {
            self.announced = Some(opened.turn);
        }
        // In the order in which the store applies them.
        for change in &decision.changes {
            match change {
                Change::Conversation(update) => self.update(update),
                Change::TextsMoved(moved) => {
                    let of_turn = self.texts.iter_mut().filter(|(t, _)| *t == moved.from);
                    of_turn.for_each(|(turn, _)| *turn = moved.to);
                }
                _ => {}
            }
        }
        for change in decision.changes {
            match change {
                Change::Text(text) => self.store(&text),
                Change::Workflow(update) => self.end(&update),
                Change::DraftUpdate(_) => self.draft = None,
                Change::Consent(consent) => self.opted_out = consent.opted_out,
                _ => {}
            }
        }
    }

    fn update(&mut self, update: &ConversationUpdate) {
        if let Some((turn, workflow)) = update.open_turn {
            self.conversation.turn = turn;
            self.conversation.turn_workflow = Some(workflow);
            self.conversation.turn_open = true;
        }
        self.conversation.turn_open &= !update.close_turn;
    }

    fn store(&mut self, text: &NewText) {
        let key = text.idempotency_key.clone().expect("a key");
        assert!(self.keys.insert(key, text.workflow_id).is_none(), "twice");
        let open = OpenText {
            workflow_id: text.workflow_id,
            content: text.content.clone(),
            received_at: text.received_at,
            arrival: text.arrival,
            triggers: text.triggers.clone(),
            plan: text.plan,
        };
        self.texts.push((text.turn, open));
    }

    fn end(&mut self, update: &WorkflowUpdate) {
        let fate = match (update.action, update.merged_into) {
            (Some(Action::Merged), Some(carrier)) => Fate::MergedInto(carrier),
            (Some(Action::Suppressed), None) => Fate::Suppressed,
            (Some(Action::Escalated), None) => Fate::Escalated,
            other => panic!("no fate: {other:?}"),
        };
        let before = self.fates.insert(update.id, fate);
        assert_eq!(before, None, "{} has two fates", update.id);
    }

    fn draft_waits(&mut self) {
        let Some(carrier) = self.carrier() else {
            return;
        };
        self.draft = Some(Draft {
            id: DraftId(uuid::Uuid::from_u128(0xD0)),
            workflow_id: carrier,
            turn: self.conversation.turn,
            ..stored_draft("pending")
        });
    }

    fn reply_leaves(&mut self) {
        let Some(carrier) = self.carrier() else {
            return;
        };
        self.fates.insert(carrier, Fate::Answered);
        self.conversation.turn_open = false;
        self.draft = None;
        self.unanswered.clear();
    }

    fn carrier(&self) -> Option<WorkflowId> {
        let open = self.conversation.turn_open;
        self.conversation.turn_workflow.filter(|_| open)
    }

    fn check(&self) {
        for (_, text) in &self.texts {
            let mut at = text.workflow_id;
            let mut steps = 0;
            while let Some(Fate::MergedInto(next)) = self.fates.get(&at) {
                at = *next;
                steps += 1;
                assert!(steps <= self.texts.len(), "merged in a circle");
            }
            let is_open = self.carrier() == Some(at);
            assert_ne!(is_open, self.fates.contains_key(&at), "one fate for {at}");
            assert_eq!(is_open, self.unanswered.contains(&text.arrival));
        }
        let Some(carrier) = self.carrier() else {
            assert!(self.unanswered.is_empty(), "nobody answers them");
            return;
        };
        let turn = self.announced.as_ref().expect("an open turn was announced");
        assert_eq!(turn.number, self.conversation.turn);
        assert_eq!(turn.workflow_id, carrier);
        let listed: Vec<Arrival> = turn.texts.iter().map(|text| text.arrival).collect();
        let expected: Vec<Arrival> = self.unanswered.iter().copied().collect();
        assert_eq!(listed, expected, "all of them, in the order of arrival");
        let newest = turn.texts.last().map(|text| text.workflow_id);
        assert_eq!(newest, Some(carrier), "the newest text carries");
        assert!(self.draft.as_ref().is_none_or(|d| d.turn == turn.number));
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        8 => (0..10_u32).prop_map(Happens::Arrives),
        2 => Just(Happens::DraftWaits),
        1 => Just(Happens::ReplyLeaves),
    ]
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        20 => Just(Says::Plain),
        1 => Just(Says::Stop),
        1 => Just(Says::Danger),
    ]
}

proptest! {
    #[test]
    fn every_text_has_one_fate_and_the_open_turn_lists_the_unanswered(
        said in prop::collection::vec(says(), 10),
        story in prop::collection::vec(happens(), 1..40),
    ) {
        let mut world = World::new();
        for step in story {
            match step {
                Happens::Arrives(number) => world.arrives(number, said[number as usize]),
                Happens::DraftWaits => world.draft_waits(),
                Happens::ReplyLeaves => world.reply_leaves(),
            }
            world.check();
        }
        // Nothing arrived that was not stored, whatever became of it.
        prop_assert_eq!(world.texts.len(), world.keys.len());
        let known = |(_, text): &(i64, OpenText)| {
            (0..10).any(|number| workflow(number) == text.workflow_id)
        };
        prop_assert!(world.texts.iter().all(known));
    }
}
