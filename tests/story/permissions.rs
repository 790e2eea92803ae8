//! Who may say and hear what on NATS: `nats/secure.conf` and `nats/accounts.conf` on a real server,
//! with TLS and a key for everybody.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull};
use async_nats::{Client, ConnectOptions, Event};
use futures::StreamExt;
use serde_json::json;
use simulators::servers::{Nats, NatsOptions};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::world::certificates::Certificates;
use crate::world::{World, sms};

const USERS: [&str; 5] = [
    "orchestrator",
    "operations",
    "sms_agent",
    "decider",
    "reader",
];
/// For what is certain to come; a loaded machine takes its time.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    nats: Nats,
    files: Certificates,
    seeds: Vec<String>,
}

impl Server {
    fn start() -> Self {
        let files = Certificates::new();
        let keys: Vec<nkeys::KeyPair> = USERS.iter().map(|_| nkeys::KeyPair::new_user()).collect();
        let public = USERS.iter().zip(&keys).map(|(user, key)| {
            let name = format!("NATS_{}_NKEY", user.to_uppercase());
            (name, key.public_key())
        });
        let mut variables: Vec<(String, String)> = public.collect();
        for (name, path) in [
            ("NATS_TLS_CERT", &files.certificate),
            ("NATS_TLS_KEY", &files.key),
        ] {
            variables.push((name.to_owned(), path.display().to_string()));
        }
        let nats = Nats::start(NatsOptions {
            config: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("nats/secure.conf")),
            variables,
            ..NatsOptions::default()
        });
        Self {
            nats: nats.expect("a nats-server with accounts"),
            seeds: keys.iter().map(|key| key.seed().expect("a seed")).collect(),
            files,
        }
    }

    fn url(&self) -> String {
        format!("tls://localhost:{}", self.nats.port())
    }

    fn seed(&self, user: &str) -> &str {
        let index = USERS.iter().position(|known| *known == user);
        &self.seeds[index.expect("a user")]
    }

    async fn connect(&self, user: &str) -> User {
        let (sender, refusals) = unbounded_channel();
        let client = ConnectOptions::new()
            .nkey(self.seed(user).to_owned())
            .custom_inbox_prefix(format!("_INBOX.{user}"))
            .add_root_certificates(self.files.authority.clone())
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    drop(sender.send(error.to_string()));
                }
                std::future::ready(())
            })
            .connect(self.url())
            .await
            .unwrap_or_else(|error| panic!("{user}: {error}"));
        User {
            name: user.to_owned(),
            client,
            refusals,
        }
    }

    /// The service on this server, as `.env` would have it.
    async fn world(&self) -> World {
        World::with("NATS_URL", &self.url())
            .set("NATS_NKEY", self.seed("orchestrator"))
            .set("NATS_CA_FILE", &self.files.authority.display().to_string())
            .set("NATS_INBOX_PREFIX", "_INBOX.orchestrator")
            .set("NATS_SUBJECT_PREFIX", "")
            .start()
            .await
    }
}

struct User {
    name: String,
    client: Client,
    refusals: UnboundedReceiver<String>,
}

