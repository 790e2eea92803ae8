//! What a reply states: figures with their places, and phrases of the reply tables.

use std::ops::Range;

use chrono::{NaiveDate, Weekday};

use crate::domain::money::Cents;

/// A unit of time or payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unity {
    /// Hours and minutes.
    Hour,
    /// Days, also business days.
    Day,
    /// Weeks.
    Week,
    /// Half months, as Spanish counts paydays.
    Fortnight,
    /// Months.
    Month,
    /// Years.
    Year,
    /// Instalments.
    Payment,
}

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// An amount; `marked` when written with a sign or word for dollars.
    Money {
        /// How much.
        amount: Cents,
        /// With a sign or a word for dollars.
        marked: bool,
    },
    /// So many payments in so many weeks.
    Period {
        /// Payments.
        payments: i64,
        /// In this many weeks.
        weeks: i64,
    },
    /// `8 weeks`, `47 days`; `None` for "a few weeks".
    Count {
        /// How many, in hundredths.
        hundredths: Option<i64>,
        /// Of what.
        unit: Unity,
    },
    /// A day, as far as the words name one.
    Date {
        /// The calendar date.
        date: Option<NaiveDate>,
        /// The weekday in the words.
        weekday: Option<Weekday>,
        /// How it was worded: `weekday`, `day`, `month_day`, `next_week`, `today` …
        how: &'static str,
    },
    /// In hundredths of a percent.
    Percent(i64),
    /// A number that is none of these, in hundredths.
    Number(i64),
    /// Digits that are no number: clock times, codes, ranges.
    Digits,
}

/// A figure with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is.
    pub what: Stated,
    /// Byte range, on character boundaries.
    pub span: Range<usize>,
    /// Number of its sentence, from 0.
    pub sentence: usize,
}

/// A phrase of the reply tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// Header name: `forbidden`, `promise`, `owed` …
    pub name: &'static str,
    /// Header reason: `eviction`, `waive` …
    pub reason: &'static str,
    /// Byte range, on character boundaries.
    pub span: Range<usize>,
    /// Number of its sentence, from 0.
    pub sentence: usize,
}

/// What a text states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements {
    /// Figures, in order.
    pub figures: Vec<Statement>,
    /// Phrases, in order.
    pub phrases: Vec<Phrase>,
    /// Byte ranges of the sentences.
    pub sentences: Vec<Range<usize>>,
    /// Sentences that ask.
    pub questions: Vec<usize>,
}

impl Statements {
    /// Phrases of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Phrase> + 'a {
        self.phrases.iter().filter(move |p| p.name == name)
    }

    /// Whether a figure lies inside a phrase of that name.
    #[must_use]
    pub fn within(&self, span: &Range<usize>, name: &str) -> bool {
        self.named(name)
            .any(|p| p.span.start <= span.start && span.end <= p.span.end)
    }
}
