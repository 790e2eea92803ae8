//! Durations: how late, how long a plan runs, how long anything takes.

use super::vouched::{self, role};
use super::{Draft, Finding, Grounds, UNGROUNDED, instalments};
use crate::reading::statements::{Stated, Statement, Unity};

const NAME: &str = "durations";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if draft
        .said
        .figures
        .iter()
        .any(|f| is_strange_rhythm(draft, grounds, f))
    {
        let why = "a rhythm of payments that no offer or plan rule has";
        return Finding::failed(NAME, UNGROUNDED, "rhythm", why);
    }
    for figure in &draft.said.figures {
        if claims_cover(draft, grounds, figure) {
            let why = "payments that do not cover what they are said to";
            return Finding::failed(NAME, UNGROUNDED, "cover", why);
        }
        let Stated::Count { hundredths, unit } = figure.what else {
            continue;
        };
        if !is_known(draft, grounds, figure, hundredths, unit) {
            let why = "a length of time that no fact or plan explains";
            return Finding::failed(NAME, UNGROUNDED, "duration", why);
        }
    }
    Finding::passed(NAME)
}

/// "On the 1st of each month", "monthly payments": plans are weekly. Beside an amount the rhythm is
/// compared with it; elsewhere it has to be asked about, refused or handed on.
fn is_strange_rhythm(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    // "4 monthly payments" counts them and has a rhythm of its own.
    let rhythm = |w: &String| {
        [
            "monthly",
            "mensual",
            "quincenal",
            "biweekly",
            "fortnightly",
            "daily",
            "diari",
            "yearly",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    };
    if matches!(
        figure.what,
        Stated::Count {
            unit: Unity::Payment,
            ..
        }
    ) {
        let words = crate::reading::plain_words(draft.words(&figure.span));
        return words.iter().any(rhythm)
            && !super::refusal::is_refused(draft, &figure.span)
            && !words
                .iter()
                .filter(|w| rhythm(w))
                .all(|w| grounds.own_words.contains(w));
    }
    let Stated::Period { payments, weeks } = figure.what else {
        return false;
    };
    let digits = |text: &str| -> Vec<String> {
        crate::reading::plain_words(text)
            .into_iter()
            .filter(|w| w.starts_with(|c: char| c.is_ascii_digit()))
            .collect()
    };
    let dated = digits(draft.words(&figure.span))
        .into_iter()
        .filter(|w| *w != weeks.to_string() && *w != payments.to_string())
        .any(|w| !grounds.own_words.contains(&w) && !grounds.fact_words.contains(&w));
    let weekly = payments == weeks;
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let handed_on = has(&[
        "manager", "team", "person", "someone", "review", "ask", "gerente", "equipo", "persona",
        "alguien",
    ]);
    // "You get paid every two weeks" speaks of the tenant's income.
    let income = has(&[
        "income", "check", "paycheck", "get", "paid", "earn", "ingreso", "cheque", "sueldo",
        "cobra", "gana",
    ]);
    // "Entiendo lo de la quincena": the tenant's own rhythm, named without an amount.
    let own = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .any(|f| f.what == figure.what);
    let open = draft.said.questions.contains(&figure.sentence)
        || own && !dated
        || handed_on
        || income
        || super::refusal::is_refused(draft, &figure.span);
    let beside_amount = draft
        .said
        .figures
        .iter()
        .any(|f| f.sentence == figure.sentence && matches!(f.what, Stated::Money { .. }));
    !weekly && !open && !beside_amount || dated && !open
}

/// "$110 a week covers the $1,275 in 11 weeks": the rules may admit less than all, but then it is not
/// covered.
fn claims_cover(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let Stated::Money { amount, .. } = figure.what else {
        return false;
    };
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let stems = [
        "cover", "cubr", "clear", "liquid", "caught", "termin", "salda", "finish",
    ];
    let covers = words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    let lengths = vouched::lengths_of(draft, grounds, figure);
    // "You'd finish in 7 weeks, the last of them only $30."
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let before = crate::reading::plain_words(before);
    let last = before
        .iter()
        .rev()
        .take(5)
        .any(|w| ["last", "final", "ultim"].iter().any(|s| w.starts_with(s)));
    if !covers
        || last
            && vouched::role(draft, figure, "left")
                | instalments::names_last(draft, grounds, amount)
        || lengths.is_empty()
        || (super::shortfalls::says_short(draft, figure.sentence)
            || super::shortfalls::says_limit(draft, grounds, figure.sentence))
    {
        return false;
    }
    let bases = grounds.bases();
    // A rest or a down payment in the same sentence is looked at by the amounts.
    let apart = draft.said.figures.iter().any(|f| {
        f.sentence == figure.sentence
            && f.span != figure.span
            && matches!(f.what, Stated::Money { amount, .. } if grounds.debt() != Some(amount))
    });
    !apart
        && !bases.contains(&amount)
        && lengths.iter().all(|n| {
            let paid = amount.checked_mul(*n).unwrap_or_default();
            bases.iter().all(|base| paid < *base)
        })
}

/// "The first payment has to come within 30 days": the limit of the plan rules.
fn is_start_limit(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    hundredths: i64,
) -> bool {
    // "That's too far out; it has to be within 30 days": the sentence before may name the start.
    let from = figure.sentence.saturating_sub(1);
    let sentences = draft
        .said
        .sentences
        .iter()
        .skip(from)
        .take(figure.sentence + 1 - from);
    let words: Vec<String> = sentences
        .flat_map(|s| crate::reading::plain_words(draft.words(s)))
        .collect();
    let has = |stems: &[&str]| words.iter().any(|w| stems.iter().any(|s| w.starts_with(s)));
    hundredths == i64::from(grounds.settings.plans.max_start_days) * 100
        && (has(&[
            "start", "begin", "first", "empe", "empie", "comen", "comien", "inici", "primer",
            "arran",
        ]) || grounds.said_any(&["start", "begin", "first", "empezar", "empiezo", "comenzar"]))
        && has(&[
            "within",
            "next",
            "dentro",
            "proxim",
            "siguiente",
            "in",
            "en",
            "than",
            "mas",
        ])
        && !has(&["pause", "wait", "extension", "extra", "prorrog", "esperar"])
}

fn is_known(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    hundredths: Option<i64>,
    unit: Unity,
) -> bool {
    let Some(hundredths) = hundredths else {
        let vague = |f: &Statement| {
            matches!(
                f.what,
                Stated::Count {
                    hundredths: None,
                    ..
                }
            )
        };
        return unit == Unity::Payment || grounds.own.iter().flat_map(|s| &s.figures).any(vague);
    };
    if role(draft, figure, "late") {
        return is_how_late(grounds, hundredths, unit);
    }
    if is_ago(draft, figure) && is_how_late(grounds, hundredths, unit) {
        return true;
    }
    // "¿Quieres ver un pago por semana?" is a rhythm.
    let span = crate::reading::plain_words(draft.words(&figure.span));
    if unit == Unity::Week
        && hundredths == 100
        && span.ends_with(&["por", "semana"].map(str::to_owned))
    {
        return true;
    }
    // "It's 29 days as of today", to "how many days late am I".
    let asked = grounds.said_any(&[
        "late", "behind", "overdue", "atraso", "atrasado", "atrasada",
    ]);
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let given = crate::reading::plain_words(before);
    let given = given.iter().rev().take(2).any(|w| {
        matches!(
            w.as_str(),
            "have"
                | "in"
                | "within"
                | "next"
                | "another"
                | "get"
                | "tiene"
                | "en"
                | "otros"
                | "give"
                | "for"
        )
    });
    if unit == Unity::Day && asked && !given && is_how_late(grounds, hundredths, unit) {
        return true;
    }
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let weeks = vouched::weeks(figure);
    if role(draft, figure, "maximum") && !role(draft, figure, "weekly") {
        return weeks == Some(longest);
    }
    if let (Some(n), true) = (weeks, instalments::is_further(draft, figure)) {
        return instalments::counts(draft, grounds, figure, n, unit);
    }
    let same = |f: &Statement| f.what == figure.what;
    // "Your two payments", when the tenant named two days.
    let days = grounds.own.iter().map(|s| {
        s.figures
            .iter()
            .filter(|f| matches!(f.what, Stated::Date { .. }))
            .count()
    });
    if unit == Unity::Payment
        && days
            .max()
            .is_some_and(|n| n > 1 && i64::try_from(n * 100) == Ok(hundredths))
    {
        return true;
    }
    // A length beyond the limit may be repeated only to refuse it.
    if weeks.is_some_and(|w| w > longest) && unit != Unity::Payment {
        let sentence = draft
            .said
            .sentences
            .get(figure.sentence)
            .cloned()
            .unwrap_or_default();
        if weeks.is_some_and(|n| instalments::counts(draft, grounds, figure, n, unit)) {
            return true;
        }
        return grounds
            .asked
            .iter()
            .chain(&grounds.own)
            .flat_map(|s| &s.figures)
            .any(same)
            && (super::refusal::is_refused(draft, &figure.span)
                || exceeds(draft.words(&sentence)));
    }
    if grounds.own.iter().flat_map(|s| &s.figures).any(same)
        || grounds.company.figures.iter().any(same)
    {
        return true;
    }
    if unit == Unity::Day && is_start_limit(draft, grounds, figure, hundredths) {
        return true;
    }
    let Some(weeks) = weeks else {
        return false;
    };
    if unit == Unity::Payment && weeks == 1 || weeks == longest {
        return true;
    }
    let mut plans = grounds.offers.iter().chain(&grounds.counters);
    plans.any(|p| p.weeks.map(i64::from) == Some(weeks))
        || instalments::counts(draft, grounds, figure, weeks, unit)
}

/// "It was due 19 days ago", "venció hace 19 días": how late, whatever else the sentence says.
fn is_ago(draft: &Draft<'_>, figure: &Statement) -> bool {
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let next: Vec<String> = crate::reading::plain_words(after);
    let led = crate::reading::plain_words(before).pop();
    next.iter().take(2).any(|w| w == "ago") || led.is_some_and(|w| w == "hace")
}

/// "24 weeks is longer than we can offer".
fn exceeds(sentence: &str) -> bool {
    let words = crate::reading::plain_words(sentence);
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "longer"
                | "limit"
                | "maximum"
                | "exceeds"
                | "past"
                | "too"
                | "most"
                | "beyond"
                | "max"
                | "maximo"
                | "limite"
                | "excede"
                | "supera"
                | "over"
                | "more"
        )
    })
}

/// Exactly the days of the account; weeks and months as people round them.
fn is_how_late(grounds: &Grounds<'_>, hundredths: i64, unit: Unity) -> bool {
    let Some(days) = grounds.tenant.and_then(|t| t.days_late) else {
        return false;
    };
    let count = hundredths / 100;
    let rounded = |size: i64| count == days / size || count == (days + size / 2) / size;
    hundredths % 100 == 0
        && match unit {
            Unity::Day => count == days,
            Unity::Week => count > 0 && rounded(7),
            Unity::Month => count > 0 && rounded(30),
            _ => false,
        }
}
