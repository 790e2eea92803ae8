//! Rows and events for the stages' tests: one tenant, one conversation, texts numbered in the
//! order they arrived. A test says only what differs.

mod changes;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

pub(super) use changes::{assert_no_row_twice, assert_nothing, row, rows, told, update_of};

use super::handover::HandoverSettings;
use super::planned::PlanningSettings;
use crate::domain::{
    Arrival, Cents, Confidence, ConversationId, DeliveryId, DraftId, EventId, Language, OpenText,
    Phone, TenantContext, TenantId, WorkflowId, WorkflowStatus,
};
use crate::engine::{Envelope, Incoming};
use crate::events::{DraftedReply, ReplyDrafted, Turn, TurnFacts};
use crate::rules::checks::CheckSettings;
use crate::rules::gate::{Gate, GateSettings};
use crate::rules::plan::PlanSettings;
use crate::rules::routing::{Autonomy, RoutingSettings};
use crate::store::Case;
use crate::store::conversations::Conversation;
use crate::store::deliveries::{Delivery, DeliveryStatus};
use crate::store::drafts::Draft;
use crate::store::workflows::Workflow;

/// The tenant's number, as it must never appear in a message to managers.
pub(super) const NUMBER: &str = "+12025550143";

/// So many seconds into the story.
pub(super) fn after(seconds: i64) -> DateTime<Utc> {
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("a time");
    noon + TimeDelta::seconds(seconds)
}

pub(super) fn phone() -> Phone {
    Phone::parse(NUMBER).expect("a number")
}

pub(super) fn conversation_id() -> ConversationId {
    ConversationId::parse("conv_20481").expect("an id")
}

pub(super) fn tenant_id() -> TenantId {
    TenantId::parse("12345").expect("an id")
}

pub(super) fn score(score: f64) -> Confidence {
    Confidence::new(score).expect("0 to 1")
}

pub(super) fn handover() -> HandoverSettings {
    HandoverSettings {
        assignee: "supervisor_team".to_owned(),
    }
}

/// The thresholds the contract gives as defaults.
pub(super) fn routing() -> RoutingSettings {
    RoutingSettings {
        autonomy: Autonomy::Auto,
        auto_above: score(0.85),
        auto_inclusive: false,
        approval_from: score(0.60),
        approval_timeout: TimeDelta::hours(24),
    }
}

/// The contract's limits, by the calendar of UTC.
pub(super) fn planning() -> PlanningSettings {
    PlanningSettings {
        limits: PlanSettings::default(),
        zone: chrono_tz::UTC,
    }
}

/// The contract's plan limits; no company facts.
pub(super) fn checks() -> CheckSettings {
    CheckSettings {
        max_segments: 3,
        ..CheckSettings::default()
    }
}

/// Message `number`: it arrives at second `number`, and its sender waits at `_INBOX.<number>`.
pub(super) fn incoming<T>(number: u32, body: T) -> Incoming<T> {
    Incoming {
        envelope: Envelope {
            is_ours: true,
            schema_version: Some(1),
            id: event_id(number),
            subject: String::new(),
            conversation: Some(conversation_id()),
            workflow: None,
            correlation_id: format!("correlation-{number}"),
            traceparent: None,
            arrived_at: None,
            reply_subject: Some(inbox(number)),
            idempotency_key: None,
            respond_async: false,
            arrival: arrival(number),
            received_at: after(i64::from(number)),
            delivered: 1,
            said_once: true,
        },
        body,
    }
}

/// The gate with the contract's defaults, but open at any hour.
pub(super) fn gate() -> Gate {
    gate_with(&[])
}

/// The same with other settings; `CONTACT_HOURS` is off unless it is one of them.
pub(super) fn gate_with(settings: &[(&str, &str)]) -> Gate {
    let mut all = vec![("CONTACT_HOURS", "off")];
    all.extend_from_slice(settings);
    let env = crate::config::Env::from_pairs(&all);
    let settings = GateSettings::read(&env);
    env.finish().expect("settings of the gate");
    Gate { settings }
}

pub(super) fn event_id(number: u32) -> EventId {
    EventId(Uuid::from_u128(u128::from(number)))
}

pub(super) fn inbox(number: u32) -> String {
    format!("_INBOX.{number}")
}

pub(super) fn arrival(number: u32) -> Arrival {
    Arrival {
        epoch: 1,
        sequence: i64::from(number),
    }
}

/// The workflow that text `number` begins.
pub(super) fn workflow(number: u32) -> WorkflowId {
    WorkflowId(event_id(number).row("workflow"))
}

pub(super) fn open_text(number: u32, content: &str) -> OpenText {
    OpenText {
        workflow_id: workflow(number),
        content: content.to_owned(),
        received_at: after(i64::from(number)),
        arrival: arrival(number),
        triggers: Vec::new(),
        plan: None,
    }
}

/// Turn `number`, carried by its last text's workflow.
pub(super) fn turn(number: i64, texts: Vec<OpenText>) -> Turn {
    Turn {
        conversation_id: conversation_id(),
        number,
        workflow_id: texts.last().expect("a turn has texts").workflow_id,
        phone_number: phone(),
        tenant_id: Some(tenant_id()),
        texts,
        after_send: false,
    }
}

