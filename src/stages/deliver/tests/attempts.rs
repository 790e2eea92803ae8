//! When the agent is called, and when it must not be.

use super::*;

#[test]
fn an_auto_reply_leaves_when_its_intent_is_committed() {
    let decision = decide(DeliveryKind::Auto, &case(open(1, 1)), after(11));
    match decision.next {
        Next::Act(ref effect) => match &**effect {
            Effect::SendText { permit } => {
                assert_eq!((permit.delivery(), permit.to()), (delivery_id(), &phone()));
                assert_eq!(permit.text(), "You owe $567.00.");
                assert_eq!(permit.at(), after(11));
            }
            other => panic!("{other:?}"),
        },
        ref other => panic!("{other:?}"),
    }
    let intent = row::<NewDelivery>(&decision);
    assert_eq!(intent.status, DeliveryStatus::Intended);
    assert_eq!((intent.id, intent.at), (delivery_id(), after(11)));
    assert_eq!(intent.body, "You owe $567.00.", "word for word");
    assert!(row::<ConversationUpdate>(&decision).close_turn);
    assert!(decision.emits.is_empty() && decision.replies.is_empty());
}

#[test]
fn a_managers_reply_is_sent_even_when_the_tenant_wrote_again() {
    for kind in [DeliveryKind::Approved, DeliveryKind::Modified] {
        for conversation in [quiet(1), open(2, 2)] {
            let case = Case {
                delivery: Some(taken_over_from_decide()),
                ..case(conversation)
            };
            let decision = decide(kind, &case, after(11));
            assert!(is_send(&decision), "{:?}", decision.next);
            let intent = row::<DeliveryUpdate>(&decision);
            assert_eq!(intent.status, DeliveryStatus::Intended);
            assert!(intent.permit.is_some());
            // The newer text's turn is not this one's to close.
            assert!(rows::<ConversationUpdate>(&decision).is_empty());
        }
    }
}

#[test]
fn only_an_auto_reply_can_be_overtaken() {
    // Even if its row were lost: the manager's word stands.
    for kind in [DeliveryKind::Approved, DeliveryKind::Modified] {
        let decision = decide(kind, &case(quiet(1)), after(11));
        assert!(is_send(&decision), "{:?}", decision.next);
        assert_eq!(row::<NewDelivery>(&decision).kind, kind);
    }
}

#[test]
fn an_overtaken_auto_reply_is_not_sent() {
    // A newer text took the turn over, or an opt-out or a crisis closed it.
    for conversation in [open(2, 2), quiet(1), quiet(2)] {
        let decision = decide(DeliveryKind::Auto, &case(conversation), after(11));
        assert_eq!(decision.subjects(), ["delivery.suppressed"]);
        let fact = decision.emitted::<DeliverySuppressed>().expect("the fact");
        assert_eq!(fact.reason, "overtaken");
        let kept = row::<NewDelivery>(&decision);
        assert_eq!(kept.status, DeliveryStatus::Suppressed);
        assert_eq!(row::<DraftUpdate>(&decision).status, "superseded");
        // Its workflow has ended as merged, or otherwise.
        assert!(rows::<WorkflowUpdate>(&decision).is_empty());
        assert!(matches!(decision.next, Next::Done));
    }
}

#[test]
fn after_an_opt_out_nothing_is_sent_whoever_released_it() {
    for kind in KINDS {
        let known = match kind {
            DeliveryKind::Auto => None,
            _ => Some(taken_over_from_decide()),
        };
        for conversation in [open(1, 1), open(2, 2), quiet(1)] {
            let case = Case {
                opted_out: true,
                delivery: known.clone(),
                // Not even to wait for another text's end.
                other_in_flight: true,
                ..case(conversation)
            };
            let decision = decide(kind, &case, after(11));
            assert_eq!(decision.subjects(), ["delivery.suppressed"]);
            let fact = decision.emitted::<DeliverySuppressed>().expect("the fact");
            assert_eq!(fact.reason, "opted_out");
            let draft = row::<DraftUpdate>(&decision);
            assert_eq!((draft.id, draft.status), (draft_id(), "suppressed"));
            let update = row::<WorkflowUpdate>(&decision);
            assert_eq!(update.status, Some(WorkflowStatus::Completed));
            assert_eq!(update.action, Some(Action::Suppressed));
            assert_eq!(update.outcome, Some(Outcome::Suppressed));
            let status = match known {
                None => row::<NewDelivery>(&decision).status,
                Some(_) => row::<DeliveryUpdate>(&decision).status,
            };
            assert_eq!(status, DeliveryStatus::Suppressed);
            assert!(matches!(decision.next, Next::Done));
            assert_answered(&decision, kind);
        }
    }
}

