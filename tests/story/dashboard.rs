//! What readers of the database find: the architecture's tables and the views of schema `dashboard`.

use orchestrator::domain::{EscalationType, Severity, WorkflowStatus};
use serde_json::{Value, json};
use sqlx::Row;

use crate::world::{World, sms};

/// The architecture's tables. `conversation_id` is text instead of uuid (conflicts C5), tenants and
/// phones may be unknown (C28) and so may be null; everything else is as named there.
const TABLES: &[(&str, &[(&str, &str)])] = &[
    (
        "orchestration_workflows",
        &[
            ("id", "uuid"),
            ("conversation_id", "text"),
            ("workflow_type", "varchar"),
            ("status", "varchar"),
            ("tenant_id", "varchar"),
            ("phone_number", "varchar"),
            ("started_at", "timestamptz"),
            ("completed_at", "timestamptz"),
            ("last_message_at", "timestamptz"),
            ("error_message", "text"),
            ("metadata", "jsonb"),
            ("created_at", "timestamptz"),
            ("updated_at", "timestamptz"),
        ],
    ),
    (
        "ai_response_queue",
        &[
            ("id", "uuid"),
            ("workflow_id", "uuid"),
            ("conversation_id", "text"),
            ("tenant_message", "text"),
            ("ai_response", "text"),
            ("confidence_score", "numeric"),
            ("status", "varchar"),
            ("approval_action", "varchar"),
            ("modified_response", "text"),
            ("actioned_by", "varchar"),
            ("actioned_at", "timestamptz"),
            ("created_at", "timestamptz"),
            ("updated_at", "timestamptz"),
        ],
    ),
    (
        "approval_audit_log",
        &[
            ("id", "uuid"),
            ("response_queue_id", "uuid"),
            ("action", "varchar"),
            ("original_response", "text"),
            ("final_response", "text"),
            ("reason", "text"),
            ("approved_by", "varchar"),
            ("created_at", "timestamptz"),
        ],
    ),
    (
        "payment_plan_attempts",
        &[
            ("id", "uuid"),
            ("workflow_id", "uuid"),
            ("conversation_id", "text"),
            ("extracted_from", "varchar"),
            ("weekly_amount", "numeric"),
            ("duration_weeks", "int4"),
            ("start_date", "date"),
            ("validation_result", "jsonb"),
            ("status", "varchar"),
            ("created_at", "timestamptz"),
        ],
    ),
    (
        "escalation_events",
        &[
            ("id", "uuid"),
            ("workflow_id", "uuid"),
            ("conversation_id", "text"),
            ("escalation_type", "varchar"),
            ("severity", "varchar"),
            ("reason", "text"),
            ("auto_detected", "bool"),
            ("handled_by", "varchar"),
            ("resolved_at", "timestamptz"),
            ("created_at", "timestamptz"),
        ],
    ),
    (
        "workflow_steps",
        &[
            ("id", "uuid"),
            ("workflow_id", "uuid"),
            ("step_name", "varchar"),
            ("step_type", "varchar"),
            ("status", "varchar"),
            ("input_data", "jsonb"),
            ("output_data", "jsonb"),
            ("error_details", "jsonb"),
            ("started_at", "timestamptz"),
            ("completed_at", "timestamptz"),
            ("duration_ms", "int4"),
        ],
    ),
];

/// The columns some reader asks for, by view.
const VIEWS: &[(&str, &str)] = &[
    (
        "payment_plans",
        "id, tenant_id, conversation_id, weekly_amount, duration, total_amount, start_date, \
         includes_late_fees, status, coverage, created_at, collections_queue_id, \
         number_of_payments, ai_proposed, ai_confidence_score",
    ),
    (
        "escalations",
        "id, tenant_id, conversation_id, type, priority, description, status, created_at, resolved_at",
    ),
    (
        "escalated_items",
        "id, conversation_id, escalation_reason, priority, status, assigned_to, created_at, tenant_id",
    ),
    (
        "ai_response_queue",
        "id, conversation_id, tenant_message, ai_response, confidence_score, confidence, status, \
         manager_action, approval_action, modified_response, actioned_by, actioned_at, created_at, \
         tenant_id",
    ),
    (
        "workflow_instances",
        "id, conversation_id, workflow_type, status, dashboard_status, current_step, tenant_id, \
         ai_confidence, escalation_triggered, last_message_at, last_updated, created_at",
    ),
];

