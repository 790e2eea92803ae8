//! The gate's word about a released text, and texts that had to wait for their hour.

use super::*;
use crate::domain::HoldKind;
use crate::events::{ConsentRevoked, DeliveryHeld, EscalationRaised};
use crate::store::consents::ConsentChange;
use crate::store::deliveries::DeliveryUpdate;
use crate::store::gate_decisions::GateDecision;

/// Open from 08:00 until 21:00 in New York; the story begins at 07:00 there.
fn by_the_hour() -> Deliver {
    Deliver {
        gate: testing::gate_with(&[("CONTACT_HOURS", "on")]),
        ..stage()
    }
}

const HOUR: i64 = 3600;

fn woken(kind: DeliveryKind) -> Event {
    let mut event = released(kind);
    event.body.woken = true;
    event.body.reply.balance = Some(Cents(56_700));
    event
}

/// Held since second 11, until 08:00.
fn held(attempts: i32) -> Delivery {
    Delivery {
        not_before: Some(after(HOUR)),
        ..delivery(DeliveryStatus::Held, attempts, 9)
    }
}

fn decide_woken(kind: DeliveryKind, balance: Balance, case: &Case, now: i64) -> Decision {
    let decision = by_the_hour().decide(&woken(kind), &balance.into(), case, after(now));
    assert_no_row_twice(&decision);
    decision
}

#[test]
fn outside_the_hours_a_text_waits_in_its_row_and_the_message_is_done() {
    for (kind, case) in [
        (DeliveryKind::Auto, case(open(1, 1))),
        (DeliveryKind::Approved, knowing(taken_over_from_decide())),
    ] {
        let decision =
            by_the_hour().decide(&released(kind), &Balance::NotAsked.into(), &case, after(11));
        assert!(matches!(decision.next, Next::Done), "{:?}", decision.next);
        assert_eq!(decision.subjects(), ["delivery.held"]);
        let fact = decision.emitted::<DeliveryHeld>().expect("the fact");
        assert_eq!(
            (fact.not_before, &fact.rules[..]),
            (after(HOUR), &["R7".to_owned()][..])
        );
        let kept = rows::<NewDelivery>(&decision)
            .first()
            .and_then(|row| row.held.clone());
        let kept = kept.or_else(|| {
            rows::<DeliveryUpdate>(&decision)
                .first()
                .and_then(|row| row.held.clone())
        });
        let kept = kept.expect("a row that waits");
        assert_eq!(kept.not_before, after(HOUR));
        let said: ReplyApproved = serde_json::from_value(kept.released).expect("the release");
        assert_eq!(
            said,
            released(kind).body.reply,
            "all that is needed to ask again"
        );
        assert_eq!(row::<GateDecision>(&decision).judgement.outcome(), "wait");
        assert!(
            rows::<ConversationUpdate>(&decision).is_empty(),
            "it has not left"
        );
        assert_answered(&decision, kind);
    }
}

#[test]
fn when_its_hour_has_come_it_leaves_and_not_before() {
    for kind in KINDS {
        let now_open = Case {
            delivery: Some(held(0)),
            ..case(open(1, 1))
        };
        let early = decide_woken(kind, Balance::NotAsked, &now_open, HOUR - 1);
        assert_nothing(&early);
        let decision = decide_woken(kind, Balance::Now(Some(Cents(56_700))), &now_open, HOUR);
        assert!(is_send(&decision), "{:?}", decision.next);
        assert_eq!(
            row::<DeliveryUpdate>(&decision).status,
            DeliveryStatus::Intended
        );
        assert_eq!(
            !rows::<ConversationUpdate>(&decision).is_empty(),
            kind == DeliveryKind::Auto
        );
    }
}

#[test]
fn what_was_overtaken_while_it_waited_is_not_sent() {
    // The tenant wrote at night: the newer text's draft answers both.
    let newer = Case {
        delivery: Some(held(0)),
        ..case(open(2, 2))
    };
    for (kind, reason) in [
        (DeliveryKind::Auto, "overtaken"),
        (DeliveryKind::Approved, "stale"),
        (DeliveryKind::Modified, "stale"),
    ] {
        let decision = decide_woken(kind, Balance::NotAsked, &newer, HOUR);
        let fact = decision.emitted::<DeliverySuppressed>().expect("the fact");
        assert_eq!(fact.reason, reason, "{kind:?}");
        assert_eq!(row::<DraftUpdate>(&decision).status, "superseded");
    }
    let mut event = woken(DeliveryKind::Approved);
    event.body.reply.override_superseded = true;
    let decision = by_the_hour().decide(&event, &Balance::NotAsked.into(), &newer, after(HOUR));
    assert!(is_send(&decision), "the manager knew of the newer text");
    // One that was on its way when the day ended has closed its turn itself.
    let tried = Case {
        delivery: Some(held(1)),
        ..case(quiet(1))
    };
    let decision = decide_woken(DeliveryKind::Auto, Balance::NotAsked, &tried, HOUR);
    assert!(is_send(&decision), "{:?}", decision.next);
}

