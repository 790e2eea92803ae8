//! Joins the parts' settings, read from the environment and checked at start. Every error names
//! its variable. The complete list with defaults: `.env.example`, compared by a test.

mod env;

use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

pub use env::{ConfigError, Env};

use crate::bridge::BridgeSettings;
use crate::domain::{Cents, Confidence, MicroUsd, Prices};
use crate::engine::connection::NatsSettings;
use crate::engine::runner::EngineSettings;
use crate::engine::sweep::SweepSettings;
use crate::neighbours::RetrySettings;
use crate::neighbours::caller::Address;
use crate::neighbours::limits::CallLimits;
use crate::neighbours::model::{Asking, EndpointSettings, ModelSettings, Rates};
use crate::neighbours::notifications::{NotificationSettings, Topic, addresses};
use crate::neighbours::sms_agent::SmsAgentSettings;
use crate::ops::OpsSettings;
use crate::ops::telemetry::LogSettings;
use crate::relay::RelaySettings;
use crate::rules::checks::CheckSettings;
use crate::rules::gate::{Gate, GateSettings};
use crate::rules::plan::PlanSettings;
use crate::rules::prompt::PromptSettings;
use crate::rules::routing::{Autonomy, RoutingSettings};
use crate::stages::deliver::DeliverSettings;
use crate::stages::draft::DraftSettings;
use crate::stages::intake::IntakeSettings;
use crate::stages::{Handover, PlanningSettings, StageSettings};
use crate::store::DatabaseSettings;

/// Everything the service can be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Logs.
    pub log: LogSettings,
    /// Who looks around, how often.
    pub ops: OpsSettings,
    /// Postgres.
    pub database: DatabaseSettings,
    /// NATS.
    pub nats: NatsSettings,
    /// The HTTP side.
    pub bridge: BridgeSettings,
    /// In front of an SMS Agent that calls nobody.
    pub relay: RelaySettings,
    /// `SIDECAR_PORT`.
    pub sidecar_port: u16,
    /// Where the neighbours are and how they are spoken to.
    pub neighbours: NeighbourSettings,
    /// How messages are treated.
    pub engine: EngineSettings,
    /// The stages' own.
    pub stages: StageSettings,
    /// `SETUP_ON_START`: create missing tables, streams and consumers when starting.
    pub setup_on_start: bool,
}

/// Where the neighbours are.
#[derive(Debug, Clone)]
pub struct NeighbourSettings {
    /// `MONITOR_URL`, alias `COLLECTIONS_MONITOR_URL`.
    pub monitor: Address,
    /// `SMS_AGENT_URL`.
    pub sms_agent: Address,
    /// `NOTIFICATION_URL`, alias `NOTIFICATION_SERVICE_URL`.
    pub notifications: Address,
    /// `NEIGHBOUR_TIMEOUT_SECONDS`: for reads on a text's way.
    pub read_timeout: Duration,
    /// How many calls, how long, how many failures.
    pub limits: CallLimits,
    /// Repeats.
    pub retry: RetrySettings,
    /// The agent's.
    pub agent: SmsAgentSettings,
    /// The managers'.
    pub notification: NotificationSettings,
    /// The model's.
    pub model: ModelSettings,
}

impl Config {
    /// Reads and checks everything; all faults at once.
    pub fn read(env: &Env) -> Result<Self, ConfigError> {
        let mut config = Self {
            log: LogSettings::read(env),
            ops: OpsSettings::read(env),
            database: database(env),
            nats: NatsSettings::read(env),
            bridge: BridgeSettings::read(env),
            relay: RelaySettings::read(env),
            sidecar_port: env.number_of(&["SIDECAR_PORT", "METRICS_PORT"], 9090),
            neighbours: neighbours(env),
            engine: EngineSettings {
                concurrency: env.number("STAGE_CONCURRENCY", 128),
                max_attempts: env.number("MAX_ATTEMPTS", 10),
                commit_shards: env.number("COMMIT_SHARDS", 1),
                create_missing: env.boolean("SETUP_ON_START", true),
                replicas: None,
                wake_every: env.seconds("WAKE_SECONDS", 5.0),
                sweep: SweepSettings {
                    every: env.seconds("SWEEP_SECONDS", 10.0),
                    after: env.seconds("SWEEP_AFTER_SECONDS", 60.0),
                },
                silence: TimeDelta::from_std(env.hours("ESCALATION_HOURS", 36.0))
                    .unwrap_or(TimeDelta::MAX),
                shutdown: env.seconds("SHUTDOWN_SECONDS", 25.0),
            },
            stages: stages(env),
            setup_on_start: env.boolean("SETUP_ON_START", true),
        };
        config.engine.replicas = config.nats.replicas;
        let routing = &config.stages.routing;
        if routing.approval_from > routing.auto_above {
            env.fault(
                "MANUAL_APPROVAL_MIN_CONFIDENCE",
                "must not be above AUTO_APPROVAL_CONFIDENCE",
            );
        }
        let look_after = config
            .stages
            .deliver
            .look_after
            .to_std()
            .unwrap_or_default();
        if look_after <= config.neighbours.agent.send_timeout + Duration::from_secs(2) {
            env.fault(
                "SMS_LOOK_AFTER_SECONDS",
                "must be more than 2 s longer than SMS_SEND_TIMEOUT_SECONDS, or a text under way is sent again",
            );
        }
        env.finish()?;
        Ok(config)
    }
}