/// The newest row of a view, with exactly the columns its readers name.
async fn newest(world: &World, view: &str) -> Value {
    let (_, columns) = VIEWS.iter().find(|(name, _)| *name == view).unwrap();
    let sql = format!(
        "select to_jsonb(r) from (select {columns} from dashboard.{view}) r order by created_at desc limit 1"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&world.db)
        .await
        .unwrap_or_else(|e| panic!("{view}: {e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_have_the_architectures_columns() {
    let world = World::start().await;
    let rows = sqlx::query(
        "select table_name::text, column_name::text, udt_name::text from information_schema.columns
         where table_schema = 'public'",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    let found: Vec<(String, String, String)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    for (table, columns) in TABLES {
        for (column, kind) in *columns {
            let has = found
                .iter()
                .find(|(t, c, _)| t == table && c == column)
                .map(|(_, _, kind)| kind.as_str());
            assert_eq!(has, Some(*kind), "{table}.{column}");
        }
    }
    for other in ["sms_conversations", "sms_messages"] {
        let ours = found.iter().any(|(table, _, _)| table == other);
        assert!(!ours, "{other} belongs to the SMS Agent");
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_read_in_the_words_of_both_readers() {
    let world = World::start().await;
    let mut body = sms(
        "c1",
        "I can pay $80 a week for 12 weeks starting 2031-01-03 [confidence=0.95]",
    );
    body["tenant_id"] = json!("12346");
    let (_, answer) = world.post("/orchestrate/sms-received", &body).await;
    assert!(answer["payment_plan_id"].is_string(), "{answer}");
    let invalid = json!({"conversation_id": "c2", "tenant_id": "12346", "message_content": "x",
        "weekly_amount": 5, "weeks": 4, "tenant_context": {}});
    let (_, answer) = world
        .post("/orchestrate/payment-plan-detected", &invalid)
        .await;
    assert_eq!(answer["status"], "invalid", "{answer}");
    let asked = json!({"conversation_id": "c3", "tenant_id": "12346", "message_content": "please",
        "weekly_amount": 80, "weeks": 12, "confidence": 0.9});
    let (_, answer) = world
        .post("/orchestrate/payment-plan-detected", &asked)
        .await;
    assert_eq!(answer["status"], "validated", "{answer}");
    let plan = newest(&world, "payment_plans").await;
    assert_eq!(plan["conversation_id"], "c3");
    assert_eq!(plan["tenant_id"], "12346");
    assert_eq!(plan["weekly_amount"], json!(80.00));
    assert_eq!(
        (&plan["duration"], &plan["number_of_payments"]),
        (&json!(12), &json!(12))
    );
    assert_eq!(plan["total_amount"], json!(960.00));
    assert_eq!(plan["status"], "proposed");
    // $960 of $912.50.
    assert_eq!(plan["coverage"], json!(105));
    assert_eq!(plan["ai_proposed"], json!(false));
    assert_eq!(plan["ai_confidence_score"], json!(0.9));
    assert_eq!(plan["includes_late_fees"], json!(false));
    let shown = "select count(*) from dashboard.payment_plans where conversation_id = 'c2'";
    assert_eq!(world.count(shown).await, 0, "an invalid plan is not shown");
    for (status, word) in [
        ("needs_review", "proposed"),
        ("approved", "approved"),
        ("rejected", "denied"),
        ("cancelled", "denied"),
        ("active", "active"),
        ("completed", "completed"),
    ] {
        sqlx::query("update payment_plan_attempts set status = $1, start_date = '2031-01-03'")
            .bind(status)
            .execute(&world.db)
            .await
            .unwrap();
        let plan = newest(&world, "payment_plans").await;
        assert_eq!(plan["status"], word, "{status}");
        assert_eq!(plan["start_date"], "2031-01-03");
    }
    world.settle().await;
    let texts = world.texts_to("c1").len();
    world.finish(texts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decided_draft_and_its_workflow_are_read() {
    let world = World::start().await;
    let answer = world.text("c1", "What do I owe? [confidence=0.785]").await;
    let draft = newest(&world, "ai_response_queue").await;
    assert_eq!(draft["id"], answer["response_queue_id"]);
    assert_eq!(draft["status"], "pending");
    assert_eq!(draft["confidence_score"], json!(0.785));
    assert_eq!(draft["confidence"], json!(79));
    assert_eq!(draft["manager_action"], Value::Null);
    let decision = json!({"response_queue_id": answer["response_queue_id"], "action": "modify",
        "modified_text": "You owe $567.00.", "manager_id": "m1"});
    let (status, decided) = world.post("/orchestrate/approve-response", &decision).await;
    assert_eq!(status, 200, "{decided}");
    world.until_status("c1", "sent").await;
    let draft = newest(&world, "ai_response_queue").await;
    assert_eq!(draft["manager_action"], draft["approval_action"]);
    assert_eq!(draft["manager_action"], "modify");
    let text = draft["modified_response"].as_str().unwrap();
    assert!(text.starts_with("You owe $567.00."), "{text}");
    assert_eq!(draft["actioned_by"], "m1");
    let workflow = newest(&world, "workflow_instances").await;
    assert_eq!(workflow["conversation_id"], "c1");
    assert_eq!(workflow["status"], "sent");
    assert_eq!(workflow["escalation_triggered"], json!(false));
    for status in [
        WorkflowStatus::Received,
        WorkflowStatus::Processing,
        WorkflowStatus::AwaitingApproval,
        WorkflowStatus::Sent,
        WorkflowStatus::Escalated,
        WorkflowStatus::Completed,
        WorkflowStatus::Failed,
    ] {
        // Last `sent` again, or the world would say that something is stuck.
        sqlx::query("update orchestration_workflows set status = $1")
            .bind(status.as_str())
            .execute(&world.db)
            .await
            .unwrap();
        let workflow = newest(&world, "workflow_instances").await;
        assert_eq!(workflow["dashboard_status"], status.dashboard());
    }
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_is_read_in_the_dashboards_words() {
    let world = World::start().await;
    let answer = world
        .text("c1", "That is not what I owe, I dispute this charge")
        .await;
    assert_eq!(answer["action_taken"], "escalated", "{answer}");
    let escalation = newest(&world, "escalations").await;
    assert_eq!(escalation["type"], "amount_dispute");
    assert_eq!(escalation["priority"], "same_day");
    assert_eq!(escalation["status"], "open");
    assert_eq!(
        escalation["tenant_id"], "12345",
        "the dashboard shows nothing without a tenant"
    );
    let item = newest(&world, "escalated_items").await;
    assert_eq!(item["id"], escalation["id"]);
    assert_eq!(item["escalation_reason"], escalation["description"]);
    assert_eq!(item["assigned_to"], "supervisor_team");
    for kind in EscalationType::ALL {
        let word = match kind {
            EscalationType::HostileLanguage
            | EscalationType::LegalThreat
            | EscalationType::MediaOrRegulatorThreat => "threatening",
            EscalationType::PaymentDispute => "amount_dispute",
            EscalationType::DeliveryFailed => "phone_failed",
            EscalationType::NoResponse => "no_response",
            _ => "complex_situation",
        };
        for severity in [
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ] {
            let quiet = *kind == EscalationType::NoResponse;
            let priority = match severity {
                Severity::Low | Severity::Medium if quiet => "next_business_day",
                Severity::Low => "next_business_day",
                Severity::Medium => "same_day",
                Severity::High | Severity::Critical => "immediate",
            };
            let said: (String, String) = sqlx::query_as(
                "select dashboard.escalation_type($1), dashboard.escalation_priority($1, $2)",
            )
            .bind(kind.as_str())
            .bind(severity.as_str())
            .fetch_one(&world.db)
            .await
            .unwrap();
            assert_eq!(said, (word.to_owned(), priority.to_owned()), "{kind}");
        }
    }
    world.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_explain_themselves_and_cannot_be_written() {
    let world = World::start().await;
    world.text("c1", "What do I owe? [confidence=0.7]").await;
    world.text("c2", "I will sue you all").await;
    let offer = json!({"conversation_id": "c3", "tenant_id": "12346", "message_content": "please",
        "weekly_amount": 80, "weeks": 12, "confidence": 0.9});
    world
        .post("/orchestrate/payment-plan-detected", &offer)
        .await;
    for (view, _) in VIEWS {
        let said: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "select obj_description('dashboard.{view}'::regclass, 'pg_class')"
        )))
        .fetch_one(&world.db)
        .await
        .unwrap();
        assert!(said.is_some(), "{view} has no comment");
        let update = format!("update dashboard.{view} set status = 'resolved'");
        let refused = sqlx::query(sqlx::AssertSqlSafe(update))
            .execute(&world.db)
            .await
            .expect_err("a view is for reading");
        assert!(refused.to_string().contains("for reading"), "{refused}");
    }
    let drafts = "select count(*) from ai_response_queue where status = 'pending'";
    assert_eq!(world.count(drafts).await, 1);
    world.finish(0).await;
}
