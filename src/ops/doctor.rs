//! `orchestrator doctor`: looks at everything the service needs, from where it would run, and says
//! what to put right. Changes nothing.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store::Db;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row;

use super::dependencies::NEIGHBOURS;
use super::metrics::Metrics;
use crate::config::{Config, Env};
use crate::engine::Clock;
use crate::engine::connection;
use crate::engine::topology::{self, Mode, State};
use crate::events::Neighbour;
use crate::neighbours::open::Opening;
use crate::store;
use crate::store::backlog;

/// Longer than this nobody on call wants to wait for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clocks that differ by more make times of different machines hard to compare.
const SKEW_SEEN: TimeDelta = TimeDelta::seconds(1);
/// And by more than this, texts are held or sent at the wrong hour.
const SKEW_WRONG: TimeDelta = TimeDelta::seconds(30);
/// The oldest Postgres that the tests run on.
const OLDEST_POSTGRES: i32 = 150_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// Works, and somebody should know.
    Note,
    /// Does not work.
    Fix,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Fix => "FIX",
        })
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    fixes: usize,
}

impl Findings {
    #[expect(clippy::print_stdout, reason = "the answer to a command")]
    fn add(&mut self, verdict: Verdict, what: &str, said: &str) {
        self.fixes += usize::from(verdict == Verdict::Fix);
        println!("{verdict:<5} {what:<22} {said}");
    }
}

/// Looks at everything; an error when something keeps the service from working.
pub async fn run(env: &Env) -> anyhow::Result<()> {
    let mut found = Findings::default();
    let config = match Config::read(env) {
        Ok(config) => config,
        Err(error) => {
            found.add(Verdict::Fix, "settings", "see .env.example");
            return Err(error.into());
        }
    };
    found.add(Verdict::Ok, "settings", "read");
    postgres(&config, &mut found).await;
    nats(&config, &mut found).await;
    neighbours(&config, &mut found).await;
    match found.fixes {
        0 => Ok(()),
        n => anyhow::bail!("{n} to put right"),
    }
}

async fn postgres(config: &Config, found: &mut Findings) {
    let db = match store::connect(&config.database) {
        Ok(db) => db,
        Err(error) => return found.add(Verdict::Fix, "postgres", &error.to_string()),
    };
    let began = Instant::now();
    let asked = tokio::time::timeout(
        PATIENCE,
        sqlx::query_as(
            "select now(), current_setting('server_version_num')::integer, current_user::text,
                    coalesce((select rolsuper from pg_roles where rolname = current_user), false)",
        )
        .fetch_one(&db),
    );
    let (server, version, user, superuser): (DateTime<Utc>, i32, String, bool) = match asked.await {
        Ok(Ok(row)) => row,
        Ok(Err(error)) => {
            let said = format!(
                "{error}; DATABASE_URL, and whether the server takes connections from here"
            );
            return found.add(Verdict::Fix, "postgres", &said);
        }
        Err(_) => {
            return found.add(
                Verdict::Fix,
                "postgres",
                "does not answer: DATABASE_URL, network, firewall",
            );
        }
    };
    let took = began.elapsed();
    let said = format!(
        "version {}, as {user}, {} ms",
        version / 10_000,
        took.as_millis()
    );
    let old = version < OLDEST_POSTGRES;
    found.add(
        if old { Verdict::Fix } else { Verdict::Ok },
        "postgres",
        &said,
    );
    clock(server, took, found);
    migrations(&db, found).await;
    if superuser {
        found.add(
            Verdict::Note,
            "database rights",
            "a superuser; deploy/postgres/roles.sql has roles with less",
        );
    } else if let Err(error) = rights(&db, found).await {
        found.add(Verdict::Fix, "database rights", &error.to_string());
    }
    match backlog::waiting(&db, Utc::now()).await {
        Ok(waiting) => {
            let letters: i64 = waiting.dead_letters.iter().map(|(_, n)| n).sum();
            let said = format!(
                "{letters} dead letters open, {} texts with the agent, {} held, {} drafts wait for a manager",
                waiting.sms.depth, waiting.held.depth, waiting.approvals.depth
            );
            let verdict = if letters > 0 {
                Verdict::Note
            } else {
                Verdict::Ok
            };
            found.add(verdict, "work", &said);
            if waiting.timers.depth > 0 {
                let said = format!(
                    "{} are late: is a worker with the stage timer running?",
                    waiting.timers.depth
                );
                found.add(Verdict::Note, "timers", &said);
            }
        }
        Err(error) => found.add(Verdict::Note, "work", &format!("not known: {error}")),
    }
}

