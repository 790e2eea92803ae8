//! The company's hours as variables.

use super::{ContactHours, Place, Window};
use crate::config::Env;

impl ContactHours {
    /// Reads the hours' variables.
    pub fn read(env: &Env) -> Self {
        let window = env.text("CONTACT_WINDOW", "08:00-21:00");
        let home = env.text("COMPANY_TIMEZONE", "America/New_York");
        let zones = env.text("COMPANY_ZONES", &home);
        let company_zones =
            entries(&zones, ',').filter_map(|name| zone(env, "COMPANY_ZONES", name));
        let properties = env.text("PROPERTY_ZONES", "");
        let property_zones = entries(&properties, ';').filter_map(|entry| {
            let Some((name, zone_name)) = entry.rsplit_once('=') else {
                env.fault(
                    "PROPERTY_ZONES",
                    "must be like Elm Court=America/New_York;Mesa=America/Denver",
                );
                return None;
            };
            let zone = zone(env, "PROPERTY_ZONES", zone_name)?;
            Some((name.trim().to_lowercase(), zone))
        });
        let narrower = env.text("CONTACT_WINDOWS", "");
        let narrower = entries(&narrower, ';').filter_map(|entry| narrow(env, entry));
        let hours = Self {
            on: env.boolean("CONTACT_HOURS", true),
            window: window.parse().unwrap_or_else(|error| {
                env.fault("CONTACT_WINDOW", &format!("{error}"));
                Window::LAW
            }),
            company_zones: company_zones.collect(),
            property_zones: property_zones.collect(),
            narrower: narrower.collect(),
        };
        // Without any zone nothing would ever be outside the hours.
        if hours.company_zones.is_empty() {
            env.fault("COMPANY_ZONES", "must name at least one time zone");
        }
        hours
    }
}

fn entries(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator)
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

fn zone(env: &Env, variable: &str, name: &str) -> Option<chrono_tz::Tz> {
    let zone = name.trim().parse().ok();
    if zone.is_none() {
        env.fault(variable, &format!("names no time zone: {}", name.trim()));
    }
    zone
}

fn narrow(env: &Env, entry: &str) -> Option<(Place, Window)> {
    const FORM: &str = "must be like America/New_York=09:00-20:00;+1305=08:00-20:00";
    let Some((place, hours)) = entry.rsplit_once('=') else {
        env.fault("CONTACT_WINDOWS", FORM);
        return None;
    };
    let place = match place.trim().strip_prefix('+') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Place::Numbers(format!("+{digits}"))
        }
        Some(_) => {
            env.fault("CONTACT_WINDOWS", FORM);
            return None;
        }
        None => Place::Zone(zone(env, "CONTACT_WINDOWS", place)?),
    };
    match hours.parse() {
        Ok(window) => Some((place, window)),
        Err(error) => {
            env.fault("CONTACT_WINDOWS", &format!("{error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::{Denver, New_York};

    use super::*;

    #[test]
    fn the_variables_are_read() {
        let env = Env::from_pairs(&[
            ("COMPANY_ZONES", "America/New_York, America/Denver"),
            (
                "PROPERTY_ZONES",
                "Elm Court=America/New_York; Mesa = Flats=America/Denver;",
            ),
            (
                "CONTACT_WINDOWS",
                "America/Denver=09:00-20:00;+1305=08:00-20:00",
            ),
        ]);
        let hours = ContactHours::read(&env);
        env.finish().expect("no faults");
        assert!(hours.on);
        assert_eq!(hours.company_zones, [New_York, Denver]);
        assert_eq!(hours.property_zones.get("elm court"), Some(&New_York));
        assert_eq!(hours.property_zones.get("mesa = flats"), Some(&Denver));
        assert_eq!(hours.narrower.len(), 2);
    }

    #[test]
    fn every_fault_names_its_variable() {
        for (name, value) in [
            ("COMPANY_ZONES", " , "),
            ("COMPANY_ZONES", "Mars"),
            ("PROPERTY_ZONES", "Elm Court"),
            ("PROPERTY_ZONES", "Elm Court=Mars"),
            ("CONTACT_WINDOW", "06:00-22:00"),
            ("CONTACT_WINDOWS", "+13x5=08:00-20:00"),
            ("CONTACT_WINDOWS", "America/Denver=21:00-22:00"),
            ("CONTACT_WINDOWS", "always"),
        ] {
            let env = Env::from_pairs(&[(name, value)]);
            ContactHours::read(&env);
            let error = env.finish().expect_err(value).to_string();
            assert!(error.contains(name), "{value}: {error}");
        }
    }
}
