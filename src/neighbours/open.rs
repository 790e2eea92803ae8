//! Builds the clients of all neighbours with their circuits and limits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::caller::{Address, CallerParts};
use super::circuit::{Circuit, CircuitName};
use super::connections::Timeouts;
use super::limits::Limits;
use super::model::Circuits;
use super::{
    Caller, CollectionsMonitor, Model, Neighbours, Notifications, RetrySettings, SmsAgent,
};
use crate::config::NeighbourSettings;
use crate::engine::Clock;
use crate::events::CircuitChanged;
use crate::ops::metrics::Metrics;

/// What all clients of a process share.
pub struct Opening<'a> {
    /// Where they are, and how they are spoken to.
    pub settings: &'a NeighbourSettings,
    /// The time.
    pub clock: &'a Clock,
    /// Counters.
    pub metrics: &'a Arc<Metrics>,
    /// Hears of every change of a circuit.
    pub told: Option<mpsc::Sender<CircuitChanged>>,
}

impl Opening<'_> {
    /// All clients. No connection is made yet.
    pub fn all(&self) -> Result<Neighbours, reqwest::Error> {
        let (settings, limits) = (self.settings, &self.settings.limits);
        let monitor = self.circuit(CircuitName::Monitor, limits.monitor);
        let sends = self.circuit(CircuitName::SmsSends, limits.sms_sends);
        let reads = self.circuit(CircuitName::SmsReads, limits.sms_reads);
        let notifications = self.circuit(CircuitName::Notifications, limits.notifications);
        let model = Circuits {
            first: self.circuit(CircuitName::Model, limits.model),
            second: self.circuit(CircuitName::Fallback, limits.model),
        };
        let mut circuits = vec![
            monitor.clone(),
            sends.clone(),
            reads.clone(),
            notifications.clone(),
            model.first.clone(),
        ];
        if settings.model.second.is_some() {
            circuits.push(model.second.clone());
        }
        Ok(Neighbours {
            monitor: Arc::new(CollectionsMonitor::new(self.caller(
                monitor,
                &settings.monitor,
                limits.monitor,
                settings.read_timeout,
                settings.retry,
            )?)),
            sms_agent: Arc::new(self.agent(reads, sends, settings.retry)?),
            notifications: Arc::new(Notifications::new(
                self.caller(
                    notifications,
                    &settings.notifications,
                    limits.notifications,
                    limits.notification,
                    settings.retry,
                )?,
                settings.notification.clone(),
            )),
            model: Arc::new(Model::new(
                settings.model.clone(),
                limits,
                model,
                self.metrics.clone(),
            )?),
            circuits,
        })
    }

    /// The agent alone, without repeats of its own: for the relay, whose queue repeats.
    pub fn agent_once(&self) -> Result<SmsAgent, reqwest::Error> {
        let limits = &self.settings.limits;
        let sends = self.circuit(CircuitName::SmsSends, limits.sms_sends);
        let reads = self.circuit(CircuitName::SmsReads, limits.sms_reads);
        let once = RetrySettings {
            times: 0,
            ..self.settings.retry
        };
        self.agent(reads, sends, once)
    }

    fn agent(
        &self,
        reads: Arc<Circuit>,
        sends: Arc<Circuit>,
        retry: RetrySettings,
    ) -> Result<SmsAgent, reqwest::Error> {
        let (settings, limits) = (self.settings, &self.settings.limits);
        let at = &settings.sms_agent;
        let patience = settings.agent.send_timeout;
        Ok(SmsAgent::new(
            self.caller(reads, at, limits.sms_reads, settings.read_timeout, retry)?,
            self.caller(sends, at, limits.sms_sends, patience, retry)?,
            settings.agent.clone(),
        ))
    }

    fn circuit(&self, name: CircuitName, limits: Limits) -> Arc<Circuit> {
        let told = self.told.clone();
        Circuit::new(name, limits.breaker, self.clock, self.metrics, told)
    }

    fn caller(
        &self,
        circuit: Arc<Circuit>,
        address: &Address,
        limits: Limits,
        total: Duration,
        retry: RetrySettings,
    ) -> Result<Caller, reqwest::Error> {
        let limits_of_all = &self.settings.limits;
        // An agent that hands a text to its provider is silent for a while (15 s were recorded).
        let silent = circuit.name() == CircuitName::SmsSends;
        Caller::new(CallerParts {
            neighbour: circuit.name().neighbour(),
            address: address.clone(),
            timeouts: Timeouts {
                connect: limits_of_all.connect,
                read: (!silent).then_some(limits_of_all.read),
                total,
            },
            parallel: limits.parallel,
            retry,
            circuit,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        })
    }
}
