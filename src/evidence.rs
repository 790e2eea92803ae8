//! One conversation's evidence as a document that shows whether it was changed afterwards.
//!
//! Every record has a hash over itself and the hash before it, through all sections in their order.
//! Whoever kept the last hash (`integrity.head`) can tell that nothing was added, removed or altered;
//! whoever did not can tell at least where a copy and its chain disagree. It is no signature: who
//! rewrites the whole document can write a new chain.

use crate::store::Db;
use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::domain::ConversationId;
use crate::engine::answers::stamp;
use crate::store::export;
use crate::store::timeline::{self, TimelineFilter};

/// What the chain begins with, followed by the conversation's id.
const SEED: &str = "orchestrator-evidence-1:";

/// The evidence, or nothing when the conversation is not known.
pub async fn of_conversation(
    db: &Db,
    conversation: &ConversationId,
    now: DateTime<Utc>,
) -> Result<Option<Value>, sqlx::Error> {
    let mut sections = export::of_conversation(db, conversation).await?;
    if sections.iter().all(|(_, rows)| rows.is_empty()) {
        return Ok(None);
    }
    let all = TimelineFilter {
        limit: i64::MAX,
        ..TimelineFilter::default()
    };
    let (events, _) = timeline::of_conversation(db, conversation, &all).await?;
    let events = events.iter().map(|event| {
        json!({
            "id": event.id,
            "at": stamp(event.at),
            "type": event.kind,
            "name": event.name,
            "workflow_id": event.workflow_id,
            "actor": event.actor,
            "status": event.status,
            "data": event.data,
        })
    });
    sections.push(("timeline", events.collect()));
    Ok(Some(document(conversation.as_str(), &sections, now)))
}

fn document(conversation: &str, sections: &[(&str, Vec<Value>)], now: DateTime<Utc>) -> Value {
    let mut head = hash(&format!("{SEED}{conversation}"));
    let mut listed = Vec::new();
    let mut records = 0;
    for (name, rows) in sections {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                head = next(&head, name, row);
                records += 1;
                json!({ "record": row, "hash": head })
            })
            .collect();
        listed.push(json!({ "section": name, "records": rows }));
    }
    json!({
        "conversation_id": conversation,
        "exported_at": stamp(now),
        "version": env!("CARGO_PKG_VERSION"),
        // A list, because the chain follows its order.
        "sections": listed,
        "integrity": { "algorithm": "sha-256 chain", "seed": SEED, "records": records, "head": head },
    })
}

/// Recomputes the chain of a document. The error names the first record that does not fit.
pub fn verify(document: &Value) -> anyhow::Result<usize> {
    let conversation = document["conversation_id"].as_str();
    let conversation = conversation.context("no conversation_id")?;
    let mut head = hash(&format!("{SEED}{conversation}"));
    let mut records = 0;
    for section in document["sections"].as_array().context("no sections")? {
        let name = section["section"]
            .as_str()
            .context("a section without a name")?;
        for (place, row) in section["records"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            head = next(&head, name, &row["record"]);
            ensure!(
                row["hash"] == head,
                "{name}, record {place}: it was changed, or one before it was added or removed"
            );
            records += 1;
        }
    }
    let integrity = &document["integrity"];
    ensure!(
        integrity["head"] == head && integrity["records"] == records,
        "records are missing at the end"
    );
    Ok(records)
}

fn next(head: &str, section: &str, record: &Value) -> String {
    let mut text = format!("{head}\n{section}\n");
    canonical(record, &mut text);
    hash(&text)
}

/// JSON without blanks, keys sorted: the same whatever wrote it.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: std::collections::BTreeMap<&String, &Value> = fields.iter().collect();
            out.push('{');
            for (place, (key, value)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn hash(text: &str) -> String {
    let bytes = Sha256::digest(text.as_bytes());
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn kept() -> Value {
        let sections = [
            (
                "messages",
                vec![json!({"id": 1, "content": "hello"}), json!({"id": 2})],
            ),
            (
                "drafts",
                vec![json!({"id": 3, "nested": {"b": [1, 2], "a": null}})],
            ),
            ("holds", vec![]),
        ];
        document("c1", &sections, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn an_untouched_document_verifies_whatever_the_order_of_its_keys() {
        let document = kept();
        assert_eq!(verify(&document).expect("untouched"), 3);
        let turned: Map<String, Value> = document
            .as_object()
            .expect("an object")
            .clone()
            .into_iter()
            .rev()
            .collect();
        assert_eq!(verify(&Value::Object(turned)).expect("the same"), 3);
    }

    #[test]
    fn every_change_shows() {
        let changes: [fn(&mut Value); 6] = [
            |d| d["sections"][0]["records"][0]["record"]["content"] = json!("hallo"),
            |d| d["sections"][1]["records"][0]["record"]["nested"]["a"] = json!(0),
            |d| {
                drop(
                    d["sections"][0]["records"]
                        .as_array_mut()
                        .map(|r| r.remove(0)),
                )
            },
            |d| drop(d["sections"][1]["records"].as_array_mut().map(|r| r.pop())),
            |d| d["sections"][0]["section"] = json!("notes"),
            |d| d["conversation_id"] = json!("c2"),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut document = kept();
            change(&mut document);
            assert!(verify(&document).is_err(), "change {n}");
        }
    }
}
