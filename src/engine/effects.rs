//! The one place that acts in the world. Every effect's intent is committed before it comes here.

use chrono::{DateTime, TimeDelta, Utc};

use super::Io;
use super::decision::{Effect, EffectResult};
use crate::neighbours::sms_agent::SendResult;

/// How old an intent may be when its call begins. Far below the age at which somebody else looks
/// and repeats, so that the two can never overlap.
const FRESH: TimeDelta = TimeDelta::seconds(2);

/// Performs an effect. Never fails: not knowing what happened is a result too, and the stage's
/// `conclude` decides what it means.
pub async fn perform(effect: &Effect, io: &Io, now: DateTime<Utc>) -> EffectResult {
    match effect {
        Effect::SendText { permit } if now - permit.at() > FRESH => {
            let detail = "the intent was too old when its turn came".to_owned();
            let result = SendResult::NotSent {
                after: None,
                detail,
            };
            EffectResult::Sent {
                result,
                intended_at: permit.at(),
            }
        }
        Effect::SendText { permit } => EffectResult::Sent {
            result: io.neighbours.sms_agent.send(permit).await,
            intended_at: permit.at(),
        },
        Effect::LookForText {
            to,
            body,
            newer_than,
            claimed,
            intended_at,
        } => EffectResult::Looked {
            result: io
                .neighbours
                .sms_agent
                .look(to, body, *newer_than, claimed)
                .await,
            intended_at: *intended_at,
        },
        Effect::Notify(notification) => {
            EffectResult::Notified(io.neighbours.notifications.notify(notification).await)
        }
    }
}