#[test]
fn a_changed_balance_is_a_persons() {
    let waiting = Case {
        delivery: Some(held(0)),
        ..case(open(1, 1))
    };
    for balance in [Balance::Now(Some(Cents(1))), Balance::Now(None)] {
        let decision = decide_woken(DeliveryKind::Auto, balance, &waiting, HOUR);
        assert_eq!(
            decision
                .emitted::<DeliverySuppressed>()
                .expect("the fact")
                .reason,
            "balance_changed"
        );
        let raised = decision.emitted::<EscalationRaised>().expect("raised");
        assert!(
            raised.reason.contains("You owe $567.00."),
            "{}",
            raised.reason
        );
        assert_eq!(row::<DraftUpdate>(&decision).status, "escalated");
        let update = testing::update_of(&decision, workflow(1));
        assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    }
    let soon = decide_woken(
        DeliveryKind::Auto,
        Balance::Unavailable,
        &waiting,
        HOUR + 60,
    );
    assert_eq!(waits(&soon), Duration::from_secs(30));
    let late = decide_woken(
        DeliveryKind::Auto,
        Balance::Unavailable,
        &waiting,
        2 * HOUR + 1,
    );
    assert!(
        late.emitted::<EscalationRaised>().is_some(),
        "nobody waits for the Monitor all day"
    );
}

#[test]
fn a_hold_or_an_opt_out_meanwhile_ends_it() {
    for kind in KINDS {
        for (opted_out, holds, reason) in [
            (true, vec![], "opted_out"),
            (false, vec![HoldKind::Bankruptcy], "on_hold"),
        ] {
            let stopped = Case {
                opted_out,
                holds,
                delivery: Some(held(0)),
                ..case(open(1, 1))
            };
            let decision = decide_woken(kind, Balance::NotAsked, &stopped, HOUR);
            let fact = decision.emitted::<DeliverySuppressed>().expect("the fact");
            assert_eq!(fact.reason, reason, "{kind:?}");
            assert!(!fact.rules.is_empty());
            assert_eq!(row::<DraftUpdate>(&decision).status, "suppressed");
            assert_eq!(
                row::<DeliveryUpdate>(&decision).error.as_deref(),
                Some(reason)
            );
            assert_eq!(row::<GateDecision>(&decision).judgement.outcome(), "refuse");
        }
    }
}

#[test]
fn a_rule_against_the_text_gives_it_to_a_person() {
    let mut event = released(DeliveryKind::Auto);
    event.body.reply.text = "We will evict you.".to_owned();
    let decision = stage().decide(
        &event,
        &Balance::NotAsked.into(),
        &case(open(1, 1)),
        after(11),
    );
    assert_eq!(
        decision
            .emitted::<DeliverySuppressed>()
            .expect("the fact")
            .rules,
        ["R18"]
    );
    assert!(decision.emitted::<EscalationRaised>().is_some());
}

#[test]
fn fixed_texts_leave_at_night_and_disturb_no_turn() {
    for kind in [
        DeliveryKind::Confirmation,
        DeliveryKind::Help,
        DeliveryKind::Crisis,
    ] {
        let case = Case {
            opted_out: kind == DeliveryKind::Confirmation,
            ..case(open(3, 3))
        };
        let decision =
            by_the_hour().decide(&released(kind), &Balance::NotAsked.into(), &case, after(11));
        assert!(is_send(&decision), "{kind:?}: {:?}", decision.next);
        assert!(
            rows::<ConversationUpdate>(&decision)
                .iter()
                .all(|room| !room.close_turn),
            "{kind:?}"
        );
        assert_eq!(row::<NewDelivery>(&decision).draft_id, None);
    }
}

#[test]
fn the_workflow_of_an_opt_out_or_a_call_for_help_keeps_its_outcome() {
    let sent = || EffectResult::Sent {
        result: SendResult::Accepted {
            message_id: Some("8".into()),
            twilio_sid: None,
            conversation: None,
        },
        intended_at: after(10),
    };
    let intended = knowing(delivery(DeliveryStatus::Intended, 1, 10));
    for kind in [DeliveryKind::Confirmation, DeliveryKind::Crisis] {
        let decision = conclude(kind, sent(), &intended, after(11));
        assert!(rows::<WorkflowUpdate>(&decision).is_empty(), "{kind:?}");
        assert!(decision.replies.is_empty(), "{kind:?}");
    }
    let decision = conclude(DeliveryKind::Help, sent(), &intended, after(11));
    assert_eq!(
        row::<WorkflowUpdate>(&decision).outcome,
        Some(Outcome::AutoSent)
    );
}

#[test]
fn the_provider_knows_of_an_opt_out_that_we_did_not_hear() {
    let result = || EffectResult::Sent {
        result: SendResult::OptedOut,
        intended_at: after(10),
    };
    for kind in KINDS {
        let decision = conclude(
            kind,
            result(),
            &knowing(delivery(DeliveryStatus::Intended, 1, 10)),
            after(12),
        );
        let consent = row::<ConsentChange>(&decision);
        assert_eq!((consent.opted_out, consent.source), (true, "carrier"));
        assert_eq!(
            decision
                .emitted::<ConsentRevoked>()
                .expect("the fact")
                .source,
            "carrier"
        );
        assert_eq!(
            decision
                .emitted::<DeliverySuppressed>()
                .expect("the fact")
                .reason,
            "opted_out"
        );
        assert!(
            decision.emitted::<EscalationRaised>().is_none(),
            "nothing has failed"
        );
    }
    let known = Case {
        opted_out: true,
        ..knowing(delivery(DeliveryStatus::Intended, 1, 10))
    };
    let decision = conclude(DeliveryKind::Confirmation, result(), &known, after(12));
    assert!(rows::<ConsentChange>(&decision).is_empty(), "known already");
}