fn database(env: &Env) -> DatabaseSettings {
    let url = env.secret_of(&["DATABASE_URL", "SUPABASE_DB_URL"]);
    if url.is_none() {
        env.fault(
            "DATABASE_URL",
            "is required, e.g. postgres://user:password@localhost:5432/orchestrator",
        );
    }
    let settings = DatabaseSettings {
        url: url.unwrap_or_else(|| SecretString::from("")),
        max_connections: env.number("DATABASE_MAX_CONNECTIONS", 10),
        statement_cache: env.number("DATABASE_STATEMENT_CACHE", 100),
        pooled: env.one_of("DATABASE_POOLER", "none", &["none", "transaction"]) == "transaction",
        timeout: env.seconds("DATABASE_TIMEOUT_SECONDS", 30.0),
    };
    // The fault is not quoted: it may hold the password.
    let address = settings.url.expose_secret();
    let known = address.starts_with("postgres://") || address.starts_with("postgresql://");
    let given = !address.is_empty();
    if given && (!known || settings.options().is_err()) {
        env.fault("DATABASE_URL", "is not a postgres:// address");
    }
    settings
}

fn neighbours(env: &Env) -> NeighbourSettings {
    let address = |names: &[&str], default: &str, token: &str| {
        let base = env.text_of(names, default);
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            env.fault(names[0], "must begin with http:// or https://");
        }
        Address::new(&base, env.secret_of(&[token]))
    };
    let retry = RetrySettings {
        base: env.millis("RETRY_BASE_MS", 1000),
        times: env.number("RETRY_TIMES", 3),
    };
    NeighbourSettings {
        monitor: address(
            &["MONITOR_URL", "COLLECTIONS_MONITOR_URL"],
            "http://localhost:8001",
            "UPSTREAM_AUTH_TOKEN_COLLECTIONS_MONITOR",
        ),
        sms_agent: address(
            &["SMS_AGENT_URL"],
            "http://localhost:8002",
            "UPSTREAM_AUTH_TOKEN_SMS_AGENT",
        ),
        notifications: address(
            &["NOTIFICATION_URL", "NOTIFICATION_SERVICE_URL"],
            "http://localhost:8003",
            "UPSTREAM_AUTH_TOKEN_NOTIFICATION_SERVICE",
        ),
        read_timeout: env.seconds("NEIGHBOUR_TIMEOUT_SECONDS", 5.0),
        limits: CallLimits::read(env),
        retry,
        agent: SmsAgentSettings {
            zone: zone(env, "SMS_AGENT_TIMEZONE", "UTC"),
            send_timeout: env.seconds("SMS_SEND_TIMEOUT_SECONDS", 30.0),
        },
        notification: NotificationSettings {
            recipients: addresses(&env.text("MANAGER_EMAIL", "manager@company.com")),
            routes: routes(env),
        },
        model: model(env, retry),
    }
}

