//! Approve and modify: what exactly is sent, and who is told when.

use super::*;

fn released(decision: &Decision) -> ReplyApproved {
    decision.emitted::<ReplyApproved>().expect("released")
}

#[test]
fn an_approved_draft_goes_out_as_drafted() {
    let decision = decide(
        command(DecisionAction::Approve),
        &with_draft(stored_draft("pending")),
    );
    assert_eq!(decision.subjects(), ["approval.approved", "reply.approved"]);
    let draft = row::<DraftUpdate>(&decision);
    assert_eq!((draft.status, draft.action), ("approved", Some("approve")));
    assert_eq!(draft.by.as_deref(), Some("manager-001"));
    assert_eq!(draft.final_response.as_deref(), Some("You owe $567.00."));
    assert_eq!(draft.modified_response, None);

    let delivery = row::<NewDelivery>(&decision);
    assert_eq!(delivery.status, DeliveryStatus::Waiting);
    assert_eq!(delivery.body, "You owe $567.00.");
    assert_eq!(delivery.kind, DeliveryKind::Approved);
    assert_eq!(delivery.newest_known_message, 7);
    // The manager is told when the text has left, not before.
    assert_eq!(delivery.reply_subject, Some(inbox(9)));
    assert!(decision.replies.is_empty());

    let approved = released(&decision);
    assert_eq!(approved.delivery_id, delivery.id);
    assert_eq!(approved.text, delivery.body);
    assert_eq!(approved.phone_number, delivery.phone);
    assert_eq!(approved.kind, DeliveryKind::Approved);
    assert_eq!(approved.released_by.as_deref(), Some("manager-001"));

    // The tenant's next text is a new turn; it does not undo the manager's word.
    assert!(row::<ConversationUpdate>(&decision).close_turn);
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.id, workflow(1));
    assert_eq!(update.status, Some(WorkflowStatus::Processing));

    let audit = row::<Audit>(&decision);
    assert_eq!(audit.action, "approve");
    assert_eq!(audit.original, "You owe $567.00.");
    assert_eq!(audit.final_response.as_deref(), Some("You owe $567.00."));
    assert_eq!(audit.by, "manager-001");
}

#[test]
fn the_text_that_is_sent_is_the_one_the_manager_meant() {
    use DecisionAction::{Approve, Modify};
    let own = || Some("Own words.".to_owned());
    let with = |action, approved_text, modified_text| ApprovalDecided {
        approved_text,
        modified_text,
        ..command(action)
    };
    let cases = [
        (
            with(Approve, None, None),
            "You owe $567.00.",
            DeliveryKind::Approved,
        ),
        (
            with(Approve, own(), None),
            "Own words.",
            DeliveryKind::Approved,
        ),
        // What belongs to the other action does not count.
        (
            with(Approve, None, own()),
            "You owe $567.00.",
            DeliveryKind::Approved,
        ),
        (
            with(Modify, None, own()),
            "Own words.",
            DeliveryKind::Modified,
        ),
        (
            with(Modify, Some("Other".to_owned()), own()),
            "Own words.",
            DeliveryKind::Modified,
        ),
    ];
    for (command, text, kind) in cases {
        let decision = decide(command, &with_draft(stored_draft("pending")));
        assert_eq!(row::<NewDelivery>(&decision).body, text);
        assert_eq!(row::<NewDelivery>(&decision).kind, kind);
        assert_eq!(released(&decision).text, text);
        assert_eq!(released(&decision).kind, kind);
        let draft = row::<DraftUpdate>(&decision);
        assert_eq!(draft.final_response.as_deref(), Some(text));
        let audit = row::<Audit>(&decision);
        assert_eq!(audit.original, "You owe $567.00.");
        assert_eq!(audit.final_response.as_deref(), Some(text));
    }
}

#[test]
fn a_modified_draft_keeps_both_texts() {
    let decision = decide(
        command(DecisionAction::Modify),
        &with_draft(stored_draft("pending")),
    );
    assert_eq!(decision.subjects(), ["approval.modified", "reply.approved"]);
    let draft = row::<DraftUpdate>(&decision);
    assert_eq!((draft.status, draft.action), ("modified", Some("modify")));
    let own = Some("You owe $567, Maria.");
    assert_eq!(draft.modified_response.as_deref(), own);
    let told = decision.emitted::<ApprovalModified>().expect("the fact");
    assert_eq!(told.decision.original_response, "You owe $567.00.");
    assert_eq!(told.decision.final_response.as_deref(), own);
}

#[test]
fn nobody_in_particular_is_the_dashboard() {
    let anonymous = ApprovalDecided {
        manager_id: None,
        ..command(DecisionAction::Approve)
    };
    let decision = decide(anonymous, &with_draft(stored_draft("pending")));
    assert_eq!(row::<Audit>(&decision).by, "dashboard");
    assert_eq!(
        row::<DraftUpdate>(&decision).by.as_deref(),
        Some("dashboard")
    );
}

#[test]
fn an_expired_draft_can_still_be_decided() {
    for action in [DecisionAction::Approve, DecisionAction::Modify] {
        let decision = decide(command(action), &with_draft(stored_draft("expired")));
        assert_eq!(rows::<NewDelivery>(&decision).len(), 1, "{action:?}");
        assert!(row::<ConversationUpdate>(&decision).close_turn);
    }
    for action in [DecisionAction::Escalate, DecisionAction::Reject] {
        let decision = decide(command(action), &with_draft(stored_draft("expired")));
        assert_eq!(row::<DraftUpdate>(&decision).status, "escalated");
    }
    // Its turn may have been closed by the time-out itself.
    let closed = Case {
        draft: Some(stored_draft("expired")),
        ..case(quiet(1))
    };
    let decision = decide(command(DecisionAction::Approve), &closed);
    assert_eq!(rows::<NewDelivery>(&decision).len(), 1);
}

#[test]
fn an_overridden_draft_goes_out_and_the_newer_turn_stays_open() {
    let superseded = Draft {
        superseded_by: Some(workflow(2)),
        ..stored_draft("superseded")
    };
    // Nobody withdrew an expired one, and it is overtaken all the same.
    let drafts = [superseded, stored_draft("expired")];
    let sends = [DecisionAction::Approve, DecisionAction::Modify];
    for (draft, action) in drafts.iter().flat_map(|d| sends.map(|action| (d, action))) {
        let overriding = ApprovalDecided {
            override_superseded: true,
            ..command(action)
        };
        let decision = decide(overriding, &overtaken(draft.clone()));
        assert!(released(&decision).override_superseded);
        assert_eq!(rows::<NewDelivery>(&decision).len(), 1);
        assert!(rows::<ConversationUpdate>(&decision).is_empty());
        // It had ended as merged; now it is on its way after all.
        let update = row::<WorkflowUpdate>(&decision);
        assert_eq!(update.id, workflow(1));
        assert!(update.final_result);
    }
}

#[test]
fn a_delivery_is_named_by_its_draft_so_that_two_managers_make_one_text() {
    let pending = with_draft(stored_draft("pending"));
    let first = decide(command(DecisionAction::Approve), &pending);
    let second = stage().decide(
        &incoming(10, command(DecisionAction::Modify)),
        &Found::default(),
        &pending,
        after(61),
    );
    assert_eq!(
        row::<NewDelivery>(&first).id,
        row::<NewDelivery>(&second).id
    );
}
