//! Hours without texts that a manager enters or lifts (`rules.md` R10).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Event, manager, ready};
use crate::domain::{ContactWindowId, Quiet};
use crate::engine::Decision;
use crate::engine::answers::Problem;
use crate::events::{
    ContactWindowLifted, ContactWindowSet, WindowEntered, WindowLiftRequested, source_word,
};
use crate::rules::gate::Gate;
use crate::store::Case;
use crate::store::contact_windows::{ContactWindow, LiftedContactWindow, NewContactWindow};

pub(super) fn set(
    event: &Event,
    entered: &WindowEntered,
    gate: &Gate,
    case: &Case,
    now: DateTime<Utc>,
) -> Decision {
    let all: Vec<Quiet> = entered.quiet.iter().chain(&case.quiet).copied().collect();
    let phone = entered.phone_number.as_str();
    if !gate.settings.hours.leave_any(phone, &all, now) {
        let problem = Problem::conflict(
            "These hours leave no time at which the number may be texted; use an opt-out or a hold",
            json!({ "reason": "no_hours_left", "quiet": all }),
        );
        let path = "/orchestrate/contact-windows";
        let body = problem.body(path, &event.envelope.correlation_id, now);
        return Decision::nothing("no hour would be left").reply_if(ready(
            event,
            problem.status,
            body,
        ));
    }
    let window = ContactWindow {
        id: ContactWindowId(event.envelope.id.row("contact_window")),
        phone: entered.phone_number.clone(),
        quiet: entered.quiet.clone(),
        source: entered.source.clone(),
        conversation_id: None,
        text_id: None,
        note: entered.note.clone(),
        set_by: manager(entered.manager_id.as_ref()),
        set_at: now,
        lifted: None,
    };
    let set = ContactWindowSet {
        contact_window_id: window.id,
        phone_number: window.phone.clone(),
        quiet: window.quiet.clone(),
        source: window.source.clone(),
        conversation_id: None,
        workflow_id: None,
        text_id: None,
        set_by: window.set_by.clone(),
        set_at: now,
    };
    let body = body(event, &window, &json!({}));
    Decision::done()
        .change(NewContactWindow {
            id: window.id,
            phone: window.phone,
            quiet: window.quiet,
            source: source_word(&entered.source),
            conversation_id: None,
            workflow_id: None,
            text_id: None,
            note: window.note,
            by: window.set_by,
            at: now,
        })
        .emit_loose(&set, None, None)
        .reply_if(ready(event, 200, body))
}

pub(super) fn lift(
    event: &Event,
    asked: &WindowLiftRequested,
    found: Option<&ContactWindow>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(window) = found else {
        let details = json!({ "contact_window_id": asked.contact_window_id });
        let problem = Problem::not_found("Contact window not found", details);
        let path = format!(
            "/orchestrate/contact-windows/{}/lift",
            asked.contact_window_id
        );
        let body = problem.body(&path, &event.envelope.correlation_id, now);
        return Decision::nothing("no such window").reply_if(ready(event, problem.status, body));
    };
    if window.lifted.is_some() {
        let body = body(event, window, &json!({ "already_lifted": true }));
        return Decision::nothing("lifted before").reply_if(ready(event, 200, body));
    }
    let by = manager(asked.manager_id.as_ref());
    let lifted = ContactWindowLifted {
        contact_window_id: window.id,
        phone_number: window.phone.clone(),
        quiet: window.quiet.clone(),
        lifted_by: by.clone(),
        reason: asked.reason.clone(),
        lifted_at: now,
    };
    let after = ContactWindow {
        lifted: Some((by.clone(), asked.reason.clone(), now)),
        ..window.clone()
    };
    let body = body(event, &after, &json!({ "already_lifted": false }));
    Decision::done()
        .change(LiftedContactWindow {
            id: window.id,
            phone: window.phone.clone(),
            by,
            reason: asked.reason.clone(),
            at: now,
        })
        .emit_loose(&lifted, None, None)
        .reply_if(ready(event, 200, body))
}

fn body(event: &Event, window: &ContactWindow, more: &Value) -> Value {
    let mut body = crate::engine::answers::contact_window(window);
    body["success"] = json!(true);
    body["correlation_id"] = json!(event.envelope.correlation_id);
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}
