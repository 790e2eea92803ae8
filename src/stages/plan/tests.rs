use super::*;
use crate::domain::{Cents, ConversationId, TenantId};
use crate::events::PlanDetected;
use crate::stages::testing::{
    self, after, assert_no_row_twice, event_id, inbox, incoming, planning, row, rows, workflow,
};
use crate::store::plans::PlanSeen;

fn asked(message: &str) -> PlanRequested {
    PlanRequested {
        conversation_id: ConversationId::parse("conv_abc123").expect("an id"),
        tenant_id: TenantId::parse("tenant_12345").expect("an id"),
        message_content: message.to_owned(),
        ai_response: None,
        weekly_amount: None,
        weeks: None,
        start_date: None,
        confidence: None,
        workflow_id: None,
        tenant_context: None,
    }
}

fn found(asked: &PlanRequested, tenant: Option<TenantContext>) -> Found {
    let today = planning().today(after(0));
    Found {
        plan: plan::resolve(
            &asked.explicit(),
            &asked.message_content,
            asked.ai_response.as_deref(),
            today,
        ),
        tenant,
        degraded: false,
        workflow: None,
    }
}

/// A tenant who owes $550 and broke no plan.
fn tenant() -> TenantContext {
    TenantContext {
        tenant_portion: Some(Cents::from_dollars(550)),
        failed_payment_plans: 0,
        ..testing::tenant()
    }
}

fn decide(asked: PlanRequested, found: &Found, case: &Case) -> Decision {
    let stage = Plan {
        planning: planning(),
    };
    let decision = stage.decide(&incoming(3, asked), found, case, after(5));
    assert_no_row_twice(&decision);
    decision
}

fn body(decision: &Decision) -> Value {
    match &decision.replies[..] {
        [
            Reply::Ready {
                to,
                status: 200,
                body,
            },
        ] if *to == inbox(3) => body.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_plan_is_stored_said_and_answered() {
    let asked = asked("I can do 70 a week for 8 weeks");
    let found = found(&asked, Some(tenant()));
    let decision = decide(asked, &found, &Case::default());
    assert_eq!(decision.subjects(), ["payment_plan.detected"]);
    let said: PlanDetected = decision.emitted().expect("the event");
    assert_eq!(row::<PlanSeen>(&decision).detected, said);
    let body = body(&decision);
    assert_eq!(body["status"], "validated");
    assert_eq!(body["payment_plan_id"], json!(said.payment_plan_id));
    let details = &body["validation_details"];
    assert_eq!(details["total_amount"], 560.0);
    assert_eq!(details["payable_total"], 550.0);
    assert_eq!(details["coverage_percent"], 101.8);
    assert_eq!(body["schedule"].as_array().map(Vec::len), Some(8));
    assert_eq!(body["schedule"][7]["amount"], 60.0);
}

#[test]
fn an_unknown_conversation_gets_a_workflow_that_is_done() {
    let asked = asked("I can do 70 a week for 8 weeks");
    let found = found(&asked, None);
    let decision = decide(asked, &found, &Case::default());
    let new: &NewWorkflow = row(&decision);
    assert_eq!(new.kind, WorkflowType::PaymentPlanValidation);
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!(update.status, Some(WorkflowStatus::Completed));
    assert_eq!(update.id, new.id);
    assert!(update.plan.is_some());
}

#[test]
fn a_known_conversation_keeps_its_own_workflow() {
    let asked = asked("I can do 70 a week for 8 weeks");
    let found = Found {
        workflow: Some(workflow(1)),
        ..found(&asked, None)
    };
    let decision = decide(asked, &found, &Case::default());
    assert!(rows::<NewWorkflow>(&decision).is_empty());
    let update: &WorkflowUpdate = row(&decision);
    assert_eq!((update.id, update.status), (workflow(1), None));
    assert_eq!(body(&decision)["workflow_id"], json!(workflow(1)));
}

#[test]
fn the_same_plan_keeps_its_id_and_is_said_once() {
    let first = PlanId(event_id(9).row("plan"));
    let asked = asked("I can do 70 a week for 8 weeks");
    let found = found(&asked, Some(tenant()));
    let case = Case {
        same_plan: Some(first),
        ..Case::default()
    };
    let decision = decide(asked, &found, &case);
    assert_eq!(decision.subjects(), [""; 0]);
    assert_eq!(body(&decision)["payment_plan_id"], json!(first));
    // Judged anew all the same.
    assert_eq!(row::<PlanSeen>(&decision).detected.payment_plan_id, first);
}

#[test]
fn a_bad_plan_is_an_answer_and_no_error() {
    let asked = asked("I can pay 10 a week for 20 weeks");
    let found = found(&asked, Some(tenant()));
    let body = body(&decide(asked, &found, &Case::default()));
    assert_eq!(body["success"], true);
    assert_eq!(body["status"], "invalid");
    assert_eq!(
        body["validation_details"]["issue_codes"],
        json!([
            "AMOUNT_BELOW_MINIMUM",
            "DURATION_ABOVE_MAXIMUM",
            "DOES_NOT_COVER_DEBT"
        ])
    );
    assert!(
        !body["counter_offers"]
            .as_array()
            .expect("offers")
            .is_empty()
    );
}

#[test]
fn no_plan_is_an_answer_too() {
    let asked = asked("when is rent due?");
    let found = found(&asked, None);
    let decision = decide(asked, &found, &Case::default());
    assert_eq!(decision.subjects(), [""; 0]);
    assert!(rows::<PlanSeen>(&decision).is_empty());
    let body = body(&decision);
    assert_eq!(body["success"], false);
    assert_eq!(body["status"], "not_detected");
    assert_eq!(body["payment_plan_id"], Value::Null);
}

#[test]
fn contradicting_sources_want_a_person() {
    let asked = PlanRequested {
        weekly_amount: Some(Cents::from_dollars(100)),
        weeks: Some(8),
        confidence: Some(0.99),
        ..asked("I can do 70 a week for 8 weeks")
    };
    let found = found(&asked, Some(tenant()));
    let body = body(&decide(asked, &found, &Case::default()));
    assert_eq!(body["status"], "needs_review");
    assert_eq!(body["payment_plan"]["weekly_amount"], 100.0);
    assert_eq!(
        body["validation_details"]["issue_codes"],
        json!(["CONFLICTING_SOURCES"])
    );
}

#[test]
fn without_the_monitor_there_is_a_verdict_without_the_debt() {
    let asked = asked("I can do 70 a week for 8 weeks");
    let found = Found {
        degraded: true,
        ..found(&asked, None)
    };
    let body = body(&decide(asked, &found, &Case::default()));
    assert_eq!(body["validation_details"]["covers_debt"], Value::Null);
    assert_eq!(body["degraded"], json!(["collections_monitor"]));
}
