//! Rules that make a neighbour misbehave.
//!
//! The question that matters to a sender is not how a request failed but whether it took
//! effect all the same. So every kind of fault carries `effect`, instead of there being a
//! "before" and an "after" variant of each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::Call;

/// How a request goes wrong. On the wire: `{"kind": "reset", "effect": true}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// This status; a string body is sent as text/plain, anything else as JSON.
    Status {
        status: u16,
        #[serde(default)]
        body: Option<Value>,
        #[serde(default)]
        retry_after: Option<u64>,
        #[serde(default)]
        effect: bool,
    },
    /// Answers late, normally otherwise; the rules behind this one are tried as well.
    Delay {
        ms: u64,
        #[serde(default)]
        jitter_ms: u64,
        /// The effect comes at the end too, even if the client has left by then: the row that
        /// turns up after somebody looked for it.
        #[serde(default)]
        late_effect: bool,
    },
    /// No answer, ever; the connection stays open.
    Hang {
        #[serde(default)]
        effect: bool,
    },
    /// The connection is reset without an answer.
    Reset {
        #[serde(default)]
        effect: bool,
    },
    /// The usual answer, cut in the middle.
    MalformedJson {
        #[serde(default = "yes")]
        effect: bool,
    },
    /// A web page with the usual status, as a proxy in the way would answer.
    WrongContentType {
        #[serde(default = "yes")]
        effect: bool,
    },
    /// Headers at once, the body in drops over `ms`.
    SlowBody {
        ms: u64,
        #[serde(default = "yes")]
        effect: bool,
    },
    /// The usual status and nothing else.
    EmptyBody {
        #[serde(default = "yes")]
        effect: bool,
    },
    /// The usual status, and JSON without end: this many bytes of it.
    HugeBody {
        bytes: usize,
        #[serde(default = "yes")]
        effect: bool,
    },
    /// The usual answer with every value of another type than usual.
    WrongTypes {
        #[serde(default = "yes")]
        effect: bool,
    },
    /// This status with a web page, as a proxy in the way would answer.
    ErrorPage {
        status: u16,
        #[serde(default)]
        effect: bool,
    },
    /// 307 to somewhere else.
    Redirect {
        #[serde(default)]
        effect: bool,
    },
    /// The SMS Agent's error envelope. A `permanent` one mirrors `status_code`, others are 502.
    ProviderFailure {
        category: String,
        #[serde(default)]
        status_code: Option<u16>,
        #[serde(default)]
        effect: bool,
        /// Without effect the agent may still leave a row: `failed` or `pending`.
        #[serde(default)]
        row: Option<String>,
    },
    /// `500 Internal Server Error` as text/plain, and the connection is closed afterwards.
    Crash {
        #[serde(default)]
        effect: bool,
    },
}

fn yes() -> bool {
    true
}

impl Fault {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay { .. } => "delay",
            Self::Hang { .. } => "hang",
            Self::Reset { .. } => "reset",
            Self::MalformedJson { .. } => "malformed_json",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::SlowBody { .. } => "slow_body",
            Self::EmptyBody { .. } => "empty_body",
            Self::HugeBody { .. } => "huge_body",
            Self::WrongTypes { .. } => "wrong_types",
            Self::ErrorPage { .. } => "error_page",
            Self::Redirect { .. } => "redirect",
            Self::ProviderFailure { .. } => "provider_failure",
            Self::Crash { .. } => "crash",
        }
    }

    pub(crate) fn takes_effect(&self) -> bool {
        match self {
            Self::Delay { .. } => true,
            Self::Status { effect, .. }
            | Self::Hang { effect }
            | Self::Reset { effect }
            | Self::MalformedJson { effect }
            | Self::WrongContentType { effect }
            | Self::SlowBody { effect, .. }
            | Self::EmptyBody { effect }
            | Self::HugeBody { effect, .. }
            | Self::WrongTypes { effect }
            | Self::ErrorPage { effect, .. }
            | Self::Redirect { effect }
            | Self::ProviderFailure { effect, .. }
            | Self::Crash { effect } => *effect,
        }
    }
}

/// A fault and which requests it strikes. Every condition that is given must hold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Substring of the path as received.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub method: Option<String>,
    /// Its digits occur in the path or the body.
    #[serde(default)]
    pub phone: Option<String>,
    /// Substring of the path or the body; works for any text, not only tenant ids.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Spares this many matching requests first.
    #[serde(default)]
    pub skip: u64,
    /// Strikes this many and no more; without it, all.
    #[serde(default)]
    pub first: Option<u64>,
    /// Of the matching requests, drawn from the seeded generator. Spared ones do not use up `first`.
    #[serde(default)]
    pub probability: Option<f64>,
    #[serde(flatten)]
    pub fault: Fault,
}

