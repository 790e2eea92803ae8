//! Dates: days the tenant named, instalments of a plan with a start, and weekdays that fit.

use chrono::{Datelike, NaiveDate, Weekday};

use super::vouched::role;
use super::{Draft, Finding, Grounds, UNGROUNDED, days, plan_days};
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

const NAME: &str = "dates";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let figures = &draft.said.figures;
    for (at, figure) in figures.iter().enumerate() {
        let Stated::Date { date, weekday, how } = figure.what else {
            continue;
        };
        if is_ordinal(draft, figure)
            || super::vouched::counted_day(draft.reply, figure).is_some()
            || is_name(draft, grounds, figure)
        {
            continue;
        }
        // "Friday, December 4": the weekday belongs to the date that follows.
        let next = figures.get(at + 1).filter(|f| beside(draft, figure, f));
        if let (Some(weekday), Some(next)) = (weekday, next)
            && let Stated::Date {
                date: Some(date), ..
            } = next.what
        {
            // "Tue-Sat" is a range of two weekdays.
            let range = !has_digit(draft.words(&next.span))
                && draft
                    .reply
                    .get(figure.span.end..next.span.start)
                    .is_some_and(|gap| gap.contains('-'));
            if !range && date.weekday() != weekday {
                return Finding::failed(NAME, UNGROUNDED, "weekday", "a date with another weekday");
            }
            if !range {
                continue;
            }
        }
        let numbered = matches!(how, "day" | "month_day") || has_digit(draft.words(&figure.span));
        if numbered
            && let (Some(date), Some(weekday)) = (date, weekday)
            && date.weekday() != weekday
        {
            return Finding::failed(NAME, UNGROUNDED, "weekday", "a date with another weekday");
        }
        if how == "weekday" && date.is_some_and(|d| is_other_number(draft, figure, d)) {
            return Finding::failed(NAME, UNGROUNDED, "weekday", "a date with another weekday");
        }
        if date.is_some_and(|d| plan_days::is_late_start(draft, grounds, figure, d)) {
            let why = "a plan that starts later than the plan rules admit";
            return Finding::failed(NAME, UNGROUNDED, "start", why);
        }
        if date.is_some_and(|d| plan_days::is_other_instalment(draft, grounds, figure, d)) {
            let why = "the first or last payment on another day";
            return Finding::failed(NAME, UNGROUNDED, "instalment", why);
        }
        if !is_known(draft, grounds, figure, date, weekday, how, numbered) {
            return Finding::failed(NAME, UNGROUNDED, "date", "a day that nobody named");
        }
    }
    Finding::passed(NAME)
}

/// "El lunes 26", when Monday is the 25th.
fn is_other_number(draft: &Draft<'_>, figure: &Statement, date: NaiveDate) -> bool {
    let words = plain_words(draft.words(&figure.span));
    let numbers: Vec<u32> = words.iter().filter_map(|w| w.parse().ok()).collect();
    // "El lunes 15 y el lunes 22": the number's own day may be such a weekday as well.
    let fits = |n: &u32| {
        let months = [
            date,
            date.checked_add_months(chrono::Months::new(1))
                .unwrap_or(date),
        ];
        *n == date.day()
            || months.iter().any(|d| {
                d.with_day(*n)
                    .is_some_and(|d| d.weekday() == date.weekday())
            })
    };
    !numbers.is_empty() && !numbers.iter().any(fits)
}

/// "The first payment", "the second one": no day, though the grammar of dates knows "the first".
fn is_ordinal(draft: &Draft<'_>, figure: &Statement) -> bool {
    let words = plain_words(draft.words(&figure.span));
    let after = plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let counted = |w: &String| {
        matches!(
            w.as_str(),
            "payment"
                | "payments"
                | "one"
                | "pago"
                | "pagos"
                | "installment"
                | "cuota"
                | "abono"
                | "week"
                | "semana"
                | "thing"
                | "step"
                | "paso"
                | "half"
                | "part"
                | "portion"
                | "mitad"
                | "parte"
                | "installments"
        )
    };
    let ordinal = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh", "twelfth", "primer", "primero", "primera", "segundo", "segunda",
        "tercer", "tercero", "tercera", "cuarto", "quinto", "sexto", "septimo", "octavo", "noveno",
        "decimo",
    ];
    let money = draft
        .reply
        .get(figure.span.end..)
        .is_some_and(|rest| rest.trim_start().starts_with('$'));
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let asked = plain_words(draft.words(&sentence.unwrap_or_default()))
        .iter()
        .any(|w| matches!(w.as_str(), "cual" | "which" | "cuando" | "when"));
    // "Two halves of $680. Is the 20th certain for the second?"
    let led = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default()).pop();
    let dated = led.is_some_and(|w| matches!(w.as_str(), "on" | "by" | "before" | "until" | "el"));
    let parts = !dated
        && !has_digit(draft.words(&figure.span))
        && after.first().is_none_or(|w| w != "of" && w != "de")
        && plain_words(draft.reply)
            .iter()
            .any(|w| matches!(w.as_str(), "halves" | "parts" | "mitades" | "partes"));
    // "Two payments of $500, the second on December 18"
    let own_day = matches!(after.first().map(String::as_str), Some("on" | "el"))
        && draft.said.figures.iter().any(|f| {
            matches!(f.what, Stated::Date { .. })
                && f.span.start >= figure.span.end
                && f.span.start - figure.span.end < 10
        });
    words.iter().any(|w| ordinal.contains(&w.as_str()))
        && (money
            || parts
            || own_day
            || asked
            || words.iter().any(counted)
            || after.iter().take(4).any(counted))
}

