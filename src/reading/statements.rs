//! Every figure a reply states, and the phrases around it.
//!
//! The reader of inbound texts looks for one offer and may pass over what it does not understand.
//! Here it is the other way round: nothing with a digit or a number word in it may be passed over,
//! because whatever is not compared with a fact is sent unchecked.

use std::ops::Range;

use chrono::{Datelike, NaiveDate};

use crate::domain::Cents;

use super::context::Context;
use super::dates;
use super::lexicon::{Sym, sym};
use super::model::{Model, REPLIES};
use super::pattern::{Hit, Tag};
pub use super::stated::{Phrase, Stated, Statement, Statements, Unity};
use super::tokens::{self, Figure, Token};
use super::units::{Entity, PeriodKind, Unit};
use super::words::Class;

/// Compiles the reply tables now instead of at the first draft.
pub fn warm_up() {
    std::sync::LazyLock::force(&REPLIES);
}

/// Reads every figure and phrase. Linear in the text; never fails.
#[must_use]
pub fn read(text: &str, today: NaiveDate) -> Statements {
    let model = &*REPLIES;
    // "seventy-five": a hyphen between letters is a blank. Byte positions stay.
    let text = &unhyphenated(text);
    let tokens = tokens::tokenize(text, model);
    let context = Context::new(text, &tokens, model);
    let (sentences, questions) = sentences(&tokens);
    let mut found = Statements {
        sentences,
        questions,
        ..Statements::default()
    };
    for at in 0..context.units.len() {
        figures_of(&context, at, today, &mut found);
    }
    join_years(text, &mut found.figures);
    // Figures are one symbol to most phrases; words that a date swallowed ("first month") are words
    // to others.
    let mut hits = Vec::new();
    let syms: Vec<Sym> = context.units.iter().map(|u| u.sym).collect();
    let spans: Vec<Range<usize>> = context.units.iter().map(|u| bytes(&tokens, u)).collect();
    collect(model, &syms, &spans, &mut hits);
    let syms: Vec<Sym> = tokens.iter().map(|t| t.sym).collect();
    let spans: Vec<Range<usize>> = tokens.iter().map(|t| t.start..t.end).collect();
    collect(model, &syms, &spans, &mut hits);
    phrases(model, hits, &mut found);
    found.phrases.sort_by_key(|p| (p.span.start, p.span.end));
    found.phrases.dedup();
    found
}

/// "January 8, 2027": the year belongs to the date before it and is not two thousand dollars.
fn join_years(text: &str, figures: &mut Vec<Statement>) {
    let mut joined: Vec<Statement> = Vec::with_capacity(figures.len());
    for figure in figures.drain(..) {
        let value = match figure.what {
            Stated::Money {
                amount,
                marked: false,
            } => Some(amount.get()),
            Stated::Number(n) => Some(n),
            _ => None,
        };
        if let (Some(value), Some(before)) = (value, joined.last_mut())
            && let Stated::Date {
                date: Some(date), ..
            } = before.what
        {
            let gap = text.get(before.span.end..figure.span.start).unwrap_or("-");
            if value == i64::from(date.year()) * 100
                && matches!(gap.trim(), "," | "" | "de" | "del" | "of")
            {
                before.span.end = figure.span.end;
                continue;
            }
        }
        joined.push(figure);
    }
    *figures = joined;
}

fn unhyphenated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let between = before.is_alphabetic() && rest.peek().is_some_and(|n| n.is_alphabetic());
        out.push(if c == '-' && between { ' ' } else { c });
        before = c;
    }
    out
}

fn bytes(tokens: &[Token], unit: &Unit) -> Range<usize> {
    match (
        tokens.get(unit.first),
        tokens.get(unit.last.saturating_sub(1)),
    ) {
        (Some(a), Some(b)) => a.start..b.end.max(a.start),
        _ => 0..0,
    }
}

