//! What `deliver` knows before it decides.

use std::time::Duration;

use super::{Event, Release};
use crate::domain::Cents;
use crate::engine::Io;
use crate::neighbours::collections_monitor::TenantAnswer;

/// What is owed now, for a text that had to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// Nobody had to ask.
    #[default]
    NotAsked,
    /// As the Monitor says; `None` when it knows no amount.
    Now(Option<Cents>),
    /// The Monitor does not answer.
    Unavailable,
}

/// What is known before anything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// What is owed now.
    pub balance: Balance,
    /// How long the agent is left alone, if it is.
    pub refused: Option<Duration>,
}

impl Found {
    /// Asks the Monitor where it matters, and the agent's circuit.
    pub(super) async fn of(event: &Event, io: &Io) -> Self {
        Self {
            balance: balance(event, io).await,
            refused: io.neighbours.sms_agent.refuses(),
        }
    }
}

impl From<Balance> for Found {
    fn from(balance: Balance) -> Self {
        Self {
            balance,
            refused: None,
        }
    }
}

/// What a text that had to wait was written for may have changed; others are not asked about.
async fn balance(event: &Event, io: &Io) -> Balance {
    let Release { reply, woken } = &event.body;
    let (true, Some(_), Some(tenant)) = (*woken, reply.balance, &reply.tenant_id) else {
        return Balance::NotAsked;
    };
    let correlation = &event.envelope.correlation_id;
    match io.neighbours.monitor.tenant(tenant, correlation).await {
        TenantAnswer::Found(tenant) => Balance::Now(tenant.debt_basis()),
        TenantAnswer::Unknown => Balance::Now(None),
        TenantAnswer::Unavailable(_) => Balance::Unavailable,
    }
}
