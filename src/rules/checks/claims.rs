//! Claims: payments received, balances cleared, records changed. The service knows of none.

use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::reading::plain_words;

const NAME: &str = "claims";

/// What a sentence about opening hours needs besides days and times.
const GENERIC: &[&str] = &[
    "we",
    "were",
    "are",
    "is",
    "open",
    "our",
    "office",
    "hours",
    "the",
    "from",
    "to",
    "until",
    "de",
    "a",
    "los",
    "hasta",
    "abierto",
    "abierta",
    "abiertos",
    "atendemos",
    "horario",
    "es",
    "estamos",
    "las",
    "lunes",
    "viernes",
    "monday",
    "friday",
    "business",
    "available",
    "abrimos",
    "abre",
    "cierra",
    "cerramos",
    "oficina",
    "la",
    "and",
    "y",
    "at",
    "on",
    "in",
    "between",
    "through",
    "en",
    "hours",
    "closes",
    "closed",
    "cerrado",
    "cierran",
    "el",
    "atienden",
    "martes",
    "miercoles",
    "jueves",
    "sabado",
    "domingo",
    "tuesday",
    "wednesday",
    "thursday",
    "saturday",
    "sunday",
    "y",
    "o",
    "or",
    "take",
    "takes",
    "abren",
];

/// Words for an address or hours that name none.
const NAMELESS: &[&str] = &[
    "the",
    "a",
    "an",
    "our",
    "mailing",
    "address",
    "office",
    "hours",
    "exact",
    "la",
    "una",
    "direccion",
    "postal",
    "de",
    "el",
    "horario",
    "oficina",
];

/// "A person will have to give you the address"
fn leaves_to_person(draft: &Draft<'_>, phrase: &crate::reading::statements::Phrase) -> bool {
    let sentence = draft.said.sentences.get(phrase.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "person"
                | "someone"
                | "team"
                | "manager"
                | "colleague"
                | "persona"
                | "alguien"
                | "equipo"
        )
    })
}

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    // That money came, or that somebody looked, is said as it is and never excused.
    let claim = draft
        .said
        .named("claims")
        .find(|p| matches!(p.reason, "arrived" | "looked") || !draft.excuses(&p.span, grounds));
    if let Some(claim) = claim {
        let why = "says that something was paid, cleared, changed or sent";
        return Finding::failed(NAME, UNGROUNDED, claim.reason, why);
    }
    let company = grounds
        .settings
        .company_facts
        .as_deref()
        .unwrap_or_default();
    let name = grounds.settings.company_name.as_deref().unwrap_or_default();
    let company = plain_words(&format!("{company} {name}")).join(" ");
    let own: Vec<String> = grounds
        .texts
        .iter()
        .map(|t| plain_words(t).join(" "))
        .collect();
    let invented = draft.said.named("hours").find(|p| {
        let words = plain_words(draft.words(&p.span)).join(" ");
        // "Cash is fine" to "do you take cash?" says more than was asked.
        let grants = draft.said.sentences.get(p.sentence).is_some_and(|s| {
            plain_words(draft.words(s)).iter().any(|w| {
                matches!(
                    w.as_str(),
                    "fine"
                        | "ok"
                        | "okay"
                        | "yes"
                        | "accept"
                        | "accepted"
                        | "take"
                        | "bring"
                        | "works"
                        | "leave"
                        | "mail"
                        | "good"
                        | "perfect"
                        | "si"
                        | "bien"
                        | "aceptamos"
                        | "traiga"
                        | "claro"
                        | "sure"
                )
            })
        });
        let bare = plain_words(draft.words(&p.span))
            .iter()
            .all(|w| NAMELESS.contains(&w.as_str()));
        if bare && (super::refusal::is_refused(draft, &p.span) || leaves_to_person(draft, p)) {
            return false;
        }
        let refused = super::refusal::is_refused(draft, &p.span)
            || draft.reply.to_lowercase().contains("not sure");
        let named = (!grants || refused)
            && !grounds.gives_orders
            && own.iter().any(|t| t.contains(words.trim_end_matches('s')));
        // "Elm Street Flats" is the property's own name.
        let tokens = plain_words(draft.words(&p.span));
        let property = grounds
            .tenant
            .and_then(|t| t.property_name.as_deref())
            .map(plain_words);
        let own_name = property.is_some_and(|name| tokens.iter().any(|t| name.contains(t)));
        // Days and hours are compared by their own checks.
        let figure =
            |w: &String| w.chars().any(|c| c.is_ascii_digit()) || matches!(w.as_str(), "am" | "pm");
        let open = tokens.iter().all(|w| {
            let weekdays = matches!(w.as_str(), "weekdays" | "weekday" | "weekly" | "business")
                && (company.contains("monday") || company.contains("lunes"));
            figure(w)
                || weekdays
                || company
                    .split(' ')
                    .any(|c| c == w || c.strip_suffix('s') == Some(w.as_str()))
                || GENERIC.contains(&w.as_str())
        });
        let states = [" am", " pm", " a ", "open", "hours", "horario", "abiert"]
            .iter()
            .any(|word| company.contains(word))
            || company.chars().any(|c| c.is_ascii_digit());
        !(company.contains(words.trim_end_matches('s')) || named || own_name || open && states)
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