impl Rule {
    pub fn new(fault: Fault) -> Self {
        Self {
            path: None,
            method: None,
            phone: None,
            tenant: None,
            skip: 0,
            first: None,
            probability: None,
            fault,
        }
    }

    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    pub fn phone(mut self, phone: &str) -> Self {
        self.phone = Some(phone.to_owned());
        self
    }

    pub fn tenant(mut self, part: &str) -> Self {
        self.tenant = Some(part.to_owned());
        self
    }

    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    pub fn first(mut self, requests: u64) -> Self {
        self.first = Some(requests);
        self
    }

    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let holds = |condition: &Option<String>, test: &dyn Fn(&str) -> bool| {
            condition.as_deref().is_none_or(test)
        };
        holds(&self.method, &|method| {
            call.method().as_str().eq_ignore_ascii_case(method)
        }) && holds(&self.path, &|part| call.path().contains(part))
            && holds(&self.phone, &|phone| call.mentions(&digits(phone)))
            && holds(&self.tenant, &|part| call.mentions(part))
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

struct Active {
    rule: Rule,
    matched: AtomicU64,
    struck: AtomicU64,
}

/// What the rules decided for one request.
#[derive(Default)]
pub(crate) struct Verdict {
    pub delay: Duration,
    pub late_effect: bool,
    pub fault: Option<Fault>,
}

#[derive(Default)]
pub(crate) struct Faults {
    /// So that the normal case costs one load.
    any: AtomicBool,
    rules: RwLock<Vec<Arc<Active>>>,
}

impl Faults {
    pub fn add(&self, rules: impl IntoIterator<Item = Rule>) {
        let mut active = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        active.extend(rules.into_iter().map(|rule| {
            Arc::new(Active {
                rule,
                matched: AtomicU64::new(0),
                struck: AtomicU64::new(0),
            })
        }));
        self.any.store(!active.is_empty(), Ordering::Release);
    }

    pub fn clear(&self) {
        let mut active = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        active.clear();
        self.any.store(false, Ordering::Release);
    }

    pub fn to_json(&self) -> Value {
        let active = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        active
            .iter()
            .map(|active| {
                let mut rule = serde_json::to_value(&active.rule).unwrap_or_default();
                rule["matched"] = active.matched.load(Ordering::Relaxed).into();
                rule["struck"] = active.struck.load(Ordering::Relaxed).into();
                rule
            })
            .collect()
    }

    /// Delays add up; of the other kinds the first rule that strikes decides.
    pub fn judge(&self, call: &Call, random: &Mutex<fastrand::Rng>) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.any.load(Ordering::Acquire) {
            return verdict;
        }
        let active = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        for active in active.iter().filter(|active| active.rule.matches(call)) {
            if !active.strikes(random) {
                continue;
            }
            match &active.rule.fault {
                Fault::Delay {
                    ms,
                    jitter_ms,
                    late_effect,
                } => {
                    verdict.delay += around(*ms, *jitter_ms, random);
                    verdict.late_effect |= late_effect;
                }
                fault => {
                    verdict.fault = Some(fault.clone());
                    break;
                }
            }
        }
        verdict
    }
}

impl Active {
    fn strikes(&self, random: &Mutex<fastrand::Rng>) -> bool {
        if self.matched.fetch_add(1, Ordering::Relaxed) < self.rule.skip {
            return false;
        }
        if let Some(probability) = self.rule.probability
            && random.lock().unwrap_or_else(PoisonError::into_inner).f64() >= probability
        {
            return false;
        }
        match self.rule.first {
            // One atomic step, so that parallel requests cannot both be the last one struck.
            Some(first) => self
                .struck
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |struck| {
                    (struck < first).then_some(struck + 1)
                })
                .is_ok(),
            None => {
                self.struck.fetch_add(1, Ordering::Relaxed);
                true
            }
        }
    }
}

/// Evenly spread over `mean ± jitter`.
pub(crate) fn around(mean_ms: u64, jitter_ms: u64, random: &Mutex<fastrand::Rng>) -> Duration {
    if jitter_ms == 0 {
        return Duration::from_millis(mean_ms);
    }
    let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
    Duration::from_millis(random.u64(mean_ms.saturating_sub(jitter_ms)..=mean_ms + jitter_ms))
}
