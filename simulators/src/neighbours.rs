//! All four neighbours together.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::gate::{Gate, Neighbour};
use crate::model::Model;
use crate::monitor::Monitor;
use crate::notifications::Notifications;
use crate::sms_agent::SmsAgent;
use crate::tenants::Tenants;

/// How the neighbours feel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// As fast as possible: for tests and benchmarks, which set what they need.
    #[default]
    Instant,
    /// As slow as the real ones, for the demo.
    Demo,
}

#[derive(Debug, Clone)]
pub struct Config {
    pub host: IpAddr,
    /// Zero means any free port, here and below.
    pub monitor_port: u16,
    pub sms_agent_port: u16,
    pub notifications_port: u16,
    pub model_port: u16,
    pub profile: Profile,
    /// Of every random choice; random itself when absent. See [`Neighbours::seed`].
    pub seed: Option<u64>,
    /// Keep the requests for [`Neighbour::requests`]; texts, notifications and counters are kept anyway.
    pub record: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            monitor_port: 0,
            sms_agent_port: 0,
            notifications_port: 0,
            model_port: 0,
            profile: Profile::default(),
            seed: None,
            record: true,
        }
    }
}

/// A port could not be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {host}:{port} for the {name}: {source}; choose another port, or 0 for any free one"
)]
pub struct StartError {
    name: &'static str,
    host: IpAddr,
    port: u16,
    source: std::io::Error,
}

/// They stop when dropped.
pub struct Neighbours {
    pub monitor: Neighbour<Monitor>,
    pub sms_agent: Neighbour<SmsAgent>,
    pub notifications: Neighbour<Notifications>,
    pub model: Neighbour<Model>,
    seed: u64,
}

impl Neighbours {
    /// On the runtime of the caller, which therefore must not be blocked.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let seed = config.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
        let tenants = Arc::new(Tenants::default());
        let host = config.host;
        let record = config.record;
        let refused = |name, port| {
            move |source| StartError {
                name,
                host,
                port,
                source,
            }
        };
        // Seeds of their own: requests to one neighbour must not shift the luck of another.
        let monitor = Gate::new(Monitor::new(Arc::clone(&tenants)), seed, record);
        let agent = Gate::new(SmsAgent::new(tenants), seed + 1, record);
        let notifications = Gate::new(Notifications::default(), seed + 2, record);
        let model = Gate::new(Model::default(), seed + 3, record);
        let port = config.monitor_port;
        let monitor = Neighbour::start(monitor, host, port)
            .await
            .map_err(refused("Collections Monitor", port))?;
        let port = config.sms_agent_port;
        let sms_agent = Neighbour::start(agent, host, port)
            .await
            .map_err(refused("SMS Agent", port))?;
        let port = config.notifications_port;
        let notifications = Neighbour::start(notifications, host, port)
            .await
            .map_err(refused("Notification service", port))?;
        let port = config.model_port;
        let model = Neighbour::start(model, host, port)
            .await
            .map_err(refused("model", port))?;
        if config.profile == Profile::Demo {
            monitor.set_latency(15, 10);
            sms_agent.set_latency(180, 60);
            notifications.set_latency(30, 15);
            model.set_latency(900, 400);
        }
        Ok(Self {
            monitor,
            sms_agent,
            notifications,
            model,
            seed,
        })
    }

    /// Print it when a test fails, and set it to see the same again.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// For `OPENAI_BASE_URL`.
    pub fn model_base_url(&self) -> String {
        format!("{}/v1", self.model.url())
    }

    pub fn reset(&self) {
        self.monitor.reset();
        self.sms_agent.reset();
        self.notifications.reset();
        self.model.reset();
    }
}
