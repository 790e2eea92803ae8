//! The vectors of `rules.md` R7, and the days on which clocks change.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::*;
use crate::config::Env;

const EASTERN: &str = "+18605550143";
const MOUNTAIN: &str = "+13035550143";
const TOLL_FREE: &str = "+18005550143";

fn hours(pairs: &[(&str, &str)]) -> ContactHours {
    let env = Env::from_pairs(pairs);
    let hours = ContactHours::read(&env);
    env.finish().expect("settings");
    hours
}

/// A time on the clock of New York, as the vectors are written.
fn eastern(text: &str) -> DateTime<Utc> {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").expect("a time");
    let zone: Tz = chrono_tz::America::New_York;
    naive
        .and_local_timezone(zone)
        .single()
        .expect("one moment")
        .to_utc()
}

fn check(hours: &ContactHours, phone: &str, address: Address<'_>, cases: &[(&str, Option<&str>)]) {
    for (now, until) in cases {
        let expected = until.map_or(Hours::Open, |until| Hours::Until(eastern(until)));
        assert_eq!(
            hours.at(phone, address, eastern(now)),
            expected,
            "{phone} at {now}"
        );
    }
}

#[test]
fn an_eastern_number_at_a_pacific_address() {
    let cases = [
        ("2026-07-01 07:59:59", Some("2026-07-01 11:00:00")),
        ("2026-07-01 10:59:59", Some("2026-07-01 11:00:00")),
        ("2026-07-01 11:00:00", None),
        ("2026-07-01 20:59:59", None),
        ("2026-07-01 21:00:00", Some("2026-07-02 11:00:00")),
    ];
    check(
        &hours(&[]),
        EASTERN,
        Address::Zone(chrono_tz::America::Los_Angeles),
        &cases,
    );
}

#[test]
fn an_eastern_and_a_mountain_zone() {
    let cases = [
        ("2026-01-15 09:59:59", Some("2026-01-15 10:00:00")),
        ("2026-01-15 10:00:00", None),
        ("2026-01-15 20:59:59", None),
        ("2026-01-15 21:00:00", Some("2026-01-16 10:00:00")),
    ];
    check(
        &hours(&[]),
        EASTERN,
        Address::Zone(chrono_tz::America::Denver),
        &cases,
    );
    check(
        &hours(&[]),
        MOUNTAIN,
        Address::Zone(chrono_tz::America::New_York),
        &cases,
    );
}

#[test]
fn an_unknown_zone_is_every_zone_the_company_serves() {
    let wide = hours(&[(
        "COMPANY_ZONES",
        "America/New_York,America/Chicago,America/Los_Angeles",
    )]);
    let cases = [
        ("2026-07-01 10:59:59", Some("2026-07-01 11:00:00")),
        ("2026-07-01 20:59:59", None),
        ("2026-07-01 21:00:00", Some("2026-07-02 11:00:00")),
    ];
    check(&wide, TOLL_FREE, Address::Unknown, &cases);
    // The address is in one of the company's zones even when the number is from elsewhere.
    check(&wide, EASTERN, Address::Unknown, &cases);
    check(
        &wide,
        EASTERN,
        Address::Property("a house nobody mapped"),
        &cases,
    );
    let cases = [("2026-07-01 08:00:00", None), ("2026-07-01 20:59:59", None)];
    check(
        &wide,
        EASTERN,
        Address::Zone(chrono_tz::America::New_York),
        &cases,
    );
}

#[test]
fn a_property_is_found_by_its_name() {
    let mapped = hours(&[("PROPERTY_ZONES", "Mesa Flats=America/Denver")]);
    let cases = [
        ("2026-07-01 09:59:59", Some("2026-07-01 10:00:00")),
        ("2026-07-01 10:00:00", None),
    ];
    check(&mapped, EASTERN, Address::Property(" mesa flats "), &cases);
}

#[test]
fn the_days_on_which_clocks_change() {
    let pacific = Address::Zone(chrono_tz::America::Los_Angeles);
    // 8 March 2026: 02:00 becomes 03:00. 1 November 2026: 02:00 becomes 01:00.
    let one = [
        ("2026-03-07 21:00:00", Some("2026-03-08 08:00:00")),
        ("2026-03-08 03:00:00", Some("2026-03-08 08:00:00")),
        ("2026-03-08 08:00:00", None),
        ("2026-10-31 21:30:00", Some("2026-11-01 08:00:00")),
        ("2026-11-01 07:59:59", Some("2026-11-01 08:00:00")),
        ("2026-11-01 20:59:59", None),
    ];
    check(
        &hours(&[]),
        EASTERN,
        Address::Zone(chrono_tz::America::New_York),
        &one,
    );
    let both = [
        ("2026-03-08 10:59:59", Some("2026-03-08 11:00:00")),
        ("2026-03-08 11:00:00", None),
        ("2026-11-01 10:59:59", Some("2026-11-01 11:00:00")),
        ("2026-11-01 20:59:59", None),
    ];
    check(&hours(&[]), EASTERN, pacific, &both);
    // Arizona keeps its clock: two hours from New York in winter, three in summer.
    let arizona = Address::Zone(chrono_tz::America::Phoenix);
    let cases = [
        ("2026-03-07 09:59:59", Some("2026-03-07 10:00:00")),
        ("2026-03-08 10:00:00", Some("2026-03-08 11:00:00")),
        ("2026-10-31 10:59:59", Some("2026-10-31 11:00:00")),
        ("2026-11-01 10:00:00", None),
    ];
    check(&hours(&[]), EASTERN, arizona, &cases);
}

#[test]
fn the_tightest_hours_win() {
    let narrow = hours(&[
        ("CONTACT_WINDOW", "08:00-20:30"),
        (
            "CONTACT_WINDOWS",
            "America/New_York=09:00-21:00;+1305=08:00-20:00",
        ),
    ]);
    let home = Address::Zone(chrono_tz::America::New_York);
    let cases = [
        ("2026-07-01 08:59:59", Some("2026-07-01 09:00:00")),
        ("2026-07-01 20:29:59", None),
        ("2026-07-01 20:30:00", Some("2026-07-02 09:00:00")),
    ];
    check(&narrow, EASTERN, home, &cases);
    let florida = [
        ("2026-07-01 19:59:59", None),
        ("2026-07-01 20:00:00", Some("2026-07-02 09:00:00")),
    ];
    check(&narrow, "+13055550143", home, &florida);
}

#[test]
fn zones_without_a_common_hour_never_open() {
    let tokyo = Address::Zone(chrono_tz::Asia::Tokyo);
    for hour in 0..24 {
        let now = eastern("2026-07-01 00:30:00") + chrono::TimeDelta::hours(hour);
        assert_eq!(
            hours(&[("CONTACT_WINDOW", "09:00-17:00")]).at(EASTERN, tokyo, now),
            Hours::Never
        );
    }
}
