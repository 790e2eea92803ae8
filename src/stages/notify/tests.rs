use super::*;
use crate::domain::{
    DeadLetterId, DraftId, EscalationId, EscalationType, RoutingReason, Severity, StepStatus,
};
use crate::engine::Next;
use crate::neighbours::notifications::Notification;
use crate::stages::testing::{
    self, NUMBER, after, case, draft_id, incoming, open, row, rows, score, workflow,
};
use crate::store::conversations::ConversationUpdate;
use crate::store::workflows::WorkflowUpdate;

fn approval() -> Notifiable {
    Notifiable::Approval(Box::new(ApprovalRequested {
        response_queue_id: draft_id(),
        workflow_id: workflow(1),
        conversation_id: testing::conversation_id(),
        tenant_id: Some(testing::tenant_id()),
        tenant_name: Some("Maria Rodriguez".to_owned()),
        tenant_message: "¿Cuánto debo?".to_owned(),
        ai_response: "Debe $567.00.".to_owned(),
        ai_response_en: Some("You owe $567.00.".to_owned()),
        confidence_score: score(0.72),
        routing_reason: RoutingReason::DegradedContext,
        degraded: Vec::new(),
        plan: None,
        expires_at: after(24 * 3600),
    }))
}

fn escalation(kind: EscalationType) -> Notifiable {
    Notifiable::Escalation(Box::new(EscalationRaised {
        escalation_id: EscalationId(uuid::Uuid::from_u128(0xE5C)),
        workflow_id: workflow(1),
        conversation_id: testing::conversation_id(),
        tenant_id: Some(testing::tenant_id()),
        tenant_name: Some("Maria Rodriguez".to_owned()),
        escalation_type: kind,
        severity: kind.default_severity(),
        reason: kind.default_reason().to_owned(),
        auto_detected: true,
        tenant_message: Some("I will sue you".to_owned()),
        response_queue_id: None::<DraftId>,
        raised_at: after(5),
    }))
}

fn failure() -> Notifiable {
    Notifiable::Failure(WorkflowFailed {
        workflow_id: workflow(1),
        conversation_id: testing::conversation_id(),
        stage: "draft".to_owned(),
        reason: "attempts_exhausted".to_owned(),
        dead_letter_id: DeadLetterId(uuid::Uuid::from_u128(0xDEAD)),
    })
}

