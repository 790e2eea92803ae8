//! The verdict on a plan.

use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Plan, PlanSettings};
use crate::domain::money::Cents;

/// Codes of the rules a plan can break (HTTP contract §4.1), in the order they are reported.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, utoipa::ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IssueCode {
    /// Less a week than the minimum.
    AmountBelowMinimum,
    /// More weeks than the maximum.
    DurationAboveMaximum,
    /// Nobody said how long.
    DurationMissing,
    /// The total is below 90 % of the debt.
    DoesNotCoverDebt,
    /// The first payment would have been due.
    StartDateInPast,
    /// The first payment is more than 30 days away.
    StartDateTooFar,
    /// Model, request and tenant disagree.
    ConflictingSources,
}

impl IssueCode {
    /// The code as the contract spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmountBelowMinimum => "AMOUNT_BELOW_MINIMUM",
            Self::DurationAboveMaximum => "DURATION_ABOVE_MAXIMUM",
            Self::DurationMissing => "DURATION_MISSING",
            Self::DoesNotCoverDebt => "DOES_NOT_COVER_DEBT",
            Self::StartDateInPast => "START_DATE_IN_PAST",
            Self::StartDateTooFar => "START_DATE_TOO_FAR",
            Self::ConflictingSources => "CONFLICTING_SOURCES",
        }
    }

    /// Whether a plan with this issue only needs a person's eye instead of being invalid.
    const fn is_open(self) -> bool {
        matches!(self, Self::DurationMissing | Self::ConflictingSources)
    }
}

/// A broken rule with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// For machines.
    pub code: IssueCode,
    /// For people.
    pub message: String,
}

/// What the rules need to know besides the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanContext {
    /// Today in the company's time zone (contract §12.11: a start today is not in the past).
    pub today: NaiveDate,
    /// See [`super::debt_basis`].
    pub debt_basis: Option<Cents>,
    /// Confidence of the reading in ten-thousandths, when one is given.
    pub confidence: Option<u32>,
    /// The tenant has a failed plan on record.
    pub failed_plan_on_record: bool,
    /// The sources of the plan contradict each other.
    pub conflicting: bool,
    /// A range, an unknown pay frequency or a down payment without a figure (contract §12.4).
    pub needs_review: bool,
}

/// How a plan goes on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Valid, and nobody need look.
    Validated,
    /// A person should look.
    NeedsReview,
    /// Breaks a rule.
    Invalid,
}

impl Status {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validated => "validated",
            Self::NeedsReview => "needs_review",
            Self::Invalid => "invalid",
        }
    }
}

/// The answer of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The verdict in one word.
    pub status: Status,
    /// No issues at all.
    pub is_valid: bool,
    /// Nobody need look.
    pub auto_approvable: bool,
    /// What is wrong, in the order of the rules.
    pub issues: Vec<Issue>,
    /// As offered: weekly amount times weeks.
    pub total_amount: Option<Cents>,
    /// The smaller of the total and the debt basis: nobody is asked for more than is owed.
    pub payable_total: Option<Cents>,
    /// What the plan has to cover, when known.
    pub debt_basis: Option<Cents>,
    /// Total in tenths of a percent of the basis, rounded half up.
    pub coverage_permille: Option<i64>,
    /// Whether the total reaches the smallest admissible share; `None` without a basis.
    pub covers_debt: Option<bool>,
    /// Start plus seven days a week of the plan.
    pub end_date: Option<NaiveDate>,
}

/// Judges a plan.
#[must_use]
pub fn judge(plan: &Plan, context: &PlanContext, settings: &PlanSettings) -> Verdict {
    let mut issues = Vec::new();
    let mut add = |code, message| issues.push(Issue { code, message });
    if plan.weekly_amount < settings.min_weekly {
        add(
            IssueCode::AmountBelowMinimum,
            format!(
                "{} a week is below the minimum of {}.",
                plan.weekly_amount, settings.min_weekly
            ),
        );
    }
    match plan.weeks {
        None => add(
            IssueCode::DurationMissing,
            "The offer does not say for how many weeks.".to_owned(),
        ),
        Some(weeks) if weeks > settings.max_weeks => add(
            IssueCode::DurationAboveMaximum,
            format!(
                "{weeks} weeks is longer than the maximum of {}.",
                settings.max_weeks
            ),
        ),
        Some(_) => {}
    }
    let total = plan.total();
    let covers = total
        .zip(context.debt_basis)
        .map(|(total, basis)| covers_share(total, basis, settings.min_coverage_percent));
    if let (Some(false), Some(total), Some(basis)) = (covers, total, context.debt_basis) {
        add(
            IssueCode::DoesNotCoverDebt,
            format!(
                "{total} in all covers less than {} percent of the {basis} owed.",
                settings.min_coverage_percent
            ),
        );
    }
    if let Some(start) = plan.start_date {
        if start < context.today {
            add(
                IssueCode::StartDateInPast,
                format!("The start date {start} is in the past."),
            );
        } else if latest_start(context.today, settings).is_some_and(|latest| start > latest) {
            add(
                IssueCode::StartDateTooFar,
                format!(
                    "The start date {start} is more than {} days away.",
                    settings.max_start_days
                ),
            );
        }
    }
    if context.conflicting {
        add(
            IssueCode::ConflictingSources,
            "The plan differs from what the tenant wrote.".to_owned(),
        );
    }
    let is_valid = issues.is_empty();
    let fully_covered = match (total, context.debt_basis) {
        (Some(total), Some(basis)) => total >= basis,
        (_, None) => true,
        (None, Some(_)) => false,
    };
    let auto_approvable = is_valid
        && plan
            .weeks
            .is_some_and(|w| w <= settings.auto_approve_max_weeks)
        && context
            .confidence
            .is_none_or(|c| c >= settings.min_confidence)
        && fully_covered
        && !context.failed_plan_on_record
        && !context.needs_review;
    let status = if auto_approvable {
        Status::Validated
    } else if issues.iter().all(|i| i.code.is_open()) {
        Status::NeedsReview
    } else {
        Status::Invalid
    };
    Verdict {
        status,
        is_valid,
        auto_approvable,
        issues,
        total_amount: total,
        payable_total: total.map(|t| context.debt_basis.map_or(t, |b| t.min(b))),
        debt_basis: context.debt_basis,
        coverage_permille: total
            .zip(context.debt_basis)
            .and_then(|(t, b)| Cents::new(1_000).scaled(t.get(), b.get()))
            .map(Cents::get),
        covers_debt: covers,
        end_date: plan
            .start_date
            .zip(plan.weeks)
            .and_then(|(start, weeks)| start.checked_add_days(Days::new(7 * u64::from(weeks)))),
    }
}

