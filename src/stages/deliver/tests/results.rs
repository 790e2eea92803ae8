//! What the agent's answer, or its history, means.

use super::*;

#[test]
fn an_accepted_text_is_sent_whatever_the_workflow_was() {
    let cases = [
        (DeliveryKind::Auto, Outcome::AutoSent),
        (DeliveryKind::Approved, Outcome::ManagerApproved),
        (DeliveryKind::Modified, Outcome::ManagerModified),
    ];
    for (kind, outcome) in cases {
        let decision = conclude(kind, accepted(), &sending(kind, 1), after(12));
        assert_eq!(decision.subjects(), ["reply.sent"]);
        let sent = decision.emitted::<ReplySent>().expect("the fact");
        assert_eq!((sent.delivery_id, sent.kind), (delivery_id(), kind));
        assert_eq!(sent.sms_message_id.as_deref(), Some("8"));
        assert_eq!(sent.twilio_sid.as_deref(), Some("SM8"));
        assert!(!sent.found_in_history);

        let known = row::<DeliveryUpdate>(&decision);
        assert_eq!(known.status, DeliveryStatus::Sent);
        assert_eq!(known.sms_message_id.as_deref(), Some("8"), "claimed");
        let update = row::<WorkflowUpdate>(&decision);
        assert_eq!(update.status, Some(WorkflowStatus::Sent));
        assert_eq!(update.outcome, Some(outcome));
        assert!(update.ended && update.final_result);
        let conversation = row::<ConversationUpdate>(&decision);
        assert_eq!(conversation.last_outbound_at, Some(after(12)));
        assert_eq!(conversation.agent_conversation_id, Some(1));
        assert!(!conversation.close_turn, "a newer turn stays open");
        assert!(matches!(decision.next, Next::Done));
        assert_answered(&decision, kind);
    }
}

#[test]
fn a_success_without_ids_is_a_success() {
    let bare = sent(SendResult::Accepted {
        message_id: None,
        twilio_sid: None,
        conversation: None,
    });
    let case = sending(DeliveryKind::Auto, 1);
    let decision = conclude(DeliveryKind::Auto, bare, &case, after(12));
    let known = row::<DeliveryUpdate>(&decision);
    assert_eq!(known.status, DeliveryStatus::Sent);
}

#[test]
fn a_text_found_in_the_history_was_sent() {
    let case = sending(DeliveryKind::Approved, 1);
    let decision = conclude(DeliveryKind::Approved, found(), &case, after(60));
    let sent = decision.emitted::<ReplySent>().expect("the fact");
    assert!(sent.found_in_history);
    let known = row::<DeliveryUpdate>(&decision);
    assert_eq!(known.status, DeliveryStatus::Sent);
    assert_eq!(known.sms_message_id.as_deref(), Some("9"), "claimed");
}

#[test]
fn what_was_not_sent_is_tried_again_with_growing_pauses() {
    let cases = [
        (1, None, 1),
        (2, None, 2),
        (5, None, 16),
        (6, None, 30),
        (400, None, 30),
        // What the agent asks for counts, within what a message may wait.
        (1, Some(12), 12),
        (5, Some(12), 16),
        (1, Some(3600), 30),
    ];
    for (attempts, asked, seconds) in cases {
        let case = sending(DeliveryKind::Auto, attempts);
        let decision = conclude(DeliveryKind::Auto, not_sent(asked), &case, after(12));
        assert_eq!(waits(&decision).as_secs(), seconds, "{attempts} {asked:?}");
        let known = row::<DeliveryUpdate>(&decision);
        assert_eq!(known.status, DeliveryStatus::Waiting);
        assert_eq!(known.error.as_deref(), Some("answered 503"));
        let update = row::<WorkflowUpdate>(&decision);
        assert_eq!(update.degraded, [Neighbour::SmsAgent]);
        assert_eq!(update.status, None, "still on its way");
        assert!(decision.emits.is_empty());
    }
}

#[test]
fn patience_ends_after_a_day() {
    let case = sending(DeliveryKind::Auto, 90);
    // Counted from the release at second 10.
    let day = 10 + 24 * 3600;
    let at_the_end = conclude(DeliveryKind::Auto, not_sent(None), &case, after(day));
    assert_eq!(waits(&at_the_end), Duration::from_secs(30));
    let over = conclude(DeliveryKind::Auto, not_sent(None), &case, after(day + 1));
    assert_eq!(parked(&over), "attempts_exhausted");
}

#[test]
fn an_unclear_answer_waits_for_a_look_and_nothing_else() {
    for kind in KINDS {
        let decision = conclude(kind, unclear(), &sending(kind, 1), after(14));
        assert_eq!(waits(&decision), Duration::from_secs(32), "35 s in all");
        let known = row::<DeliveryUpdate>(&decision);
        assert_eq!(known.status, DeliveryStatus::Intended, "it may be there");
        assert!(known.permit.is_none(), "the intent's age is the call's");
        assert!(decision.emits.is_empty());
        assert_answered(&decision, kind);
    }
}

