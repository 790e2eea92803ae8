//! Decisions that come too late, twice or for nothing.

use super::*;

const ALL: [DecisionAction; 4] = [
    DecisionAction::Approve,
    DecisionAction::Modify,
    DecisionAction::Escalate,
    DecisionAction::Reject,
];

/// Decided by `action` with the texts `command` would send.
fn decided(action: DecisionAction) -> Draft {
    let (status, text) = match action {
        DecisionAction::Approve => ("approved", Some("You owe $567.00.")),
        DecisionAction::Modify => ("modified", Some("You owe $567, Maria.")),
        DecisionAction::Escalate | DecisionAction::Reject => ("escalated", None),
    };
    Draft {
        approval_action: Some(action.as_str().to_owned()),
        final_response: text.map(str::to_owned),
        actioned_by: Some("manager-002".to_owned()),
        actioned_at: Some(after(30)),
        ..stored_draft(status)
    }
}

#[test]
fn the_same_decision_again_is_fine_and_does_nothing() {
    for action in ALL {
        // By anybody, and whatever the tenant has said since.
        for opted_out in [false, true] {
            let case = Case {
                opted_out,
                draft: Some(decided(action)),
                ..case(quiet(1))
            };
            let decision = decide(command(action), &case);
            assert!(decision.changes.is_empty() && decision.emits.is_empty());
            match &decision.replies[..] {
                [
                    Reply::Approval {
                        draft,
                        to,
                        already: true,
                        ..
                    },
                ] => {
                    assert_eq!(*draft, draft_id(), "{action:?}");
                    assert_eq!(to.as_deref(), Some(inbox(9).as_str()));
                }
                other => panic!("{action:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn another_decision_is_a_conflict_and_names_the_first() {
    let other_text = ApprovalDecided {
        approved_text: Some("Another text.".to_owned()),
        ..command(DecisionAction::Approve)
    };
    let mut cases = vec![(decided(DecisionAction::Approve), other_text)];
    for first in ALL {
        let others = ALL.into_iter().filter(|second| *second != first);
        cases.extend(others.map(|second| (decided(first), command(second))));
    }
    for (draft, command) in cases {
        let status = draft.status.clone();
        let (code, details) = refused(&decide(command, &with_draft(draft)));
        assert_eq!(code, 409);
        assert_eq!(details["reason"], "already_decided");
        assert_eq!(details["queue_status"], status);
        assert_eq!(details["actioned_by"], "manager-002");
        assert_eq!(details["actioned_at"], "2026-03-02T12:00:30.000Z");
    }
}

#[test]
fn what_no_manager_was_asked_about_cannot_be_decided() {
    for status in ["auto_sent", "escalated"] {
        for action in ALL {
            let (code, details) =
                refused(&decide(command(action), &with_draft(stored_draft(status))));
            assert_eq!((code, &details["reason"]), (409, &json!("already_decided")));
            assert_eq!(details["queue_status"], status);
            assert!(details["actioned_by"].is_null());
        }
    }
}

#[test]
fn a_superseded_draft_names_its_successor() {
    let successor = DraftId(uuid::Uuid::from_u128(0x5CC));
    for action in ALL {
        for known in [None, Some(successor)] {
            let case = overtaken(stored_draft("superseded"));
            let (code, details) = refused(&decide_knowing(command(action), known, &case));
            assert_eq!((code, &details["reason"]), (409, &json!("superseded")));
            assert_eq!(details["successor_id"], json!(known));
        }
    }
    // Nothing is sent by an escalation, so there is nothing to override.
    for action in [DecisionAction::Escalate, DecisionAction::Reject] {
        let overriding = ApprovalDecided {
            override_superseded: true,
            ..command(action)
        };
        let (code, _) = refused(&decide(overriding, &overtaken(stored_draft("superseded"))));
        assert_eq!(code, 409);
    }
}

#[test]
fn an_expired_draft_whose_tenant_wrote_again_is_superseded() {
    for action in ALL {
        let decision = decide(command(action), &overtaken(stored_draft("expired")));
        let (code, details) = refused(&decision);
        assert_eq!((code, &details["reason"]), (409, &json!("superseded")));
        // Also when the newer turn has ended meanwhile.
        let answered = Case {
            draft: Some(stored_draft("expired")),
            ..case(quiet(2))
        };
        let (code, _) = refused(&decide(command(action), &answered));
        assert_eq!(code, 409);
    }
}

#[test]
fn an_escalation_cannot_override_that_an_expired_draft_was_overtaken() {
    for action in [DecisionAction::Escalate, DecisionAction::Reject] {
        let overriding = ApprovalDecided {
            override_superseded: true,
            ..command(action)
        };
        let decision = decide(overriding, &overtaken(stored_draft("expired")));
        let closed = rows::<ConversationUpdate>(&decision);
        assert!(closed.is_empty(), "{action:?}: {closed:?}");
        let (code, details) = refused(&decision);
        assert_eq!((code, &details["reason"]), (409, &json!("superseded")));
    }
}

#[test]
fn who_opted_out_gets_no_text_whoever_decides() {
    let sends = [DecisionAction::Approve, DecisionAction::Modify];
    // The opt-out came with this draft waiting, or after the tenant had written again.
    for status in ["pending", "expired", "superseded"] {
        for action in sends {
            for override_superseded in [false, true] {
                let command = ApprovalDecided {
                    override_superseded,
                    ..command(action)
                };
                let case = Case {
                    opted_out: true,
                    ..with_draft(stored_draft(status))
                };
                let (code, details) = refused(&decide(command, &case));
                assert_eq!((code, &details["reason"]), (409, &json!("opted_out")));
            }
        }
    }
    // A suppressed draft stays so, whatever is decided and whatever the number says now.
    for action in ALL {
        let overriding = ApprovalDecided {
            override_superseded: true,
            ..command(action)
        };
        let case = with_draft(stored_draft("suppressed"));
        let (code, details) = refused(&decide(overriding, &case));
        assert_eq!((code, &details["reason"]), (409, &json!("opted_out")));
    }
}

#[test]
fn an_unknown_draft_is_not_found() {
    for id in ["no such form", "00000000-0000-0000-0000-0000000000ff"] {
        let unknown = ApprovalDecided {
            response_queue_id: Some(id.to_owned()),
            ..command(DecisionAction::Approve)
        };
        let (code, details) = refused(&decide(unknown, &Case::default()));
        assert_eq!(code, 404);
        assert_eq!(details["response_queue_id"], id);
    }
}

#[test]
fn a_draft_named_by_its_conversation_must_have_the_number() {
    let other = Phone::parse("+12025550199").expect("a number");
    let by_conversation = |phone| ApprovalDecided {
        response_queue_id: None,
        conversation_id: Some(testing::conversation_id()),
        phone_number: phone,
        ..command(DecisionAction::Approve)
    };
    let pending = with_draft(stored_draft("pending"));
    let (code, details) = refused(&decide(by_conversation(Some(other.clone())), &pending));
    assert_eq!(code, 404);
    assert!(!details.to_string().contains("2025550199"), "no numbers");
    for fitting in [None, Some(testing::phone())] {
        let decision = decide(by_conversation(fitting), &pending);
        assert_eq!(rows::<NewDelivery>(&decision).len(), 1);
    }
    // With the draft's own id the number says nothing.
    let by_id = ApprovalDecided {
        phone_number: Some(other),
        ..command(DecisionAction::Approve)
    };
    assert_eq!(rows::<NewDelivery>(&decide(by_id, &pending)).len(), 1);
}

#[test]
fn who_does_not_wait_gets_no_answer() {
    let mut event = incoming(9, command(DecisionAction::Escalate));
    event.envelope.reply_subject = None;
    for draft in [stored_draft("pending"), decided(DecisionAction::Escalate)] {
        let case = with_draft(draft);
        let decision = stage().decide(&event, &Found::default(), &case, after(60));
        assert!(decision.replies.is_empty());
    }
    let decision = stage().decide(&event, &Found::default(), &Case::default(), after(60));
    assert!(decision.replies.is_empty());
}
