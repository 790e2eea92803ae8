//! An OpenAI-compatible chat completions server around the brain, with the ways such servers
//! disappoint.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::brain::{Draft, Prompt, marker, think};
use crate::control::parsed;
use crate::exchange::{Answer, Call};
use crate::gate::Simulated;

/// How the server behaves towards everybody. On the wire: `{"mode": "slow", "ms": 3000}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Normal,
    /// 400 naming `response_format`; `json_object` is accepted.
    RefuseJsonSchema,
    /// Ignores `response_format` and answers as older prompts asked for.
    PlainText,
    Refusal,
    ContentFilter,
    /// Half the answer and `finish_reason: length`.
    Truncated,
    Empty,
    RateLimited {
        retry_after: u64,
    },
    InsufficientQuota,
    ServerError,
    Slow {
        ms: u64,
    },
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct ModeSetting {
    #[serde(flatten)]
    pub mode: Mode,
    /// Back to normal after this many requests.
    #[serde(default)]
    pub first: Option<u64>,
}

#[derive(Default)]
pub struct Model {
    setting: Mutex<ModeSetting>,
    completions: AtomicU64,
    tokens: AtomicU64,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    model: Option<String>,
    messages: Vec<Message>,
    #[serde(default)]
    response_format: Option<Format>,
    #[serde(default, alias = "max_completion_tokens")]
    max_tokens: Option<usize>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    Nothing(()),
}

impl Default for Content {
    fn default() -> Self {
        Self::Nothing(())
    }
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
}

impl Message {
    fn text(&self) -> String {
        match &self.content {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts.iter().map(|part| part.text.as_str()).collect(),
            Content::Nothing(()) => String::new(),
        }
    }
}

impl Model {
    pub fn set_mode(&self, mode: Mode) {
        self.set(ModeSetting { mode, first: None });
    }

    pub fn set_mode_for(&self, mode: Mode, requests: u64) {
        self.set(ModeSetting {
            mode,
            first: Some(requests),
        });
    }

    /// Tokens of all answers and prompts so far.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    fn set(&self, setting: ModeSetting) {
        *self.setting.lock().unwrap_or_else(PoisonError::into_inner) = setting;
    }

    fn mode_for_this_request(&self) -> Mode {
        let mut setting = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = setting.mode.clone();
        if let Some(left) = setting.first {
            match left {
                0 => *setting = ModeSetting::default(),
                left => setting.first = Some(left - 1),
            }
            if left == 0 {
                return Mode::Normal;
            }
        }
        mode
    }

    fn complete(&self, call: &Call) -> Answer {
        let request: Request = match serde_json::from_slice(call.body()) {
            Ok(request) => request,
            Err(problem) => {
                let message =
                    format!("We could not parse the JSON body of your request: {problem}");
                return error(400, &message, "invalid_request_error", None, None);
            }
        };
        let system = texts(&request, |role| matches!(role, "system" | "developer"));
        let unanswered = request
            .messages
            .rsplit(|message| message.role == "assistant")
            .next()
            .unwrap_or_default();
        let newest: Vec<String> = unanswered
            .iter()
            .filter(|message| message.role == "user")
            .map(Message::text)
            .collect();
        let newest = newest.join("\n");
        let mode = self.mode_for_this_request();
        let format = request.response_format.as_ref();
        if let Some(refused) = refused(&mode, format.map(|format| format.kind.as_str()), &request) {
            return refused;
        }
        let draft = think(&Prompt {
            system: &system,
            texts: &newest,
        });
        // Without a response format a capable model still follows a prompt that asks for JSON.
        let as_json = format.is_some_and(|format| format.kind != "text")
            || system.to_lowercase().contains("json");
        let mut finished = finish(&mode, &draft, as_json, &newest);
        let prompt_tokens = request
            .messages
            .iter()
            .map(|message| tokens_of(&message.text()) + 4)
            .sum::<usize>();
        let mut completion_tokens = tokens_of(&finished.content).max(1);
        if let Some(limit) = request.max_tokens
            && completion_tokens > limit
        {
            finished.content = finished.content.chars().take(limit * 4).collect();
            finished.reason = "length";
            completion_tokens = limit;
        }
        let total = prompt_tokens + completion_tokens;
        self.tokens.fetch_add(total as u64, Ordering::Relaxed);
        let number = self.completions.fetch_add(1, Ordering::Relaxed) + 1;
        let content = match finished.refusal {
            Some(_) => Value::Null,
            None => finished.content.into(),
        };
        let mut answer = Answer::json(
            200,
            &json!({
                "id": format!("chatcmpl-sim{number:08}"),
                "object": "chat.completion",
                "created": chrono::Utc::now().timestamp(),
                "model": request.model.as_deref().unwrap_or("simulated"),
                "choices": [{
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": finished.refusal},
                    "logprobs": null,
                    "finish_reason": finished.reason,
                }],
                "usage": {
                    "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                    "total_tokens": total,
                },
                "system_fingerprint": "fp_simulated",
            }),
        );
        let slow = marker(&newest, "slow").and_then(|ms| ms.parse().ok());
        let slow = slow.or(match mode {
            Mode::Slow { ms } => Some(ms),
            _ => None,
        });
        answer.pause = Duration::from_millis(slow.unwrap_or(0));
        answer
    }
}

