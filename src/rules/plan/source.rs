//! Where a plan comes from and whether the sources agree (HTTP contract §4.1, model reply contract).

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::domain::money::Cents;
use crate::reading;

/// Largest weekly amount of the plan endpoint: a million dollars.
const MAX_WEEKLY: Cents = Cents::from_dollars(1_000_000);
/// Most weeks of the plan endpoint.
const MAX_WEEKS: u32 = 520;

/// Explicit fields of a request; all optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanRequest {
    /// Cents a week, when this source says so.
    pub weekly_amount: Option<Cents>,
    /// Number of weeks, when this source says so.
    pub weeks: Option<u32>,
    /// The first payment, when this source says so.
    pub start_date: Option<NaiveDate>,
}

/// What a `PAYMENT_PLAN:` line or the model's structured answer says.
pub type ModelPlan = PlanRequest;

/// What the tenant's own text says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantPlan {
    /// Cents a week, when this source says so.
    pub weekly_amount: Option<Cents>,
    /// Number of weeks, when this source says so.
    pub weeks: Option<u32>,
    /// The first payment, when this source says so.
    pub start_date: Option<NaiveDate>,
    /// A person should look.
    pub needs_review: bool,
}

/// Which source gave the amount; `extracted_from` in answers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Explicit fields of the request.
    Request,
    /// The model's answer.
    AiResponse,
    /// The tenant's own words.
    TenantMessage,
}

impl Source {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::AiResponse => "ai_response",
            Self::TenantMessage => "tenant_message",
        }
    }
}

/// The plan after looking at all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolvedPlan {
    /// The plan.
    pub plan: Plan,
    /// Where its amount came from.
    pub source: Source,
    /// Request or model contradict the amount or weeks of the tenant's own text.
    pub conflicting: bool,
    /// The tenant's offer itself needs a person (a range and the like).
    pub needs_review: bool,
}

/// Finds the plan: explicit fields, then a `PAYMENT_PLAN:` line in the model's answer, then the
/// tenant's text, then an offer worded in the model's answer; the first that yields an amount wins.
/// Missing weeks and start come from the later sources.
#[must_use]
pub fn resolve(
    request: &PlanRequest,
    tenant_text: &str,
    ai_response: Option<&str>,
    today: NaiveDate,
) -> Option<ResolvedPlan> {
    let tenant = tenant_plan(tenant_text, today);
    let line = ai_response.and_then(parse_plan_line).unwrap_or_default();
    // The model speaks for the company, so its prose is read only when nothing else has an amount.
    let prose = ai_response
        .map(|text| tenant_plan(text, today))
        .unwrap_or_default();
    choose(request, &line, &tenant, &prose)
}

/// As [`resolve`], for a text on its way: the reader has been through it on arrival, and the
/// model's answer has been taken apart.
#[must_use]
pub fn resolve_offers(
    tenant: Option<&TenantPlan>,
    model: Option<&ModelPlan>,
) -> Option<ResolvedPlan> {
    choose(
        &PlanRequest::default(),
        model.unwrap_or(&ModelPlan::default()),
        tenant.unwrap_or(&TenantPlan::default()),
        &TenantPlan::default(),
    )
}

fn choose(
    request: &PlanRequest,
    line: &ModelPlan,
    tenant: &TenantPlan,
    prose: &TenantPlan,
) -> Option<ResolvedPlan> {
    let from_tenant = PlanRequest {
        weekly_amount: tenant.weekly_amount,
        weeks: tenant.weeks,
        start_date: tenant.start_date,
    };
    let from_prose = PlanRequest {
        weekly_amount: prose.weekly_amount,
        weeks: prose.weeks,
        start_date: prose.start_date,
    };
    let order = [
        (Source::Request, *request),
        (Source::AiResponse, *line),
        (Source::TenantMessage, from_tenant),
        (Source::AiResponse, from_prose),
    ];
    let first = order.iter().position(|(_, p)| p.weekly_amount.is_some())?;
    let (source, chosen) = order[first];
    // Weeks or a start given without an amount ("weeks": 8) still belong to the request.
    let plan = Plan {
        weekly_amount: chosen.weekly_amount?,
        weeks: order.iter().find_map(|(_, p)| p.weeks),
        start_date: order.iter().find_map(|(_, p)| p.start_date),
    };
    let contradicts = |p: &PlanRequest| {
        differs(p.weekly_amount, tenant.weekly_amount) || differs(p.weeks, tenant.weeks)
    };
    let conflicting = tenant.weekly_amount.is_some() && (contradicts(request) || contradicts(line));
    Some(ResolvedPlan {
        plan,
        source,
        conflicting,
        // A range that the model made one figure of is still a range.
        needs_review: tenant.needs_review && source != Source::Request,
    })
}

