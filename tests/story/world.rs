//! A service of one's own in a world of one's own: database, subject prefix, neighbours, ports.

pub(crate) mod certificates;
pub(crate) mod documented;
mod servers;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::config::{Config, Env};
use orchestrator::engine::connection::{self, NatsSettings};
use orchestrator::engine::{Clock, Names};
use orchestrator::events::Stream;
use orchestrator::service::{Roles, Service};
use serde_json::Value;
use simulators::{Config as NeighbourConfig, Neighbours};
use sqlx::PgPool;

use self::servers::servers;
pub(crate) use crate::texts::{phone_of, sms};

/// A running service with everything around it.
pub(crate) struct World {
    pub(crate) neighbours: Neighbours,
    pub(crate) db: PgPool,
    pub(crate) nats: async_nats::Client,
    pub(crate) prefix: String,
    names: Names,
    http: reqwest::Client,
    services: Vec<Service>,
    settings: Vec<(String, String)>,
    /// Seconds that the services' clocks are ahead of ours.
    ahead: Arc<AtomicI64>,
    database: String,
    finished: bool,
    /// How long `until` waits.
    pub(crate) patience: Duration,
}

/// What a test changes before the service starts.
#[derive(Default)]
pub(crate) struct Plan {
    settings: Vec<(String, String)>,
    replicas: usize,
}

impl Plan {
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    pub(crate) async fn start(self) -> World {
        let mut world = World::prepare(self.settings).await;
        for _ in 0..self.replicas.max(1) {
            world.start_service().await;
        }
        world
    }

    /// Everything but the service itself.
    pub(crate) async fn prepare(self) -> World {
        World::prepare(self.settings).await
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A service with the contract's settings, only quicker where it repeats.
    pub(crate) async fn start() -> Self {
        Plan::default().start().await
    }

    pub(crate) fn with(name: &str, value: &str) -> Plan {
        Plan::default().set(name, value)
    }

    async fn prepare(settings: Vec<(String, String)>) -> Self {
        let servers = servers();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // A story that kills its nats-server brings one of its own.
        let nats = given(&settings, "NATS_URL").unwrap_or_else(|| servers.nats.clone());
        let name = format!("t{}_{number}", std::process::id());
        let admin = PgPool::connect(&servers.admin)
            .await
            .expect("the test database server");
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
            .execute(&admin)
            .await
            .expect("a database of our own");
        admin.close().await;
        let (base, _) = servers
            .admin
            .rsplit_once('/')
            .expect("an address with a database");
        let url = given(&settings, "DATABASE_URL").unwrap_or_else(|| format!("{base}/{name}"));
        let neighbours = Neighbours::start(NeighbourConfig {
            seed: Some(7),
            ..NeighbourConfig::default()
        })
        .await
        .expect("neighbours");
        let mut all: Vec<(String, String)> = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_MAX_CONNECTIONS", "6"),
            ("NATS_URL", nats.as_str()),
            ("NATS_SUBJECT_PREFIX", name.as_str()),
            ("MONITOR_URL", &neighbours.monitor.url()),
            ("SMS_AGENT_URL", &neighbours.sms_agent.url()),
            ("NOTIFICATION_URL", &neighbours.notifications.url()),
            ("OPENAI_BASE_URL", &neighbours.model_base_url()),
            ("OPENAI_API_KEY", "test"),
            ("AUTH_ENABLED", "false"),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("SIDECAR_PORT", "0"),
            ("RETRY_BASE_MS", "20"),
            ("SMS_RETRY_BASE_MS", "50"),
            // Stories about circuits say so; the others should not wait a minute.
            ("CIRCUIT_BREAKER_TIMEOUT_SECONDS", "0.3"),
            ("SMS_SEND_TIMEOUT_SECONDS", "1"),
            ("SMS_LOOK_AFTER_SECONDS", "3.5"),
            ("SYNC_BUDGET_MS", "8000"),
            ("SHUTDOWN_SECONDS", "5"),
            ("WAKE_SECONDS", "0.2"),
            // Probes would be among the requests that stories count.
            ("HEALTH_CHECK_SECONDS", "0"),
            // Stories are told at any hour; those about hours say so.
            ("CONTACT_HOURS", "off"),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
        all.extend(settings);
        let kept = last_of_each(&all);
        let settings = NatsSettings::read(&env(&kept));
        Self {
            // A story whose service goes through a pooler looks at the database itself.
            db: PgPool::connect(&given(&kept, "STORY_DATABASE_URL").unwrap_or(url))
                .await
                .expect("our database"),
            nats: connection::connect(&settings)
                .await
                .expect("the test nats-server"),
            names: settings.names,
            prefix: name.clone(),
            http: reqwest::Client::new(),
            neighbours,
            services: Vec::new(),
            settings: all,
            ahead: Arc::default(),
            database: name,
            finished: false,
            patience: Duration::from_secs(20),
        }
    }

    /// The settings as a child process gets them.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        last_of_each(&self.settings)
    }

