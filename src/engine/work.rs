//! One message's walk through a stage: decode, already handled?, gather, decide, commit, act,
//! publish, answer; and the ways it may fail. Says how the message leaves; nobody else does.

mod giving_up;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::answers::Answer;
use super::committer::{Committed, Job};
use super::crash::{self, Point};
use super::dead::Parcel;
use super::effects;
use super::envelope::Origin;
use super::in_work::{InWork, OnlyOne, with_progress};
use super::runner::Engine;
use super::stage::{Stage, StageError};
use super::{Envelope, Incoming};
use crate::domain::Arrival;
use crate::events::{Received, StageInput};
use crate::ops::trace::{self, part};
use crate::store::{attempts, handled};

/// Deliveries that left no trace (neither a failure nor a wait is on record) after which a message
/// is suspected of killing its worker, and runs alone.
const SUSPECT_AFTER: i64 = 5;
/// How often in a row it may begin alone and not come back before it is parked. Deliveries alone prove
/// nothing: workers die of other causes, and a replica that is slow lets deadlines pass.
const DEATHS: i32 = 5;

/// One message in one stage.
pub(super) struct Work<S> {
    pub(super) engine: Arc<Engine>,
    pub(super) stage: Arc<S>,
    pub(super) slots: Arc<Semaphore>,
    /// Among those in hand; given back when this is dropped.
    pub(super) _place: OwnedSemaphorePermit,
    /// The messages of this consumer that are in work in this process.
    pub(super) in_work: InWork,
    /// Nothing is pulled any more: what is given back does not come straight back.
    pub(super) pulled: CancellationToken,
    /// How often the deadline is extended: well within it.
    pub(super) progress_every: Duration,
    pub(super) epoch: i32,
    pub(super) stream_created: DateTime<Utc>,
}

/// How a message leaves the stage.
enum Leave {
    Ack,
    Nak(Duration),
    Term,
    /// Say nothing: the server delivers it again after the deadline.
    Silent,
}

impl<S: Stage> Work<S> {
    pub(super) async fn take(self, message: Message) {
        let origin = match message.info() {
            Ok(info) => Origin {
                stream_created: self.stream_created,
                arrival: Arrival {
                    epoch: self.epoch,
                    sequence: i64::try_from(info.stream_sequence).unwrap_or(i64::MAX),
                },
                stored_at: DateTime::from_timestamp(
                    info.published.unix_timestamp(),
                    info.published.nanosecond(),
                )
                .map_or_else(
                    || self.engine.clock.now(),
                    |t| chrono::SubsecRound::trunc_subsecs(t, 6),
                ),
                delivered: info.delivered,
            },
            Err(error) => {
                tracing::error!(stage = S::NAME, %error, "a message without a place in a stream");
                return;
            }
        };
        // Its deadline passed while it is in work here: twice the work would only make that worse.
        let Some(_only) = OnlyOne::claim(&self.in_work, origin.arrival.sequence) else {
            drop(message.ack_with(AckKind::Progress).await);
            return;
        };
        let (message, acker) = message.split();
        let envelope = Envelope::read(
            &message.subject,
            message.headers.as_ref(),
            origin,
            &self.engine.publisher.names,
        );
        let parcel = Parcel {
            headers: message.headers,
            payload: message.payload,
            stage: S::NAME,
            kind: S::DEAD_KIND,
            reason: "",
            detail: String::new(),
            attempts: None,
            envelope,
        };
        crash::point(S::NAME, Point::Taken);
        let started = std::time::Instant::now();
        let span = trace::message(S::NAME, &parcel.envelope);
        let incoming = parcel.envelope.traceparent.clone();
        // A stage's whole way is kilobytes of state, and every wrapper around it would copy them.
        let handled = with_progress(&acker, self.progress_every, Box::pin(self.handle(parcel)));
        let leave = trace::within(incoming.as_deref(), span.clone(), handled).await;
        let outcome = match &leave {
            Leave::Ack => "handled",
            Leave::Nak(_) => "later",
            Leave::Term => "parked",
            Leave::Silent => "interrupted",
        };
        trace::conclude(&span, "outcome", outcome);
        self.engine
            .metrics
            .stage_finished(S::NAME, outcome, started.elapsed());
        let acknowledged = matches!(leave, Leave::Ack);
        let told = match leave {
            Leave::Ack => acker.ack().await,
            Leave::Nak(after) => acker.ack_with(AckKind::Nak(Some(after))).await,
            Leave::Term => acker.ack_with(AckKind::Term).await,
            Leave::Silent => Ok(()),
        };
        if acknowledged {
            // The client only queues it: let it out, or this would be the point before.
            crash::point_flushed(&self.engine.publisher.client, S::NAME, Point::Acknowledged).await;
        }
        if let Err(error) = told {
            tracing::debug!(stage = S::NAME, %error, "the server will deliver the message again");
        }
    }