fn sentences(tokens: &[Token]) -> (Vec<Range<usize>>, Vec<usize>) {
    let (mut all, mut questions): (Vec<Range<usize>>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut open: Option<Range<usize>> = None;
    for token in tokens {
        if sym::ends_sentence(token.sym) {
            if let Some(mut done) = open.take() {
                done.end = token.end;
                all.push(done);
            }
            if token.sym == sym::QUESTION && !all.is_empty() {
                questions.push(all.len() - 1);
            }
        } else {
            open.get_or_insert(token.start..token.end).end = token.end;
        }
    }
    all.extend(open);
    (all, questions)
}

fn sentence_at(found: &Statements, at: usize) -> usize {
    found
        .sentences
        .iter()
        .position(|s| at < s.end)
        .unwrap_or(found.sentences.len().saturating_sub(1))
}

fn figures_of(c: &Context, at: usize, today: NaiveDate, found: &mut Statements) {
    let Some(unit) = c.units.get(at) else { return };
    let span = bytes(c.tokens, unit);
    let mut push = |what, span: Range<usize>| {
        let sentence = sentence_at(found, span.start);
        found.figures.push(Statement {
            what,
            span,
            sentence,
        });
    };
    match unit.entity {
        // "12 Fridays": payments, one each.
        Entity::Money(money) if !money.marked && precedes_weekdays(c, unit) => push(
            Stated::Count {
                hundredths: Some(money.amount.get()),
                unit: Unity::Payment,
            },
            span,
        ),
        Entity::Money(money) if !money.range => push(
            Stated::Money {
                amount: money.amount,
                marked: money.marked,
            },
            span,
        ),
        // "10 semanas de $120 o 12 de $100": no range, two plans side by side.
        Entity::Money(_) => match next_plan(c.text, &span) {
            Some((amount, first, count, second)) => {
                push(
                    Stated::Money {
                        amount,
                        marked: true,
                    },
                    first,
                );
                push(Stated::Number(count), second);
            }
            None => push(Stated::Digits, span),
        },
        Entity::Period(period) => {
            let words = &c.tokens[unit.first..unit.last];
            // "Al día de hoy": as of today, not every day.
            let after = c.text.get(span.end..).unwrap_or_default().trim_start();
            if after.to_lowercase().starts_with("de hoy") {
                return;
            }
            // "every Friday" is weekly, and it also names the day.
            if let Some(weekday) = dates::weekday_of(c, words) {
                let how = "weekday";
                let weekday = Some(weekday);
                push(
                    Stated::Date {
                        date: None,
                        weekday,
                        how,
                    },
                    span.clone(),
                );
            }
            if period.kind != PeriodKind::Paycheck {
                push(
                    Stated::Period {
                        payments: period.payments,
                        weeks: period.weeks,
                    },
                    span,
                );
            }
        }
        Entity::Duration(_) => durations(c, unit, &mut push),
        Entity::Date(label) => {
            let how = c
                .model
                .dates
                .labels
                .get(usize::from(label))
                .map_or("", |l| l.reason);
            if how == "relative" {
                return durations(c, unit, &mut push);
            }
            // "We'd", without its apostrophe, would be a Wednesday.
            let text = c.text.get(span.clone()).unwrap_or_default();
            if text.contains(['\'', '’']) && text.to_lowercase().starts_with("we") {
                return;
            }
            let words = &c.tokens[unit.first..unit.last];
            let weekday = dates::weekday_of(c, words);
            let date = dates::resolve(c, at, today);
            // "Friday, December 4" may be read as one date whose figure decides.
            let date = dates::numbered(c, words, today).or(date);
            push(Stated::Date { date, weekday, how }, span);
        }
        Entity::Number(_) | Entity::None => loose(c, unit, &mut push),
    }
}

/// "$120 o 12", before "de $100": an amount, and the count of the next one, each with its place.
fn next_plan(text: &str, span: &Range<usize>) -> Option<(Cents, Range<usize>, i64, Range<usize>)> {
    let after = text.get(span.end..)?.trim_start();
    let priced = [" $", "de $", "of $", "at $", "a $", "por $", "x $"];
    if !priced.iter().any(|p| after.starts_with(p.trim_start())) {
        return None;
    }
    let inside = text.get(span.clone())?;
    let (joint, at) = [" o ", " or ", " y ", " and "]
        .iter()
        .find_map(|joint| Some((*joint, inside.find(joint)?)))?;
    let (left, right) = (inside.get(..at)?, inside.get(at + joint.len()..)?);
    let amount = left.trim().strip_prefix('$')?.replace(',', "");
    let (dollars, cents) = amount.split_once('.').unwrap_or((amount.as_str(), "00"));
    let amount = dollars.parse::<i64>().ok()? * 100
        + cents.parse::<i64>().ok().filter(|_| cents.len() == 2)?;
    let count: i64 = right.trim().parse().ok()?;
    let second = span.start + at + joint.len();
    Some((
        Cents::new(amount),
        span.start..span.start + at,
        count * 100,
        second..span.end,
    ))
}

fn precedes_weekdays(c: &Context, unit: &Unit) -> bool {
    let next = c.tokens.get(unit.last).and_then(|t| word(c, t));
    next.is_some_and(|w| {
        let w = w.to_lowercase();
        w.ends_with("days") && w.len() > 6
            || matches!(w.as_str(), "lunes" | "martes" | "jueves" | "viernes")
    })
}

/// Counts inside a duration: "6 to 8 weeks" states both ends.
fn durations(c: &Context, unit: &Unit, push: &mut impl FnMut(Stated, Range<usize>)) {
    let span = bytes(c.tokens, unit);
    let of = (unit.first..unit.last)
        .filter_map(|i| unity(c.model, c.tokens.get(i)?.sym))
        .next_back();
    let Some(of) = of else {
        // "x 8": times.
        let count = numbers(c, unit).first().copied();
        let count = Stated::Count {
            hundredths: count,
            unit: Unity::Payment,
        };
        return push(count, span);
    };
    let counts = numbers(c, unit);
    if counts.is_empty() {
        let one = c.tokens[unit.first..unit.last]
            .iter()
            .any(|t| c.model.classes.is(t.sym, Class::A));
        let few = c.tokens[unit.first..unit.last]
            .iter()
            .any(|t| c.model.classes.is(t.sym, Class::Few));
        // "the cut in hours" counts nothing.
        if one || few {
            push(
                Stated::Count {
                    hundredths: (one && !few).then_some(100),
                    unit: of,
                },
                span,
            );
        }
        return;
    }
    for hundredths in counts {
        push(
            Stated::Count {
                hundredths: Some(hundredths),
                unit: of,
            },
            span.clone(),
        );
    }
}

fn numbers(c: &Context, unit: &Unit) -> Vec<i64> {
    let mut out = Vec::new();
    let mut at = unit.first;
    while at < unit.last {
        if let Some(Figure::Range(low, high)) = c.tokens[at].figure {
            out.extend([low, high]);
        } else if let Some(n) = c.model.numbers.read(c.tokens, c.text, at) {
            if n.digits || n.hundredths >= 200 || n.end > at + 1 || out.is_empty() {
                out.push(n.hundredths);
            }
            at = n.end;
            continue;
        }
        at += 1;
    }
    // "a month": the article is no second count; "eight (8) weeks" says the same twice.
    out.dedup();
    out
}

fn unity(model: &Model, s: Sym) -> Option<Unity> {
    let is = |class| model.classes.is(s, class);
    let named = |words: &[&str]| words.iter().any(|w| model.lexicon.get(w) == Some(s));
    if is(Class::Week) {
        Some(Unity::Week)
    } else if is(Class::Month) {
        Some(Unity::Month)
    } else if is(Class::Day) {
        Some(Unity::Day)
    } else if is(Class::Year) {
        Some(Unity::Year)
    } else if is(Class::Fortnight) {
        Some(Unity::Fortnight)
    } else if is(Class::Payment) || is(Class::Paycheck) {
        Some(Unity::Payment)
    } else if named(&[
        "hour", "hours", "hrs", "minute", "minutes", "min", "mins", "hora", "horas", "minutos",
    ]) {
        Some(Unity::Hour)
    } else {
        None
    }
}

/// Figures that the grammar of inbound texts leaves alone, and number words outside any entity.
fn loose(c: &Context, unit: &Unit, push: &mut impl FnMut(Stated, Range<usize>)) {
    let Some(token) = c.tokens.get(unit.first) else {
        return;
    };
    let whole = bytes(c.tokens, unit);
    let number = c.model.numbers.read(c.tokens, c.text, unit.first);
    match (token.figure, number) {
        (_, Some(n)) => {
            // "one of us", "una persona": an article more often than a figure.
            if !n.digits && n.hundredths <= 100 {
                return;
            }
            let end = c
                .tokens
                .get(n.end.saturating_sub(1))
                .map_or(whole.end, |t| t.end);
            let span = whole.start..end.max(whole.end);
            let next = c.tokens.get(n.end);
            let percent = next.is_some_and(|t| {
                t.sym == sym::PERCENT
                    || word(c, t).is_some_and(|w| matches!(w, "percent" | "porciento" | "per"))
            }) || por_ciento(c, n.end);
            if percent {
                push(Stated::Percent(n.hundredths), span);
            } else if let Some(of) = next.and_then(|t| unity(c.model, t.sym)) {
                push(
                    Stated::Count {
                        hundredths: Some(n.hundredths),
                        unit: of,
                    },
                    span,
                );
            } else {
                push(Stated::Number(n.hundredths), span);
            }
        }
        (Some(Figure::Ordinal(n)), None) => push(Stated::Number(i64::from(n) * 100), whole),
        (Some(_), None) => push(Stated::Digits, whole),
        (None, None) => {}
    }
}

fn por_ciento(c: &Context, at: usize) -> bool {
    let is = |i: usize, want: &[&str]| {
        c.tokens
            .get(i)
            .and_then(|t| word(c, t))
            .is_some_and(|w| want.contains(&w))
    };
    is(at, &["por", "per"]) && is(at + 1, &["ciento", "cent", "cien"])
}

fn word<'a>(c: &Context<'a>, t: &Token) -> Option<&'a str> {
    c.text.get(t.start..t.end)
}

