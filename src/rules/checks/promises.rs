//! Promises: nothing beyond the plan rules, and no plan the tenant did not offer.

use super::{Draft, Finding, Grounds, UNGROUNDED, instalments, refusal, stems};
use crate::reading::plain_words;

const NAME: &str = "promises";

/// Log odds below which words of agreement agree to nothing.
const CLEARLY: f64 = -3.3;

pub(super) fn check(draft: &Draft<'_>, grounds: &Grounds<'_>) -> Finding {
    let fail = |code, why| Finding::failed(NAME, UNGROUNDED, code, why);
    let refusable = |reason: &str| matches!(reason, "waive" | "extension" | "assistance");
    let promise = draft.said.named("promise").find(|p| {
        let refused = refusable(p.reason) && refusal::is_refused(draft, &p.span);
        !refused
            && !is_quoted_fact(draft, grounds, p)
            && !is_worked_out(draft, grounds, p)
            && !is_own_refund(draft, grounds, &p.span)
            && !draft.excuses(&p.span, grounds)
    });
    if let Some(promise) = promise {
        return fail(
            promise.reason,
            "promises or suggests what the plan rules do not have",
        );
    }
    if let Some(at) = stems::find(draft.reply, stems::CONCESSIONS)
        && !refusal::is_refused(draft, &at)
        && !is_own_refund(draft, grounds, &at)
        && !draft.excuses(&at, grounds)
    {
        return fail(
            "concession",
            "speaks of a concession that the plan rules do not have",
        );
    }
    let accepts: Vec<&str> = draft
        .said
        .named("accepts")
        .filter(|p| !draft.said.questions.contains(&p.sentence))
        .filter(|p| !is_sufficiency(draft, grounds, p) && !is_proposal(draft, p))
        .filter(|p| !refusal::is_refused(draft, &p.span) && !is_turned(draft, &p.span))
        // Whether a plan may be taken up depends on its figures, so the wording has to be clearer.
        .filter(|p| !(draft.odds < CLEARLY && draft.excuses(&p.span, grounds)))
        .map(|p| draft.words(&p.span))
        .collect();
    if !accepts.is_empty()
        && let Some((code, why)) = wrongly_accepts(&accepts, draft, grounds)
    {
        return fail(code, why);
    }
    if takes_up_silently(draft, grounds) {
        return fail(
            "accepts",
            "repeats a plan the rules do not admit as if it were fine",
        );
    }
    if affirms_concession(draft, grounds) {
        return fail("agrees", "agrees to a concession the tenant asks for");
    }
    Finding::passed(NAME)
}

/// "With $98 it's enough in 12": says that it adds up, which the amounts prove.
fn is_sufficiency(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    phrase: &crate::reading::statements::Phrase,
) -> bool {
    use crate::reading::statements::Stated;
    let words = plain_words(draft.words(&phrase.span));
    let enough = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "enough" | "sufficient" | "suficiente" | "alcanza" | "basta"
        )
    });
    enough
        && draft.said.figures.iter().any(|f| match f.what {
            Stated::Money { amount, .. } => {
                f.sentence == phrase.sentence && instalments::finishes(draft, grounds, f, amount)
            }
            _ => false,
        })
}

/// "We could do 10 payments of $50, or 5 of $90. Which suits you?": proposed, and asked about next.
fn is_proposal(draft: &Draft<'_>, phrase: &crate::reading::statements::Phrase) -> bool {
    let words = plain_words(draft.words(&phrase.span));
    let open = words
        .iter()
        .any(|w| matches!(w.as_str(), "could" | "podriamos" | "podria"));
    open && draft.said.questions.contains(&(phrase.sentence + 1))
}

/// "Starting on the 11th is fine, but $55 a week needs 13 weeks": what was agreed to is not the plan.
fn is_turned(draft: &Draft<'_>, span: &std::ops::Range<usize>) -> bool {
    let sentence = draft
        .said
        .sentences
        .iter()
        .position(|s| s.contains(&span.start));
    let Some(sentence) = sentence else {
        return false;
    };
    let end = draft
        .said
        .sentences
        .get(sentence)
        .map_or(span.end, |s| s.end);
    let after = plain_words(draft.reply.get(span.end..end).unwrap_or_default());
    after
        .iter()
        .take(2)
        .any(|w| matches!(w.as_str(), "but" | "pero"))
        && super::shortfalls::says_short_or_long(draft, sentence)
}

