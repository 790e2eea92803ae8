//! The neighbours over HTTP: every recorded example of the contracts, and every kind of fault.

mod agent;
mod faults;
mod model;
mod others;

use reqwest::{Client, Response};
use serde_json::Value;
use simulators::{Config, Neighbours};

pub(crate) async fn neighbours() -> Neighbours {
    // Fails from the second time on, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Neighbours::start(Config {
        seed: Some(7),
        ..Config::default()
    })
    .await
    .unwrap()
}

pub(crate) async fn send(neighbours: &Neighbours, body: &Value) -> Response {
    let url = format!("{}/sms/send", neighbours.sms_agent.url());
    let request = Client::new().post(url).json(body);
    request
        .header("Idempotency-Key", "key-1")
        .send()
        .await
        .unwrap()
}

pub(crate) async fn get(url: String) -> (u16, Value) {
    let response = reqwest::get(url).await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
