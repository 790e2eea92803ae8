//! The one gate: may this very text leave for this number now?
//!
//! Every text of ours passes here in the transaction of its send intent, under the row locks that
//! opt-outs and holds take (`docs/decisions.md`). A [`Permit`] is the only thing that the SMS Agent's
//! client takes, and only [`Gate::judge`] makes one.

mod permit;
mod settings;
mod wording;

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contact_hours::{Address, Hours};
use super::content;
use crate::domain::{DeliveryId, DeliveryKind, HoldKind, Phone, Quiet};

pub use permit::Permit;
pub use settings::{Company, GateSettings, OptOutConfirmation, Profile};
pub use wording::{LONGEST_TEXT, TooLong, introduces};

/// The id of a rule in `rules.md`, or `burst` and `hold` for the two that have none there.
pub type RuleId = &'static str;

/// How late a confirmation of an opt-out may leave (R3; 47 CFR 64.1200(a)(12)).
const CONFIRMATION_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// How long a tenant's own text counts as consent for the number under profile B (R29;
/// 12 CFR 1006.6(d)(5)).
const TEXTED_WITHIN: TimeDelta = TimeDelta::days(60);

/// Massachusetts' area codes.
const MASSACHUSETTS: [&str; 9] = [
    "339", "351", "413", "508", "617", "774", "781", "857", "978",
];

/// Its cap on texts that we start, within seven days (940 CMR 7.04(1)(f)).
const MASSACHUSETTS_PER_WEEK: i64 = 2;

/// A manager's word that a rule which can be overridden shall not stop a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Override {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A text that wants to leave.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Request<'a> {
    /// One text, whatever the number of attempts.
    pub delivery: DeliveryId,
    /// The addressee.
    pub to: &'a Phone,
    /// Who released it, or what fixed text it is.
    pub kind: DeliveryKind,
    /// The exact text.
    pub text: &'a str,
    /// Where the tenant lives, as far as known.
    pub property: Option<&'a str>,
    /// When it was released.
    pub released_at: DateTime<Utc>,
    /// What a manager has overridden.
    pub overridden: Option<&'a Override>,
    /// Amounts in it that neither the account nor the plan rules nor the tenant's words explain (R17).
    /// Known when a manager releases a text; a draft's own are judged where it is drafted.
    pub unexplained: &'a [String],
}

/// How things stand with the number in this moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Standing<'a> {
    /// It opted out.
    pub opted_out: bool,
    /// What holds it or its tenant.
    pub holds: &'a [HoldKind],
    /// When it wants no texts.
    pub quiet: &'a [Quiet],
    /// There is proof that it wants texts that answer nothing, too (R31).
    pub proven: bool,
    /// The conversation has had a text that names the company and how to opt out.
    pub introduced: bool,
    /// The newest text from it.
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// Texts of ours to it within the last hour, this one not included.
    pub sent_last_hour: i64,
    /// Texts to it within the last seven days that answered nothing, this one not included.
    pub started_last_week: i64,
}

/// What the gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave, now and only now.
    Permit(Permit),
    /// Not before this moment; then the gate is asked again.
    Wait {
        /// The moment.
        until: DateTime<Utc>,
    },
    /// Not at all.
    Refuse {
        /// `opted_out`, `on_hold` or `rule_refused`.
        reason: &'static str,
    },
}

/// A verdict with everything that is kept about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What the gate says.
    pub verdict: Verdict,
    /// The rules that stopped the text, or those it was measured by.
    pub rules: Vec<RuleId>,
    /// SHA-256 over everything the verdict follows from, but the time.
    pub inputs: [u8; 32],
    /// When.
    pub at: DateTime<Utc>,
}

impl Judgement {
    /// `permit`, `wait` or `refuse`.
    pub fn outcome(&self) -> &'static str {
        match self.verdict {
            Verdict::Permit(_) => "permit",
            Verdict::Wait { .. } => "wait",
            Verdict::Refuse { .. } => "refuse",
        }
    }
}

/// The gate with the company's settings.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What the company has set.
    pub settings: GateSettings,
}

