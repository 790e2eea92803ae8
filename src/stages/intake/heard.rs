//! What matters about a text at once, out of everything the reader finds in it.

use crate::domain::{EscalationType, HoldKind, Language, PlanOffer};
use crate::reading::{Keyword, Reading, Trigger};
use crate::rules::content;

/// What acts in the moment a text arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The sender does not want texts.
    pub opt_out: Option<OptOut>,
    /// The sender wants to be left alone altogether, or refuses to pay (`rules.md` R16).
    pub cease: bool,
    /// The text is HELP or START and nothing else.
    pub keyword: Option<Asked>,
    /// What the sender writes in, as far as we have words of our own in it.
    pub language: Language,
    /// What the text contains, in the contract's order.
    pub triggers: Vec<EscalationType>,
    /// Recurring payments the sender offers.
    pub plan: Option<PlanOffer>,
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
            || self.keyword == Some(Asked::Start)
            || self.holds().next().is_some()
    }

    /// The holds that the text's triggers cause.
    pub fn holds(&self) -> impl Iterator<Item = (HoldKind, EscalationType)> + '_ {
        let causes =
            |trigger: &EscalationType| HoldKind::caused_by(*trigger).map(|h| (h, *trigger));
        self.triggers.iter().filter_map(causes)
    }

    /// Picks it out of a reading.
    pub fn in_text(text: &str, reading: &Reading) -> Self {
        let opt_out = match reading.keyword {
            Some(Keyword::Stop) => Some(OptOut::Keyword),
            _ if reading.has(Trigger::OptOut) => Some(OptOut::Wording),
            _ => None,
        };
        let names = reading.triggers.iter().map(|hit| hit.trigger.as_str());
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
