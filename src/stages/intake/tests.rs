mod arrivals;
mod refusal;
mod stopped;
mod times;
mod turns;

use super::heard::OptOut;
use super::*;
use crate::domain::{ConversationId, OpenText, Outcome, WorkflowId, WorkflowStatus};
use crate::events::{ApprovalSuperseded, ConsentRevoked, Turn, TurnOpened};
use crate::stages::testing::{self, conversation_id, inbox, incoming, phone, tenant_id};
use crate::store::consents::ConsentChange;
use crate::store::conversations::Conversation;
use crate::store::drafts::DraftUpdate;
use crate::store::texts::{NewText, TextsMoved};
use crate::store::workflows::WorkflowUpdate;

fn stage() -> Intake {
    Intake {
        settings: IntakeSettings {
            dedupe_window: TimeDelta::seconds(30),
        },
        handover: testing::handover(),
        gate: testing::gate(),
    }
}

/// Text `number`, which only its number tells apart.
fn sms(number: u32, content: &str) -> Event {
    incoming(
        number,
        SmsReceived {
            tenant_id: Some(tenant_id()),
            phone_number: phone(),
            content: content.to_owned(),
            conversation_id: conversation_id(),
            timestamp: None,
            direction: Direction::Inbound,
            message_sid: Some(format!("SM{number}")),
            metadata: None,
        },
    )
}

/// A text in which the reader found nothing special.
fn plain() -> Heard {
    Heard::default()
}

fn opting_out(how: OptOut) -> Heard {
    Heard {
        opt_out: Some(how),
        ..Heard::default()
    }
}

fn in_danger() -> Heard {
    Heard {
        triggers: vec![EscalationType::SelfHarm],
        ..Heard::default()
    }
}

fn decide(event: &Event, reading: &Heard, case: &Case) -> Decision {
    let now = event.envelope.received_at + TimeDelta::seconds(1);
    let decision = stage().decide(event, reading, case, now);
    testing::assert_no_row_twice(&decision);
    decision
}

#[test]
fn a_duplicate_changes_nothing_and_is_told_about_the_first() {
    let known = Case {
        duplicate_of: Some(testing::workflow(1)),
        ..testing::case(testing::open(1, 1))
    };
    // Also when it says what would act at once the first time.
    for reading in [plain(), opting_out(OptOut::Keyword), in_danger()] {
        let decision = decide(&sms(2, "the same"), &reading, &known);
        assert!(decision.changes.is_empty() && decision.emits.is_empty());
        match &decision.replies[..] {
            [
                Reply::WorkflowTo {
                    workflow,
                    to,
                    duplicate: true,
                },
            ] => {
                assert_eq!((*workflow, to), (testing::workflow(1), &inbox(2)));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_senders_key_decides_what_is_the_same_text_and_else_time_and_content() {
    let same = |event: &Event| same_text(event, TimeDelta::seconds(30));
    let keyed = sms(40, "hi");
    assert!(matches!(same(&keyed), SameText::Key(key) if key == "SM40"));

    let mut timed = keyed.clone();
    timed.body.message_sid = None;
    timed.body.timestamp = Some(testing::after(3));
    let SameText::Content(key) = same(&timed) else {
        panic!("a time of its own needs no window")
    };
    let mut later = timed.clone();
    later.body.timestamp = Some(testing::after(4));
    assert!(matches!(same(&later), SameText::Content(other) if other != key));

    let mut bare = keyed;
    bare.body.message_sid = None;
    match same(&bare) {
        SameText::ContentSince(_, since) => assert_eq!(since, testing::after(10)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_makes_a_text_another_text() {
    let first = sms(1, "hi").body;
    let changes: [fn(&mut SmsReceived); 4] = [
        |sms| sms.content = "hi!".to_owned(),
        |sms| sms.phone_number = crate::domain::Phone::parse("+12025550199").expect("a number"),
        |sms| sms.conversation_id = ConversationId::parse("other").expect("an id"),
        |sms| sms.timestamp = Some(testing::after(9)),
    ];
    for change in changes {
        let mut other = first.clone();
        change(&mut other);
        assert_ne!(content_key(&first), content_key(&other), "{other:?}");
    }
    assert_eq!(content_key(&first), content_key(&sms(2, "hi").body));
}

#[test]
fn a_text_of_ours_is_only_noted() {
    let mut ours = sms(1, "Rent is due.");
    ours.body.direction = Direction::Outbound;
    ours.body.timestamp = Some(testing::after(-60));
    // Its content is nobody's request.
    let decision = decide(
        &ours,
        &opting_out(OptOut::Keyword),
        &testing::case(testing::open(1, 1)),
    );
    let [crate::store::Change::Conversation(noted)] = &decision.changes[..] else {
        panic!("{:?}", decision.changes)
    };
    assert_eq!(noted.last_outbound_at, Some(testing::after(-60)));
    assert!(noted.open_turn.is_none() && !noted.close_turn && noted.last_inbound_at.is_none());
    assert!(decision.emits.is_empty());
    match &decision.replies[..] {
        [
            Reply::Ready {
                to,
                status: 200,
                body,
            },
        ] => {
            assert_eq!(to, &inbox(1));
            assert_eq!(body["action_taken"], "ignored");
            assert_eq!(body["status"], "processed");
            assert!(body["workflow_id"].is_null());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_must_be_known_depends_on_what_the_text_asks() {
    let cases = [
        (plain(), ConsentUse::Read),
        (in_danger(), ConsentUse::Change),
        (opting_out(OptOut::Keyword), ConsentUse::Change),
        (opting_out(OptOut::Wording), ConsentUse::Change),
    ];
    for (reading, wanted) in cases {
        let needs = stage().needs(&sms(1, "hi"), &reading);
        assert!(needs.lock && needs.open_texts && needs.same_text.is_some());
        assert_eq!(needs.draft, Some(DraftRef::Pending));
        assert_eq!(needs.consent, Some((phone(), wanted)), "{reading:?}");
    }
}
