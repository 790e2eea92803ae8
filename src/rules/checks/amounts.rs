//! Amounts: each figure of money is compared with the fact it stands for.

use super::vouched::{self, role};
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::domain::Cents;
use crate::reading::statements::{Stated, Statement};

const NAME: &str = "amounts";

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    if clears_to_zero(draft) {
        return Finding::failed(NAME, UNGROUNDED, "zero", "nothing as an amount");
    }
    for figure in &draft.said.figures {
        let Stated::Money { amount, marked } = figure.what else {
            continue;
        };
        if let Some((code, why)) = wrong(draft, grounds, figure, amount, marked) {
            return Finding::failed(NAME, UNGROUNDED, code, why);
        }
    }
    Finding::passed(NAME)
}

fn wrong(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
    marked: bool,
) -> Option<(&'static str, &'static str)> {
    let is = |name| role(draft, figure, name);
    // "A final payment of $12.50" is not a weekly one.
    if period_beside(draft, figure).is_some() || is("weekly") && !is("left") {
        return wrong_weekly(draft, grounds, figure, amount);
    }
    if is("minimum") {
        let fine = amount == grounds.settings.plans.min_weekly
            || vouched::is_weekly(draft, grounds, amount) && is("instead");
        return (!fine).then_some((
            "minimum",
            "a smallest amount that the plan rules do not have",
        ));
    }
    let mut accepted = Vec::new();
    let mut known = false;
    if is("owed") {
        known = true;
        accepted.extend(grounds.debt());
    }
    if is("covered") {
        known = true;
        accepted.extend(grounds.parts());
        accepted.extend(vouched::totals(draft, grounds));
    }
    if is("left") {
        if grounds.own_amounts().next().is_none() {
            accepted.extend(grounds.debt());
        }
        known = true;
        accepted.extend(grounds.parts().into_iter().skip(1));
        accepted.extend(vouched::totals(draft, grounds));
        accepted.extend(grounds.own_amounts());
        accepted.extend(grounds.offers.iter().map(|o| o.weekly));
        if is_each(draft, figure) && vouched::is_weekly(draft, grounds, amount) {
            accepted.push(amount);
        }
    }
    if is("total") {
        known = true;
        let totals = vouched::totals(draft, grounds);
        let pays = draft.said.named("total").any(|p| {
            let first = draft.words(&p.span).to_lowercase();
            p.span.end == figure.span.end && first.starts_with("pay")
        });
        if totals.is_empty() || pays {
            accepted.extend(grounds.debt());
        }
        accepted.extend(totals);
        accepted.extend(grounds.own_amounts());
    }
    if is("attributed") {
        known = true;
        accepted.extend(grounds.own_amounts());
        accepted.extend(grounds.offers.iter().map(|o| o.weekly));
        accepted.extend(grounds.parts().into_iter().skip(1));
        if whole(grounds) || grounds.promises && grounds.own_amounts().next().is_none() {
            accepted.extend(grounds.parts());
        }
    }
    if is_misdated(draft, grounds, figure, amount) {
        return Some((
            "dated",
            "an amount on a day for which the tenant named another one",
        ));
    }
    if known {
        let fine = accepted.contains(&amount);
        return (!fine).then_some(("role", "an amount wrong where it stands"));
    }
    // "Do you have anything that shows the $200?"
    let asked_about = draft.said.questions.contains(&figure.sentence)
        && grounds.own_amounts().any(|own| own == amount)
        && draft.said.sentences.get(figure.sentence).is_some_and(|s| {
            crate::reading::plain_words(draft.words(s)).iter().any(|w| {
                [
                    "show",
                    "mean",
                    "receipt",
                    "comprobante",
                    "recibo",
                    "where",
                    "why",
                    "think",
                ]
                .iter()
                .any(|s| w.starts_with(s))
            })
        });
    let any = grounds.debt() == Some(amount)
        || asked_about
        || grounds.parts().contains(&amount)
        || grounds.own_amounts().any(|own| own == amount) && is_payment(draft, figure)
        || vouched::is_weekly(draft, grounds, amount)
        || vouched::totals(draft, grounds).contains(&amount)
        || grounds
            .company
            .figures
            .iter()
            .any(|f| f.what == figure.what)
        || !marked && super::figures::is_known(draft, grounds, figure);
    (!any).then_some((
        "unknown",
        "an amount that nobody stated and nothing adds up to",
    ))
}

