//! What do people do about escalations?
//!
//! in: `command.escalate`, `command.escalation_resolve`, `command.escalation_assign` ·
//! out: `escalation.raised`, `escalation.assigned`, `escalation.resolved`

mod raise;
mod settle;

use chrono::{DateTime, Utc};

use super::handover::HandoverSettings;
use crate::domain::{EscalationId, WorkflowId};
use crate::engine::answers::Problem;
use crate::engine::{Decision, Incoming, Io, Stage, StageError};
use crate::events::{
    AssignmentRequested, EscalationRequested, Event as Decode, Invalid, Received,
    ResolutionRequested, StageInput,
};
use crate::store::escalations::{self, Escalation};
use crate::store::workflows::{self, Workflow};
use crate::store::{Case, Needs};

/// The stage.
pub struct Escalate {
    /// Who gets what is escalated.
    pub handover: HandoverSettings,
}

/// What may be asked.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Somebody wants a person to look.
    Raise(Box<EscalationRequested>),
    /// Somebody is done.
    Resolve(ResolutionRequested),
    /// Somebody takes over.
    Assign(AssignmentRequested),
}

impl StageInput for Asked {
    const SUBJECTS: &'static [&'static str] = &[
        EscalationRequested::SUBJECT,
        ResolutionRequested::SUBJECT,
        AssignmentRequested::SUBJECT,
    ];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        match subject {
            EscalationRequested::SUBJECT => {
                Decode::decode(body, received).map(|e| Self::Raise(Box::new(e)))
            }
            ResolutionRequested::SUBJECT => Decode::decode(body, received).map(Self::Resolve),
            AssignmentRequested::SUBJECT => Decode::decode(body, received).map(Self::Assign),
            _ => Err(Invalid::body("is not a command about escalations")),
        }
    }
}

/// What is meant.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The workflow that is named, or the conversation's newest.
    workflow: Option<Workflow>,
    /// A workflow was named that nobody knows.
    unknown_workflow: Option<String>,
    /// The escalation that is named.
    escalation: Option<Escalation>,
}

type Event = Incoming<Asked>;

impl Stage for Escalate {
    const NAME: &'static str = "escalate";
    type In = Asked;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let id = match &event.body {
            Asked::Raise(asked) => return raised_about(asked, io).await,
            Asked::Resolve(asked) => &asked.escalation_id,
            Asked::Assign(asked) => &asked.escalation_id,
        };
        let escalation = match EscalationId::parse(id) {
            Some(id) => escalations::with_id(&io.db, id).await?,
            None => None,
        };
        Ok(Found {
            escalation,
            ..Found::default()
        })
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        match &event.body {
            Asked::Raise(asked) => raise::needs(event, asked, found),
            Asked::Resolve(_) | Asked::Assign(_) => {
                let escalation = found.escalation.as_ref();
                Needs {
                    conversation: escalation.map(|e| e.conversation_id.clone()),
                    lock: true,
                    escalation: escalation.map(|e| e.id),
                    ..Needs::default()
                }
            }
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        match &event.body {
            Asked::Raise(asked) => raise::raise(event, asked, found, case, &self.handover, now),
            Asked::Resolve(asked) => match &case.escalation {
                Some(case) => settle::resolve(event, asked, case, now),
                None => unknown(event, &asked.escalation_id, now),
            },
            Asked::Assign(asked) => match &case.escalation {
                Some(case) => settle::assign(event, asked, case, now),
                None => unknown(event, &asked.escalation_id, now),
            },
        }
    }
}

async fn raised_about(asked: &EscalationRequested, io: &Io) -> Result<Found, StageError> {
    let named = match asked.workflow_id.as_deref().and_then(WorkflowId::parse) {
        Some(id) => workflows::with_id(&io.db, id).await?,
        None => None,
    };
    // A workflow of another conversation is as good as unknown: the conversation is what people see.
    let fits = |w: &Workflow| {
        let conversation = asked.conversation_id.as_ref();
        conversation.is_none_or(|c| *c == w.conversation_id)
    };
    let named = named.filter(fits);
    let unknown_workflow = match &named {
        Some(_) => None,
        None => asked.workflow_id.clone(),
    };
    let workflow = match (named, &asked.conversation_id) {
        (Some(workflow), _) => Some(workflow),
        (None, Some(conversation)) => workflows::newest_of(&io.db, conversation).await?,
        (None, None) => None,
    };
    Ok(Found {
        workflow,
        unknown_workflow,
        escalation: None,
    })
}

fn unknown(event: &Event, id: &str, now: DateTime<Utc>) -> Decision {
    let details = serde_json::json!({ "escalation_id": id });
    let problem = Problem::not_found("Escalation not found", details);
    refuse(event, &problem, now)
}

/// Nothing changes, and whoever asked is told why.
fn refuse(event: &Event, problem: &Problem, now: DateTime<Utc>) -> Decision {
    let correlation = &event.envelope.correlation_id;
    let path = match &event.body {
        Asked::Raise(_) => "/orchestrate/escalate",
        Asked::Resolve(_) => "/orchestrate/escalations/{id}/resolve",
        Asked::Assign(_) => "/orchestrate/escalations/{id}/assign",
    };
    Decision::answered(
        &event.envelope,
        problem.status,
        problem.body(path, correlation, now),
    )
}

#[cfg(test)]
mod tests;
