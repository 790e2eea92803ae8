//! What did a manager enter about who may be texted?
//!
//! in: `command.consent`, `command.contact_window`, `command.lift_contact_window`, `command.hold`,
//! `command.lift_hold` · out: `consent.revoked`,
//! `consent.granted`, `consent.window_set`, `consent.window_lifted`, `hold.placed`, `hold.lifted`

mod windows;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::{ContactWindowId, HoldId, Phone};
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{
    ConsentEntered, ConsentGranted, ConsentRevoked, Event as _, HoldLifted, HoldPlaced,
    HoldRequested, Invalid, LiftRequested, Received, StageInput, WindowEntered,
    WindowLiftRequested,
};
use crate::rules::gate::Gate;
use crate::store::consents::ConsentChange;
use crate::store::contact_windows::{self, ContactWindow};
use crate::store::holds::{self, Hold, HoldKey, LiftedHold, NewHold};
use crate::store::{Case, ConsentUse, Needs};

/// The stage.
pub struct Ledger {
    /// The hours that must leave some.
    pub gate: Gate,
}

/// What it reads.
#[derive(Debug, Clone)]
pub enum Entry {
    /// What a tenant said about being texted.
    Consent(ConsentEntered),
    /// A hold to place.
    Hold(HoldRequested),
    /// A hold to lift.
    Lift(LiftRequested),
    /// Hours without texts.
    Window(WindowEntered),
    /// Such hours to lift.
    LiftWindow(WindowLiftRequested),
}

impl StageInput for Entry {
    const SUBJECTS: &'static [&'static str] = &[
        ConsentEntered::SUBJECT,
        HoldRequested::SUBJECT,
        LiftRequested::SUBJECT,
        WindowEntered::SUBJECT,
        WindowLiftRequested::SUBJECT,
    ];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        // With a prefix on a shared cluster.
        if subject.ends_with(WindowLiftRequested::SUBJECT) {
            <WindowLiftRequested as crate::events::Event>::decode(body, received)
                .map(Self::LiftWindow)
        } else if subject.ends_with(WindowEntered::SUBJECT) {
            <WindowEntered as crate::events::Event>::decode(body, received).map(Self::Window)
        } else if subject.ends_with(LiftRequested::SUBJECT) {
            <LiftRequested as crate::events::Event>::decode(body, received).map(Self::Lift)
        } else if subject.ends_with(HoldRequested::SUBJECT) {
            <HoldRequested as crate::events::Event>::decode(body, received).map(Self::Hold)
        } else {
            <ConsentEntered as crate::events::Event>::decode(body, received).map(Self::Consent)
        }
    }
}

/// What is meant to be lifted.
#[derive(Debug, Clone)]
pub enum Found {
    /// Nothing is, or nobody knows it.
    Nothing,
    /// A hold.
    Hold(Box<Hold>),
    /// Hours without texts.
    Window(Box<ContactWindow>),
}

impl From<Option<Hold>> for Found {
    fn from(hold: Option<Hold>) -> Self {
        hold.map_or(Self::Nothing, |hold| Self::Hold(Box::new(hold)))
    }
}

impl From<Option<ContactWindow>> for Found {
    fn from(window: Option<ContactWindow>) -> Self {
        window.map_or(Self::Nothing, |window| Self::Window(Box::new(window)))
    }
}

impl Found {
    fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Hold(hold) => Some(hold),
            _ => None,
        }
    }

    fn window(&self) -> Option<&ContactWindow> {
        match self {
            Self::Window(window) => Some(window),
            _ => None,
        }
    }

    fn phone(&self) -> Option<Phone> {
        match self {
            Self::Nothing => None,
            Self::Hold(hold) => hold.phone.clone(),
            Self::Window(window) => Some(window.phone.clone()),
        }
    }
}

type Event = Incoming<Entry>;

