//! Hours of the week in which somebody does not want texts (`rules.md` R10; 12 CFR 1006.6(b)(1)).

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// The names on the wire, Monday first.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);
    /// Monday to Friday.
    pub const WEEKDAYS: Self = Self(0b001_1111);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0b110_0000);

    /// One day.
    pub fn one(day: Weekday) -> Self {
        Self(1 << day.num_days_from_monday())
    }

    /// From one day through another, over the weekend if need be.
    pub fn through(from: Weekday, last: Weekday) -> Self {
        let mut days = Self::one(from);
        let mut day = from;
        while day != last {
            day = day.succ();
            days = days.and(Self::one(day));
        }
        days
    }

    /// The days of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The days that are not among them; `None` when that leaves none.
    pub fn others(self) -> Option<Self> {
        let rest = !self.0 & Self::ALL.0;
        (rest != 0).then_some(Self(rest))
    }

    fn has(self, day: Weekday) -> bool {
        self.0 & Self::one(day).0 != 0
    }
}

/// From a minute until, not including, another one of the same day, on some days of the week, by the
/// clock of whoever is texted: no texts then. `mon-fri 09:00-17:00` on the wire, `00:00-12:00` for
/// every day, `sun` for a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quiet {
    days: Days,
    from: u16,
    until: u16,
}

/// Not hours of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be hours like 09:00-17:00, mon-fri 09:00-17:00 or sun")]
pub struct InvalidQuiet;

impl Quiet {
    /// So many minutes after midnight until so many; `None` when that is no time at all.
    pub fn new(days: Days, from: u16, until: u16) -> Option<Self> {
        (from < until && until <= DAY).then_some(Self { days, from, until })
    }

    /// A time that may go over midnight: "10 at night to 6" is two spans. The part after midnight
    /// belongs to the day after.
    pub fn over(days: Days, from: u16, until: u16) -> Vec<Self> {
        if from < until {
            return Self::new(days, from, until).into_iter().collect();
        }
        let after = Days(((days.0 << 1) | (days.0 >> 6)) & Days::ALL.0);
        [Self::new(days, from, DAY), Self::new(after, 0, until)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether a moment by the local clock is in it.
    pub fn covers(self, local: NaiveDateTime) -> bool {
        let minute = local.hour() * 60 + local.minute();
        self.days.has(local.weekday())
            && (u32::from(self.from)..u32::from(self.until)).contains(&minute)
    }

    /// When it ends, unless it lasts until midnight.
    pub fn ends(self) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(u32::from(self.until) / 60, u32::from(self.until) % 60, 0)
    }
}

fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

fn day(name: &str) -> Option<Weekday> {
    // "monday" and "mon" alike.
    name.get(..3)
        .filter(|short| NAMES.contains(short))
        .and_then(|_| name.parse().ok())
}

fn days(text: &str) -> Option<Days> {
    let mut all: Option<Days> = None;
    for part in text.split(',').map(str::trim) {
        let these = match part.split_once('-') {
            Some((from, last)) => Days::through(day(from.trim())?, day(last.trim())?),
            None => Days::one(day(part)?),
        };
        all = Some(all.map_or(these, |a| a.and(these)));
    }
    all
}

impl FromStr for Quiet {
    type Err = InvalidQuiet;

    fn from_str(text: &str) -> Result<Self, InvalidQuiet> {
        let text = text.trim().to_ascii_lowercase();
        let hours = |text: &str, days| {
            let (from, until) = text.split_once('-').ok_or(InvalidQuiet)?;
            let (from, until) = (clock(from.trim()), clock(until.trim()));
            let (from, until) = from.zip(until).ok_or(InvalidQuiet)?;
            Self::new(days, from, until).ok_or(InvalidQuiet)
        };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return hours(&text, Days::ALL);
        }
        match text.split_once(' ') {
            Some((on, rest)) if rest.trim().starts_with(|c: char| c.is_ascii_digit()) => {
                hours(rest, days(on).ok_or(InvalidQuiet)?)
            }
            _ => {
                let days = days(&text).ok_or(InvalidQuiet)?;
                Self::new(days, 0, DAY).ok_or(InvalidQuiet)
            }
        }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_day = (self.from, self.until) == (0, DAY);
        if self.days != Days::ALL || whole_day {
            let on: Vec<&str> = (0..7u8)
                .filter(|day| self.days.0 & (1 << day) != 0)
                .filter_map(|day| NAMES.get(usize::from(day)).copied())
                .collect();
            match self.days {
                Days::WEEKDAYS => f.write_str("mon-fri")?,
                Days::ALL => f.write_str("mon-sun")?,
                _ => f.write_str(&on.join(","))?,
            }
            if whole_day {
                return Ok(());
            }
            f.write_str(" ")?;
        }
        let (from, until) = (self.from, self.until);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

impl TryFrom<String> for Quiet {
    type Error = InvalidQuiet;
    fn try_from(text: String) -> Result<Self, InvalidQuiet> {
        text.parse()
    }
}

impl From<Quiet> for String {
    fn from(quiet: Quiet) -> Self {
        quiet.to_string()
    }
}

impl JsonSchema for Quiet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quiet".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Hours without texts, by the local clock: `mon-fri 09:00-17:00`, `00:00-12:00`, `sun`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "00:00-12:00",
            "mon-fri 09:00-17:00",
            "sun",
            "mon-sun",
            "sat,sun 08:00-24:00",
        ] {
            let quiet: Quiet = text.parse().expect(text);
            assert_eq!(quiet.to_string(), text);
        }
        let loose: Quiet = " Saturday-Monday 9:00 - 10:30".parse().expect("hours");
        assert_eq!(loose.to_string(), "mon,sat,sun 09:00-10:30");
        for bad in [
            "",
            "9-5",
            "12:00-12:00",
            "17:00-09:00",
            "25:00-26:00",
            "09:61-10:00",
            "moon",
            "mon 9",
            "always",
        ] {
            assert_eq!(bad.parse::<Quiet>(), Err(InvalidQuiet), "{bad}");
        }
    }

    #[test]
    fn a_moment_is_in_it_or_not() {
        let work: Quiet = "mon-fri 09:00-17:00".parse().expect("hours");
        let at = |text: &str| work.covers(text.parse().expect("a moment"));
        assert!(at("2026-03-02T09:00:00") && at("2026-03-06T16:59:59"));
        assert!(!at("2026-03-02T08:59:59") && !at("2026-03-02T17:00:00"));
        assert!(!at("2026-03-07T12:00:00"), "a Saturday");
        let night = Quiet::over(Days::one(Weekday::Sun), 22 * 60, 6 * 60);
        let said: Vec<String> = night.iter().map(Quiet::to_string).collect();
        assert_eq!(said, ["sun 22:00-24:00", "mon 00:00-06:00"]);
    }
}
