//! Connections to one neighbour, thrown away together when one of them turns out dead.
//!
//! A pool of kept-alive connections outlives the process, the machine or the route at its other end.
//! When one was reset or said nothing, the idle ones beside it are most likely dead too, and every
//! repeat would pick the next dead one. So the whole client is replaced, once per fault.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// How long a neighbour may take, whatever it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// `NEIGHBOUR_CONNECT_TIMEOUT_SECONDS`; default 2.
    pub connect: Duration,
    /// `NEIGHBOUR_READ_TIMEOUT_SECONDS`: the longest silence while an answer comes; default 10.
    /// `None` where silence is normal until the whole answer is there.
    pub read: Option<Duration>,
    /// From the first byte of the request to the last of the answer. Drops that come in time, one by
    /// one, do not prolong it.
    pub total: Duration,
}

/// Below the five seconds after which uvicorn and Node close an idle connection: who reuses one in
/// that very moment gets a reset, and for a text that means that its fate is unclear.
const IDLE: Duration = Duration::from_secs(4);

/// The largest answer that is read. The largest honest one, fifty messages of 2000 characters, is
/// far below it.
pub const LARGEST_ANSWER: usize = 2 * 1024 * 1024;

/// The connections.
pub struct Connections {
    timeouts: Timeouts,
    current: Mutex<Current>,
}

#[derive(Clone)]
struct Current {
    client: reqwest::Client,
    generation: u64,
}

impl Connections {
    /// None yet.
    pub fn new(timeouts: Timeouts) -> Result<Self, reqwest::Error> {
        Ok(Self {
            current: Mutex::new(Current {
                client: build(timeouts)?,
                generation: 0,
            }),
            timeouts,
        })
    }

    /// The client to use for one call, and which one it is.
    pub fn current(&self) -> (reqwest::Client, u64) {
        let Current { client, generation } = self.lock().clone();
        (client, generation)
    }

    /// Lets go of all connections of a client that failed, unless somebody has already.
    pub fn renew(&self, generation: u64) {
        let mut current = self.lock();
        if current.generation != generation {
            return;
        }
        // Cannot fail where it has worked before; the old client is no worse than none.
        if let Ok(client) = build(self.timeouts) {
            *current = Current {
                client,
                generation: generation + 1,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every client of ours has: nobody sends us elsewhere, and idle connections are soon let go of.
pub fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

fn build(timeouts: Timeouts) -> Result<reqwest::Client, reqwest::Error> {
    let builder = client_builder()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total);
    match timeouts.read {
        Some(read) => builder.read_timeout(read).build(),
        None => builder.build(),
    }
}

/// Whether an error says something about the other connections too. A refused connection does not:
/// it was a fresh one.
pub fn is_dead_connection(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_builder()
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub enum Unread {
    /// The connection or the patience ended first.
    Broken(reqwest::Error),
    /// It is larger than any honest answer.
    TooLarge,
}

/// Reads a body, but no more than [`LARGEST_ANSWER`].
pub async fn read_body(mut answer: reqwest::Response) -> Result<Bytes, Unread> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > LARGEST_ANSWER as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(Unread::Broken)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
