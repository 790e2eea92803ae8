//! The model: any OpenAI-compatible server (`model-reply.md`).

mod answer;

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub use answer::{Understood, Unusable, read_answer};

use super::caller::client_builder;
use crate::domain::WorkflowId;

/// Which model, where, how.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// `OPENAI_API_KEY`; without one nothing is drafted.
    pub key: Option<SecretString>,
    /// `OPENAI_BASE_URL`.
    pub base: String,
    /// `OPENAI_MODEL`.
    pub model: String,
    /// `OPENAI_TEMPERATURE`.
    pub temperature: f64,
    /// `OPENAI_MAX_TOKENS`, for the whole answer.
    pub max_tokens: u32,
    /// `OPENAI_TIMEOUT_SECONDS`.
    pub timeout: Duration,
    /// `RETRY_BASE_MS`, `RETRY_TIMES`: as for the other neighbours.
    pub retry: super::RetrySettings,
}

/// One turn of the conversation the model sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Policy, facts, format. Never a tenant's words.
    System(String),
    /// What we wrote.
    Assistant(String),
    /// What the tenant wrote, exactly as received.
    User(String),
}

/// What the model answered, with what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The answer.
    pub understood: Understood,
    /// Which model answered.
    pub model: String,
    /// Tokens in and out.
    pub tokens: Option<(i64, i64)>,
}

/// Why there is no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// May work later.
    #[error("openai: {0}")]
    Transient(String),
    /// The same request can never succeed: key, quota, request.
    #[error("openai: {0}")]
    Permanent(String),
    /// It answered, and nothing of the answer may be used.
    #[error("openai: the answer is unusable: {0}")]
    Unusable(Unusable),
}

/// Answer formats, from the strictest; what a server refuses is not asked of it again.
const FORMATS: [Format; 3] = [Format::Schema, Format::Object, Format::Plain];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Schema,
    Object,
    Plain,
}

/// The client.
pub struct Model {
    client: Option<Client<OpenAIConfig>>,
    settings: ModelSettings,
    format: AtomicU8,
}

impl Model {
    /// The crate's own retries are replaced by a plain service: how often a paid call is repeated
    /// is our decision, and it must end within the workflow's patience.
    pub fn new(settings: ModelSettings) -> Result<Self, reqwest::Error> {
        let client = match &settings.key {
            None => None,
            Some(key) => {
                let http = client_builder().timeout(settings.timeout).build()?;
                let config = OpenAIConfig::new()
                    .with_api_key(key.expose_secret())
                    .with_api_base(settings.base.trim_end_matches('/'));
                Some(
                    Client::build(http.clone(), config)
                        .with_http_service(ReqwestService::new(http)),
                )
            }
        };
        Ok(Self {
            client,
            settings,
            format: AtomicU8::new(0),
        })
    }

    /// Whether a key is configured.
    pub fn is_configured(&self) -> bool {
        self.client.is_some()
    }

    /// Asks for a reply. Transient faults are repeated like any neighbour's; an unusable answer is
    /// asked for once more, and then a person gets the text (`model-reply.md`).
    pub async fn complete(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
    ) -> Result<Completion, ModelError> {
        let mut pause = self.settings.retry.base;
        let mut transient = 0;
        let mut unusable = 0;
        loop {
            match self.complete_once(messages, workflow).await {
                Err(ModelError::Transient(_)) if transient < self.settings.retry.times => {
                    transient += 1;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(ModelError::Unusable(_)) if unusable == 0 => unusable += 1,
                result => return result,
            }
        }
    }

    async fn complete_once(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
    ) -> Result<Completion, ModelError> {
        let Some(client) = &self.client else {
            return Err(ModelError::Permanent("no key is configured".to_owned()));
        };
        loop {
            let asked = self.format.load(Ordering::Relaxed);
            let format = FORMATS[usize::from(asked).min(FORMATS.len() - 1)];
            let request = self.request(messages, workflow, format);
            let answer: Result<Value, OpenAIError> = client.chat().create_byot(request).await;
            match answer {
                Ok(body) => {
                    let tokens = body["usage"]["prompt_tokens"]
                        .as_i64()
                        .zip(body["usage"]["completion_tokens"].as_i64());
                    let model = body["model"]
                        .as_str()
                        .unwrap_or(&self.settings.model)
                        .to_owned();
                    return read_answer(&body)
                        .map(|understood| Completion {
                            understood,
                            model,
                            tokens,
                        })
                        .map_err(ModelError::Unusable);
                }
                Err(error) if format != Format::Plain && refuses_format(&error) => {
                    // Another request may have found out meanwhile; then its finding stands.
                    let _ = self.format.compare_exchange(
                        asked,
                        asked + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                Err(error) => return Err(classify(&error)),
            }
        }
    }

    fn request(&self, messages: &[Message], workflow: WorkflowId, format: Format) -> Value {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| match message {
                Message::System(text) => json!({"role": "system", "content": text}),
                Message::Assistant(text) => json!({"role": "assistant", "content": text}),
                Message::User(text) => json!({"role": "user", "content": text}),
            })
            .collect();
        let mut request = json!({
            "model": self.settings.model,
            "messages": messages,
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "store": false,
            // Never a phone number or a name.
            "user": workflow.to_string(),
        });
        match format {
            Format::Schema => {
                request["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": { "name": "reply", "strict": true, "schema": answer::schema() },
                });
            }
            Format::Object => request["response_format"] = json!({"type": "json_object"}),
            Format::Plain => {}
        }
        request
    }
}

/// A 400 that names `response_format`: the server does not know the format.
fn refuses_format(error: &OpenAIError) -> bool {
    let OpenAIError::ApiError(answer) = error else {
        return false;
    };
    let named = |text: &str| text.contains("response_format") || text.contains("json_schema");
    answer.status_code.as_u16() == 400
        && (named(&answer.api_error.message)
            || answer.api_error.param.as_deref().is_some_and(named))
}

fn classify(error: &OpenAIError) -> ModelError {
    match error {
        OpenAIError::ApiError(answer) => {
            let status = answer.status_code.as_u16();
            let code = answer.api_error.code.as_deref().unwrap_or_default();
            let detail = format!("answered {status}");
            match status {
                // Waiting does not fill an account.
                429 if code == "insufficient_quota" => {
                    ModelError::Permanent(format!("{detail}, quota used up"))
                }
                408 | 409 | 429 | 500.. => ModelError::Transient(detail),
                _ => ModelError::Permanent(detail),
            }
        }
        OpenAIError::Reqwest(error) => ModelError::Transient(super::caller::describe(error)),
        OpenAIError::JSONDeserialize(..) => {
            ModelError::Transient("answered without JSON".to_owned())
        }
        _ => ModelError::Permanent("the request could not be made".to_owned()),
    }
}
