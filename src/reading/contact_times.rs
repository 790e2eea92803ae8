//! "Don't text me at work, before noon, on Sundays": when a tenant does not want texts (`rules.md`
//! R10; 12 CFR 1006.6(b)(1)).
//!
//! A lead ("don't text me", "only text me") is found in the table `data/contact_times.txt`; what
//! follows it at once, or stands before it in its sentence, says when: [`clock`] reads the hours. A
//! lead without any time says nothing here: a bare "don't text me" is an opt-out, and the trigger
//! tables read it. A time that is named but cannot be told ("when I'm driving"), or holds for one day
//! only, is unclear, and a person asks.

mod clock;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use chrono::Weekday;

use self::clock::{span_of, time_at};
use super::lexicon::{Lexicon, Sym, sym};
use super::pattern::{Fault, Hit, Table, TableBuilder};
use super::spelling::Spelling;
use super::tokens::{self, Masks, Token};
use crate::domain::{Days, Quiet};

/// What a text says about when texts are unwanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactTimes {
    /// No texts then.
    pub quiet: Vec<Quiet>,
    /// Some of it could not be told, or was guessed: a person has to ask.
    pub unclear: bool,
    /// The words, as bytes of the text.
    pub span: Range<usize>,
}

/// What "at work" is taken for until a person has asked: most shifts, and no evening.
const USUAL_WORK: (u16, u16) = (9 * 60, 17 * 60);
/// The parts of a day, in minutes after midnight.
const MORNING: (u16, u16) = (0, 12 * 60);
const AFTERNOON: (u16, u16) = (12 * 60, 17 * 60);
const EVENING: (u16, u16) = (18 * 60, 24 * 60);

/// Words that mean something to the hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Day(Weekday),
    Days(Days),
    Hour(u16),
    Noon,
    Midnight,
    Am,
    Pm,
    /// Between two times.
    To,
    /// Between two wishes.
    And,
    /// Before a time or a day.
    Filler,
    /// It holds for once.
    Once,
    /// A range with this behind it counts something else.
    Counted,
}

const WORDS: &[(&str, Word)] = &[
    ("monday mondays mon lunes", Word::Day(Weekday::Mon)),
    ("tuesday tuesdays tues martes", Word::Day(Weekday::Tue)),
    ("wednesday wednesdays miercoles", Word::Day(Weekday::Wed)),
    ("thursday thursdays thurs jueves", Word::Day(Weekday::Thu)),
    ("friday fridays fri viernes", Word::Day(Weekday::Fri)),
    ("saturday saturdays sabado sabados", Word::Day(Weekday::Sat)),
    ("sunday sundays domingo domingos", Word::Day(Weekday::Sun)),
    ("weekend weekends finde findes", Word::Days(Days::WEEKEND)),
    ("weekday weekdays workdays", Word::Days(Days::WEEKDAYS)),
    ("one una", Word::Hour(1)),
    ("two dos", Word::Hour(2)),
    ("three tres", Word::Hour(3)),
    ("four cuatro", Word::Hour(4)),
    ("five cinco", Word::Hour(5)),
    ("six seis", Word::Hour(6)),
    ("seven siete", Word::Hour(7)),
    ("eight ocho", Word::Hour(8)),
    ("nine nueve", Word::Hour(9)),
    ("ten diez", Word::Hour(10)),
    ("eleven once", Word::Hour(11)),
    ("twelve doce", Word::Hour(12)),
    ("noon midday mediodia lunchtime", Word::Noon),
    ("midnight medianoche", Word::Midnight),
    ("am", Word::Am),
    ("pm", Word::Pm),
    ("to until thru through hasta", Word::To),
    ("and or nor y o ni", Word::And),
    (
        "the on in at any los las la el en de del every each all todos",
        Word::Filler,
    ),
    (
        "today tonight tomorrow now hoy ahora ahorita yesterday week semana this esta",
        Word::Once,
    ),
    (
        "payment payments pago pagos weeks semanas days dias months meses hundred dollars dolares bucks",
        Word::Counted,
    ),
];

struct Model {
    lexicon: Lexicon,
    spelling: Spelling,
    table: Table,
    words: HashMap<Sym, Word>,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| build().0);

