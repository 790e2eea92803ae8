//! Times of the day as people write them: "5", "5pm", "17:30", "noon", "las 6 de la tarde", "9-5".

use super::{Reader, Word};
use crate::reading::lexicon::sym;
use crate::reading::tokens::Figure;

const HOUR: u16 = 60;
const NOON: u16 = 12 * HOUR;

/// A time as written: "5" may be either half of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawTime {
    hour: u16,
    minute: u16,
    /// The half of the day was said, or there is only one.
    half: Option<Half>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Morning,
    Afternoon,
    /// Of 24 hours.
    Clear,
}

impl RawTime {
    fn clear(minute: u16) -> Self {
        Self {
            hour: minute / HOUR,
            minute: minute % HOUR,
            half: Some(Half::Clear),
        }
    }

    fn new(hour: u16, minute: u16) -> Option<Self> {
        let half = (hour == 0 || hour > 12).then_some(Half::Clear);
        (hour <= 24 && minute < 60).then_some(Self { hour, minute, half })
    }

    /// Minutes after midnight, when there is no doubt.
    fn exact(self) -> Option<u16> {
        let twelve = (self.hour % 12) * HOUR + self.minute;
        match self.half? {
            Half::Clear => Some(self.hour * HOUR + self.minute),
            Half::Morning => Some(twelve),
            Half::Afternoon => Some(twelve + NOON),
        }
    }

    fn morning(self) -> u16 {
        (self.hour % 12) * HOUR + self.minute
    }

    fn afternoon(self) -> u16 {
        self.morning() + NOON
    }

    /// The time behind "before", and whether it is certain. Nobody is texted before eight, so "not
    /// before 3" means the afternoon; "not before 6" may be a complaint about the early morning.
    pub(super) fn before(self, only: bool) -> (u16, bool) {
        match (self.exact(), self.hour) {
            (Some(minute), _) => (minute, true),
            (None, 12) => (NOON + self.minute, true),
            (None, 8..=11) => (self.morning(), !only),
            (None, 5..=7) => (self.afternoon(), only),
            (None, _) => (self.afternoon(), true),
        }
    }

    /// The time behind "after", and whether it is certain.
    pub(super) fn after(self, only: bool) -> (u16, bool) {
        match (self.exact(), self.hour) {
            (Some(minute), _) if minute >= 24 * HOUR => (0, false),
            (Some(minute), _) => (minute, true),
            (None, 12) => (NOON + self.minute, only),
            (None, 8..=11) if only => (self.morning(), true),
            (None, _) => (self.afternoon(), true),
        }
    }
}

/// From one time to another.
fn span(from: RawTime, until: RawTime) -> (u16, u16) {
    let start = from.exact().unwrap_or_else(|| match until.exact() {
        // "1-5pm" is one half of the day, "9-5pm" is two.
        Some(end) => {
            let late = end >= NOON;
            let same = from.hour % 12 < (end / HOUR) % 12;
            if late == same {
                from.afternoon()
            } else {
                from.morning()
            }
        }
        None if (6..=11).contains(&from.hour) => from.morning(),
        None => from.afternoon(),
    });
    let end = until.exact().unwrap_or_else(|| {
        if until.morning() > start {
            until.morning()
        } else if until.afternoon() > start {
            until.afternoon()
        } else {
            until.morning()
        }
    });
    (start, end)
}

/// "9", "9:30", without the half of the day.
fn digits(text: &str) -> Option<RawTime> {
    let (hour, minute) = match text.split_once([':', '.']) {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute.parse().ok()?),
        Some(_) => return None,
        None => (text, 0),
    };
    RawTime::new(hour.parse().ok()?, minute)
}

/// A token that is a time: "5", "5pm", "17:30".
fn written(text: &str) -> Option<RawTime> {
    let lower = text.to_ascii_lowercase();
    let (body, half) = if let Some(body) = lower.strip_suffix("am") {
        (body, Some(Half::Morning))
    } else if let Some(body) = lower.strip_suffix("pm") {
        (body, Some(Half::Afternoon))
    } else {
        (lower.as_str(), None)
    };
    let mut time = digits(body.trim())?;
    if half.is_some() && time.half.is_none() {
        time.half = half;
    }
    Some(time)
}

/// A time at a token, and where it ends.
pub(super) fn time_at(reader: &Reader<'_>, at: usize) -> Option<(RawTime, usize)> {
    let mut at = at;
    while reader.is(at, Word::Filler) {
        at += 1;
    }
    let token = reader.tokens.get(at)?;
    let mut time = match reader.word(at) {
        Some(Word::Noon) => return Some((RawTime::clear(NOON), at + 1)),
        Some(Word::Midnight) => return Some((RawTime::clear(24 * HOUR), at + 1)),
        Some(Word::Hour(hour)) => RawTime::new(hour, 0)?,
        _ if token.figure.is_some() => written(reader.text.get(token.start..token.end)?)?,
        _ => return None,
    };
    let mut end = at + 1;
    let half = half_at(reader, end);
    if let Some((half, after)) = half {
        time.half = time.half.or(Some(half));
        end = after;
    }
    Some((time, end))
}

/// "pm", "de la tarde", "in the morning", "at night".
fn half_at(reader: &Reader<'_>, at: usize) -> Option<(Half, usize)> {
    match reader.word(at) {
        Some(Word::Am) => return Some((Half::Morning, at + 1)),
        Some(Word::Pm) => return Some((Half::Afternoon, at + 1)),
        _ => {}
    }
    let mut word = at;
    while reader.is(word, Word::Filler) {
        word += 1;
    }
    let token = reader.tokens.get(word).filter(|_| word > at)?;
    let said = crate::reading::plain_words(reader.text.get(token.start..token.end)?).concat();
    match said.as_str() {
        "morning" | "manana" => Some((Half::Morning, word + 1)),
        "afternoon" | "evening" | "night" | "tarde" | "noche" => Some((Half::Afternoon, word + 1)),
        _ => None,
    }
}

/// From one time to another at a token, and where that ends.
pub(super) fn span_of(reader: &Reader<'_>, at: usize) -> Option<(u16, u16, usize)> {
    let token = reader.tokens.get(at)?;
    let text = reader.text.get(token.start..token.end)?;
    // "9-5", "9-5pm" are one token.
    if matches!(token.figure, Some(Figure::Range(..) | Figure::Other))
        && let Some((from, until)) = text.split_once('-')
        && let Some((from, mut until)) = written(from).zip(written(until))
    {
        let mut end = at + 1;
        if let Some((half, after)) = half_at(reader, end) {
            until.half = until.half.or(Some(half));
            end = after;
        }
        let (from, until) = span(from, until);
        return (from != until).then_some((from, until, end));
    }
    let (from, next) = time_at(reader, at)?;
    let dash = reader.tokens.get(next).is_some_and(|t| t.sym == sym::DASH);
    let a = reader
        .tokens
        .get(next)
        .and_then(|t| reader.text.get(t.start..t.end))
        == Some("a");
    if !(dash || a || matches!(reader.word(next), Some(Word::To | Word::And))) {
        return None;
    }
    let (until, end) = time_at(reader, next + 1)?;
    let (from, until) = span(from, until);
    (from != until).then_some((from, until, end))
}
