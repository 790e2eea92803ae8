//! Decisions are values: what changes, what is said, who is answered, what comes next.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Envelope;
use crate::domain::{ConversationId, DraftId, EventId, Phone, WorkflowId};
use crate::events::Event;
use crate::neighbours::notifications::{Notification, Notified};
use crate::neighbours::sms_agent::{LookResult, SendResult};
use crate::rules::gate::Permit;
use crate::store::Change;
use crate::store::workflows::WorkflowUpdate;

/// What a stage decides about one message.
#[derive(Debug)]
pub struct Decision {
    /// What changes, in one transaction with the handled mark and the events.
    pub changes: Vec<Change>,
    /// What is said to the other stages and to the world.
    pub emits: Vec<Emit>,
    /// Who is answered, after commit.
    pub replies: Vec<Reply>,
    /// What comes next.
    pub next: Next,
}

/// An event to publish after commit.
#[derive(Debug)]
pub struct Emit {
    /// Without prefix.
    pub subject: &'static str,
    /// `ce-subject`.
    pub conversation: Option<ConversationId>,
    /// `ce-workflowid`.
    pub workflow: Option<WorkflowId>,
    /// Said before: published with the headers it had, under a new message id.
    pub said_before: Option<SaidBefore>,
    /// The body; an error here makes the engine park the message instead of losing the event.
    pub body: Result<Box<serde_json::value::RawValue>, serde_json::Error>,
}

/// A message that could not be worked on and is published once more.
#[derive(Debug, Clone)]
pub struct SaidBefore {
    /// Its id: everything derived from it stays the same, so nothing finished is done twice.
    pub event: EventId,
    /// Its headers, as they were.
    pub headers: Vec<(String, String)>,
}

/// What comes after the commit.
#[derive(Debug)]
pub enum Next {
    /// The message is handled.
    Done,
    /// The intent is committed: now act in the world, then conclude. Not handled yet.
    Act(Box<Effect>),
    /// Not now.
    Later {
        /// Seconds, not hours: the message holds a place among the unacknowledged ones.
        after: Duration,
        /// For the log and the attempts table, without personal data.
        because: String,
        /// A failure that uses up an attempt, as opposed to waiting for one's turn.
        counted: bool,
    },
    /// Not at all: park it.
    Never {
        /// `permanent_failure`, `unknown_outcome`, `configuration`.
        reason: &'static str,
        /// Without personal data.
        detail: String,
    },
}

/// Something done to the world, whose intent is committed first.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send a text.
    SendText {
        /// The gate's word for this very attempt: whom, what, and when the intent was decided. A
        /// worker that slept since then must not send any more: another may have looked, found
        /// nothing and sent.
        permit: Permit,
    },
    /// See in the agent's history whether a text went out.
    LookForText {
        /// The addressee.
        to: Phone,
        /// The exact text.
        body: String,
        /// Only newer rows can be ours.
        newer_than: i64,
        /// Rows that belong to other deliveries.
        claimed: Vec<String>,
        /// Which attempt is looked for: the moment of its intent.
        intended_at: DateTime<Utc>,
    },
    /// Tell the managers.
    Notify(Notification),
}

/// What became of an [`Effect`].
#[derive(Debug, Clone)]
pub enum EffectResult {
    /// Of `SendText`.
    Sent {
        /// What the agent said.
        result: SendResult,
        /// Which attempt it answers: the moment of its intent.
        intended_at: DateTime<Utc>,
    },
    /// Of `LookForText`.
    Looked {
        /// What the agent's history says.
        result: LookResult,
        /// Which attempt was looked for.
        intended_at: DateTime<Utc>,
    },
    /// Of `Notify`.
    Notified(Notified),
}

/// An answer to somebody who waits. Built from the rows as they are at the end of the transaction.
#[derive(Debug)]
pub enum Reply {
    /// The outcome of a text's workflow, to whoever waits for that workflow.
    Workflow(WorkflowId),
    /// The present state of a workflow, to this request: a duplicate, or somebody who does not wait.
    WorkflowTo {
        /// The workflow.
        workflow: WorkflowId,
        /// The request's address.
        to: String,
        /// Its text was one we had.
        duplicate: bool,
    },
    /// The state of a decided draft.
    Approval {
        /// The draft.
        draft: DraftId,
        /// The request's address; `None` for whoever waits for the delivery.
        to: Option<String>,
        /// Somebody had decided the same before.
        already: bool,
        /// This request's correlation id.
        correlation_id: String,
    },
    /// A ready answer.
    Ready {
        /// The request's address.
        to: String,
        /// The HTTP status the bridge uses.
        status: u16,
        /// The body.
        body: Value,
    },
}