/// An offer that the rules do not admit is named, and nobody is asked to decide, nothing asked back
/// and no limit mentioned.
fn takes_up_silently(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    use crate::reading::statements::Stated;
    let inadmissible =
        !grounds.offers.is_empty() && !grounds.offers.iter().any(|o| grounds.admits(*o));
    let named = draft.said.figures.iter().any(|f| match f.what {
        Stated::Money { amount, .. } => grounds.offers.iter().any(|o| o.weekly == amount),
        _ => false,
    });
    let words = plain_words(draft.reply);
    let handed_on = words.iter().any(|w| {
        [
            "manager",
            "someone",
            "person",
            "team",
            "gerente",
            "alguien",
            "persona",
            "equipo",
            "encargad",
            "unable",
            "cant",
            "cannot",
            "not",
            "no",
            "limit",
            "short",
            "less",
            "longest",
            "maximum",
            "minimum",
            "least",
            "menos",
            "maximo",
            "minimo",
            "falt",
            "need",
            "necesit",
            "instead",
            "unfortunately",
        ]
        .iter()
        .any(|s| w.starts_with(s))
    });
    // "After 4 weeks at $110, $545 would be left": an answer, nothing agreed to.
    let sums = super::sums::Sums::of(draft, grounds);
    let tells_rest = draft.said.named("accepts").next().is_none()
        && draft.said.figures.iter().any(|f| match f.what {
            Stated::Money { amount, .. } => sums.rest.contains(&amount),
            _ => false,
        });
    !tells_rest
        && inadmissible
        && named
        && !handed_on
        && !instalments::restates(draft, grounds)
        && draft.said.questions.is_empty()
}

/// "Once you know more about the refund": the one the tenant waits for, not one of ours.
fn is_own_refund(draft: &Draft<'_>, grounds: &Grounds<'_>, span: &std::ops::Range<usize>) -> bool {
    let word = plain_words(draft.words(span)).concat();
    let before = plain_words(draft.reply.get(..span.start).unwrap_or_default()).pop();
    matches!(word.as_str(), "refund" | "reembolso")
        && grounds.said_any(&["refund", "reembolso", "taxes", "tax", "impuestos"])
        && before.is_some_and(|w| matches!(w.as_str(), "the" | "your" | "tax" | "su" | "el"))
}

/// "$480 would be left, or 6 more weeks"; "bajamos a $85", the tenant's own admissible offer: a figure
/// that follows from the plan, no concession.
fn is_worked_out(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    phrase: &crate::reading::statements::Phrase,
) -> bool {
    use crate::reading::statements::{Stated, Unity};
    let beside = |f: &&crate::reading::statements::Statement| {
        f.span.start < phrase.span.end && phrase.span.start < f.span.end
    };
    let mut figures = draft.said.figures.iter().filter(beside);
    match phrase.reason {
        "extension" => figures.any(|f| match f.what {
            Stated::Count {
                hundredths: Some(h),
                unit: unit @ (Unity::Week | Unity::Payment),
            } => {
                instalments::is_further(draft, f)
                    && instalments::counts(draft, grounds, f, h / 100, unit)
            }
            _ => false,
        }),
        "waive" => figures.any(|f| match f.what {
            Stated::Money { amount, .. } => {
                grounds.own_amounts().any(|own| own == amount)
                    && instalments::finishes(draft, grounds, f, amount)
            }
            _ => false,
        }),
        _ => false,
    }
}

/// Office hours and the like may hold such words when the company itself says so.
fn is_quoted_fact(
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
    phrase: &crate::reading::statements::Phrase,
) -> bool {
    let company = grounds
        .settings
        .company_facts
        .as_deref()
        .unwrap_or_default();
    let words = plain_words(draft.words(&phrase.span)).join(" ");
    !words.is_empty() && plain_words(company).join(" ").contains(&words)
}

fn wrongly_accepts(
    phrases: &[&str],
    draft: &Draft<'_>,
    grounds: &Grounds<'_>,
) -> Option<(&'static str, &'static str)> {
    if grounds.gives_orders {
        return Some(("accepts", "agrees to what a text orders the model to say"));
    }
    if instalments::restates(draft, grounds) {
        return None;
    }
    if takes_other_rhythm(draft) {
        return Some(("accepts", "accepts another rhythm than weekly"));
    }
    if !grounds.offers.is_empty() {
        let late = says_start_limit(draft, grounds);
        let good = grounds
            .offers
            .iter()
            .all(|offer| grounds.admits(*offer) || late && grounds.starts_too_late(*offer));
        return (!good).then_some(("accepts", "accepts a plan the rules do not admit"));
    }
    if asks_concession(grounds) {
        return Some(("accepts", "accepts what the plan rules do not have"));
    }
    if grounds.promises {
        return None;
    }
    let friendly = |p: &&str| {
        let words = plain_words(p).join(" ");
        matches!(
            words.as_str(),
            "sounds good" | "sounds great" | "sounds perfect" | "sounds fine"
        ) || words.starts_with("suena")
            || words.starts_with("esta bien")
            || words.starts_with("de acuerdo")
            || words.starts_with("listo")
    };
    // A length without an amount ("over 10 weeks"): taken up when the reply's own pair is checked.
    let length = grounds.own.iter().flat_map(|s| &s.figures).any(|f| {
        super::vouched::weeks(f).is_some_and(|n| n <= i64::from(grounds.settings.plans.max_weeks))
    });
    let dated = grounds
        .own
        .iter()
        .flat_map(|s| &s.figures)
        .any(|f| matches!(f.what, crate::reading::statements::Stated::Date { .. }));
    // One payment of a sum: fine when it is all that is owed, or at least a payment of a plan.
    let sum = grounds
        .own_amounts()
        .any(|a| a >= grounds.settings.plans.min_weekly || grounds.debt() == Some(a));
    (!length && !dated && !sum && !phrases.iter().all(friendly))
        .then_some(("accepts", "accepts a plan the tenant did not offer"))
}

