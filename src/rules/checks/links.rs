//! Links and addresses of the net (rules R30): only those the company allows.

use super::{Draft, FORBIDDEN, Finding, Grounds};
use crate::reading::plain_words;

const NAME: &str = "links";

/// Endings that make a dotted word an address. Longer lists catch more typing slips than links.
const ENDINGS: &[&str] = &[
    "com",
    "net",
    "org",
    "io",
    "ly",
    "co",
    "us",
    "app",
    "gov",
    "edu",
    "info",
    "biz",
    "me",
    "link",
    "site",
    "xyz",
    "page",
    "online",
    "rent",
    "house",
    "gl",
    "to",
    "cc",
    "tv",
    "gd",
    "mx",
    "dev",
    "ai",
    "live",
    "pro",
    "store",
    "club",
    "top",
    "pay",
    "homes",
    "apartments",
];

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let company = grounds
        .settings
        .company_facts
        .as_deref()
        .unwrap_or_default()
        .to_lowercase();
    let mut grounded = 0;
    for link in links(draft.reply) {
        let own = !company.is_empty() && company.contains(&link) && !link.starts_with("http://");
        if !own {
            return Finding::failed(NAME, FORBIDDEN, "link", "a link that is not the company's");
        }
        grounded += 1;
    }
    let words = plain_words(draft.reply);
    let points = [
        "link", "links", "url", "click", "enlace", "enlaces", "clic", "website", "qr",
    ];
    if grounded == 0 && words.iter().any(|w| points.contains(&w.as_str())) && company.is_empty() {
        return Finding::failed(
            NAME,
            super::UNGROUNDED,
            "pointer",
            "speaks of a link that is not there",
        );
    }
    Finding::passed(NAME)
}

/// Words that are addresses: with a scheme, `www.`, an at sign inside, or a known ending.
pub(super) fn links(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '"' | '[' | ']'))
        .map(|word| {
            word.trim_matches(|c: char| matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | '¿' | '¡'))
        })
        .filter(|word| is_link(word))
        .map(str::to_owned)
        .collect()
}

fn is_link(word: &str) -> bool {
    if word.contains("://") || word.starts_with("www.") || word.contains("hxxp") {
        return true;
    }
    let at = word
        .find('@')
        .is_some_and(|at| at > 0 && at + 1 < word.len());
    let host = word.split(['/', '?', '#']).next().unwrap_or_default();
    let dotted = host.rsplit_once('.').is_some_and(|(name, ending)| {
        !name.is_empty()
            && ENDINGS.contains(&ending)
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'))
    });
    at || dotted
}
