use super::*;
use crate::domain::{Action, Cents, HistoryEntry, Outcome, PlanOffer, Severity, StepStatus};
use crate::events::{EscalationRaised, PlanDetected};
use crate::rules::plan::Status;
use crate::stages::testing::{
    self, after, assert_no_row_twice, assert_nothing, case, incoming, open, open_text, quiet, row,
    rows, told, turn, workflow,
};
use crate::store::conversations::{Conversation, ConversationUpdate};

fn stage(autonomy: Autonomy) -> Context {
    Context {
        routing: RoutingSettings {
            autonomy,
            ..testing::routing()
        },
        planning: testing::planning(),
        handover: testing::handover(),
    }
}

fn found(tenant: TenantAnswer, history: Result<History, String>) -> Found {
    Found {
        tenant,
        history,
        began: after(2),
    }
}

fn known() -> TenantAnswer {
    TenantAnswer::Found(Box::new(testing::tenant()))
}

fn unavailable() -> TenantAnswer {
    TenantAnswer::Unavailable("collections_monitor: answered 503".to_owned())
}

fn history() -> Result<History, String> {
    Ok(History {
        tenant_id: None,
        messages: vec![HistoryEntry {
            id: 7,
            outbound: true,
            content: "Rent is due.".to_owned(),
            at: None,
            delivery_status: None,
        }],
        newest_id: 9,
    })
}

fn silent() -> Result<History, String> {
    Err("sms_agent: answered 503".to_owned())
}

/// Turn 1: one text, in which the reader found `triggers`.
fn opened(triggers: &[EscalationType]) -> Event {
    let mut text = open_text(1, "hi");
    text.triggers = triggers.to_vec();
    incoming(
        2,
        TurnOpened {
            turn: turn(1, vec![text]),
        },
    )
}

fn decide_in(
    conversation: Conversation,
    autonomy: Autonomy,
    event: &Event,
    found: &Found,
) -> Decision {
    let decision = stage(autonomy).decide(event, found, &case(conversation), after(3));
    assert_no_row_twice(&decision);
    decision
}

fn decide(event: &Event, found: &Found) -> Decision {
    decide_in(open(1, 1), Autonomy::Auto, event, found)
}

/// A person has the text, the turn is closed, and no model is asked.
fn assert_handed_over(decision: &Decision, kind: EscalationType, severity: Severity) {
    assert_eq!(decision.subjects(), ["escalation.raised"]);
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!((raised.escalation_type, raised.severity), (kind, severity));
    assert_eq!(raised.workflow_id, workflow(1));
    assert_eq!(raised.tenant_message.as_deref(), Some("hi"));
    let update = row::<WorkflowUpdate>(decision);
    assert_eq!(update.status, Some(WorkflowStatus::Escalated));
    assert_eq!(update.action, Some(Action::Escalated));
    assert_eq!(update.outcome, Some(Outcome::Escalated));
    assert_eq!(update.escalation, Some(raised.escalation_id));
    assert!(row::<ConversationUpdate>(decision).close_turn);
    assert_eq!(told(decision), [workflow(1)]);
}

#[test]
fn a_known_tenants_text_is_ready_for_a_draft() {
    let decision = decide(&opened(&[]), &found(known(), history()));
    assert_eq!(decision.subjects(), ["turn.ready"]);
    let ready = decision.emitted::<TurnReady>().expect("ready");
    assert_eq!(ready.turn, opened(&[]).body.turn);
    assert_eq!(ready.facts.tenant, Some(testing::tenant()));
    assert_eq!(ready.facts.history, history().expect("known").messages);
    assert_eq!(ready.facts.newest_known_message, 9);
    assert_eq!(ready.facts.degraded, []);
    assert!(
        rows::<ConversationUpdate>(&decision).is_empty(),
        "still open"
    );
    assert!(decision.replies.is_empty());
}

#[test]
fn a_tenant_found_by_number_is_noted_and_handed_on() {
    let mut event = opened(&[]);
    event.body.turn.tenant_id = None;
    let decision = decide(&event, &found(known(), history()));
    let ready = decision.emitted::<TurnReady>().expect("ready");
    assert_eq!(ready.turn.tenant_id, Some(testing::tenant_id()));
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.tenant, Some(testing::tenant_id()));
}