/// The server's `now()` was taken somewhere within the time that the answer took.
fn clock(server: DateTime<Utc>, took: Duration, found: &mut Findings) {
    let took = TimeDelta::from_std(took).unwrap_or_default();
    let skew = ((Utc::now() - took / 2) - server).abs() - took / 2;
    let skew = skew.max(TimeDelta::zero());
    let verdict = match () {
        () if skew > SKEW_WRONG => Verdict::Fix,
        () if skew > SKEW_SEEN => Verdict::Note,
        () => Verdict::Ok,
    };
    let said = match verdict {
        Verdict::Ok => "agrees with Postgres'".to_owned(),
        _ => format!(
            "{} ms away from Postgres': set both by NTP",
            skew.num_milliseconds()
        ),
    };
    found.add(verdict, "clock", &said);
}

async fn migrations(db: &Db, found: &mut Findings) {
    let applied: Result<Vec<(i64, Vec<u8>)>, _> = sqlx::query_as(
        "select version, checksum from _sqlx_migrations where success order by version",
    )
    .fetch_all(db)
    .await;
    let applied = match applied {
        Ok(applied) => applied,
        Err(_) => {
            return found.add(
                Verdict::Fix,
                "migrations",
                "none: run `orchestrator migrate`",
            );
        }
    };
    let wanted = crate::store::migrations();
    let of = |version| applied.iter().find(|(v, _)| *v == version);
    let missing: Vec<String> = wanted
        .iter()
        .filter(|m| of(m.version).is_none())
        .map(|m| format!("{:04}", m.version))
        .collect();
    let changed: Vec<String> = wanted
        .iter()
        .filter(|m| of(m.version).is_some_and(|(_, sum)| sum[..] != m.checksum[..]))
        .map(|m| format!("{:04}", m.version))
        .collect();
    let newer = applied
        .iter()
        .filter(|(v, _)| !wanted.iter().any(|m| m.version == *v))
        .count();
    if !missing.is_empty() {
        let said = format!("{} missing: run `orchestrator migrate`", missing.join(", "));
        found.add(Verdict::Fix, "migrations", &said);
    } else if !changed.is_empty() {
        let said = format!(
            "{} applied with other contents than this binary has",
            changed.join(", ")
        );
        found.add(Verdict::Fix, "migrations", &said);
    } else if newer > 0 {
        let said = format!("{newer} newer than this binary: fine during a rollout");
        found.add(Verdict::Note, "migrations", &said);
    } else {
        found.add(Verdict::Ok, "migrations", &format!("all {}", wanted.len()));
    }
}

/// What every role of the service needs of every table. Row level security without a policy shows
/// nothing, which looks like an empty database.
async fn rights(db: &Db, found: &mut Findings) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "select t.tablename::text as name,
                has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') as granted,
                not row_security_active(c.oid) or exists (
                  select from pg_policies p, unnest(p.roles) as role
                  where p.schemaname = 'public' and p.tablename = t.tablename
                    and (role = 'public' or pg_has_role(current_user, role, 'usage'))) as seen
         from pg_tables t join pg_class c on c.oid = ('public.' || quote_ident(t.tablename))::regclass
         where t.schemaname = 'public' and t.tablename = any($1)",
    )
    .bind(TABLES.as_slice())
    .fetch_all(db)
    .await?;
    let mut lacking = Vec::new();
    for row in &rows {
        let name: String = row.try_get("name")?;
        if !(row.try_get::<bool, _>("granted")? && row.try_get::<bool, _>("seen")?) {
            lacking.push(name);
        }
    }
    if lacking.is_empty() {
        found.add(
            Verdict::Ok,
            "database rights",
            "as deploy/postgres/roles.sql has them",
        );
    } else {
        let said = format!(
            "none on {}: run deploy/postgres/roles.sql again",
            lacking.join(", ")
        );
        found.add(Verdict::Fix, "database rights", &said);
    }
    Ok(())
}

