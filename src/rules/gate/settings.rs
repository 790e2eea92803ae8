//! What the company sets about its texts.

use crate::config::Env;
use crate::rules::contact_hours::ContactHours;

/// Which rules bind us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Rent of our own or of owners whose properties we manage: the rules marked A.
    FirstPartyCreditor,
    /// Debts taken on in default: B as well. Carriers forbid that by text (Twilio 30863).
    FdcpaCollector,
}

impl Profile {
    /// The word in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstPartyCreditor => "first_party_creditor",
            Self::FdcpaCollector => "fdcpa_collector",
        }
    }
}

/// Who confirms an opt-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOutConfirmation {
    /// We do, once.
    Service,
    /// The carrier does.
    Carrier,
}

/// How the company names itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// `COMPANY_NAME`.
    pub name: String,
    /// `COMPANY_CONTACT`: a number or an address for people who want one.
    pub contact: Option<String>,
}

/// The gate's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// `COLLECTION_PROFILE`.
    pub profile: Profile,
    /// Names.
    pub company: Company,
    /// Hours.
    pub hours: ContactHours,
    /// `OPT_OUT_CONFIRMATION`. The carrier by default: the SMS Agent sends through Twilio, which
    /// confirms STOP itself and refuses whatever follows with error 21610.
    pub confirmation: OptOutConfirmation,
    /// `STARTED_TEXTS_PER_WEEK`: texts that answer nothing, per number and rolling seven days.
    pub started_per_week: i64,
    /// `TEXTS_PER_HOUR`: all texts, per number and rolling hour.
    pub texts_per_hour: i64,
    /// `LINK_DOMAINS`: where links in texts may lead.
    pub own_domains: Vec<String>,
}

impl GateSettings {
    /// Reads the gate's variables.
    pub fn read(env: &Env) -> Self {
        let profile = env.one_of(
            "COLLECTION_PROFILE",
            "first_party_creditor",
            &["first_party_creditor", "fdcpa_collector"],
        );
        let confirmation = env.one_of("OPT_OUT_CONFIRMATION", "carrier", &["carrier", "service"]);
        let domains = env.text("LINK_DOMAINS", "");
        let settings = Self {
            profile: match profile.as_str() {
                "fdcpa_collector" => Profile::FdcpaCollector,
                _ => Profile::FirstPartyCreditor,
            },
            company: Company {
                name: env.text("COMPANY_NAME", "Property Management"),
                contact: env.optional("COMPANY_CONTACT"),
            },
            hours: ContactHours::read(env),
            confirmation: match confirmation.as_str() {
                "service" => OptOutConfirmation::Service,
                _ => OptOutConfirmation::Carrier,
            },
            started_per_week: env.number("STARTED_TEXTS_PER_WEEK", 2),
            texts_per_hour: env.number("TEXTS_PER_HOUR", 240),
            own_domains: domains
                .split(',')
                .map(|domain| domain.trim().to_lowercase())
                .filter(|domain| !domain.is_empty())
                .collect(),
        };
        if settings.company.name.chars().count() > 60 {
            env.fault(
                "COMPANY_NAME",
                "must be at most 60 characters: it is part of a text",
            );
        }
        settings
    }
}