#[test]
fn what_could_not_be_asked_is_named_and_the_draft_goes_on() {
    use Neighbour::{CollectionsMonitor, SmsAgent};
    let cases = [
        (unavailable(), history(), vec![CollectionsMonitor]),
        (known(), silent(), vec![SmsAgent]),
        (unavailable(), silent(), vec![CollectionsMonitor, SmsAgent]),
    ];
    for (tenant, history, missing) in cases {
        let decision = decide(&opened(&[]), &found(tenant, history.clone()));
        let ready = decision.emitted::<TurnReady>().expect("ready");
        assert_eq!(ready.facts.degraded, missing);
        assert_eq!(row::<WorkflowUpdate>(&decision).degraded, missing);
        assert_eq!(
            ready.facts.tenant.is_none(),
            missing.contains(&CollectionsMonitor)
        );
        // The sender's own word stands while nobody can contradict it.
        assert_eq!(ready.turn.tenant_id, Some(testing::tenant_id()));
        let failed = rows::<Step>(&decision)
            .into_iter()
            .filter(|step| step.status == StepStatus::Failed)
            .count();
        assert_eq!(failed, missing.len(), "the audit trail says so too");
    }
}

#[test]
fn nobody_answers_a_stranger_unread() {
    for history in [history(), silent()] {
        let decision = decide(&opened(&[]), &found(TenantAnswer::Unknown, history));
        assert_handed_over(&decision, EscalationType::UnknownTenant, Severity::Medium);
    }
}

#[test]
fn a_stranger_is_an_answer_and_not_a_missing_neighbour() {
    let cases = [(history(), vec![]), (silent(), vec![Neighbour::SmsAgent])];
    for (history, missing) in cases {
        let decision = decide(&opened(&[]), &found(TenantAnswer::Unknown, history));
        assert_eq!(row::<WorkflowUpdate>(&decision).degraded, missing);
    }
}

#[test]
fn what_belongs_to_a_person_goes_to_a_person() {
    use EscalationType as T;
    let cases = [
        (vec![T::HostileLanguage], T::HostileLanguage, Severity::High),
        (vec![T::LegalThreat], T::LegalThreat, Severity::High),
        (
            vec![T::AttorneyRepresented],
            T::AttorneyRepresented,
            Severity::High,
        ),
        (vec![T::PaymentDispute], T::PaymentDispute, Severity::Medium),
        (
            vec![T::SupervisorRequest],
            T::SupervisorRequest,
            Severity::Medium,
        ),
        (vec![T::Bankruptcy], T::Bankruptcy, Severity::High),
        (vec![T::WrongNumber], T::WrongNumber, Severity::Medium),
        (
            vec![T::MediaOrRegulatorThreat],
            T::MediaOrRegulatorThreat,
            Severity::High,
        ),
        (
            vec![T::UnrealisticProposal],
            T::UnrealisticProposal,
            Severity::Medium,
        ),
        // The most urgent one names it.
        (
            vec![T::PaymentDispute, T::LegalThreat],
            T::LegalThreat,
            Severity::High,
        ),
    ];
    for (triggers, kind, severity) in cases {
        let event = opened(&triggers);
        // What the text says matters more than who wrote it or what the mode is.
        for tenant in [known(), TenantAnswer::Unknown, unavailable()] {
            for mode in [Autonomy::Auto, Autonomy::Off] {
                let found = found(tenant.clone(), history());
                let decision = decide_in(open(1, 1), mode, &event, &found);
                assert_handed_over(&decision, kind, severity);
            }
        }
    }
}

#[test]
fn a_plan_outside_the_rules_reaches_the_person_with_its_verdict() {
    let mut event = opened(&[EscalationType::UnrealisticProposal]);
    event.body.turn.texts[0].plan = Some(PlanOffer {
        weekly_amount: Cents(1000),
        weeks: Some(8),
        ..PlanOffer::default()
    });
    let decision = decide(&event, &found(known(), history()));
    assert_eq!(
        decision.subjects(),
        ["payment_plan.detected", "escalation.raised"]
    );
    let said = decision.emitted::<PlanDetected>().expect("a plan");
    assert_eq!(said.status, Status::Invalid);
    assert!(
        !said.finding.counter_offers.is_empty(),
        "something to offer"
    );
    let update = row::<WorkflowUpdate>(&decision);
    assert_eq!(update.plan, Some(said.payment_plan_id));
}

#[test]
fn hardship_and_a_call_for_help_are_drafted() {
    for trigger in [EscalationType::Hardship, EscalationType::HelpRequest] {
        let decision = decide(&opened(&[trigger]), &found(known(), history()));
        assert_eq!(decision.subjects(), ["turn.ready"], "{trigger}");
    }
}