fn model(env: &Env, retry: RetrySettings) -> ModelSettings {
    let base = env.text("OPENAI_BASE_URL", "https://api.openai.com/v1");
    let name = env.text("OPENAI_MODEL", "gpt-4-turbo");
    let rates = Rates {
        requests: env.number("OPENAI_REQUESTS_PER_MINUTE", 3_500),
        tokens: env.number("OPENAI_TOKENS_PER_MINUTE", 0),
    };
    let price = |variable: &str, default: Option<&str>| {
        let text = env
            .optional(variable)
            .or_else(|| default.map(str::to_owned))?;
        let price = MicroUsd::parse(&text);
        if price.is_none() {
            env.fault(
                variable,
                "must be dollars with at most six decimals, such as 0.15",
            );
        }
        price
    };
    let prices = |prompt: Option<MicroUsd>, completion: Option<MicroUsd>| {
        prompt
            .zip(completion)
            .map(|(prompt, completion)| Prices { prompt, completion })
    };
    // The price list of the default model; another one's is not guessed.
    let turbo = name == "gpt-4-turbo";
    let first_prices = prices(
        price("OPENAI_PROMPT_USD_PER_MILLION", turbo.then_some("10")),
        price("OPENAI_COMPLETION_USD_PER_MILLION", turbo.then_some("30")),
    );
    let key = env.secret_of(&["OPENAI_API_KEY"]);
    let second_base = env
        .optional("OPENAI_FALLBACK_BASE_URL")
        .unwrap_or_else(|| base.clone());
    let second_key = env
        .secret_of(&["OPENAI_FALLBACK_API_KEY"])
        .or_else(|| key.clone());
    let second_prices = prices(
        price("OPENAI_FALLBACK_PROMPT_USD_PER_MILLION", None),
        price("OPENAI_FALLBACK_COMPLETION_USD_PER_MILLION", None),
    );
    let second = env
        .optional("OPENAI_FALLBACK_MODEL")
        .zip(second_key)
        .map(|(model, key)| EndpointSettings {
            key,
            base: second_base,
            model,
            prices: second_prices,
            rates,
        });
    ModelSettings {
        first: key.map(|key| EndpointSettings {
            key,
            base,
            model: name,
            prices: first_prices,
            rates,
        }),
        second,
        asking: Asking {
            temperature: env.float("OPENAI_TEMPERATURE", 0.7),
            max_tokens: env.number("OPENAI_MAX_TOKENS", 600),
            timeout: env.seconds("OPENAI_TIMEOUT_SECONDS", 20.0),
        },
        retry,
    }
}

fn routes(env: &Env) -> Vec<(Topic, Vec<String>)> {
    let text = env.text("NOTIFICATION_RECIPIENTS", "");
    NotificationSettings::parse_routes(&text).unwrap_or_else(|part| {
        env.fault(
            "NOTIFICATION_RECIPIENTS",
            &format!("has no kind, severity or type with recipients in {part:?}"),
        );
        Vec::new()
    })
}

fn stages(env: &Env) -> StageSettings {
    let score = |name: &str, default: f64| {
        Confidence::new(env.float(name, default)).unwrap_or_else(|| {
            env.fault(name, "must be between 0 and 1");
            Confidence::ONE
        })
    };
    let min_weekly = Cents::parse(&env.text("MIN_WEEKLY_PAYMENT", "25")).unwrap_or_else(|_| {
        env.fault("MIN_WEEKLY_PAYMENT", "must be an amount in dollars");
        Cents(2500)
    });
    let max_weeks = env.number("MAX_PAYMENT_WEEKS", 12);
    let autonomy = match env
        .one_of("AUTONOMY_MODE", "auto", &["auto", "draft_only", "off"])
        .as_str()
    {
        "draft_only" => Autonomy::DraftOnly,
        "off" => Autonomy::Off,
        _ => Autonomy::Auto,
    };
    let delta = |name: &str, default: f64| {
        TimeDelta::from_std(env.seconds(name, default)).unwrap_or(TimeDelta::MAX)
    };
    let hours = |name: &str, default: u32| TimeDelta::hours(i64::from(env.number(name, default)));
    let planning = planning(env, min_weekly, max_weeks);
    let prompt = PromptSettings {
        plans: planning.limits,
        company_name: Some(env.text("COMPANY_NAME", "Property Management")),
        company_facts: env.optional("COMPANY_FACTS"),
        tone: env.text("REPLY_TONE", "polite, plain and respectful"),
        length: env.number("SMS_TARGET_LENGTH", 160),
        segments: env.number("SMS_MAX_SEGMENTS", 3),
        history_tokens: env.number("PROMPT_HISTORY_TOKENS", 1_500),
    };
    StageSettings {
        intake: IntakeSettings {
            dedupe_window: delta("DEDUPE_WINDOW_SECONDS", 30.0),
        },
        draft: DraftSettings {
            checks: CheckSettings {
                plans: prompt.plans,
                company_name: prompt.company_name.clone(),
                company_facts: prompt.company_facts.clone(),
                max_segments: prompt.segments,
            },
            prompt,
            parallel: env.number("MODEL_MAX_PARALLEL", 200),
        },
        routing: RoutingSettings {
            autonomy,
            auto_above: score("AUTO_APPROVAL_CONFIDENCE", 0.85),
            auto_inclusive: env.boolean("AUTO_APPROVAL_INCLUSIVE", false),
            approval_from: score("MANUAL_APPROVAL_MIN_CONFIDENCE", 0.60),
            approval_timeout: hours("APPROVAL_TIMEOUT_HOURS", 24),
        },
        balance_fresh: TimeDelta::minutes(i64::from(env.number("BALANCE_FRESH_MINUTES", 60_u32))),
        retry: crate::stages::retry::RetrySettings {
            most: env.number("MAX_WORKFLOW_RETRIES", 3),
        },
        planning,
        deliver: DeliverSettings {
            parallel: env.number("SMS_MAX_PARALLEL", 10),
            look_after: delta("SMS_LOOK_AFTER_SECONDS", 35.0),
            give_up_after: hours("SMS_GIVE_UP_HOURS", 24),
            retry_base: env.millis("SMS_RETRY_BASE_MS", 1000),
        },
        gate: Gate {
            settings: GateSettings::read(env),
        },
        handover: Handover {
            assignee: env.text("ESCALATION_DEFAULT_ASSIGNEE", "supervisor_team"),
        },
    }
}

