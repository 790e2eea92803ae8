//! The service's API as the demo uses it.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::StatusCode;
use serde_json::Value;

pub(super) struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub fn new(port: u16) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            // The service is on this machine, whatever a company's proxy thinks of that.
            .no_proxy()
            .timeout(Duration::from_secs(15))
            .build()?;
        Ok(Self {
            http,
            base: format!("http://127.0.0.1:{port}"),
        })
    }

    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/health/ready", self.base)).send();
        answer
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    pub async fn send_text(&self, body: &Value, prefer: &str) -> anyhow::Result<Value> {
        let answer = self
            .http
            .post(format!("{}/orchestrate/sms-received", self.base))
            .header("Prefer", prefer)
            .json(body)
            .send()
            .await
            .context("the service did not answer")?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            bail!("the service answered {status}: {body}");
        }
        serde_json::from_str(&body).context("an answer that is not JSON")
    }

    /// `null` when there is none.
    pub async fn draft(&self, id: &str) -> anyhow::Result<Value> {
        self.get(&format!("/orchestrate/approvals/{id}")).await
    }

    /// How a workflow ended, by its id or its conversation's; `null` when it has not within `patience`.
    pub async fn ended(&self, id: &str, patience: Duration) -> anyhow::Result<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let workflow = self
                .get(&format!("/orchestrate/workflow/{id}/status"))
                .await?;
            if !workflow["metadata"]["outcome"].is_null() {
                return Ok(workflow);
            }
            if Instant::now() > deadline {
                return Ok(Value::Null);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self
            .http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .context("the service did not answer")?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(Value::Null),
            status if status.is_success() => Ok(answer.json().await?),
            status => bail!("{path} answered {status}"),
        }
    }
}