/// With the lines that could not be compiled; a test proves there are none.
fn build() -> (Model, Vec<Fault>) {
    let mut lexicon = Lexicon::new();
    lexicon.load_variants(include_str!("data/variants.txt"));
    let mut builder = TableBuilder::default();
    builder.load(include_str!("data/contact_times.txt"), &mut lexicon);
    let mut words = HashMap::new();
    for (spellings, word) in WORDS {
        for spelling in spellings.split(' ') {
            words.entry(lexicon.intern(spelling)).or_insert(*word);
        }
    }
    let spelling = Spelling::shared(&mut lexicon);
    let (table, faults) = builder.finish(&lexicon);
    let model = Model {
        lexicon,
        spelling,
        table,
        words,
    };
    (model, faults)
}

/// What a text says about when texts are unwanted; `None` when it says nothing about that. Linear in
/// the text; never fails.
#[must_use]
pub fn read(text: &str) -> Option<ContactTimes> {
    let model = &*MODEL;
    let tokens = tokens::split(text, &model.lexicon, &Masks::default(), &model.spelling);
    let syms: Vec<Sym> = tokens.iter().map(|t| t.sym).collect();
    let mut hits = Vec::new();
    model.table.hits(&syms, &mut hits);
    let reader = Reader {
        text,
        tokens: &tokens,
        model,
        hits,
    };
    reader.read()
}

/// When a wish holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    /// So many minutes after midnight until so many; whether that is certain.
    Hours(u16, u16, bool),
    Days(Days),
    Work,
    Vague,
}

/// Hours, days, or both: "before noon on Sundays".
type Piece = (Option<(u16, u16)>, Option<Days>);

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
    model: &'a Model,
    hits: Vec<Hit>,
}

/// What a lead asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// No texts then.
    Not,
    /// Texts then and at no other time.
    Only,
}

