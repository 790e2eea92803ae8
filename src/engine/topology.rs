//! The server's streams and consumers against the files in `nats/`.
//!
//! The files are the definition, in the form the `nats` command line takes as it is. Comparing
//! raw JSON, not the client's structs, keeps every field of a file meaningful: a field the client
//! does not know would otherwise be dropped silently. Nothing here ever deletes anything.

use async_nats::Client;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Names;
use crate::events::Stream;
use crate::stages::STAGES;

const STREAMS: [(Stream, &str); 3] = [
    (
        Stream::Inbound,
        include_str!("../../nats/streams/inbound.json"),
    ),
    (Stream::Story, include_str!("../../nats/streams/story.json")),
    (Stream::Dead, include_str!("../../nats/streams/dead.json")),
];

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only compare.
    Check,
    /// Create what is missing; leave what differs.
    CreateMissing,
    /// Create what is missing, update what differs.
    Apply,
}

/// What was found, and perhaps done, about one stream or consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `stream X` or `consumer X/y`.
    pub what: String,
    /// The state now.
    pub state: State,
}

/// How the server stands to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As the file says.
    Same,
    /// Not there.
    Missing,
    /// There, but other: the fields.
    Differs(Vec<String>),
    /// Was missing; is there now.
    Created,
    /// Was other; is as the file says now.
    Updated,
}

impl Finding {
    /// Whether the service can run on it.
    pub fn is_usable(&self) -> bool {
        self.state != State::Missing
    }

    /// Whether it is as the file says.
    pub fn is_right(&self) -> bool {
        !matches!(self.state, State::Missing | State::Differs(_))
    }
}

/// The server refused, or a file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file in the binary is broken.
    #[error("nats/ file for {what}: {detail}")]
    File {
        /// Which.
        what: String,
        /// How.
        detail: String,
    },
    /// The server did not answer.
    #[error("NATS did not answer about {what}: {detail}")]
    NoAnswer {
        /// Which.
        what: String,
        /// How.
        detail: String,
    },
    /// The server said no.
    #[error("NATS refused {what}: {detail}")]
    Refused {
        /// Which.
        what: String,
        /// Its words.
        detail: String,
    },
}

/// One stream or consumer as it should be.
struct Wanted {
    what: String,
    info: String,
    create: (String, Value),
    update: (String, Value),
    config: Value,
}

/// Compares, creates, updates.
pub async fn ensure(
    client: &Client,
    names: &Names,
    replicas: Option<u64>,
    mode: Mode,
) -> Result<Vec<Finding>, TopologyError> {
    let mut findings = Vec::new();
    for wanted in all(names, replicas)? {
        let state = match (current(client, &wanted).await?, mode) {
            (None, Mode::Check) => State::Missing,
            (None, _) => {
                change(client, &wanted.what, &wanted.create).await?;
                State::Created
            }
            (Some(found), _) => match (differences(&wanted.config, &found), mode) {
                (fields, _) if fields.is_empty() => State::Same,
                (_, Mode::Apply) => {
                    change(client, &wanted.what, &wanted.update).await?;
                    State::Updated
                }
                (fields, _) => State::Differs(fields),
            },
        };
        findings.push(Finding {
            what: wanted.what,
            state,
        });
    }
    Ok(findings)
}

fn all(names: &Names, replicas: Option<u64>) -> Result<Vec<Wanted>, TopologyError> {
    let mut wanted = Vec::new();
    for (stream, file) in STREAMS {
        let name = names.stream(stream);
        let what = format!("stream {name}");
        let mut config = parse(&what, file)?;
        config["name"] = json!(name);
        config["subjects"] = with_prefix(&config["subjects"], names);
        if let Some(replicas) = replicas {
            config["num_replicas"] = json!(replicas);
        }
        wanted.push(Wanted {
            info: format!("STREAM.INFO.{name}"),
            create: (format!("STREAM.CREATE.{name}"), config.clone()),
            update: (format!("STREAM.UPDATE.{name}"), config.clone()),
            what,
            config,
        });
    }
    for row in STAGES {
        let stream = names.stream(row.stream());
        let what = format!("consumer {stream}/{}", row.name);
        let mut config = parse(&what, row.consumer)?;
        config["filter_subjects"] = with_prefix(&config["filter_subjects"], names);
        let subject = format!("CONSUMER.CREATE.{stream}.{}", row.name);
        let request =
            |action: &str| json!({ "stream_name": stream, "config": config, "action": action });
        wanted.push(Wanted {
            info: format!("CONSUMER.INFO.{stream}.{}", row.name),
            // Two replicas may start at once: creating the same consumer twice is not an error.
            create: (subject.clone(), request("")),
            update: (subject, request("update")),
            what,
            config,
        });
    }
    Ok(wanted)
}