#[test]
fn an_opt_out_between_two_tries_ends_the_tries() {
    for kind in KINDS {
        let case = Case {
            opted_out: true,
            ..knowing(delivery(DeliveryStatus::Waiting, 3, 40))
        };
        let decision = decide(kind, &case, after(60));
        assert_eq!(decision.subjects(), ["delivery.suppressed"]);
        assert!(matches!(decision.next, Next::Done));
        assert!(decision.replies.is_empty(), "answered after the first try");
    }
}

#[test]
fn an_opt_out_while_we_looked_ends_the_tries() {
    for kind in KINDS {
        let case = Case {
            opted_out: true,
            ..knowing(delivery(DeliveryStatus::Intended, 1, 11))
        };
        let not_there = looked(LookResult::NotThere);
        let decision = conclude(kind, not_there, &case, after(60));
        assert!(!is_send(&decision), "a text after STOP");
        let update = row::<DeliveryUpdate>(&decision);
        assert_eq!(update.status, DeliveryStatus::Suppressed);
        assert_eq!(decision.subjects(), ["delivery.suppressed"]);
        assert_answered(&decision, kind);
    }
}

#[test]
fn an_opt_out_does_not_hide_what_became_of_a_text_under_way() {
    let case = Case {
        opted_out: true,
        ..knowing(delivery(DeliveryStatus::Intended, 1, 11))
    };
    assert!(is_look(&decide(DeliveryKind::Auto, &case, after(46))));
}

#[test]
fn texts_of_a_conversation_go_one_after_the_other() {
    for kind in KINDS {
        let known = match kind {
            DeliveryKind::Auto => None,
            _ => Some(taken_over_from_decide()),
        };
        let case = Case {
            delivery: known,
            other_in_flight: true,
            ..case(open(1, 1))
        };
        let decision = decide(kind, &case, after(11));
        assert!(waits(&decision) < Duration::from_secs(1));
        assert!(decision.changes.is_empty(), "no intent without the call");
    }
}

#[test]
fn a_redelivery_lets_a_fresh_intent_be_and_looks_at_an_old_one() {
    for kind in KINDS {
        for attempts in [1, 4] {
            let intended = knowing(delivery(DeliveryStatus::Intended, attempts, 100));
            for (now, wait) in [(100, 35), (101, 34), (134, 1)] {
                let decision = decide(kind, &intended, after(now));
                assert_eq!(waits(&decision), Duration::from_secs(wait));
                assert!(decision.changes.is_empty());
            }
            for now in [135, 136, 9000] {
                let decision = decide(kind, &intended, after(now));
                assert!(is_look(&decision), "{:?}", decision.next);
                assert!(decision.changes.is_empty(), "looking changes nothing");
            }
        }
    }
}

