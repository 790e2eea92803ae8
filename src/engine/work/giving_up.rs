//! The ways a message may fail: counted and tried again, left to a newer version, refused, parked.

use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::super::answers::{Answer, Problem};
use super::super::committer::{Committed, Job};
use super::super::crash::{self, Point};
use super::super::dead::{self, Parcel};
use super::super::{Incoming, Stage};
use super::{Leave, Work};
use crate::events::Invalid;
use crate::ops::trace;
use crate::store::{Needs, attempts, handled};

/// How long a message that only a newer version can read is left alone. With `MAX_ATTEMPTS` of 10 a
/// roll-out may take five minutes until the message is parked, and can be redriven.
const FOR_A_NEWER_ONE: Duration = Duration::from_secs(30);

impl<S: Stage> Work<S> {
    /// In the middle of a roll-out another replica can read it.
    pub(super) async fn leave_to_a_newer(&self, parcel: Parcel, because: String) -> Leave {
        self.failed(parcel, None, FOR_A_NEWER_ONE, because).await
    }

    /// Counts a failure; after the last one the message is parked.
    pub(super) async fn failed(
        &self,
        parcel: Parcel,
        event: Option<&Arc<Incoming<S::In>>>,
        after: Duration,
        because: String,
    ) -> Leave {
        let id = parcel.envelope.id;
        let now = self.engine.clock.now();
        let note = || attempts::failed(&self.engine.io.db, id, S::NAME, &because, now);
        let Some(so_far) = self.patiently(note).await else {
            return Leave::Silent;
        };
        crash::point(S::NAME, Point::FailureNoted);
        tracing::warn!(stage = S::NAME, event = %id, attempt = so_far.count, reason = %because, "not handled");
        if so_far.count < self.stage.max_attempts(self.engine.settings.max_attempts) {
            return Leave::Nak(after);
        }
        let parcel = Parcel {
            reason: "attempts_exhausted",
            detail: because,
            attempts: Some(so_far),
            ..parcel
        };
        self.park(parcel, event).await
    }

    /// A body that cannot be read: its sender is told, if it waits, and the message is kept.
    pub(super) async fn refuse(&self, parcel: Parcel, invalid: &Invalid) -> Leave {
        if let Some(to) = &parcel.envelope.reply_subject {
            let problem = Problem::invalid(invalid);
            let now = self.engine.clock.now();
            let body = problem.body(
                &parcel.envelope.subject,
                &parcel.envelope.correlation_id,
                now,
            );
            let answer = Answer {
                to: to.clone(),
                status: problem.status,
                body,
            };
            self.engine.publisher.answer(vec![answer]).await;
        }
        let detail = invalid.sentence();
        self.park(
            Parcel {
                kind: "event",
                reason: "invalid_message",
                detail,
                ..parcel
            },
            None,
        )
        .await
    }

    /// Parks a message: kept in Postgres, told to the operators, taken off the stream's list.
    pub(super) async fn park(&self, parcel: Parcel, event: Option<&Arc<Incoming<S::In>>>) -> Leave {
        let envelope = &parcel.envelope;
        tracing::error!(
            stage = S::NAME,
            event = %envelope.id,
            workflow = envelope.workflow.map(tracing::field::display),
            reason = parcel.reason,
            detail = %parcel.detail,
            "parked as a dead letter"
        );
        self.engine
            .metrics
            .dead_letters
            .with_label_values(&[parcel.kind, S::NAME])
            .inc();
        let needs = Needs {
            conversation: envelope.conversation.clone(),
            lock: true,
            ..Needs::default()
        };
        let (stage, event) = (self.stage.clone(), event.cloned());
        let (id, correlation_id, arrived_at) = (
            envelope.id,
            envelope.correlation_id.clone(),
            envelope.arrived_at,
        );
        let job = Job {
            event: id,
            stage: S::NAME,
            correlation_id,
            traceparent: trace::current(),
            span: Span::current(),
            arrived_at,
            needs,
            decide: Box::new(move |_, now| {
                let parked = dead::park(&parcel, now);
                match &event {
                    Some(event) => parked.and(stage.give_up(event, parcel.reason, now)),
                    // Not even read: its workflow ends all the same. A notification has none of
                    // its own, and an unreadable body names none.
                    None if S::DEAD_KIND == "notification"
                        || parcel.reason == "invalid_message" =>
                    {
                        parked
                    }
                    None => parked.and(dead::fail_workflow(
                        &parcel.envelope,
                        S::NAME,
                        parcel.reason,
                        now,
                    )),
                }
            }),
        };
        match self.commit(job).await {
            Committed::Done { emitted, answers } => {
                crash::point(S::NAME, Point::Parked);
                self.engine.publisher.answer(answers).await;
                self.publish_parked(&emitted).await
            }
            Committed::Already(emitted) => self.publish_parked(&emitted).await,
            other => {
                tracing::error!(stage = S::NAME, event = %id, result = ?other, "not parked; will be tried again");
                Leave::Nak(Duration::from_secs(5))
            }
        }
    }

    async fn publish_parked(&self, emitted: &[handled::Kept]) -> Leave {
        match self.engine.publisher.publish(emitted).await {
            Ok(()) => Leave::Term,
            Err(_) => Leave::Nak(Duration::from_secs(1)),
        }
    }
}
