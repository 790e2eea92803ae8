//! Asks for a whole batch at once, one statement per kind of question.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Case, ConsentUse, DraftRef, Needs, SameText};
use crate::domain::{ConversationId, OpenText, TenantId, WorkflowId};
use crate::store::consents::{Lock, Owned};
use crate::store::conversations::NewConversation;
use crate::store::deliveries::DeliveryStatus;
use crate::store::escalations::SameEscalation;
use crate::store::plans::SamePlan;
use crate::store::{
    Batch, Tx, consents, conversations, dead_letters, deliveries, drafts, escalations, holds,
    plans, texts, workflows,
};

/// Asks for a whole batch. Locks are taken in one order everywhere - conversations by id, then
/// consents by number - so that batches of several replicas cannot deadlock.
pub(crate) async fn load(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    now: DateTime<Utc>,
) -> Result<Vec<Case>, sqlx::Error> {
    let mut cases = vec![Case::default(); needs.len()];
    load_conversations(tx, needs, &mut cases, now).await?;
    load_consents(tx, needs, &mut cases, now).await?;
    load_duplicates(tx, needs, &mut cases).await?;
    load_open_texts(tx, needs, &mut cases).await?;
    load_drafts(tx, needs, &mut cases).await?;
    load_deliveries(tx, needs, &mut cases, now).await?;
    load_plans(tx, needs, &mut cases).await?;
    load_escalations(tx, needs, &mut cases).await?;
    load_retried(tx, needs, &mut cases).await?;
    Ok(cases)
}

async fn load_conversations(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let created: Vec<NewConversation> = needs.iter().filter_map(|n| n.create.clone()).collect();
    if !created.is_empty() {
        // Only of those who wrote: a text of ours that somebody reports is nobody's consent.
        let wrote = needs.iter().filter(|n| n.create.is_some());
        let numbers = wrote.filter_map(|n| n.consent.as_ref());
        let numbers: Vec<&str> = numbers.map(|(phone, _)| phone.as_str()).collect();
        let mut new = Batch::default();
        conversations::ensure(&mut new, &created);
        consents::ensure(&mut new, &numbers, now);
        new.run(&mut **tx).await?;
    }
    let ids = |lock: bool| -> Vec<&str> {
        let wanted = needs.iter().filter(|n| n.lock == lock);
        wanted
            .filter_map(|n| n.conversation.as_ref())
            .map(ConversationId::as_str)
            .collect()
    };
    let mut found = HashMap::new();
    let (locked, read) = (ids(true), ids(false));
    if !locked.is_empty() {
        found.extend(
            conversations::lock(tx, &locked)
                .await?
                .into_iter()
                .map(|c| (c.id.clone(), c)),
        );
    }
    if !read.is_empty() {
        found.extend(
            conversations::read(tx, &read)
                .await?
                .into_iter()
                .map(|c| (c.id.clone(), c)),
        );
    }
    for (case, need) in cases.iter_mut().zip(needs) {
        case.conversation = need
            .conversation
            .as_ref()
            .and_then(|id| found.get(id).cloned());
    }
    Ok(())
}

async fn load_consents(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut found = HashMap::new();
    for (wanted, lock) in [
        (ConsentUse::Change, Lock::Update),
        (ConsentUse::HoldToSend, Lock::Share),
        (ConsentUse::Read, Lock::None),
    ] {
        let owned: Vec<Owned<'_>> = needs
            .iter()
            .filter_map(|n| owned(n).filter(|_| n.consent.as_ref().is_some_and(|c| c.1 == wanted)))
            .collect();
        if !owned.is_empty() {
            found.extend(consents::standing(tx, &owned, lock, now).await?);
        }
    }
    for (case, need) in cases.iter_mut().zip(needs) {
        let key = owned(need).map(|(phone, tenant)| (phone.to_owned(), tenant.map(str::to_owned)));
        let standing = key.and_then(|key| found.get(&key).cloned());
        let standing = standing.unwrap_or_default();
        case.opted_out = standing.opted_out;
        case.holds = standing.holds;
        case.quiet = standing.quiet;
        case.proven = standing.proven;
        case.sent_last_hour = standing.sent_last_hour;
        case.started_last_week = standing.started_last_week;
    }
    for (case, need) in cases.iter_mut().zip(needs) {
        // A manager's word and no text's: rare enough to be asked one by one.
        if let Some(key) = &need.hold {
            case.standing_hold = holds::standing(tx, key).await?;
        }
    }
    Ok(())
}