#[test]
fn looking_is_for_this_text_among_rows_that_can_be_ours() {
    let case = Case {
        claimed: vec!["12".to_owned()],
        ..knowing(delivery(DeliveryStatus::Intended, 1, 11))
    };
    let decision = decide(DeliveryKind::Auto, &case, after(60));
    let Next::Act(effect) = decision.next else {
        panic!("{:?}", decision.next)
    };
    match *effect {
        Effect::LookForText {
            to,
            body,
            newer_than,
            claimed,
            intended_at,
        } => {
            assert_eq!((to, body.as_str()), (phone(), "You owe $567.00."));
            assert_eq!((newer_than, claimed), (7, vec!["12".to_owned()]));
            assert_eq!(intended_at, after(11), "the attempt it is about");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_whose_fate_is_known_is_left_alone() {
    use DeliveryStatus as S;
    for status in [S::Sent, S::Failed, S::Unknown, S::Suppressed] {
        for kind in KINDS {
            for opted_out in [false, true] {
                let case = Case {
                    opted_out,
                    delivery: Some(delivery(status, 1, 11)),
                    ..case(open(1, 1))
                };
                assert_nothing(&decide(kind, &case, after(9000)));
            }
        }
    }
}

#[test]
fn a_text_certainly_not_sent_is_sent_again() {
    for kind in KINDS {
        let waiting = knowing(delivery(DeliveryStatus::Waiting, 2, 40));
        let decision = decide(kind, &waiting, after(50));
        assert!(is_send(&decision), "{:?}", decision.next);
        let intent = row::<DeliveryUpdate>(&decision);
        assert!(intent.permit.is_some() && intent.at == after(50));
        assert_eq!(intent.status, DeliveryStatus::Intended);
    }
}

#[test]
fn the_send_is_decided_under_the_locks_an_opt_out_takes() {
    let needs = stage().needs(&released(DeliveryKind::Auto), &Balance::NotAsked.into());
    assert!(needs.lock);
    assert_eq!(needs.consent, Some((phone(), ConsentUse::HoldToSend)));
    assert_eq!(needs.delivery, Some(delivery_id()));
}

/// What is known while the agent is left alone for so long.
fn left_alone(seconds: u64) -> Found {
    Found {
        refused: Some(Duration::from_secs(seconds)),
        ..Found::default()
    }
}

#[test]
fn while_the_agent_is_left_alone_texts_wait_without_an_intent() {
    for kind in KINDS {
        let at = |case: &Case, seconds| {
            let decision = stage().decide(&released(kind), &left_alone(12), case, after(seconds));
            assert_no_row_twice(&decision);
            decision
        };
        let first = at(&case(open(1, 1)), 11);
        assert!((12..=13).contains(&waits(&first).as_secs()));
        let row = rows::<NewDelivery>(&first);
        assert_eq!(row[0].status, DeliveryStatus::Waiting);
        assert!(row[0].permit.is_none(), "nothing was attempted");
        assert!(
            rows::<ConversationUpdate>(&first).is_empty(),
            "the turn stays open: it has not left"
        );
        assert_answered(&first, kind);

        let known = Delivery {
            last_error: Some("the SMS Agent is left alone".to_owned()),
            ..delivery(DeliveryStatus::Waiting, 0, 11)
        };
        let waiting = Case {
            delivery: Some(known),
            ..case(open(1, 1))
        };
        let again = at(&waiting, 40);
        assert!(
            again.changes.is_empty() && again.replies.is_empty(),
            "written and said once"
        );
        let late = at(&case(open(1, 1)), 11 + 25 * 3600);
        assert!(matches!(
            late.next,
            Next::Never {
                reason: "attempts_exhausted",
                ..
            }
        ));
    }
}

#[test]
fn an_agent_that_is_left_alone_stops_no_refusal_and_no_look() {
    let opted_out = Case {
        opted_out: true,
        ..case(open(1, 1))
    };
    let event = released(DeliveryKind::Auto);
    let decision = stage().decide(&event, &left_alone(12), &opted_out, after(11));
    assert!(matches!(decision.next, Next::Done), "suppressed at once");
    let unclear = knowing(delivery(DeliveryStatus::Intended, 1, 11));
    let decision = stage().decide(&event, &left_alone(12), &unclear, after(60));
    assert!(is_look(&decision), "reading has a circuit of its own");
    let looked = EffectResult::Looked {
        result: LookResult::NotThere,
        intended_at: after(11),
    };
    let decision = stage().conclude(&event, &left_alone(12), &looked, &unclear, after(60));
    assert!((12..=13).contains(&waits(&decision).as_secs()));
}

#[test]
fn a_text_that_is_never_there_is_not_tried_for_ever() {
    let event = released(DeliveryKind::Auto);
    let looked = EffectResult::Looked {
        result: LookResult::NotThere,
        intended_at: after(11),
    };
    let unclear = knowing(delivery(DeliveryStatus::Intended, 1, 11));
    let found = Found::default();
    let soon = stage().conclude(&event, &found, &looked, &unclear, after(60));
    assert!(is_send(&soon));
    let late = stage().conclude(&event, &found, &looked, &unclear, after(25 * 3600));
    assert!(matches!(late.next, Next::Never { .. }));
}
