//! Old and new side by side: messages of other versions, and a schema that widens under load.

use std::path::{Path, PathBuf};

use orchestrator::events::{CATALOGUE, Entry, Received};
use orchestrator::service::Roles;
use orchestrator::stages::STAGES;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::world::{Plan, World, sms};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every frozen message: version, subject, body.
fn frozen() -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for version in std::fs::read_dir(folder("tests/data/upgrades")).unwrap() {
        let version = version.unwrap();
        let name = version.file_name().into_string().unwrap();
        for file in std::fs::read_dir(version.path()).unwrap() {
            let file = file.unwrap();
            let subject = file.file_name().into_string().unwrap();
            let subject = subject.strip_suffix(".json").unwrap().to_owned();
            let text = std::fs::read_to_string(file.path()).unwrap();
            all.push((name.clone(), subject, serde_json::from_str(&text).unwrap()));
        }
    }
    all
}

fn is_read(subject: &str, body: &Value) -> Result<(), String> {
    let entry = Entry::of(subject).ok_or_else(|| "no such subject any more".to_owned())?;
    let received = Received {
        at: chrono::DateTime::UNIX_EPOCH,
        idempotency_key: None,
    };
    (entry.check)(body.to_string().as_bytes(), received).map_err(|error| error.to_string())
}

/// Streams keep messages for days: a new binary meets what an old one wrote. These files are never
/// changed; an event whose meaning changes gets a new version, and a folder of its own.
#[test]
fn messages_that_earlier_versions_wrote_are_read() {
    let all = frozen();
    for (version, subject, body) in &all {
        is_read(subject, body).unwrap_or_else(|error| panic!("{version}/{subject}: {error}"));
    }
    for entry in CATALOGUE {
        let kept = all.iter().any(|(_, subject, _)| subject == entry.subject);
        assert!(
            kept,
            "{}: freeze its first form in tests/data/upgrades",
            entry.subject
        );
    }
}

/// And an old binary meets what a new one wrote: adding a field is compatible.
#[test]
fn fields_that_only_a_later_version_knows_are_ignored() {
    for (version, subject, mut body) in frozen() {
        body["added_later"] = json!({"by": "a newer version"});
        is_read(&subject, &body).unwrap_or_else(|error| panic!("{version}/{subject}: {error}"));
    }
}

fn without(stage: &str) -> Roles {
    let names = STAGES.iter().map(|row| row.name);
    Roles {
        bridge: true,
        stages: names.filter(|name| *name != stage).collect(),
    }
}

/// Takes a stage's waiting message out of the stream and puts another form of it in its place.
async fn rewritten(
    world: &World,
    subject: &str,
    change: impl Fn(&mut async_nats::HeaderMap, &mut Value),
) {
    let jetstream = async_nats::jetstream::new(world.nats.clone());
    let stream = format!("{}_ORCHESTRATOR", world.prefix.to_uppercase());
    let stream = jetstream.get_stream(stream).await.unwrap();
    let subject = format!("{}.{subject}", world.prefix);
    let message = world
        .until("the message is there", || async {
            stream.get_last_raw_message_by_subject(&subject).await.ok()
        })
        .await;
    stream.purge().filter(&subject).await.unwrap();
    let mut headers = message.headers.clone();
    let mut body: Value = serde_json::from_slice(&message.payload).unwrap();
    change(&mut headers, &mut body);
    headers.insert("Nats-Msg-Id", uuid::Uuid::new_v4().to_string().as_str());
    let sent = jetstream.publish_with_headers(subject, headers, body.to_string().into());
    sent.await.unwrap().await.unwrap();
}

