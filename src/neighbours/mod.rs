//! The services around us: one file each, with its address, its wire format and the meaning of its
//! answers (`upstreams.md`). What they share - timeouts, retries, headers, counting - is in [`caller`];
//! when a neighbour is left alone is in [`breaker`].

pub mod breaker;
pub mod caller;
pub mod circuit;
pub mod collections_monitor;
pub mod connections;
pub mod limits;
pub mod model;
pub mod notifications;
pub mod open;
pub mod sms_agent;
mod verdicts;

use std::sync::Arc;

pub use caller::{CallError, Caller, RetrySettings};
pub use circuit::{Circuit, CircuitName, CircuitView};
pub use collections_monitor::CollectionsMonitor;
pub use model::Model;
pub use notifications::Notifications;
pub use sms_agent::SmsAgent;

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
    /// All circuits, to be shown.
    pub circuits: Vec<Arc<Circuit>>,
}

impl Neighbours {
    /// Whether one of them answers now, asked past its circuit and at no cost.
    pub async fn is_reachable(&self, who: Neighbour) -> bool {
        match who {
            Neighbour::CollectionsMonitor => self.monitor.is_reachable().await,
            Neighbour::SmsAgent => self.sms_agent.is_reachable().await,
            Neighbour::NotificationService => self.notifications.is_reachable().await,
            Neighbour::Openai => self.model.is_reachable().await,
        }
    }

    /// One neighbour's circuits.
    pub fn circuits_of(&self, who: Neighbour) -> Vec<CircuitView> {
        let views = self.circuits.iter().map(|circuit| circuit.view());
        views.filter(|view| view.name.neighbour() == who).collect()
    }
}