/// "Julio", when the tenant is called so: no month.
fn is_name(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let name = grounds.tenant.and_then(|t| t.tenant_name.as_deref());
    let name = plain_words(name.unwrap_or_default());
    let words = plain_words(draft.words(&figure.span));
    !words.is_empty() && words.iter().all(|w| name.contains(w))
}

pub(super) fn has_digit(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
}

fn beside(draft: &Draft<'_>, a: &Statement, b: &Statement) -> bool {
    matches!(b.what, Stated::Date { .. })
        && draft
            .reply
            .get(a.span.end..b.span.start)
            .is_some_and(|gap| matches!(gap.trim(), "" | "," | "(" | "the" | ", the" | "el" | "-"))
}

fn is_known(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    date: Option<NaiveDate>,
    weekday: Option<Weekday>,
    how: &str,
    numbered: bool,
) -> bool {
    if is_greeting(draft, figure) {
        return true;
    }
    // "I can't agree to skipping until February": repeated from a text that gives orders, to refuse it.
    let asked = |f: &Statement| match f.what {
        Stated::Date {
            date: own,
            weekday: day,
            ..
        } => date.is_some() && own == date || weekday.is_some() && day == weekday,
        _ => false,
    };
    if super::refusal::is_refused(draft, &figure.span)
        && grounds.asked.iter().flat_map(|s| &s.figures).any(asked)
    {
        return true;
    }
    let due = role(draft, figure, "due");
    if due && is_demand(draft, grounds, figure) {
        return false;
    }
    if how == "today" && !due && !plan_days::is_first_payment(draft, figure) {
        return true;
    }
    // "Would you like to start this week?" leaves the day to the tenant.
    let asks = draft.said.questions.contains(&figure.sentence) || leaves_open(draft, figure);
    let at_once = matches!(
        draft.words(&figure.span).to_lowercase().as_str(),
        "now" | "ahora"
    );
    if at_once || asks && how == "today" {
        return true;
    }
    let vague = matches!(
        how,
        "this_week" | "next_week" | "this_month" | "next_month" | "event"
    );
    if asks && weekday.is_none() && vague {
        return true;
    }
    if asks && date.is_some_and(|d| plan_days::is_proposed_start(draft, grounds, figure, d)) {
        return true;
    }
    // "Would Fridays work for you?" proposes a rhythm, no deadline.
    if asks && weekday.is_some() && !numbered && days::is_proposed_day(draft, figure) {
        return true;
    }
    if date.is_some_and(|d| days::is_spelled(grounds, d) || days::is_monthly(grounds, d)) {
        return true;
    }
    if days::is_about_the_end(draft, grounds, figure, date) {
        return true;
    }
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let about_hours = plain_words(draft.words(&sentence.unwrap_or_default()))
        .iter()
        .any(|w| {
            [
                "open",
                "office",
                "hour",
                "abr",
                "abiert",
                "oficina",
                "horari",
                "cerr",
                "cierr",
                "atend",
                "available",
                "reach",
                "call",
                "llam",
                "stop",
                "come",
                "ven",
                "visit",
                "phone",
                "from",
                "am",
                "pm",
            ]
            .iter()
            .any(|s| w.starts_with(s))
        })
        || days::says_hours(draft, grounds, figure);
    // "Monday to Friday" of the opening hours names no day of the calendar.
    let hours = |f: &&Statement| {
        let weekday = matches!(
            f.what,
            Stated::Date {
                weekday: Some(_),
                ..
            }
        );
        !weekday || !numbered && about_hours
    };
    // "De lunes a viernes", of an office that is open on weekdays.
    let workday = weekday.is_some_and(|d| !matches!(d, Weekday::Sat | Weekday::Sun));
    if !numbered
        && workday
        && about_hours
        && ["weekday", "weekdays", "entre"]
            .iter()
            .any(|w| grounds.fact_words.contains(*w))
    {
        return true;
    }
    let own = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .chain(grounds.company.figures.iter().filter(hours));
    let words = plain_words(draft.words(&figure.span));
    let mut own_dates = own.filter_map(|f| match f.what {
        Stated::Date { date, weekday, how } => Some((date, weekday, how)),
        _ => None,
    });
    if numbered {
        return own_dates.any(|(own, ..)| own.is_some() && own == date)
            || date.is_some_and(|d| {
                plan_days::is_instalment(grounds, d)
                    || is_after(grounds, d)
                    || is_next(grounds, d)
                    || plan_days::is_end(draft, grounds, figure, d)
            });
    }
    own_dates.any(|(own, own_weekday, own_how)| {
        // "Hoy" names no Wednesday, though it be one.
        let same_day = weekday.is_some()
            && own_how != "today"
            && (own_weekday == weekday || own.map(|d| d.weekday()) == weekday);
        same_day
            || date.is_some() && date == own
            || weekday.is_none()
                && own_how == how
                && (date == own
                    && (date.is_some() || words.iter().all(|w| grounds.own_words.contains(w))))
    }) || date.is_some_and(|d| weekday.is_some() && plan_days::is_instalment(grounds, d))
}

