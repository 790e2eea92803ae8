//! Amounts that a reply only mentions: repeated from the tenant, set against others, or for another day.

use super::{Draft, Grounds};
use crate::domain::Cents;
use crate::reading::statements::{Stated, Statement};

/// "The 24th", as the tenant has it: a day, not dollars.
pub(super) fn is_own_day(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let day = draft.words(&figure.span);
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let led = crate::reading::plain_words(before)
        .pop()
        .is_some_and(|w| matches!(w.as_str(), "el" | "del" | "the" | "al" | "dia"));
    led && day.parse().is_ok_and(|n: u32| n <= 31) && grounds.own_words.contains(day)
}

/// "Instead of $120", "going from $54": named to say that it is left.
pub(super) fn is_contrast(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    match words.as_slice() {
        [.., a, b, c] => {
            b == "instead" && c == "of"
                || b == "rather" && c == "than"
                || a == "en" && (b == "vez" || b == "lugar") && c == "de"
                || c == "from" && (b == "going" || b == "down" || b == "change")
        }
        [a, b] => a == "instead" && b == "of",
        _ => false,
    }
}

/// "22 Pearl Street": a number and the word after it, as the company's facts have them.
pub(super) fn quotes_address(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let said =
        crate::reading::plain_words(draft.reply.get(figure.span.start..).unwrap_or_default());
    let facts = grounds.settings.company_facts.as_deref();
    let facts = crate::reading::plain_words(facts.unwrap_or_default());
    said.get(..2)
        .is_some_and(|pair| facts.windows(2).any(|two| two == pair))
}

/// "It's $70", "Yes, $70": says that the tenant's figure is the right one.
pub(super) fn repeats_a_claim(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let says = |w: &String| {
        matches!(
            w.as_str(),
            "its"
                | "is"
                | "thats"
                | "yes"
                | "right"
                | "correct"
                | "are"
                | "was"
                | "only"
                | "owe"
                | "balance"
                | "es"
                | "son"
                | "correcto"
                | "debe"
                | "saldo"
        )
    };
    let passed_on = words.iter().any(|w| {
        [
            "ask", "check", "look", "team", "manager", "pas", "pid", "equipo", "encargad", "revis",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    // "Sí, $70", and no "si da $70".
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let text = draft.words(&sentence.unwrap_or_default()).to_lowercase();
    let yes = text.starts_with("sí") || text.contains(" sí");
    !passed_on && (yes || words.iter().any(says))
}

/// The tenant's own figure stands as a payment, not as what is owed: "It's $70" repeats a claim.
pub(super) fn is_payment(draft: &Draft<'_>, figure: &Statement) -> bool {
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
        "once",
        "left",
        "remain",
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
pub(super) fn is_misdated(
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
pub(super) fn day_after(
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
pub(super) fn whole(grounds: &Grounds<'_>) -> bool {
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
        "it",
        "clear",
    ])
}

/// "$325 now and $325 in two weeks": payments on days, no weekly ones.
pub(super) fn is_dated(draft: &Draft<'_>, figure: &Statement) -> bool {
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let now = crate::reading::plain_words(after)
        .first()
        .is_some_and(|w| matches!(w.as_str(), "now" | "today" | "hoy" | "ahora"));
    let near = |f: &Statement| {
        f.span.start >= figure.span.end
            && f.span.start - figure.span.end < 6
            && matches!(f.what, Stated::Date { .. })
    };
    let when = |f: &Statement| {
        matches!(f.what, Stated::Count { .. }) && super::vouched::is_when(draft, figure, f)
    };
    now || draft.said.figures.iter().any(|f| near(f) || when(f))
}

/// "That comes to $1,680 over 12 weeks": what is spread, not an amount a week.
pub(super) fn is_spread(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let over = crate::reading::plain_words(after)
        .first()
        .is_some_and(|w| matches!(w.as_str(), "over" | "across" | "durante" | "en" | "into"));
    // "$800 en dos pagos", the tenant's two of $400.
    let together = grounds
        .singles()
        .into_iter()
        .try_fold(Cents::ZERO, Cents::checked_add);
    over && (grounds.bases().contains(&amount) || together == Some(amount))
}

/// "$20 over", "sobran $20": what payments exceed the balance by.
pub(super) fn is_over(draft: &Draft<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()))
        .iter()
        .any(|w| {
            [
                "over", "more", "extra", "exceed", "sobr", "exced", "above", "demas",
            ]
            .iter()
            .any(|s| w.starts_with(s))
        })
}

/// "$150 today": said to be paid at once.
pub(super) fn is_today(draft: &Draft<'_>, figure: &Statement) -> bool {
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    crate::reading::plain_words(after).first().is_some_and(|w| {
        matches!(
            w.as_str(),
            "now" | "today" | "tonight" | "hoy" | "ahora" | "ahorita" | "down" | "upfront"
        )
    })
}

/// Named in the conversation, or a share or half of the debt.
pub(super) fn is_spoken(grounds: &Grounds<'_>, amount: Cents) -> bool {
    grounds.own_amounts().any(|own| own == amount)
        || grounds.offers.iter().any(|o| o.weekly == amount)
        || grounds.named_before(amount)
        || grounds.parts().contains(&amount)
        || grounds.singles().contains(&amount)
}

/// "$1,010 minus $300 is $710": three amounts of one sentence, the first of them what is owed, the
/// second the tenant's, and the third their difference.
pub(super) fn is_subtracted(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default()));
    let minus = words
        .iter()
        .any(|w| matches!(w.as_str(), "minus" | "less" | "menos"));
    let amounts = draft.said.figures.iter().filter_map(|f| match f.what {
        Stated::Money { amount, .. } if f.sentence == figure.sentence => Some(amount),
        _ => None,
    });
    let amounts: Vec<Cents> = amounts.collect();
    minus
        && match amounts.as_slice() {
            [all, part, rest] => {
                grounds.debt() == Some(*all)
                    && grounds.own_amounts().any(|own| own == *part)
                    && all.checked_sub(*part) == Some(*rest)
            }
            _ => false,
        }
}

