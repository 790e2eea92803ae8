//! What a decision changes and says, for assertions.

use crate::domain::WorkflowId;
use crate::engine::{Decision, Next, Reply};
use crate::store::Change;
use crate::store::audit::Audit;
use crate::store::consents::ConsentChange;
use crate::store::contact_windows::{LiftedContactWindow, NewContactWindow};
use crate::store::conversations::ConversationUpdate;
use crate::store::dead_letters::LetterUpdate;
use crate::store::deliveries::{DeliveryUpdate, NewDelivery};
use crate::store::drafts::{Claim, DraftUpdate, NewDraft};
use crate::store::escalations::{EscalationUpdate, NewEscalation, Reminded};
use crate::store::gate_decisions::GateDecision;
use crate::store::holds::{LiftedHold, NewHold};
use crate::store::notifications::SentNotification;
use crate::store::plans::PlanSeen;
use crate::store::steps::Step;
use crate::store::texts::{NewText, TextsMoved};
use crate::store::workflows::{NewWorkflow, WorkflowUpdate};

/// A row that a change carries.
pub(in crate::stages) trait Row: Sized {
    fn of(change: &Change) -> Option<&Self>;
}

macro_rules! rows {
    ($($variant:ident($row:ty),)*) => {$(
        impl Row for $row {
            fn of(change: &Change) -> Option<&Self> {
                match change {
                    Change::$variant(row) => Some(row),
                    _ => None,
                }
            }
        }
    )*};
}

rows! {
    Conversation(ConversationUpdate), TextsMoved(TextsMoved), Text(NewText),
    Consent(ConsentChange), NewWorkflow(NewWorkflow), Workflow(WorkflowUpdate),
    DraftUpdate(DraftUpdate), NewDraft(NewDraft), Audit(Audit), Escalation(NewEscalation),
    NewDelivery(NewDelivery), DeliveryUpdate(DeliveryUpdate), Notification(SentNotification),
    NewHold(NewHold), LiftedHold(LiftedHold), GateDecision(GateDecision),
    Step(Step), Plan(PlanSeen), EscalationUpdate(EscalationUpdate), LetterUpdate(LetterUpdate),
    Reminded(Reminded), Claim(Claim), NewContactWindow(NewContactWindow),
    LiftedContactWindow(LiftedContactWindow),
}

/// All changed rows of a kind.
pub(in crate::stages) fn rows<R: Row>(decision: &Decision) -> Vec<&R> {
    decision.changes.iter().filter_map(R::of).collect()
}

/// The changed row of a kind of which there must be exactly one.
pub(in crate::stages) fn row<R: Row>(decision: &Decision) -> &R {
    match rows(decision)[..] {
        [row] => row,
        ref rows => panic!("{} rows in {:?}", rows.len(), decision.changes),
    }
}

/// What happens to a workflow.
pub(in crate::stages) fn update_of(decision: &Decision, workflow: WorkflowId) -> &WorkflowUpdate {
    rows::<WorkflowUpdate>(decision)
        .into_iter()
        .find(|update| update.id == workflow)
        .expect("the workflow changes")
}

/// The workflows whose waiting callers are answered.
pub(in crate::stages) fn told(decision: &Decision) -> Vec<WorkflowId> {
    let of = |reply: &Reply| match reply {
        Reply::Workflow(id) => Some(*id),
        _ => None,
    };
    decision.replies.iter().filter_map(of).collect()
}

/// The message is handled, and nothing came of it.
pub(in crate::stages) fn assert_nothing(decision: &Decision) {
    assert!(decision.changes.is_empty(), "{:?}", decision.changes);
    assert_eq!(decision.subjects(), [""; 0]);
    assert!(decision.replies.is_empty(), "{:?}", decision.replies);
    assert!(matches!(decision.next, Next::Done), "{:?}", decision.next);
}

/// What the committer relies on: in one statement per kind of row, a row named twice would keep
/// only one of its changes.
pub(in crate::stages) fn assert_no_row_twice(decision: &Decision) {
    let key = |change: &Change| match change {
        Change::Conversation(row) => format!("conversation {}", row.id),
        Change::Workflow(row) => format!("workflow {}", row.id),
        Change::DraftUpdate(row) => format!("draft {}", row.id),
        Change::DeliveryUpdate(row) => format!("delivery {}", row.id),
        Change::Escalation(row) => format!("escalation {}", row.raised.escalation_id),
        _ => String::new(),
    };
    let mut keys: Vec<String> = decision.changes.iter().map(key).collect();
    keys.retain(|key| !key.is_empty());
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), count, "{:?}", decision.changes);
}