struct Finished {
    content: String,
    reason: &'static str,
    refusal: Option<&'static str>,
}

fn finish(mode: &Mode, draft: &Draft, as_json: bool, newest: &str) -> Finished {
    let asked = |name: &str| marker(newest, name).is_some();
    let whole = if as_json && !matches!(mode, Mode::PlainText) && !asked("plain") {
        draft.to_json().to_string()
    } else {
        draft.to_plain_text()
    };
    let half = || whole.chars().take(whole.chars().count() / 2).collect();
    let (content, reason, refusal) = match mode {
        Mode::Refusal => (
            String::new(),
            "stop",
            Some("I'm sorry, I can't help with that."),
        ),
        Mode::ContentFilter => (String::new(), "content_filter", None),
        Mode::Truncated => (half(), "length", None),
        Mode::Empty => (String::new(), "stop", None),
        _ if asked("empty") => (String::new(), "stop", None),
        _ if asked("broken") => (half(), "stop", None),
        _ => (whole, "stop", None),
    };
    Finished {
        content,
        reason,
        refusal,
    }
}

fn refused(mode: &Mode, format: Option<&str>, request: &Request) -> Option<Answer> {
    match mode {
        Mode::RateLimited { retry_after } => Some(
            error(
                429,
                "Rate limit reached for requests",
                "requests",
                None,
                Some("rate_limit_exceeded"),
            )
            .retry_after(*retry_after),
        ),
        Mode::InsufficientQuota => Some(error(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            None,
            Some("insufficient_quota"),
        )),
        Mode::ServerError => Some(error(
            500,
            "The server had an error while processing your request.",
            "server_error",
            None,
            None,
        )),
        Mode::RefuseJsonSchema if format == Some("json_schema") => Some(error(
            400,
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            "invalid_request_error",
            Some("response_format"),
            None,
        )),
        // The real API insists on this, and a prompt that forgets it fails only in production.
        _ if format == Some("json_object")
            && !texts(request, |_| true).to_lowercase().contains("json") =>
        {
            Some(error(
                400,
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "invalid_request_error",
                Some("messages"),
                None,
            ))
        }
        _ => None,
    }
}

fn error(
    status: u16,
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Answer {
    Answer::json(
        status,
        &json!({"error": {"message": message, "type": kind, "param": param, "code": code}}),
    )
}

fn texts(request: &Request, wanted: impl Fn(&str) -> bool) -> String {
    let texts: Vec<String> = request
        .messages
        .iter()
        .filter(|message| wanted(&message.role))
        .map(Message::text)
        .collect();
    texts.join("\n")
}

/// The usual rule of thumb; only the order of magnitude matters.
fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(4)
}

impl Simulated for Model {
    fn answer(&self, call: &Call) -> Answer {
        match call.path() {
            "/v1/chat/completions" | "/chat/completions" => match call.method() {
                &Method::POST => self.complete(call),
                _ => Answer::method_not_allowed(),
            },
            "/health" => Answer::json(200, &json!({"status": "ok"})),
            _ => error(
                404,
                "Unknown request URL",
                "invalid_request_error",
                None,
                None,
            ),
        }
    }

    fn control(&self, call: &Call, what: &str) -> Option<Answer> {
        match (call.method(), what) {
            (&Method::POST, "mode") => {
                Some(parsed::<ModeSetting>(call, |setting| self.set(setting)))
            }
            (&Method::GET, "usage") => Some(Answer::json(
                200,
                &json!({
                    "completions": self.completions.load(Ordering::Relaxed),
                    "tokens": self.tokens(),
                }),
            )),
            _ => None,
        }
    }

    fn reset(&self) {
        self.set(ModeSetting::default());
    }
}
