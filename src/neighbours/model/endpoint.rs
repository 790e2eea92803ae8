//! One model on one server: asks once and says what went wrong.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tower::Service as _;
use tracing::Instrument as _;

use super::limits::{self, Limits, Rates};
use super::{Completion, Message, ModelError, answer, read_answer};
use crate::domain::{Prices, WorkflowId};
use crate::neighbours::caller::{self, client_builder};
use crate::ops::metrics::Metrics;
use crate::ops::trace::part;

/// Which model, where, for how much.
#[derive(Debug, Clone)]
pub struct EndpointSettings {
    /// The account's key.
    pub key: SecretString,
    /// The server, up to `/v1`.
    pub base: String,
    /// The model's name.
    pub model: String,
    /// What it costs, when known.
    pub prices: Option<Prices>,
    /// What the account allows.
    pub rates: Rates,
}

/// How to ask, the same for every model.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// `OPENAI_TEMPERATURE`.
    pub temperature: f64,
    /// `OPENAI_MAX_TOKENS`, for the whole answer.
    pub max_tokens: u32,
    /// `OPENAI_TIMEOUT_SECONDS`.
    pub timeout: Duration,
}

/// Answer formats, from the strictest; what a server refuses is not asked of it again.
const FORMATS: [Format; 3] = [Format::Schema, Format::Object, Format::Plain];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Schema,
    Object,
    Plain,
}

tokio::task_local! {
    /// What the answer under way asks for; the crate's errors do not carry headers.
    static RETRY_AFTER: Cell<Option<Duration>>;
}

/// The client of one model.
pub(super) struct Endpoint {
    client: Client<OpenAIConfig>,
    http: reqwest::Client,
    settings: EndpointSettings,
    asking: Asking,
    limits: Limits,
    format: AtomicU8,
}

impl Endpoint {
    /// The crate's own retries are replaced by a plain service: how often a paid call is repeated
    /// is our decision, and it must end within the workflow's patience.
    pub(super) fn new(settings: EndpointSettings, asking: Asking) -> Result<Self, reqwest::Error> {
        let http = client_builder().timeout(asking.timeout).build()?;
        let config = OpenAIConfig::new()
            .with_api_key(settings.key.expose_secret())
            .with_api_base(settings.base.trim_end_matches('/'));
        let plain = ReqwestService::new(http.clone());
        let service = tower::service_fn(move |request: HttpRequestFactory| {
            let mut plain = plain.clone();
            async move {
                let answer = plain.call(request).await;
                if let Ok(answer) = &answer {
                    let wanted = caller::retry_after(answer);
                    let _ = RETRY_AFTER.try_with(|cell| cell.set(wanted));
                }
                answer
            }
        });
        Ok(Self {
            client: Client::build(http.clone(), config).with_http_service(service),
            http,
            limits: Limits::new(settings.rates),
            settings,
            asking,
            format: AtomicU8::new(0),
        })
    }

