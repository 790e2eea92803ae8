use super::*;
use crate::domain::{Action, Cents, Severity, StepStatus};
use crate::events::{EscalationRaised, ModelEscalation, PlanDetected};
use crate::neighbours::model::{ModelError, Understood, Unusable};
use crate::rules::plan::Status;
use crate::rules::routing::{Doubts, Route, route};
use crate::stages::testing::{
    self, after, assert_no_row_twice, assert_nothing, case, facts, incoming, open, open_text,
    quiet, row, score, told, turn, workflow,
};
use crate::store::conversations::{Conversation, ConversationUpdate};
use crate::store::plans::PlanSeen;

fn stage() -> Draft {
    Draft {
        settings: DraftSettings {
            prompt: PromptSettings::default(),
            checks: testing::checks(),
            parallel: 4,
        },
        planning: testing::planning(),
        handover: testing::handover(),
    }
}

fn ready() -> Event {
    incoming(
        3,
        TurnReady {
            turn: turn(1, vec![open_text(1, "What do I owe?")]),
            facts: facts(),
        },
    )
}

fn completion(reply: &str, rating: Option<f64>) -> Completion {
    Completion {
        understood: Understood {
            reply: reply.to_owned(),
            language: Some("en".to_owned()),
            rating: rating.map(score),
            reply_en: Some("in English".to_owned()),
            intent: Some("question".to_owned()),
            payment_plan: None,
            escalation: None,
        },
        model: "gpt-4-turbo-2024".to_owned(),
    }
}

/// An answer, or none, after two that were paid for.
fn answered(answer: Result<Completion, ModelError>) -> Answered {
    let bill = Bill {
        answers: 2,
        tokens: Some((400, 60)),
        cost_micro_usd: Some(5_800),
    };
    Answered { answer, bill }
}

fn decide_in(conversation: Conversation, answer: Result<Completion, ModelError>) -> Decision {
    let stage = stage();
    let today = stage.planning.today(after(6));
    let found = Found::of(
        answered(answer),
        &ready().body,
        &stage.settings,
        today,
        after(4),
    );
    let decision = stage.decide(&ready(), &found, &case(conversation), after(6));
    assert_no_row_twice(&decision);
    decision
}

fn decide(answer: Result<Completion, ModelError>) -> Decision {
    decide_in(open(1, 1), answer)
}

/// Nothing of the answer is used; a person has the tenant's text and no draft.
fn assert_without_draft(decision: &Decision) {
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::AiUnavailable);
    assert_eq!(raised.severity, Severity::High);
    assert_eq!(raised.tenant_message.as_deref(), Some("What do I owe?"));
    assert_eq!(raised.tenant_name.as_deref(), Some("Maria Rodriguez"));
    assert_eq!(raised.response_queue_id, None);
    let update = row::<WorkflowUpdate>(decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert_eq!(update.action, Some(Action::Escalated));
    assert_eq!(update.degraded, [Neighbour::Openai]);
    assert_eq!(update.draft, None);
    assert!(row::<ConversationUpdate>(decision).close_turn);
    assert_eq!(told(decision), [workflow(1)]);
}

#[test]
fn a_usable_answer_becomes_a_draft_word_for_word() {
    let mut answer = completion("You owe $567.00.", Some(0.95));
    answer.understood.escalation = Some(ModelEscalation {
        kind: EscalationType::LegalThreat,
        severity: Severity::High,
        reason: "sounds serious".to_owned(),
    });
    let decision = decide(Ok(answer.clone()));
    assert_eq!(decision.subjects(), ["reply.drafted"]);
    let drafted = decision.emitted::<ReplyDrafted>().expect("a draft");
    assert_eq!(drafted.turn, ready().body.turn);
    assert_eq!(drafted.facts, ready().body.facts);
    let expected = DraftedReply {
        reply: "You owe $567.00.".to_owned(),
        language: Some("en".to_owned()),
        confidence: score(0.95),
        rated: true,
        reply_en: Some("in English".to_owned()),
        intent: Some("question".to_owned()),
        payment_plan: answer.understood.payment_plan,
        escalation: answer.understood.escalation,
        model: "gpt-4-turbo-2024".to_owned(),
        prompt_version: prompt::VERSION.to_owned(),
        tokens: Some((400, 60)),
        rating: Some(score(0.95)),
        checks: drafted.draft.checks.clone(),
        cost_micro_usd: Some(5_800),
    };
    assert!(expected.checks.iter().all(|check| check.passed));
    assert!(expected.checks.len() > 15);
    assert_eq!(drafted.draft, expected);
    assert!(decision.replies.is_empty(), "nothing is decided yet");
}

