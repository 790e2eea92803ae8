use super::*;
use crate::stages::testing::{
    after, assert_nothing, case, draft_id, open, open_text, quiet, row, rows, stored_draft, told,
    update_of, workflow,
};
use crate::store::drafts::Draft;
use crate::store::workflows::NewWorkflow as Begun;

fn numbers(turn: &Turn) -> Vec<i64> {
    turn.texts
        .iter()
        .map(|text| text.arrival.sequence)
        .collect()
}

fn opened(decision: &Decision) -> Turn {
    assert_eq!(decision.subjects().first(), Some(&"turn.opened"));
    decision.emitted::<TurnOpened>().expect("a turn").turn
}

/// The conversation waits for an answer to the given texts; the last one's workflow carries it.
fn waiting(turn: i64, texts: &[u32]) -> Case {
    let carrier = *texts.last().expect("texts");
    Case {
        open_texts: texts.iter().map(|n| open_text(*n, "earlier")).collect(),
        ..case(open(turn, carrier))
    }
}

fn with_waiting_draft(case: Case, carrier: u32) -> Case {
    let draft = Draft {
        workflow_id: workflow(carrier),
        ..stored_draft("pending")
    };
    Case {
        draft: Some(draft),
        ..case
    }
}

#[test]
fn the_first_text_is_stored_and_opens_turn_1() {
    let decision = decide(&sms(1, "What do I owe?"), &plain(), &case(quiet(0)));
    let turn = opened(&decision);
    assert_eq!((turn.number, turn.workflow_id), (1, workflow(1)));
    assert_eq!(numbers(&turn), [1]);

    let text = row::<NewText>(&decision);
    assert_eq!((text.turn, text.workflow_id), (1, workflow(1)));
    assert_eq!(text.content, "What do I owe?");
    assert_eq!(text.idempotency_key.as_deref(), Some("SM1"));
    let begun = row::<Begun>(&decision);
    assert_eq!((begun.id, begun.turn), (workflow(1), 1));
    assert_eq!(begun.reply_subject, Some(inbox(1)), "told at the end");
    let conversation = row::<ConversationUpdate>(&decision);
    assert_eq!(conversation.open_turn, Some((1, workflow(1))));
    assert_eq!(conversation.last_inbound_at, Some(after(1)));
    assert!(!conversation.close_turn);
    assert!(rows::<WorkflowUpdate>(&decision).is_empty());
    assert!(decision.replies.is_empty(), "nothing is decided yet");
}

