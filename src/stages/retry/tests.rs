use serde_json::{Value, json};

use super::*;
use crate::domain::{ConversationId, EventId, WorkflowStatus};
use crate::engine::{Next, Reply};
use crate::events::TurnOpened;
use crate::stages::testing::{
    after, assert_no_row_twice, event_id, inbox, incoming, open, open_text, quiet, row, rows,
    stored_draft, stored_workflow, workflow,
};
use crate::store::conversations::{Conversation, ConversationUpdate};
use crate::store::dead_letters::LetterUpdate;
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate};
use crate::store::drafts::DraftUpdate;
use crate::store::texts::TextsMoved;
use crate::store::workflows::WorkflowUpdate;

fn decide(asked: Asked, case: &Case) -> Decision {
    let stage = Retry {
        settings: RetrySettings { most: 3 },
    };
    let decision = stage.decide(&incoming(9, asked), &Found::default(), case, after(20));
    assert_no_row_twice(&decision);
    assert!(matches!(decision.next, Next::Done));
    decision
}

fn retry(force_retry: bool, case: &Case) -> Decision {
    let asked = RetryRequested {
        workflow_id: workflow(1).to_string(),
        reason: "try again".to_owned(),
        force_retry,
        recovery_strategy: None,
        notes: None,
        requested_by: Some("ana".to_owned()),
    };
    decide(Asked::Workflow(asked), case)
}

fn redrive(confirm_duplicate_risk: bool, case: &Case) -> Decision {
    let asked = RedriveRequested {
        dead_letter_id: "dl".to_owned(),
        confirm_duplicate_risk,
        requested_by: None,
        reason: None,
    };
    decide(Asked::Letter(asked), case)
}

/// Text 1 and its workflow, in turn 1 of a conversation.
fn case(conversation: Conversation, status: WorkflowStatus) -> Case {
    Case {
        conversation: Some(conversation),
        workflow: Some(stored_workflow(status)),
        workflow_texts: vec![(1, open_text(1, "What do I owe?"))],
        ..Case::default()
    }
}

fn letter(stage: &str, subject: &str, reason: &str, payload: &Value) -> StoredLetter {
    StoredLetter {
        id: DeadLetterId(event_id(8).row("dead")),
        kind: if stage == "deliver" {
            "sms"
        } else {
            "workflow"
        }
        .to_owned(),
        status: "open".to_owned(),
        stage: stage.to_owned(),
        subject: subject.to_owned(),
        event: event_id(7),
        reason: reason.to_owned(),
        last_error: "no".to_owned(),
        workflow_id: Some(workflow(1)),
        conversation_id: ConversationId::parse("conv_20481").ok(),
        headers: json!({"ce-id": "x", "ce-subject": "conv_20481", "Nats-Msg-Id": "y"}),
        payload: payload.to_string().into_bytes(),
        attempts: 10,
        redrive_count: 0,
        history: json!([]),
        first_attempt_at: after(2),
        last_attempt_at: after(3),
        created_at: after(3),
        updated_at: after(3),
    }
}

fn told(decision: &Decision) -> (u16, &Value) {
    let ready = decision.replies.iter().find_map(|reply| match reply {
        Reply::Ready { to, status, body } if *to == inbox(9) => Some((*status, body)),
        _ => None,
    });
    ready.expect("an answer")
}

fn assert_refused(decision: &Decision, status: u16, reason: &str) {
    let (told, body) = told(decision);
    assert_eq!((told, &body["details"]["reason"]), (status, &json!(reason)));
    assert!(decision.changes.is_empty() && decision.emits.is_empty());
}

