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
        let own = links(&company).iter().any(|c| is_same(&link, c)) && !link.starts_with("http://");
        if !own {
            return Finding::failed(NAME, FORBIDDEN, "link", "a link that is not the company's");
        }
        grounded += 1;
    }
    let words = plain_words(draft.reply);
    let points = [
        "link", "links", "url", "click", "enlace", "enlaces", "clic", "website", "qr",
    ];
    let refused = |w: &str| {
        let lower = draft.reply.to_lowercase();
        lower
            .find(w)
            .is_some_and(|at| super::refusal::is_refused(draft, &(at..at + w.len())))
    };
    if grounded == 0
        && words
            .iter()
            .any(|w| points.contains(&w.as_str()) && !refused(w))
        && company.is_empty()
    {
        return Finding::failed(
            NAME,
            super::UNGROUNDED,
            "pointer",
            "speaks of a link that is not there",
        );
    }
    Finding::passed(NAME)
}

/// The whole address, or its host alone. A beginning is not enough: `pay.example.co` is no
/// `pay.example.com`.
fn is_same(link: &str, own: &str) -> bool {
    let bare = |link: &str| {
        let link = link.strip_prefix("https://").unwrap_or(link);
        let link = link.strip_prefix("www.").unwrap_or(link);
        link.trim_end_matches('/').to_owned()
    };
    let (link, own) = (bare(link), bare(own));
    link == own || own.split('/').next() == Some(link.as_str())
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