#[test]
fn a_text_that_is_not_there_is_sent_again() {
    let case = sending(DeliveryKind::Auto, 1);
    let not_there = looked(LookResult::NotThere);
    let decision = conclude(DeliveryKind::Auto, not_there, &case, after(60));
    assert!(is_send(&decision));
    let intent = row::<DeliveryUpdate>(&decision);
    assert!(intent.permit.is_some());
    assert_eq!(
        (intent.status, intent.at),
        (DeliveryStatus::Intended, after(60))
    );
}

#[test]
fn a_pending_row_is_watched_and_then_a_persons() {
    let pending = || looked(LookResult::Pending);
    let case = sending(DeliveryKind::Auto, 1);
    // The intent is of second 11.
    for now in [60, 11 + 13 * 60] {
        let decision = conclude(DeliveryKind::Auto, pending(), &case, after(now));
        assert_eq!(waits(&decision), Duration::from_secs(30));
        assert!(decision.changes.is_empty());
    }
    let decision = conclude(DeliveryKind::Auto, pending(), &case, after(12 + 13 * 60));
    assert_eq!(parked(&decision), "unknown_outcome");
}

#[test]
fn an_agent_that_cannot_be_asked_is_asked_again_for_a_day() {
    let silent = || looked(LookResult::Unavailable("answered 503".to_owned()));
    let case = sending(DeliveryKind::Auto, 2);
    let decision = conclude(DeliveryKind::Auto, silent(), &case, after(60));
    assert_eq!(waits(&decision), Duration::from_secs(2));
    assert!(decision.changes.is_empty(), "still unclear");
    let day = after(12 + 24 * 3600);
    let decision = conclude(DeliveryKind::Auto, silent(), &case, day);
    assert_eq!(parked(&decision), "unknown_outcome");
}

#[test]
fn who_waits_is_told_after_the_first_attempt_and_not_again() {
    let results: [fn() -> EffectResult; 4] = [
        accepted,
        || not_sent(None),
        unclear,
        || refused("permanent_failure"),
    ];
    for kind in KINDS {
        for result in results {
            let first = conclude(kind, result(), &sending(kind, 1), after(12));
            assert_answered(&first, kind);
            let second = conclude(kind, result(), &sending(kind, 2), after(12));
            assert!(second.replies.is_empty(), "{:?}", second.replies);
        }
    }
}

#[test]
fn who_was_told_after_an_unclear_answer_is_not_told_again() {
    for kind in KINDS {
        let mut case = sending(kind, 1);
        let noted = conclude(kind, unclear(), &case, after(12));
        assert_answered(&noted, kind);
        let error = row::<DeliveryUpdate>(&noted).error.clone();
        if let Some(delivery) = &mut case.delivery {
            delivery.last_error = error;
        }
        assert!(conclude(kind, found(), &case, after(60)).replies.is_empty());
    }
}

#[test]
fn an_answer_to_something_else_is_a_mistake_of_ours() {
    let notified = EffectResult::Notified(crate::neighbours::notifications::Notified::Sent(None));
    let case = sending(DeliveryKind::Auto, 1);
    let decision = conclude(DeliveryKind::Auto, notified, &case, after(12));
    assert_eq!(parked(&decision), "configuration");
}

#[test]
fn a_late_result_does_not_reopen_a_text_whose_fate_is_known() {
    use DeliveryStatus as S;
    for status in [S::Sent, S::Failed, S::Unknown, S::Suppressed] {
        for result in bad_news() {
            let known = knowing(delivery(status, 1, INTENT));
            assert_left_alone(&conclude(DeliveryKind::Auto, result, &known, after(90)));
        }
    }
}

#[test]
fn an_earlier_attempts_result_says_nothing_about_the_present_one() {
    for kind in KINDS {
        for status in [DeliveryStatus::Intended, DeliveryStatus::Waiting] {
            let second = knowing(delivery(status, 2, 60));
            for result in bad_news() {
                assert_left_alone(&conclude(kind, result, &second, after(62)));
            }
        }
    }
}

#[test]
fn a_success_is_true_whichever_attempt_it_was() {
    use DeliveryStatus as S;
    for status in [
        S::Intended,
        S::Waiting,
        S::Failed,
        S::Unknown,
        S::Suppressed,
    ] {
        for result in [accepted(), found()] {
            let second = knowing(delivery(status, 2, 60));
            let decision = conclude(DeliveryKind::Auto, result, &second, after(62));
            assert_eq!(row::<DeliveryUpdate>(&decision).status, S::Sent);
            assert_eq!(decision.subjects(), ["reply.sent"]);
        }
    }
}
