//! Behind the agent: reads its tables by cursor, in order, and never writes them.
//!
//! The row of the cursor is the lock between replicas, held while a batch is published: whoever
//! dies in between leaves the cursor where it was, and the next one publishes the same texts under
//! the same ids.
//!
//! Ids are given before rows are visible, so a row may turn up below the cursor: the agent keeps a
//! transaction open while it asks the Monitor. Ids that are passed without having been seen are
//! looked for again for a while.

use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::Relay;
use super::event::{self, Relayed};
use crate::store::Db;
use crate::store::relay_cursors::{self, AgentRow};
use crate::store::relay_queue::{self, PublishedText, QueuedText};

/// The cursor's name: there is one agent.
const SOURCE: &str = "sms_agent";
/// Rows in one transaction.
const BATCH: i64 = 200;
/// A transaction of the agent that is open for longer is not coming back.
const LOOKED_FOR: TimeDelta = TimeDelta::minutes(10);
/// A jump in the numbers (a restored database) is not that many transactions under way.
const MOST_MISSING: usize = 1000;

/// Works until the service stops.
pub(super) async fn run(relay: &Relay, agent: &Db, zone: Tz) {
    let mut failures = 0;
    let mut idle: u32 = 0;
    while !relay.stop.is_cancelled() {
        let pause = match batch(relay, agent, zone).await {
            Ok(read) if read >= BATCH.unsigned_abs() as usize => {
                failures = 0;
                Duration::ZERO
            }
            Ok(read) => {
                failures = 0;
                idle = if read == 0 { idle.wrapping_add(1) } else { 0 };
                if idle % 60 == 59 {
                    suspect(relay, agent).await;
                }
                relay.settings.poll
            }
            Err(error) => {
                tracing::warn!(%error, "the agent's tables cannot be relayed now");
                failures += 1;
                relay
                    .pause(failures)
                    .to_std()
                    .unwrap_or(relay.settings.poll)
            }
        };
        tokio::select! {
            () = relay.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Why a batch was not finished; what it did before is committed.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Stream(#[from] event::NotPublished),
}

/// One batch; how many rows it read. Nothing while another replica is at it.
async fn batch(relay: &Relay, agent: &Db, zone: Tz) -> Result<usize, Unfinished> {
    begin(relay, agent).await?;
    let now = relay.clock.now();
    let mut tx = relay.db.begin().await?;
    let Some(position) = relay_cursors::hold(&mut tx, SOURCE).await? else {
        return Ok(0);
    };
    let missing = relay_cursors::missing(&mut tx, SOURCE).await?;
    let rows = relay_cursors::rows(agent, position, &missing, zone.name(), BATCH).await?;
    let mut reached = position;
    let mut found = Vec::new();
    let mut published = Vec::new();
    let mut result = Ok(rows.len());
    for row in &rows {
        if row.inbound {
            match take(relay, row).await {
                Ok(Taken::Published(text)) => {
                    relay.count("published");
                    published.push(text);
                }
                Ok(Taken::Refused(text, why)) => {
                    tracing::error!(
                        sid = text.sid,
                        why,
                        "a text cannot be published; it is kept"
                    );
                    relay.count("refused");
                    relay_queue::keep_refused(&mut *tx, &text, &why).await?;
                }
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
        }
        if row.id > position {
            reached = row.id;
        } else {
            found.push(row.id);
        }
    }
    relay_queue::keep_published(&mut tx, &published, relay.taken_by(now, 0)).await?;
    let passed = passed_over(position, reached, rows.iter().map(|row| row.id));
    relay_cursors::miss(&mut tx, SOURCE, &passed, now).await?;
    relay_cursors::stop_missing(&mut tx, SOURCE, &found, now - LOOKED_FOR).await?;
    if reached > position {
        relay_cursors::advance(&mut tx, SOURCE, reached, now).await?;
    }
    tx.commit().await?;
    result
}

/// The first reading ever begins at the end of the table: years of old texts want no answers.
async fn begin(relay: &Relay, agent: &Db) -> Result<(), sqlx::Error> {
    if relay_cursors::position(&relay.db, SOURCE).await?.is_some() {
        return Ok(());
    }
    let position = match relay.settings.start_after {
        Some(id) => id,
        None => relay_cursors::newest(agent).await?,
    };
    tracing::info!(position, "reading the agent's tables from here on");
    relay_cursors::begin(&relay.db, SOURCE, position, relay.clock.now()).await
}

/// Nothing new for a while: because nobody writes, or because the agent's numbers begin below the
/// cursor again (a database put back or made anew), and then nothing would come ever again. What
/// to do about it is a person's decision: the same texts may be in there.
async fn suspect(relay: &Relay, agent: &Db) {
    let both = async {
        let position = relay_cursors::position(&relay.db, SOURCE).await?;
        Ok::<_, sqlx::Error>((position, relay_cursors::newest(agent).await?))
    };
    if let Ok((Some(position), newest)) = both.await
        && newest < position
    {
        tracing::error!(
            position,
            newest,
            "the agent's tables end before the cursor; see docs/operations.md"
        );
        relay.count("cursor_beyond_end");
    }
}

/// The ids between two positions that no row has.
fn passed_over(position: i64, reached: i64, ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let seen: std::collections::HashSet<i64> = ids.collect();
    let mut passed: Vec<i64> = (position + 1..reached)
        .rev()
        .filter(|id| !seen.contains(id))
        .take(MOST_MISSING)
        .collect();
    passed.reverse();
    passed
}

enum Taken {
    Published(PublishedText),
    Refused(QueuedText, String),
}

async fn take(relay: &Relay, row: &AgentRow) -> Result<Taken, event::NotPublished> {
    let now = relay.clock.now();
    let sid = match &row.sid {
        Some(sid) if !sid.trim().is_empty() => sid.trim().to_owned(),
        _ => format!("sms-agent-{}", row.id),
    };
    let phone = row.phone.clone().unwrap_or_default();
    let content = row.content.clone().unwrap_or_default();
    let relayed = Relayed {
        sid: &sid,
        phone: &phone,
        conversation: row.conversation.map(|id| id.to_string()),
        tenant_id: row.tenant.clone().filter(|id| !id.trim().is_empty()),
        content: &content,
        num_media: row.num_media,
        stored_by_agent: Some(true),
        at: row.at,
    };
    match relayed.event(now) {
        Ok(sms) => {
            event::publish(&relay.publisher, &sid, &sms, now).await?;
            Ok(Taken::Published(PublishedText {
                event: serde_json::to_value(&sms).unwrap_or_default(),
                received_at: row.at.unwrap_or(now),
                sid,
            }))
        }
        Err(invalid) => {
            let text = QueuedText {
                sid: sid.clone(),
                sender: phone.clone(),
                content: content.clone(),
                num_media: row.num_media.unwrap_or(0),
                received_at: row.at.unwrap_or(now),
            };
            Ok(Taken::Refused(text, event::faults(&invalid)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_passed_are_remembered() {
        assert_eq!(passed_over(3, 8, [5, 8].into_iter()), [4, 6, 7]);
        assert!(passed_over(3, 3, [].into_iter()).is_empty());
        assert!(passed_over(3, 5, [4, 5].into_iter()).is_empty());
    }

    #[test]
    fn a_jump_is_remembered_only_at_its_end() {
        let passed = passed_over(0, 1_000_000_000, [1_000_000_000].into_iter());
        assert_eq!(passed.len(), MOST_MISSING);
        assert_eq!(passed.last(), Some(&999_999_999));
    }
}