#[test]
fn an_escalated_text_begins_a_new_turn_with_the_same_words() {
    let decision = retry(false, &case(quiet(1), WorkflowStatus::Escalated));
    assert_eq!(decision.subjects(), ["turn.opened"]);
    let opened: TurnOpened = decision.emitted().expect("a turn");
    assert_eq!(opened.turn.number, 2);
    assert_eq!(opened.turn.workflow_id, workflow(1));
    assert_eq!(opened.turn.texts, [open_text(1, "What do I owe?")]);
    assert!(!opened.turn.after_send);
    let moved: &TextsMoved = row(&decision);
    assert_eq!((moved.from, moved.to), (1, 2));
    let update: &WorkflowUpdate = row(&decision);
    assert!(update.retried);
    assert_eq!(update.status, Some(WorkflowStatus::Processing));
    let (status, body) = told(&decision);
    assert_eq!(status, 200);
    assert_eq!(
        (&body["attempt"], &body["max_attempts"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(body["dashboard_status"], "retrying");
}

#[test]
fn a_failed_one_goes_on_from_the_message_it_failed_at() {
    let mut case = case(quiet(1), WorkflowStatus::Failed);
    case.dead_letter = Some(letter(
        "route",
        "reply.drafted",
        "attempts_exhausted",
        &json!({}),
    ));
    let decision = retry(false, &case);
    assert_eq!(decision.subjects(), ["reply.drafted"]);
    let said = decision.emits[0].said_before.as_ref().expect("as it was");
    assert_eq!(said.event, event_id(7));
    let update: &LetterUpdate = row(&decision);
    assert_eq!(update.status, "redriven");
    assert_eq!(update.forget, Some((event_id(7), "route".to_owned())));
    let conversation: &ConversationUpdate = row(&decision);
    assert_eq!(conversation.open_turn, Some((1, workflow(1))));
}

#[test]
fn a_failed_one_that_the_tenant_has_overtaken_begins_anew() {
    let mut case = case(quiet(4), WorkflowStatus::Failed);
    case.dead_letter = Some(letter(
        "route",
        "reply.drafted",
        "attempts_exhausted",
        &json!({}),
    ));
    let decision = retry(false, &case);
    assert_eq!(decision.subjects(), ["turn.opened"]);
    assert!(rows::<LetterUpdate>(&decision).is_empty());
}

#[test]
fn while_a_newer_text_is_answered_nothing_is_tried_again() {
    let case = case(open(2, 2), WorkflowStatus::Escalated);
    assert_refused(&retry(false, &case), 400, "in_progress");
}

#[test]
fn what_may_not_be_tried_again_is_refused_with_its_reason() {
    use WorkflowStatus as S;
    for status in [S::Received, S::Processing] {
        assert_refused(&retry(true, &case(quiet(1), status)), 400, "in_progress");
    }
    for status in [S::Sent, S::Completed, S::AwaitingApproval] {
        assert_refused(&retry(false, &case(quiet(1), status)), 400, "not_retryable");
    }
    let mut worn = case(quiet(1), S::Failed);
    if let Some(workflow) = &mut worn.workflow {
        workflow.retry_count = 3;
    }
    assert_refused(&retry(true, &worn), 400, "retry_limit_reached");
    let mut merged = case(quiet(1), S::Completed);
    if let Some(of) = &mut merged.workflow {
        of.merged_into = Some(workflow(2));
    }
    assert_refused(&retry(true, &merged), 400, "not_retryable");
    let textless = Case {
        workflow_texts: Vec::new(),
        ..case(quiet(1), S::Escalated)
    };
    assert_refused(&retry(true, &textless), 400, "not_retryable");
    assert_eq!(told(&retry(false, &Case::default())).0, 404);
}

#[test]
fn after_a_text_only_a_manager_releases_another() {
    let decision = retry(true, &case(quiet(1), WorkflowStatus::Sent));
    let opened: TurnOpened = decision.emitted().expect("a turn");
    assert!(opened.turn.after_send);
    assert!(row::<WorkflowUpdate>(&decision).final_result);
}

#[test]
fn a_waiting_draft_is_withdrawn_for_a_new_one() {
    let mut case = case(open(1, 1), WorkflowStatus::AwaitingApproval);
    case.draft = Some(stored_draft("pending"));
    let decision = retry(true, &case);
    assert_eq!(row::<DraftUpdate>(&decision).status, "superseded");
    assert_eq!(decision.subjects(), ["turn.opened"]);
}

fn released() -> Value {
    json!({
        "delivery_id": EventId(event_id(5).row("delivery")), "draft_id": EventId(event_id(5).row("draft")),
        "workflow_id": workflow(1), "conversation_id": "conv_20481", "turn": 1,
        "phone_number": "+12025550143", "tenant_id": null, "text": "Hi", "kind": "auto",
        "released_by": null, "newest_known_message": 0,
    })
}

#[test]
fn a_text_that_may_have_gone_out_wants_a_word_first() {
    let mut case = case(quiet(1), WorkflowStatus::Escalated);
    case.dead_letter = Some(letter(
        "deliver",
        "reply.approved",
        "unknown_outcome",
        &released(),
    ));
    assert_refused(&redrive(false, &case), 409, "unknown_outcome");
    let decision = redrive(true, &case);
    assert_eq!(decision.subjects(), ["reply.approved"]);
    let update: &DeliveryUpdate = row(&decision);
    assert_eq!(update.status, DeliveryStatus::Waiting);
}

#[test]
fn a_text_whose_hour_had_come_is_redriven_like_one_that_was_released() {
    let due = json!({ "not_before": "2026-11-22T13:00:00Z", "reply": released() });
    let case = Case {
        dead_letter: Some(letter(
            "deliver",
            "delivery.due",
            "attempts_exhausted",
            &due,
        )),
        ..case(quiet(1), WorkflowStatus::Escalated)
    };
    let decision = redrive(false, &case);
    assert_eq!(
        row::<DeliveryUpdate>(&decision).status,
        DeliveryStatus::Waiting
    );
    assert_eq!(decision.subjects(), ["delivery.due"]);
}

#[test]
fn a_retry_never_sends_what_may_have_gone_out() {
    let mut case = case(quiet(1), WorkflowStatus::Escalated);
    case.dead_letter = Some(letter(
        "deliver",
        "reply.approved",
        "unknown_outcome",
        &released(),
    ));
    let decision = retry(false, &case);
    let opened: TurnOpened = decision.emitted().expect("a new turn");
    assert!(opened.turn.after_send, "a manager releases it");
}

#[test]
fn only_open_letters_with_a_readable_message_are_worked_on_again() {
    let mut case = case(quiet(1), WorkflowStatus::Failed);
    let mut closed = letter("route", "reply.drafted", "attempts_exhausted", &json!({}));
    closed.status = "resolved".to_owned();
    case.dead_letter = Some(closed);
    assert_refused(&redrive(false, &case), 409, "not_open");
    case.dead_letter = Some(letter(
        "intake",
        "sms.received",
        "invalid_message",
        &json!({}),
    ));
    assert_refused(&redrive(false, &case), 409, "invalid_message");
    assert_eq!(told(&redrive(false, &Case::default())).0, 404);
}

#[test]
fn a_notification_is_told_again_without_touching_the_workflow() {
    let mut case = case(quiet(1), WorkflowStatus::Sent);
    let mut told = letter(
        "notify",
        "escalation.raised",
        "permanent_failure",
        &json!({}),
    );
    told.kind = "notification".to_owned();
    case.dead_letter = Some(told);
    let decision = redrive(false, &case);
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    assert!(rows::<WorkflowUpdate>(&decision).is_empty());
}

#[test]
fn somebody_may_close_a_letter() {
    let mut case = case(quiet(1), WorkflowStatus::Failed);
    case.dead_letter = Some(letter(
        "route",
        "reply.drafted",
        "attempts_exhausted",
        &json!({}),
    ));
    let asked = LetterResolutionRequested {
        dead_letter_id: "dl".to_owned(),
        resolved_by: Some("ana".to_owned()),
        resolution: Some("answered by phone".to_owned()),
    };
    let decision = decide(Asked::Done(asked), &case);
    let update: &LetterUpdate = row(&decision);
    assert_eq!((update.status, update.by.as_str()), ("resolved", "ana"));
    assert_eq!(update.forget, None);
}