/// What stops a text.
enum Stop {
    Refuse(&'static str),
    Until(DateTime<Utc>),
}

impl Gate {
    /// Judges one text. The first rule that stops it decides: the number's own word before
    /// everything, then what a person has to lift, then the text, then the time.
    pub fn judge(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) -> Judgement {
        let inputs = self.hash(request, standing);
        let stopped = self
            .consent(request, standing, now)
            .or_else(|| holds(request, standing))
            .or_else(|| self.content(request, standing))
            .or_else(|| self.caps(request, standing, now))
            .or_else(|| self.hours(request, standing, now));
        let (verdict, rules) = match stopped {
            None => {
                let rules = self.measured_by(request, standing);
                let permit = Permit::new(request, rules.clone(), inputs, now);
                (Verdict::Permit(permit), rules)
            }
            Some((rules, Stop::Refuse(reason))) => (Verdict::Refuse { reason }, rules),
            Some((rules, Stop::Until(until))) => (Verdict::Wait { until }, rules),
        };
        Judgement {
            verdict,
            rules,
            inputs,
            at: now,
        }
    }

    /// What a manager who releases a text has to be told at once. Hours and caps are not in it: a
    /// text that waits for them was released all the same.
    pub fn objections(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) -> Option<Judgement> {
        let inputs = self.hash(request, standing);
        let stopped = self
            .consent(request, standing, now)
            .or_else(|| holds(request, standing))
            .or_else(|| self.content(request, standing));
        match stopped {
            Some((rules, Stop::Refuse(reason))) => Some(Judgement {
                verdict: Verdict::Refuse { reason },
                rules,
                inputs,
                at: now,
            }),
            _ => None,
        }
    }

    /// The number's own word (R1, R4, R5), and the one text that survives it (R3).
    fn consent(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) -> Option<(Vec<RuleId>, Stop)> {
        if request.kind == DeliveryKind::Confirmation {
            let late = now - request.released_at > CONFIRMATION_WITHIN;
            return late.then(|| (vec!["R3"], Stop::Refuse("rule_refused")));
        }
        if standing.opted_out {
            return Some((vec!["R4"], Stop::Refuse("opted_out")));
        }
        // Whoever never wrote has nothing to be answered: without proof of an opt-in we do not begin.
        if starts(request, standing) && !standing.proven {
            return Some((vec!["R31"], Stop::Refuse("rule_refused")));
        }
        let long_silent = standing
            .last_inbound_at
            .is_none_or(|at| now - at > TEXTED_WITHIN);
        (self.settings.profile == Profile::FdcpaCollector && long_silent)
            .then(|| (vec!["R29"], Stop::Refuse("rule_refused")))
    }

    /// Forbidden topics, links and the required wording.
    fn content(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
    ) -> Option<(Vec<RuleId>, Stop)> {
        // Ours by the letter, and reviewed once.
        if request.kind.is_fixed() {
            return None;
        }
        let mut rules: Vec<RuleId> = content::findings(
            request.text,
            request.kind,
            &self.settings.own_domains,
            request.property,
        )
        .into_iter()
        .filter(|finding| !(finding.may_be_overridden && request.overridden.is_some()))
        .map(|finding| finding.rule)
        .collect();
        if !request.unexplained.is_empty() && request.overridden.is_none() {
            rules.insert(0, "R17");
        }
        let names_us = !self.must_introduce(request.kind, standing.introduced)
            || wording::introduces(request.text);
        if !names_us || request.text.chars().count() > LONGEST_TEXT {
            rules.push("R27");
        }
        (!rules.is_empty()).then_some((rules, Stop::Refuse("rule_refused")))
    }

    /// R27: the first text of a conversation, every text we start, and under B every text.
    fn must_introduce(&self, kind: DeliveryKind, introduced: bool) -> bool {
        !introduced || kind.is_started() || self.settings.profile == Profile::FdcpaCollector
    }