fn differs<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

fn tenant_plan(text: &str, today: NaiveDate) -> TenantPlan {
    match reading::read(text, today).plan {
        Some(p) => TenantPlan {
            weekly_amount: Some(p.weekly_amount),
            weeks: p.weeks,
            start_date: p.start_date,
            needs_review: p.needs_review,
        },
        None => TenantPlan::default(),
    }
}

/// Reads the first well-formed line `PAYMENT_PLAN: weekly=200, weeks=8, start=2025-01-08`.
///
/// Strict: known keys only, each once, `weekly` required, amounts and weeks within the limits of
/// the endpoint, ISO dates. A line that is anything else is no plan rather than half of one: a
/// model that writes `weekly=200-250` has not understood the offer.
#[must_use]
pub fn parse_plan_line(text: &str) -> Option<ModelPlan> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("PAYMENT_PLAN:"))
        .find_map(parse_plan_fields)
}

/// Reads what stands after `PAYMENT_PLAN:`; as strict as [`parse_plan_line`].
#[must_use]
pub fn parse_plan_fields(fields: &str) -> Option<ModelPlan> {
    let mut plan = ModelPlan::default();
    for field in fields.split(',') {
        let (key, value) = field.split_once('=')?;
        let value = value.trim();
        match key.trim() {
            "weekly" if plan.weekly_amount.is_none() => {
                let amount = Cents::parse(value).ok()?;
                plan.weekly_amount = Some(amount).filter(|a| *a > Cents::ZERO && *a <= MAX_WEEKLY);
                plan.weekly_amount?;
            }
            "weeks" if plan.weeks.is_none() => {
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                let weeks: u32 = value.parse().ok().filter(|_| digits)?;
                plan.weeks = Some(weeks).filter(|w| (1..=MAX_WEEKS).contains(w));
                plan.weeks?;
            }
            "start" if plan.start_date.is_none() => {
                plan.start_date = Some(value.parse().ok()?);
            }
            _ => return None,
        }
    }
    plan.weekly_amount.map(|_| plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-11-21".parse().unwrap()
    }

    #[test]
    fn plan_lines_are_read_strictly() {
        let good = parse_plan_line("Sure!\nPAYMENT_PLAN: weekly=200, weeks=8, start=2025-01-08");
        assert_eq!(
            good,
            Some(ModelPlan {
                weekly_amount: Some(Cents::from_dollars(200)),
                weeks: Some(8),
                start_date: "2025-01-08".parse().ok(),
            })
        );
        for bad in [
            "PAYMENT_PLAN: weeks=8",
            "PAYMENT_PLAN: weekly=200-250, weeks=8",
            "PAYMENT_PLAN: weekly=200, weekly=100",
            "PAYMENT_PLAN: weekly=200, weeks=0",
            "PAYMENT_PLAN: weekly=200, weeks=+8",
            "PAYMENT_PLAN: weekly=-5",
            "PAYMENT_PLAN: weekly=200, until=paid",
            "PAYMENT_PLAN: weekly=200, start=next friday",
            "PAYMENT_PLAN:",
            "weekly=200",
        ] {
            assert_eq!(parse_plan_line(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_source_with_an_amount_wins_and_later_ones_fill_gaps() {
        let request = PlanRequest {
            weekly_amount: Some(Cents::from_dollars(70)),
            ..PlanRequest::default()
        };
        let found = resolve(&request, "I can do 70 a week for 8 weeks", None, today()).unwrap();
        assert_eq!((found.source, found.plan.weeks), (Source::Request, Some(8)));
        assert!(!found.conflicting);
        let line = Some("PAYMENT_PLAN: weekly=80, weeks=8");
        let found = resolve(&PlanRequest::default(), "I can do 70 a week", line, today()).unwrap();
        assert_eq!(found.source, Source::AiResponse);
        assert!(found.conflicting, "80 is not what the tenant wrote");
        let found = resolve(&PlanRequest::default(), "70 a week?", None, today()).unwrap();
        assert_eq!(found.source, Source::TenantMessage);
        assert_eq!(
            resolve(&PlanRequest::default(), "hello", Some("Hi!"), today()),
            None
        );
    }
}