/// "Toward the $1,600": what is to be paid off, not a payment.
fn is_toward(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let near = words.iter().rev().take(3);
    near.clone().any(|w| {
        matches!(
            w.as_str(),
            "toward" | "towards" | "against" | "hacia" | "cubrir" | "cover" | "off"
        )
    })
}

/// "Each payment would be $107.50."
fn is_each(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    words.iter().any(|w| {
        matches!(
            w.as_str(),
            "each" | "every" | "weekly" | "cada" | "payments" | "pagos" | "semanal"
        )
    })
}

/// "$0", except as what payments bring the balance to.
fn clears_to_zero(draft: &Draft<'_>) -> bool {
    let mut rest = draft.reply;
    while let Some(at) = rest.find("$0") {
        let after = rest
            .get(at + 2..)
            .unwrap_or_default()
            .trim_start_matches(".00");
        let brought = rest
            .get(..at)
            .unwrap_or_default()
            .trim_end()
            .ends_with(" to");
        if !after.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !brought {
            return true;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// The tenant's own figure stands as a payment, not as what is owed: "It's $70" repeats a claim.
fn is_payment(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft
        .said
        .sentences
        .get(figure.sentence)
        .cloned()
        .unwrap_or_default();
    let stems = [
        "pay",
        "paid",
        "note",
        "send",
        "sent",
        "plan",
        "offer",
        "start",
        "begin",
        "week",
        "month",
        "day",
        "by",
        "on",
        "for",
        "plus",
        "and",
        "with",
        "now",
        "first",
        "receive",
        "expect",
        "thank",
        "instead",
        "amount",
        "pag",
        "anot",
        "esper",
        "deposit",
        "abon",
        "propuesta",
        "ofrec",
        "empez",
        "seman",
        "dia",
        "el",
        "con",
        "mas",
        "hoy",
        "primer",
        "manana",
        "gracias",
        "cantidad",
        "today",
        "tomorrow",
        "could",
        "would",
        "put",
        "leav",
        "after",
        "despues",
        "qued",
    ];
    let dated =
        |f: &Statement| f.sentence == figure.sentence && matches!(f.what, Stated::Date { .. });
    draft.said.figures.iter().any(dated)
        || crate::reading::plain_words(draft.words(&sentence))
            .iter()
            .any(|w| {
                stems.iter().any(|s| {
                    if s.len() <= 3 {
                        w == s
                    } else {
                        w.starts_with(s)
                    }
                })
            })
}

/// "$500 now and $500 next Friday", when the tenant said 550 for Friday.
fn is_misdated(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let Some(day) = day_after(&draft.said, figure) else {
        return false;
    };
    let mut same_day = grounds.own.iter().flat_map(|said| {
        said.figures.iter().filter_map(move |f| match f.what {
            Stated::Money { amount, .. } => {
                day_after(said, f).filter(|d| *d == day).map(|_| amount)
            }
            _ => None,
        })
    });
    let first = same_day.next();
    first.is_some_and(|own| own != amount)
        && !same_day.any(|own| own == amount)
        && grounds.own_amounts().any(|own| own == amount)
}

/// The date that follows an amount before the next amount.
fn day_after(
    said: &crate::reading::statements::Statements,
    figure: &Statement,
) -> Option<chrono::NaiveDate> {
    said.figures
        .iter()
        .filter(|f| f.sentence == figure.sentence && f.span.start >= figure.span.end)
        .take_while(|f| !matches!(f.what, Stated::Money { .. }))
        .find_map(|f| match f.what {
            Stated::Date { date, .. } => date,
            _ => None,
        })
}

/// Whether the tenant speaks of all of it, or of the rest.
fn whole(grounds: &Grounds<'_>) -> bool {
    grounds.said_any(&[
        "whole",
        "all",
        "full",
        "everything",
        "rest",
        "remaining",
        "balance",
        "todo",
        "toda",
        "completo",
        "resto",
        "restante",
        "total",
        "saldo",
        "half",
        "mitad",
        "yes",
        "si",
    ])
}

/// The period right after or before an amount: payments in so many weeks.
fn period_beside(draft: &Draft<'_>, figure: &Statement) -> Option<(i64, i64)> {
    draft.said.figures.iter().find_map(|f| match f.what {
        Stated::Period { payments, weeks } if f.sentence == figure.sentence => {
            let gap = if f.span.start >= figure.span.end {
                draft.reply.get(figure.span.end..f.span.start)
            } else {
                None
            };
            gap.is_some_and(|g| g.trim().is_empty())
                .then_some((payments, weeks))
        }
        _ => None,
    })
}

fn wrong_weekly(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> Option<(&'static str, &'static str)> {
    let period = period_beside(draft, figure).unwrap_or((1, 1));
    // "What could you put toward the $1,600 each week?"
    let asked = draft.said.questions.contains(&figure.sentence);
    if asked && grounds.debt() == Some(amount) && is_toward(draft, figure) {
        return None;
    }
    if period != (1, 1) {
        // Another rhythm is only repeated, never proposed: the plan rules count weeks.
        let same = |s: &crate::reading::statements::Statements| {
            s.figures.windows(2).any(|pair| match pair {
                [a, b] => {
                    matches!(a.what, Stated::Money { amount: own, .. } if own == amount)
                        && matches!(b.what, Stated::Period { payments, weeks } if (payments, weeks) == period)
                }
                _ => false,
            }) || s.figures.windows(2).any(|pair| match pair {
                // "biweekly 100"
                [a, b] => {
                    matches!(a.what, Stated::Period { payments, weeks } if (payments, weeks) == period)
                        && matches!(b.what, Stated::Money { amount: own, .. } if own == amount)
                }
                _ => false,
            })
        };
        let converted = amount
            .checked_mul(period.0)
            .and_then(|total| total.divided_by(period.1))
            .is_some_and(|weekly| grounds.offers.iter().any(|o| o.weekly == weekly));
        let weekly = amount
            .checked_mul(period.0)
            .and_then(|total| total.divided_by(period.1))
            .unwrap_or_default();
        let lengths = vouched::lengths_of(draft, figure);
        let finishes = lengths
            .iter()
            .any(|n| vouched::is_pair(grounds, weekly, *n))
            || vouched::finishes(draft, grounds, figure, amount);
        if !lengths.is_empty()
            && !finishes
            && !shortfall_said(draft, figure, weekly, &lengths, grounds)
            && lengths
                .iter()
                .any(|n| !grounds.own.iter().any(|s| counts(s, *n)))
        {
            return Some(("period", "an amount and a length that do not fit"));
        }
        return (!grounds.own.iter().any(same) && !converted)
            .then_some(("period", "an amount for a period that nobody offered"));
    }
    if converts_wrongly(draft, figure) {
        return Some((
            "converted",
            "two rhythms of payment that do not come to the same",
        ));
    }
    let minimum = amount == grounds.settings.plans.min_weekly && role(draft, figure, "minimum");
    if minimum {
        return None;
    }
    let asks = draft.said.questions.contains(&figure.sentence);
    let proposes = asks || role(draft, figure, "instead");
    let offered = grounds.offers.iter().any(|o| o.weekly == amount);
    if role(draft, figure, "attributed") && !offered && !grounds.own_amounts().any(|a| a == amount)
    {
        return Some(("attributed", "a weekly amount the tenant did not name"));
    }
    if !offered && !grounds.offers.is_empty() && !proposes {
        return Some(("replaced", "a weekly amount in place of the offered one"));
    }
    if !offered
        && !asks
        && demands(draft, figure)
        && grounds.offers.iter().any(|o| grounds.admits(*o))
    {
        return Some((
            "replaced",
            "asks for more than an offer that the rules admit",
        ));
    }
    let halves = grounds.debt().is_some_and(|debt| {
        grounds.halves()
            && (debt.divided_by(2) == Some(amount) || debt.divided_by_ceil(2) == Some(amount))
    });
    if halves && period_beside(draft, figure).is_none() {
        return None;
    }
    let lengths = vouched::lengths_of(draft, figure);
    // The length may be a limit in the same sentence ("for up to 12 weeks").
    let fine = if lengths.is_empty() {
        vouched::is_weekly(draft, grounds, amount)
    } else {
        lengths
            .iter()
            .any(|n| vouched::is_pair(grounds, amount, *n))
            || lengths
                .iter()
                .any(|n| vouched::is_all_but_last(draft, grounds, amount, *n))
            || shortfall_said(draft, figure, amount, &lengths, grounds)
            || lengths
                .iter()
                .all(|n| vouched::is_needed_but_long(draft, grounds, amount, *n))
    };
    (!fine).then_some((
        "weekly",
        "a weekly amount that no offer or plan rule explains",
    ))
}

/// "We'd really need $150 a week".
fn demands(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    words.windows(2).any(|w| {
        matches!(w[0].as_str(), "we" | "wed" | "i" | "id" | "must" | "have")
            && matches!(w[1].as_str(), "need" | "require" | "really" | "pay" | "to")
    }) || words
        .iter()
        .any(|w| w.starts_with("necesitamos") || w.starts_with("requerimos"))
}

/// "$150 every two weeks is $100 a week".
fn converts_wrongly(draft: &Draft<'_>, figure: &Statement) -> bool {
    draft.said.named("equals").any(|p| {
        let inside = |f: &&Statement| p.span.start <= f.span.start && f.span.end <= p.span.end;
        if !inside(&figure) {
            return false;
        }
        let figures: Vec<&Statement> = draft.said.figures.iter().filter(inside).collect();
        let weekly: Vec<Cents> = figures
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] => match (a.what, b.what) {
                    (Stated::Money { amount, .. }, Stated::Period { payments, weeks }) => {
                        amount.checked_mul(payments)?.divided_by(weeks)
                    }
                    _ => None,
                },
                _ => None,
            })
            .collect();
        weekly.iter().any(|w| Some(w) != weekly.first())
    })
}

fn counts(said: &crate::reading::statements::Statements, n: i64) -> bool {
    said.figures.iter().any(|f| vouched::weeks(f) == Some(n))
}

/// "Over 12 weeks that would be $900, which is less than the $1,800 owed": said to be too little.
fn shortfall_said(
    draft: &Draft<'_>,
    figure: &Statement,
    amount: Cents,
    lengths: &[i64],
    grounds: &Grounds<'_>,
) -> bool {
    let known = grounds.offers.iter().any(|o| o.weekly == amount);
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let text = draft
        .said
        .sentences
        .get(figure.sentence)
        .and_then(|s| draft.reply.get(s.clone()))
        .unwrap_or_default()
        .to_lowercase();
    let short = [
        "less than",
        "short",
        "not cover",
        "not be enough",
        "n't cover",
        "menos",
        "no cubr",
        "faltar",
        "only",
        "leaves",
        "leaving",
        "remain",
        "quedan",
        "faltan",
    ];
    let uncovered = text.contains("n't") && text.contains("cover")
        || text.contains("no") && text.contains("cubr");
    known && lengths.contains(&longest) && (uncovered || short.iter().any(|s| text.contains(s)))
}