/// A roll-out: a newer replica has written what this one must not guess at. It is left to a newer one;
/// when none comes it is kept, and goes on from there after the upgrade.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_newer_version_is_kept_and_goes_on_after_the_upgrade() {
    let mut world = Plan::default().set("MAX_ATTEMPTS", "1").prepare().await;
    world.start_as(without("route")).await;
    world
        .publish("sms.received", &sms("c1", "hello [confidence=0.95]"), &[])
        .await;
    rewritten(&world, "reply.drafted", |headers, _| {
        headers.insert("ce-dataschema", "urn:orchestrator:schema:reply.drafted:2");
    })
    .await;
    world
        .start_as(Roles {
            bridge: false,
            stages: vec!["route"],
        })
        .await;
    let letter = open_letter(&world).await;
    assert_eq!(letter["reason"], "attempts_exhausted", "{letter}");
    assert_eq!(letter["stage"], "route");
    world.until_status("c1", "failed").await;
    // The upgrade: a binary for which that version is no news.
    let known = "update dead_letters set headers = headers || '{\"ce-dataschema\": \"urn:orchestrator:schema:reply.drafted:1\"}'";
    world.db.execute(known).await.unwrap();
    redrive(&world, &letter).await;
    world.until_status("c1", "sent").await;
    world.finish_with(1, 1).await;
}

/// The same without a word about the version: a value that this binary does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_only_a_newer_version_knows_is_no_junk() {
    let mut world = Plan::default().set("MAX_ATTEMPTS", "1").prepare().await;
    world.start_as(without("deliver")).await;
    world
        .publish("sms.received", &sms("c1", "hello [confidence=0.95]"), &[])
        .await;
    rewritten(&world, "reply.approved", |_, body| {
        body["kind"] = json!("telepathic")
    })
    .await;
    world
        .start_as(Roles {
            bridge: false,
            stages: vec!["deliver"],
        })
        .await;
    let letter = open_letter(&world).await;
    assert_eq!(
        letter["reason"], "attempts_exhausted",
        "not invalid_message: {letter}"
    );
    let known = "update dead_letters set payload = convert_to(replace(convert_from(payload, 'UTF8'), 'telepathic', 'auto'), 'UTF8')";
    world.db.execute(known).await.unwrap();
    redrive(&world, &letter).await;
    world.until_status("c1", "sent").await;
    world.finish_with(1, 1).await;
}

async fn open_letter(world: &World) -> Value {
    world
        .until("it is kept", || async {
            let (_, list) = world.get("/orchestrate/dead-letters").await;
            list["items"].get(0).cloned()
        })
        .await
}

