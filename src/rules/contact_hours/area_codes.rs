//! The zones that a number's area code suggests.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono_tz::Tz;

/// From libphonenumber; `make area-codes` writes it anew.
const TABLE: &str = include_str!("area_codes.txt");

static ZONES: LazyLock<HashMap<&'static str, Vec<Tz>>> = LazyLock::new(|| {
    let mut zones = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let Some((codes, names)) = line.split_once(" = ") else {
            continue;
        };
        // Every name is one that chrono-tz knows; a test looks.
        let here: Vec<Tz> = names
            .split(' ')
            .filter_map(|name| name.parse().ok())
            .collect();
        for code in codes.split(' ') {
            zones.insert(code, here.clone());
        }
    }
    zones
});

/// All zones of the area code of an E.164 number. Empty for toll-free numbers, unknown codes and
/// numbers outside North America: those say nothing about where a tenant of ours is.
pub(super) fn zones_of(phone: &str) -> &'static [Tz] {
    let national = phone.strip_prefix("+1").filter(|rest| rest.len() == 10);
    let code = national.and_then(|rest| rest.get(..3));
    code.and_then(|code| ZONES.get(code))
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_codes_and_zones_that_exist() {
        let mut codes = 0;
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let (left, right) = line.split_once(" = ").expect(line);
            for code in left.split(' ') {
                assert!(
                    code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()),
                    "{code}"
                );
                codes += 1;
            }
            for zone in right.split(' ') {
                assert!(zone.parse::<Tz>().is_ok(), "{zone}");
            }
        }
        assert_eq!(codes, ZONES.len(), "no code twice");
        assert!(codes > 400, "{codes}");
    }

    #[test]
    fn a_code_suggests_every_zone_it_spans() {
        let cases: [(&str, &[&str]); 8] = [
            ("+18605550143", &["America/New_York"]),
            ("+12135550143", &["America/Los_Angeles"]),
            ("+18505550143", &["America/Chicago", "America/New_York"]),
            ("+16025550143", &["America/Phoenix"]),
            ("+18005550143", &[]),
            ("+447700900123", &[]),
            ("+1860555014", &[]),
            ("+18605550143999", &[]),
        ];
        for (phone, zones) in cases {
            let found: Vec<&str> = zones_of(phone).iter().map(|zone| zone.name()).collect();
            assert_eq!(found, zones, "{phone}");
        }
    }
}
