//! The next opening, compared with a walk from minute to minute.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::window::{Opening, opening};
use super::*;

fn zone() -> impl Strategy<Value = Tz> {
    prop_oneof![
        3 => prop::sample::select(vec![
            chrono_tz::America::New_York, chrono_tz::America::Chicago, chrono_tz::America::Denver,
            chrono_tz::America::Phoenix, chrono_tz::America::Los_Angeles,
            chrono_tz::America::Anchorage, chrono_tz::Pacific::Honolulu,
        ]),
        1 => prop::sample::select(TZ_VARIANTS.to_vec()),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    (480u32..1259, 1u32..780).prop_filter_map("hours", |(from, length)| {
        let until = (from + length).min(1260);
        let text = format!(
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        );
        text.parse().ok()
    })
}

/// Any second of the years in which clocks change by today's rules, and often a day they do.
fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    let any = 1_767_225_600i64..1_924_991_999;
    let changes = prop::sample::select(vec![
        1_772_953_200i64,
        1_793_512_800,
        1_774_746_000,
        1_792_890_000,
    ]);
    let near = (changes, -100_000i64..100_000).prop_map(|(at, off)| at + off);
    prop_oneof![any, near].prop_map(|s| DateTime::from_timestamp(s, 0).expect("a time"))
}

/// What numbers ask for: a piece of any days, or none.
fn quiet() -> impl Strategy<Value = Vec<Quiet>> {
    let one = (0..7usize, 0..7usize, 0u16..1440, 1u16..1441).prop_filter_map(
        "hours",
        |(day, last, from, until)| {
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let hours = format!(
                "{:02}:{:02}-{:02}:{:02}",
                from / 60,
                from % 60,
                until / 60,
                until % 60
            );
            format!("{}-{} {hours}", names[day], names[last])
                .parse()
                .ok()
        },
    );
    prop::collection::vec(one, 0..3)
}

fn inside(spans: &[(Tz, Window)], quiet: &[Quiet], at: DateTime<Utc>) -> bool {
    spans.iter().all(|(zone, window)| {
        let here = at.with_timezone(zone).naive_local();
        let local = here.time();
        let text = window.to_string();
        let (from, until) = text.split_once('-').expect("hours");
        let clock = format!("{:02}:{:02}", local.hour(), local.minute());
        let wanted = !quiet.iter().any(|q| q.covers(here));
        wanted && from <= clock.as_str() && clock.as_str() < until
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_opening_is_the_first_minute_inside_all_windows(
        spans in prop::collection::vec((zone(), window()), 1..4),
        quiet in quiet(),
        now in moment(),
    ) {
        let walked = {
            let next = now + TimeDelta::seconds(60 - i64::from(now.second()));
            let minutes = (0..3 * 24 * 60).map(|m| next + TimeDelta::minutes(m));
            minutes.take(3 * 24 * 60).find(|at| inside(&spans, &quiet, *at))
        };
        match opening(&spans, &quiet, now) {
            Opening::Now => prop_assert!(inside(&spans, &quiet, now)),
            Opening::At(at) => {
                prop_assert!(!inside(&spans, &quiet, now));
                prop_assert!(inside(&spans, &quiet, at));
                match walked {
                    Some(first) => prop_assert_eq!(at, first),
                    None => prop_assert!(at > now + TimeDelta::days(2)),
                }
            }
            Opening::Never => prop_assert_eq!(walked, None),
        }
    }

    #[test]
    fn what_is_allowed_is_within_eight_and_nine_wherever_the_file_points(
        code in 200u32..1000, now in moment(), address in prop::option::of(zone()),
    ) {
        let env = crate::config::Env::from_pairs(&[("COMPANY_ZONES", "America/New_York,America/Chicago")]);
        let hours = ContactHours::read(&env);
        let phone = format!("+1{code}5550143");
        let told = hours.at(&phone, address.map_or(Address::Unknown, Address::Zone), now);
        let moment = match told {
            Hours::Open => now,
            Hours::Until(at) => at,
            Hours::Never => return Ok(()),
        };
        let mut zones = area_codes::zones_of(&phone).to_vec();
        match address {
            Some(zone) => zones.push(zone),
            None => zones.extend(&hours.company_zones),
        }
        for zone in zones {
            let hour = moment.with_timezone(&zone).hour();
            prop_assert!((8..21).contains(&hour), "{zone} {hour}");
        }
    }
}
