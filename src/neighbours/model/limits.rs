//! Requests and tokens a minute: whoever is over the limit waits instead of failing.

use std::num::NonZeroU32;
use std::time::Instant;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::Message;
use crate::ops::metrics::Metrics;

/// Limits of one account, per process: `OPENAI_REQUESTS_PER_MINUTE`, `OPENAI_TOKENS_PER_MINUTE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// 0 is no limit.
    pub requests: u32,
    /// 0 is no limit.
    pub tokens: u32,
}

/// The buckets. They begin full, so a quiet service answers a burst at once.
pub(super) struct Limits {
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, u32)>,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Self {
        let bucket = |n: u32| NonZeroU32::new(n).map(|n| RateLimiter::direct(Quota::per_minute(n)));
        Self {
            requests: bucket(rates.requests),
            tokens: bucket(rates.tokens).map(|b| (b, rates.tokens)),
        }
    }

    /// Waits until a request of about so many tokens may be made.
    pub(super) async fn wait(&self, tokens: u32, metrics: &Metrics) {
        let began = Instant::now();
        if let Some(bucket) = &self.requests {
            bucket.until_ready().await;
        }
        if let Some((bucket, most)) = &self.tokens
            && let Some(n) = NonZeroU32::new(tokens.min(*most))
        {
            // More than a whole bucket can never be had at once; a full one is the most to wait for.
            let _ = bucket.until_n_ready(n).await;
        }
        metrics
            .model_queue_seconds
            .with_label_values(&[] as &[&str])
            .observe(began.elapsed().as_secs_f64());
    }
}

/// The usual rule of thumb, four bytes a token, with the longest answer on top.
pub(super) fn estimate(messages: &[Message], max_tokens: u32) -> u32 {
    let bytes: usize = messages.iter().map(|m| m.text().len() + 16).sum();
    u32::try_from(bytes.div_ceil(4))
        .unwrap_or(u32::MAX)
        .saturating_add(max_tokens)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_is_over_the_limit_waits_and_is_served() {
        let metrics = Metrics::new().expect("metrics");
        let limits = Limits::new(Rates {
            requests: 600,
            tokens: 0,
        });
        let began = Instant::now();
        for _ in 0..600 {
            limits.wait(100, &metrics).await;
        }
        let burst = began.elapsed();
        assert!(
            burst < Duration::from_millis(500),
            "a full bucket: {burst:?}"
        );
        limits.wait(100, &metrics).await;
        limits.wait(100, &metrics).await;
        let waited = began.elapsed() - burst;
        assert!(
            waited >= Duration::from_millis(50),
            "ten a second: {waited:?}"
        );
    }

    #[tokio::test]
    async fn a_request_larger_than_the_bucket_is_not_refused() {
        let metrics = Metrics::new().expect("metrics");
        let limits = Limits::new(Rates {
            requests: 0,
            tokens: 1_000,
        });
        let patience = Duration::from_secs(2);
        tokio::time::timeout(patience, limits.wait(50_000, &metrics))
            .await
            .expect("served");
    }
}