/// A hit by its place in the text.
struct Found {
    tag: Tag,
    span: Range<usize>,
    /// Holds a "but": a refusal does not reach past it ("I can't do that, but I can waive the fee").
    turns: bool,
}

fn collect(model: &Model, syms: &[Sym], spans: &[Range<usize>], out: &mut Vec<Found>) {
    let mut hits: Vec<Hit> = Vec::new();
    model.triggers.hits(syms, &mut hits);
    out.extend(hits.iter().filter_map(|hit| {
        let start = spans.get(hit.start)?.start;
        let end = spans.get(hit.end.checked_sub(1)?)?.end;
        let turns = syms
            .get(hit.start..hit.end)?
            .iter()
            .any(|s| model.classes.is(*s, Class::Adversative));
        (end >= start).then_some(Found {
            tag: hit.tag,
            span: start..end,
            turns,
        })
    }));
}

fn phrases(model: &Model, hits: Vec<Found>, found: &mut Statements) {
    let (exceptions, hits): (Vec<Found>, Vec<Found>) =
        hits.into_iter().partition(|h| h.tag.exception);
    for hit in hits {
        let label = model.triggers.label(hit.tag);
        let excepted = exceptions.iter().any(|e| {
            let other = model.triggers.label(e.tag);
            !e.turns
                && e.span.start < hit.span.end
                && hit.span.start < e.span.end
                && (other.name, other.reason) == (label.name, label.reason)
        });
        if excepted {
            continue;
        }
        let sentence = sentence_at(found, hit.span.start);
        found.phrases.push(Phrase {
            name: label.name,
            reason: label.reason,
            span: hit.span,
            sentence,
        });
    }
}
