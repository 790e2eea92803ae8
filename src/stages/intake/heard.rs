//! What matters about a text at once, out of everything the reader finds in it.

use crate::domain::{EscalationType, HoldKind, Language, PlanOffer, Quiet};
use crate::reading::{self, Keyword, Reading, Trigger, TriggerHit};
use crate::rules::content;

/// What acts in the moment a text arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The sender does not want texts.
    pub opt_out: Option<OptOut>,
    /// The sender wants to be left alone altogether, or refuses to pay (`rules.md` R16).
    pub cease: bool,
    /// Perhaps the sender does not want texts (`rules.md` R2).
    pub doubt: bool,
    /// The code of a matter that no machine answers (`rules.md` R23, R24).
    pub matter: Option<&'static str>,
    /// When the sender does not want texts (`rules.md` R10).
    pub times: Option<Times>,
    /// The text is HELP or START and nothing else.
    pub keyword: Option<Asked>,
    /// What the sender writes in, as far as we have words of our own in it.
    pub language: Language,
    /// What the text contains, in the contract's order.
    pub triggers: Vec<EscalationType>,
    /// Recurring payments the sender offers.
    pub plan: Option<PlanOffer>,
}

/// When the sender does not want texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Not then.
    pub quiet: Vec<Quiet>,
    /// A person has to ask.
    pub unclear: bool,
}

/// How an opt-out was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// A keyword that carriers know, alone.
    Keyword,
    /// In the sender's own words: that wants a person's eyes too.
    Wording,
}

/// A keyword that is answered, or acted upon, without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// HELP, INFO, AYUDA.
    Help,
    /// START, UNSTOP.
    Start,
}

/// More than an opt-out from texts: an end of all contact, and a refusal of the debt.
const CEASE: &[&str] = &[
    "leave me alone",
    "leave us alone",
    "leave my family alone",
    "let me be",
    "do not contact me",
    "dont contact me",
    "never contact me",
    "stop contacting me",
    "stop harassing me",
    "cease and desist",
    "cease all contact",
    "cease communication",
    "i refuse to pay",
    "im not paying",
    "i am not paying you",
    "i will not pay",
    "i wont pay",
    "dejame en paz",
    "dejenme en paz",
    "deje me en paz",
    "no me contacten",
    "no me contacte",
    "no me molesten",
    "me niego a pagar",
    "no voy a pagar",
    "me deixa em paz",
    "me deixe em paz",
    "me deixem em paz",
    "nao me contate",
    "nao entre em contato",
    "me recuso a pagar",
    "nao vou pagar",
];

/// What makes a refusal something else: a condition, a day, an amount.
const NO_REFUSAL: &[&str] = &[
    "until",
    "till",
    "unless",
    "today",
    "tomorrow",
    "this week",
    "on time",
    "late",
    "before",
    "all",
    "more than",
    "that much",
    "hasta",
    "hoy",
    "manana",
    "esta semana",
    "tanto",
    "todo",
    "ate",
    "hoje",
    "amanha",
    "tudo",
];

impl Heard {
    /// Whether the number's row has to be locked to be changed.
    pub fn changes_what_may_be_texted(&self) -> bool {
        self.opt_out.is_some()
            || self.cease
            || self.doubt
            || self.times.is_some()
            || self.keyword == Some(Asked::Start)
            || self.holds().next().is_some()
    }