fn owned(need: &Needs) -> Option<Owned<'_>> {
    let (phone, _) = need.consent.as_ref()?;
    Some((phone.as_str(), need.tenant.as_ref().map(TenantId::as_str)))
}

async fn load_duplicates(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let mut keys = Vec::new();
    let mut contents = Vec::new();
    for need in needs {
        match &need.same_text {
            Some(SameText::Key(key)) => keys.push(key.as_str()),
            Some(SameText::Content(hash) | SameText::ContentSince(hash, _)) => {
                contents.push(hash.as_slice());
            }
            None => {}
        }
    }
    let by_key: HashMap<String, WorkflowId> = if keys.is_empty() {
        HashMap::new()
    } else {
        texts::with_keys(tx, &keys).await?.into_iter().collect()
    };
    let by_content = if contents.is_empty() {
        Vec::new()
    } else {
        texts::with_content(tx, &contents).await?
    };
    for (case, need) in cases.iter_mut().zip(needs) {
        case.duplicate_of = match &need.same_text {
            Some(SameText::Key(key)) => by_key.get(key).copied(),
            Some(SameText::Content(hash)) => by_content
                .iter()
                .find(|(known, ..)| known == hash)
                .map(|(_, id, _)| *id),
            Some(SameText::ContentSince(hash, since)) => by_content
                .iter()
                .find(|(known, _, at)| known == hash && at >= since)
                .map(|(_, id, _)| *id),
            None => None,
        };
    }
    Ok(())
}

async fn load_open_texts(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let open: Vec<(String, i64)> = cases
        .iter()
        .zip(needs)
        .filter(|(_, need)| need.open_texts)
        .filter_map(|(case, _)| case.conversation.as_ref())
        .filter(|conversation| conversation.turn_open)
        .map(|conversation| (conversation.id.as_str().to_owned(), conversation.turn))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = open.iter().map(|(id, _)| id.as_str()).collect();
    let turns: Vec<i64> = open.iter().map(|(_, turn)| *turn).collect();
    let mut found: HashMap<String, Vec<OpenText>> = HashMap::new();
    for (conversation, text) in texts::of_turns(tx, &ids, &turns).await? {
        found.entry(conversation).or_default().push(text);
    }
    for case in cases {
        if let Some(conversation) = &case.conversation {
            case.open_texts = found.remove(conversation.id.as_str()).unwrap_or_default();
        }
    }
    Ok(())
}

async fn load_drafts(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let mut ids = Vec::new();
    let mut waiting = Vec::new();
    for (need, case) in needs.iter().zip(cases.iter()) {
        match need.draft {
            Some(DraftRef::Id(id)) => ids.push(id.0),
            // Only an open turn can have a waiting draft: no question without need.
            Some(DraftRef::Pending) => {
                let open = case.conversation.as_ref().filter(|c| c.turn_open);
                waiting.extend(open.map(|c| c.id.as_str()));
            }
            None => {}
        }
    }
    let mut found = Vec::new();
    if !ids.is_empty() {
        found.extend(drafts::with_ids(tx, &ids).await?);
    }
    if !waiting.is_empty() {
        found.extend(drafts::pending_of(tx, &waiting).await?);
    }
    for (case, need) in cases.iter_mut().zip(needs) {
        case.draft = match need.draft {
            Some(DraftRef::Id(id)) => found.iter().find(|d| d.id == id).cloned(),
            Some(DraftRef::Pending) => found
                .iter()
                .find(|d| Some(&d.conversation_id) == need.conversation.as_ref() && d.is_pending())
                .cloned(),
            None => None,
        };
    }
    Ok(())
}