impl Stage for Ledger {
    const NAME: &'static str = "ledger";
    type In = Entry;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        Ok(match &event.body {
            Entry::Consent(_) | Entry::Hold(_) | Entry::Window(_) => Found::Nothing,
            Entry::Lift(lift) => match HoldId::parse(&lift.hold_id) {
                Some(id) => holds::with_id(&io.db, id).await?.into(),
                None => Found::Nothing,
            },
            Entry::LiftWindow(lift) => match ContactWindowId::parse(&lift.contact_window_id) {
                Some(id) => contact_windows::with_id(&io.db, id).await?.into(),
                None => Found::Nothing,
            },
        })
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        let phone = match &event.body {
            Entry::Consent(entered) => Some(entered.phone_number.clone()),
            Entry::Window(entered) => Some(entered.phone_number.clone()),
            Entry::Hold(hold) => hold.phone_number.clone(),
            Entry::Lift(_) | Entry::LiftWindow(_) => found.phone(),
        };
        Needs {
            // Waits for send intents of the number, and makes those that follow see the change.
            consent: phone.map(|phone| (phone, ConsentUse::Change)),
            hold: match &event.body {
                Entry::Hold(hold) => Some(HoldKey {
                    kind: hold.kind,
                    phone: hold.phone_number.clone(),
                    tenant_id: hold.tenant_id.clone(),
                }),
                Entry::Consent(_) | Entry::Lift(_) | Entry::Window(_) | Entry::LiftWindow(_) => {
                    None
                }
            },
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        match &event.body {
            Entry::Consent(entered) => consent(event, entered, now),
            Entry::Hold(asked) => place(event, asked, case.standing_hold.as_ref(), now),
            Entry::Lift(asked) => lift(event, asked, found.hold(), now),
            Entry::Window(entered) => windows::set(event, entered, &self.gate, case, now),
            Entry::LiftWindow(asked) => windows::lift(event, asked, found.window(), now),
        }
    }

    /// There is no workflow that could fail; whoever waits is told by the time running out.
    fn give_up(&self, _event: &Event, _reason: &str, _now: DateTime<Utc>) -> Decision {
        Decision::nothing("the dead letter says it")
    }
}

fn manager(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| "dashboard".to_owned())
}

fn consent(event: &Event, entered: &ConsentEntered, now: DateTime<Utc>) -> Decision {
    let by = manager(entered.manager_id.as_ref());
    let decision = Decision::done().change(ConsentChange {
        id: event.envelope.id.row("consent"),
        phone: entered.phone_number.clone(),
        opted_out: entered.opted_out,
        source: entered.source_word(),
        conversation_id: None,
        workflow_id: None,
        entered_by: Some(by.clone()),
        note: entered.note.clone(),
        proof: entered.proof.clone(),
        at: now,
    });
    let (phone_number, source) = (entered.phone_number.clone(), entered.source.clone());
    let decision = if entered.opted_out {
        let revoked = ConsentRevoked {
            phone_number,
            conversation_id: None,
            workflow_id: None,
            source,
            entered_by: Some(by.clone()),
            revoked_at: now,
        };
        decision.emit_loose(&revoked, None, None)
    } else {
        let granted = ConsentGranted {
            phone_number,
            conversation_id: None,
            workflow_id: None,
            source,
            entered_by: Some(by.clone()),
            proven: entered.proof.is_some(),
            granted_at: now,
        };
        decision.emit_loose(&granted, None, None)
    };
    let body = json!({
        "success": true,
        "status": if entered.opted_out { "opted_out" } else { "opted_in" },
        "phone_number": entered.phone_number,
        "opted_out": entered.opted_out,
        "source": entered.source,
        "entered_by": by,
        "proven": entered.proof.is_some(),
        "changed_at": stamp(now),
        "correlation_id": event.envelope.correlation_id,
    });
    decision.reply_if(ready(event, 200, body))
}

