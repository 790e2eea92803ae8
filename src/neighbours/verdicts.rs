//! What an answer's status and headers say: about the neighbour, and about when to ask again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;

use super::breaker::Verdict;

/// What a status says about a neighbour: 4xx never counts against it (`conflicts.md` C59), and those
/// that only mean "not now" do not speak for it either.
pub(super) fn judge_status(status: StatusCode) -> Verdict {
    match status.as_u16() {
        408 | 425 | 429 => Verdict::Unknown,
        200..=299 | 400..=499 => Verdict::Healthy,
        // A redirect is the answer of something in the way.
        _ => Verdict::Failed,
    }
}

/// 408, 425, 429 and everything from 500 up may work a moment later; so may what is behind a
/// redirect, which no neighbour sends: something stands in the way.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 300..=399 | 408 | 425 | 429 | 500..)
}

/// How long `Retry-After` asks to wait, as seconds or as a date. A date is measured from the
/// answer's own `Date`, because its clock is not ours.
pub(super) fn retry_after(answer: &reqwest::Response, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name| answer.headers().get(name)?.to_str().ok();
    wanted_pause(
        text(reqwest::header::RETRY_AFTER)?,
        text(reqwest::header::DATE),
        now,
    )
}

fn wanted_pause(wanted: &str, sent: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let wanted = wanted.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(wanted).ok()?;
    let sent = sent.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let from = sent.unwrap_or_else(|| now.into());
    // A date in the past means now.
    Some(until.duration_since(from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_hundreds_never_count_and_busy_proves_nothing() {
        let verdict = |status| judge_status(StatusCode::from_u16(status).expect("a status"));
        for status in [200, 204, 400, 401, 403, 404, 409, 422] {
            assert_eq!(verdict(status), Verdict::Healthy, "{status}");
        }
        for status in [408, 425, 429] {
            assert_eq!(verdict(status), Verdict::Unknown, "{status}");
        }
        for status in [301, 307, 500, 502, 503, 504] {
            assert_eq!(verdict(status), Verdict::Failed, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().expect("a time");
        let cases = [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Sat, 21 Nov 2026 09:01:30 GMT", None, Some(90)),
            // The neighbour's clock is an hour ahead of ours; it still means 30 seconds.
            (
                "Sat, 21 Nov 2026 10:00:30 GMT",
                Some("Sat, 21 Nov 2026 10:00:00 GMT"),
                Some(30),
            ),
            ("Sat, 21 Nov 2020 09:00:00 GMT", None, Some(0)),
            ("-5", None, None),
            ("soon", None, None),
        ];
        for (wanted, sent, seconds) in cases {
            assert_eq!(
                wanted_pause(wanted, sent, now),
                seconds.map(Duration::from_secs),
                "{wanted}"
            );
        }
    }
}