fn parse(what: &str, file: &str) -> Result<Value, TopologyError> {
    serde_json::from_str(file).map_err(|e| TopologyError::File {
        what: what.to_owned(),
        detail: e.to_string(),
    })
}

fn with_prefix(subjects: &Value, names: &Names) -> Value {
    let subjects = subjects.as_array().map(Vec::as_slice).unwrap_or_default();
    subjects
        .iter()
        .filter_map(Value::as_str)
        .map(|subject| names.subject(subject))
        .collect()
}

/// `None` asks with an empty body, which is what the server wants of a question.
async fn ask(
    client: &Client,
    what: &str,
    subject: &str,
    request: Option<&Value>,
) -> Result<Value, TopologyError> {
    let no_answer = |detail: String| TopologyError::NoAnswer {
        what: what.to_owned(),
        detail,
    };
    let body = request.map_or_else(Bytes::new, |request| Bytes::from(request.to_string()));
    let answer = client
        .request(format!("$JS.API.{subject}"), body)
        .await
        .map_err(|error| no_answer(error.to_string()))?;
    serde_json::from_slice(&answer.payload).map_err(|error| no_answer(error.to_string()))
}

/// The server's config, or nothing when it has none of that name.
async fn current(client: &Client, wanted: &Wanted) -> Result<Option<Value>, TopologyError> {
    let answer = ask(client, &wanted.what, &wanted.info, None).await?;
    match answer["error"]["code"].as_u64() {
        Some(404) => Ok(None),
        Some(_) => Err(refused(&wanted.what, &answer)),
        None => Ok(Some(answer["config"].clone())),
    }
}

async fn change(
    client: &Client,
    what: &str,
    (subject, request): &(String, Value),
) -> Result<(), TopologyError> {
    let answer = ask(client, what, subject, Some(request)).await?;
    if answer["error"].is_object() {
        Err(refused(what, &answer))
    } else {
        Ok(())
    }
}

fn refused(what: &str, answer: &Value) -> TopologyError {
    let detail = answer["error"]["description"]
        .as_str()
        .unwrap_or("without a reason");
    TopologyError::Refused {
        what: what.to_owned(),
        detail: detail.to_owned(),
    }
}

/// The fields of the file that the server has otherwise. What the file leaves out is the server's
/// business; what the server adds to an object (its own metadata) is too.
fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let Some(fields) = wanted.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .filter(|(key, value)| !agrees(value, &found[key.as_str()]))
        .map(|(key, _)| key.clone())
        .collect()
}

fn agrees(wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(key, value)| agrees(value, &found[key])),
        // The server leaves out what is zero, false or empty.
        Value::Number(n) if n.as_i64() == Some(0) => found.is_null() || found == wanted,
        Value::Bool(false) => found.is_null() || found == wanted,
        _ => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_fit_the_stages() {
        for wanted in all(&Names::default(), None).expect("files") {
            assert!(
                wanted.config["description"].is_string(),
                "{} explains itself",
                wanted.what
            );
        }
        let inbound: Value =
            serde_json::from_str(include_str!("../../nats/streams/inbound.json")).expect("JSON");
        let said = inbound["metadata"]["read_by"].as_str().expect("readers");
        let said: Vec<&str> = said.split([' ', ',']).collect();
        for row in STAGES.iter().filter(|row| row.stream() == Stream::Inbound) {
            assert!(said.contains(&row.name), "{} reads it: {said:?}", row.name);
        }
        for row in STAGES {
            let file: Value = serde_json::from_str(row.consumer).expect("JSON");
            assert_eq!(file["durable_name"], row.name);
            assert_eq!(file["filter_subjects"], json!(row.subjects), "{}", row.name);
            let metadata = &file["metadata"];
            assert_eq!(metadata["stage"], format!("src/stages/{}.rs", row.name));
            for key in ["owner", "runbook", "if_stuck"] {
                assert!(metadata[key].is_string(), "{key} of {}", row.name);
            }
            assert_eq!(
                file["max_deliver"], -1,
                "the server drops silently past a limit"
            );
            assert!(
                file.get("backoff").is_none(),
                "a backoff array adds to the delay of a nak"
            );
        }
    }

    #[test]
    fn only_what_a_file_says_is_compared() {
        let wanted = json!({"a": 1, "b": {"x": 1}, "c": 0, "d": [1, 2]});
        assert!(
            differences(
                &wanted,
                &json!({"a": 1, "b": {"x": 1, "y": 2}, "d": [1, 2], "z": 9})
            )
            .is_empty()
        );
        assert_eq!(
            differences(&wanted, &json!({"a": 2, "b": {}, "d": [2, 1]})),
            ["a", "b", "d"]
        );
    }
}
