use backon::BackoffBuilder as _;

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

#[test]
fn pauses_are_one_two_and_four_seconds_and_a_share_of_luck() {
    let settings = RetrySettings {
        base: Duration::from_secs(1),
        times: 3,
    };
    for _ in 0..100 {
        let pauses: Vec<Duration> = settings.pauses().build().collect();
        assert_eq!(pauses.len(), 3, "{pauses:?}");
        for (pause, least) in pauses.iter().zip([1.0, 2.0, 4.0]) {
            let pause = pause.as_secs_f64();
            assert!((least..=2.0 * least).contains(&pause), "{pauses:?}");
        }
    }
    let one = || settings.pauses().build().next();
    let first = one();
    assert!((0..100).any(|_| one() != first), "no luck in it");
}
