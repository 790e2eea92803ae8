//! Which weekly amounts, lengths and totals follow from facts and plan rules.

use super::{Draft, Grounds, instalments};
use crate::domain::Cents;
use crate::reading::plain_words;
use crate::reading::statements::{Stated, Statement, Unity};

/// Weeks or payments a sentence counts, without those that are a limit or how late the rent is.
pub(super) fn lengths(draft: &Draft<'_>, sentence: usize) -> Vec<i64> {
    let plain = |f: &&Statement| {
        f.sentence == sentence && !role(draft, f, "maximum") && !role(draft, f, "late")
    };
    draft
        .said
        .figures
        .iter()
        .filter(plain)
        .filter_map(|f| count(draft, f))
        .collect()
}

/// The lengths that belong to an amount: its own of as many lengths as amounts ("at 12 weeks it's $30,
/// at 10 weeks $36"), else those between it and the next amount, else those between the amount before
/// and it. Balances stand in nobody's way: "$75 a week would pay the $1,800 in 12 weeks".
pub(super) fn lengths_of(draft: &Draft<'_>, grounds: &Grounds<'_>, figure: &Statement) -> Vec<i64> {
    let balances = grounds.balances();
    let inside = || {
        draft
            .said
            .figures
            .iter()
            .filter(|f| f.sentence == figure.sentence)
    };
    let is_money = |f: &Statement| {
        count(draft, f).is_none()
            && matches!(f.what, Stated::Money { amount, .. } if !balances.contains(&amount) || f.span == figure.span)
    };
    let is_length = |f: &Statement| {
        !role(draft, f, "maximum") && !role(draft, f, "late") && !is_limit(draft, f)
    };
    let length = |f: &Statement| {
        count(draft, f)
            .filter(|_| is_length(f) && !is_when(draft, figure, f) && !is_until_start(draft, f))
    };
    let amounts: Vec<&Statement> = inside().filter(|f| is_money(f)).collect();
    let lengths: Vec<(usize, i64)> = inside()
        .filter_map(|f| count(draft, f).map(|n| (f.span.start, n)))
        .collect();
    if let (Some(own), true) = (
        amounts.iter().position(|f| f.span == figure.span),
        amounts.len() > 1 && amounts.len() == lengths.len(),
    ) {
        let count_first = lengths.first().map(|l| l.0) < amounts.first().map(|a| a.span.start);
        let alternate = amounts
            .iter()
            .zip(&lengths)
            .all(|(a, l)| (l.0 < a.span.start) == count_first)
            && amounts
                .iter()
                .skip(1)
                .zip(&lengths)
                .all(|(a, l)| l.0 < a.span.start);
        if alternate {
            return lengths.get(own).map(|l| l.1).into_iter().collect();
        }
    }
    let next = amounts
        .iter()
        .map(|f| f.span.start)
        .find(|s| *s > figure.span.start);
    let last = amounts
        .iter()
        .map(|f| f.span.end)
        .rfind(|e| *e <= figure.span.start);
    let between = |from: usize, to: usize| -> Vec<i64> {
        inside()
            .filter(|f| f.span.start >= from && f.span.end <= to)
            .filter_map(length)
            .collect()
    };
    // "Instead of twelve of $140": that count has an amount of its own.
    let priced = |f: &&Statement| {
        next.is_some_and(|next| {
            let gap = draft.reply.get(f.span.end..next).unwrap_or("?");
            figure.span.end < f.span.start && matches!(gap.trim(), "of" | "de" | "at" | "x")
        })
    };
    let after: Vec<i64> = inside()
        .filter(|f| f.span.start >= figure.span.end)
        .filter(|f| next.is_none_or(|next| f.span.end <= next) && !priced(f))
        .filter_map(length)
        .collect();
    if after.is_empty() {
        between(last.unwrap_or(0), figure.span.start)
    } else {
        after
    }
}

/// "$300 in two weeks": the length right after an amount says when, not how often.
pub(super) fn is_when(draft: &Draft<'_>, money: &Statement, length: &Statement) -> bool {
    let gap = draft.reply.get(money.span.end..length.span.start);
    let span = draft.words(&length.span).to_lowercase();
    let led = ["in ", "en ", "dentro "]
        .iter()
        .any(|p| span.starts_with(p));
    gap.is_some_and(|gap| match gap.trim() {
        "" => led,
        gap => matches!(gap, "in" | "en" | "dentro de"),
    })
}

