//! Replicas as processes of their own, and neighbours' texts that go on while things are killed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{World, sms};

/// A number from the environment, so that one program is the short test and the long run.
pub(crate) fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok().filter(|text| !text.is_empty());
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number"))
    })
}

/// The product, as it was built for the tests; `CHAOS_BINARY` names another build, of a release for
/// example.
pub(crate) fn built() -> PathBuf {
    let named = std::env::var_os("CHAOS_BINARY").filter(|path| !path.is_empty());
    named.map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_orchestrator")),
        PathBuf::from,
    )
}

/// `orchestrator serve` on ports that stay the same over its deaths.
pub(crate) struct Replica {
    process: Option<tokio::process::Child>,
    pub(crate) program: PathBuf,
    environment: Vec<(String, String)>,
    bridge: u16,
    sidecar: u16,
}

impl Replica {
    pub(crate) fn start(world: &World) -> Self {
        Self::start_as(world, None)
    }

    /// Of another build.
    pub(crate) fn start_as(world: &World, program: Option<OsString>) -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("its number").port()
        };
        let mut replica = Self {
            process: None,
            program: program.map_or_else(built, PathBuf::from),
            environment: world.environment(),
            bridge: free(),
            sidecar: free(),
        };
        replica.run();
        replica
    }

    /// Begins again.
    pub(crate) fn run(&mut self) {
        let log = std::env::var_os("CHAOS_LOG").map(|folder| {
            let file = PathBuf::from(folder).join(format!("replica-{}.log", self.bridge));
            std::fs::File::options()
                .create(true)
                .append(true)
                .open(file)
                .expect("a log")
        });
        let process = tokio::process::Command::new(&self.program)
            .arg("serve")
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("PORT", self.bridge.to_string())
            .env("SIDECAR_PORT", self.sidecar.to_string())
            .env("LOG_FORMAT", "text")
            .stdout(log.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.process = Some(process.expect("the product's binary"));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.bridge)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process
            .as_ref()
            .and_then(tokio::process::Child::id)
            .expect("a running process")
    }

    pub(crate) fn sidecar(&self) -> String {
        format!("http://127.0.0.1:{}", self.sidecar)
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let asked = reqwest::get(format!("{}/health/ready", self.sidecar())).await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.start_kill().expect("a process to kill");
            process.wait().await.expect("its end");
        }
    }

    /// As an orderly roll-out does; how long it took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        if let Some(mut process) = self.process.take() {
            let pid = process.id().expect("a running process").to_string();
            let told = std::process::Command::new("kill")
                .args(["-TERM", &pid])
                .status();
            assert!(told.expect("kill").success());
            process.wait().await.expect("its end");
        }
        begun.elapsed()
    }
}

/// What becomes of all texts of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Answered,
    Asked,
    Handed,
}

/// So many conversations of three texts each, one after the other, half of them over HTTP and half
/// published, each until it is accepted.
pub(crate) struct Load {
    pub(crate) conversations: usize,
    /// Over which the conversations begin.
    pub(crate) over: Duration,
    pub(crate) accepted: AtomicUsize,
    pub(crate) stop: AtomicBool,
    /// Milliseconds of the longest time without an outcome since somebody asked.
    gap: AtomicU64,
}

pub(crate) const TEXTS_EACH: usize = 3;

impl Load {
    pub(crate) fn of(texts: usize, over: Duration) -> Self {
        Self {
            conversations: texts.div_ceil(TEXTS_EACH),
            over,
            accepted: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            gap: AtomicU64::new(0),
        }
    }

    pub(crate) fn texts(&self) -> usize {
        self.conversations * TEXTS_EACH
    }

    pub(crate) fn kind(conversation: usize) -> Kind {
        match conversation % 5 {
            0..=2 => Kind::Answered,
            3 => Kind::Asked,
            _ => Kind::Handed,
        }
    }

