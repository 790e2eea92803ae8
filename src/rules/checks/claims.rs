//! Claims: payments received, balances cleared, records changed. The service knows of none.

use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::plain_words;

const NAME: &str = "claims";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if let Some(claim) = draft.said.named("claims").next() {
        let why = "says that something was paid, cleared, changed or sent";
        return Finding::failed(NAME, UNGROUNDED, claim.reason, why);
    }
    let company = grounds
        .settings
        .company_facts
        .as_deref()
        .unwrap_or_default();
    let company = plain_words(company).join(" ");
    let own: Vec<String> = grounds
        .texts
        .iter()
        .map(|t| plain_words(t).join(" "))
        .collect();
    let invented = draft.said.named("hours").find(|p| {
        let words = plain_words(draft.words(&p.span)).join(" ");
        let named = !grounds.gives_orders && own.iter().any(|t| t.contains(&words));
        // "Elm Street Flats" is the property's own name.
        let tokens = plain_words(draft.words(&p.span));
        let property = grounds
            .tenant
            .and_then(|t| t.property_name.as_deref())
            .map(plain_words);
        let own_name = property.is_some_and(|name| tokens.iter().any(|t| name.contains(t)));
        !company.contains(&words) && !named && !own_name
    });
    match invented {
        Some(_) => Finding::failed(
            NAME,
            UNGROUNDED,
            "company",
            "hours, an address or a way to pay that nobody gave",
        ),
        None => Finding::passed(NAME),
    }
}