/// "$250 every two weeks works": an amount with another rhythm, in a sentence that asks nothing and
/// names no weekly one.
fn takes_other_rhythm(draft: &Draft<'_>) -> bool {
    use crate::reading::statements::Stated;
    draft
        .said
        .named("accepts")
        .filter(|p| !draft.said.questions.contains(&p.sentence))
        .any(|p| {
            let inside = || {
                draft
                    .said
                    .figures
                    .iter()
                    .filter(|f| f.sentence == p.sentence)
            };
            let rhythms: Vec<bool> = inside()
                .filter_map(|f| match f.what {
                    Stated::Period { payments, weeks } => Some(payments == weeks),
                    _ => None,
                })
                .collect();
            let money = inside().any(|f| matches!(f.what, Stated::Money { .. }));
            money
                && !rhythms.is_empty()
                && rhythms.iter().all(|weekly| !weekly)
                && !super::shortfalls::says_short_or_long(draft, p.sentence)
        })
}

/// "The start has to be within 30 days": what was agreed to is the amount.
fn says_start_limit(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    use crate::reading::statements::{Stated, Unity};
    let limit = i64::from(grounds.settings.plans.max_start_days) * 100;
    draft.said.figures.iter().any(
        |f| matches!(f.what, Stated::Count { hundredths: Some(n), unit: Unity::Day } if n == limit),
    )
}

fn asks_concession(grounds: &Grounds<'_>) -> bool {
    grounds.asked.iter().enumerate().any(|(at, s)| {
        s.named("request").next().is_some()
            || s.named("promise").any(|p| {
                // "I'll pay 200 on Friday" is the tenant's own promise.
                let text = grounds.texts.get(at).and_then(|t| t.get(p.span.clone()));
                let first = plain_words(text.unwrap_or_default()).into_iter().next();
                let own = first.is_some_and(|w| matches!(w.as_str(), "i" | "ill" | "we" | "well"));
                p.reason == "waive" && !own
            })
    })
}

/// "$550 this Friday and the other $550 next Friday", when the tenant asks for two parts.
fn pays_in_halves(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    use crate::reading::statements::Stated;
    let half = grounds.debt().and_then(|debt| debt.divided_by(2));
    let halves = draft.said.figures.iter().filter(|f| match f.what {
        Stated::Money { amount, .. } => half == Some(amount),
        _ => false,
    });
    grounds.halves() && halves.count() == 2
}

/// "Sure!" to "can you waive it": without a promise word of its own.
fn affirms_concession(draft: &Draft<'_>, grounds: &Grounds<'_>) -> bool {
    let affirms: Vec<_> = draft.said.named("affirms").collect();
    if affirms.is_empty() || !asks_concession(grounds) && !grounds.gives_orders {
        return false;
    }
    // "Deal: $91 a week, 12 weeks": what was asked for is a plan that pays it all.
    if !grounds.gives_orders
        && (instalments::restates(draft, grounds) || pays_in_halves(draft, grounds))
    {
        return false;
    }
    let words = plain_words(draft.reply);
    let refuses = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "cant"
                | "cannot"
                | "unable"
                | "not"
                | "no"
                | "unfortunately"
                | "manager"
                | "person"
                | "someone"
                | "team"
                | "gerente"
                | "encargado"
                | "lamentablemente"
                | "persona"
                | "alguien"
                | "equipo"
        )
    });
    let asks = !draft.said.questions.is_empty();
    let strong = affirms.iter().any(|p| {
        let words = plain_words(draft.words(&p.span)).join(" ");
        words.contains("problem")
            || words.contains("worries")
            || words.contains("fine")
            || words.contains("approved")
            || words.contains("aprobado")
            || words.contains("granted")
            || words.contains("done")
            || words.contains("hecho")
    });
    !refuses && (!asks || strong)
}