impl Reader<'_> {
    fn read(&self) -> Option<ContactTimes> {
        let mut found: Option<ContactTimes> = None;
        let mut done = 0;
        while let Some((lead, name, hit)) = self.lead_from(done) {
            done = hit.end.max(done + 1);
            let (mut whens, mut end) = self.whens(hit.end, lead);
            let mut start = hit.start;
            if whens.is_empty() && lead == Lead::Not {
                // "Before noon please don't text me."
                let opening = self.sentence(hit.start).start;
                let (before, to) = self.whens(opening, lead);
                if !before.is_empty() && to >= self.back_over_fillers(hit.start) {
                    (whens, start) = (before, opening);
                }
            }
            // "Text me after 5" asks for a time, "text me before 5" names a last moment.
            let asked =
                name != "please" || matches!(whens.first(), Some(When::Hours(f, ..)) if *f > 0);
            if whens.is_empty() || !asked {
                continue;
            }
            end = end.max(hit.end);
            done = done.max(end);
            let (mut quiet, mut unclear) = self.quiet(&whens, lead);
            if self.is_for_once(start, end) {
                (quiet, unclear) = (Vec::new(), true);
            }
            let bytes = self.bytes(start..end);
            found = Some(match found {
                None => ContactTimes {
                    quiet,
                    unclear,
                    span: bytes,
                },
                Some(mut earlier) => {
                    earlier.quiet.extend(quiet);
                    earlier.unclear |= unclear;
                    earlier.span.end = bytes.end;
                    earlier
                }
            });
        }
        let mut found = found?;
        found.quiet.sort_unstable();
        found.quiet.dedup();
        Some(found)
    }

    /// The first lead from a token on, the longest where several begin.
    fn lead_from(&self, at: usize) -> Option<(Lead, &'static str, Hit)> {
        let leads = self.hits.iter().filter(|h| h.start >= at);
        let leads = leads.filter(|h| self.model.table.label(h.tag).name == "lead");
        let hit = leads.min_by_key(|h| (h.start, std::cmp::Reverse(h.end)))?;
        let name = self.model.table.label(hit.tag).reason;
        let lead = if name == "forbid" {
            Lead::Not
        } else {
            Lead::Only
        };
        Some((lead, name, *hit))
    }

    fn word(&self, at: usize) -> Option<Word> {
        let token = self.tokens.get(at)?;
        self.model.words.get(&token.sym).copied()
    }

    fn is(&self, at: usize, word: Word) -> bool {
        self.word(at) == Some(word)
    }

    fn bytes(&self, range: Range<usize>) -> Range<usize> {
        let start = self.tokens.get(range.start).map_or(0, |t| t.start);
        let last = range.end.checked_sub(1).and_then(|at| self.tokens.get(at));
        start..last.map_or(start, |t| t.end).max(start)
    }

    /// The tokens of the sentence around a token.
    fn sentence(&self, at: usize) -> Range<usize> {
        let ends = |i: &usize| {
            self.tokens
                .get(*i)
                .is_none_or(|t| sym::ends_sentence(t.sym))
        };
        let start = (0..at).rev().find(ends).map_or(0, |i| i + 1);
        let end = (at..=self.tokens.len()).find(ends);
        start..end.unwrap_or(self.tokens.len())
    }

    /// "Before noon, please ..": where the words between a time and its lead begin.
    fn back_over_fillers(&self, at: usize) -> usize {
        let polite = [
            self.model.lexicon.get("please"),
            self.model.lexicon.get("favor"),
        ];
        let mut at = at;
        while at > 0 {
            let Some(before) = self.tokens.get(at - 1) else {
                break;
            };
            let skip = before.sym == sym::COMMA
                || polite.contains(&Some(before.sym))
                || matches!(self.word(at - 1), Some(Word::And | Word::Filler));
            if !skip {
                break;
            }
            at -= 1;
        }
        at
    }

    /// Everything that says when, from a token on, and where it ends.
    fn whens(&self, from: usize, lead: Lead) -> (Vec<When>, usize) {
        let (mut whens, mut at) = (Vec::new(), from);
        loop {
            // A comma or "or" between two wishes, nothing before the first.
            let mut next = at;
            while !whens.is_empty()
                && (self.is(next, Word::And)
                    || self.tokens.get(next).is_some_and(|t| t.sym == sym::COMMA))
            {
                next += 1;
            }
            let Some((when, end)) = self.when(next, lead) else {
                return (whens, at);
            };
            // What stands behind an unknown time belongs to it: "until Friday".
            let vague = when == When::Vague;
            whens.push(when);
            at = end;
            if vague {
                return (whens, at);
            }
        }
    }

    /// One time or set of days.
    fn when(&self, at: usize, lead: Lead) -> Option<(When, usize)> {
        let mut begun = self
            .hits
            .iter()
            .filter(|h| h.start == at && self.model.table.label(h.tag).name == "when");
        let longest = begun
            .by_ref()
            .max_by_key(|h| (h.end, std::cmp::Reverse(h.tag.label)));
        let Some(hit) = longest else {
            let (days, end) = self.days(at)?;
            return Some((When::Days(days), end));
        };
        let end = hit.end;
        let part = |(from, until): (u16, u16)| Some((When::Hours(from, until, true), end));
        match self.model.table.label(hit.tag).reason {
            "before" => Some(match time_at(self, end) {
                Some((time, end)) => {
                    let (minute, sure) = time.before(lead == Lead::Only);
                    (When::Hours(0, minute, sure), end)
                }
                None => (When::Vague, end),
            }),
            "after" => Some(match time_at(self, end) {
                Some((time, end)) => {
                    let (minute, sure) = time.after(lead == Lead::Only);
                    (When::Hours(minute, 24 * 60, sure), end)
                }
                None => (When::Vague, end),
            }),
            // "Until 5": today's five o'clock, most of the time.
            "until" => Some((When::Vague, end)),
            "between" => {
                let (from, until, end) = span_of(self, end)?;
                Some((When::Hours(from, until, true), end))
            }
            "work" => Some(
                match self.span_after(end).or_else(|| self.span_anywhere()) {
                    Some((from, until)) => (When::Hours(from, until, true), end),
                    None => (When::Work, end),
                },
            ),
            "then" => Some(match self.span_anywhere() {
                Some((from, until)) => (When::Hours(from, until, true), end),
                None => (When::Vague, end),
            }),
            "morning" => part(MORNING),
            "afternoon" => part(AFTERNOON),
            "night" => part(EVENING),
            _ => Some((When::Vague, end)),
        }
    }

    /// "My shift (9 to 5)", "my shift, 9-5", "my shift from 9 to 5".
    fn span_after(&self, at: usize) -> Option<(u16, u16)> {
        (at..at + 4).find_map(|from| span_of(self, from).map(|(a, b, _)| (a, b)))
    }

    /// "I work 9 to 5, so ..".
    fn span_anywhere(&self) -> Option<(u16, u16)> {
        let spans = (0..self.tokens.len()).filter_map(|at| span_of(self, at));
        spans
            .filter(|(.., end)| !self.is(*end, Word::Counted))
            .map(|(from, until, _)| (from, until))
            .next()
    }

    /// "On Sundays", "los domingos", "Monday to Friday".
    fn days(&self, at: usize) -> Option<(Days, usize)> {
        let mut at = at;
        while self.is(at, Word::Filler) {
            at += 1;
        }
        let mut days = match self.word(at)? {
            Word::Day(day) => Days::one(day),
            Word::Days(days) => days,
            _ => return None,
        };
        let mut end = at + 1;
        let to = |at: usize| {
            self.is(at, Word::To) || self.tokens.get(at).is_some_and(|t| t.sym == sym::DASH)
        };
        if let (Some(Word::Day(from)), true, Some(Word::Day(last))) =
            (self.word(at), to(end), self.word(end + 1))
        {
            days = Days::through(from, last);
            end += 2;
        }
        // "Saturday and Sunday" is one set of days.
        while let (Some(Word::And), Some(Word::Day(day))) = (self.word(end), self.word(end + 1)) {
            days = days.and(Days::one(day));
            end += 2;
        }
        Some((days, end))
    }

    /// The hours without texts, and whether somebody has to ask.
    fn quiet(&self, whens: &[When], lead: Lead) -> (Vec<Quiet>, bool) {
        let mut unclear = false;
        let mut pieces: Vec<Piece> = Vec::new();
        for when in whens {
            let (hours, days) = match when {
                When::Hours(from, until, sure) => {
                    unclear |= !sure;
                    (Some((*from, *until)), None)
                }
                When::Days(days) => (None, Some(*days)),
                When::Work => {
                    unclear = true;
                    (Some(USUAL_WORK), Some(Days::WEEKDAYS))
                }
                When::Vague => {
                    unclear = true;
                    continue;
                }
            };
            // "Before noon on Sundays" is one wish.
            match pieces.last_mut() {
                Some((h @ None, _)) if days.is_none() => *h = hours,
                Some((_, d @ None)) if hours.is_none() => *d = days,
                _ => pieces.push((hours, days)),
            }
        }
        let over = |days: Option<Days>, (from, until): (u16, u16)| {
            Quiet::over(days.unwrap_or(Days::ALL), from, until)
        };
        let whole = (0, 24 * 60);
        if lead == Lead::Not {
            let all = pieces
                .iter()
                .flat_map(|(hours, days)| over(*days, hours.unwrap_or(whole)));
            return (all.collect(), unclear);
        }
        // Several allowed times: what is left between them a person writes down.
        let [(hours, days)] = pieces.as_slice() else {
            return (Vec::new(), true);
        };
        let mut quiet = Vec::new();
        if let Some((from, until)) = *hours {
            quiet.extend(Quiet::new(days.unwrap_or(Days::ALL), 0, from));
            quiet.extend(Quiet::new(days.unwrap_or(Days::ALL), until, 24 * 60));
        }
        if let Some(others) = days.and_then(Days::others) {
            quiet.extend(over(Some(others), whole));
        }
        (quiet, unclear)
    }

    /// "Today", "this week": no rule for the weeks to come. Looked for behind the wish in its own
    /// sentence, and in it.
    fn is_for_once(&self, start: usize, end: usize) -> bool {
        let sentence = self.sentence(start);
        (start..sentence.end.max(end)).any(|at| self.is(at, Word::Once))
    }
}

#[cfg(test)]
mod tests;