    async fn handle(&self, parcel: Parcel) -> Leave {
        // At shutdown, what has not begun goes to another replica at once.
        let _slot = tokio::select! {
            biased;
            () = self.engine.stop.cancelled() => {
                self.pulled.cancelled().await;
                return Leave::Nak(Duration::ZERO);
            }
            slot = self.slots.acquire() => match slot {
                Ok(slot) => slot,
                Err(_) => return Leave::Silent,
            },
        };
        if !self.is_suspect(&parcel).await {
            return self.begin(parcel).await;
        }
        let Ok(_alone) = self.engine.alone.acquire().await else {
            return Leave::Silent;
        };
        let (id, db) = (parcel.envelope.id, &self.engine.io.db);
        let now = self.engine.clock.now();
        let note = || attempts::begun_alone(db, id, S::NAME, now);
        match self.patiently(note).await {
            None => return Leave::Silent,
            Some(times) if times > DEATHS => {
                let detail = "its worker died every time".to_owned();
                let reason = "attempts_exhausted";
                let parcel = Parcel {
                    reason,
                    detail,
                    ..parcel
                };
                return self.park(parcel, None).await;
            }
            Some(_) => {}
        }
        let leave = self.begin(parcel).await;
        match self.patiently(|| attempts::survived(db, id, S::NAME)).await {
            Some(()) => leave,
            None => Leave::Silent,
        }
    }

    async fn begin(&self, parcel: Parcel) -> Leave {
        let envelope = &parcel.envelope;
        let received = Received {
            at: envelope.received_at,
            idempotency_key: envelope.idempotency_key.as_deref(),
        };
        if envelope.is_newer() {
            let detail = "written by a newer version".to_owned();
            return self.leave_to_a_newer(parcel, detail).await;
        }
        let event = match S::In::decode(&envelope.subject, &parcel.payload, received) {
            Ok(body) => Arc::new(Incoming {
                envelope: envelope.clone(),
                body,
            }),
            Err(invalid) if !envelope.is_ours => return self.refuse(parcel, &invalid).await,
            // What one of us wrote and this one cannot read is a newer one's.
            Err(invalid) => return self.leave_to_a_newer(parcel, invalid.sentence()).await,
        };
        match AssertUnwindSafe(self.walk(&event)).catch_unwind().await {
            Ok(Walked::Leave(leave)) => leave,
            Ok(Walked::Failed { after, because }) => {
                self.failed(parcel, Some(&event), after, because).await
            }
            Ok(Walked::Never { reason, detail }) => {
                self.park(
                    Parcel {
                        reason,
                        detail,
                        ..parcel
                    },
                    Some(&event),
                )
                .await
            }
            Err(_) => {
                let because = "the stage panicked".to_owned();
                self.failed(parcel, Some(&event), Duration::from_secs(1), because)
                    .await
            }
        }
    }

    /// Most messages are delivered once, and then nobody asks.
    async fn is_suspect(&self, parcel: &Parcel) -> bool {
        let delivered = parcel.envelope.delivered;
        if delivered <= SUSPECT_AFTER || S::WAITS_FOR_ITS_TURN {
            return false;
        }
        let recorded = attempts::count(&self.engine.io.db, parcel.envelope.id, S::NAME);
        let recorded = self.engine.patience.within(recorded).await;
        recorded.is_ok_and(|count| delivered - i64::from(count) > SUSPECT_AFTER)
    }