#[test]
fn a_plan_the_model_understood_is_judged_stored_and_said() {
    let mut answer = completion("Thank you.", Some(0.95));
    answer.understood.payment_plan = Some(PlanOffer {
        weekly_amount: Cents(7500),
        weeks: Some(8),
        ..PlanOffer::default()
    });
    let decision = decide(Ok(answer));
    assert_eq!(
        decision.subjects(),
        ["payment_plan.detected", "reply.drafted"]
    );
    let said = decision.emitted::<PlanDetected>().expect("a plan");
    assert_eq!(row::<PlanSeen>(&decision).detected, said);
    // She broke a plan before.
    assert_eq!(said.status, Status::NeedsReview);
    let drafted = decision.emitted::<ReplyDrafted>().expect("a draft");
    let plan = drafted.plan.expect("the plan");
    assert_eq!(plan.payment_plan_id, said.payment_plan_id);
    assert_eq!(plan.status, said.status);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(update.plan, Some(said.payment_plan_id));
}

#[test]
fn a_plan_in_the_tenants_text_is_not_lost_with_the_model() {
    let mut event = ready();
    event.body.turn.texts[0].plan = Some(PlanOffer {
        weekly_amount: Cents(7500),
        weeks: Some(8),
        ..PlanOffer::default()
    });
    let stage = stage();
    let today = stage.planning.today(after(6));
    let found = Found::of(
        answered(Err(transient())),
        &event.body,
        &stage.settings,
        today,
        after(4),
    );
    let decision = stage.decide(&event, &found, &case(open(1, 1)), after(6));
    assert_eq!(
        decision.subjects(),
        ["payment_plan.detected", "escalation.raised"]
    );
    let said = decision.emitted::<PlanDetected>().expect("a plan");
    assert_eq!(
        row::<WorkflowUpdate>(&decision).plan,
        Some(said.payment_plan_id)
    );
}

#[test]
fn an_invented_amount_never_goes_out_unread() {
    let decision = decide(Ok(completion("You owe $576.00.", Some(0.99))));
    let draft = decision.emitted::<ReplyDrafted>().expect("a draft").draft;
    assert_eq!(draft.rating, Some(score(0.99)));
    assert_eq!(draft.confidence, score(0.60));
    let failed: Vec<&str> = draft
        .checks
        .iter()
        .filter(|c| !c.passed)
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(failed, ["amounts"]);
    let settings = testing::routing();
    assert!(matches!(
        route(&draft, Doubts::default(), &settings),
        Route::Ask(_)
    ));
}

#[test]
fn a_forbidden_topic_goes_to_a_person() {
    let answer = completion("You owe $567.00 and the marshal will visit.", Some(0.99));
    let draft = decide(Ok(answer))
        .emitted::<ReplyDrafted>()
        .expect("a draft")
        .draft;
    let settings = testing::routing();
    assert!(matches!(
        route(&draft, Doubts::default(), &settings),
        Route::HandOver { .. }
    ));
}

fn transient() -> ModelError {
    ModelError::Transient {
        detail: "answered 503".to_owned(),
        retry_after: None,
    }
}

#[test]
fn without_a_usable_answer_a_person_gets_the_text() {
    let errors = [
        transient(),
        ModelError::Permanent("no key is configured".to_owned()),
        ModelError::Unusable(Unusable::CutOff),
        ModelError::Unusable(Unusable::Refused),
        ModelError::Unusable(Unusable::BadRating),
    ];
    for error in errors {
        assert_without_draft(&decide(Err(error)));
    }
}

#[test]
fn what_was_paid_is_kept_also_when_nothing_came_of_it() {
    let answers = [
        Ok(completion("You owe $567.00.", Some(0.95))),
        Ok(completion(&"a".repeat(1601), Some(0.95))),
        Err(ModelError::Unusable(Unusable::CutOff)),
    ];
    for answer in answers {
        let decision = decide(answer);
        let steps = testing::rows::<Step>(&decision);
        let drafted = steps
            .iter()
            .find(|s| s.name == StepName::AiResponseGenerated);
        let paid = drafted.and_then(|s| s.data.as_ref()).expect("facts");
        assert_eq!(paid["cost_micro_usd"], 5_800);
        assert_eq!(paid["tokens"], json!([400, 60]));
        assert_eq!(paid["answers"], 2);
    }
}