    /// Sends everything; ends when all of it is accepted.
    pub(crate) async fn send(&self, world: &World, urls: &[String], seed: u64) {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(15))
            .build()
            .unwrap();
        let all = (0..self.conversations).map(|c| {
            let mut luck = fastrand::Rng::with_seed(seed.wrapping_add(c as u64));
            let client = &client;
            async move {
                let begin = self.over.mul_f64(luck.f64());
                tokio::time::sleep(begin).await;
                for n in 0..TEXTS_EACH {
                    let score = match Self::kind(c) {
                        Kind::Answered => "0.95",
                        Kind::Asked => "0.7",
                        Kind::Handed => "0.3",
                    };
                    let mut body = sms(
                        &format!("c{c}"),
                        &format!("text {n} of {c} [confidence={score}]"),
                    );
                    body["message_sid"] = json!(format!("SM{c}-{n}"));
                    let mut tries = 0_u32;
                    while !self
                        .accept(world, client, &urls[luck.usize(..urls.len())], c, &body)
                        .await
                    {
                        tries += 1;
                        assert!(tries < 1_000, "{body} is never accepted");
                        tokio::time::sleep(Duration::from_millis(luck.u64(50..500))).await;
                    }
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(luck.u64(0..1_500))).await;
                }
            }
        });
        futures::future::join_all(all).await;
    }

    async fn accept(
        &self,
        world: &World,
        client: &reqwest::Client,
        url: &str,
        c: usize,
        body: &Value,
    ) -> bool {
        if c.is_multiple_of(2) {
            let url = format!("{url}/orchestrate/sms-received");
            let asked = client
                .post(url)
                .header("Prefer", "respond-async")
                .json(body)
                .send()
                .await;
            return asked.is_ok_and(|answer| [200, 202].contains(&answer.status().as_u16()));
        }
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", body["message_sid"].as_str().unwrap());
        let jetstream = async_nats::jetstream::new(world.nats.clone());
        let subject = format!("{}.sms.received", world.prefix);
        let sent = jetstream.publish_with_headers(subject, headers, body.to_string().into());
        match sent.await {
            Ok(ack) => ack.await.is_ok(),
            Err(_) => false,
        }
    }

    /// The longest time without an outcome since the last question, in seconds.
    pub(crate) fn take_gap(&self) -> f64 {
        let millis = u32::try_from(self.gap.swap(0, Ordering::Relaxed)).unwrap_or(u32::MAX);
        f64::from(millis) / 1000.0
    }

    /// Watches how outcomes come in, until told to stop.
    pub(crate) async fn watch(&self, world: &World) {
        let (mut last, mut since) = (0, Instant::now());
        while !self.stop.load(Ordering::Relaxed) {
            let sql = "select count(*) from orchestration_workflows where status not in ('received', 'processing')";
            let asked = sqlx::query_scalar::<_, i64>(sql).fetch_one(&world.db);
            let count = tokio::time::timeout(Duration::from_secs(1), asked).await;
            if let Ok(Ok(count)) = count
                && count != last
            {
                // What comes before the first outcome is the start.
                if last > 0 {
                    let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.gap.fetch_max(millis, Ordering::Relaxed);
                }
                (last, since) = (count, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything has come to its end: nothing waits in the streams, nothing is stuck in a row.
    pub(crate) async fn until_done(&self, world: &World) {
        let left = "select (select count(*) from orchestration_workflows where status in ('received', 'processing'))
                         + (select count(*) from deliveries where status in ('intended', 'waiting'))";
        let stored = "select count(*) from inbound_messages";
        let texts = i64::try_from(self.texts()).unwrap();
        world
            .until("every text is stored and has its outcome", || async {
                let ask =
                    |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&world.db);
                let (left, stored) = (ask(left).await.ok()?, ask(stored).await.ok()?);
                (left == 0 && stored >= texts).then_some(())
            })
            .await;
        world.settle().await;
        world
            .until("the sweep has nothing on its list", || async {
                (world.count("select count(*) from unfinished_events").await == 0).then_some(())
            })
            .await;
    }

    /// The neighbours' side of the story against ours; how many texts are on phones.
    pub(crate) async fn judge(&self, world: &World) -> usize {
        assert_eq!(
            world.count("select count(*) from inbound_messages").await,
            i64::try_from(self.texts()).unwrap(),
            "every text once"
        );
        let sent: Vec<(String, i64)> = sqlx::query_as(
            "select conversation_id, count(*) from deliveries where status = 'sent' group by 1",
        )
        .fetch_all(&world.db)
        .await
        .unwrap();
        let sent: std::collections::HashMap<String, i64> = sent.into_iter().collect();
        let mut texts = 0;
        for c in 0..self.conversations {
            let conversation = format!("c{c}");
            let on_phone = world.texts_to(&conversation).len();
            let decided = sent.get(&conversation).copied().unwrap_or(0);
            assert_eq!(
                i64::try_from(on_phone).unwrap(),
                decided,
                "{conversation}: one text per decision"
            );
            match Self::kind(c) {
                Kind::Answered => assert!(
                    (1..=TEXTS_EACH).contains(&on_phone),
                    "{conversation}: {on_phone}"
                ),
                _ => assert_eq!(on_phone, 0, "{conversation}"),
            }
            texts += on_phone;
        }
        self.judge_rows(world).await;
        texts
    }

    /// Published texts that were taken after a younger one, because the replica that had them died.
    pub(crate) async fn late(world: &World) -> i64 {
        world
            .count(
                "select count(*) from (select turn, lag(turn) over (partition by conversation_id
                   order by arrival_epoch, arrival_seq) as before from inbound_messages) t where turn < before",
            )
            .await
    }

    async fn judge_rows(&self, world: &World) {
        for (what, sql) in [
            (
                "answered texts have one reply or were merged into one that has",
                "select count(*) from orchestration_workflows w where w.status not in ('sent', 'awaiting_approval', 'escalated')
                   and not (w.outcome in ('merged', 'superseded') or w.merged_into is not null)",
            ),
            (
                // Published ones may meet a replica that dies with the older text in its hands: that one
                // comes again late and is answered late, see `late`.
                "turns follow the arrivals, where a text was sent after the one before was accepted",
                "select count(*) from (select turn, lag(turn) over (partition by conversation_id
                   order by arrival_epoch, arrival_seq) as before from inbound_messages
                   where substr(conversation_id, 2)::integer % 2 = 0) t where turn < before",
            ),
            (
                "texts of a conversation were taken in the order in which they were sent",
                "select count(*) from (select content, lag(content) over (partition by conversation_id
                   order by arrival_epoch, arrival_seq) as before from inbound_messages) t where content < before",
            ),
            (
                "replies left in the order of their turns",
                "select count(*) from (select w.turn, lag(w.turn) over (partition by d.conversation_id
                   order by d.sms_message_id::bigint) as before from deliveries d
                   join orchestration_workflows w on w.id = d.workflow_id where d.status = 'sent') t where turn < before",
            ),
            (
                "managers were told of everything that waits for them",
                "select count(*) from (select workflow_id from ai_response_queue where status = 'pending'
                   union select workflow_id from escalation_events) w
                 where not exists (select from notifications n where n.workflow_id = w.workflow_id)",
            ),
            ("no dead letters", "select count(*) from dead_letters"),
        ] {
            let wrong: i64 = sqlx::query_scalar(sql).fetch_one(&world.db).await.unwrap();
            assert_eq!(wrong, 0, "{what}");
        }
        let asked = (0..self.conversations)
            .filter(|c| Self::kind(*c) == Kind::Asked)
            .count();
        let waiting = world
            .count("select count(*) from ai_response_queue where status = 'pending'")
            .await;
        assert_eq!(
            usize::try_from(waiting).unwrap(),
            asked,
            "one draft for each manager's conversation"
        );
        let told = world.neighbours.notifications.notifications().len();
        let known = world.count("select count(*) from notifications").await;
        assert!(
            told >= usize::try_from(known).unwrap(),
            "at least one e-mail for each: {told} of {known}"
        );
    }
}