    /// Changes a setting for whatever starts from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// A setting as it is now.
    pub(crate) fn setting(&self, name: &str) -> String {
        let set = self
            .environment()
            .into_iter()
            .find(|(known, _)| known == name);
        set.map(|(_, value)| value).expect("a setting")
    }

    /// Starts one more replica and waits until it is ready.
    pub(crate) async fn start_service(&mut self) {
        self.start_as(Roles::all()).await;
    }

    /// Starts a process of its own kind: bridge, worker, or some stages.
    pub(crate) async fn start_as(&mut self, roles: Roles) {
        let config = Config::read(&env(&self.environment())).expect("settings");
        self.start_roles(config, roles).await;
    }

    async fn start_roles(&mut self, config: Config, roles: Roles) {
        let ahead = self.ahead.clone();
        let clock =
            Clock::from_fn(move || Utc::now() + TimeDelta::seconds(ahead.load(Ordering::Relaxed)));
        let service = Service::start(config, roles, clock)
            .await
            .expect("a service");
        let ready = format!("http://{}/health/ready", service.sidecar);
        self.services.push(service);
        self.until("the service is ready", || async {
            let answer = self.http.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Sets the services' clocks to a time of a day far ahead, as New York has it.
    pub(crate) fn set_clock(&self, time: &str) {
        let then: DateTime<Utc> = format!("2030-01-15T{time}:00-05:00")
            .parse()
            .expect("a time");
        let ahead = (then - Utc::now()).num_seconds();
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Time passes for every replica.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.ahead.fetch_add(time.num_seconds(), Ordering::Relaxed);
    }

    /// Stops the oldest replica as SIGTERM would.
    pub(crate) async fn stop_service(&mut self) {
        self.services.remove(0).stop().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.url_of(0, path)
    }

    pub(crate) fn url_of(&self, replica: usize, path: &str) -> String {
        let address = self.services[replica].bridge.expect("a bridge");
        format!("http://{address}{path}")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_with(path, body, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = self.http.post(self.url(path)).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read("POST", path, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read("GET", path, self.http.get(self.url(path))).await
    }

    /// A tenant's text over HTTP, waited for.
    pub(crate) async fn text(&self, conversation: &str, content: &str) -> Value {
        let (status, body) = self
            .post("/orchestrate/sms-received", &sms(conversation, content))
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A message straight to a subject, as a neighbour would publish it.
    pub(crate) async fn publish(&self, subject: &str, body: &Value, headers: &[(&str, &str)]) {
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let subject = self.names.subject(subject);
        let jetstream = async_nats::jetstream::new(self.nats.clone());
        let body = match body {
            Value::String(raw) => raw.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        let ack = jetstream
            .publish_with_headers(subject, map, body.into())
            .await
            .expect("sent");
        ack.await.expect("the stream takes it");
    }

    /// Asks until there is an answer, 20 seconds unless the story has more patience.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> F,
    ) -> T {
        let started = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(started.elapsed() < self.patience, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The status of a conversation's newest workflow, once it is `status`.
    pub(crate) async fn until_status(&self, conversation: &str, status: &str) -> Value {
        self.until(&format!("{conversation} is {status}"), || async {
            let path = format!("/orchestrate/workflow/{conversation}/status");
            let (code, body) = self.get(&path).await;
            (code == 200 && body["status"] == status).then_some(body)
        })
        .await
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.db)
            .await
            .expect("a number")
    }

    /// What every replica says about itself.
    pub(crate) async fn metrics(&self) -> String {
        let mut all = String::new();
        for service in &self.services {
            let asked = self.http.get(format!("http://{}/metrics", service.sidecar));
            let answer = asked.send().await.expect("metrics");
            all += &answer.text().await.expect("text");
        }
        all
    }

    /// Texts on the phone of a conversation's tenant.
    pub(crate) fn texts_to(&self, conversation: &str) -> Vec<String> {
        let phone = phone_of(conversation);
        let texts = self.neighbours.sms_agent.messages_to(&phone);
        texts
            .into_iter()
            .map(|text| text.body.to_string())
            .collect()
    }

    /// Nothing is left over: every message of every stage handled, every published event there.
    pub(crate) async fn settle(&self) {
        let jetstream = async_nats::jetstream::new(self.nats.clone());
        for row in orchestrator::stages::STAGES {
            let stream = self.names.stream(row.stream());
            self.until(&format!("{} has nothing left", row.name), || async {
                let stream = jetstream.get_stream(&stream).await.ok()?;
                let mut consumer = stream
                    .get_consumer::<async_nats::jetstream::consumer::pull::Config>(row.name)
                    .await
                    .ok()?;
                let info = consumer.info().await.ok()?;
                (info.num_pending == 0 && info.num_ack_pending == 0).then_some(())
            })
            .await;
        }
    }

    /// Sets every consumer's ack deadline to a second: what a killed process or server held comes
    /// again after that, and a story should not wait 30 s for it.
    pub(crate) async fn shorten_deadlines(&self) {
        use async_nats::jetstream::consumer::PullConsumer;
        let jetstream = async_nats::jetstream::new(self.nats.clone());
        for row in orchestrator::stages::STAGES {
            let name = self.names.stream(row.stream());
            let stream = jetstream.get_stream(&name).await.expect("a stream");
            let consumer: PullConsumer = stream.get_consumer(row.name).await.expect("a consumer");
            let mut config = consumer.cached_info().config.clone();
            config.ack_wait = Duration::from_secs(1);
            stream
                .update_consumer(config)
                .await
                .expect("the consumer's new deadline");
        }
    }

    /// The end of every story: nothing left over, no unexpected dead letters, `texts` on phones.
    pub(crate) async fn finish(self, texts: usize) {
        self.finish_with(texts, 0).await;
    }

    pub(crate) async fn finish_with(mut self, texts: usize, dead_letters: i64) {
        self.settle().await;
        let on_phones =
            usize::try_from(self.neighbours.sms_agent.message_count()).expect("a count");
        assert_eq!(on_phones, texts, "texts on phones");
        let dead = self.count("select count(*) from dead_letters").await;
        assert_eq!(dead, dead_letters, "dead letters");
        let stuck = self
            .count("select count(*) from orchestration_workflows where status in ('received', 'processing')")
            .await;
        assert_eq!(stuck, 0, "workflows without an outcome");
        self.finished = true;
        for service in self.services.drain(..) {
            service.stop().await;
        }
        self.clean_up().await;
    }

    /// As if the NATS volume were gone.
    pub(crate) async fn lose_streams(&self) {
        delete_streams(&self.nats, &self.prefix).await;
    }

    async fn clean_up(&self) {
        // Without a prefix the whole server is the story's own, and goes with it.
        if !self.names.subject("").is_empty() {
            delete_streams(&self.nats, &self.prefix).await;
        }
        self.db.close().await;
        if let Ok(admin) = PgPool::connect(&servers().admin).await {
            let drop = format!("drop database if exists {} with (force)", self.database);
            let _ = sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&admin).await;
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // A failed story gives its streams back too: they reserve space on the shared server.
        let nats = given(&self.environment(), "NATS_URL").unwrap_or_default();
        let prefix = self.prefix.clone();
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                if let Ok(client) = async_nats::connect(nats).await {
                    delete_streams(&client, &prefix).await;
                }
            });
        });
        drop(cleaned.join());
        if !std::thread::panicking() {
            panic!("a story must end with finish()");
        }
    }
}

fn given(settings: &[(String, String)], wanted: &str) -> Option<String> {
    let mut all = settings.iter().filter(|(name, _)| name == wanted);
    all.next().map(|(_, value)| value.clone())
}

fn last_of_each(settings: &[(String, String)]) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in settings {
        kept.retain(|(known, _)| known != name);
        kept.push((name.clone(), value.clone()));
    }
    kept
}

fn env(pairs: &[(String, String)]) -> Env {
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (&**k, &**v)).collect();
    Env::from_pairs(&pairs)
}

/// An answer, and whether the document knows it.
async fn read(method: &str, path: &str, request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_owned();
    let body: Value = answer.json().await.expect("JSON");
    documented::check(method, path, status, &kind, &body);
    (status, body)
}

async fn delete_streams(client: &async_nats::Client, prefix: &str) {
    let jetstream = async_nats::jetstream::new(client.clone());
    for stream in Stream::ALL {
        let name = format!("{}_{}", prefix.to_uppercase(), stream.name());
        drop(jetstream.delete_stream(name).await);
    }
}
