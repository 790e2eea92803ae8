use serde_json::{Value, json};

use super::*;
use crate::domain::{
    ConversationId, EscalationType, Severity, TenantId, WorkflowStatus, WorkflowType,
};
use crate::engine::Reply;
use crate::events::{EscalationAssigned, EscalationRaised, EscalationResolved};
use crate::stages::testing::{
    self, after, assert_no_row_twice, case, conversation_id, event_id, inbox, incoming, open, row,
    rows, stored_workflow, told, workflow,
};
use crate::store::conversations::ConversationUpdate;
use crate::store::escalations::{EscalationCase, EscalationUpdate, NewEscalation};
use crate::store::workflows::{NewWorkflow, WorkflowUpdate};

fn requested() -> EscalationRequested {
    EscalationRequested {
        conversation_id: Some(conversation_id()),
        workflow_id: None,
        escalation_type: EscalationType::PaymentDispute,
        reason: None,
        severity: None,
        auto_detected: false,
        escalated_by: Some("manager_456".to_owned()),
        tenant_id: None,
        phone_number: None,
        metadata: None,
    }
}

fn stored(status: &str) -> Escalation {
    let new = NewEscalation {
        raised: EscalationRaised {
            escalation_id: EscalationId(event_id(8).row("escalation")),
            workflow_id: workflow(1),
            conversation_id: conversation_id(),
            tenant_id: None,
            tenant_name: None,
            escalation_type: EscalationType::PaymentDispute,
            severity: Severity::Medium,
            reason: "said so".to_owned(),
            auto_detected: false,
            tenant_message: None,
            response_queue_id: None,
            raised_at: after(1),
        },
        phone: None,
        by: "manager_456".to_owned(),
        assigned_to: None,
        metadata: json!({}),
    };
    Escalation {
        status: status.to_owned(),
        ..new.as_stored()
    }
}

fn decide(asked: Asked, found: &Found, case: &Case) -> Decision {
    let stage = Escalate {
        handover: testing::handover(),
    };
    let decision = stage.decide(&incoming(3, asked), found, case, after(5));
    assert_no_row_twice(&decision);
    decision
}

fn raise(asked: EscalationRequested, found: &Found, case: &Case) -> Decision {
    decide(Asked::Raise(Box::new(asked)), found, case)
}

fn about(status: WorkflowStatus) -> Found {
    Found {
        workflow: Some(stored_workflow(status)),
        ..Found::default()
    }
}

fn body(decision: &Decision) -> (u16, &Value) {
    let ready = decision.replies.iter().find_map(|reply| match reply {
        Reply::Ready { to, status, body } if *to == inbox(3) => Some((*status, body)),
        _ => None,
    });
    ready.expect("an answer")
}

#[test]
fn a_conversation_nobody_knows_gets_a_workflow_of_its_own() {
    let decision = raise(requested(), &Found::default(), &Case::default());
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    assert_eq!(row::<NewWorkflow>(&decision).kind, WorkflowType::Escalation);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    let (status, body) = body(&decision);
    assert_eq!(status, 200);
    assert_eq!(body["status"], "escalated_processed");
    assert_eq!(body["severity"], "medium");
    assert_eq!(body["assigned_to"], "supervisor_team");
    assert_eq!(body["duplicate"], false);
    let new: &NewEscalation = row(&decision);
    assert_eq!(new.raised.reason, "The tenant disputes what is owed.");
}

#[test]
fn a_text_in_the_works_becomes_a_persons_and_its_draft_is_dropped() {
    let case = case(open(1, 1));
    let decision = raise(requested(), &about(WorkflowStatus::Processing), &case);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(
        (update.id, update.status),
        (workflow(1), Some(WorkflowStatus::Escalated))
    );
    let conversation: &ConversationUpdate = row(&decision);
    assert!(conversation.close_turn);
    assert_eq!(conversation.only_if_carried_by, Some(workflow(1)));
    // Whoever posted the text still waits.
    assert_eq!(told(&decision), [workflow(1)]);
}

#[test]
fn a_waiting_draft_stays_decidable() {
    let case = case(open(1, 1));
    let decision = raise(requested(), &about(WorkflowStatus::AwaitingApproval), &case);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert!(rows::<ConversationUpdate>(&decision).is_empty());
}

#[test]
fn an_answered_text_stays_answered() {
    let case = Case::default();
    let decision = raise(requested(), &about(WorkflowStatus::Sent), &case);
    assert!(rows::<WorkflowUpdate>(&decision).is_empty());
    assert_eq!(
        row::<NewEscalation>(&decision).raised.workflow_id,
        workflow(1)
    );
}

