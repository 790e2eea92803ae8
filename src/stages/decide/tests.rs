mod conflicts;
mod gate;
mod release;
mod takeover;

use serde_json::Value;

use super::*;
use crate::domain::{DeliveryKind, EscalationType, Phone, WorkflowStatus};
use crate::events::{ApprovalEscalated, ApprovalModified, ReplyApproved};
use crate::stages::testing::{
    self, after, assert_no_row_twice, case, draft_id, inbox, incoming, open, quiet, row, rows,
    stored_draft, workflow,
};
use crate::store::audit::Audit;
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::{DeliveryStatus, NewDelivery};
use crate::store::drafts::DraftUpdate;
use crate::store::workflows::WorkflowUpdate;

fn stage() -> Decide {
    Decide {
        fresh: chrono::TimeDelta::hours(1),
        checks: testing::checks(),
        planning: testing::planning(),
        handover: testing::handover(),
        gate: testing::gate(),
    }
}

/// A manager's decision about the draft, sent from the dashboard.
fn command(action: DecisionAction) -> ApprovalDecided {
    ApprovalDecided {
        response_queue_id: Some(draft_id().to_string()),
        conversation_id: None,
        phone_number: None,
        action,
        approved_text: None,
        modified_text: (action == DecisionAction::Modify).then(|| "You owe $567, Maria.".into()),
        escalation_reason: None,
        manager_id: Some("manager-001".to_owned()),
        notes: None,
        override_superseded: false,
        override_reason: None,
    }
}

/// The draft's turn is the open one.
fn with_draft(draft: Draft) -> Case {
    Case {
        draft: Some(draft),
        ..case(open(1, 1))
    }
}

/// The tenant has written again: text 2 carries the open turn.
fn overtaken(draft: Draft) -> Case {
    Case {
        draft: Some(draft),
        ..case(open(2, 2))
    }
}

fn decide(command: ApprovalDecided, case: &Case) -> Decision {
    decide_knowing(command, None, case)
}

fn decide_knowing(command: ApprovalDecided, successor: Option<DraftId>, case: &Case) -> Decision {
    let found = Found {
        draft: case.draft.clone(),
        successor,
        balance: Balance::NotAsked,
    };
    let decision = stage().decide(&incoming(9, command), &found, case, after(60));
    assert_no_row_twice(&decision);
    decision
}

/// Nothing changes, the decider learns why, and so does the world.
fn refused(decision: &Decision) -> (u16, Value) {
    assert!(decision.changes.is_empty(), "{:?}", decision.changes);
    assert_eq!(decision.subjects(), ["approval.refused"]);
    match &decision.replies[..] {
        [Reply::Ready { to, status, body }] => {
            assert_eq!(to, &inbox(9));
            assert_eq!(body["success"], false);
            assert_eq!(body["status"], *status);
            let told = decision.emitted::<ApprovalRefused>().expect("the fact");
            let reason = body["details"]["reason"].as_str();
            assert_eq!(told.reason, reason.unwrap_or("not_found"));
            (*status, body["details"].clone())
        }
        other => panic!("{other:?}"),
    }
}