/// Compared in whole cents times percent: a rounded percentage would let 89.96 % pass as 90 %.
pub(super) fn covers_share(total: Cents, basis: Cents, percent: u32) -> bool {
    i128::from(total.get()) * 100 >= i128::from(basis.get()) * i128::from(percent)
}

/// The last admissible start.
pub(super) fn latest_start(today: NaiveDate, settings: &PlanSettings) -> Option<NaiveDate> {
    today.checked_add_days(Days::new(u64::from(settings.max_start_days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn context() -> PlanContext {
        PlanContext {
            today: day("2026-11-21"),
            debt_basis: Some(Cents::from_dollars(550)),
            confidence: Some(9_000),
            failed_plan_on_record: false,
            conflicting: false,
            needs_review: false,
        }
    }

    fn plan(cents: i64, weeks: Option<u32>, start: Option<&str>) -> Plan {
        Plan {
            weekly_amount: Cents::new(cents),
            weeks,
            start_date: start.map(day),
        }
    }

    #[test]
    fn each_rule_reports_its_code_and_its_boundary_is_fine() {
        use IssueCode as C;
        let cases: &[(&str, Plan, &[C])] = &[
            (
                "exactly 25",
                plan(2_500, Some(12), None),
                &[C::DoesNotCoverDebt],
            ),
            (
                "a cent less",
                plan(2_499, Some(12), None),
                &[C::AmountBelowMinimum, C::DoesNotCoverDebt],
            ),
            ("12 weeks", plan(5_000, Some(12), None), &[]),
            (
                "13 weeks",
                plan(5_000, Some(13), None),
                &[C::DurationAboveMaximum],
            ),
            ("no weeks", plan(5_000, None, None), &[C::DurationMissing]),
            ("90 percent", plan(4_950, Some(10), None), &[]),
            (
                "a cent under",
                plan(4_949, Some(10), None),
                &[C::DoesNotCoverDebt],
            ),
            ("today", plan(7_000, Some(8), Some("2026-11-21")), &[]),
            (
                "yesterday",
                plan(7_000, Some(8), Some("2026-11-20")),
                &[C::StartDateInPast],
            ),
            ("in 30 days", plan(7_000, Some(8), Some("2026-12-21")), &[]),
            (
                "in 31 days",
                plan(7_000, Some(8), Some("2026-12-22")),
                &[C::StartDateTooFar],
            ),
        ];
        for (name, plan, codes) in cases {
            let verdict = judge(plan, &context(), &PlanSettings::default());
            let found: Vec<C> = verdict.issues.iter().map(|i| i.code).collect();
            assert_eq!(&found, codes, "{name}");
            assert_eq!(verdict.is_valid, codes.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_contract_example_holds() {
        let verdict = judge(
            &plan(7_000, Some(8), Some("2026-11-27")),
            &context(),
            &PlanSettings::default(),
        );
        assert_eq!(verdict.status, Status::Validated);
        assert_eq!(verdict.total_amount, Some(Cents::from_dollars(560)));
        assert_eq!(verdict.payable_total, Some(Cents::from_dollars(550)));
        assert_eq!(verdict.coverage_permille, Some(1_018));
        assert_eq!(verdict.end_date, Some(day("2027-01-22")));
    }

    #[test]
    fn missing_weeks_or_conflict_alone_need_a_person_others_are_invalid() {
        let settings = PlanSettings::default();
        let status = |p: &Plan, c: &PlanContext| judge(p, c, &settings).status;
        let good = plan(7_000, Some(8), None);
        assert_eq!(
            status(&plan(7_000, None, None), &context()),
            Status::NeedsReview
        );
        let conflict = PlanContext {
            conflicting: true,
            ..context()
        };
        assert_eq!(status(&good, &conflict), Status::NeedsReview);
        assert_eq!(
            status(&plan(1_000, None, None), &context()),
            Status::Invalid
        );
        for person in [
            PlanContext {
                confidence: Some(8_499),
                ..context()
            },
            PlanContext {
                failed_plan_on_record: true,
                ..context()
            },
            PlanContext {
                needs_review: true,
                ..context()
            },
            PlanContext {
                debt_basis: Some(Cents::from_dollars(600)),
                ..context()
            },
        ] {
            assert_eq!(status(&good, &person), Status::NeedsReview);
        }
        let unknown = PlanContext {
            debt_basis: None,
            confidence: None,
            ..context()
        };
        let verdict = judge(&good, &unknown, &settings);
        assert_eq!(
            (verdict.status, verdict.covers_debt),
            (Status::Validated, None)
        );
    }
}
