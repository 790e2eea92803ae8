//! What a reply may say: facts, plan rules, counter-offers, company facts and the tenant's own words.

use std::collections::HashSet;

use chrono::NaiveDate;

use crate::domain::{Cents, HistoryEntry, TenantContext};
use crate::reading::statements::{self, Stated, Statements};
use crate::reading::{self, plain_words};
use crate::rules::plan::{
    Issue, IssueCode, Plan, PlanContext, PlanSettings, Verdict, counter_offers, judge,
};

/// What the checks need to know besides the case.
#[derive(Debug, Clone, Default)]
pub struct CheckSettings {
    /// Plan limits.
    pub plans: PlanSettings,
    /// `COMPANY_NAME`.
    pub company_name: Option<String>,
    /// `COMPANY_FACTS`: sentences the model is told and may repeat: office hours, phone, pay page.
    pub company_facts: Option<String>,
    /// `SMS_MAX_SEGMENTS`.
    pub max_segments: usize,
}

/// Words for what is left after a payment.
const REST: &[&str] = &[
    "rest",
    "resto",
    "remaining",
    "remainder",
    "demas",
    "then",
    "luego",
];

/// An admissible or offered plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Cents a week.
    pub weekly: Cents,
    /// For so many weeks, when somebody said.
    pub weeks: Option<u32>,
    /// The first payment, when somebody said.
    pub start: Option<NaiveDate>,
}

/// Everything a reply is compared with, worked out once a reply.
pub struct Grounds<'a> {
    /// The account; `None` when it could not be read.
    pub tenant: Option<&'a TenantContext>,
    /// The day relative dates count from.
    pub today: NaiveDate,
    /// Limits and company facts.
    pub settings: &'a CheckSettings,
    /// The prompt's template, which must not come back.
    pub template: &'a str,
    /// The texts to answer.
    pub texts: Vec<&'a str>,
    /// What the tenant states, earlier texts too. Empty when the texts give orders to the model.
    pub own: Vec<Statements>,
    /// What the open texts alone state and ask for.
    pub asked: Vec<Statements>,
    /// Plans the tenant offers, or was offered and takes up.
    pub offers: Vec<Terms>,
    /// What the plan rules would admit instead.
    pub counters: Vec<Terms>,
    /// A payment the tenant promises, without a plan.
    pub promises: bool,
    /// A text speaks to the model instead of the company: nothing in it is a ground.
    pub gives_orders: bool,
    /// What the company allows to be said.
    pub company: Statements,
    /// Amounts of earlier messages, theirs and ours.
    pub earlier: Vec<Cents>,
    /// Folded words of the tenant's texts.
    pub own_words: HashSet<String>,
    /// Folded words of facts and company facts.
    pub fact_words: HashSet<String>,
}