async fn load_plans(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let wanted: Vec<&SamePlan> = needs.iter().filter_map(|n| n.plan.as_ref()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let known = plans::same(tx, &wanted).await?;
    for (case, need) in cases.iter_mut().zip(needs) {
        case.same_plan = need.plan.as_ref().and_then(|plan| {
            let mut same = known.iter().filter(|(found, _)| plan.is(found));
            same.next().map(|(_, id)| *id)
        });
    }
    Ok(())
}

async fn load_escalations(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let same: Vec<&SameEscalation> = needs
        .iter()
        .filter_map(|n| n.same_escalation.as_ref())
        .collect();
    let open = if same.is_empty() {
        Vec::new()
    } else {
        escalations::open_since(tx, &same).await?
    };
    let ids: Vec<_> = needs
        .iter()
        .filter_map(|n| n.escalation)
        .map(|e| e.0)
        .collect();
    let locked = if ids.is_empty() {
        Vec::new()
    } else {
        escalations::locked(tx, &ids).await?
    };
    let asked: Vec<&str> = needs
        .iter()
        .filter(|n| n.open_escalations)
        .filter_map(|n| n.conversation.as_ref().map(ConversationId::as_str))
        .collect();
    let held = if asked.is_empty() {
        Vec::new()
    } else {
        escalations::open_in(tx, &asked).await?
    };
    for (case, need) in cases.iter_mut().zip(needs) {
        let conversation = need.conversation.as_ref().map(ConversationId::as_str);
        case.escalation_open =
            need.open_escalations && held.iter().any(|id| Some(id.as_str()) == conversation);
        let wanted = need.same_escalation.as_ref();
        case.same_escalation = wanted.and_then(|w| open.iter().find(|e| w.is(e)).cloned());
        let id = need.escalation;
        let mut found = locked.iter().filter(|c| Some(c.escalation.id) == id);
        case.escalation = found.next().cloned();
    }
    Ok(())
}

async fn load_retried(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = needs
        .iter()
        .filter_map(|n| n.workflow)
        .map(|w| w.0)
        .collect();
    if !ids.is_empty() {
        let found = workflows::locked(tx, &ids).await?;
        let mut answered = texts::of_workflows(tx, &ids).await?;
        for (case, need) in cases.iter_mut().zip(needs) {
            let mut mine = found.iter().filter(|w| Some(w.id) == need.workflow);
            case.workflow = mine.next().cloned();
            let texts = answered.extract_if(.., |(of, ..)| Some(*of) == need.workflow);
            case.workflow_texts = texts.map(|(_, turn, text)| (turn, text)).collect();
        }
    }
    let ids: Vec<_> = needs
        .iter()
        .filter_map(|n| n.dead_letter)
        .map(|d| d.0)
        .collect();
    if !ids.is_empty() {
        let found = dead_letters::locked(tx, &ids).await?;
        for (case, need) in cases.iter_mut().zip(needs) {
            let mut mine = found.iter().filter(|d| Some(d.id) == need.dead_letter);
            case.dead_letter = mine.next().cloned();
        }
    }
    Ok(())
}

async fn load_deliveries(
    tx: &mut Tx<'_>,
    needs: &[&Needs],
    cases: &mut [Case],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let wanted: Vec<&&Needs> = needs.iter().filter(|n| n.delivery.is_some()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let conversations: Vec<&str> = wanted
        .iter()
        .filter_map(|n| n.conversation.as_ref())
        .map(ConversationId::as_str)
        .collect();
    let phones: Vec<&str> = wanted
        .iter()
        .filter_map(|n| n.consent.as_ref())
        .map(|(phone, _)| phone.as_str())
        .collect();
    let ids: Vec<_> = wanted
        .iter()
        .filter_map(|n| n.delivery)
        .map(|d| d.0)
        .collect();
    let found = deliveries::unfinished_or(tx, &conversations, &ids).await?;
    // Claims matter only when somebody has to look before repeating.
    let looks = found.iter().any(|d| d.status == DeliveryStatus::Intended);
    let claimed = if looks {
        deliveries::claimed(tx, &phones).await?
    } else {
        Vec::new()
    };
    for (case, need) in cases.iter_mut().zip(needs) {
        let (Some(id), Some(conversation)) = (need.delivery, &need.conversation) else {
            continue;
        };
        case.delivery = found.iter().find(|d| d.id == id).cloned();
        let own = case.delivery.as_ref().map(|d| (d.created_at, d.id));
        case.other_in_flight = found.iter().any(|d| {
            let ahead = match d.status {
                DeliveryStatus::Intended => true,
                DeliveryStatus::Waiting => own.is_none_or(|own| (d.created_at, d.id) < own),
                // Several waited for the same hour: they leave in the order they were released.
                DeliveryStatus::Held if d.not_before.is_some_and(|at| at <= now) => {
                    own.is_none_or(|own| (d.created_at, d.id) < own)
                }
                _ => false,
            };
            d.id != id && &d.conversation_id == conversation && ahead
        });
        case.claimed = claimed
            .iter()
            .filter(|(owner, _)| {
                need.consent
                    .as_ref()
                    .is_some_and(|(phone, _)| owner == phone.as_str())
            })
            .map(|(_, message)| message.clone())
            .collect();
    }
    Ok(())
}
