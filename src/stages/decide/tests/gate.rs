//! What the gate tells a manager in the moment of the decision.

use super::*;
use crate::domain::HoldKind;
use crate::store::gate_decisions::GateDecision;

/// As `refused`, but the gate's verdict is kept.
fn told(decision: &Decision) -> Value {
    assert_eq!(decision.subjects(), ["approval.refused"]);
    match &decision.replies[..] {
        [
            Reply::Ready {
                status: 409, body, ..
            },
        ] => body["details"].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_hold_keeps_the_item_pending_and_lets_a_person_take_over() {
    let held = Case {
        holds: vec![HoldKind::Attorney],
        ..with_draft(stored_draft("pending"))
    };
    for action in [DecisionAction::Approve, DecisionAction::Modify] {
        let decision = decide(command(action), &held);
        let details = told(&decision);
        assert_eq!(details["reason"], "on_hold");
        assert_eq!(details["holds"], json!(["attorney"]));
        assert_eq!(row::<GateDecision>(&decision).judgement.rules, ["R13"]);
        assert!(
            rows::<DraftUpdate>(&decision).is_empty(),
            "pending as before"
        );
    }
    for action in [DecisionAction::Escalate, DecisionAction::Reject] {
        let decision = decide(command(action), &held);
        assert_eq!(row::<DraftUpdate>(&decision).status, "escalated");
    }
}

#[test]
fn no_reason_overrides_an_opt_out_or_a_hold() {
    let with_reason = ApprovalDecided {
        override_reason: Some("I know them".to_owned()),
        ..command(DecisionAction::Approve)
    };
    let held = Case {
        holds: vec![HoldKind::Dispute],
        ..with_draft(stored_draft("pending"))
    };
    assert_eq!(
        told(&decide(with_reason.clone(), &held))["reason"],
        "on_hold"
    );
    let silent = Case {
        opted_out: true,
        ..with_draft(stored_draft("pending"))
    };
    assert_eq!(told(&decide(with_reason, &silent))["reason"], "opted_out");
}

#[test]
fn a_text_against_a_rule_is_refused_until_there_is_a_reason() {
    let threat = ApprovalDecided {
        modified_text: Some("We will see you in court.".to_owned()),
        ..command(DecisionAction::Modify)
    };
    let case = with_draft(stored_draft("pending"));
    let details = told(&decide(threat.clone(), &case));
    assert_eq!(
        (details["reason"].as_str(), &details["rule_ids"]),
        (Some("rule_refused"), &json!(["R18"]))
    );
    let reviewed = ApprovalDecided {
        override_reason: Some("Counsel wrote it".to_owned()),
        ..threat
    };
    let decision = decide(reviewed, &case);
    let released = decision.emitted::<ReplyApproved>().expect("released");
    let word = released.overridden.expect("goes with the text");
    assert_eq!(
        (word.by.as_str(), word.reason.as_str()),
        ("manager-001", "Counsel wrote it")
    );
    assert_eq!(
        row::<Audit>(&decision).reason.as_deref(),
        Some("Counsel wrote it")
    );
}

#[test]
fn the_final_text_is_the_one_that_will_leave() {
    let mut stranger = with_draft(stored_draft("pending"));
    if let Some(conversation) = &mut stranger.conversation {
        conversation.introduced = false;
    }
    let decision = decide(command(DecisionAction::Approve), &stranger);
    let text = "You owe $567.00.\nProperty Management. Reply STOP to stop texts.";
    assert_eq!(
        decision.emitted::<ReplyApproved>().expect("released").text,
        text
    );
    assert_eq!(
        row::<DraftUpdate>(&decision).final_response.as_deref(),
        Some(text)
    );
    assert_eq!(
        row::<Audit>(&decision).final_response.as_deref(),
        Some(text)
    );
    // The same decision again is the same although the wording is not wanted any more.
    let decided = Draft {
        approval_action: Some("approve".to_owned()),
        final_response: Some(text.to_owned()),
        actioned_by: Some("manager-001".to_owned()),
        actioned_at: Some(after(30)),
        ..stored_draft("approved")
    };
    let again = decide(command(DecisionAction::Approve), &with_draft(decided));
    assert!(
        matches!(&again.replies[..], [Reply::Approval { already: true, .. }]),
        "{:?}",
        again.replies
    );
}

#[test]
fn with_its_wording_a_text_may_be_too_long() {
    let mut stranger = with_draft(stored_draft("pending"));
    if let Some(conversation) = &mut stranger.conversation {
        conversation.introduced = false;
    }
    let long = ApprovalDecided {
        modified_text: Some("x".repeat(1600)),
        ..command(DecisionAction::Modify)
    };
    let details = told(&decide(long.clone(), &stranger));
    assert_eq!(
        (details["reason"].as_str(), &details["rule_ids"]),
        (Some("rule_refused"), &json!(["R27"]))
    );
    let known = decide(long, &with_draft(stored_draft("pending")));
    assert!(known.emitted::<ReplyApproved>().is_some());
}

#[test]
fn a_release_that_went_stale_is_not_released_again() {
    let stale = Draft {
        approval_action: Some("approve".to_owned()),
        final_response: Some("You owe $567.00.".to_owned()),
        actioned_by: Some("manager-001".to_owned()),
        actioned_at: Some(after(30)),
        ..stored_draft("superseded")
    };
    let insisting = ApprovalDecided {
        override_superseded: true,
        ..command(DecisionAction::Approve)
    };
    let details = refused(&decide(insisting, &overtaken(stale))).1;
    assert_eq!(details["reason"], "superseded");
}

#[test]
fn an_amount_of_a_manager_s_own_is_compared_like_the_model_s() {
    let own = |text: &str, reason: Option<&str>| {
        let command = ApprovalDecided {
            modified_text: Some(text.to_owned()),
            override_reason: reason.map(str::to_owned),
            ..command(DecisionAction::Modify)
        };
        decide(command, &with_draft(stored_draft("pending")))
    };
    let wrong = own("You owe $657.00, Maria.", None);
    let details = told(&wrong);
    assert_eq!(
        (
            details["reason"].as_str(),
            &details["rule_ids"],
            &details["figures"]
        ),
        (Some("rule_refused"), &json!(["R17"]), &json!(["$657.00"]))
    );
    let [Reply::Ready { body, .. }] = &wrong.replies[..] else {
        panic!("{:?}", wrong.replies)
    };
    let sentence = body["detail"].as_str().expect("a sentence");
    assert!(
        sentence.contains("$657.00") && sentence.contains("override_reason"),
        "{sentence}"
    );
    for right in [
        "You owe $567.00, Maria.",
        "Please call us at 860-555-0143 or stop by unit 4 before 5 pm.",
        "Plans run from $25 a week for at most 12 weeks.",
        "Thanks Maria, see you on December 4!",
    ] {
        assert!(
            own(right, None).emitted::<ReplyApproved>().is_some(),
            "{right}"
        );
    }
    let agreed = own(
        "You owe $657.00, Maria.",
        Some("The ledger was corrected today"),
    );
    let released = agreed.emitted::<ReplyApproved>().expect("released");
    assert_eq!(
        released.overridden.expect("kept").reason,
        "The ledger was corrected today"
    );
}

#[test]
fn a_draft_whose_amount_failed_its_check_needs_a_reason_too() {
    let flagged = Draft {
        ai_response: "You owe $657.00.".to_owned(),
        checks: vec![crate::domain::Finding::failed(
            "amounts", 0.6, "role", "wrong",
        )],
        ..stored_draft("pending")
    };
    let details = told(&decide(
        command(DecisionAction::Approve),
        &with_draft(flagged),
    ));
    assert_eq!(details["figures"], json!(["$657.00"]));
}
