//! Hours of the day, and the next moment at which they have come in several zones at once.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::domain::Quiet;

/// From an hour until, not including, another one of the same day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: NaiveTime,
    until: NaiveTime,
}

/// Not hours a company may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be hours between 08:00-21:00, like 09:00-17:00")]
pub struct InvalidWindow;

/// Hours and minutes that exist.
const fn time(hour: u32, minute: u32) -> NaiveTime {
    match NaiveTime::from_hms_opt(hour, minute, 0) {
        Some(time) => time,
        None => NaiveTime::MIN,
    }
}

/// The end of a day that has no 24:00.
const LAST: NaiveTime = match NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

impl Window {
    /// What the law leaves (12 CFR 1006.6(b)(1)(i): before 8 a.m. and from 9 p.m. is inconvenient).
    pub const LAW: Self = Self {
        from: time(8, 0),
        until: time(21, 0),
    };

    /// The whole day, for shops whose own hours are switched off.
    pub const ALWAYS: Self = Self {
        from: NaiveTime::MIN,
        until: LAST,
    };

    /// The hours of both. May be none at all.
    pub fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    fn has(self, time: NaiveTime) -> bool {
        self.from <= time && time < self.until
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    /// `09:00-17:00`. Narrower than the law's, never wider: that is not the company's to decide.
    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let (from, until) = text.trim().split_once('-').ok_or(InvalidWindow)?;
        let read = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M");
        let from = read(from).map_err(|_| InvalidWindow)?;
        let until = read(until).map_err(|_| InvalidWindow)?;
        let window = Self { from, until };
        if from < until && window.within(Self::LAW) == window {
            Ok(window)
        } else {
            Err(InvalidWindow)
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from.format("%H:%M"), self.until.format("%H:%M"));
        write!(f, "{from}-{until}")
    }
}

/// When all windows are open together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Now,
    At(DateTime<Utc>),
    Never,
}

/// How far ahead an opening is looked for. Zones meet or miss each other every day anew, except
/// while one has changed its clocks and the other has not yet: a year has every such spell.
const DAYS_AHEAD: u64 = 366;

/// The first moment from `now` on that is inside every window and, in every zone, outside the hours
/// in which the number wants no texts.
pub(super) fn opening(spans: &[(Tz, Window)], quiet: &[Quiet], now: DateTime<Utc>) -> Opening {
    let open = |at: DateTime<Utc>| {
        spans.iter().all(|(zone, window)| {
            let local = at.with_timezone(zone).naive_local();
            window.has(local.time()) && !quiet.iter().any(|q| q.covers(local))
        })
    };
    if open(now) {
        return Opening::Now;
    }
    // An intersection of windows begins where one of them does, or where a quiet time ends. Three days at a time, because a
    // local day may be yesterday's or tomorrow's of UTC.
    let mut day = now.date_naive() - Days::new(1);
    for _ in 0..DAYS_AHEAD {
        let days = [day, day + Days::new(1), day + Days::new(2)];
        let starts = spans.iter().flat_map(|(zone, window)| {
            let ends = quiet.iter().filter_map(|q| q.ends());
            let times: Vec<NaiveTime> = ends.chain([window.from]).collect();
            let on = move |day| {
                let starts = times.iter().flat_map(|time| starts_on(*zone, day, *time));
                starts.collect::<Vec<_>>()
            };
            days.into_iter().flat_map(on)
        });
        if let Some(first) = starts.filter(|start| *start > now && open(*start)).min() {
            return Opening::At(first);
        }
        day = day + Days::new(1);
    }
    Opening::Never
}

/// The moments at which a clock shows `time` on `day`: one; two when clocks go back over it; when
/// they skip it, the first moment after the gap; none on a day that a country left out.
fn starts_on(zone: Tz, day: NaiveDate, time: NaiveTime) -> Vec<DateTime<Utc>> {
    const LONGEST_GAP: i64 = 180;
    let local = day.and_time(time);
    for minutes in 0..=LONGEST_GAP {
        match zone.from_local_datetime(&(local + TimeDelta::minutes(minutes))) {
            LocalResult::Single(at) => return vec![at.to_utc()],
            LocalResult::Ambiguous(first, second) => return vec![first.to_utc(), second.to_utc()],
            LocalResult::None => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_may_only_be_narrower() {
        let window: Window = "09:00-17:30".parse().expect("hours");
        assert_eq!(window.to_string(), "09:00-17:30");
        for bad in [
            "",
            "9",
            "09:00",
            "07:59-21:00",
            "08:00-21:01",
            "17:00-09:00",
            "09:00-09:00",
            "a-b",
            "08:00-24:00",
        ] {
            assert_eq!(bad.parse::<Window>(), Err(InvalidWindow), "{bad}");
        }
    }

    #[test]
    fn a_start_that_the_clock_skips_or_shows_twice() {
        let zone = chrono_tz::America::New_York;
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let at = |day, time| -> Vec<String> {
            let starts = starts_on(zone, day, time);
            starts
                .iter()
                .map(|t| t.format("%H:%M").to_string())
                .collect()
        };
        assert_eq!(at(day("2026-03-08"), time(2, 30)), ["07:00"], "03:00 EDT");
        assert_eq!(at(day("2026-11-01"), time(1, 30)), ["05:30", "06:30"]);
        let apia = starts_on(chrono_tz::Pacific::Apia, day("2011-12-30"), time(8, 0));
        assert!(apia.is_empty(), "a day Samoa never had");
    }
}
