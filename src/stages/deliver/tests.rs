mod attempts;
mod exactly_once;
mod gate;
mod given_up;
mod results;

use super::*;
use crate::domain::{Action, Cents};
use crate::engine::Next;
use crate::events::{DeliverySuppressed, Neighbour, ReplySent};
use crate::stages::testing::{
    self, after, assert_no_row_twice, assert_nothing, case, delivery, delivery_id, draft_id,
    incoming, open, phone, quiet, row, rows, workflow,
};
use crate::store::conversations::ConversationUpdate;
use crate::store::deliveries::Delivery;
use crate::store::deliveries::NewDelivery;
use crate::store::drafts::DraftUpdate;

const KINDS: [DeliveryKind; 3] = [
    DeliveryKind::Auto,
    DeliveryKind::Approved,
    DeliveryKind::Modified,
];

/// 35 s until a missing row means "not sent", 24 h of patience, pauses from 1 s on.
fn stage() -> Deliver {
    Deliver {
        settings: DeliverSettings {
            parallel: 10,
            look_after: TimeDelta::seconds(35),
            give_up_after: TimeDelta::hours(24),
            retry_base: Duration::from_secs(1),
        },
        handover: testing::handover(),
        gate: testing::gate(),
    }
}

/// The reply to text 1 was released at second 10.
fn released(kind: DeliveryKind) -> Event {
    incoming(
        10,
        Release {
            woken: false,
            reply: reply(kind),
        },
    )
}

fn reply(kind: DeliveryKind) -> ReplyApproved {
    ReplyApproved {
        delivery_id: delivery_id(),
        draft_id: (!kind.is_fixed()).then(draft_id),
        workflow_id: workflow(1),
        conversation_id: testing::conversation_id(),
        turn: 1,
        phone_number: phone(),
        tenant_id: Some(testing::tenant_id()),
        text: "You owe $567.00.".to_owned(),
        kind,
        released_by: None,
        newest_known_message: 7,
        override_superseded: false,
        property: None,
        balance: None,
        overridden: None,
        answers_text_of: None,
    }
}

fn knowing(delivery: Delivery) -> Case {
    Case {
        delivery: Some(delivery),
        ..case(quiet(1))
    }
}

/// A manager's text, released and not yet taken up; the manager waits.
fn taken_over_from_decide() -> Delivery {
    Delivery {
        reply_subject: Some(testing::inbox(9)),
        ..delivery(DeliveryStatus::Waiting, 0, 9)
    }
}

fn decide(kind: DeliveryKind, case: &Case, now: DateTime<Utc>) -> Decision {
    let decision = stage().decide(&released(kind), &Balance::NotAsked.into(), case, now);
    assert_no_row_twice(&decision);
    decision
}

fn conclude(kind: DeliveryKind, result: EffectResult, case: &Case, now: DateTime<Utc>) -> Decision {
    let decision = stage().conclude(
        &released(kind),
        &Balance::NotAsked.into(),
        &result,
        case,
        now,
    );
    assert_no_row_twice(&decision);
    decision
}

fn is_send(decision: &Decision) -> bool {
    matches!(&decision.next, Next::Act(effect) if matches!(**effect, Effect::SendText { .. }))
}

fn is_look(decision: &Decision) -> bool {
    matches!(&decision.next, Next::Act(effect) if matches!(**effect, Effect::LookForText { .. }))
}

/// How long the message waits, without anything having failed.
fn waits(decision: &Decision) -> Duration {
    match &decision.next {
        Next::Later {
            after,
            counted: false,
            ..
        } => *after,
        other => panic!("{other:?}"),
    }
}

/// Whoever waits is answered once: the text's caller, or the manager, whose address is in the row.
fn assert_answered(decision: &Decision, kind: DeliveryKind) {
    match (&decision.replies[..], kind) {
        ([Reply::Workflow(id)], DeliveryKind::Auto) => assert_eq!(*id, workflow(1)),
        (
            [
                Reply::Approval {
                    draft,
                    to,
                    already: false,
                    ..
                },
            ],
            DeliveryKind::Approved | DeliveryKind::Modified,
        ) => assert_eq!((*draft, to), (draft_id(), &None)),
        (other, _) => panic!("{other:?}"),
    }
}

/// When the attempt began that the results below are about.
const INTENT: i64 = 11;

/// The agent is being called, for the `attempts`th time.
fn sending(kind: DeliveryKind, attempts: i32) -> Case {
    let waiting = (kind != DeliveryKind::Auto).then(|| testing::inbox(9));
    knowing(Delivery {
        reply_subject: waiting,
        ..delivery(DeliveryStatus::Intended, attempts, INTENT)
    })
}

fn sent(result: SendResult) -> EffectResult {
    EffectResult::Sent {
        result,
        intended_at: after(INTENT),
    }
}

fn looked(result: LookResult) -> EffectResult {
    EffectResult::Looked {
        result,
        intended_at: after(INTENT),
    }
}

fn found() -> EffectResult {
    looked(LookResult::Found {
        message_id: "9".to_owned(),
        twilio_sid: None,
    })
}

/// Everything the agent may say that is no success.
fn bad_news() -> [EffectResult; 7] {
    [
        not_sent(None),
        unclear(),
        refused("permanent_failure"),
        refused("configuration"),
        looked(LookResult::NotThere),
        looked(LookResult::Pending),
        looked(LookResult::Unavailable("answered 503".to_owned())),
    ]
}

/// The same answer, to the attempt that began at `intended`.
fn about(result: EffectResult, intended: DateTime<Utc>) -> EffectResult {
    match result {
        EffectResult::Sent { result, .. } => EffectResult::Sent {
            result,
            intended_at: intended,
        },
        EffectResult::Looked { result, .. } => EffectResult::Looked {
            result,
            intended_at: intended,
        },
        EffectResult::Notified(_) => panic!("not about a text"),
    }
}

/// Nothing is known that was not known before; the message comes again.
fn assert_left_alone(decision: &Decision) {
    assert!(decision.changes.is_empty(), "{:?}", decision.changes);
    assert!(decision.emits.is_empty() && decision.replies.is_empty());
    assert!(waits(decision) < Duration::from_secs(1));
}

fn accepted() -> EffectResult {
    sent(SendResult::Accepted {
        message_id: Some("8".to_owned()),
        twilio_sid: Some("SM8".to_owned()),
        conversation: Some(1),
    })
}

fn not_sent(after: Option<u64>) -> EffectResult {
    sent(SendResult::NotSent {
        after: after.map(Duration::from_secs),
        detail: "answered 503".to_owned(),
    })
}

fn unclear() -> EffectResult {
    sent(SendResult::Unclear("answered 500".to_owned()))
}

fn refused(reason: &'static str) -> EffectResult {
    sent(SendResult::Refused {
        reason,
        detail: "answered 400".to_owned(),
    })
}

fn parked(decision: &Decision) -> &'static str {
    match &decision.next {
        Next::Never { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}