    /// One answer, in the strictest format the server knows.
    pub(super) async fn ask(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
        metrics: &Metrics,
    ) -> Result<Completion, ModelError> {
        loop {
            let asked = self.format.load(Ordering::Relaxed);
            let format = FORMATS[usize::from(asked).min(FORMATS.len() - 1)];
            let estimate = limits::estimate(messages, self.asking.max_tokens);
            self.limits.wait(estimate, metrics).await;
            let began = Instant::now();
            let request = self.request(messages, workflow, format);
            // Our trace's id is nobody's business outside: the provider gets no header.
            let call = part!(
                "chat",
                otel.kind = "client",
                gen_ai.operation.name = "chat",
                gen_ai.request.model = self.settings.model,
                gen_ai.usage.input_tokens = tracing::field::Empty,
                gen_ai.usage.output_tokens = tracing::field::Empty
            );
            let (answer, retry_after): (Result<Value, OpenAIError>, _) = RETRY_AFTER
                .scope(Cell::new(None), async {
                    let answer = self.client.chat().create_byot(request).await;
                    (answer, RETRY_AFTER.with(Cell::get))
                })
                .instrument(call.clone())
                .await;
            if let Ok(body) = &answer {
                let usage = &body["usage"];
                call.record("gen_ai.usage.input_tokens", usage["prompt_tokens"].as_i64());
                call.record(
                    "gen_ai.usage.output_tokens",
                    usage["completion_tokens"].as_i64(),
                );
            }
            let result = match answer {
                Ok(body) => self.read(&body, metrics),
                Err(error) if format != Format::Plain && refuses_format(&error) => {
                    // Another request may have found out meanwhile; then its finding stands.
                    let _ = self.format.compare_exchange(
                        asked,
                        asked + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    continue;
                }
                Err(error) => Err(classify(&error, retry_after)),
            };
            let outcome = match &result {
                Ok(_) => "ok",
                Err(ModelError::Transient { .. }) => "transient",
                Err(ModelError::Permanent(_)) => "permanent",
                Err(ModelError::Unusable(_)) => "unusable",
            };
            metrics
                .model_seconds
                .with_label_values(&[self.settings.model.as_str(), outcome])
                .observe(began.elapsed().as_secs_f64());
            metrics
                .upstream_requests
                .with_label_values(&["openai", outcome])
                .inc();
            return result;
        }
    }

    /// Whether the server answers within two seconds when asked which models there are, and takes
    /// the key. Not every compatible server has the list: 404 is an answer too.
    pub(super) async fn is_reachable(&self) -> bool {
        let models = format!("{}/models", self.settings.base.trim_end_matches('/'));
        let answer = self
            .http
            .get(models)
            .bearer_auth(self.settings.key.expose_secret())
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        answer.is_ok_and(|answer| !matches!(answer.status().as_u16(), 401 | 403 | 500..))
    }

    fn read(&self, body: &Value, metrics: &Metrics) -> Result<Completion, ModelError> {
        let tokens = body["usage"]["prompt_tokens"]
            .as_i64()
            .zip(body["usage"]["completion_tokens"].as_i64())
            .filter(|(prompt, completion)| *prompt >= 0 && *completion >= 0);
        let cost = self
            .settings
            .prices
            .zip(tokens)
            .map(|(prices, tokens)| prices.cost(tokens));
        // Counted before the answer is read: an unusable one is paid for as well.
        let model = self.settings.model.as_str();
        if let Some((prompt, completion)) = tokens {
            let count = |kind, n: i64| {
                let n = u64::try_from(n).unwrap_or(0);
                metrics
                    .model_tokens
                    .with_label_values(&[model, kind])
                    .inc_by(n);
            };
            count("prompt", prompt);
            count("completion", completion);
        }
        if let Some(cost) = cost {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a single answer is not worth 2^53 of them"
            )]
            let dollars = cost.0.max(0) as f64 / 1e6;
            metrics
                .model_cost
                .with_label_values(&[model])
                .inc_by(dollars);
        }
        let understood = read_answer(body).map_err(ModelError::Unusable)?;
        Ok(Completion {
            understood,
            model: body["model"].as_str().unwrap_or(model).to_owned(),
            tokens,
            cost_micro_usd: cost.map(|c| c.0),
        })
    }

    fn request(&self, messages: &[Message], workflow: WorkflowId, format: Format) -> Value {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| json!({"role": message.role(), "content": message.text()}))
            .collect();
        let mut request = json!({
            "model": self.settings.model,
            "messages": messages,
            "temperature": self.asking.temperature,
            "max_tokens": self.asking.max_tokens,
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

fn classify(error: &OpenAIError, retry_after: Option<Duration>) -> ModelError {
    let transient = |detail| ModelError::Transient {
        detail,
        retry_after,
    };
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
                408 | 409 | 429 | 500.. => transient(detail),
                _ => ModelError::Permanent(detail),
            }
        }
        OpenAIError::Reqwest(error) => transient(caller::describe(error)),
        OpenAIError::JSONDeserialize(..) => transient("answered without JSON".to_owned()),
        _ => ModelError::Permanent("the request could not be made".to_owned()),
    }
}
