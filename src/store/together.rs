//! Small questions that many messages ask at the same moment, asked in one statement.
//!
//! As the committer's rounds: whatever queued while the last statement ran is the next one. Nobody
//! waits when nobody else asks.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use super::handled::{self, Kept};
use super::{Db, consents};
use crate::domain::{EventId, Phone, TenantId};

/// The most questions of one statement.
const MOST: usize = 256;

type Asked<Q, A> = (Q, oneshot::Sender<A>);

/// One kind of question.
#[derive(Debug)]
struct Together<Q, A>(mpsc::Sender<Asked<Q, A>>);

impl<Q, A> Clone for Together<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: Send + 'static, A: Send + 'static> Together<Q, A> {
    /// `ask` answers each question, in their order. Ends when nobody is left to ask.
    fn start<F, Fut>(ask: F) -> Self
    where
        F: Fn(Vec<Q>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Vec<A>, sqlx::Error>> + Send,
    {
        let (sender, mut queue) = mpsc::channel::<Asked<Q, A>>(4 * MOST);
        tokio::spawn(async move {
            let mut round = Vec::with_capacity(MOST);
            while queue.recv_many(&mut round, MOST).await > 0 {
                let (questions, senders): (Vec<_>, Vec<_>) = round.drain(..).unzip();
                // After a failure each asks again alone, and learns what is wrong.
                for (sender, answer) in senders
                    .into_iter()
                    .zip(ask(questions).await.unwrap_or_default())
                {
                    drop(sender.send(answer));
                }
            }
        });
        Self(sender)
    }

    /// `None`: it could not be asked together.
    async fn ask(&self, question: Q) -> Option<A> {
        let (sender, receiver) = oneshot::channel();
        self.0.send((question, sender)).await.ok()?;
        receiver.await.ok()
    }
}

/// The questions that every text's way asks outside a round.
#[derive(Debug, Clone)]
pub struct Questions {
    db: Db,
    handled: Together<(EventId, &'static str), Option<Vec<Kept>>>,
    silenced: Together<(Phone, Option<TenantId>), bool>,
}

impl Questions {
    /// Inside the runtime.
    pub fn start(db: &Db) -> Self {
        let (marks, numbers) = (db.clone(), db.clone());
        Self {
            db: db.clone(),
            handled: Together::start(move |events: Vec<_>| {
                let db = marks.clone();
                async move { handled::each(&db, &events).await }
            }),
            silenced: Together::start(move |owned: Vec<_>| {
                let db = numbers.clone();
                async move { consents::silenced_each(&db, &owned).await }
            }),
        }
    }

    /// The kept events of one mark, if it is set.
    pub async fn handled(
        &self,
        event: EventId,
        stage: &'static str,
    ) -> Result<Option<Vec<Kept>>, sqlx::Error> {
        match self.handled.ask((event, stage)).await {
            Some(answer) => Ok(answer),
            None => handled::each(&self.db, &[(event, stage)]).await.map(only),
        }
    }

    /// Whether nothing may be texted to a number, or to its tenant: asked before a model is, without
    /// a lock, because the send is asked again.
    pub async fn silenced(
        &self,
        phone: &Phone,
        tenant: Option<&TenantId>,
    ) -> Result<bool, sqlx::Error> {
        let question = (phone.clone(), tenant.cloned());
        match self.silenced.ask(question.clone()).await {
            Some(answer) => Ok(answer),
            None => consents::silenced_each(&self.db, &[question])
                .await
                .map(only),
        }
    }
}

/// The answer to the only question.
fn only<A: Default>(answers: Vec<A>) -> A {
    answers.into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_asks_at_the_same_moment_is_answered_together_and_each_with_its_own() {
        let statements = Arc::new(AtomicUsize::new(0));
        let counted = statements.clone();
        let doubles = Together::start(move |numbers: Vec<u64>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok(numbers.into_iter().map(|n| n * 2).collect()) }
        });
        let all = (0..100).map(|n| doubles.ask(n));
        let answers = futures::future::join_all(all).await;
        let right: Vec<_> = (0..100).map(|n| Some(n * 2)).collect();
        assert_eq!(answers, right);
        assert!(statements.load(Ordering::SeqCst) < 10);
    }

    #[tokio::test]
    async fn a_statement_that_failed_leaves_nobody_waiting() {
        let broken =
            Together::start(|_: Vec<u8>| async { Err::<Vec<u8>, _>(sqlx::Error::PoolClosed) });
        assert_eq!(broken.ask(1).await, None);
        assert_eq!(broken.ask(2).await, None, "and the next one is asked");
    }
}
