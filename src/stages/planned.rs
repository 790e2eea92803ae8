//! A payment plan is found: the same in every stage that finds one.
//!
//! The verdict is taken where the facts are first together - beside the draft, or when a text is
//! handed over before there is one - and not in a hop of its own: judging is a pure function of a
//! microsecond, while a hop costs every text a message and a commit.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::json;

use crate::domain::{
    ConversationId, EventId, PlanId, PlanOffer, StepName, TenantContext, TenantId, WorkflowId,
};
use crate::engine::Decision;
use crate::events::{FoundPlan, PlanDetected, Turn};
use crate::rules::plan::{self, ModelPlan, PlanFinding, PlanSettings, ResolvedPlan, TenantPlan};
use crate::store::Case;
use crate::store::plans::{PlanSeen, SamePlan};
use crate::store::steps::Step;

/// Within this time the same plan keeps its id (`http-api.md` §4.1).
const SAME_FOR: TimeDelta = TimeDelta::hours(24);

/// The rules of plans and the calendar they are read by.
#[derive(Debug, Clone, Copy)]
pub struct PlanningSettings {
    /// Limits.
    pub limits: PlanSettings,
    /// `COMPANY_TIMEZONE`: whose today a start date is compared with (`http-api.md` §12.11).
    pub zone: Tz,
}

impl PlanningSettings {
    /// The company's today.
    pub fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }
}

/// The plan on the table of a turn: the newest text that offers one speaks for the tenant, and the
/// model's reading of it comes first (conflicts C49).
pub(super) fn on_the_table(turn: &Turn, model: Option<&PlanOffer>) -> Option<ResolvedPlan> {
    let offer = turn.texts.iter().rev().find_map(|text| text.plan);
    let tenant = offer.map(|offer| TenantPlan {
        weekly_amount: Some(offer.weekly_amount),
        weeks: offer.weeks,
        start_date: offer.start_date,
        needs_review: offer.needs_review,
    });
    let model = model.map(|offer| ModelPlan {
        weekly_amount: Some(offer.weekly_amount),
        weeks: offer.weeks,
        start_date: offer.start_date,
    });
    plan::resolve_offers(tenant.as_ref(), model.as_ref())
}

/// What to ask the database about a resolved plan.
pub(super) fn asked_before(
    plan: &ResolvedPlan,
    conversation: &ConversationId,
    received_at: DateTime<Utc>,
) -> SamePlan {
    SamePlan {
        conversation: conversation.clone(),
        weekly_amount: plan.plan.weekly_amount,
        weeks: plan.plan.weeks,
        start_date: plan.plan.start_date,
        since: received_at - SAME_FOR,
    }
}

/// A judged plan and where it belongs.
#[derive(Debug, Clone)]
pub(super) struct Planned<'a> {
    /// The event in which it was found: gives a new plan its id.
    pub cause: EventId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// Its conversation.
    pub conversation: &'a ConversationId,
    /// Whose plan, as far as known.
    pub tenant_id: Option<TenantId>,
    /// The tenant's name, as far as known.
    pub tenant_name: Option<String>,
    /// What the tenant wrote.
    pub message: String,
    /// What the rules say.
    pub finding: PlanFinding,
}

impl<'a> Planned<'a> {
    /// The plan of a turn, judged by what is known of the tenant.
    pub(super) fn in_turn(
        turn: &'a Turn,
        tenant: Option<&TenantContext>,
        model: Option<&PlanOffer>,
        cause: EventId,
        settings: &PlanningSettings,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let resolved = on_the_table(turn, model)?;
        let today = settings.today(now);
        Some(Self {
            cause,
            workflow: turn.workflow_id,
            conversation: &turn.conversation_id,
            tenant_id: tenant
                .map(|t| t.tenant_id.clone())
                .or_else(|| turn.tenant_id.clone()),
            tenant_name: tenant.and_then(|t| t.tenant_name.clone()),
            message: turn.joined_text(),
            // Our reader is a grammar and gives no confidence; the model rates its reply, not the plan.
            finding: plan::find(&resolved, tenant, None, today, &settings.limits),
        })
    }

    /// The plan's id: that of the same plan found before, else one of its own.
    pub(super) fn id(&self, case: &Case) -> PlanId {
        case.same_plan
            .unwrap_or_else(|| PlanId(self.cause.row("plan")))
    }

    /// The plan as drafts refer to it.
    pub(super) fn found(&self, case: &Case) -> FoundPlan {
        FoundPlan {
            payment_plan_id: self.id(case),
            weekly_amount: self.finding.plan.weekly_amount,
            weeks: self.finding.plan.weeks,
            status: self.finding.verdict.status,
        }
    }

    /// Stores the plan with its verdict, and tells the world unless it was told already. The
    /// workflow itself is the caller's to update.
    pub(super) fn note(self, case: &Case, now: DateTime<Utc>) -> Decision {
        let id = self.id(case);
        let verdict = &self.finding.verdict;
        let codes: Vec<_> = verdict.issues.iter().map(|issue| issue.code).collect();
        let step = Step::done(self.workflow, StepName::PaymentPlanCheck, now)
            .with(json!({ "payment_plan_id": id, "status": verdict.status, "issue_codes": codes }));
        let detected = PlanDetected {
            payment_plan_id: id,
            workflow_id: self.workflow,
            conversation_id: self.conversation.clone(),
            tenant_id: self.tenant_id,
            tenant_name: self.tenant_name,
            tenant_message: self.message,
            status: verdict.status,
            finding: self.finding,
            detected_at: now,
        };
        let decision = Decision::done().change(step);
        let decision = match case.same_plan {
            Some(_) => decision,
            None => decision.emit(&detected, self.conversation, self.workflow),
        };
        decision.change(PlanSeen { detected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Cents;
    use crate::rules::plan::Source;
    use crate::stages::testing::{open_text, turn};

    fn offer(dollars: i64, weeks: Option<u32>) -> PlanOffer {
        PlanOffer {
            weekly_amount: Cents::from_dollars(dollars),
            weeks,
            ..PlanOffer::default()
        }
    }

    fn saying(offers: &[Option<PlanOffer>]) -> Turn {
        let texts = offers.iter().zip(1..).map(|(plan, number)| {
            let mut text = open_text(number, "text");
            text.plan = *plan;
            text
        });
        turn(1, texts.collect())
    }

    #[test]
    fn the_newest_offer_of_several_texts_counts() {
        let turn = saying(&[Some(offer(50, None)), Some(offer(60, Some(4))), None]);
        let plan = on_the_table(&turn, None).expect("a plan");
        assert_eq!(plan.plan.weekly_amount, Cents::from_dollars(60));
        assert_eq!(plan.source, Source::TenantMessage);
        assert_eq!(on_the_table(&saying(&[None]), None), None);
    }

    #[test]
    fn the_model_fills_what_the_tenant_left_open_and_contradicts_at_its_peril() {
        let turn = saying(&[Some(offer(75, None))]);
        let agreed = on_the_table(&turn, Some(&offer(75, Some(8)))).expect("a plan");
        assert_eq!(agreed.plan.weeks, Some(8));
        assert!(!agreed.conflicting);
        let other = on_the_table(&turn, Some(&offer(80, Some(8)))).expect("a plan");
        assert!(other.conflicting);
    }

    #[test]
    fn a_start_date_is_compared_with_the_companys_day() {
        let settings = PlanningSettings {
            limits: PlanSettings::default(),
            zone: chrono_tz::America::New_York,
        };
        let late = "2026-11-22T03:00:00Z".parse().expect("a time");
        assert_eq!(settings.today(late).to_string(), "2026-11-21");
    }
}