#[test]
fn who_asked_not_to_wait_is_told_at_once_and_never_again() {
    let mut event = sms(1, "hi");
    event.envelope.respond_async = true;
    let decision = decide(&event, &plain(), &case(quiet(0)));
    assert_eq!(row::<Begun>(&decision).reply_subject, None);
    match &decision.replies[..] {
        [
            Reply::WorkflowTo {
                workflow: id,
                to,
                duplicate: false,
            },
        ] => assert_eq!((*id, to), (workflow(1), &inbox(1))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_text_takes_the_open_turn_over() {
    let decision = decide(&sms(5, "and when?"), &plain(), &waiting(2, &[3, 4]));
    let turn = opened(&decision);
    assert_eq!((turn.number, turn.workflow_id), (3, workflow(5)));
    assert_eq!(numbers(&turn), [3, 4, 5], "in the order they arrived");

    let moved = row::<TextsMoved>(&decision);
    assert_eq!((moved.from, moved.to), (2, 3));
    assert_eq!(row::<NewText>(&decision).turn, 3);
    assert_eq!(
        row::<ConversationUpdate>(&decision).open_turn,
        Some((3, workflow(5)))
    );
    let merged = row::<WorkflowUpdate>(&decision);
    assert_eq!(
        merged.id,
        workflow(4),
        "the carrier; text 3 was merged before"
    );
    assert_eq!(merged.status, Some(WorkflowStatus::Completed));
    assert_eq!(merged.action, Some(Action::Merged));
    assert_eq!(merged.outcome, Some(Outcome::Merged));
    assert_eq!(merged.merged_into, Some(workflow(5)));
    assert!(merged.ended);
    assert_eq!(told(&decision), [workflow(4)]);
}

#[test]
fn a_draft_that_waited_is_withdrawn_and_its_caller_was_answered_before() {
    let before = with_waiting_draft(waiting(1, &[1]), 1);
    let decision = decide(&sms(2, "wait"), &plain(), &before);
    let draft = row::<DraftUpdate>(&decision);
    assert_eq!((draft.id, draft.status), (draft_id(), "superseded"));
    assert_eq!(draft.superseded_by, Some(workflow(2)));
    assert!(draft.by.is_none(), "nobody decided");
    let told_managers = decision.emitted::<ApprovalSuperseded>().expect("the fact");
    assert_eq!(told_managers.response_queue_id, draft_id());
    assert_eq!(told_managers.workflow_id, workflow(1));
    assert_eq!(told_managers.merged_into, Some(workflow(2)));
    assert_eq!(
        update_of(&decision, workflow(1)).merged_into,
        Some(workflow(2))
    );
    assert_eq!(told(&decision), []);
}

#[test]
fn a_late_older_text_joins_and_the_newer_text_still_carries() {
    let decision = decide(&sms(3, "late"), &plain(), &waiting(1, &[2, 5]));
    let turn = opened(&decision);
    assert_eq!((turn.number, turn.workflow_id), (2, workflow(5)));
    assert_eq!(numbers(&turn), [2, 3, 5]);
    assert_eq!(
        row::<ConversationUpdate>(&decision).open_turn,
        Some((2, workflow(5)))
    );
    let merged = row::<WorkflowUpdate>(&decision);
    assert_eq!(merged.id, workflow(3));
    assert_eq!(merged.merged_into, Some(workflow(5)));
    assert_eq!(told(&decision), [workflow(3)]);
}

#[test]
fn a_late_older_texts_caller_is_answered_also_when_a_draft_waited() {
    let before = with_waiting_draft(waiting(1, &[5]), 5);
    let decision = decide(&sms(3, "late"), &plain(), &before);
    assert_eq!(row::<DraftUpdate>(&decision).status, "superseded");
    assert_eq!(told(&decision), [workflow(3)], "it never had an answer");
}

#[test]
fn an_epoch_outranks_any_sequence() {
    let mut newer = sms(1, "after the stream was made anew");
    newer.envelope.arrival.epoch = 2;
    let decision = decide(&newer, &plain(), &waiting(1, &[900]));
    assert_eq!(numbers(&opened(&decision)), [900, 1]);
    assert_eq!(opened(&decision).workflow_id, workflow(1));
}

#[test]
fn a_text_after_the_reply_left_opens_a_turn_of_its_own() {
    let mut left = quiet(4);
    left.turn_workflow = Some(workflow(3));
    // Newer than the answered one, or late: what was answered is not answered again.
    for number in [9, 2] {
        let decision = decide(&sms(number, "thanks"), &plain(), &case(left.clone()));
        let turn = opened(&decision);
        assert_eq!((turn.number, turn.workflow_id), (5, workflow(number)));
        assert_eq!(numbers(&turn), [i64::from(number)]);
        assert!(rows::<TextsMoved>(&decision).is_empty());
        assert!(rows::<WorkflowUpdate>(&decision).is_empty());
        assert_eq!(told(&decision), []);
    }
}

#[test]
fn an_unidentified_sender_is_the_conversations_tenant_if_it_has_one() {
    let mut event = sms(1, "hi");
    event.body.tenant_id = None;
    let decision = decide(&event, &plain(), &case(quiet(0)));
    assert_eq!(opened(&decision).tenant_id, Some(tenant_id()));
    let mut nobody = quiet(0);
    nobody.tenant_id = None;
    let decision = decide(&event, &plain(), &case(nobody));
    assert_eq!(opened(&decision).tenant_id, None);
}

#[test]
fn the_reply_goes_to_the_number_of_the_text_that_carries_the_turn() {
    let mut late = sms(3, "late");
    late.body.phone_number = crate::domain::Phone::parse("+12025550199").expect("a number");
    let decision = decide(&late, &plain(), &waiting(1, &[5]));
    assert_eq!(opened(&decision).phone_number, phone());
}

#[test]
fn without_its_conversation_row_a_text_is_tried_again() {
    let decision = decide(&sms(1, "hi"), &plain(), &Case::default());
    assert!(matches!(
        decision.next,
        crate::engine::Next::Later { counted: true, .. }
    ));
    let handled = Decision {
        next: crate::engine::Next::Done,
        ..decision
    };
    assert_nothing(&handled);
}
