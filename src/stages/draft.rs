//! What would the model answer?
//!
//! in: `turn.ready` · out: `reply.drafted`, `escalation.raised`

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::handover::{Handover, HandoverSettings};
use super::planned::{Planned, PlanningSettings, asked_before, on_the_table};
use super::silence::silenced;
use crate::domain::{Confidence, EscalationType, PlanOffer, StepName, WorkflowStatus};
use crate::engine::{Decision, Incoming, Io, Reply, Stage, StageError};
use crate::events::{DraftedReply, Neighbour, ReplyDrafted, TurnReady};
use crate::neighbours::model::{Answered, Bill, Completion};
use crate::rules::checks::{self, CheckSettings, Grounds, Judgement};
use crate::rules::prompt::{self, PromptSettings};
use crate::store::steps::Step;
use crate::store::workflows::WorkflowUpdate;
use crate::store::{Case, ConsentUse, Needs};

/// The longest text the SMS Agent takes (`upstreams.md` §2.1).
const LONGEST_TEXT: usize = 1600;

/// A server that answers in plain text rates nothing itself: such a draft is always seen by a
/// manager (`model-reply.md`).
const UNRATED: f64 = 0.75;

/// What the model is told and how many calls run at once.
#[derive(Debug, Clone)]
pub struct DraftSettings {
    /// What the model is told besides the case.
    pub prompt: PromptSettings,
    /// What replies are compared with besides the case.
    pub checks: CheckSettings,
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

/// What the model said, and what the checks make of it.
pub struct Found {
    draft: Result<DraftedReply, String>,
    /// What was paid, also when nothing of it could be used.
    bill: Bill,
    /// The number may not be texted: no model was asked.
    silenced: bool,
    began: DateTime<Utc>,
}

impl Found {
    /// Checks an answer. Pure, but done while gathering: the decision holds the conversation's lock,
    /// and a whole round of others waits behind it.
    fn of(
        Answered { answer, bill }: Answered,
        ready: &TurnReady,
        settings: &DraftSettings,
        today: NaiveDate,
        began: DateTime<Utc>,
    ) -> Self {
        let draft = match answer {
            Ok(answer) => drafted(answer, bill, ready, settings, today),
            Err(error) => Err(error.to_string()),
        };
        Self {
            draft,
            bill,
            silenced: false,
            began,
        }
    }

    fn without_a_model(began: DateTime<Utc>) -> Self {
        Self {
            draft: Err("no model was asked".to_owned()),
            bill: Bill::default(),
            silenced: true,
            began,
        }
    }

    /// Facts of the step, with what all answers cost: the steps of a workflow add up to its bill.
    fn paid(&self, mut facts: Value) -> Value {
        facts["answers"] = json!(self.bill.answers);
        facts["tokens"] = json!(self.bill.tokens);
        facts["cost_micro_usd"] = json!(self.bill.cost_micro_usd);
        facts
    }

    fn failed_checks(&self) -> impl Iterator<Item = &str> {
        let checks = self.draft.iter().flat_map(|draft| &draft.checks);
        checks.filter(|c| !c.passed).map(|c| c.name.as_str())
    }

    /// The plan the model understood.
    fn plan(&self) -> Option<&PlanOffer> {
        self.draft.as_ref().ok()?.payment_plan.as_ref()
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
        // Not even what the tenant wrote goes to a model once nothing may be texted back (R2, R4).
        let (phone, tenant) = (&turn.phone_number, turn.tenant_id.as_ref());
        if io.questions.silenced(phone, tenant).await? {
            return Ok(Found::without_a_model(began));
        }
        let messages = prompt::messages(turn, facts, &self.settings.prompt);
        let answer = io
            .neighbours
            .model
            .complete(&messages, turn.workflow_id)
            .await;
        let today = self.planning.today(io.clock.now());
        let found = Found::of(answer, &event.body, &self.settings, today, began);
        for check in found.failed_checks() {
            io.metrics.failed_checks.with_label_values(&[check]).inc();
        }
        Ok(found)
    }

    fn needs(&self, event: &Event, found: &Found) -> Needs {
        let turn = &event.body.turn;
        Needs {
            conversation: Some(turn.conversation_id.clone()),
            lock: true,
            consent: Some((turn.phone_number.clone(), ConsentUse::Read)),
            tenant: turn.tenant_id.clone(),
            plan: on_the_table(turn, found.plan())
                .map(|plan| asked_before(&plan, &turn.conversation_id, event.envelope.received_at)),
            ..Needs::default()
        }
    }

    fn decide(&self, event: &Event, found: &Found, case: &Case, now: DateTime<Utc>) -> Decision {
        let TurnReady { turn, facts } = &event.body;
        let step =
            Step::done(turn.workflow_id, StepName::AiResponseGenerated, now).since(found.began);
        if !case.is_current(turn.number) {
            let why = "a newer text has taken the turn over";
            // Overtaken, but paid for.
            return Decision::nothing(why)
                .change(step.skipped(why).with(found.paid(json!({ "why": why }))));
        }
        if let Some(ended) = silenced(turn, case, now) {
            if found.bill.answers == 0 {
                return ended;
            }
            let why = "the number was silenced while the model wrote";
            let paid = found.paid(json!({ "why": why }));
            return ended.change(step.skipped(why).with(paid));
        }
        if found.silenced {
            let because = "what held the number has been lifted meanwhile";
            return Decision::wait(Duration::from_millis(200), because);
        }
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
        let decision = match &found.draft {
            Ok(draft) => {
                let failed: Vec<&str> = found.failed_checks().collect();
                let step = step.with(found.paid(json!({
                    "model": draft.model, "prompt_version": draft.prompt_version,
                    "rating": draft.rating, "failed_checks": failed,
                })));
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
                            draft: draft.clone(),
                            plan,
                        },
                        &turn.conversation_id,
                        turn.workflow_id,
                    )
            }
            Err(why) => Decision::done()
                .change(
                    step.with(found.paid(json!({})))
                        .failed(json!({ "error": why })),
                )
                .and_if(noted)
                .and(self.without_draft(event, why, now))
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
fn drafted(
    answer: Completion,
    bill: Bill,
    ready: &TurnReady,
    settings: &DraftSettings,
    today: NaiveDate,
) -> Result<DraftedReply, String> {
    let understood = answer.understood;
    if understood.reply.chars().count() > LONGEST_TEXT {
        return Err("the reply is longer than a text may be".to_owned());
    }
    let TurnReady { turn, facts } = ready;
    let texts: Vec<&str> = turn.texts.iter().map(|t| t.content.as_str()).collect();
    let grounds = Grounds::new(
        facts.tenant.as_ref(),
        &texts,
        &facts.history,
        &[],
        today,
        &settings.checks,
        prompt::TEMPLATE,
    );
    // An answer that only asks for a person has no text to check.
    let judgement = if understood.reply.is_empty() {
        Judgement::default()
    } else {
        checks::judge(&understood.reply, &grounds)
    };
    let rating = understood.rating.or_else(|| Confidence::new(UNRATED));
    Ok(DraftedReply {
        confidence: judgement.cap(rating.unwrap_or_default()),
        rated: understood.rating.is_some(),
        rating: understood.rating,
        checks: judgement.findings,
        reply: understood.reply,
        language: understood.language,
        reply_en: understood.reply_en,
        intent: understood.intent,
        payment_plan: understood.payment_plan,
        escalation: understood.escalation,
        model: answer.model,
        prompt_version: prompt::VERSION.to_owned(),
        tokens: bill.tokens,
        cost_micro_usd: bill.cost_micro_usd,
    })
}

#[cfg(test)]
mod tests;
