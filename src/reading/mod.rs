//! What a text says: keywords, triggers, offers. Pure: no I/O, no clock, no model.

use crate::domain::{EscalationType, PlanOffer};

/// What was found in one text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The sender does not want texts.
    pub opt_out: Option<OptOut>,
    /// What belongs to a person.
    pub triggers: Vec<EscalationType>,
    /// Recurring payments the sender offers.
    pub plan: Option<PlanOffer>,
}

/// How an opt-out was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// A keyword that carriers know, alone.
    Keyword,
    /// In the sender's own words.
    Wording,
}

const STOP: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "revoke",
    "optout",
    "opt out",
    "alto",
    "parar",
    "cancelar",
    "arret",
    "td",
    "remove",
];

const WORDING: &[&str] = &[
    "stop texting",
    "stop messaging",
    "stop contacting",
    "leave me alone",
    "take me off your list",
    "do not contact me",
    "no me escriban",
];

const TRIGGERS: &[(EscalationType, &[&str])] = &[
    (
        EscalationType::SelfHarm,
        &[
            "kill myself",
            "end my life",
            "suicide",
            "want to die",
            "matarme",
            "suicidarme",
        ],
    ),
    (
        EscalationType::AttorneyRepresented,
        &[
            "my attorney",
            "my lawyer is",
            "i have a lawyer",
            "i have an attorney",
            "tengo abogado",
        ],
    ),
    (
        EscalationType::LegalThreat,
        &["sue you", "see you in court", "demandar"],
    ),
    (
        EscalationType::Bankruptcy,
        &["bankruptcy", "chapter 7", "chapter 13", "bancarrota"],
    ),
    (
        EscalationType::HostileLanguage,
        &[
            "crooks", "fuck you", "f you", "scammers", "thieves", "slumlord", "ladrones",
        ],
    ),
    (
        EscalationType::PaymentDispute,
        &[
            "i don't owe",
            "i dont owe",
            "already paid",
            "wrong amount",
            "not my balance",
            "no debo",
        ],
    ),
    (
        EscalationType::WrongNumber,
        &["wrong number", "wrong person", "numero equivocado"],
    ),
    (
        EscalationType::SupervisorRequest,
        &["your manager", "a manager", "supervisor", "su gerente"],
    ),
    (
        EscalationType::MediaOrRegulatorThreat,
        &["channel 7", "the news", "better business bureau", "cfpb"],
    ),
    (
        EscalationType::Hardship,
        &["lost my job", "hospital", "perdi mi trabajo"],
    ),
];

/// Reads one text.
pub fn read(text: &str) -> Reading {
    let words: Vec<String> = text
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let flat = format!(" {} ", words.join(" "));
    let says = |phrase: &&str| flat.contains(&format!(" {phrase} "));
    let opt_out = if STOP.contains(&flat.trim()) {
        Some(OptOut::Keyword)
    } else if WORDING.iter().any(says) {
        Some(OptOut::Wording)
    } else {
        None
    };
    let triggers = TRIGGERS
        .iter()
        .filter(|(_, phrases)| phrases.iter().any(says))
        .map(|(trigger, _)| *trigger)
        .collect();
    Reading {
        opt_out,
        triggers,
        plan: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_alone_stops_and_inside_a_sentence_does_not() {
        assert_eq!(read(" Stop! ").opt_out, Some(OptOut::Keyword));
        assert_eq!(
            read("please stop texting me").opt_out,
            Some(OptOut::Wording)
        );
        assert_eq!(read("I can't stop by today").opt_out, None);
        assert_eq!(read("can you cancel my appointment").opt_out, None);
    }

    #[test]
    fn triggers_match_whole_words() {
        assert_eq!(
            read("I will sue you").triggers,
            [EscalationType::LegalThreat]
        );
        assert_eq!(
            read("there is an issue with the courtesy desk").triggers,
            []
        );
    }
}
