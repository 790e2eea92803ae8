//! One model on one server: asks once and says what went wrong.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::{HttpRequestFactory, ReqwestService};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tower::Service as _;
use tracing::Instrument as _;

use super::limits::{self, Limits, Rates};
use super::{Bill, Completion, Message, ModelError, answer, read_answer};
use crate::domain::{Prices, WorkflowId};
use crate::neighbours::breaker::Verdict;
use crate::neighbours::circuit::Circuit;
use crate::neighbours::connections::{
    Connections, Timeouts, Unread, is_dead_connection, read_body,
};
use crate::neighbours::{caller, verdicts};
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
    settings: EndpointSettings,
    asking: Asking,
    limits: Limits,
    circuit: Arc<Circuit>,
    connections: Arc<Connections>,
    format: AtomicU8,
}

impl Endpoint {
    /// The crate's own retries are replaced by a plain service: how often a paid call is repeated
    /// is our decision, and it must end within the workflow's patience.
    pub(super) fn new(
        settings: EndpointSettings,
        asking: Asking,
        timeouts: Timeouts,
        circuit: Arc<Circuit>,
    ) -> Result<Self, reqwest::Error> {
        let connections = Arc::new(Connections::new(timeouts)?);
        let config = OpenAIConfig::new()
            .with_api_key(settings.key.expose_secret())
            .with_api_base(settings.base.trim_end_matches('/'));
        let service_connections = connections.clone();
        let service = tower::service_fn(move |request: HttpRequestFactory| {
            let connections = service_connections.clone();
            async move { post(&connections, request).await }
        });
        Ok(Self {
            client: Client::build(connections.current().0, config).with_http_service(service),
            limits: Limits::new(settings.rates),
            settings,
            asking,
            circuit,
            connections,
            format: AtomicU8::new(0),
        })
    }

    /// One answer, in the strictest format the server knows.
    pub(super) async fn ask(
        &self,
        messages: &[Message],
        workflow: WorkflowId,
        bill: &mut Bill,
        metrics: &Metrics,
    ) -> Result<Completion, ModelError> {
        loop {
            let asked = self.format.load(Ordering::Relaxed);
            let format = FORMATS[usize::from(asked).min(FORMATS.len() - 1)];
            let estimate = limits::estimate(messages, self.asking.max_tokens);
            self.limits.wait(estimate, metrics).await;
            // After the wait: the circuit may have opened meanwhile.
            let pass = self.circuit.enter().map_err(ModelError::Open)?;
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
                Ok(body) => {
                    pass.report(Verdict::Healthy, None);
                    self.read(&body, bill, metrics)
                }
                Err(error) if format != Format::Plain && refuses_format(&error) => {
                    // Another request may have found out meanwhile; then its finding stands.
                    let _ = self.format.compare_exchange(
                        asked,
                        asked + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    pass.report(Verdict::Healthy, None);
                    continue;
                }
                Err(error) => {
                    let verdict = verdict(&error);
                    let error = classify(&error, retry_after);
                    let why = (verdict == Verdict::Failed).then(|| error.to_string());
                    pass.report(verdict, why);
                    Err(error)
                }
            };
            let outcome = match &result {
                Ok(_) => "ok",
                Err(ModelError::Transient { .. } | ModelError::Open(_)) => "transient",
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
    /// the key. Not every compatible server has the list: 404 is an answer too. Past the circuit, and
    /// without a word to it: whoever lists models may fail to use one.
    pub(super) async fn is_reachable(&self) -> bool {
        let models = format!("{}/models", self.settings.base.trim_end_matches('/'));
        let (client, _) = self.connections.current();
        let answer = client
            .get(models)
            .bearer_auth(self.settings.key.expose_secret())
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        answer.is_ok_and(|answer| !matches!(answer.status().as_u16(), 401 | 403 | 500..))
    }

    fn read(
        &self,
        body: &Value,
        bill: &mut Bill,
        metrics: &Metrics,
    ) -> Result<Completion, ModelError> {
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
        bill.add(tokens, cost.map(|c| c.0));
        let understood = read_answer(body).map_err(ModelError::Unusable)?;
        Ok(Completion {
            understood,
            model: body["model"].as_str().unwrap_or(model).to_owned(),
        })
    }

    fn request<'a>(
        &'a self,
        messages: &'a [Message],
        workflow: WorkflowId,
        format: Format,
    ) -> Request<'a> {
        let said = |message: &'a Message| Said {
            role: message.role(),
            content: message.text(),
        };
        Request {
            model: &self.settings.model,
            messages: messages.iter().map(said).collect(),
            temperature: self.asking.temperature,
            max_tokens: self.asking.max_tokens,
            store: false,
            user: workflow.to_string(),
            response_format: match format {
                Format::Schema => SCHEMA.as_deref(),
                Format::Object => OBJECT.as_deref(),
                Format::Plain => None,
            },
        }
    }
}

/// The body of a request.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    temperature: f64,
    max_tokens: u32,
    store: bool,
    /// Never a phone number or a name.
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

/// The same for every request, written once.
static SCHEMA: LazyLock<Option<Box<RawValue>>> = LazyLock::new(|| {
    raw(&json!({
        "type": "json_schema",
        "json_schema": { "name": "reply", "strict": true, "schema": answer::schema() },
    }))
});
static OBJECT: LazyLock<Option<Box<RawValue>>> =
    LazyLock::new(|| raw(&json!({"type": "json_object"})));

/// Always `Some`: whatever is a value can be written.
fn raw(value: &Value) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}

/// One request. The answer is read here, to its end but not beyond all measure, and handed on whole.
async fn post(
    connections: &Connections,
    request: HttpRequestFactory,
) -> Result<reqwest::Response, OpenAIError> {
    let (client, generation) = connections.current();
    let dead = |error: &OpenAIError| {
        if let OpenAIError::Reqwest(error) = error
            && is_dead_connection(error)
        {
            connections.renew(generation);
        }
    };
    let answer = ReqwestService::new(client)
        .call(request)
        .await
        .inspect_err(dead)?;
    let now = chrono::Utc::now();
    let _ = RETRY_AFTER.try_with(|cell| cell.set(verdicts::retry_after(&answer, now)));
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = match read_body(answer).await {
        Ok(body) => body,
        Err(Unread::Broken(error)) => {
            return Err(OpenAIError::Reqwest(error)).inspect_err(dead);
        }
        // Nobody can read it: as good as no JSON.
        Err(Unread::TooLarge) => bytes::Bytes::new(),
    };
    let mut whole = axum::http::Response::new(body);
    *whole.status_mut() = status;
    *whole.headers_mut() = headers;
    Ok(whole.into())
}

/// What an error says about the server: only what is not its answer counts against it.
fn verdict(error: &OpenAIError) -> Verdict {
    match error {
        OpenAIError::ApiError(answer) => verdicts::judge_status(answer.status_code),
        OpenAIError::Reqwest(_) | OpenAIError::JSONDeserialize(..) => Verdict::Failed,
        _ => Verdict::Unknown,
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