#[test]
fn the_same_within_ten_minutes_is_the_same() {
    let case = Case {
        same_escalation: Some(stored("open")),
        ..Case::default()
    };
    let decision = raise(requested(), &Found::default(), &case);
    assert_eq!(decision.subjects(), [""; 0]);
    assert!(decision.changes.is_empty());
    let (_, body) = body(&decision);
    assert_eq!(body["duplicate"], true);
    assert_eq!(body["escalation_id"], json!(stored("open").id));
}

#[test]
fn an_unknown_workflow_alone_is_not_found_and_beside_a_conversation_noted() {
    let alone = EscalationRequested {
        conversation_id: None,
        workflow_id: Some("workflow-x".to_owned()),
        ..requested()
    };
    let found = Found {
        unknown_workflow: Some("workflow-x".to_owned()),
        ..Found::default()
    };
    let decision = raise(alone, &found, &Case::default());
    assert_eq!(body(&decision).0, 404);
    assert!(decision.changes.is_empty());
    let decision = raise(requested(), &found, &Case::default());
    let new: &NewEscalation = row(&decision);
    assert_eq!(new.metadata["unknown_workflow_id"], "workflow-x");
}

#[test]
fn the_callers_words_win_over_defaults() {
    let asked = EscalationRequested {
        severity: Some(Severity::Critical),
        reason: Some("He is at the door.".to_owned()),
        tenant_id: Some(TenantId::parse("t9").expect("an id")),
        conversation_id: Some(ConversationId::parse("c9").expect("an id")),
        ..requested()
    };
    let decision = raise(asked, &Found::default(), &Case::default());
    let said: EscalationRaised = decision.emitted().expect("the event");
    assert_eq!(said.severity, Severity::Critical);
    assert_eq!(said.reason, "He is at the door.");
    assert_eq!(said.conversation_id.as_str(), "c9");
    assert_eq!(body(&decision).1["dashboard_priority"], "immediate");
}

fn resolving(by: Option<&str>) -> Asked {
    Asked::Resolve(ResolutionRequested {
        escalation_id: "esc".to_owned(),
        resolved_by: by.map(str::to_owned),
        resolution: Some("called".to_owned()),
        outcome: None,
    })
}

fn settled(escalation: Escalation) -> Case {
    Case {
        escalation: Some(EscalationCase {
            escalation,
            others_open: false,
            draft_waits: false,
            workflow_escalated: true,
        }),
        ..Case::default()
    }
}

#[test]
fn the_last_open_escalation_completes_its_workflow() {
    let decision = decide(
        resolving(Some("m1")),
        &Found::default(),
        &settled(stored("open")),
    );
    assert_eq!(decision.subjects(), ["escalation.resolved"]);
    let said: EscalationResolved = decision.emitted().expect("the event");
    assert!(said.workflow_completed);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Completed));
    let (status, body) = body(&decision);
    assert_eq!((status, &body["resolved_by"]), (200, &json!("m1")));
    assert_eq!(body["already_resolved"], false);
}

#[test]
fn while_anything_waits_the_workflow_goes_on() {
    for (others_open, draft_waits) in [(true, false), (false, true)] {
        let mut case = settled(stored("in_progress"));
        if let Some(of) = &mut case.escalation {
            of.others_open = others_open;
            of.draft_waits = draft_waits;
        }
        let decision = decide(resolving(None), &Found::default(), &case);
        assert!(rows::<WorkflowUpdate>(&decision).is_empty());
        let update: &EscalationUpdate = row(&decision);
        assert_eq!(update.handled_by.as_deref(), Some("dashboard"));
    }
}

#[test]
fn what_is_resolved_stays_resolved() {
    let mut done = stored("resolved");
    done.handled_by = Some("first".to_owned());
    let decision = decide(
        resolving(Some("second")),
        &Found::default(),
        &settled(done.clone()),
    );
    assert!(decision.changes.is_empty());
    let (status, body) = body(&decision);
    assert_eq!((status, &body["resolved_by"]), (200, &json!("first")));
    assert_eq!(body["already_resolved"], true);
    let decision = decide(assigning(), &Found::default(), &settled(done));
    assert!(decision.changes.is_empty());
}

fn assigning() -> Asked {
    Asked::Assign(AssignmentRequested {
        escalation_id: "esc".to_owned(),
        assigned_to: "ana".to_owned(),
        assigned_by: None,
        notes: None,
    })
}

#[test]
fn somebody_takes_it_over() {
    let decision = decide(assigning(), &Found::default(), &settled(stored("open")));
    let said: EscalationAssigned = decision.emitted().expect("the event");
    assert_eq!(said.assigned_to, "ana");
    assert_eq!(row::<EscalationUpdate>(&decision).status, "in_progress");
    assert_eq!(body(&decision).1["status"], "in_progress");
}

#[test]
fn an_unknown_escalation_is_not_found() {
    for asked in [resolving(None), assigning()] {
        let decision = decide(asked, &Found::default(), &Case::default());
        assert_eq!(body(&decision).0, 404);
    }
}
