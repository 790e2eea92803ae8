//! The services around us: one file each, with its address, its wire format and the meaning of its
//! answers (`upstreams.md`). What they share - timeouts, retries, headers, counting - is in [`caller`].

pub mod caller;
pub mod collections_monitor;
pub mod model;
pub mod notifications;
pub mod sms_agent;
pub mod state;

use std::sync::Arc;

pub use caller::{CallError, Caller, RetrySettings};
pub use collections_monitor::CollectionsMonitor;
pub use model::Model;
pub use notifications::Notifications;
pub use sms_agent::SmsAgent;
pub use state::{Circuit, NeighbourState};

use crate::events::Neighbour;

/// All of them.
#[derive(Clone)]
pub struct Neighbours {
    /// Tenant context, port 8001.
    pub monitor: Arc<CollectionsMonitor>,
    /// History and sending, port 8002.
    pub sms_agent: Arc<SmsAgent>,
    /// Managers' notifications, port 8003.
    pub notifications: Arc<Notifications>,
    /// The model.
    pub model: Arc<Model>,
}

impl Neighbours {
    /// What is known about one of them.
    pub fn state(&self, who: Neighbour) -> &NeighbourState {
        match who {
            Neighbour::CollectionsMonitor => self.monitor.state(),
            Neighbour::SmsAgent => self.sms_agent.state(),
            Neighbour::NotificationService => self.notifications.state(),
            Neighbour::Openai => self.model.state(),
        }
    }

    /// Whether one of them answers now, asked past its breaker and at no cost.
    pub async fn is_reachable(&self, who: Neighbour) -> bool {
        match who {
            Neighbour::CollectionsMonitor => self.monitor.is_reachable().await,
            Neighbour::SmsAgent => self.sms_agent.is_reachable().await,
            Neighbour::NotificationService => self.notifications.is_reachable().await,
            Neighbour::Openai => self.model.is_reachable().await,
        }
    }
}
