//! Escalate and reject: a person answers, nothing is sent.

use super::*;
use crate::domain::{Outcome, Severity};
use crate::events::EscalationRaised;
use crate::store::escalations::NewEscalation;

fn taken_over(decision: &Decision) -> EscalationRaised {
    assert_eq!(
        decision.subjects(),
        ["escalation.raised", "approval.escalated"]
    );
    assert!(rows::<NewDelivery>(decision).is_empty());
    decision.emitted().expect("raised")
}

#[test]
fn a_person_takes_the_text_over() {
    let pending = with_draft(stored_draft("pending"));
    let decision = decide(command(DecisionAction::Escalate), &pending);
    let raised = taken_over(&decision);
    assert_eq!(raised.severity, Severity::Medium);
    assert!(!raised.auto_detected, "a person said so");
    assert_eq!(raised.tenant_message.as_deref(), Some("What do I owe?"));
    assert_eq!(raised.tenant_name.as_deref(), Some("Maria Rodriguez"));
    assert_eq!(raised.response_queue_id, Some(draft_id()));
    assert_eq!(row::<NewEscalation>(&decision).by, "manager-001");

    let draft = row::<DraftUpdate>(&decision);
    assert_eq!(
        (draft.status, draft.action),
        ("escalated", Some("escalate"))
    );
    assert_eq!(draft.escalation, Some(raised.escalation_id));
    assert_eq!(draft.final_response, None);
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert_eq!(update.outcome, Some(Outcome::Escalated));
    assert_eq!(update.escalation, Some(raised.escalation_id));
    assert!(row::<ConversationUpdate>(&decision).close_turn);
    let audit = row::<Audit>(&decision);
    assert_eq!(
        (audit.action.as_str(), &audit.final_response),
        ("escalate", &None)
    );
    let told = decision.emitted::<ApprovalEscalated>().expect("the fact");
    assert_eq!(told.escalation_id, raised.escalation_id);
    match &decision.replies[..] {
        [
            Reply::Approval {
                draft,
                to,
                already: false,
                correlation_id,
            },
        ] => {
            assert_eq!(*draft, draft_id());
            assert_eq!(to.as_deref(), Some(inbox(9).as_str()));
            assert_eq!(correlation_id, "correlation-9");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_reason_is_the_managers_or_says_which_button_was_pressed() {
    use DecisionAction::{Escalate, Reject};
    let cases = [
        (Escalate, None, "Escalated by manager"),
        (Reject, None, "Response rejected by manager"),
        (Escalate, Some("She called."), "She called."),
        (Reject, Some("Wrong tone."), "Wrong tone."),
    ];
    for (action, reason, expected) in cases {
        let command = ApprovalDecided {
            escalation_reason: reason.map(str::to_owned),
            notes: Some("see file".to_owned()),
            ..command(action)
        };
        let decision = decide(command, &with_draft(stored_draft("pending")));
        assert_eq!(taken_over(&decision).reason, expected);
        let audit = row::<Audit>(&decision);
        assert_eq!(audit.action, action.as_str());
        assert_eq!(audit.reason.as_deref(), reason, "only what was said");
        assert_eq!(audit.notes.as_deref(), Some("see file"));
    }
}

#[test]
fn the_type_is_the_texts_trigger_if_it_has_one() {
    let cases = [
        (vec![], EscalationType::Manual),
        (vec!["hardship"], EscalationType::Hardship),
        (vec!["word of an older version"], EscalationType::Manual),
    ];
    for (triggers, kind) in cases {
        let draft = Draft {
            triggers: triggers.into_iter().map(str::to_owned).collect(),
            ..stored_draft("pending")
        };
        let decision = decide(command(DecisionAction::Reject), &with_draft(draft));
        assert_eq!(taken_over(&decision).escalation_type, kind);
    }
}

#[test]
fn who_opted_out_can_still_be_given_to_a_person() {
    for action in [DecisionAction::Escalate, DecisionAction::Reject] {
        let case = Case {
            opted_out: true,
            ..with_draft(stored_draft("pending"))
        };
        taken_over(&decide(command(action), &case));
    }
}
