//! The texts: what they say, what must become of them, and ways of handing them in.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::{Mutex, oneshot};

use crate::rig::Rig;

/// What text `n` says, and what must become of it.
pub(crate) fn case(n: usize) -> (&'static str, &'static str) {
    match n % 10 {
        0..=5 => ("When is my rent due? [confidence=0.95]", "auto_sent"),
        6 | 7 => (
            "Can I pay on Friday? [confidence=0.72]",
            "queued_for_approval",
        ),
        8 => ("I already paid this [confidence=0.95]", "escalated"),
        _ => ("hmm [confidence=0.3]", "escalated"),
    }
}

fn phone(n: usize) -> String {
    format!("+1202{n:07}")
}

/// Each text has a conversation and a tenant of its own.
pub(crate) fn body(n: usize) -> Value {
    json!({
        "tenant_id": format!("t202{n:07}"),
        "phone_number": phone(n),
        "content": case(n).0,
        "conversation_id": format!("c{n}"),
        "message_sid": format!("SM{n}"),
    })
}

/// Where texts are handed in.
#[derive(Clone)]
pub(crate) enum Door {
    /// Posted to the bridges, in turn.
    Http(reqwest::Client, Vec<String>),
    /// Published to the stream, the answer awaited on an inbox.
    Nats(Arc<Inbox>),
}

impl Door {
    /// The bridges of all replicas.
    pub(crate) fn http(rig: &Rig) -> Self {
        Self::Http(rig.client.clone(), rig.bridges())
    }

    /// The stream itself.
    pub(crate) async fn nats(rig: &Rig) -> Self {
        Self::Nats(Inbox::open(&rig.nats).await)
    }

    async fn hand_in(&self, n: usize) -> Value {
        match self {
            Self::Http(client, urls) => {
                let url = format!("{}/orchestrate/sms-received", urls[n % urls.len()]);
                let sent = client.post(url).json(&body(n)).send().await;
                sent.expect("an answer").json().await.expect("JSON")
            }
            Self::Nats(inbox) => inbox.ask(n).await,
        }
    }
}

/// One subscription for the answers to all published texts.
pub(crate) struct Inbox {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    subject: String,
    waiting: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl Inbox {
    /// Subscribes.
    pub(crate) async fn open(client: &async_nats::Client) -> Arc<Self> {
        let inbox = Arc::new(Self {
            jetstream: jetstream::new(client.clone()),
            subject: client.new_inbox(),
            client: client.clone(),
            waiting: Mutex::default(),
        });
        let mut answers = client
            .subscribe(format!("{}.*", inbox.subject))
            .await
            .expect("a subscription");
        let own = inbox.clone();
        tokio::spawn(async move {
            while let Some(message) = answers.next().await {
                if let Some(waiter) = own.waiting.lock().await.remove(message.subject.as_str()) {
                    let body = serde_json::from_slice(&message.payload).unwrap_or(Value::Null);
                    drop(waiter.send(body));
                }
            }
        });
        inbox
    }

    async fn ask(&self, n: usize) -> Value {
        let subject = format!("{}.{n}", self.subject);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().await.insert(subject.clone(), sender);
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Reply-Subject", subject);
        headers.insert("Nats-Msg-Id", format!("SM{n}"));
        let published = self.jetstream.publish_with_headers(
            "sms.received",
            headers,
            body(n).to_string().into(),
        );
        published.await.expect("published").await.expect("stored");
        receiver.await.unwrap_or(Value::Null)
    }

    /// Publishes texts without waiting for what becomes of them.
    pub(crate) async fn pour(&self, texts: Range<usize>) {
        let acks = futures::stream::iter(texts).map(|n| async move {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("SM{n}"));
            let published = self.jetstream.publish_with_headers(
                "sms.received",
                headers,
                body(n).to_string().into(),
            );
            published.await.expect("published").await.expect("stored");
        });
        acks.buffer_unordered(1024).collect::<()>().await;
        self.client.flush().await.expect("a flush");
    }
}

