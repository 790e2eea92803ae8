//! Texts that get no drafted reply: opt-outs, texts after one, and people in danger.

use super::*;
use crate::domain::Severity;
use crate::events::EscalationRaised;
use crate::stages::testing::{
    case, draft_id, open, quiet, row, rows, stored_draft, told, update_of, workflow,
};
use crate::store::escalations::NewEscalation;

/// Text 1 waits, its draft with the managers.
fn with_waiting_draft() -> Case {
    Case {
        draft: Some(stored_draft("pending")),
        ..case(open(1, 1))
    }
}

fn assert_suppressed(decision: &Decision, number: u32) {
    let update = update_of(decision, workflow(number));
    assert_eq!(update.status, Some(WorkflowStatus::Completed));
    assert_eq!(update.action, Some(Action::Suppressed));
    assert_eq!(update.outcome, Some(Outcome::Suppressed));
    assert!(update.ended);
}

/// No turn is left that anybody could answer, and no model hears of the text.
fn assert_closed_without_a_turn(decision: &Decision, turn: i64) {
    let conversation = row::<ConversationUpdate>(decision);
    assert!(conversation.close_turn);
    assert_eq!(conversation.open_turn.map(|(turn, _)| turn), Some(turn));
    assert!(!decision.subjects().contains(&"turn.opened"));
    assert!(rows::<TextsMoved>(decision).is_empty());
}

#[test]
fn a_keyword_ends_all_texting_with_this_commit() {
    let decision = decide(
        &sms(2, "STOP"),
        &opting_out(OptOut::Keyword),
        &with_waiting_draft(),
    );
    assert_eq!(
        decision.subjects(),
        ["approval.superseded", "consent.revoked"]
    );
    assert_closed_without_a_turn(&decision, 2);
    assert_suppressed(&decision, 1);
    assert_suppressed(&decision, 2);
    let draft = row::<DraftUpdate>(&decision);
    assert_eq!((draft.id, draft.status), (draft_id(), "suppressed"));
    assert_eq!(draft.superseded_by, None);

    let consent = row::<ConsentChange>(&decision);
    assert!(consent.opted_out);
    assert_eq!((&consent.phone, consent.source), (&phone(), "keyword"));
    assert_eq!(consent.at, testing::after(2), "from the moment of arrival");
    let revoked = decision.emitted::<ConsentRevoked>().expect("the fact");
    assert_eq!(revoked.phone_number, phone());
    assert_eq!(revoked.workflow_id, Some(workflow(2)));
    assert_eq!(revoked.source, "keyword");

    assert_eq!(row::<NewText>(&decision).content, "STOP", "stored as ever");
    assert_eq!(told(&decision), [workflow(2)], "text 1 was answered before");
}

#[test]
fn a_caller_whose_open_text_is_suppressed_is_answered() {
    let decision = decide(
        &sms(2, "STOP"),
        &opting_out(OptOut::Keyword),
        &case(open(1, 1)),
    );
    assert_suppressed(&decision, 1);
    assert_eq!(told(&decision), [workflow(1), workflow(2)]);
}

#[test]
fn own_words_revoke_as_well_and_a_person_sees_them() {
    let decision = decide(
        &sms(1, "please stop texting me"),
        &opting_out(OptOut::Wording),
        &case(quiet(0)),
    );
    assert_eq!(
        decision.subjects(),
        ["consent.revoked", "escalation.raised"]
    );
    assert!(row::<ConsentChange>(&decision).opted_out);
    assert_eq!(row::<ConsentChange>(&decision).source, "wording");
    assert_suppressed(&decision, 1);
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::OptOut);
    assert_eq!(
        raised.tenant_message.as_deref(),
        Some("please stop texting me")
    );
    assert_eq!(row::<NewEscalation>(&decision).raised, raised);
}

#[test]
fn the_answer_to_an_opt_out_in_own_words_names_the_escalation() {
    let decision = decide(
        &sms(1, "please stop texting me"),
        &opting_out(OptOut::Wording),
        &case(quiet(0)),
    );
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(
        update_of(&decision, workflow(1)).escalation,
        Some(raised.escalation_id)
    );
}

#[test]
fn an_opted_out_numbers_text_is_kept_and_never_answered() {
    let triggers = vec![EscalationType::LegalThreat];
    for reading in [
        plain(),
        Heard {
            triggers,
            ..plain()
        },
    ] {
        let silent = Case {
            opted_out: true,
            ..case(quiet(3))
        };
        let decision = decide(&sms(4, "hello?"), &reading, &silent);
        assert_eq!(decision.subjects(), [""; 0]);
        assert_closed_without_a_turn(&decision, 4);
        assert_suppressed(&decision, 4);
        assert_eq!(row::<NewText>(&decision).content, "hello?");
        assert!(rows::<ConsentChange>(&decision).is_empty());
        assert_eq!(told(&decision), [workflow(4)]);
    }
}

#[test]
fn danger_comes_before_everything_and_reaches_a_person_only() {
    let both = Heard {
        opt_out: Some(OptOut::Wording),
        ..in_danger()
    };
    for (reading, opted_out) in [
        (in_danger(), false),
        (in_danger(), true),
        (both.clone(), false),
        (both, true),
    ] {
        let revokes = reading.opt_out.is_some();
        let before = Case {
            opted_out,
            ..with_waiting_draft()
        };
        let decision = decide(&sms(2, "I want to die"), &reading, &before);
        assert_closed_without_a_turn(&decision, 2);
        let raised = decision.emitted::<EscalationRaised>().expect("raised");
        assert_eq!(raised.escalation_type, EscalationType::SelfHarm);
        assert_eq!(raised.severity, Severity::Critical);
        assert_eq!(raised.tenant_message.as_deref(), Some("I want to die"));
        assert!(raised.auto_detected);

        let own = update_of(&decision, workflow(2));
        assert_eq!(own.status, Some(WorkflowStatus::Escalated));
        assert_eq!(own.action, Some(Action::Escalated));
        assert_eq!(own.escalation, Some(raised.escalation_id));
        // What was drafted before nobody may send any more.
        assert_eq!(row::<DraftUpdate>(&decision).status, "suppressed");
        assert_eq!(rows::<ConsentChange>(&decision).len(), usize::from(revokes));
        assert_eq!(told(&decision), [workflow(2)]);
    }
}

#[test]
fn an_opt_out_said_in_danger_is_announced_like_any_other() {
    let both = Heard {
        opt_out: Some(OptOut::Wording),
        ..in_danger()
    };
    let decision = decide(&sms(1, "stop texting or I die"), &both, &case(quiet(0)));
    assert!(decision.emitted::<ConsentRevoked>().is_some());
}