/// Tables that every stage meets.
const TABLES: [&str; 9] = [
    "approval_audit_log",
    "ai_response_queue",
    "consents",
    "conversations",
    "deliveries",
    "gate_decisions",
    "handled_events",
    "inbound_messages",
    "orchestration_workflows",
];

async fn nats(config: &Config, found: &mut Findings) {
    let client = match connection::connect(&config.nats).await {
        Ok(client) => client,
        Err(error) => return found.add(Verdict::Fix, "nats", &format!("{error:#}")),
    };
    let began = Instant::now();
    match tokio::time::timeout(PATIENCE, client.flush()).await {
        Ok(Ok(())) => {}
        _ => {
            let said = "does not answer: NATS_URL, credentials, network";
            return found.add(Verdict::Fix, "nats", said);
        }
    }
    let info = client.server_info();
    let said = format!(
        "server {}, {} ms",
        info.version,
        began.elapsed().as_millis()
    );
    found.add(Verdict::Ok, "nats", &said);
    if !info.jetstream {
        return found.add(
            Verdict::Fix,
            "streams",
            "JetStream is off on this server (nats/server.conf)",
        );
    }
    let names = &config.nats.names;
    let checked = topology::ensure(&client, names, config.nats.replicas, Mode::Check);
    let findings = match tokio::time::timeout(PATIENCE * 2, checked).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => return found.add(Verdict::Fix, "streams", &error.to_string()),
        Err(_) => return found.add(Verdict::Fix, "streams", "JetStream does not answer"),
    };
    let mut wrong = 0;
    for finding in &findings {
        let said = match &finding.state {
            State::Missing => "missing: run `orchestrator topology apply`".to_owned(),
            State::Differs(fields) => format!(
                "{} not as in nats/: `orchestrator topology apply` changes it",
                fields.join(", ")
            ),
            _ => continue,
        };
        wrong += 1;
        let verdict = match finding.state {
            State::Missing => Verdict::Fix,
            // Somebody may have meant it.
            _ => Verdict::Note,
        };
        found.add(verdict, &finding.what, &said);
    }
    if wrong == 0 {
        let said = format!("all {} as in nats/", findings.len());
        found.add(Verdict::Ok, "streams", &said);
    }
}

async fn neighbours(config: &Config, found: &mut Findings) {
    let clients = Metrics::new()
        .map_err(anyhow::Error::from)
        .and_then(|metrics| {
            let opening = Opening {
                settings: &config.neighbours,
                clock: &Clock::system(),
                metrics: &Arc::new(metrics),
                told: None,
            };
            Ok(opening.all()?)
        });
    let clients = match clients {
        Ok(clients) => clients,
        Err(error) => return found.add(Verdict::Fix, "neighbours", &format!("{error:#}")),
    };
    let address = |who| match who {
        Neighbour::CollectionsMonitor => ("MONITOR_URL", config.neighbours.monitor.base.as_str()),
        Neighbour::SmsAgent => ("SMS_AGENT_URL", config.neighbours.sms_agent.base.as_str()),
        Neighbour::NotificationService => (
            "NOTIFICATION_URL",
            config.neighbours.notifications.base.as_str(),
        ),
        Neighbour::Openai => ("OPENAI_BASE_URL", "the model provider"),
    };
    let asked = NEIGHBOURS.map(|who| clients.is_reachable(who));
    let answers = futures::future::join_all(asked).await;
    for (who, up) in NEIGHBOURS.into_iter().zip(answers) {
        let (variable, place) = address(who);
        let unset = who == Neighbour::Openai && !clients.model.is_configured();
        // The service works without any of them, only not as well.
        let (verdict, said) = match up {
            _ if unset => (
                Verdict::Note,
                "OPENAI_API_KEY is not set: every text goes to a person".to_owned(),
            ),
            true => (Verdict::Ok, format!("{place} answers")),
            false => (
                Verdict::Note,
                format!("{place} does not answer, or refuses the key: {variable}"),
            ),
        };
        found.add(verdict, who.as_str(), &said);
    }
}