/// "Beginning in 2 weeks": when it begins, not how long it takes.
fn is_until_start(draft: &Draft<'_>, length: &Statement) -> bool {
    let before = draft.reply.get(..length.span.start).unwrap_or_default();
    let last = plain_words(before).pop().unwrap_or_default();
    let begins = [
        "start", "begin", "empez", "empiez", "comenz", "comienz", "arranc",
    ];
    let span = draft.words(&length.span).to_lowercase();
    (span.starts_with("in ") || span.starts_with("en ") || span.starts_with("dentro"))
        && begins.iter().any(|s| last.starts_with(s))
}

/// The count of weeks or payments, months as four weeks.
pub(super) fn weeks(figure: &Statement) -> Option<i64> {
    match figure.what {
        Stated::Count {
            hundredths: Some(h),
            unit: Unity::Week | Unity::Payment,
        } if h % 100 == 0 => Some(h / 100),
        Stated::Count {
            hundredths: Some(h),
            unit: Unity::Month,
        } => Some(h * 4 / 100),
        _ => None,
    }
}

/// The count of weeks or payments; also of a bare number where weeks or payments are counted: "$110 for
/// 8 weeks or $88 over 10".
pub(super) fn count(draft: &Draft<'_>, figure: &Statement) -> Option<i64> {
    weeks(figure)
        .or_else(|| bare(draft, figure))
        .or_else(|| counted_day(draft.reply, figure))
}

/// "Después de 5 pagos": a count, though "after the 5th" is the nearer reading of its beginning.
pub(super) fn counted_day(text: &str, figure: &Statement) -> Option<i64> {
    let Stated::Date { .. } = figure.what else {
        return None;
    };
    let last = plain_words(text.get(figure.span.clone())?).pop()?;
    let next = plain_words(text.get(figure.span.end..)?)
        .into_iter()
        .next()?;
    let counts = [
        "pago", "pagos", "payments", "payment", "abonos", "cuotas", "semanas", "weeks",
    ];
    counts
        .contains(&next.as_str())
        .then(|| last.parse().ok())
        .flatten()
}

/// "12 at most", "12 como máximo": a limit, no length of anything.
pub(super) fn is_limit(draft: &Draft<'_>, figure: &Statement) -> bool {
    // "A plan can only run 12"
    let before = plain_words(draft.reply.get(..figure.span.start).unwrap_or_default());
    let mut near = before.iter().rev().take(2).map(String::as_str);
    let run = near.any(|w| matches!(w, "run" | "last" | "durar" | "duran" | "go"));
    let only = before
        .iter()
        .rev()
        .take(4)
        .any(|w| matches!(w.as_str(), "only" | "solo" | "hasta" | "most" | "maximo"));
    if run && only {
        return true;
    }
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    match plain_words(after).as_slice() {
        [first, ..] if matches!(first.as_str(), "max" | "maximum" | "maximo" | "tops") => true,
        [a, b, c, ..] if matches!(a.as_str(), "is" | "es") => {
            let limit = |w: &str| {
                ["longest", "limit", "max", "most", "tope", "cap"]
                    .iter()
                    .any(|s| w.starts_with(s))
            };
            limit(b) || matches!(b.as_str(), "our" | "the" | "el" | "lo" | "nuestro") && limit(c)
        }
        [a, b, ..] => matches!(
            (a.as_str(), b.as_str()),
            ("at", "most") | ("como", "maximo")
        ),
        _ => false,
    }
}

fn bare(draft: &Draft<'_>, figure: &Statement) -> Option<i64> {
    let hundredths = match figure.what {
        Stated::Number(h) => h,
        Stated::Money {
            amount,
            marked: false,
        } => amount.get(),
        _ => return None,
    };
    let n = hundredths / 100;
    if hundredths % 100 != 0 || !(2..=24).contains(&n) {
        return None;
    }
    let counted = draft.said.figures.iter().any(|f| {
        f.sentence <= figure.sentence
            && f.sentence + 1 >= figure.sentence
            && (weeks(f).is_some() || matches!(f.what, Stated::Period { .. }))
    });
    let before = draft.reply.get(..figure.span.start).unwrap_or_default();
    let last = plain_words(before).pop().unwrap_or_default();
    let led = [
        "over", "for", "in", "en", "por", "a", "x", "of", "than", "es", "is", "son", "takes", "to",
        "or", "o", "y", "and", "most", "de", "durante", "fits", "take", "los",
    ];
    let after = draft.reply.get(figure.span.end..).unwrap_or_default();
    let money = draft.said.figures.iter().any(|f| {
        f.span.start >= figure.span.end
            && matches!(f.what, Stated::Period { .. })
            && draft
                .reply
                .get(figure.span.end..f.span.start)
                .is_some_and(|gap| gap.trim().is_empty())
    });
    let repeated = plain_words(after)
        .first()
        .is_some_and(|w| matches!(w.as_str(), "times" | "veces"));
    // "8 weeks of $158, 10 of $127"
    let each = ["de $", "of $", "at $", "x $", "por $", "a $"]
        .iter()
        .any(|of| after.trim_start().starts_with(of));
    if repeated || (each || is_limit(draft, figure)) && counted {
        return Some(n);
    }
    let clock = after.starts_with([':', '%', '/']) || before.ends_with([':', '/', '$', '.', '-']);
    (counted && led.contains(&last.as_str()) && !money && !clock).then_some(n)
}