fn told(what: Notifiable) -> Notification {
    let decision = Notify.decide(
        &incoming(6, what),
        &Found::default(),
        &case(open(1, 1)),
        after(6),
    );
    assert!(decision.changes.is_empty() && decision.emits.is_empty());
    match decision.next {
        Next::Act(effect) => match *effect {
            Effect::Notify(notification) => notification,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn conclude(event: &Told, result: Notified, now: DateTime<Utc>) -> Decision {
    let result = EffectResult::Notified(result);
    Notify.conclude(event, &Found::default(), &result, &case(open(1, 1)), now)
}

#[test]
fn a_manager_can_decide_by_the_message_alone() {
    let message = told(approval());
    assert_eq!(message.kind, "approval_required");
    assert_eq!(message.severity, Severity::Medium, "the service's normal");
    assert!(message.subject.contains("Maria Rodriguez"));
    for needed in [
        "Maria Rodriguez wrote",
        "¿Cuánto debo?",
        "Debe $567.00.",
        "You owe $567.00.",
        "72 %",
        "degraded context",
        "2026-03-03 12:00 UTC",
        &draft_id().to_string(),
        "/orchestrate/approve-response",
    ] {
        assert!(message.body.contains(needed), "{needed}: {}", message.body);
    }
}

#[test]
fn a_person_who_takes_over_knows_who_what_and_how_soon() {
    let message = told(escalation(EscalationType::LegalThreat));
    assert_eq!(message.kind, "escalation");
    assert_eq!(message.severity, Severity::High);
    assert_eq!(message.subject, "[high] Maria Rodriguez: legal threat");
    let id = EscalationId(uuid::Uuid::from_u128(0xE5C)).to_string();
    for needed in ["threatens legal action", "I will sue you", id.as_str()] {
        assert!(message.body.contains(needed), "{needed}: {}", message.body);
    }
    let danger = told(escalation(EscalationType::SelfHarm));
    assert_eq!(danger.severity, Severity::Critical);
    assert!(danger.body.contains("call Maria Rodriguez now"));
}

#[test]
fn a_failure_says_where_the_text_is_kept() {
    let message = told(failure());
    assert_eq!(message.kind, "workflow_failed");
    assert_eq!(message.severity, Severity::High);
    let letter = DeadLetterId(uuid::Uuid::from_u128(0xDEAD)).to_string();
    for needed in ["conv_20481", "draft", letter.as_str()] {
        assert!(message.body.contains(needed), "{needed}: {}", message.body);
    }
}

#[test]
fn a_stranger_is_named_by_the_conversation() {
    let Notifiable::Escalation(mut raised) = escalation(EscalationType::UnknownTenant) else {
        panic!("an escalation")
    };
    raised.tenant_name = None;
    let message = told(Notifiable::Escalation(raised));
    assert_eq!(message.subject, "[medium] conv_20481: unknown tenant");
}

#[test]
fn the_ids_are_for_machines_and_nothing_names_the_number() {
    let cases = [
        (approval(), "approval_required", Some("response_queue_id")),
        (
            escalation(EscalationType::Manual),
            "escalation",
            Some("escalation_id"),
        ),
        (failure(), "workflow_failed", None),
    ];
    for (what, kind, own) in cases {
        let message = told(what);
        let all = format!("{message:?}");
        assert!(
            !all.contains(NUMBER) && !all.contains(&NUMBER[2..]),
            "{all}"
        );
        let mut keys: Vec<&str> = message.metadata.iter().map(|(key, _)| *key).collect();
        assert_eq!(message.metadata[0], ("event", kind.to_owned()));
        assert_eq!(message.correlation_id, "correlation-6");
        let mut expected = vec!["event", "workflow_id", "conversation_id", "correlation_id"];
        expected.extend(own);
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }
}

#[test]
fn nobody_is_asked_to_text_whom_we_may_not_text() {
    for kind in [EscalationType::OptOut, EscalationType::WrongNumber] {
        let body = told(escalation(kind)).body;
        assert!(!body.contains("Please answer"), "{kind}: {body}");
    }
}

#[test]
fn a_text_that_may_have_arrived_is_not_called_unsent() {
    let body = told(escalation(EscalationType::DeliveryFailed)).body;
    assert!(!body.contains("Nothing was sent"), "{body}");
}

#[test]
fn what_the_service_took_is_noted_once() {
    for tracking in [Some("t-1".to_owned()), None] {
        let event = incoming(6, approval());
        let decision = conclude(&event, Notified::Sent(tracking.clone()), after(7));
        let sent = row::<SentNotification>(&decision);
        assert_eq!(sent.about, event.envelope.id);
        assert_eq!(
            (sent.workflow_id, sent.kind),
            (workflow(1), "approval_required")
        );
        assert_eq!(sent.tracking_id, tracking);
        assert_eq!(decision.subjects(), ["notification.sent"]);
        let fact = decision.emitted::<NotificationSent>().expect("the fact");
        assert_eq!((fact.about, fact.tracking_id), (sent.about, tracking));
        assert_eq!(row::<Step>(&decision).status, StepStatus::Completed);
        assert!(matches!(decision.next, Next::Done));
    }
}

#[test]
fn what_may_work_later_is_tried_again_with_growing_pauses() {
    let later = |after: Option<u64>| Notified::Later {
        after: after.map(Duration::from_secs),
        detail: "answered 503".to_owned(),
        absent: false,
    };
    let cases = [
        (1, None, 1),
        (2, None, 2),
        (5, None, 16),
        (6, None, 30),
        (500, None, 30),
        // The service knows better, but not to be asked sooner.
        (1, Some(20), 20),
        (6, Some(20), 30),
        (1, Some(3600), 60),
    ];
    for (delivered, asked, seconds) in cases {
        let mut event = incoming(6, approval());
        event.envelope.delivered = delivered;
        // However old: only a missing service is given up by age.
        let decision = conclude(&event, later(asked), after(3000));
        assert!(decision.changes.is_empty() && decision.emits.is_empty());
        match decision.next {
            Next::Later {
                after,
                counted: true,
                ..
            } => {
                assert_eq!(
                    after.as_secs(),
                    seconds,
                    "delivery {delivered}, asked {asked:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn while_the_service_is_left_alone_nothing_is_used_up() {
    let event = incoming(6, approval());
    let refused = Some(Duration::from_secs(40));
    let waiting = Notify.decide(&event, &Found { refused }, &case(open(1, 1)), after(6));
    let after_all = Notified::NotAsked {
        after: Duration::from_secs(40),
    };
    for decision in [waiting, conclude(&event, after_all, after(7))] {
        assert!(decision.changes.is_empty() && decision.emits.is_empty());
        match decision.next {
            Next::Later {
                after,
                counted: false,
                ..
            } => assert!((40..=41).contains(&after.as_secs()), "{after:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_missing_service_is_being_deployed_for_ten_minutes() {
    let absent = || Notified::Later {
        after: None,
        detail: "answered 404".to_owned(),
        absent: true,
    };
    let event = incoming(6, approval());
    let at = |minutes: i64, seconds: i64| after(6 + 60 * minutes + seconds);
    let early = conclude(&event, absent(), at(10, 0));
    assert!(matches!(early.next, Next::Later { counted: true, .. }));
    let late = conclude(&event, absent(), at(10, 1));
    assert!(matches!(
        late.next,
        Next::Never {
            reason: "permanent_failure",
            ..
        }
    ));
}

#[test]
fn what_is_refused_for_good_is_parked_at_once() {
    for reason in ["permanent_failure", "configuration"] {
        let refused = Notified::Refused {
            reason,
            detail: "answered 422".to_owned(),
        };
        let decision = conclude(&incoming(6, approval()), refused, after(7));
        assert!(decision.changes.is_empty());
        match decision.next {
            Next::Never {
                reason: why,
                detail,
            } => {
                assert_eq!((why, detail.as_str()), (reason, "answered 422"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_lost_notification_leaves_the_text_alone() {
    for what in [approval(), escalation(EscalationType::SelfHarm), failure()] {
        let decision = Notify.give_up(&incoming(6, what), "attempts_exhausted", after(9));
        let step = row::<Step>(&decision);
        assert_eq!(step.status, StepStatus::Failed);
        assert_eq!(step.workflow_id, workflow(1));
        assert_eq!(decision.changes.len(), 1);
        assert!(rows::<WorkflowUpdate>(&decision).is_empty());
        assert!(rows::<ConversationUpdate>(&decision).is_empty());
        // No event either: telling that nobody can be told would never end.
        assert!(decision.emits.is_empty() && decision.replies.is_empty());
    }
}

#[test]
fn what_is_read_is_what_was_written() {
    let Notifiable::Approval(asked) = approval() else {
        panic!("an approval")
    };
    let body = serde_json::to_vec(&asked).expect("json");
    let received = Received {
        at: after(0),
        idempotency_key: None,
    };
    let read = Notifiable::decode(ApprovalRequested::SUBJECT, &body, received).expect("read");
    assert!(matches!(read, Notifiable::Approval(again) if again == asked));
    assert!(Notifiable::decode("reply.sent", &body, received).is_err());
}
