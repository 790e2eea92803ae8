//! `contact-hours`: whether numbers may be texted at given moments, without servers; for support
//! and for checking the rules.

use std::io::{self, BufRead, Write};

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::Phone;
use crate::jsonl::{self, Counts};
use crate::rules::contact_hours::{Address, ContactHours, Hours};

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    id: Option<Value>,
    phone: String,
    #[serde(default)]
    property_zone: Option<String>,
    instant: String,
}

/// Reads `{id, phone, property_zone|null, instant}` a line and writes `{id, allowed, not_before}`.
/// `not_before` is null when it is allowed, and when the zones have no common hour on any day.
///
/// # Errors
/// Only those of reading and writing; a bad line gives `{"line": n, "error": …}` and the rest goes on.
pub fn answer(input: impl BufRead, output: impl Write, hours: &ContactHours) -> io::Result<Counts> {
    jsonl::each_line(input, output, |line, number| {
        one(line, number, hours).map(Some)
    })
}

fn one(line: &str, number: u64, hours: &ContactHours) -> Result<Value, String> {
    let question: Question = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let phone = Phone::parse(&question.phone).map_err(|e| format!("phone {e}"))?;
    let zone = question.property_zone.as_deref().map(str::trim);
    let address = match zone.filter(|name| !name.is_empty()) {
        None => Address::Unknown,
        Some(name) => {
            let zone: Result<Tz, _> = name.parse();
            Address::Zone(zone.map_err(|_| "property_zone names no time zone".to_owned())?)
        }
    };
    let instant = instant(question.instant.trim())
        .ok_or("instant must be a time like 2026-07-01T14:00:00Z")?;
    let told = hours.at(phone.as_str(), address, instant);
    let not_before = match told {
        Hours::Until(time) => Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        Hours::Open | Hours::Never => None,
    };
    Ok(json!({
        "id": question.id.unwrap_or_else(|| json!(number.to_string())),
        "allowed": told == Hours::Open,
        "not_before": not_before,
    }))
}

/// RFC 3339; without a zone it is UTC, and a day alone is its midnight (`http-api.md` §0.1).
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let local = || {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
        let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
        naive.or_else(day).map(|naive| naive.and_utc())
    };
    let given = DateTime::parse_from_rfc3339(text).ok();
    given.map(|time| time.to_utc()).or_else(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    fn run(input: &str) -> Vec<Value> {
        let env = Env::from_pairs(&[("CONTACT_HOURS", "off")]);
        let mut output = Vec::new();
        answer(input.as_bytes(), &mut output, &ContactHours::read(&env)).unwrap();
        let lines = output.split(|b| *b == b'\n').filter(|l| !l.is_empty());
        lines.map(|l| serde_json::from_slice(l).unwrap()).collect()
    }

    #[test]
    fn questions_are_answered_in_utc() {
        let lines = run(concat!(
            r#"{"id":1,"phone":"+18605550143","property_zone":"America/Los_Angeles","instant":"2026-07-01T12:00:00Z"}"#,
            "\n\n",
            r#"{"id":"b","phone":"860-555-0143","property_zone":null,"instant":"2026-07-01T08:00:00-04:00"}"#,
            "\n",
            r#"{"phone":"+18605550143","property_zone":"Asia/Tokyo","instant":"2026-07-01"}"#,
        ));
        assert_eq!(
            lines[0],
            json!({"id": 1, "allowed": false, "not_before": "2026-07-01T15:00:00Z"})
        );
        assert_eq!(
            lines[1],
            json!({"id": "b", "allowed": true, "not_before": null})
        );
        // 20:00 in New York, 09:00 in Tokyo.
        assert_eq!(
            lines[2],
            json!({"id": "4", "allowed": true, "not_before": null})
        );
    }

    #[test]
    fn a_bad_line_is_reported_with_its_number_and_the_rest_goes_on() {
        let lines = run(concat!(
            "{\n",
            r#"{"id":1,"phone":"911","instant":"2026-07-01T12:00:00Z"}"#,
            "\n",
            r#"{"id":1,"phone":"+18605550143","property_zone":"Mars","instant":"2026-07-01T12:00:00Z"}"#,
            "\n",
            r#"{"id":1,"phone":"+18605550143","instant":"noon"}"#,
            "\n",
            r#"{"id":5,"phone":"+18605550143","instant":"2026-07-01T16:00:00"}"#,
        ));
        for (at, line) in lines[..4].iter().enumerate() {
            assert_eq!(line["line"], at + 1, "{line}");
            assert!(line["error"].is_string(), "{line}");
        }
        assert_eq!(lines[4]["allowed"], true);
    }
}