fn planning(env: &Env, min_weekly: Cents, max_weeks: u32) -> PlanningSettings {
    let auto = env.number("AUTO_APPROVE_MAX_WEEKS", 12);
    if max_weeks == 0 || min_weekly <= Cents::ZERO {
        let name = if max_weeks == 0 {
            "MAX_PAYMENT_WEEKS"
        } else {
            "MIN_WEEKLY_PAYMENT"
        };
        env.fault(name, "must be above 0, or no plan is ever admissible");
    }
    PlanningSettings {
        limits: PlanSettings {
            min_weekly,
            max_weeks,
            auto_approve_max_weeks: auto,
            ..PlanSettings::default()
        },
        zone: zone(env, "COMPANY_TIMEZONE", "America/New_York"),
    }
}

fn zone(env: &Env, name: &str, default: &str) -> chrono_tz::Tz {
    env.text(name, default).parse().unwrap_or_else(|_| {
        env.fault(name, "must be a time zone such as UTC or America/New_York");
        chrono_tz::UTC
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut all = vec![
            ("DATABASE_URL", "postgres://localhost/x"),
            ("AUTH_ENABLED", "false"),
        ];
        all.extend_from_slice(pairs);
        Config::read(&Env::from_pairs(&all))
    }

    #[test]
    fn the_defaults_are_the_contracts() {
        let config = read(&[]).expect("defaults");
        assert_eq!(config.bridge.port, 8000);
        assert_eq!(config.sidecar_port, 9090);
        assert_eq!(
            config.stages.routing.auto_above,
            Confidence::new(0.85).expect("a score")
        );
        assert_eq!(config.stages.planning.limits.min_weekly, Cents(2500));
        assert_eq!(config.neighbours.monitor.base, "http://localhost:8001");
    }

    #[test]
    fn aliases_are_read_and_the_first_wins() {
        let config = read(&[("COLLECTIONS_MONITOR_URL", "http://b/")]).expect("alias");
        assert_eq!(config.neighbours.monitor.base, "http://b");
        let both = [
            ("COLLECTIONS_MONITOR_URL", "http://b"),
            ("MONITOR_URL", "http://a"),
        ];
        assert_eq!(
            read(&both).expect("both").neighbours.monitor.base,
            "http://a"
        );
    }

    #[test]
    fn every_fault_names_its_variable_and_no_secret_is_shown() {
        let faults = read(&[
            ("DATABASE_URL", "mysql://user:hunter2@host/x"),
            ("PORT", "eighty"),
            ("AUTO_APPROVAL_CONFIDENCE", "0.5"),
            ("AUTONOMY_MODE", "yolo"),
            ("SMS_LOOK_AFTER_SECONDS", "5"),
            ("SMS_AGENT_TIMEZONE", "Mars"),
        ]);
        let Err(error) = faults else {
            panic!("six faults")
        };
        let text = error.to_string();
        for name in [
            "DATABASE_URL",
            "PORT",
            "MANUAL_APPROVAL_MIN_CONFIDENCE",
            "AUTONOMY_MODE",
            "SMS_LOOK_AFTER_SECONDS",
            "SMS_AGENT_TIMEZONE",
        ] {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert!(!text.contains("hunter2"));
    }
}
