use super::*;
use crate::domain::{Cents, Outcome, PlanId, Severity};
use crate::events::{EscalationRaised, FoundPlan, ModelEscalation, Neighbour};
use crate::rules::plan::Status;
use crate::rules::routing::Autonomy;
use crate::stages::testing::{
    self, after, assert_no_row_twice, assert_nothing, case, event_id, incoming, open, open_text,
    phone, quiet, reply_drafted, row, rows, score, told, turn, workflow,
};
use crate::store::conversations::{Conversation, ConversationUpdate};
use crate::store::deliveries::NewDelivery;

fn drafted(confidence: f64) -> Event {
    let turn = turn(1, vec![open_text(1, "What do I owe?")]);
    incoming(4, reply_drafted(turn, confidence))
}

fn decide_with(settings: RoutingSettings, conversation: Conversation, event: &Event) -> Decision {
    let stage = Route {
        settings,
        handover: testing::handover(),
        gate: testing::gate(),
    };
    let decision = stage.decide(event, &(), &case(conversation), after(5));
    assert_no_row_twice(&decision);
    decision
}

fn decide(event: &Event) -> Decision {
    decide_with(testing::routing(), open(1, 1), event)
}

fn assert_sent(decision: &Decision) {
    assert_eq!(decision.subjects(), ["reply.approved"]);
}

fn assert_asked(decision: &Decision, reason: RoutingReason) {
    assert_eq!(decision.subjects(), ["approval.requested"]);
    assert_eq!(row::<NewDraft>(decision).routing_reason, Some(reason));
}

#[test]
fn the_score_decides_and_at_both_edges_a_person_sees_it() {
    use RoutingReason::ConfidenceInManualBand as Band;
    for sure in [0.8501, 0.99, 1.0] {
        assert_sent(&decide(&drafted(sure)));
    }
    for middling in [0.85, 0.7, 0.60] {
        assert_asked(&decide(&drafted(middling)), Band);
    }
    for unsure in [0.5999, 0.0] {
        let decision = decide(&drafted(unsure));
        assert_eq!(decision.subjects(), ["escalation.raised"]);
    }
}

#[test]
fn a_sure_draft_goes_to_delivery_as_it_is() {
    let event = drafted(0.95);
    let decision = decide(&event);
    assert_sent(&decision);
    let draft = row::<NewDraft>(&decision);
    assert_eq!((draft.status, draft.routing_reason), ("auto_sent", None));
    assert_eq!(draft.drafted, event.body);
    assert_eq!(draft.expires_at, None);
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.action, Some(Action::AutoSent));
    assert_eq!(update.status, Some(WorkflowStatus::Processing), "not sent");
    assert_eq!(update.confidence, Some(score(0.95)));
    assert_eq!(update.draft, Some(draft.id));

    let approved = decision.emitted::<ReplyApproved>().expect("released");
    assert_eq!(approved.text, event.body.draft.reply);
    assert_eq!((approved.kind, approved.turn), (DeliveryKind::Auto, 1));
    assert_eq!(approved.phone_number, phone());
    assert_eq!(approved.draft_id, Some(draft.id));
    assert_eq!(approved.released_by, None);
    assert_eq!(approved.newest_known_message, 7, "a later row is ours");
    assert!(!approved.override_superseded);
    // The turn stays open until the text leaves; its caller hears from delivery.
    assert!(rows::<ConversationUpdate>(&decision).is_empty());
    assert!(rows::<NewDelivery>(&decision).is_empty());
    assert!(decision.replies.is_empty());
}

#[test]
fn a_middling_draft_waits_for_a_manager_who_is_told_everything() {
    let mut event = drafted(0.7);
    event.body.draft.reply_en = Some("in English".to_owned());
    event.body.turn.texts[0].triggers = vec![EscalationType::Hardship];
    let decision = decide(&event);
    let draft = row::<NewDraft>(&decision);
    assert_eq!(draft.status, "pending");
    assert_eq!(
        draft.expires_at,
        Some(after(5) + chrono::TimeDelta::hours(24))
    );
    assert_eq!(draft.triggers, [EscalationType::Hardship]);
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::AwaitingApproval));
    assert_eq!(update.action, Some(Action::QueuedForApproval));
    assert_eq!(update.confidence, Some(score(0.7)));
    assert_eq!(update.draft, Some(draft.id));

    let asked = decision.emitted::<ApprovalRequested>().expect("asked");
    assert_eq!(asked.response_queue_id, draft.id);
    assert_eq!(asked.workflow_id, workflow(1));
    assert_eq!(asked.tenant_name.as_deref(), Some("Maria Rodriguez"));
    assert_eq!(asked.tenant_message, "What do I owe?");
    assert_eq!(asked.ai_response, event.body.draft.reply);
    assert_eq!(asked.ai_response_en.as_deref(), Some("in English"));
    assert_eq!(asked.confidence_score, score(0.7));
    assert_eq!(Some(asked.expires_at), draft.expires_at);
    assert!(
        rows::<ConversationUpdate>(&decision).is_empty(),
        "still open"
    );
    assert_eq!(told(&decision), [workflow(1)]);
}