#[test]
fn a_trigger_in_an_earlier_text_of_the_turn_counts() {
    let mut first = open_text(1, "I will sue you");
    first.triggers = vec![EscalationType::LegalThreat];
    let texts = vec![first, open_text(4, "well?")];
    let event = incoming(
        5,
        TurnOpened {
            turn: turn(2, texts),
        },
    );
    let decision = decide_in(
        open(2, 4),
        Autonomy::Auto,
        &event,
        &found(known(), history()),
    );
    let raised = decision.emitted::<EscalationRaised>().expect("raised");
    assert_eq!(raised.escalation_type, EscalationType::LegalThreat);
    assert_eq!(raised.workflow_id, workflow(4));
    let said = raised.tenant_message.as_deref();
    assert_eq!(said, Some("I will sue you\nwell?"));
    assert_eq!(raised.tenant_name.as_deref(), Some("Maria Rodriguez"));
}

#[test]
fn with_drafting_switched_off_a_person_answers_everything() {
    let decision = decide_in(
        open(1, 1),
        Autonomy::Off,
        &opened(&[]),
        &found(known(), history()),
    );
    assert_handed_over(&decision, EscalationType::Manual, Severity::Medium);
    let stranger = found(TenantAnswer::Unknown, history());
    let decision = decide_in(open(1, 1), Autonomy::Off, &opened(&[]), &stranger);
    assert_handed_over(&decision, EscalationType::UnknownTenant, Severity::Medium);
    let decision = decide_in(
        open(1, 1),
        Autonomy::DraftOnly,
        &opened(&[]),
        &found(known(), history()),
    );
    assert_eq!(decision.subjects(), ["turn.ready"]);
}

#[test]
fn a_replaced_or_closed_turn_is_left_alone() {
    let threat = opened(&[EscalationType::LegalThreat]);
    for conversation in [open(2, 4), quiet(1)] {
        for event in [&opened(&[]), &threat] {
            let found = found(known(), history());
            let decision = decide_in(conversation.clone(), Autonomy::Auto, event, &found);
            assert_nothing(&decision);
        }
    }
}

#[test]
fn the_answer_about_a_handed_over_text_names_missing_neighbours() {
    let threat = opened(&[EscalationType::LegalThreat]);
    let decision = decide(&threat, &found(unavailable(), silent()));
    assert_eq!(
        row::<WorkflowUpdate>(&decision).degraded,
        [Neighbour::CollectionsMonitor, Neighbour::SmsAgent]
    );
}

#[test]
fn a_number_that_was_stopped_meanwhile_is_not_prepared_for_a_model() {
    use crate::domain::HoldKind;
    for (opted_out, holds) in [(true, vec![]), (false, vec![HoldKind::Manual])] {
        let stopped = Case {
            opted_out,
            holds,
            ..case(open(1, 1))
        };
        let event = opened(&[]);
        let found = found(known(), history());
        let needs = stage(Autonomy::Auto).needs(&event, &found);
        assert_eq!(needs.consent, Some((testing::phone(), ConsentUse::Read)));
        assert_eq!(needs.tenant, Some(testing::tenant_id()));
        let decision = stage(Autonomy::Auto).decide(&event, &found, &stopped, after(3));
        assert!(decision.emits.is_empty(), "{:?}", decision.subjects());
        let update = row::<WorkflowUpdate>(&decision);
        assert_eq!(
            (update.action, update.outcome, update.ended),
            (Some(Action::Suppressed), Some(Outcome::Suppressed), true)
        );
        assert!(row::<ConversationUpdate>(&decision).close_turn);
        assert_eq!(told(&decision), [workflow(1)]);
        // What a person has to read is a person's all the same.
        let for_a_person = opened(&[EscalationType::AttorneyRepresented]);
        let decision = stage(Autonomy::Auto).decide(&for_a_person, &found, &stopped, after(3));
        assert_eq!(decision.subjects(), ["escalation.raised"]);
    }
}

#[test]
fn nothing_is_planned_on_a_contested_or_stayed_debt() {
    let offering = |trigger| {
        let mut event = opened(&[trigger]);
        for text in &mut event.body.turn.texts {
            text.plan = Some(PlanOffer {
                weekly_amount: Cents(7_500),
                weeks: Some(8),
                ..PlanOffer::default()
            });
        }
        event
    };
    let planned = |trigger| {
        let decision = decide(&offering(trigger), &found(known(), history()));
        assert!(
            decision.emitted::<EscalationRaised>().is_some(),
            "{trigger:?}"
        );
        decision.emitted::<PlanDetected>().is_some()
    };
    assert!(!planned(EscalationType::Bankruptcy));
    assert!(!planned(EscalationType::PaymentDispute));
    assert!(
        planned(EscalationType::SupervisorRequest),
        "else it is noted"
    );
}