async fn redrive(world: &World, letter: &Value) {
    let path = format!(
        "/orchestrate/dead-letters/{}/redrive",
        letter["id"].as_str().unwrap()
    );
    let (status, answer) = world.post(&path, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

/// A migration of several tables may meet a round that writes them in another order. Postgres ends one of
/// the two: a round is repeated, and so is a migration at the start of a service.
async fn widen(world: &World) {
    let statements = "alter table inbound_messages add column later_note text;
         alter table deliveries add column later_count integer not null default 0;
         alter table orchestration_workflows add column later_at timestamptz;
         create table later_things (id uuid primary key, at timestamptz not null);
         create index later_index on deliveries (later_count) where later_count > 0;
         insert into _sqlx_migrations (version, description, success, checksum, execution_time)
           values (9999, 'of a newer version', true, '\\x00', 0);";
    loop {
        match world.db.execute(statements).await {
            Ok(_) => return,
            Err(error) if orchestrator::store::is_meeting(&error) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a migration may do, done while two replicas work; afterwards an old binary starts again.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_widens_disturbs_nobody() {
    let mut world = Plan::default()
        .replicas(2)
        .set("SMS_MAX_PARALLEL", "20")
        .start()
        .await;
    world.neighbours.model.set_latency(50, 40);
    for n in 0..90 {
        let body = sms(&format!("c{n}"), "hello [confidence=0.95]");
        world.publish("sms.received", &body, &[]).await;
        if n == 30 {
            widen(&world).await;
        }
    }
    // The replica of the version before, restarted in the middle of the roll-out.
    world.start_service().await;
    for n in 0..90 {
        world.until_status(&format!("c{n}"), "sent").await;
    }
    let failed = world.count("select count(*) from attempts").await;
    assert_eq!(failed, 0, "nobody noticed");
    world.finish(90).await;
}

/// Statements of a migration, without comments and function bodies.
fn statements(sql: &str) -> Vec<String> {
    let outside: String = sql.split("$$").step_by(2).collect::<Vec<_>>().join("''");
    let lines = outside
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ").to_lowercase();
    let words = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split(';')
        .map(words)
        .filter(|s| !s.is_empty())
        .collect()
}

/// Whether the constraint in it is about columns that the same statement adds: the old binary writes
/// none of them.
fn concerns_only_what_is_added(statement: &str) -> bool {
    let names = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let columns = statement.split("add column").skip(1);
    let added: Vec<String> = columns
        .filter_map(|column| names(column).into_iter().next())
        .collect();
    let Some((_, check)) = statement.split_once("check (") else {
        return false;
    };
    let known = ["num_nulls", "in", "is", "not", "null", "and", "or", "valid"];
    names(check)
        .iter()
        .all(|word| word.parse::<u32>().is_ok() || known.contains(&&**word) || added.contains(word))
}

/// What a statement takes away from a binary that runs already; `None` if nothing.
fn narrows(statement: &str) -> Option<&'static str> {
    let forbidden = [
        ("drop ", "drops"),
        ("rename ", "renames"),
        ("set not null", "forbids what the old binary writes"),
        ("truncate ", "forgets rows"),
        (" type ", "changes a type"),
        ("add constraint", "forbids what the old binary writes"),
    ];
    let alters = statement.starts_with("alter ")
        || statement.starts_with("drop ")
        || statement.starts_with("truncate ");
    let taken = |(words, _): &&(&str, &str)| {
        let own = *words == "add constraint" && concerns_only_what_is_added(statement);
        alters && statement.contains(words) && !own
    };
    if let Some((_, how)) = forbidden.iter().find(taken) {
        return Some(how);
    }
    let adds = statement.starts_with("alter table");
    let mut columns = statement.split("add column").skip(1);
    let bare = columns.any(|column| column.contains("not null") && !column.contains("default"));
    (adds && bare).then_some("adds a column that the old binary does not fill")
}

/// What was taken away all the same, and why an older binary can do without.
const GIVEN_UP: &[(&str, &str)] = &[(
    "drop index orchestration_workflows_open",
    "its one reader counts what is undecided, and reads the table until it is replaced",
)];

#[test]
fn migrations_only_widen() {
    for (sql, allowed) in [
        ("alter table a add column b text;", true),
        (
            "alter table a add column b text, add column c integer not null default 0;",
            true,
        ),
        (
            "create table t (id uuid not null); create index i on t (id);",
            true,
        ),
        (
            "-- drop table a;\ncreate function f() returns void as $$ drop table a; $$ language sql;",
            true,
        ),
        (
            "alter table a add column b text, add column c text, add constraint d check (num_nulls(b, c) in (0, 2)) not valid;",
            true,
        ),
        (
            "alter table a add column b text, add constraint d check (num_nulls(b, e) in (0, 2)) not valid;",
            false,
        ),
        (
            "alter table a add constraint d check (b is not null);",
            false,
        ),
        ("alter table a add column b text not null;", false),
        ("alter table a alter column b set not null;", false),
        ("alter table a rename column b to c;", false),
        ("ALTER TABLE a\n  DROP COLUMN b;", false),
        ("alter table a alter column b type bigint;", false),
        ("drop index i;", false),
    ] {
        let found = statements(sql).iter().find_map(|s| narrows(s));
        assert_eq!(found.is_none(), allowed, "{sql}: {found:?}");
    }
    for file in std::fs::read_dir(folder("migrations")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The rule is checked from here on; 0005 knew why it broke it.
        let number: u32 = name
            .split('_')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        if number < 13 {
            continue;
        }
        for statement in statements(&std::fs::read_to_string(&path).unwrap()) {
            if GIVEN_UP.iter().any(|(given_up, _)| statement == *given_up) {
                continue;
            }
            assert_eq!(narrows(&statement), None, "{name}: {statement}");
        }
    }
}
