//! The SMS provider, and a world with a relay in it.

use std::ops::{Deref, DerefMut};

use orchestrator::config::{Config, Env};
use orchestrator::engine::Clock;
use orchestrator::relay::Running;
use simulators::sms_agent::webhook::signature;

use crate::world::{Plan, World};

/// A form the provider posts.
pub(super) struct Form {
    parameters: Vec<(String, String)>,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) signature: String,
}

/// A signed inbound text.
pub(super) fn form(sid: &str, from: &str, body: &str) -> Form {
    let parameters = [
        ("ToCountry", "US"),
        ("MessageSid", sid),
        ("From", from),
        ("To", "+12025550100"),
        ("Body", body),
        ("NumMedia", "0"),
    ];
    let mut form = Form {
        parameters: parameters
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .to_vec(),
        path: "/webhook/twilio/sms?tenant=a%20b".to_owned(),
        body: String::new(),
        signature: String::new(),
    };
    form.sign();
    form
}

impl Form {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.parameters.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.parameters.retain(|(known, _)| known != name);
    }

    /// Over the address that the provider was told to call.
    pub(super) fn sign(&mut self) {
        let url = format!("https://{}{}", Provider::HOST, self.path);
        self.signature = signature(&url, &self.parameters);
        self.body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.parameters)
            .finish();
    }
}

/// Posts to a relay as the load balancer in front of it would.
pub(super) struct Provider {
    http: reqwest::Client,
    url: String,
}

impl Provider {
    pub(super) const HOST: &str = "texts.example.com";

    pub(super) fn to(url: String) -> Self {
        Self {
            http: reqwest::Client::new(),
            url,
        }
    }

    pub(super) async fn post(&self, form: &Form) -> (u16, String) {
        let answer = self.try_post(form).await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("a body"))
    }

    pub(super) async fn try_post(&self, form: &Form) -> Result<reqwest::Response, reqwest::Error> {
        self.http
            .post(format!("{}{}", self.url, form.path))
            .header("host", Self::HOST)
            .header("x-forwarded-proto", "https")
            .header("x-twilio-signature", &form.signature)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.body.clone())
            .send()
            .await
    }
}

/// A service, its neighbours, and relays.
pub(super) struct RelayWorld {
    world: World,
    relays: Vec<Running>,
}

impl Deref for RelayWorld {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for RelayWorld {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl RelayWorld {
    pub(super) async fn start(plan: Plan) -> Self {
        Self::with_replicas(plan, 1).await
    }

    pub(super) async fn with_replicas(plan: Plan, replicas: usize) -> Self {
        let mut all = Self {
            world: plan.start().await,
            relays: Vec::new(),
        };
        for _ in 0..replicas {
            all.start_relay().await;
        }
        all
    }

    /// Relays that work while nobody handles what they publish.
    pub(super) async fn without_a_service(plan: Plan) -> Self {
        let mut all = Self {
            world: plan.prepare().await,
            relays: Vec::new(),
        };
        all.start_relay().await;
        all
    }

    pub(super) async fn start_service(&mut self) {
        self.world.start_service().await;
    }

    pub(super) async fn start_relay(&mut self) {
        let pairs = self.world.environment();
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let config = Config::read(&Env::from_pairs(&pairs)).expect("settings");
        let relay = Running::start(config, Clock::system())
            .await
            .expect("a relay");
        let ready = format!("http://{}/health/ready", relay.sidecar);
        self.world
            .until("the relay is ready", || async {
                let answer = reqwest::get(&ready).await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
        self.relays.push(relay);
    }

    /// As SIGTERM would.
    pub(super) async fn stop_relay(&mut self) {
        self.relays.remove(0).stop().await;
    }

    pub(super) fn webhook_url(&self) -> String {
        self.webhook_url_of(0)
    }

    fn webhook_url_of(&self, replica: usize) -> String {
        let address = self.relays[replica].webhook.expect("a webhook");
        format!("http://{address}")
    }

    pub(super) fn sidecar_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.relays[0].sidecar)
    }

    pub(super) fn provider(&self) -> Provider {
        self.provider_of(0)
    }

    pub(super) fn provider_of(&self, replica: usize) -> Provider {
        Provider::to(self.webhook_url_of(replica))
    }

    /// Waits until so many texts of the queue are in a state.
    pub(super) async fn until_queue(&self, state: &str, wanted: i64) {
        until_queue(&self.world, state, wanted).await;
    }

    pub(super) async fn finish(mut self, texts: usize) {
        for relay in self.relays.drain(..) {
            relay.stop().await;
        }
        self.world.finish(texts).await;
    }
}

pub(super) async fn until_queue(world: &World, state: &str, wanted: i64) {
    world
        .until(&format!("{wanted} are {state}"), || async {
            // What is published is taken sooner or later.
            let count: i64 = sqlx::query_scalar(
                "select count(*) from relay_queue
                 where state = $1 or ($1 = 'published' and state = 'taken')",
            )
            .bind(state)
            .fetch_one(&world.db)
            .await
            .ok()?;
            (count == wanted).then_some(())
        })
        .await;
}
