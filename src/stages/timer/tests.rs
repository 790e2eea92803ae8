use super::*;
use crate::domain::{HoldKind, Phone, Severity};
use crate::events::EscalationRaised;
use crate::stages::testing::{
    self, after, assert_no_row_twice, assert_nothing, case, conversation_id, event_id, incoming,
    quiet, row, rows, stored_draft, workflow,
};
use crate::store::conversations::Conversation;
use crate::store::escalations::{Escalation, EscalationCase, NewEscalation};

const HOUR: i64 = 3600;

fn decide(awaited: Awaited, case: &Case) -> Decision {
    let due = WorkflowDue {
        awaited,
        conversation_id: conversation_id(),
        workflow_id: Some(workflow(1)),
        due_at: after(24 * HOUR),
    };
    let stage = Timer {
        handover: testing::handover(),
    };
    let phone: Option<Phone> = None;
    let decision = stage.decide(&incoming(3, due), &phone, case, after(25 * HOUR));
    assert_no_row_twice(&decision);
    assert!(decision.replies.is_empty());
    decision
}

fn waiting(status: &str, expires: i64) -> (DraftId, Case) {
    let mut draft = stored_draft(status);
    draft.expires_at = Some(after(expires));
    let id = draft.id;
    let case = Case {
        draft: Some(draft),
        ..case(quiet(1))
    };
    (id, case)
}

#[test]
fn an_undecided_draft_expires_and_somebody_hears_of_it() {
    let (id, case) = waiting("pending", 24 * HOUR);
    let decision = decide(Awaited::Decision(id), &case);
    assert_eq!(
        decision.subjects(),
        ["escalation.raised", "approval.expired"]
    );
    let update: &DraftUpdate = row(&decision);
    assert_eq!((update.id, update.status), (id, "expired"));
    let said: EscalationRaised = decision.emitted().expect("an escalation");
    assert_eq!(said.escalation_type, EscalationType::ApprovalTimeout);
    assert_eq!(said.response_queue_id, Some(id));
    assert!(
        rows::<ConversationUpdate>(&decision).is_empty(),
        "the turn stays open"
    );
}

#[test]
fn a_decided_draft_and_one_with_more_time_are_left_alone() {
    let (id, decided) = waiting("approved", 24 * HOUR);
    assert_nothing(&decide(Awaited::Decision(id), &decided));
    let (id, later) = waiting("pending", 26 * HOUR);
    assert_nothing(&decide(Awaited::Decision(id), &later));
}

/// We wrote at second 10.
fn silent(last_inbound: i64) -> Case {
    case(Conversation {
        last_inbound_at: Some(after(last_inbound)),
        last_outbound_at: Some(after(10)),
        ..quiet(1)
    })
}

#[test]
fn silence_is_told_once_and_never_answered_with_a_text() {
    let decision = decide(Awaited::Answer(after(10)), &silent(5));
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    let said: EscalationRaised = decision.emitted().expect("an escalation");
    assert_eq!(said.escalation_type, EscalationType::NoResponse);
    assert_eq!(said.severity, Severity::Medium);
    assert!(said.auto_detected);
    let update: &ConversationUpdate = row(&decision);
    assert_eq!(update.silence_noted_at, Some(after(10)));
    assert!(
        rows::<WorkflowUpdate>(&decision).is_empty(),
        "it was answered"
    );
}

#[test]
fn who_has_written_since_is_not_silent() {
    assert_nothing(&decide(Awaited::Answer(after(10)), &silent(11)));
    // Another text of ours went out: its own time counts.
    assert_nothing(&decide(Awaited::Answer(after(9)), &silent(5)));
}

#[test]
fn no_news_where_nothing_may_be_texted_or_a_person_has_it() {
    let opted_out = Case {
        opted_out: true,
        ..silent(5)
    };
    let held = Case {
        holds: vec![HoldKind::Dispute],
        ..silent(5)
    };
    let escalated = Case {
        escalation_open: true,
        ..silent(5)
    };
    for case in [opted_out, held, escalated] {
        let decision = decide(Awaited::Answer(after(10)), &case);
        assert_eq!(decision.subjects(), [""; 0]);
        let update: &ConversationUpdate = row(&decision);
        assert_eq!(update.silence_noted_at, Some(after(10)), "not asked again");
    }
}

fn open(status: &str, reminded: bool) -> (EscalationId, Case) {
    let id = EscalationId(event_id(8).row("escalation"));
    let new = NewEscalation {
        raised: EscalationRaised {
            escalation_id: id,
            workflow_id: workflow(1),
            conversation_id: conversation_id(),
            tenant_id: None,
            tenant_name: None,
            escalation_type: EscalationType::LegalThreat,
            severity: Severity::High,
            reason: "said so".to_owned(),
            auto_detected: true,
            tenant_message: None,
            response_queue_id: None,
            raised_at: after(1),
        },
        phone: None,
        by: "system".to_owned(),
        assigned_to: Some("ana".to_owned()),
        metadata: json!({}),
    };
    let escalation = Escalation {
        status: status.to_owned(),
        reminded,
        ..new.as_stored()
    };
    let case = Case {
        escalation: Some(EscalationCase {
            escalation,
            others_open: false,
            draft_waits: false,
            workflow_escalated: true,
        }),
        ..Case::default()
    };
    (id, case)
}

#[test]
fn managers_are_reminded_once_of_what_is_still_open() {
    let (id, case) = open("in_progress", false);
    let decision = decide(Awaited::Resolution(id), &case);
    assert_eq!(decision.subjects(), ["escalation.overdue"]);
    let said: EscalationOverdue = decision.emitted().expect("a reminder");
    assert_eq!(said.assigned_to.as_deref(), Some("ana"));
    assert_eq!(row::<Reminded>(&decision).id, id);
    for (status, reminded) in [("resolved", false), ("open", true)] {
        let (id, case) = open(status, reminded);
        assert_nothing(&decide(Awaited::Resolution(id), &case));
    }
}