/// "Let me know if you'd like to start this week": asks without a question mark.
fn leaves_open(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default())).join(" ");
    [
        "if youd like",
        "if you would like",
        "if you want",
        "let me know if",
        "let us know if",
        "whether",
    ]
    .iter()
    .chain(&[
        "si le gustaria",
        "si desea",
        "si quiere",
        "si prefiere",
        "digame si",
        "avisenos si",
    ])
    .any(|open| words.contains(open))
}

/// "Full balance by Friday", when the tenant named the day for something smaller.
fn is_demand(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = plain_words(draft.words(&sentence.unwrap_or_default()));
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let by = before.iter().rev().take(3).any(|w| {
        matches!(
            w.as_str(),
            "by" | "before" | "than" | "until" | "antes" | "tardar" | "hasta"
        )
    });
    if !by {
        return false;
    }
    let all = [
        "full", "whole", "entire", "completo", "completa", "total", "todo",
    ];
    words.iter().any(|w| all.contains(&w.as_str()))
        && !grounds.said_any(&all)
        && !grounds.said_any(&["everything", "all", "rest", "balance", "resto", "saldo"])
}

/// "Friday, February 20", when the tenant said "not this Friday, the next one".
fn is_next(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    let next = grounds.said_any(&["next", "following", "after", "siguiente", "proximo", "otro"]);
    let days = (date - grounds.today).num_days();
    let named = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .any(|f| match f.what {
            Stated::Date {
                date: own, weekday, ..
            } => {
                weekday == Some(date.weekday())
                    || own.is_some_and(|d| d.weekday() == date.weekday())
            }
            _ => false,
        });
    next && named && (0..=14).contains(&days)
}

/// "December 5", when the tenant said "in two weeks".
fn is_after(grounds: &Grounds<'_>, date: NaiveDate) -> bool {
    let named = |text: &str, f: &Statement| {
        let days = match f.what {
            Stated::Count {
                hundredths: Some(n),
                unit: Unity::Day,
            } => n / 100,
            Stated::Count {
                hundredths: Some(n),
                unit: Unity::Week,
            } => n * 7 / 100,
            _ => return false,
        };
        let before = plain_words(text.get(..f.span.end).unwrap_or_default());
        let within = before
            .iter()
            .rev()
            .take(4)
            .any(|w| matches!(w.as_str(), "in" | "en" | "dentro" | "after"));
        within && (date - grounds.today).num_days() == days
    };
    !grounds.gives_orders
        && grounds
            .texts
            .iter()
            .zip(&grounds.asked)
            .any(|(text, said)| said.figures.iter().any(|f| named(text, f)))
}

/// "Have a great weekend": no day is meant.
fn is_greeting(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let last = plain_words(before).pop().unwrap_or_default();
    matches!(
        last.as_str(),
        "great"
            | "good"
            | "nice"
            | "wonderful"
            | "lovely"
            | "happy"
            | "enjoy"
            | "buen"
            | "feliz"
            | "excelente"
            | "bonito"
            | "lindo"
            | "blessed"
            | "restful"
    )
}