/// "$1,800 of the $2,100": a part of what is owed.
pub(super) fn is_part_of_debt(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
) -> bool {
    draft.said.figures.iter().any(|f| {
        let gap = draft
            .reply
            .get(figure.span.end..f.span.start)
            .unwrap_or("?");
        matches!(f.what, Stated::Money { amount, .. } if grounds.debt() == Some(amount))
            && matches!(
                gap.trim(),
                "of the"
                    | "of your"
                    | "of"
                    | "out of the"
                    | "out of"
                    | "de los"
                    | "de sus"
                    | "de tus"
                    | "de"
            )
    })
}

/// "You now owe $680": the balance as it is, not as it would be after a payment.
pub(super) fn is_owed_by_now(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let near: Vec<&str> = words.iter().rev().take(5).map(String::as_str).collect();
    let has = |list: &[&str]| near.iter().any(|w| list.contains(w));
    has(&["owe", "owes", "balance", "debe", "debes", "saldo"])
        && has(&["now", "currently", "ahora", "actual", "actualmente"])
        && !has(&[
            "would", "will", "youd", "youll", "then", "after", "quedaria", "seria",
        ])
}

/// "Can you manage the extra $4?": what one weekly amount is above another.
pub(super) fn is_difference(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let before =
        crate::reading::plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let after = crate::reading::plain_words(draft.reply.get(figure.span.end..).unwrap_or_default());
    let extra = |w: &String| {
        matches!(
            w.as_str(),
            "extra" | "more" | "another" | "additional" | "mas" | "adicionales" | "otros"
        )
    };
    let named = draft.said.figures.iter().filter_map(|f| match f.what {
        Stated::Money { amount, .. } if f.span != figure.span => Some(amount),
        _ => None,
    });
    let named: Vec<Cents> = named.collect();
    (before.iter().rev().take(2).any(extra) || after.iter().take(1).any(extra))
        && grounds.offers.iter().any(|o| {
            o.weekly
                .checked_add(amount)
                .is_some_and(|more| named.contains(&more))
        })
}

/// "Brings your balance to $960", "bajan el saldo a $960": what a payment leaves.
pub(super) fn is_brought_to(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let mut near = words.iter().rev().take(6);
    near.any(|w| {
        [
            "bring", "brought", "lower", "reduc", "baja", "deja", "drop", "take",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    })
}

/// "The $1,575": what is owed by name, where no verb before it claims that payments come to it or that
/// it is left.
pub(super) fn is_the_balance(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let mut near = words.iter().rev();
    let named = near
        .next()
        .is_some_and(|w| matches!(w.as_str(), "the" | "los" | "your" | "sus" | "tus"));
    let claims = [
        "make", "come", "total", "add", "equal", "leav", "left", "remain", "cover", "pay", "paid",
        "clear", "hac", "sum", "qued", "falt", "deja", "cubr", "pag", "rest", "minim", "least",
        "bring", "reach", "complet", "llega", "junta", "reduc", "lower", "after",
    ];
    let part = near
        .clone()
        .next()
        .is_some_and(|w| matches!(w.as_str(), "of" | "de"));
    named
        && !part
        && !near
            .take(4)
            .any(|w| claims.iter().any(|s| w.starts_with(s)))
}

/// "Split your $220": the tenant's own amount, in smaller ones.
pub(super) fn is_divided(draft: &Draft<'_>, figure: &Statement) -> bool {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let mut near = words.iter().rev().take(3).map(String::as_str);
    near.any(|w| matches!(w, "split" | "divide" | "dividir" | "repartir" | "partir"))
}