impl User {
    /// The server says no, and says to what.
    async fn refused(&mut self, what: &str, subject: &str) {
        let wanted = format!("{what} to \"{subject}\"").to_lowercase();
        let said = async {
            while let Some(refusal) = self.refusals.recv().await {
                if refusal.to_lowercase().contains(&wanted) {
                    return;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, said).await;
        assert!(heard.is_ok(), "{} was allowed: {wanted}", self.name);
    }

    async fn may_not_publish(&mut self, subjects: &[&str]) {
        for subject in subjects {
            let subject = (*subject).to_owned();
            self.client
                .publish(subject.clone(), "{}".into())
                .await
                .unwrap();
            self.client.flush().await.unwrap();
            self.refused("publish", &subject).await;
        }
    }

    async fn may_not_subscribe(&mut self, subjects: &[&str]) {
        for subject in subjects {
            let subject = (*subject).to_owned();
            let _kept = self.client.subscribe(subject.clone()).await.unwrap();
            self.client.flush().await.unwrap();
            self.refused("subscription", &subject).await;
        }
    }

    /// The stream acknowledges it.
    async fn publishes(&self, subject: &str, body: String) {
        let context = jetstream::new(self.client.clone());
        let sent = context.publish(subject.to_owned(), body.into()).await;
        let acknowledged = sent.expect("sent").await;
        acknowledged.unwrap_or_else(|error| panic!("{} {subject}: {error}", self.name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sms_agent_hands_in_texts_and_does_nothing_else() {
    let server = Server::start();
    let world = server.world().await;
    let mut agent = server.connect("sms_agent").await;
    agent
        .publishes(
            "sms.received",
            sms("c1", "hello [confidence=0.95]").to_string(),
        )
        .await;
    agent
        .may_not_publish(&[
            "approval.decided",
            "command.escalate",
            "command.hold",
            "reply.approved",
            "turn.opened",
            "reply.sent",
            "dead.letter",
            "answer.sms_agent.x",
            "answer.deciders.x",
            "_INBOX.orchestrator.x",
            "$JS.API.STREAM.INFO.ORCHESTRATOR",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.DELETE.ORCHESTRATOR",
            "$JS.ACK.ORCHESTRATOR.draft.1.1.1.1.0",
        ])
        .await;
    agent
        .may_not_subscribe(&[
            "sms.received",
            "approval.decided",
            "reply.>",
            "approval.>",
            ">",
            "_INBOX.>",
            "_INBOX.orchestrator.>",
            "answer.deciders.>",
            "$JS.EVENT.>",
            "$SYS.>",
        ])
        .await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

/// The server acknowledges to wherever the publisher says. In one account with the service that
/// would write an event.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_subject_does_not_write_where_its_publisher_may_not() {
    let server = Server::start();
    let world = server.world().await;
    let agent = server.connect("sms_agent").await;
    for (n, forged) in ["reply.approved", "approval.decided", "command.retry"]
        .iter()
        .enumerate()
    {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]").to_string();
        let forged = (*forged).to_owned();
        let client = &agent.client;
        client
            .publish_with_reply("sms.received", forged, body.into())
            .await
            .unwrap();
        world.until_status(&format!("c{n}"), "sent").await;
    }
    // Only what stages said: nothing undecodable, so no dead letters; no command at all.
    let mut stream = jetstream::new(world.nats.clone())
        .get_stream("ORCHESTRATOR_IN")
        .await
        .unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 3);
    world.finish(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decider_decides_and_hears_what_becomes_of_it() {
    let server = Server::start();
    let world = server.world().await;
    let mut decider = server.connect("decider").await;
    let mut decided = decider.client.subscribe("approval.approved").await.unwrap();
    let mut answers = decider.client.subscribe("answer.deciders.>").await.unwrap();
    decider.client.flush().await.unwrap();
    let waiting = world.text("c1", "hello [confidence=0.7]").await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Reply-Subject", "answer.deciders.7");
    let body = json!({
        "response_queue_id": waiting["response_queue_id"], "action": "approve", "manager_id": "dora",
    });
    let context = jetstream::new(decider.client.clone());
    let sent = context
        .publish_with_headers("approval.decided", headers, body.to_string().into())
        .await;
    sent.expect("sent").await.expect("acknowledged");
    let event = tokio::time::timeout(PATIENCE, decided.next()).await;
    assert!(event.expect("an event").is_some());
    let answer = tokio::time::timeout(PATIENCE, answers.next()).await;
    let answer = answer.expect("an answer").expect("a message");
    assert!(String::from_utf8_lossy(&answer.payload).contains("Approved and sent."));
    decider
        .publishes(
            "command.escalate",
            json!({"conversation_id": "c1"}).to_string(),
        )
        .await;
    decider
        .may_not_publish(&[
            "sms.received",
            "reply.approved",
            "approval.approved",
            "turn.opened",
            "dead.letter",
            "answer.deciders.x",
            "_INBOX.orchestrator.x",
            "$JS.API.STREAM.INFO.ORCHESTRATOR",
            "$JS.API.CONSUMER.MSG.NEXT.ORCHESTRATOR.draft",
            "$JS.ACK.ORCHESTRATOR.draft.1.1.1.1.0",
        ])
        .await;
    decider
        .may_not_subscribe(&[
            "sms.received",
            "approval.decided",
            "command.>",
            ">",
            "_INBOX.>",
            "_INBOX.reader.>",
            "_INBOX.orchestrator.>",
            "answer.>",
            "dead.>",
        ])
        .await;
    world.until_status("c1", "sent").await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_hears_events_live_and_from_its_own_consumer() {
    let server = Server::start();
    let world = server.world().await;
    let operations = server.connect("operations").await;
    let stream = jetstream::new(operations.client.clone())
        .get_stream("ORCHESTRATOR")
        .await
        .expect("operations read");
    let wanted = pull::Config {
        durable_name: Some("reader".to_owned()),
        filter_subject: "reply.sent".to_owned(),
        ..pull::Config::default()
    };
    stream
        .create_consumer(wanted)
        .await
        .expect("operations manage");
    let mut reader = server.connect("reader").await;
    let mut live = reader.client.subscribe("reply.sent").await.unwrap();
    reader.client.flush().await.unwrap();
    world.text("c1", "hello [confidence=0.95]").await;
    let event = tokio::time::timeout(PATIENCE, live.next()).await;
    assert!(event.expect("an event").is_some());
    let context = jetstream::with_prefix(reader.client.clone(), "JS.orchestrator");
    let consumer: jetstream::consumer::PullConsumer = context
        .get_consumer_from_stream("reader", "ORCHESTRATOR")
        .await
        .expect("its own consumer");
    let mut kept = consumer.fetch().max_messages(1).messages().await.unwrap();
    let kept = tokio::time::timeout(PATIENCE, kept.next()).await;
    let kept = kept
        .expect("an event")
        .expect("a message")
        .expect("no error");
    assert_eq!(kept.subject.as_str(), "reply.sent");
    kept.double_ack().await.expect("acknowledged");
    reader
        .may_not_publish(&[
            "sms.received",
            "approval.decided",
            "command.escalate",
            "reply.sent",
            "dead.letter",
            "$JS.API.CONSUMER.MSG.NEXT.ORCHESTRATOR.draft",
            "$JS.API.STREAM.INFO.ORCHESTRATOR",
            "JS.orchestrator.CONSUMER.MSG.NEXT.ORCHESTRATOR.draft",
            "_INBOX.orchestrator.x",
            "$JS.ACK.ORCHESTRATOR.draft.1.1.1.1.0",
        ])
        .await;
    reader
        .may_not_subscribe(&[
            "sms.received",
            "approval.decided",
            "command.>",
            ">",
            "_INBOX.>",
            "_INBOX.decider.>",
            "_INBOX.orchestrator.>",
            "dead.>",
            "answer.>",
        ])
        .await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_read_and_manage_and_say_nothing() {
    let server = Server::start();
    let world = server.world().await;
    let mut operations = server.connect("operations").await;
    let context = jetstream::new(operations.client.clone());
    let mut heard = operations.client.subscribe("sms.received").await.unwrap();
    // Its answer also says that the server has the subscription: a flush does not.
    let mut stream = context.get_stream("ORCHESTRATOR_IN").await.expect("reads");
    world.text("c1", "hello [confidence=0.95]").await;
    let text = tokio::time::timeout(PATIENCE, heard.next()).await;
    assert!(text.expect("a text").is_some());
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    let until = std::time::SystemTime::now() + Duration::from_secs(3600);
    let paused = stream
        .pause_consumer("intake", until.into())
        .await
        .expect("manages");
    assert!(paused.paused);
    stream.resume_consumer("intake").await.expect("manages");
    operations
        .may_not_publish(&[
            "sms.received",
            "approval.decided",
            "command.escalate",
            "reply.approved",
            "dead.letter",
        ])
        .await;
    operations
        .may_not_subscribe(&["_INBOX.>", "_INBOX.orchestrator.>", ">", "answer.>"])
        .await;
    world.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_itself_cannot_delete_what_was_said() {
    let server = Server::start();
    let world = server.world().await;
    let mut service = server.connect("orchestrator").await;
    service
        .may_not_publish(&[
            "$JS.API.STREAM.DELETE.ORCHESTRATOR",
            "$JS.API.STREAM.PURGE.ORCHESTRATOR",
            "$JS.API.STREAM.PURGE.ORCHESTRATOR_DEAD",
            "$JS.API.STREAM.MSG.DELETE.ORCHESTRATOR",
            "nowhere",
            "_INBOX.decider.x",
        ])
        .await;
    service.may_not_subscribe(&["_INBOX.decider.>", ">"]).await;
    world.finish(0).await;
}

/// What was handled makes room for new texts, under these rights too.
#[tokio::test(flavor = "multi_thread")]
async fn the_door_opens_again_after_a_flood() {
    let server = Server::start();
    let world = server.world().await;
    let operations = server.connect("operations").await;
    let context = jetstream::new(operations.client.clone());
    let mut stream = context.get_stream("ORCHESTRATOR_IN").await.expect("reads");
    let mut config = stream.cached_info().config.clone();
    config.max_messages = 6;
    context.update_stream(config).await.expect("manages");
    let agent = server.connect("sms_agent").await;
    for n in 0..5 {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]").to_string();
        agent.publishes("sms.received", body).await;
    }
    world.settle().await;
    let began = std::time::Instant::now();
    while stream.info().await.expect("reads").state.messages == 5 {
        assert!(began.elapsed() < PATIENCE * 3, "full for ever");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.finish(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_key_or_without_tls() {
    let server = Server::start();
    let authority = || ConnectOptions::new().add_root_certificates(server.files.authority.clone());
    assert!(
        authority().connect(server.url()).await.is_err(),
        "without a key"
    );
    let strange = nkeys::KeyPair::new_user().seed().unwrap();
    assert!(
        authority()
            .nkey(strange)
            .connect(server.url())
            .await
            .is_err(),
        "a strange key"
    );
    let known = server.seed("reader").to_owned();
    let unknown_authority = ConnectOptions::new()
        .nkey(known)
        .connect(server.url())
        .await;
    assert!(unknown_authority.is_err(), "a server nobody vouches for");
}

/// A new subject of the story has to be somebody's decision here, too.
#[test]
fn every_subject_of_the_story_is_in_the_accounts() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let accounts = read("nats/accounts.conf").unwrap();
    let story: serde_json::Value =
        serde_json::from_str(&read("nats/streams/story.json").unwrap()).unwrap();
    for subject in story["subjects"].as_array().unwrap() {
        let word = subject.to_string();
        let exported = format!("{{ stream: {word}, accounts: [DECIDERS, READERS] }}");
        assert!(accounts.contains(&exported), "{word} is exported");
        let imported = format!("{{ stream: {{ account: ORCHESTRATOR, subject: {word} }} }}");
        assert_eq!(accounts.matches(&imported).count(), 2, "{word} is imported");
        // Said by the service; heard by operations, deciders and readers.
        let lists = accounts.lines().filter(|line| !line.contains("stream:"));
        let listed = lists.map(|line| line.matches(&word).count()).sum::<usize>();
        assert_eq!(listed, 4, "{word} in lists of permissions");
    }
    let names: BTreeSet<&str> = accounts
        .split('$')
        .filter_map(|part| {
            part.split(['_'])
                .next()
                .filter(|w| *w == "NATS")
                .map(|_| part)
        })
        .filter_map(|part| {
            part.split(|c: char| !c.is_ascii_uppercase() && c != '_')
                .next()
        })
        .collect();
    assert_eq!(names.len(), USERS.len(), "{names:?}");
}