    /// The holds that the text's triggers cause.
    pub fn holds(&self) -> impl Iterator<Item = (HoldKind, EscalationType)> + '_ {
        let causes =
            |trigger: &EscalationType| HoldKind::caused_by(*trigger).map(|h| (h, *trigger));
        let crisis = self
            .is_crisis()
            .then_some((HoldKind::Crisis, EscalationType::Manual));
        self.triggers.iter().filter_map(causes).chain(crisis)
    }

    /// Violence at home, a death, a minor and their like hold the tenant; repairs are answered by a
    /// person and hold nothing.
    fn is_crisis(&self) -> bool {
        self.matter
            .is_some_and(|code| !matches!(code, "habitability" | "withholding"))
    }

    /// Picks it out of a reading.
    pub fn in_text(text: &str, reading: &Reading) -> Self {
        let hours = reading::contact_times(text).filter(|_| reading.keyword.is_none());
        let asked = |hit: &&TriggerHit| hit.trigger == Trigger::OptOut;
        let wording = reading.triggers.iter().find(asked);
        // "Stop texting me while I work" ends the texts of those hours and no others. Where the hours
        // cannot be told at all, the opt-out stands.
        let only_then = wording.zip(hours.as_ref()).is_some_and(|(hit, hours)| {
            let same = hit.span.start < hours.span.end && hours.span.start < hit.span.end;
            same && !hours.quiet.is_empty()
        });
        let opt_out = match reading.keyword {
            Some(Keyword::Stop) => Some(OptOut::Keyword),
            _ if wording.is_some() && !only_then => Some(OptOut::Wording),
            _ => None,
        };
        let names = reading
            .triggers
            .iter()
            .filter(|hit| !(only_then && hit.trigger == Trigger::OptOut))
            .map(|hit| hit.trigger.as_str());
        let mut triggers: Vec<_> = names.filter_map(EscalationType::parse).collect();
        triggers.sort_unstable();
        let plan = reading.plan.as_ref().map(|offer| PlanOffer {
            weekly_amount: offer.weekly_amount,
            weeks: offer.weeks,
            start_date: offer.start_date,
            // The rules know weekly payments only; what a down payment changes a person decides.
            needs_review: offer.needs_review || offer.down_payment.is_some(),
        });
        let said = |phrases: &[&str]| content::says_any(text, phrases);
        let offers = reading.plan.is_some() || reading.promise.is_some();
        Self {
            cease: said(CEASE) && (opt_out.is_some() || !(offers || said(NO_REFUSAL))),
            keyword: match reading.keyword {
                Some(Keyword::Help) => Some(Asked::Help),
                Some(Keyword::Start) => Some(Asked::Start),
                Some(Keyword::Stop) | None => None,
            },
            language: Language::parse(reading.language.code).unwrap_or_default(),
            doubt: opt_out.is_none()
                && reading.keyword.is_none()
                && hours.is_none()
                && reading::may_be_opt_out(text),
            matter: reading::sensitive_matter(text).filter(|_| reading.keyword.is_none()),
            times: hours.map(|hours| Times {
                quiet: hours.quiet,
                unclear: hours.unclear,
            }),
            opt_out,
            triggers,
            plan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Heard {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day");
        Heard::in_text(text, &crate::reading::read(text, day))
    }

    #[test]
    fn every_trigger_of_the_reader_is_a_type_of_escalation() {
        for trigger in Trigger::ALL {
            assert!(
                EscalationType::parse(trigger.as_str()).is_some(),
                "{}",
                trigger.as_str()
            );
        }
    }

    #[test]
    fn opting_out_is_heard_in_both_ways() {
        assert_eq!(heard(" Stop! ").opt_out, Some(OptOut::Keyword));
        assert_eq!(
            heard("please stop texting me").opt_out,
            Some(OptOut::Wording)
        );
        assert_eq!(heard("I can't stop by today").opt_out, None);
        assert_eq!(heard("can you cancel my appointment").opt_out, None);
    }

    #[test]
    fn a_wish_about_calls_restricts_no_texts() {
        for text in [
            "stop calling me, just text me",
            "please don't call me, text me instead",
            "no me llamen, mejor escríbanme",
            "stop emailing me, texts are fine",
        ] {
            let heard = heard(text);
            assert_eq!(
                (heard.opt_out, heard.cease, heard.doubt),
                (None, false, false),
                "{text}"
            );
            assert_eq!(heard.times, None, "{text}");
        }
    }

    #[test]
    fn an_offer_and_what_belongs_to_a_person_are_heard() {
        let offer = heard("I can do $75 a week for 8 weeks").plan;
        assert_eq!(
            offer.map(|p| (p.weekly_amount.get(), p.weeks)),
            Some((7500, Some(8)))
        );
        assert_eq!(
            heard("I will sue you").triggers,
            [EscalationType::LegalThreat]
        );
        assert_eq!(
            heard("there is an issue with the courtesy desk").triggers,
            []
        );
    }
}