#[test]
fn sure_is_not_enough() {
    let sure = || drafted(0.99);
    let plan = |status| {
        let mut event = sure();
        event.body.plan = Some(FoundPlan {
            payment_plan_id: PlanId(event_id(9).row("plan")),
            weekly_amount: Cents(7500),
            weeks: Some(8),
            status,
        });
        event
    };
    let mut degraded = sure();
    degraded.body.facts.degraded = vec![Neighbour::SmsAgent];
    let mut hardship = sure();
    hardship.body.turn.texts[0].triggers = vec![EscalationType::Hardship];
    let cases = [
        (degraded, RoutingReason::DegradedContext),
        (hardship, RoutingReason::Hardship),
        (plan(Status::Invalid), RoutingReason::PlanInvalid),
        (plan(Status::NeedsReview), RoutingReason::PlanNeedsReview),
    ];
    for (event, reason) in cases {
        assert_asked(&decide(&event), reason);
    }
    let cautious = RoutingSettings {
        autonomy: Autonomy::DraftOnly,
        ..testing::routing()
    };
    let decision = decide_with(cautious, open(1, 1), &sure());
    assert_asked(&decision, RoutingReason::Autonomy);
}

#[test]
fn hardship_in_any_text_of_the_turn_counts() {
    let mut first = open_text(1, "I lost my job");
    first.triggers = vec![EscalationType::Hardship];
    let texts = turn(2, vec![first, open_text(2, "can I pay Friday?")]);
    let event = incoming(4, reply_drafted(texts, 0.99));
    let decision = decide_with(testing::routing(), open(2, 2), &event);
    assert_asked(&decision, RoutingReason::Hardship);
}

#[test]
fn an_unsure_draft_is_kept_for_the_person_who_takes_over() {
    let event = drafted(0.4);
    let decision = decide(&event);
    let draft = row::<NewDraft>(&decision);
    assert_eq!((draft.status, draft.expires_at), ("escalated", None));
    assert_eq!(draft.drafted, event.body);
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::LowConfidence);
    assert_eq!(raised.response_queue_id, Some(draft.id));
    assert_eq!(raised.tenant_message.as_deref(), Some("What do I owe?"));
    assert!(raised.reason.contains("40 %"), "{}", raised.reason);
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert_eq!(update.outcome, Some(Outcome::Escalated));
    assert_eq!(update.confidence, Some(score(0.4)));
    assert_eq!(update.draft, Some(draft.id));
    assert!(row::<ConversationUpdate>(&decision).close_turn);
    assert_eq!(told(&decision), [workflow(1)]);
}

#[test]
fn the_model_may_ask_for_a_person_however_sure_it_is() {
    let mut event = drafted(0.99);
    event.body.draft.escalation = Some(ModelEscalation {
        kind: EscalationType::Bankruptcy,
        severity: Severity::High,
        reason: "mentions chapter 7".to_owned(),
    });
    let decision = decide(&event);
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::Bankruptcy);
    assert_eq!(raised.severity, Severity::High);
    assert_eq!(raised.reason, "mentions chapter 7");
}

#[test]
fn after_an_opt_out_nobody_sends_or_reads_a_draft() {
    let stage = Route {
        settings: testing::routing(),
        handover: testing::handover(),
        gate: testing::gate(),
    };
    // Said in another conversation of the number: in this one the turn is still open.
    let silent = Case {
        opted_out: true,
        ..case(open(1, 1))
    };
    for confidence in [0.99, 0.7, 0.1] {
        let decision = stage.decide(&drafted(confidence), &(), &silent, after(5));
        assert_no_row_twice(&decision);
        assert_eq!(decision.subjects(), [""; 0]);
        assert!(rows::<NewDraft>(&decision).is_empty());
        let update = row::<WorkflowUpdate>(&decision);
        assert_eq!(update.id, workflow(1));
        assert_eq!(update.status, Some(WorkflowStatus::Completed));
        assert_eq!(update.action, Some(Action::Suppressed));
        assert_eq!(update.outcome, Some(Outcome::Suppressed));
        assert!(update.ended);
        assert!(row::<ConversationUpdate>(&decision).close_turn);
        assert_eq!(told(&decision), [workflow(1)]);
    }
}

#[test]
fn what_may_be_texted_is_asked_for_the_turns_number() {
    let stage = Route {
        settings: testing::routing(),
        handover: testing::handover(),
        gate: testing::gate(),
    };
    let needs = stage.needs(&drafted(0.99), &());
    assert!(needs.lock);
    assert_eq!(needs.consent, Some((phone(), ConsentUse::Read)));
}

#[test]
fn the_draft_of_a_replaced_or_closed_turn_is_dropped() {
    for conversation in [open(2, 4), quiet(1)] {
        for confidence in [0.99, 0.7, 0.1] {
            let event = drafted(confidence);
            let decision = decide_with(testing::routing(), conversation.clone(), &event);
            assert_nothing(&decision);
        }
    }
}

#[test]
fn the_same_message_again_names_the_same_rows() {
    let ids = |decision: &Decision| {
        let approved = decision.emitted::<ReplyApproved>().expect("released");
        (approved.delivery_id, approved.draft_id)
    };
    let (first, again) = (decide(&drafted(0.95)), decide(&drafted(0.95)));
    assert_eq!(ids(&first), ids(&again));
}