    /// R11 for texts we start, and a limit on bursts for all: two machines that answer each other
    /// must not go on for ever.
    fn caps(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) -> Option<(Vec<RuleId>, Stop)> {
        let most = self.started_per_week(request.to);
        if starts(request, standing) && standing.started_last_week >= most {
            return Some((vec!["R11"], Stop::Refuse("rule_refused")));
        }
        if standing.sent_last_hour < self.settings.texts_per_hour
            || request.kind == DeliveryKind::Crisis
        {
            return None;
        }
        let stop = if request.kind.is_fixed() {
            Stop::Refuse("rule_refused")
        } else {
            Stop::Until(now + TimeDelta::hours(1))
        };
        Some((vec!["burst"], stop))
    }

    /// R11: the company's cap, and nowhere more than a state allows.
    fn started_per_week(&self, to: &Phone) -> i64 {
        let national = to.as_str().strip_prefix("+1");
        let code = national.and_then(|rest| rest.get(..3)).unwrap_or_default();
        let own = self.settings.started_per_week;
        if MASSACHUSETTS.contains(&code) {
            own.min(MASSACHUSETTS_PER_WEEK)
        } else {
            own
        }
    }

    /// R7-R10. The answers to STOP, HELP and a call for help go at any hour (R3, R6, R22).
    fn hours(
        &self,
        request: &Request<'_>,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) -> Option<(Vec<RuleId>, Stop)> {
        let hours = &self.settings.hours;
        if request.kind.is_fixed() || !hours.on && standing.quiet.is_empty() {
            return None;
        }
        let address = request.property.map_or(Address::Unknown, Address::Property);
        let to = request.to.as_str();
        let told = hours.within(to, address, standing.quiet, now);
        // Which of the two is to blame: the law's and the company's hours, or the tenant's.
        let ours = hours.within(to, address, &[], now);
        let mut rules = Vec::new();
        if ours != Hours::Open {
            rules.push("R7");
        }
        if ours != told {
            rules.push("R10");
        }
        match told {
            Hours::Open => None,
            Hours::Until(time) => Some((rules, Stop::Until(time))),
            Hours::Never => Some((rules, Stop::Refuse("rule_refused"))),
        }
    }

    /// The rules a permitted text was measured by.
    fn measured_by(&self, request: &Request<'_>, standing: &Standing<'_>) -> Vec<RuleId> {
        let mut rules: Vec<RuleId> = match request.kind {
            DeliveryKind::Confirmation => vec!["R3"],
            DeliveryKind::Help => vec!["R4", "R6"],
            DeliveryKind::Crisis => vec!["R4", "R22"],
            _ => {
                let mut rules = vec![
                    "R4", "R10", "R13", "R14", "R15", "R16", "R18", "R20", "R21", "R22", "R23",
                    "R27", "R30",
                ];
                if self.settings.hours.on {
                    rules.push("R7");
                }
                if starts(request, standing) {
                    rules.extend(["R11", "R31"]);
                }
                rules
            }
        };
        if self.settings.profile == Profile::FdcpaCollector {
            rules.extend(["R28", "R29"]);
        }
        rules.push("burst");
        rules
    }

    fn hash(&self, request: &Request<'_>, standing: &Standing<'_>) -> [u8; 32] {
        let settings = (self.settings.profile.as_str(), self.settings.hours.on);
        // Only strings, numbers and lists: there is nothing in it that could not be written.
        let inputs = serde_json::to_vec(&(request, standing, settings)).unwrap_or_default();
        Sha256::digest(inputs).into()
    }
}

/// Whether a text answers nothing: by its kind, or because nobody wrote. A stage that calls its text a
/// reply to a conversation without a text from the tenant is not believed.
fn starts(request: &Request<'_>, standing: &Standing<'_>) -> bool {
    request.kind.is_started() || !request.kind.is_fixed() && standing.last_inbound_at.is_none()
}

/// What a person has to lift first. A call for help is answered whatever holds the tenant: the
/// fixed reply is no collection (§12.14).
fn holds(request: &Request<'_>, standing: &Standing<'_>) -> Option<(Vec<RuleId>, Stop)> {
    if standing.holds.is_empty() || request.kind == DeliveryKind::Crisis {
        return None;
    }
    let rules = standing.holds.iter().map(|kind| kind.rule()).collect();
    Some((rules, Stop::Refuse("on_hold")))
}
