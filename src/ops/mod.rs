//! Running the service: metrics, logs, health, the sidecar.

pub mod health;
pub mod metrics;
pub mod sidecar;
pub mod telemetry;
