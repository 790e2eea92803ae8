//! Texts that a person gets, because they will not be sent or nobody knows.

use super::*;
use crate::events::EscalationRaised;

/// A person has it: the tenant may not have the text, or may have it.
fn assert_given_to_a_person(decision: &Decision, status: DeliveryStatus, reason: &str) {
    assert_eq!(
        decision.subjects(),
        ["escalation.raised", "delivery.failed"]
    );
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::DeliveryFailed);
    assert_eq!(raised.severity, crate::domain::Severity::High);
    assert_eq!(raised.response_queue_id, Some(draft_id()));
    let failed = decision.emitted::<DeliveryFailed>().expect("the fact");
    assert_eq!(
        (failed.delivery_id, failed.reason.as_str()),
        (delivery_id(), reason)
    );
    assert_eq!(row::<DeliveryUpdate>(decision).status, status);
    let update = row::<WorkflowUpdate>(decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert_eq!(update.outcome, Some(Outcome::Escalated));
    assert_eq!(update.escalation, Some(raised.escalation_id));
    // A newer turn goes on.
    assert!(rows::<ConversationUpdate>(decision).is_empty());
    // The manager's answer finds the escalation by the delivery alone.
    let by_delivery = EventId(delivery_id().0).row("escalation");
    assert_eq!(raised.escalation_id.0, by_delivery);
}

#[test]
fn a_text_refused_for_good_is_a_persons_at_once() {
    for kind in KINDS {
        let refused = refused("permanent_failure");
        let decision = conclude(kind, refused, &sending(kind, 1), after(12));
        assert_given_to_a_person(&decision, DeliveryStatus::Failed, "permanent_failure");
        assert!(matches!(decision.next, Next::Done));
        assert_answered(&decision, kind);
    }
}

#[test]
fn an_agent_set_up_wrongly_is_not_tried_again() {
    let case = sending(DeliveryKind::Auto, 1);
    let decision = conclude(
        DeliveryKind::Auto,
        refused("configuration"),
        &case,
        after(12),
    );
    assert_eq!(parked(&decision), "configuration");
}

#[test]
fn what_is_given_up_is_a_persons() {
    let cases = [
        ("unknown_outcome", DeliveryStatus::Unknown),
        ("attempts_exhausted", DeliveryStatus::Failed),
        ("configuration", DeliveryStatus::Failed),
        ("permanent_failure", DeliveryStatus::Failed),
    ];
    for (reason, status) in cases {
        for kind in KINDS {
            let decision = stage().give_up(&released(kind), reason, after(12));
            assert_no_row_twice(&decision);
            assert_given_to_a_person(&decision, status, reason);
            assert_answered(&decision, kind);
        }
    }
}

#[test]
fn a_person_learns_what_the_text_was_and_whether_it_may_have_arrived() {
    let unknown = "It is not known whether this text reached the tenant";
    let undelivered = "This text could not be delivered";
    let cases = [
        ("unknown_outcome", unknown, undelivered),
        ("attempts_exhausted", undelivered, unknown),
        ("configuration", undelivered, unknown),
        ("permanent_failure", undelivered, unknown),
    ];
    for (reason, said, unsaid) in cases {
        let event = released(DeliveryKind::Auto);
        let decision = stage().give_up(&event, reason, after(12));
        let raised = decision.emitted::<EscalationRaised>().expect("raised");
        assert!(raised.reason.contains(said), "{}", raised.reason);
        assert!(!raised.reason.contains(unsaid), "{}", raised.reason);
        assert!(raised.reason.contains("You owe $567.00."), "word for word");
    }
}

#[test]
fn who_waits_is_told_also_when_the_agent_is_set_up_wrongly() {
    for kind in KINDS {
        let refused = refused("configuration");
        let decision = conclude(kind, refused, &sending(kind, 1), after(12));
        let given_up = stage().give_up(&released(kind), "configuration", after(12));
        assert_answered(&decision.and(given_up), kind);
    }
}
