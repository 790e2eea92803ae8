//! What matters about a text at once, out of everything the reader finds in it.

use crate::domain::{EscalationType, PlanOffer};
use crate::reading::{Keyword, Reading, Trigger};

/// What acts in the moment a text arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The sender does not want texts.
    pub opt_out: Option<OptOut>,
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

impl Heard {
    /// Picks it out of a reading.
    pub fn in_text(reading: &Reading) -> Self {
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
        Self {
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
        Heard::in_text(&crate::reading::read(text, day))
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
