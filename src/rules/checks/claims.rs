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

/// Ways to pay and words of opening hours in English and Spanish.
const SAME: &[(&str, &str)] = &[
    ("cash", "efectivo"),
    ("money order", "giro giro postal giros"),
    ("cashiers check", "cheque de caja cheques de caja"),
    ("open", "abierto abierta abiertos horario es de"),
    ("office hours", "horario es de"),
    ("check by mail", "mail a check"),
    ("checks to", "mail a check mail checks"),
    ("checks at", "mail a check mail checks"),
];

/// Whether the company's facts name a way to pay only to say that it is not taken.
fn is_turned_away(company: &str, way: &str) -> bool {
    let english = SAME
        .iter()
        .find(|(_, spanish)| spanish.split(' ').any(|w| w == way))
        .map_or(way, |(english, _)| *english);
    [
        "no",
        "not",
        "not accept",
        "not take",
        "cannot take",
        "cannot accept",
        "dont take",
        "dont accept",
    ]
    .iter()
    .any(|no| company.contains(&format!("{no} {english}")))
        || company.contains(&format!("{english} is not"))
}

fn refuses(draft: &Draft<'_>, span: &std::ops::Range<usize>) -> bool {
    let before = plain_words(draft.reply.get(..span.start).unwrap_or_default());
    let after = plain_words(draft.reply.get(span.end..).unwrap_or_default());
    let no = |w: &String| {
        matches!(
            w.as_str(),
            "no" | "not" | "ni" | "nor" | "cant" | "cannot" | "dont" | "doesnt" | "isnt" | "sin"
        )
    };
    super::refusal::is_refused(draft, span)
        || before.iter().rev().take(3).any(no)
        || after.iter().take(3).any(no)
}

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
    let mut company = plain_words(&format!("{company} {name}")).join(" ");
    // The facts are in one language and the reply may be in another.
    for (english, spanish) in SAME {
        if company.contains(english) {
            company.push(' ');
            company.push_str(spanish);
        }
    }
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
        let sentence = draft.said.sentences.get(p.sentence).cloned();
        // Links are compared by their own check.
        let linked = draft.words(&sentence.unwrap_or_default()).contains("http");
        let left = super::refusal::is_refused(draft, &p.span) || leaves_to_person(draft, p);
        if bare && (linked || left) {
            return false;
        }
        // "But no cash", say the company's facts.
        if is_turned_away(&company, &words) && !refuses(draft, &p.span) {
            return true;
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
