//! What would the model answer?
//!
//! in: `turn.ready` · out: `reply.drafted`, `escalation.raised`

use chrono::{DateTime, Utc};
use serde_json::json;

use super::handover::{Handover, HandoverSettings};
use super::planned::{Planned, PlanningSettings, asked_before, on_the_table};
use crate::domain::{Confidence, EscalationType, PlanOffer, StepName, WorkflowStatus};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{DraftedReply, Neighbour, ReplyDrafted, TurnReady};
use crate::neighbours::model::{Completion, ModelError};
use crate::rules::prompt::{self, PromptLimits};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, Needs};

/// The longest text the SMS Agent takes (`upstreams.md` §2.1).
const LONGEST_TEXT: usize = 1600;

/// A server that answers in plain text rates nothing itself: such a draft is always seen by a
/// manager (`model-reply.md`).
const UNRATED: f64 = 0.75;

/// What the model is told and how many calls run at once.
#[derive(Debug, Clone)]
pub struct DraftSettings {
    /// Plan limits.
    pub limits: PromptLimits,
    /// `MODEL_MAX_PARALLEL`.
    pub parallel: usize,
}

/// The stage.
pub struct Draft {
    /// Limits.
    pub settings: DraftSettings,
    /// Plans.
    pub planning: PlanningSettings,
    /// Who takes over.
    pub handover: HandoverSettings,
}

/// What the model said.
pub struct Found {
    answer: Result<Completion, ModelError>,
    began: DateTime<Utc>,
}

impl Found {
    /// The plan the model understood.
    fn plan(&self) -> Option<&PlanOffer> {
        let answer = self.answer.as_ref().ok()?;
        answer.understood.payment_plan.as_ref()
    }
}

type Event = Incoming<TurnReady>;

impl Stage for Draft {
    const NAME: &'static str = "draft";
    const ASKS_OUTSIDE: bool = true;
    type In = TurnReady;
    type Found = Found;

    fn concurrency(&self, _default: usize) -> usize {
        self.settings.parallel
    }

    async fn gather(&self, event: &Event, io: &Io) -> Result<Found, StageError> {
        let began = io.clock.now();
        let TurnReady { turn, facts } = &event.body;
        let messages = prompt::messages(turn, facts, self.settings.limits);
        let answer = io
            .neighbours
            .model
            .complete(&messages, turn.workflow_id)
            .await;
        Ok(Found { answer, began })
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        let turn = &event.body.turn;
        Needs {
            conversation: Some(turn.conversation_id.clone()),
            lock: true,
            plan: on_the_table(turn, found.plan())
                .map(|plan| asked_before(&plan, &turn.conversation_id, event.envelope.received_at)),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let TurnReady { turn, facts } = &event.body;
        if !case.is_current(turn.number) {
            return Decision::nothing("a newer text has taken the turn over");
        }
        let step =
            Step::done(turn.workflow_id, StepName::AiResponseGenerated, now).since(found.began);
        let planned = Planned::in_turn(
            turn,
            facts.tenant.as_ref(),
            found.plan(),
            event.envelope.id,
            &self.planning,
            now,
        );
        let plan = planned.as_ref().map(|p| p.found(case));
        let noted = planned.map(|p| p.note(case, now));
        let plan_id = plan.map(|p| p.payment_plan_id);
        let draft = match &found.answer {
            Ok(answer) => drafted(answer),
            Err(error) => Err(error.to_string()),
        };
        let decision = match draft {
            Ok(draft) => {
                let step = step.with(json!({
                    "model": draft.model, "prompt_version": draft.prompt_version, "tokens": draft.tokens,
                }));
                Decision::done()
                    .change(step)
                    .and_if(noted)
                    .change(WorkflowUpdate::to(
                        turn.workflow_id,
                        WorkflowStatus::Processing,
                        StepName::AiResponseGenerated,
                        now,
                    ))
                    .emit(
                        &ReplyDrafted {
                            turn: turn.clone(),
                            facts: facts.clone(),
                            draft,
                            plan,
                        },
                        &turn.conversation_id,
                        turn.workflow_id,
                    )
            }
            Err(why) => Decision::done()
                .change(step.failed(json!({ "error": why })))
                .and_if(noted)
                .and(self.without_draft(event, &why, now))
                .reply(Reply::Workflow(turn.workflow_id)),
        };
        decision.amending(|update| update.plan = plan_id)
    }
}

impl Draft {
    /// A person gets the text, with the tenant's facts and no draft.
    fn without_draft(&self, event: &Event, why: &str, now: DateTime<Utc>) -> Decision {
        let TurnReady { turn, facts } = &event.body;
        let kind = EscalationType::AiUnavailable;
        let handover = Handover {
            cause: event.envelope.id,
            workflow: turn.workflow_id,
            conversation: &turn.conversation_id,
            tenant_id: turn.tenant_id.clone(),
            tenant_name: facts.tenant.as_ref().and_then(|t| t.tenant_name.clone()),
            phone: &turn.phone_number,
            kind,
            severity: kind.default_severity(),
            reason: format!("{} ({why})", kind.default_reason()),
            message: Some(turn.joined_text()),
            draft: None,
            by: None,
        };
        handover
            .hand_over(&self.handover, now)
            .amending(|update| update.degraded = vec![Neighbour::Openai])
    }
}

/// The draft, or why the answer cannot become one.
fn drafted(answer: &Completion) -> Result<DraftedReply, String> {
    let understood = &answer.understood;
    if understood.reply.chars().count() > LONGEST_TEXT {
        return Err("the reply is longer than a text may be".to_owned());
    }
    let rating = understood.rating.or_else(|| Confidence::new(UNRATED));
    Ok(DraftedReply {
        reply: understood.reply.clone(),
        language: understood.language.clone(),
        confidence: rating.unwrap_or_default(),
        rated: understood.rating.is_some(),
        reply_en: understood.reply_en.clone(),
        intent: understood.intent.clone(),
        payment_plan: understood.payment_plan,
        escalation: understood.escalation.clone(),
        model: answer.model.clone(),
        prompt_version: prompt::VERSION.to_owned(),
        tokens: answer.tokens,
    })
}

#[cfg(test)]
mod tests;
