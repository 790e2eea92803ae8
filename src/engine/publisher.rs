//! Publishes what was committed, and answers whoever waits.

use std::future::IntoFuture;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;

use super::Names;
use super::answers::Answer;
use crate::store::handled::Kept;

/// A connection with the names to use on it.
#[derive(Clone)]
pub struct Publisher {
    /// The plain connection, for answers.
    pub client: async_nats::Client,
    /// The stream's side of it.
    pub jetstream: Context,
    /// How our names are written on this server.
    pub names: Names,
}

/// The stream did not take an event.
#[derive(Debug, thiserror::Error)]
#[error("publishing to {subject}: {source}")]
pub struct PublishFailed {
    subject: String,
    source: async_nats::jetstream::context::PublishError,
}

impl Publisher {
    /// Publishes events, pipelined: all are sent before the first acknowledgement is awaited.
    ///
    /// Tries for a few seconds; a failure leaves the cause unacknowledged, and its redelivery
    /// finds the mark and comes here again. The same `Nats-Msg-Id` every time makes a publish that
    /// did arrive (a "ghost" from the client's buffer after a reconnect) harmless.
    pub async fn publish(&self, events: &[Kept]) -> Result<(), PublishFailed> {
        let all = || async {
            let mut acks = Vec::with_capacity(events.len());
            for event in events {
                acks.push((&event.subject, self.send(event).await));
            }
            for (subject, ack) in acks {
                let failed = |source| PublishFailed {
                    subject: subject.clone(),
                    source,
                };
                ack.map_err(failed)?.into_future().await.map_err(failed)?;
            }
            Ok(())
        };
        all.retry(
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(50))
                .with_max_delay(Duration::from_secs(2))
                .with_max_times(6)
                .with_jitter(),
        )
        .notify(|error: &PublishFailed, _| tracing::warn!(%error, "publish repeated"))
        .await
    }

    async fn send(
        &self,
        event: &Kept,
    ) -> Result<
        async_nats::jetstream::context::PublishAckFuture,
        async_nats::jetstream::context::PublishError,
    > {
        let mut headers = HeaderMap::new();
        for (name, value) in &event.headers {
            headers.insert(name.as_str(), value.as_str());
        }
        headers.insert(
            async_nats::header::NATS_MESSAGE_ID,
            event.id.to_string().as_str(),
        );
        let body = Bytes::copy_from_slice(event.body.get().as_bytes());
        self.jetstream
            .publish_with_headers(self.names.subject(&event.subject), headers, body)
            .await
    }

    /// Answers, best effort: the truth is in the database, and the bridge reads it when a wait is over.
    pub async fn answer(&self, answers: Vec<Answer>) {
        for answer in answers {
            let mut headers = HeaderMap::new();
            headers.insert("Status", answer.status.to_string().as_str());
            let body = Bytes::from(answer.body.to_string());
            if let Err(error) = self
                .client
                .publish_with_headers(answer.to, headers, body)
                .await
            {
                tracing::debug!(%error, "an answer was not sent");
            }
        }
    }
}
