//! Amounts: each figure of money is compared with the fact it stands for.

use super::instalments;
use super::mentions;
use super::sums::Sums;
use super::vouched::{self, role};
use super::weekly::{pairs_in_order, period_beside, wrong_weekly};
use super::{Draft, Finding, Grounds, UNGROUNDED};
use crate::domain::Cents;
use crate::reading::statements::{Stated, Statement, Unity};

pub(super) const NAME: &str = "amounts";

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

/// Every amount that is wrong where it stands, as written.
pub(super) fn unexplained(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Vec<String> {
    let figures = draft
        .said
        .figures
        .iter()
        .filter(|figure| match figure.what {
            Stated::Money { amount, marked } => {
                // "Apartment 4" and "2 rooms" are nobody's money.
                marked && wrong(draft, grounds, figure, amount, marked).is_some()
            }
            _ => false,
        });
    figures.map(|f| draft.words(&f.span).to_owned()).collect()
}

fn wrong(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
    marked: bool,
) -> Option<(&'static str, &'static str)> {
    let is = |name| role(draft, figure, name);
    if super::figures::is_wrong_product(draft, figure, amount) {
        return Some(("product", "a product that its factors do not have"));
    }
    if !marked
        && (mentions::quotes_address(draft, grounds, figure)
            || super::figures::multiplies(draft, grounds, figure)
            || super::figures::is_excess(draft, grounds, figure)
            || vouched::is_limit(draft, figure)
                && amount.get() == i64::from(grounds.settings.plans.max_weeks) * 100)
    {
        return None;
    }
    if super::figures::is_product(draft, grounds, figure, amount)
        || !marked && mentions::is_own_day(draft, grounds, figure)
        || vouched::count(draft, figure)
            .is_some_and(|n| instalments::counts(draft, grounds, figure, n, Unity::Week))
        || mentions::is_contrast(draft, figure) && grounds.named_before(amount)
    {
        return None;
    }
    if mentions::is_subtracted(draft, grounds, figure) {
        return None;
    }
    if super::sums::proposal_adds_up(draft, grounds, figure.sentence) {
        return None;
    }
    if splits_wrongly(draft, grounds, figure, amount) {
        return Some(("split", "equal parts that do not add up"));
    }
    // "A final payment of $12.50" is not a weekly one.
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let as_of_today = crate::reading::plain_words(after)
        .starts_with(&["al", "dia", "de", "hoy"].map(str::to_owned));
    // "Así cubre los $1,001.00 en 7 pagos"
    let covers_all = is("covered") && grounds.debt() == Some(amount);
    let weekly = (is("weekly") && !is("left") || period_beside(draft, figure).is_some())
        && !as_of_today
        && !covers_all
        && !mentions::is_spread(draft, grounds, figure, amount);
    if marked
        && mentions::is_today(draft, figure)
        && !draft.said.questions.contains(&figure.sentence)
        && !mentions::is_spoken(grounds, amount)
    {
        return Some(("today", "a payment for today that nobody named"));
    }
    if let Some(wrong) = wrong_last(draft, grounds, figure, amount) {
        return Some(wrong);
    }
    // Proved by the length beside it, or by the payments it adds up, wherever else it may stand.
    let attributed = is("attributed") || is("owed");
    if !attributed
        && grounds.debt() != Some(amount)
        && (!weekly
            && instalments::is_proven_payment(draft, grounds, figure, amount)
            && !is("left")
            || !is("left")
                && (!is("covered") || super::shortfalls::says_short(draft, figure.sentence))
                && instalments::is_proven_total(draft, grounds, figure, amount))
    {
        return None;
    }
    if weekly {
        return wrong_weekly(draft, grounds, figure, amount);
    }
    if is("minimum") {
        // "The smallest that covers the $900 in 12 weeks is $75"
        let covering = draft.said.sentences.get(figure.sentence).is_some_and(|s| {
            crate::reading::plain_words(draft.words(s))
                .iter()
                .any(|w| w.starts_with("cover") || w.starts_with("cubr"))
        });
        let lowest = covering
            && (grounds.debt() == Some(amount)
                || vouched::is_pair(
                    draft,
                    grounds,
                    amount,
                    i64::from(grounds.settings.plans.max_weeks),
                ));
        let fine = lowest
            || amount == grounds.settings.plans.min_weekly
            || vouched::is_weekly(draft, grounds, amount) && is("instead");
        return (!fine).then_some((
            "minimum",
            "a smallest amount that the plan rules do not have",
        ));
    }
    let sums = Sums::of(draft, grounds);
    // "That's $1,800 of the $2,100": a part, whatever else the sentence says.
    if mentions::is_part_of_debt(draft, grounds, figure) && sums.paid.contains(&amount) {
        return None;
    }
    if mentions::is_owed_by_now(draft, figure) && grounds.debt() != Some(amount) {
        return Some(("now", "a balance that the account does not have yet"));
    }
    // "Spread over 12 weeks, the $1,575 would be about $132 a week."
    if grounds.debt() == Some(amount) && mentions::is_the_balance(draft, figure) {
        return None;
    }
    let mut accepted = Vec::new();
    let mut known = false;
    if is("owed") {
        known = true;
        accepted.extend(grounds.debt());
        // "Los $300 bajan el saldo a $960"
        if mentions::is_brought_to(draft, figure) {
            accepted.extend(grounds.parts().into_iter().skip(1));
            accepted.extend(&sums.rest);
        }
    }
    if is("covered") {
        known = true;
        accepted.extend(grounds.parts());
        accepted.extend(&sums.rest);
        // "Could you split your $220 into two payments?"
        accepted.extend(
            grounds
                .own_amounts()
                .filter(|_| mentions::is_divided(draft, figure)),
        );
        if super::shortfalls::says_short(draft, figure.sentence) {
            accepted.extend(&sums.paid);
        }
    }
    if is("reduced") {
        known = true;
        accepted.extend(grounds.parts());
        accepted.extend(&sums.rest);
        accepted.extend(grounds.own_amounts());
    }
    if is("after") && !is("left") {
        known = true;
        accepted.extend(grounds.parts());
        accepted.extend(&sums.paid);
        accepted.extend(&sums.rest);
        accepted.extend(grounds.own_amounts());
        if vouched::is_weekly(draft, grounds, amount) {
            accepted.push(amount);
        }
    }
    if is("left") {
        // "$20 is less than we can take up for $1,340" names what is owed.
        let compared = draft.said.named("left").any(|p| {
            let first = crate::reading::plain_words(draft.words(&p.span))
                .into_iter()
                .next();
            p.span.end == figure.span.end
                && first.is_some_and(|w| matches!(w.as_str(), "less" | "menos" | "short"))
        });
        if grounds.own_amounts().next().is_none() || compared {
            accepted.extend(grounds.debt());
        }
        known = true;
        accepted.extend(grounds.parts().into_iter().skip(1));
        accepted.extend(&sums.rest);
        if mentions::is_over(draft, figure) {
            accepted.extend(&sums.over);
        }
        accepted.extend(grounds.own_amounts());
        accepted.extend(grounds.offers.iter().map(|o| o.weekly));
        if instalments::is_proven_payment(draft, grounds, figure, amount) {
            accepted.push(amount);
        }
        if is_each(draft, figure) && vouched::is_weekly(draft, grounds, amount)
            || pairs_in_order(draft, grounds, figure)
        {
            accepted.push(amount);
        }
    }
    if is("total") {
        known = true;
        let pays = draft.said.named("total").any(|p| {
            let first = draft.words(&p.span).to_lowercase();
            p.span.end == figure.span.end && first.starts_with("pay")
        });
        // "10 payments of $125 make $1,375": claimed, so it has to be what they make.
        let products = super::sums::products(draft, grounds, figure.sentence);
        let proved = products.contains(&amount)
            || grounds.debt() == Some(amount) && super::sums::adds_up(draft, grounds);
        if marked && !(pays || is("covered") || products.is_empty() || proved) {
            return Some(("total", "a total that its payments do not come to"));
        }
        if sums.paid.is_empty() || pays || super::sums::adds_up(draft, grounds) {
            accepted.extend(grounds.debt());
        }
        accepted.extend(grounds.parts().into_iter().skip(1));
        accepted.extend(&sums.paid);
        accepted.extend(&sums.rest);
        accepted.extend(grounds.own_amounts());
    }
    if is("attributed") {
        known = true;
        accepted.extend(grounds.own_amounts());
        accepted.extend(grounds.offers.iter().map(|o| o.weekly));
        accepted.extend(grounds.parts().into_iter().skip(1));
        // "When do you expect to send the $990.25?"
        let asks = draft.said.questions.contains(&figure.sentence);
        let nothing_named = grounds.own_amounts().next().is_none();
        if mentions::whole(grounds) || asks || grounds.promises && nothing_named {
            accepted.extend(grounds.parts());
        }
    }
    if mentions::is_misdated(draft, grounds, figure, amount) {
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
    // "So $20 isn't enough", of an amount that a text orders to accept.
    let turned_down = grounds.gives_orders
        && (super::shortfalls::says_short(draft, figure.sentence)
            || super::refusal::is_refused(draft, &figure.span))
        && grounds.asks_for(amount);
    let smallest = amount == grounds.settings.plans.min_weekly
        && draft.said.sentences.get(figure.sentence).is_some_and(|s| {
            crate::reading::plain_words(draft.words(s)).iter().any(|w| {
                ["small", "lowest", "least", "minim", "menor"]
                    .iter()
                    .any(|s| w.starts_with(s))
            })
        });
    let any = grounds.debt() == Some(amount)
        || smallest
        || turned_down
        || mentions::is_difference(draft, grounds, figure, amount)
        || asked_about
        || grounds.parts().contains(&amount)
        || grounds.own_amounts().any(|own| own == amount)
            && (mentions::is_payment(draft, figure) || !mentions::repeats_a_claim(draft, figure))
        || !mentions::is_dated(draft, figure)
            && vouched::is_weekly(draft, grounds, amount)
            && vouched::lengths_of(draft, grounds, figure).is_empty()
        || instalments::is_proven_payment(draft, grounds, figure, amount)
        || sums.has(amount) && !grounds.own_amounts().any(|own| own == amount)
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

/// "Two payments would be $354 each", of $690: equal parts may be rounded up to a dollar, no further.
fn splits_wrongly(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> bool {
    let sentence = draft.said.sentences.get(figure.sentence).cloned();
    let words = crate::reading::plain_words(draft.words(&sentence.unwrap_or_default())).join(" ");
    let equal = [
        "each payment",
        "apiece",
        "equal",
        "iguales",
        "cada uno",
        "cada una",
        "split",
        "divid",
    ]
    .iter()
    .any(|w| words.contains(w))
        || words.ends_with("each");
    let balances = grounds.parts();
    let lengths = vouched::lengths(draft, figure.sentence);
    let known = grounds.own_amounts().any(|a| a == amount)
        || grounds.offers.iter().any(|o| o.weekly == amount)
        || balances.contains(&amount)
        || Sums::of(draft, grounds).has(amount);
    let fits = |n: &i64| {
        balances.iter().any(|b| {
            amount
                .checked_mul(*n)
                .is_some_and(|t| (t.get() - b.get()).abs() <= 100 * n)
        })
    };
    equal && !known && !lengths.is_empty() && !lengths.iter().any(fits)
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

/// "12 payments of $84 and a last one of $76", of $1,000: with the payments counted in the same sentence
/// it has to come to what is owed.
fn wrong_last(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    figure: &Statement,
    amount: Cents,
) -> Option<(&'static str, &'static str)> {
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let words = crate::reading::plain_words(before);
    let near: Vec<&str> = words
        .iter()
        .rev()
        .take(4)
        .map(String::as_str)
        .take_while(|w| !w.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let last = near
        .iter()
        .any(|w| ["last", "final", "ultim"].iter().any(|s| w.starts_with(s)))
        || near.first() == Some(&"de") && near.get(1) == Some(&"uno");
    let pairs = super::sums::pairs(draft, grounds, figure.sentence);
    let bases = grounds.bases();
    let fits = |(each, n): &(Cents, i64)| {
        let with = |n: i64| {
            let paid = each.checked_mul(n)?.checked_add(amount)?;
            Some(bases.contains(&paid))
        };
        // "10 payments and a last one of $25": on top of them.
        let one_of_them = !instalments::adds_last(draft, amount) && with(n - 1) == Some(true);
        *each == amount || with(*n) == Some(true) || one_of_them
    };
    (last
        && grounds.debt().is_some()
        && !bases.contains(&amount)
        && !pairs.is_empty()
        && !pairs.iter().any(fits))
    .then_some(("last", "a last payment that does not come to the balance"))
}
