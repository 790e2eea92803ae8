//! A parked message is worked on again (`http-api.md` §9).

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Event, NOBODY, refuse};
use crate::domain::{DeliveryId, StepName, WorkflowStatus};
use crate::engine::answers::{Problem, stamp};
use crate::engine::{Decision, SaidBefore};
use crate::events::{
    DeliveryDue, Entry, Event as _, LetterResolutionRequested, RedriveRequested, ReplyApproved,
};
use crate::store::Case;
use crate::store::conversations::ConversationUpdate;
use crate::store::dead_letters::{LetterUpdate, StoredLetter};
use crate::store::deliveries::{DeliveryStatus, DeliveryUpdate};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;

pub(super) fn redrive(
    event: &Event,
    asked: &RedriveRequested,
    case: &Case,
    now: DateTime<Utc>,
) -> Decision {
    let Some(letter) = &case.dead_letter else {
        return unknown(event, &asked.dead_letter_id, now);
    };
    let conflict = |reason: &str, sentence: &str| {
        let details = json!({ "reason": reason, "id": letter.id, "status": letter.status });
        refuse(event, &Problem::conflict(sentence, details), now)
    };
    if letter.status != "open" {
        return conflict("not_open", "The item is not open");
    }
    if letter.reason == "unknown_outcome" && !asked.confirm_duplicate_risk {
        return conflict(
            "unknown_outcome",
            "The text may have been sent; confirm_duplicate_risk sends it all the same",
        );
    }
    let by = asked.requested_by.as_deref().unwrap_or(NOBODY);
    match again(letter, case, by, asked.reason.as_deref(), now) {
        Ok(decision) => decision.and(Decision::answered(
            &event.envelope,
            200,
            json!({
                "success": true,
                "id": letter.id,
                "status": "redriven",
                "redrive_count": letter.redrive_count + 1,
                "queued_at": stamp(now),
                "message": "The message is worked on again.",
                "correlation_id": event.envelope.correlation_id,
            }),
        )),
        Err(reason) => conflict(reason, "The item cannot be worked on again"),
    }
}

/// The message as it was, with its tries anew, and its workflow and its text open for it.
pub(super) fn again(
    letter: &StoredLetter,
    case: &Case,
    by: &str,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Decision, &'static str> {
    // Who sent it has to send a better one.
    let entry = Entry::of(&letter.subject).ok_or("invalid_message")?;
    let body = std::str::from_utf8(&letter.payload)
        .ok()
        .and_then(|text| RawValue::from_string(text.to_owned()).ok())
        .filter(|_| letter.reason != "invalid_message")
        .ok_or("invalid_message")?;
    let said = SaidBefore {
        event: letter.event,
        headers: headers(&letter.headers),
    };
    Ok(Decision::done()
        .change(LetterUpdate {
            id: letter.id,
            status: "redriven",
            forget: Some((letter.event, letter.stage.clone())),
            by: by.to_owned(),
            note: note.map(str::to_owned),
            at: now,
        })
        .and(reopened(letter, case, by, note, now)?)
        .say_again(entry.subject, said, body))
}

fn headers(stored: &Value) -> Vec<(String, String)> {
    let all = stored.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// What the message's failure closed.
fn reopened(
    letter: &StoredLetter,
    case: &Case,
    by: &str,
    note: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Decision, &'static str> {
    let Some(workflow) = case
        .workflow
        .as_ref()
        .filter(|_| letter.kind != "notification")
    else {
        return Ok(Decision::done());
    };
    let step = Step::done(workflow.id, StepName::WorkflowRetry, now).with(json!({
        "dead_letter": letter.id, "stage": letter.stage, "by": by, "reason": note,
    }));
    let mut decision = Decision::done().change(step).change(WorkflowUpdate {
        retried: true,
        ..WorkflowUpdate::to(
            workflow.id,
            WorkflowStatus::Processing,
            StepName::WorkflowRetry,
            now,
        )
    });
    // The gate is asked anew when it comes to leave: whatever happened since counts.
    let delivery = released(letter)?;
    if let Some(delivery) = delivery {
        decision = decision.change(waiting(delivery, now));
        // The first attempt closed the turn, and was right to.
        if case.delivery.as_ref().is_some_and(|d| d.attempts > 0) {
            return Ok(decision);
        }
    }
    // The texts were left without an open turn. Where the tenant has written again since, their
    // message would find its turn overtaken: then only a new turn helps.
    let turn = case.workflow_texts.first().map(|(turn, _)| *turn);
    if let (Some(turn), Some(conversation)) = (turn, &case.conversation) {
        match delivery {
            None if conversation.turn != turn => return Err("overtaken"),
            // Whether it still stands is for `deliver` to say.
            Some(_) if conversation.turn != turn => return Ok(decision),
            _ => {}
        }
        decision = decision.change(ConversationUpdate {
            open_turn: Some((turn, workflow.id)),
            ..ConversationUpdate::of(&conversation.id)
        });
    }
    Ok(decision)
}

/// The text that the message released, for the first time or when its hour had come.
pub(super) fn released(letter: &StoredLetter) -> Result<Option<DeliveryId>, &'static str> {
    let invalid = |_| "invalid_message";
    Ok(match letter.subject.as_str() {
        ReplyApproved::SUBJECT => {
            let reply: ReplyApproved = serde_json::from_slice(&letter.payload).map_err(invalid)?;
            Some(reply.delivery_id)
        }
        DeliveryDue::SUBJECT => {
            let due: DeliveryDue = serde_json::from_slice(&letter.payload).map_err(invalid)?;
            Some(due.reply.delivery_id)
        }
        _ => None,
    })
}

/// Nobody knows better than the person who confirmed it: as good as never sent.
fn waiting(delivery: DeliveryId, now: DateTime<Utc>) -> DeliveryUpdate {
    DeliveryUpdate::to(delivery, DeliveryStatus::Waiting, now)
}

pub(super) fn resolve(
    event: &Event,
    asked: &LetterResolutionRequested,
    case: &Case,
    now: DateTime<Utc>,
) -> Decision {
    let Some(letter) = &case.dead_letter else {
        return unknown(event, &asked.dead_letter_id, now);
    };
    let by = asked.resolved_by.as_deref().unwrap_or(NOBODY);
    let already = letter.status == "resolved";
    let told = Decision::answered(
        &event.envelope,
        200,
        json!({
            "success": true,
            "id": letter.id,
            "status": "resolved",
            "already_resolved": already,
            "correlation_id": event.envelope.correlation_id,
        }),
    );
    if already {
        return told;
    }
    told.change(LetterUpdate {
        id: letter.id,
        status: "resolved",
        forget: None,
        by: by.to_owned(),
        note: asked.resolution.clone(),
        at: now,
    })
}

fn unknown(event: &Event, id: &str, now: DateTime<Utc>) -> Decision {
    let problem = Problem::not_found("Dead letter not found", json!({ "id": id }));
    refuse(event, &problem, now)
}