#[test]
fn a_reply_too_long_for_a_text_is_not_used() {
    // Characters, not bytes: the agent counts those.
    let longest = decide(Ok(completion(&"é".repeat(1600), Some(0.95))));
    assert_eq!(longest.subjects(), ["reply.drafted"]);
    assert_without_draft(&decide(Ok(completion(&"é".repeat(1601), Some(0.95)))));
}

#[test]
fn an_answer_without_a_rating_is_seen_by_a_manager() {
    let decision = decide(Ok(completion("Hi", None)));
    let drafted = decision.emitted::<ReplyDrafted>().expect("a draft");
    let settings = testing::routing();
    assert!(drafted.draft.confidence >= settings.approval_from);
    assert!(matches!(
        route(&drafted.draft, Doubts::default(), &settings),
        Route::Ask(_)
    ));
}

#[test]
fn an_answer_without_a_rating_is_seen_by_a_manager_whatever_the_threshold() {
    let decision = decide(Ok(completion("Hi", None)));
    let drafted = decision.emitted::<ReplyDrafted>().expect("a draft");
    assert!(!drafted.draft.rated);
    let bold = crate::rules::routing::RoutingSettings {
        auto_above: score(0.7),
        ..testing::routing()
    };
    assert!(matches!(
        route(&drafted.draft, Doubts::default(), &bold),
        Route::Ask(_)
    ));
}

#[test]
fn a_rating_of_nothing_stays_nothing() {
    let drafted = decide(Ok(completion("Hi", Some(0.0)))).emitted::<ReplyDrafted>();
    assert_eq!(drafted.expect("a draft").draft.confidence, score(0.0));
}

#[test]
fn the_draft_of_a_replaced_or_closed_turn_is_dropped() {
    for conversation in [open(2, 4), quiet(1)] {
        for answer in [Ok(completion("Hi", Some(0.95))), Err(transient())] {
            let mut decision = decide_in(conversation.clone(), answer);
            let step = row::<Step>(&decision);
            assert_eq!(step.status, StepStatus::Skipped);
            let paid = step.data.as_ref().expect("facts");
            assert_eq!(paid["cost_micro_usd"], 5_800, "overtaken, but paid for");
            decision.changes.clear();
            assert_nothing(&decision);
        }
    }
}

#[test]
fn a_turn_that_is_given_up_is_closed_only_while_its_workflow_carries_it() {
    let mut event = ready();
    event.envelope.workflow = Some(workflow(1));
    let decision = stage().give_up(&event, "attempts_exhausted", after(9));
    assert_eq!(decision.subjects(), ["workflow.failed"]);
    let failed = row::<WorkflowUpdate>(&decision);
    assert_eq!(failed.id, workflow(1));
    assert_eq!(failed.status, Some(WorkflowStatus::Failed));
    let closed = row::<ConversationUpdate>(&decision);
    assert!(closed.close_turn && closed.open_turn.is_none());
    // The message may be hours old, and the open turn a newer text's.
    assert_eq!(closed.only_if_carried_by, Some(workflow(1)));
}

#[test]
fn what_began_no_workflow_closes_nothing_when_it_is_given_up() {
    assert_nothing(&stage().give_up(&ready(), "attempts_exhausted", after(9)));
}

#[test]
fn without_a_model_nothing_is_drafted_and_nobody_is_bothered() {
    use crate::domain::HoldKind;
    let found = Found::without_a_model(after(4));
    let held = Case {
        holds: vec![HoldKind::Manual],
        ..case(open(1, 1))
    };
    let decision = stage().decide(&ready(), &found, &held, after(6));
    assert!(decision.emits.is_empty(), "{:?}", decision.subjects());
    assert_eq!(
        row::<WorkflowUpdate>(&decision).action,
        Some(Action::Suppressed)
    );
    assert_eq!(told(&decision), [workflow(1)]);
    // Lifted between the look and the decision: the message comes again, and then a model is asked.
    let lifted = stage().decide(&ready(), &found, &case(open(1, 1)), after(6));
    assert!(lifted.changes.is_empty() && lifted.emits.is_empty());
    assert!(matches!(lifted.next, crate::engine::Next::Later { .. }));
}