pub(super) fn tenant() -> TenantContext {
    TenantContext {
        tenant_id: tenant_id(),
        tenant_name: Some("Maria Rodriguez".to_owned()),
        amount_owed: Some(Cents(124_700)),
        tenant_portion: Some(Cents(56_700)),
        days_late: Some(47),
        payment_reliability_score: Some(6.0),
        failed_payment_plans: 1,
        successful_payment_plans: 2,
        language_preference: Language::English,
        property_name: None,
        unit_name: None,
        status: None,
    }
}

pub(super) fn facts() -> TurnFacts {
    TurnFacts {
        tenant: Some(tenant()),
        history: Vec::new(),
        newest_known_message: 7,
        degraded: Vec::new(),
    }
}

pub(super) fn drafted(confidence: f64) -> DraftedReply {
    DraftedReply {
        reply: "You owe $567.00.".to_owned(),
        language: Some("en".to_owned()),
        confidence: score(confidence),
        rated: true,
        reply_en: None,
        intent: Some("question".to_owned()),
        payment_plan: None,
        escalation: None,
        model: "gpt-4-turbo".to_owned(),
        prompt_version: "system.v1".to_owned(),
        tokens: Some((400, 60)),
        rating: None,
        checks: Vec::new(),
        cost_micro_usd: None,
    }
}

pub(super) fn reply_drafted(turn: Turn, confidence: f64) -> ReplyDrafted {
    ReplyDrafted {
        turn,
        facts: facts(),
        draft: drafted(confidence),
        plan: None,
    }
}

/// A conversation in which nothing waits for an answer; its last turn was `turn`.
pub(super) fn quiet(turn: i64) -> Conversation {
    Conversation {
        id: conversation_id(),
        phone: phone(),
        tenant_id: Some(tenant_id()),
        turn,
        turn_open: false,
        turn_workflow: None,
        introduced: true,
        last_outbound_at: None,
        last_inbound_at: Some(after(1)),
    }
}

/// A conversation whose open turn `turn` is carried by text `carrier`'s workflow.
pub(super) fn open(turn: i64, carrier: u32) -> Conversation {
    Conversation {
        turn_open: true,
        turn_workflow: Some(workflow(carrier)),
        ..quiet(turn)
    }
}

pub(super) fn case(conversation: Conversation) -> Case {
    Case {
        conversation: Some(conversation),
        ..Case::default()
    }
}

pub(super) fn draft_id() -> DraftId {
    DraftId(Uuid::from_u128(0xD4AF7))
}

/// The draft for text 1 and turn 1.
pub(super) fn stored_draft(status: &str) -> Draft {
    Draft {
        id: draft_id(),
        workflow_id: workflow(1),
        conversation_id: conversation_id(),
        turn: 1,
        phone: phone(),
        tenant_id: Some(tenant_id()),
        tenant_name: Some("Maria Rodriguez".to_owned()),
        tenant_message: "What do I owe?".to_owned(),
        ai_response: "You owe $567.00.".to_owned(),
        ai_response_en: None,
        language: Some("en".to_owned()),
        confidence: score(0.7),
        status: status.to_owned(),
        routing_reason: None,
        triggers: Vec::new(),
        degraded: Vec::new(),
        context: json!({ "tenant": tenant() }),
        model: None,
        prompt_version: None,
        tokens: None,
        checks: Vec::new(),
        rating: None,
        cost_micro_usd: None,
        plan: None,
        newest_known_message: 7,
        approval_action: None,
        modified_response: None,
        final_response: None,
        actioned_by: None,
        actioned_at: None,
        escalation_id: None,
        superseded_by: None,
        expires_at: None,
        claimed: None,
        traceparent: None,
        created_at: after(5),
        updated_at: after(5),
    }
}

pub(super) fn delivery_id() -> DeliveryId {
    DeliveryId(Uuid::from_u128(0xDE11))
}

/// The delivery of the draft for text 1, released at second 9, whose latest attempt began at second
/// `intended`.
pub(super) fn delivery(status: DeliveryStatus, attempts: i32, intended: i64) -> Delivery {
    Delivery {
        id: delivery_id(),
        draft_id: Some(draft_id()),
        conversation_id: conversation_id(),
        status,
        attempts,
        newest_known_message: 7,
        sms_message_id: None,
        twilio_sid: None,
        last_error: None,
        reply_subject: None,
        intended_at: after(intended),
        created_at: after(9),
        not_before: None,
    }
}

/// The workflow of text 1.
pub(super) fn stored_workflow(status: WorkflowStatus) -> Workflow {
    Workflow {
        id: workflow(1),
        conversation_id: conversation_id(),
        workflow_type: "sms_processing".to_owned(),
        status,
        current_step: "sms_received".to_owned(),
        action: None,
        outcome: None,
        tenant_id: Some("12345".to_owned()),
        phone: Some(NUMBER.to_owned()),
        confidence: None,
        degraded: Vec::new(),
        draft_id: None,
        escalation_id: None,
        payment_plan_id: None,
        merged_into: None,
        retry_count: 0,
        error_message: None,
        correlation_id: "correlation-1".to_owned(),
        reply_subject: None,
        created_at: after(1),
        updated_at: after(1),
        completed_at: None,
    }
}