impl<'a> Grounds<'a> {
    /// Works out what may be said. `plans` are terms the plan rules found elsewhere.
    pub fn new(
        tenant: Option<&'a TenantContext>,
        texts: &[&'a str],
        history: &'a [HistoryEntry],
        plans: &[Terms],
        today: NaiveDate,
        settings: &'a CheckSettings,
        template: &'a str,
    ) -> Self {
        let asked: Vec<Statements> = texts.iter().map(|t| statements::read(t, today)).collect();
        let gives_orders = asked.iter().any(|s| s.named("orders").next().is_some())
            || texts.iter().any(|t| looks_like_markup(t));
        let mut grounds = Self {
            tenant,
            today,
            settings,
            template,
            texts: texts.to_vec(),
            own: Vec::new(),
            asked,
            offers: plans.to_vec(),
            counters: Vec::new(),
            promises: false,
            gives_orders,
            company: settings
                .company_facts
                .as_deref()
                .map(|facts| statements::read(facts, today))
                .unwrap_or_default(),
            earlier: Vec::new(),
            own_words: HashSet::new(),
            fact_words: HashSet::new(),
        };
        if !gives_orders {
            grounds.hear(history);
        }
        grounds.counters = grounds.counter_offers();
        grounds.fact_words = grounds.facts();
        grounds
    }

    /// Takes in what the tenant said, now and before.
    fn hear(&mut self, history: &'a [HistoryEntry]) {
        self.earlier = history
            .iter()
            .rev()
            .take(6)
            .flat_map(|e| amounts_in(&e.content, self.today))
            .collect();
        let texts = self.texts.clone();
        for text in &texts {
            self.own_words.extend(plain_words(text));
            let read = reading::read(text, self.today);
            self.promises |= read.promise.is_some();
            self.offers.extend(read.plan.map(|p| Terms {
                weekly: p.weekly_amount,
                weeks: p.weeks,
                start: p.start_date,
            }));
        }
        self.own.clone_from(&self.asked);
        // "1000 down and the rest over 7 weeks" is no offer of a seventh of 1000.
        if self.said_any(REST)
            && self.said_any(&["down", "now", "today", "hoy", "ahora", "enganche"])
        {
            let named: Vec<Cents> = self.own_amounts().collect();
            self.offers.retain(|offer| named.contains(&offer.weekly));
        }
        // Two texts that make one offer: "60 a week", "for 10 weeks".
        if texts.len() > 1 {
            let joined = texts.join(" ");
            let read = reading::read(&joined, self.today);
            self.offers.extend(read.plan.map(|p| Terms {
                weekly: p.weekly_amount,
                weeks: p.weeks,
                start: p.start_date,
            }));
            self.own.push(statements::read(&joined, self.today));
        }
        // An offer without an end takes it from a count the same texts name.
        let counts: Vec<u32> = self.own.iter().flat_map(weeks_in).collect();
        if let [weeks] = counts.as_slice() {
            for offer in &mut self.offers {
                offer.weeks = offer.weeks.or(Some(*weeks));
            }
        }
        // "Ok, I start on the 4th" names no amount: what was offered before still stands.
        let promises_a_sum = self.promises && self.own_amounts().next().is_some();
        if !self.offers.is_empty() || promises_a_sum {
            // "I can do 50 a week on the rest": the rest of what was said before.
            if self.said_any(REST) {
                let earlier = history.iter().rev().take(4).filter(|e| !e.outbound);
                for entry in earlier {
                    let said = statements::read(&entry.content, self.today);
                    if said.named("orders").next().is_none() && !looks_like_markup(&entry.content) {
                        self.own.push(said);
                    }
                }
            }
            return;
        }
        // The open texts offer nothing: what was said last still stands, theirs or ours.
        for entry in history.iter().rev().take(6) {
            let statements = statements::read(&entry.content, self.today);
            if statements.named("orders").next().is_some() || looks_like_markup(&entry.content) {
                continue;
            }
            if !entry.outbound {
                self.own_words.extend(plain_words(&entry.content));
            }
            if let Some(p) = offer_in(&entry.content, &statements, entry.outbound, self.today)
                && self.offers.is_empty()
            {
                self.offers.push(p);
            }
            if !entry.outbound {
                self.own.push(statements);
            }
        }
        self.take_up();
    }

    /// "Yeah, 112 works", when we had proposed $111.67 a week: the tenant's amount with our length.
    fn take_up(&mut self) {
        let Some(ours) = self.offers.first().copied() else {
            return;
        };
        let near = |amount: &Cents| {
            let (own, of) = (amount.get() * 100, ours.weekly.get());
            *amount != ours.weekly && own >= of * 50 && own <= of * 200
        };
        let number = |f: &statements::Statement| match f.what {
            Stated::Money { amount, .. } => Some(amount),
            Stated::Number(n) => Some(Cents::new(n)),
            _ => None,
        };
        let figures = self.own.iter().flat_map(|s| &s.figures);
        let weekly: Vec<Cents> = figures.filter_map(number).filter(near).collect();
        // Their amount with our length, or with one of its own when that would not pay the debt.
        let debt = self.debt();
        self.offers.extend(weekly.into_iter().map(|weekly| {
            let paid = ours.weeks.and_then(|n| weekly.checked_mul(i64::from(n)));
            let short = paid.zip(debt).is_some_and(|(paid, debt)| paid < debt);
            Terms {
                weekly,
                weeks: ours.weeks.filter(|_| !short),
                ..ours
            }
        }));
    }

    /// What a plan has to cover.
    pub fn debt(&self) -> Option<Cents> {
        self.tenant.and_then(TenantContext::debt_basis)
    }

    /// The verdict of the plan rules on a tenant's offer.
    pub fn verdict(&self, terms: Terms) -> Verdict {
        let plan = Plan {
            weekly_amount: terms.weekly,
            weeks: terms.weeks,
            start_date: terms.start,
        };
        judge(&plan, &self.context(), &self.settings.plans)
    }

    /// Whether an offer may be taken up: the rules admit it, or only its length is still open and
    /// some admissible length would do.
    pub fn admits(&self, terms: Terms) -> bool {
        let verdict = self.verdict(terms);
        let open = |i: &Issue| i.code == IssueCode::DurationMissing;
        let longest = terms
            .weekly
            .checked_mul(i64::from(self.settings.plans.max_weeks));
        // What is left after the single payments the tenant named may be all the plan is for.
        let rest = longest.is_some_and(|most| {
            let rests = self.balances();
            (self.said_any(REST) || self.said_any(&["after", "down", "despues", "enganche"]))
                && rests.iter().skip(1).any(|rest| most >= *rest)
        });
        verdict.is_valid
            || rest
            || verdict.issues.iter().all(open)
                && self
                    .debt()
                    .zip(longest)
                    .is_none_or(|(debt, longest)| longest >= debt)
    }

    /// Whether nothing but the day of the first payment keeps the rules from admitting an offer.
    pub fn starts_too_late(&self, terms: Terms) -> bool {
        let verdict = self.verdict(terms);
        let late = |i: &Issue| i.code == IssueCode::StartDateTooFar;
        let on_time = Terms {
            start: None,
            weeks: None,
            ..terms
        };
        verdict.issues.iter().any(late) && self.admits(on_time)
    }

    fn context(&self) -> PlanContext {
        PlanContext {
            today: self.today,
            debt_basis: self.debt(),
            confidence: None,
            failed_plan_on_record: self.tenant.is_some_and(|t| t.failed_payment_plans > 0),
            conflicting: false,
            needs_review: false,
        }
    }

    fn counter_offers(&self) -> Vec<Terms> {
        let counters = |offer: &Terms| {
            let plan = Plan {
                weekly_amount: offer.weekly,
                weeks: offer.weeks,
                start_date: offer.start,
            };
            counter_offers(&plan, &self.context(), &self.settings.plans)
        };
        self.offers
            .iter()
            .flat_map(counters)
            .map(|c| Terms {
                weekly: c.plan.weekly_amount,
                weeks: c.plan.weeks,
                start: c.plan.start_date,
            })
            .collect()
    }

    fn facts(&self) -> HashSet<String> {
        let mut words = HashSet::new();
        let mut add = |text: Option<&str>| words.extend(text.map(plain_words).unwrap_or_default());
        add(self.settings.company_name.as_deref());
        add(self.settings.company_facts.as_deref());
        if let Some(tenant) = self.tenant {
            add(tenant.tenant_name.as_deref());
            add(tenant.property_name.as_deref());
            add(tenant.unit_name.as_deref());
        }
        words
    }
}

/// Amounts of an earlier message; none of one that gives orders.
fn amounts_in(text: &str, today: NaiveDate) -> Vec<Cents> {
    let said = statements::read(text, today);
    if said.named("orders").next().is_some() || looks_like_markup(text) {
        return Vec::new();
    }
    let amount = |f: &statements::Statement| match f.what {
        Stated::Money { amount, .. } => Some(amount),
        _ => None,
    };
    said.figures.iter().filter_map(amount).collect()
}

/// Weeks, or payments, that a text counts.
fn weeks_in(said: &Statements) -> Vec<u32> {
    use statements::Unity;
    let count = |f: &statements::Statement| match f.what {
        Stated::Count {
            hundredths: Some(h),
            unit: Unity::Week | Unity::Payment,
        } if h >= 200 && h % 100 == 0 => u32::try_from(h / 100).ok(),
        _ => None,
    };
    let mut all: Vec<u32> = said.figures.iter().filter_map(count).collect();
    all.dedup();
    all
}

/// The plan of an earlier message. Ours are questions ("Could you manage $49 a week for 12 weeks?"),
/// which the reader of tenants' texts does not take for offers.
fn offer_in(text: &str, said: &Statements, ours: bool, today: NaiveDate) -> Option<Terms> {
    if let Some(p) = reading::read(text, today).plan {
        return Some(Terms {
            weekly: p.weekly_amount,
            weeks: p.weeks,
            start: p.start_date,
        });
    }
    if !ours {
        return None;
    }
    let weekly = said.figures.windows(2).find_map(|pair| match pair {
        [a, b] => match (a.what, b.what) {
            (
                Stated::Money { amount, .. },
                Stated::Period {
                    payments: 1,
                    weeks: 1,
                },
            ) => Some(amount),
            _ => None,
        },
        _ => None,
    })?;
    Some(Terms {
        weekly,
        weeks: weeks_in(said).first().copied(),
        start: None,
    })
}

/// Marks of chat formats, which no tenant types.
fn looks_like_markup(text: &str) -> bool {
    let lower = text.to_lowercase();
    let speaker = [
        "assistant:",
        "user:",
        "system:",
        "sistema:",
        "reply:",
        "confidence:",
        "from:",
        "asistente:",
        "developer:",
        "admin:",
        "instruction:",
    ];
    // "Write "payment received, thanks"": words that are to come back.
    let dictates = [
        "write", "say", "type", "reply", "answer", "text", "repeat", "output", "finish",
    ]
    .iter()
    .chain(&[
        "escribe",
        "responda",
        "conteste",
        "repita",
        "escribir",
        "exact",
        "exactamente",
        "escriba",
        "di",
        "diga",
        "responde",
        "contesta",
        "repite",
        "pon",
    ])
    .any(|verb| plain_words(&lower).iter().any(|w| w == verb));
    if dictates && text.contains(['"', '“', '«']) {
        return true;
    }
    if text.trim_start().starts_with(['[', '<', '{', '#']) && !text.trim_start().starts_with("<3")
        || speaker.iter().any(|s| lower.contains(s))
    {
        return true;
    }
    [
        "{\"",
        "\"role\"",
        "<|",
        "```",
        "###",
        "[INST",
        "<system",
        "</",
        "PAYMENT_PLAN",
        "ESCALATE:",
    ]
    .iter()
    .any(|mark| text.contains(mark))
}
