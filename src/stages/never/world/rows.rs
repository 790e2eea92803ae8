//! What decisions change, as the database would.

use super::{Text, World};
use crate::engine::Decision;
use crate::events::{Event as _, ReplyApproved};
use crate::stages::deliver::Release;
use crate::stages::testing::{self, stored_draft};
use crate::store::Change;
use crate::store::contact_windows::ContactWindow;
use crate::store::deliveries::{Delivery, DeliveryStatus};
use crate::store::drafts::Draft;
use crate::store::holds::Hold;

impl World {
    pub(super) fn apply(&mut self, decision: &Decision) {
        for change in &decision.changes {
            self.apply_change(change);
        }
        if let Some(reply) = decision.emitted::<ReplyApproved>() {
            assert_eq!(
                decision
                    .subjects()
                    .iter()
                    .filter(|s| **s == ReplyApproved::SUBJECT)
                    .count(),
                1
            );
            let event = self.event(Release {
                woken: false,
                reply,
            });
            self.stream.push(event);
        }
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Conversation(update) => {
                let at = self.room_of(&update.id);
                let row = &mut self.rooms[at].row;
                if let Some((turn, workflow)) = update.open_turn {
                    row.turn = turn;
                    row.turn_workflow = Some(workflow);
                    row.turn_open = true;
                }
                let carried = update
                    .only_if_carried_by
                    .is_none_or(|w| Some(w) == row.turn_workflow);
                if update.close_turn && carried {
                    row.turn_open = false;
                }
                row.introduced |= update.introduced_at.is_some();
                row.last_inbound_at = update.last_inbound_at.or(row.last_inbound_at);
            }
            Change::Consent(change) => {
                self.opt_outs += usize::from(change.opted_out && !self.opted_out);
                self.opted_out = change.opted_out;
                self.proven = !change.opted_out && (self.proven || change.proof.is_some());
                if change.opted_out {
                    for draft in self.drafts.iter_mut().filter(|d| d.is_pending()) {
                        draft.status = "suppressed".to_owned();
                    }
                    let held = self
                        .texts
                        .values_mut()
                        .filter(|t| t.row.status == DeliveryStatus::Held);
                    for text in held {
                        text.row.not_before = Some(change.at);
                    }
                }
            }
            Change::NewHold(new) => self.holds.push(Hold {
                id: new.id,
                kind: new.kind.as_str().to_owned(),
                phone: new.phone.clone(),
                tenant_id: new.tenant_id.clone(),
                conversation_id: None,
                reason: new.reason.clone(),
                placed_by: new.by.clone(),
                placed_at: new.at,
                lifted: None,
            }),
            Change::LiftedHold(lifted) => {
                let hold = self
                    .holds
                    .iter_mut()
                    .find(|h| h.id == lifted.id)
                    .expect("a hold");
                hold.lifted = Some((lifted.by.clone(), lifted.reason.clone(), lifted.at));
            }
            Change::NewContactWindow(new) => self.windows.push(ContactWindow {
                id: new.id,
                phone: new.phone.clone(),
                quiet: new.quiet.clone(),
                source: new.source.to_owned(),
                conversation_id: None,
                text_id: None,
                note: new.note.clone(),
                set_by: new.by.clone(),
                set_at: new.at,
                lifted: None,
            }),
            Change::LiftedContactWindow(lifted) => {
                let window = self.windows.iter_mut().find(|w| w.id == lifted.id);
                let window = window.expect("a window");
                window.lifted = Some((lifted.by.clone(), lifted.reason.clone(), lifted.at));
                let held = self
                    .texts
                    .values_mut()
                    .filter(|t| t.row.status == DeliveryStatus::Held);
                for text in held {
                    text.row.not_before = text.row.not_before.min(Some(lifted.at));
                }
            }
            Change::NewDraft(new) => {
                let turn = &new.drafted.turn;
                self.drafts.push(Draft {
                    id: new.id,
                    workflow_id: turn.workflow_id,
                    conversation_id: turn.conversation_id.clone(),
                    turn: turn.number,
                    context: serde_json::json!({ "tenant": new.drafted.facts.tenant }),
                    ..stored_draft(new.status)
                });
            }
            Change::DraftUpdate(update) => {
                let draft = self
                    .drafts
                    .iter_mut()
                    .find(|d| d.id == update.id)
                    .expect("a draft");
                draft.status = update.status.to_owned();
                draft.final_response = update
                    .final_response
                    .clone()
                    .or(draft.final_response.take());
                draft.approval_action = update
                    .action
                    .map(str::to_owned)
                    .or(draft.approval_action.take());
                if update.by.is_some() {
                    draft.actioned_by.clone_from(&update.by);
                    draft.actioned_at = Some(update.at);
                }
            }
            Change::NewDelivery(new) => {
                assert_eq!(
                    new.permit.is_some(),
                    new.status == DeliveryStatus::Intended,
                    "the database's own check"
                );
                let row = Delivery {
                    id: new.id,
                    draft_id: new.draft_id,
                    conversation_id: new.conversation_id.clone(),
                    status: new.status,
                    attempts: i32::from(new.permit.is_some()),
                    intended_at: new.at,
                    created_at: new.at,
                    not_before: new.held.as_ref().map(|h| h.not_before),
                    last_error: new.error.clone(),
                    ..testing::delivery(new.status, 0, 0)
                };
                let released = new
                    .held
                    .as_ref()
                    .map(|h| serde_json::from_value(h.released.clone()).expect("a release"));
                let before = self.texts.insert(
                    new.id,
                    Text {
                        row,
                        kind: new.kind,
                        released,
                    },
                );
                assert!(before.is_none(), "a second row for one text");
            }
            Change::DeliveryUpdate(update) => {
                let text = self.texts.get_mut(&update.id).expect("a text");
                assert_eq!(
                    update.permit.is_some(),
                    update.status == DeliveryStatus::Intended && update.error.is_none()
                );
                text.row.status = update.status;
                if update.permit.is_some() {
                    text.row.attempts += 1;
                    text.row.intended_at = update.at;
                }
                if let Some(held) = &update.held {
                    text.row.not_before = Some(held.not_before);
                    text.released =
                        Some(serde_json::from_value(held.released.clone()).expect("a release"));
                }
                text.row.last_error = update.error.clone().or(text.row.last_error.take());
            }
            _ => {}
        }
    }
}