/// Whether a figure begins or ends a phrase of that name: gaps may hold other figures.
pub(super) fn role(draft: &Draft<'_>, figure: &Statement, name: &str) -> bool {
    draft.said.named(name).any(|p| {
        p.span.start == figure.span.start && p.span.end >= figure.span.end
            || p.span.end == figure.span.end && p.span.start <= figure.span.start
    })
}

/// Whether so much a week for so many weeks is a plan somebody offered or the rules would propose.
/// The tenant's own weeks may not be replaced by others, except by what the rules compute.
pub(super) fn is_pair(draft: &Draft<'_>, grounds: &Grounds<'_>, weekly: Cents, weeks: i64) -> bool {
    let known = |t: &super::Terms| t.weekly == weekly && t.weeks.map(i64::from) == Some(weeks);
    if grounds.offers.iter().chain(&grounds.counters).any(known) {
        return true;
    }
    // Finishing exactly: one payment fewer would not cover the debt.
    weeks <= i64::from(grounds.settings.plans.max_weeks)
        && weekly >= grounds.settings.plans.min_weekly
        && instalments::bases_for(draft, grounds, weekly)
            .iter()
            .any(|debt| {
                // Whole dollars may be rounded up; cents are the result of a division, or wrong.
                let exact = debt.divided_by(weeks) == Some(weekly)
                    || debt.divided_by_ceil(weeks) == Some(weekly);
                // More than five dollars above the even share is no rounding: $296 for $269.
                let own = grounds.offers.iter().any(|o| o.weekly == weekly)
                    || grounds.own_amounts().any(|a| a == weekly);
                let rounded = debt
                    .divided_by_ceil(weeks)
                    .is_some_and(|even| (weekly.get() - even.get()).abs() <= 500);
                (exact || weekly.get() % 100 == 0 && (own || rounded))
                    && grounds.payments_needed(weekly, *debt) == Some(weeks)
            })
}

/// Whether so much a week, without a length beside it, is the tenant's amount or one that pays the
/// debt in a length that was named or is the longest.
pub(super) fn is_weekly(draft: &Draft<'_>, grounds: &Grounds<'_>, weekly: Cents) -> bool {
    let mut plans = grounds.offers.iter().chain(&grounds.counters);
    // The smallest amount of the plan rules, where it pays the debt in time.
    let smallest = weekly == grounds.settings.plans.min_weekly
        && grounds.debt().is_none_or(|debt| {
            let most = weekly.checked_mul(i64::from(grounds.settings.plans.max_weeks));
            most.is_some_and(|most| most >= debt)
        });
    plans.any(|t| t.weekly == weekly) || smallest || computed(draft, grounds, weekly)
}

/// Whether an amount pays the debt in a length that tenant or reply names, or in the longest.
pub(super) fn computed(draft: &Draft<'_>, grounds: &Grounds<'_>, weekly: Cents) -> bool {
    let own = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .filter_map(weeks_of);
    // "Split it in 6?"
    let split = grounds.asked.iter().flat_map(|s| &s.figures);
    let split = split.filter_map(|f| match f.what {
        Stated::Number(n) => Some(n / 100),
        Stated::Money {
            amount,
            marked: false,
        } => Some(amount.get() / 100),
        _ => None,
    });
    let split = split.filter(|n| (2..=i64::from(grounds.settings.plans.max_weeks)).contains(n));
    let own = own.chain(split);
    let named = draft.said.figures.iter().filter_map(|f| count(draft, f));
    let longest = i64::from(grounds.settings.plans.max_weeks);
    let mut lengths = own.chain(named).chain([longest]);
    weekly >= grounds.settings.plans.min_weekly
        && lengths.any(|n| is_pair(draft, grounds, weekly, n))
}

fn weeks_of(figure: &Statement) -> Option<i64> {
    weeks(figure).filter(|n| *n > 0)
}
