//! When a number may be texted (`rules.md` R7-R9; 12 CFR 1006.6(b)(1)).
//!
//! From 08:00 until 21:00 in every zone the file suggests: that of the address, those of the
//! number's area code, and, as long as the address is not known, all zones the company serves,
//! because it is in one of them. The zones are intersected: New York and Los Angeles leave
//! 11:00-21:00 New York time.

mod area_codes;
mod settings;
mod window;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod vectors;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::Quiet;

pub use window::{InvalidWindow, Window};

use window::Opening;

/// What the company has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactHours {
    /// `CONTACT_HOURS`: off for tests, and for shops that only ever answer and want to at night.
    pub on: bool,
    /// `CONTACT_WINDOW`: the company's own hours, within the law's.
    pub window: Window,
    /// `COMPANY_ZONES`: where its properties are.
    pub company_zones: Vec<Tz>,
    /// `PROPERTY_ZONES`: names in lower case.
    pub property_zones: BTreeMap<String, Tz>,
    /// `CONTACT_WINDOWS`: narrower hours somewhere (R8).
    pub narrower: Vec<(Place, Window)>,
}

/// Where narrower hours hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a zone.
    Zone(Tz),
    /// For numbers that begin so: a state's area codes.
    Numbers(String),
}

/// What is known about where a tenant lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    /// The zone.
    Zone(Tz),
    /// The property's name, which the settings may know.
    Property(&'a str),
    /// Nothing.
    Unknown,
}

/// Whether a text may leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// It may.
    Open,
    /// Not before this moment.
    Until(DateTime<Utc>),
    /// The zones leave no common hour: no day will do.
    Never,
}

fn told(opening: Opening) -> Hours {
    match opening {
        Opening::Now => Hours::Open,
        Opening::At(time) => Hours::Until(time),
        Opening::Never => Hours::Never,
    }
}

impl ContactHours {
    /// Whether a number may be texted at `now`, by the rules, whether they are switched on or not.
    pub fn at(&self, phone: &str, address: Address<'_>, now: DateTime<Utc>) -> Hours {
        told(window::opening(&self.spans(phone, address), &[], now))
    }

    /// The same with what the number itself asked for (R10), by the clocks of all its zones. With the
    /// company's hours switched off only that counts: nobody can switch off a tenant's word.
    pub fn within(
        &self,
        phone: &str,
        address: Address<'_>,
        quiet: &[Quiet],
        now: DateTime<Utc>,
    ) -> Hours {
        let mut spans = self.spans(phone, address);
        if !self.on {
            for (_, window) in &mut spans {
                *window = Window::ALWAYS;
            }
        }
        told(window::opening(&spans, quiet, now))
    }

    /// Whether such hours leave a number any time at all, on any day.
    pub fn leave_any(&self, phone: &str, quiet: &[Quiet], now: DateTime<Utc>) -> bool {
        // The property may be any of ours, and a zone more only takes hours away.
        self.within(phone, Address::Unknown, quiet, now) != Hours::Never
    }

    /// The zones that count, each with its hours.
    fn spans(&self, phone: &str, address: Address<'_>) -> Vec<(Tz, Window)> {
        let mut zones = area_codes::zones_of(phone).to_vec();
        let known = match address {
            Address::Zone(zone) => Some(zone),
            Address::Property(name) => {
                let name = name.trim().to_lowercase();
                self.property_zones.get(&name).copied()
            }
            Address::Unknown => None,
        };
        match known {
            Some(zone) => zones.push(zone),
            None => zones.extend(&self.company_zones),
        }
        zones.sort_unstable_by_key(|zone| zone.name());
        zones.dedup();
        let of = |zone: Tz| {
            let here = self.narrower.iter().filter(|(place, _)| match place {
                Place::Zone(narrow) => *narrow == zone,
                Place::Numbers(prefix) => phone.starts_with(prefix.as_str()),
            });
            here.fold(self.window, |window, (_, narrow)| window.within(*narrow))
        };
        zones.into_iter().map(|zone| (zone, of(zone))).collect()
    }
}
