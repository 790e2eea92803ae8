//! One round after another: which jobs are in one, and how they are decided and written together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Committed, Job, Ticket};
use crate::engine::crash::{self, Point};
use crate::engine::decision::Next;
use crate::engine::emitted::keep;
use crate::engine::tally::Tally;
use crate::engine::{Clock, Decision, answers};
use crate::ops::metrics::Metrics;
use crate::ops::trace;
use crate::store::handled::Mark;
use crate::store::{self, Case, Db, Forms, Needs, Patience, Tx, handled, is_meeting, is_transient};

/// The largest round. Beyond this a transaction's locks are held long enough to be felt.
const ROUND: usize = 256;

/// How often a round may deadlock or fail to serialize before its members go alone.
const PATIENCE_TOGETHER: usize = 2;

/// A shard.
pub(super) struct Worker {
    pub(super) pool: Db,
    pub(super) patience: Patience,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: CancellationToken,
}

/// Why a round was rolled back.
enum RoundError {
    /// Another replica handled a member meanwhile.
    Overtaken,
    /// Postgres said no.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for RoundError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Worker {
    /// Commits what comes until nobody is left who could send.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Ticket>) {
        let mut waiting: VecDeque<Ticket> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let mut fresh = Vec::with_capacity(ROUND);
                if queue.recv_many(&mut fresh, ROUND).await == 0 {
                    return;
                }
                waiting.extend(fresh);
            }
            // As many fresh ones as fit a round, however many of one conversation wait: a flood in
            // one conversation must not starve the others of its shard.
            for _ in 0..ROUND {
                match queue.try_recv() {
                    Ok(ticket) => waiting.push_back(ticket),
                    Err(_) => break,
                }
            }
            let round = next_round(&mut waiting);
            self.commit_all(round).await;
        }
    }

    /// Commits a round, or, when a member breaks it, each member alone.
    async fn commit_all(&self, round: Vec<Ticket>) {
        let jobs: Vec<&Job> = round.iter().map(|(job, _)| job).collect();
        match self.commit_patiently(&jobs).await {
            Ok(results) => answer_all(round, results),
            Err(_) if round.len() > 1 => {
                for (job, sender) in round {
                    let result = match self.commit_patiently(&[&job]).await {
                        Ok(mut results) => results.pop().unwrap_or(Committed::Stopping),
                        Err(error) => Committed::Failed(error),
                    };
                    // A receiver that went away leaves its message to redelivery.
                    drop(sender.send(result));
                }
            }
            Err(error) => {
                let results = round
                    .iter()
                    .map(|_| Committed::Failed(error.clone()))
                    .collect();
                answer_all(round, results);
            }
        }
    }

    /// Repeats while the fault is not the round's own: Postgres is away, two transactions met,
    /// another replica was quicker. The messages stay unacknowledged meanwhile, their deadline
    /// extended by the runner.
    async fn commit_patiently(&self, jobs: &[&Job]) -> Result<Vec<Committed>, String> {
        let mut look_for_marks = false;
        let mut clashes = 0;
        let mut meetings = 0;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.commit_in_time(jobs, look_for_marks).await {
                Ok(results) => return Ok(results),
                // Members that met on a mark fall apart into rounds of one.
                Err(RoundError::Overtaken) if look_for_marks && jobs.len() > 1 => {
                    return Err("two members share a mark".to_owned());
                }
                Err(RoundError::Overtaken) => look_for_marks = true,
                // Two replicas inserted the same key: the loser looks again and finds a duplicate.
                Err(RoundError::Database(error)) if is_unique_violation(&error) && clashes < 3 => {
                    clashes += 1;
                    look_for_marks = true;
                    if jobs.len() > 1 {
                        return Err(error.to_string());
                    }
                }
                Err(RoundError::Database(error)) if is_transient(&error) => {
                    if self.stop.is_cancelled() {
                        return Ok(jobs.iter().map(|_| Committed::Stopping).collect());
                    }
                    tracing::warn!(%error, members = jobs.len(), "commit postponed");
                    // Everybody locks one conversation's rows in one order: alone each comes through.
                    meetings += usize::from(is_meeting(&error));
                    if meetings > PATIENCE_TOGETHER && jobs.len() > 1 {
                        return Err(error.to_string());
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                    // The connection may have died after the commit.
                    look_for_marks = true;
                }
                Err(RoundError::Database(error)) => return Err(error.to_string()),
            }
        }
    }

    /// A connection that says nothing is a database that is away.
    async fn commit_in_time(
        &self,
        jobs: &[&Job],
        look_for_marks: bool,
    ) -> Result<Vec<Committed>, RoundError> {
        let once = async {
            match self.commit_once(jobs, look_for_marks).await {
                Ok(results) => Ok(Some(results)),
                Err(RoundError::Database(error)) => Err(error),
                Err(RoundError::Overtaken) => Ok(None),
            }
        };
        match self.patience.within(once).await {
            Ok(Some(results)) => Ok(results),
            Ok(None) => Err(RoundError::Overtaken),
            Err(error) => Err(RoundError::Database(error)),
        }
    }

    async fn commit_once(
        &self,
        jobs: &[&Job],
        look_for_marks: bool,
    ) -> Result<Vec<Committed>, RoundError> {
        let mut tx = self.patience.begin(&self.pool).await?;
        let mut already = HashMap::new();
        if look_for_marks {
            let events: Vec<_> = jobs.iter().map(|job| (job.event, job.stage)).collect();
            for (event, stage, kept) in handled::find(&mut *tx, &events).await? {
                already.insert((event, stage), kept);
            }
        }
        let is_open = |job: &&&Job| !already.contains_key(&(job.event, job.stage.to_owned()));
        let open: Vec<&Job> = jobs.iter().filter(is_open).copied().collect();
        let needs: Vec<&Needs> = open.iter().map(|job| &job.needs).collect();
        let cases = store::case::load(&mut tx, &needs, self.clock.now()).await?;
        link_to_drafts(&open, &cases);
        let now = self.clock.now();
        let decided = decide_all(&open, &cases, now);
        let tally = Tally::of(&open, &decided, now);
        let results = write(&mut tx, &open, decided, now).await?;
        pass(
            &open,
            &results,
            Point::IntentWritten,
            Point::DecisionWritten,
        );
        tx.commit().await?;
        tally.count(&self.metrics);
        pass(
            &open,
            &results,
            Point::IntentCommitted,
            Point::DecisionCommitted,
        );
        let mut results = results.into_iter();
        Ok(jobs
            .iter()
            .map(
                |job| match already.get(&(job.event, job.stage.to_owned())) {
                    Some(kept) => Committed::Already(kept.clone()),
                    None => results.next().unwrap_or(Committed::Stopping),
                },
            )
            .collect())
    }
}