/// What came back.
#[derive(Default)]
pub(crate) struct Outcome {
    /// By text, how long it took; from the intended start with an open loop.
    pub(crate) took: Vec<(usize, Duration)>,
    /// Texts of which something else became.
    pub(crate) wrong: Vec<String>,
    /// From the first to the last.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    fn add(&mut self, n: usize, took: Duration, answer: &Value) {
        self.took.push((n, took));
        let expected = case(n).1;
        if answer["action_taken"] != expected {
            self.wrong.push(format!("{n}: {expected}, got {answer}"));
        }
    }

    /// Sorted times of the texts of which `action` had to become, of all without one.
    pub(crate) fn times(&self, action: Option<&str>) -> Vec<Duration> {
        let wanted = |(n, _): &&(usize, Duration)| action.is_none_or(|a| case(*n).1 == a);
        let mut took: Vec<Duration> = self.took.iter().filter(wanted).map(|(_, t)| *t).collect();
        took.sort_unstable();
        took
    }
}

/// So many texts at a time, each waited for. Those who hand them in begin one after the other within
/// `spread`: behind a neighbour that always takes as long they would walk in step for ever, and what is
/// measured would be the queue of all of them.
pub(crate) async fn closed_loop(
    door: &Door,
    texts: Range<usize>,
    in_flight: usize,
    spread: Duration,
) -> Outcome {
    let next = Arc::new(AtomicUsize::new(texts.start));
    let started = Instant::now();
    let workers: Vec<_> = (0..in_flight)
        .map(|worker| {
            let (door, next, end) = (door.clone(), next.clone(), texts.end);
            let wait = spread.mul_f64(worker as f64 / in_flight as f64);
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                let mut outcome = Outcome::default();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        return outcome;
                    }
                    let sent = Instant::now();
                    let answer = door.hand_in(n).await;
                    outcome.add(n, sent.elapsed(), &answer);
                }
            })
        })
        .collect();
    let mut all = Outcome::default();
    for worker in workers {
        let outcome = worker.await.expect("a worker");
        all.took.extend(outcome.took);
        all.wrong.extend(outcome.wrong);
    }
    all.elapsed = started.elapsed();
    all
}

/// So many texts a second, whatever becomes of the earlier ones. Times count from the moment a text
/// should have been handed in, so that a stall shows in all texts that it held up.
pub(crate) async fn open_loop(door: &Door, texts: Range<usize>, per_second: usize) -> Outcome {
    let started = Instant::now();
    let first = texts.start;
    let mut asked = Vec::with_capacity(texts.len());
    for n in texts {
        let intended = started + Duration::from_secs_f64((n - first) as f64 / per_second as f64);
        tokio::time::sleep_until(intended.into()).await;
        let door = door.clone();
        asked.push(tokio::spawn(async move {
            let answer = door.hand_in(n).await;
            (n, intended.elapsed(), answer)
        }));
    }
    let mut all = Outcome::default();
    for task in asked {
        let (n, took, answer) = task.await.expect("a text");
        all.add(n, took, &answer);
    }
    all.elapsed = started.elapsed();
    all
}

/// Milliseconds within which so many percent were done.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted
        .get(at)
        .map_or(0.0, |took| took.as_secs_f64() * 1000.0)
}

/// Says what became of all texts up to now, and fails when one went astray.
pub(crate) async fn judge(rig: &Rig, texts: Range<usize>, wrong: &[String]) {
    let due: Vec<String> = texts
        .filter(|n| case(*n).1 == "auto_sent")
        .map(phone)
        .collect();
    let mut phones: HashMap<String, usize> = HashMap::new();
    for number in rig.on_phones().await {
        *phones.entry(number).or_default() += 1;
    }
    let lost = due
        .iter()
        .filter(|number| !phones.contains_key(*number))
        .count();
    let twice = phones.values().filter(|count| **count > 1).count();
    let strangers = phones.len() + lost - due.len();
    println!(
        "  lost {lost}, twice {twice}, to others {strangers}, other outcome {}",
        wrong.len()
    );
    for line in wrong.iter().take(3) {
        println!("    {line}");
    }
    assert!(
        lost + twice + strangers + wrong.len() == 0,
        "texts went astray"
    );
}