    /// gather, decide, commit; act and conclude as often as the decisions say; publish, answer.
    async fn walk(&self, event: &Arc<Incoming<S::In>>) -> Walked {
        let engine = &self.engine;
        if S::ASKS_OUTSIDE && !event.envelope.is_surely_new() {
            let id = event.envelope.id;
            let look = || engine.io.questions.handled(id, S::NAME);
            match self.patiently(look).await {
                Some(Some(kept)) => return self.publish(&kept, Vec::new()).await,
                Some(None) => {}
                None => return Walked::Leave(Leave::Silent),
            }
        }
        let gathered = Box::pin(self.stage.gather(event, &engine.io));
        let found = match gathered.instrument(part!("gather")).await {
            Ok(found) => Arc::new(found),
            Err(StageError::Later { after, because }) => return Walked::Failed { after, because },
            Err(StageError::Never { reason, detail }) => return Walked::Never { reason, detail },
        };
        crash::point(S::NAME, Point::Gathered);
        let mut committed = self.commit(self.job(event, &found, None)).await;
        loop {
            match committed {
                Committed::Act(effect) => {
                    let acted = effects::perform(&effect, &engine.io, engine.clock.now());
                    let result = Arc::new(acted.instrument(part!("act")).await);
                    crash::point(S::NAME, Point::Acted);
                    committed = self.commit(self.job(event, &found, Some(result))).await;
                }
                Committed::Done { emitted, answers } => {
                    if event.envelope.workflow.is_none() {
                        name_workflow(&emitted);
                    }
                    for event in &emitted {
                        engine
                            .metrics
                            .events
                            .with_label_values(&[&event.subject])
                            .inc();
                    }
                    return self.publish(&emitted, answers).await;
                }
                Committed::Already(kept) => return self.publish(&kept, Vec::new()).await,
                Committed::Later {
                    after,
                    because,
                    counted,
                    answers,
                } => {
                    crash::point(S::NAME, Point::Postponed);
                    engine.publisher.answer(answers).await;
                    if counted {
                        return Walked::Failed { after, because };
                    }
                    return Walked::Leave(Leave::Nak(after));
                }
                Committed::Never { reason, detail } => return Walked::Never { reason, detail },
                Committed::Failed(because) => {
                    return Walked::Failed {
                        after: Duration::from_secs(1),
                        because,
                    };
                }
                Committed::Stopping => return Walked::Leave(Leave::Silent),
            }
        }
    }

    async fn commit(&self, job: Job) -> Committed {
        let committing = self.engine.committer.commit(job);
        committing.instrument(part!("commit")).await
    }

    fn job(
        &self,
        event: &Arc<Incoming<S::In>>,
        found: &Arc<S::Found>,
        result: Option<Arc<super::EffectResult>>,
    ) -> Job {
        let (stage, event_, found_) = (self.stage.clone(), event.clone(), found.clone());
        Job {
            event: event.envelope.id,
            stage: S::NAME,
            correlation_id: event.envelope.correlation_id.clone(),
            traceparent: trace::current(),
            span: Span::current(),
            arrived_at: event.envelope.arrived_at,
            needs: self.stage.needs(event, found),
            decide: Box::new(move |case, now| match &result {
                None => stage.decide(&event_, &found_, case, now),
                Some(result) => stage.conclude(&event_, &found_, result, case, now),
            }),
        }
    }

    async fn publish(&self, emitted: &[handled::Kept], answers: Vec<Answer>) -> Walked {
        let publishing = self.engine.publisher.publish(emitted);
        let published = publishing.instrument(part!("publish")).await;
        crash::point(S::NAME, Point::Published);
        // The decision stands whatever became of the events: whoever waits may know.
        self.engine.publisher.answer(answers).await;
        crash::point(S::NAME, Point::Answered);
        match published {
            Ok(()) => Walked::Leave(Leave::Ack),
            Err(error) => {
                tracing::warn!(stage = S::NAME, %error, "committed, not published; the redelivery will");
                Walked::Leave(Leave::Nak(Duration::from_secs(1)))
            }
        }
    }
}

impl<S: Stage> Work<S> {
    /// Waits for Postgres in place, the message's deadline being extended meanwhile. Giving the
    /// message back instead would make its deliveries count up without a trace, which is what a
    /// message that kills its worker looks like. `None`: the service is stopping.
    async fn patiently<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        mut ask: impl FnMut() -> F,
    ) -> Option<T> {
        loop {
            match self.engine.patience.within(ask()).await {
                Ok(answer) => return Some(answer),
                Err(_) if self.engine.stop.is_cancelled() => return None,
                Err(error) => {
                    tracing::warn!(stage = S::NAME, %error, "database not reachable");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

enum Walked {
    Leave(Leave),
    Failed {
        after: Duration,
        because: String,
    },
    Never {
        reason: &'static str,
        detail: String,
    },
}

/// A text has no workflow before it is stored; its log lines have from here on.
fn name_workflow(emitted: &[handled::Kept]) {
    let mut headers = emitted.iter().flat_map(|kept| &kept.headers);
    if let Some((_, id)) = headers.find(|(name, _)| name == "ce-workflowid") {
        Span::current().record("workflow_id", id);
    }
}