fn place(
    event: &Event,
    asked: &HoldRequested,
    standing: Option<&Hold>,
    now: DateTime<Utc>,
) -> Decision {
    // The same again changes nothing; the first reason stands.
    if let Some(hold) = standing {
        let body = hold_body(event, hold, json!({ "duplicate": true }));
        return Decision::nothing("it stands already").reply_if(ready(event, 200, body));
    }
    let hold = Hold {
        id: HoldId(event.envelope.id.row("hold")),
        kind: asked.kind.as_str().to_owned(),
        phone: asked.phone_number.clone(),
        tenant_id: asked.tenant_id.clone(),
        conversation_id: asked
            .conversation_id
            .as_ref()
            .map(|c| c.as_str().to_owned()),
        reason: asked.reason.clone(),
        placed_by: manager(asked.manager_id.as_ref()),
        placed_at: now,
        lifted: None,
    };
    let placed = HoldPlaced {
        hold_id: hold.id,
        kind: asked.kind,
        phone_number: asked.phone_number.clone(),
        tenant_id: asked.tenant_id.clone(),
        conversation_id: asked.conversation_id.clone(),
        reason: asked.reason.clone(),
        placed_by: hold.placed_by.clone(),
        placed_at: now,
    };
    let body = hold_body(event, &hold, json!({ "duplicate": false }));
    Decision::done()
        .change(NewHold {
            id: hold.id,
            kind: asked.kind,
            phone: asked.phone_number.clone(),
            tenant_id: asked.tenant_id.clone(),
            conversation_id: asked.conversation_id.clone(),
            workflow_id: None,
            reason: asked.reason.clone(),
            by: hold.placed_by,
            at: now,
        })
        .emit_loose(&placed, asked.conversation_id.clone(), None)
        .reply_if(ready(event, 200, body))
}

fn lift(
    event: &Event,
    asked: &LiftRequested,
    found: Option<&Hold>,
    now: DateTime<Utc>,
) -> Decision {
    let Some(hold) = found else {
        let problem = Problem::not_found("Hold not found", json!({ "hold_id": asked.hold_id }));
        let path = format!("/orchestrate/holds/{}/lift", asked.hold_id);
        let body = problem.body(&path, &event.envelope.correlation_id, now);
        return Decision::nothing("no such hold").reply_if(ready(event, problem.status, body));
    };
    if hold.lifted.is_some() {
        let body = hold_body(event, hold, json!({ "already_lifted": true }));
        return Decision::nothing("lifted before").reply_if(ready(event, 200, body));
    }
    let by = manager(asked.manager_id.as_ref());
    let lifted = HoldLifted {
        hold_id: hold.id,
        kind: hold.kind.clone(),
        phone_number: hold.phone.clone(),
        tenant_id: hold.tenant_id.clone(),
        lifted_by: by.clone(),
        reason: asked.reason.clone(),
        lifted_at: now,
    };
    let after = Hold {
        lifted: Some((by.clone(), asked.reason.clone(), now)),
        ..hold.clone()
    };
    let body = hold_body(event, &after, json!({ "already_lifted": false }));
    Decision::done()
        .change(LiftedHold {
            id: hold.id,
            phone: hold.phone.clone(),
            tenant_id: hold.tenant_id.clone(),
            by,
            reason: asked.reason.clone(),
            at: now,
        })
        .emit_loose(&lifted, None, None)
        .reply_if(ready(event, 200, body))
}

fn hold_body(event: &Event, hold: &Hold, more: Value) -> Value {
    let mut body = crate::engine::answers::hold(hold);
    body["success"] = json!(true);
    body["correlation_id"] = json!(event.envelope.correlation_id);
    if let Value::Object(more) = more {
        for (name, value) in more {
            body[name] = value;
        }
    }
    body
}

fn ready(event: &Event, status: u16, body: Value) -> Option<Reply> {
    let to = event.envelope.reply_subject.clone()?;
    Some(Reply::Ready { to, status, body })
}

#[cfg(test)]
mod tests;
