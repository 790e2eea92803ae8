//! What is tried again?
//!
//! in: `command.retry`, `command.redrive`, `command.dead_letter_resolve` · out: `turn.opened`,
//! or a parked message as it was
//!
//! A failed workflow goes on from the message it failed at: what was finished before - a model's
//! answer, a text - is in that message or behind its id, and is not done again. Everything else
//! begins a new turn with the same texts.

mod letter;
mod workflow;

use chrono::{DateTime, Utc};

use crate::domain::{DeadLetterId, WorkflowId};
use crate::engine::answers::Problem;
use crate::engine::{Decision, Incoming, Io, Stage, StageError};
use crate::events::{
    Event as Decode, Invalid, LetterResolutionRequested, Received, RedriveRequested,
    RetryRequested, StageInput,
};
use crate::store::dead_letters::{self, StoredLetter};
use crate::store::workflows::{self, Workflow};
use crate::store::{Case, DraftRef, Needs};

/// Whoever asks without a name sits at the dashboard (conflicts C18).
const NOBODY: &str = "dashboard";

/// How often.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// `MAX_WORKFLOW_RETRIES`: a hand on the button does not lift it.
    pub most: i32,
}

/// The stage.
pub struct Retry {
    /// Limits.
    pub settings: RetrySettings,
}

/// What may be asked.
#[derive(Debug, Clone)]
pub enum Asked {
    /// A workflow.
    Workflow(RetryRequested),
    /// A parked message.
    Letter(RedriveRequested),
    /// A parked message that nobody need try again.
    Done(LetterResolutionRequested),
}

impl StageInput for Asked {
    const SUBJECTS: &'static [&'static str] = &[
        RetryRequested::SUBJECT,
        RedriveRequested::SUBJECT,
        LetterResolutionRequested::SUBJECT,
    ];

    fn decode(subject: &str, body: &[u8], received: Received<'_>) -> Result<Self, Invalid> {
        match subject {
            RetryRequested::SUBJECT => Decode::decode(body, received).map(Self::Workflow),
            RedriveRequested::SUBJECT => Decode::decode(body, received).map(Self::Letter),
            LetterResolutionRequested::SUBJECT => Decode::decode(body, received).map(Self::Done),
            _ => Err(Invalid::body("is not a command about trying again")),
        }
    }
}

/// What is meant.
#[derive(Debug, Clone, Default)]
pub struct Found {
    workflow: Option<Workflow>,
    letter: Option<StoredLetter>,
}

type Event = Incoming<Asked>;

impl Stage for Retry {
    const NAME: &'static str = "retry";
    type In = Asked;
    type Found = Found;

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let letter_named = |id: &str| DeadLetterId::parse(id);
        let (mut workflow, letter) = match &event.body {
            Asked::Workflow(asked) => {
                let id = WorkflowId::parse(&asked.workflow_id);
                let letter = match id {
                    Some(id) => dead_letters::open_of(&io.db, id).await?,
                    None => None,
                };
                (id, letter)
            }
            Asked::Letter(asked) => (None, letter_named(&asked.dead_letter_id)),
            Asked::Done(asked) => (None, letter_named(&asked.dead_letter_id)),
        };
        let letter = match letter {
            Some(id) => dead_letters::with_id(&io.db, id).await?,
            None => None,
        };
        workflow = workflow.or(letter.as_ref().and_then(|l| l.workflow_id));
        let workflow = match workflow {
            Some(id) => workflows::with_id(&io.db, id).await?,
            None => None,
        };
        Ok(Found { workflow, letter })
    }

    fn needs(&self, _event: &Event, found: &Found) -> Needs {
        let workflow = found.workflow.as_ref();
        let letter = found.letter.as_ref();
        let of_letter = || letter.and_then(|l| l.conversation_id.clone());
        Needs {
            conversation: workflow
                .map(|w| w.conversation_id.clone())
                .or_else(of_letter),
            lock: true,
            workflow: workflow.map(|w| w.id),
            dead_letter: letter.map(|l| l.id),
            draft: workflow.map(|_| DraftRef::Pending),
            delivery: letter.and_then(|l| letter::released(l).ok().flatten()),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, _found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        match &event.body {
            Asked::Workflow(asked) => workflow::retry(event, asked, case, self.settings, now),
            Asked::Letter(asked) => letter::redrive(event, asked, case, now),
            Asked::Done(asked) => letter::resolve(event, asked, case, now),
        }
    }
}

fn refuse(event: &Event, problem: &Problem, now: DateTime<Utc>) -> Decision {
    let path = match &event.body {
        Asked::Workflow(_) => "/orchestrate/retry/{workflow_id}",
        Asked::Letter(_) => "/orchestrate/dead-letters/{id}/redrive",
        Asked::Done(_) => "/orchestrate/dead-letters/{id}/resolve",
    };
    let mut body = problem.body(path, &event.envelope.correlation_id, now);
    if matches!(event.body, Asked::Workflow(_)) {
        body["dashboard_status"] = "failed".into();
    }
    Decision::answered(&event.envelope, problem.status, body)
}

#[cfg(test)]
mod tests;