/// A round has come to where a test may end it.
fn pass(jobs: &[&Job], results: &[Committed], intent: Point, decision: Point) {
    for (job, result) in jobs.iter().zip(results) {
        match result {
            Committed::Act(_) => crash::point(job.stage, intent),
            Committed::Done { .. } => crash::point(job.stage, decision),
            _ => {}
        }
    }
}

/// At most one member per conversation; the others keep their place for the next round.
pub(super) fn next_round(waiting: &mut VecDeque<Ticket>) -> Vec<Ticket> {
    let mut seen = HashSet::new();
    // The same event from outside twice is two jobs for one mark.
    let mut events = HashSet::new();
    let mut round = Vec::new();
    let mut later = VecDeque::new();
    for ticket in waiting.drain(..) {
        let job = &ticket.0;
        let met = job
            .needs
            .conversation
            .as_ref()
            .is_some_and(|c| seen.contains(c))
            || events.contains(&(job.event, job.stage));
        if met || round.len() == ROUND {
            later.push_back(ticket);
            continue;
        }
        seen.extend(job.needs.conversation.clone());
        events.insert((job.event, job.stage));
        round.push(ticket);
    }
    *waiting = later;
    round
}

fn answer_all(round: Vec<Ticket>, results: Vec<Committed>) {
    for ((_, sender), result) in round.into_iter().zip(results) {
        // A receiver that went away leaves its message to redelivery.
        drop(sender.send(result));
    }
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// What is done about a draft later - a decision, a night after - is a trace of its own, which leads
/// back to the one it was written in.
fn link_to_drafts(jobs: &[&Job], cases: &[Case]) {
    for (job, case) in jobs.iter().zip(cases) {
        let written_in = case.draft.as_ref().and_then(|d| d.traceparent.as_deref());
        if let Some(traceparent) = written_in {
            trace::link(&job.span, traceparent);
        }
    }
}

/// A decision that panics is its message's fault alone: it must not take the round with it.
pub(super) fn decide_all(
    jobs: &[&Job],
    cases: &[Case],
    now: DateTime<Utc>,
) -> Vec<Result<Decision, String>> {
    jobs.iter()
        .zip(cases)
        .map(|(job, case)| {
            catch_unwind(AssertUnwindSafe(|| (job.decide)(case, now)))
                .map_err(|_| format!("stage {} panicked while deciding", job.stage))
        })
        .collect()
}

/// Writes all decisions of a round and says what comes next for each.
async fn write(
    tx: &mut Tx<'_>,
    jobs: &[&Job],
    decided: Vec<Result<Decision, String>>,
    now: DateTime<Utc>,
) -> Result<Vec<Committed>, RoundError> {
    let mut changes = Vec::new();
    let mut results = Vec::with_capacity(jobs.len());
    let mut wanted = Vec::with_capacity(jobs.len());
    for (job, decision) in jobs.iter().zip(decided) {
        let decision = match decision {
            Ok(decision) => decision,
            Err(panic) => {
                results.push(Committed::Failed(panic));
                wanted.push(Vec::new());
                continue;
            }
        };
        let Decision {
            changes: own,
            emits,
            replies,
            next,
        } = decision;
        let result = match next {
            Next::Done => match keep(job, emits, now) {
                Ok(emitted) => Committed::Done {
                    emitted,
                    answers: Vec::new(),
                },
                Err(error) => Committed::Failed(error),
            },
            Next::Act(effect) => Committed::Act(effect),
            Next::Later {
                after,
                because,
                counted,
            } => Committed::Later {
                after,
                because,
                counted,
                answers: Vec::new(),
            },
            Next::Never { reason, detail } => Committed::Never { reason, detail },
        };
        if !matches!(result, Committed::Failed(_)) {
            changes.extend(own);
        }
        results.push(result);
        wanted.push(replies);
    }
    let marks = marks_of(jobs, &results);
    let forms = match jobs {
        [_] => Forms::Many,
        _ => Forms::One,
    };
    if store::apply(tx, &marks, changes, forms).await? != marks.len() as u64 {
        return Err(RoundError::Overtaken);
    }
    for (result, replies) in results
        .iter_mut()
        .zip(answers::load(tx, wanted, now).await?)
    {
        if let Committed::Done { answers, .. } | Committed::Later { answers, .. } = result {
            *answers = replies;
        }
    }
    Ok(results)
}

fn marks_of<'a>(jobs: &[&Job], results: &'a [Committed]) -> Vec<Mark<'a>> {
    let mark = |(job, result): (&&Job, &'a Committed)| match result {
        Committed::Done { emitted, .. } => Some(Mark {
            event: job.event,
            stage: job.stage,
            emitted,
        }),
        _ => None,
    };
    jobs.iter().zip(results).filter_map(mark).collect()
}