impl Decision {
    /// The message is handled and nothing else happens. `_why` is for the reader of the code.
    pub fn nothing(_why: &str) -> Self {
        Self {
            changes: Vec::new(),
            emits: Vec::new(),
            replies: Vec::new(),
            next: Next::Done,
        }
    }

    /// The message is handled, and whoever asked is told this.
    pub fn answered(asked: &Envelope, status: u16, body: Value) -> Self {
        let to = asked.reply_subject.clone();
        Self::done().reply_if(to.map(|to| Reply::Ready { to, status, body }))
    }

    /// The message is handled.
    pub fn done() -> Self {
        Self::nothing("the caller adds what happens")
    }

    /// Not now, and it counts as a failed attempt.
    pub fn retry(after: Duration, because: impl Into<String>) -> Self {
        let next = Next::Later {
            after,
            because: because.into(),
            counted: true,
        };
        Self {
            next,
            ..Self::done()
        }
    }

    /// Not now, without anything having failed.
    pub fn wait(after: Duration, because: impl Into<String>) -> Self {
        let next = Next::Later {
            after,
            because: because.into(),
            counted: false,
        };
        Self {
            next,
            ..Self::done()
        }
    }

    /// Not at all.
    pub fn never(reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            next: Next::Never {
                reason,
                detail: detail.into(),
            },
            ..Self::done()
        }
    }

    /// After the commit, act.
    pub fn act(effect: Effect) -> Self {
        Self {
            next: Next::Act(Box::new(effect)),
            ..Self::done()
        }
    }

    /// Turns a handled message into one that comes again, without anything having failed.
    pub fn later(mut self, after: Duration, because: &str) -> Self {
        self.next = Next::Later {
            after,
            because: because.to_owned(),
            counted: false,
        };
        self
    }

    /// Adds a change.
    pub fn change(mut self, change: impl Into<Change>) -> Self {
        self.changes.push(change.into());
        self
    }

    /// Adds changes.
    pub fn changes(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Completes what happens to the workflows, whoever wrote it down.
    pub fn amending(mut self, amend: impl Fn(&mut WorkflowUpdate)) -> Self {
        for change in &mut self.changes {
            if let Change::Workflow(update) = change {
                amend(update);
            }
        }
        self
    }

    /// Adds an event.
    pub fn emit<E: Event>(
        mut self,
        event: &E,
        conversation: &ConversationId,
        workflow: WorkflowId,
    ) -> Self {
        self.emits.push(Emit {
            subject: E::SUBJECT,
            conversation: Some(conversation.clone()),
            workflow: Some(workflow),
            said_before: None,
            body: serde_json::value::to_raw_value(event),
        });
        self
    }

    /// Adds an event that may lack both ids.
    pub fn emit_loose<E: Event>(
        mut self,
        event: &E,
        conversation: Option<ConversationId>,
        workflow: Option<WorkflowId>,
    ) -> Self {
        let body = serde_json::value::to_raw_value(event);
        self.emits.push(Emit {
            subject: E::SUBJECT,
            conversation,
            workflow,
            said_before: None,
            body,
        });
        self
    }

    /// Says a parked message again.
    pub fn say_again(
        mut self,
        subject: &'static str,
        said_before: SaidBefore,
        body: Box<serde_json::value::RawValue>,
    ) -> Self {
        self.emits.push(Emit {
            subject,
            conversation: None,
            workflow: None,
            said_before: Some(said_before),
            body: Ok(body),
        });
        self
    }

    /// Adds an answer.
    pub fn reply(mut self, reply: Reply) -> Self {
        self.replies.push(reply);
        self
    }

    /// Adds an answer if somebody waits.
    pub fn reply_if(mut self, reply: Option<Reply>) -> Self {
        self.replies.extend(reply);
        self
    }

    /// Joins another decision's changes, events and answers to this one.
    pub fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.emits.extend(other.emits);
        self.replies.extend(other.replies);
        self
    }

    /// As [`Self::and`], if there is another.
    pub fn and_if(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => self.and(other),
            None => self,
        }
    }

    /// The body of the first event of a kind, for tests.
    #[cfg(test)]
    pub fn emitted<E: Event>(&self) -> Option<E> {
        let emit = self.emits.iter().find(|e| e.subject == E::SUBJECT)?;
        emit.body
            .as_ref()
            .ok()
            .and_then(|body| serde_json::from_str(body.get()).ok())
    }

    /// The subjects in order, for tests.
    #[cfg(test)]
    pub fn subjects(&self) -> Vec<&'static str> {
        self.emits.iter().map(|e| e.subject).collect()
    }
}
