//! What opens a circuit, what closes it, and what does neither.

use super::*;

const SETTINGS: BreakerSettings = BreakerSettings {
    failures: 5,
    open_for: Duration::from_secs(60),
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000_000 + seconds)
}

/// One call from beginning to end.
fn call(breaker: &mut Breaker, verdict: Verdict, second: i64) -> Result<CircuitState, Duration> {
    let (ticket, _) = breaker.admit(at(second))?;
    breaker.report(ticket, verdict, at(second));
    Ok(breaker.state())
}

fn opened() -> Breaker {
    let mut breaker = Breaker::new(SETTINGS);
    for _ in 0..5 {
        call(&mut breaker, Verdict::Failed, 0).expect("still closed");
    }
    assert_eq!(breaker.state(), CircuitState::Open);
    breaker
}

#[test]
fn only_failures_in_a_row_open_it() {
    use Verdict::{Failed, Healthy, Unknown};
    let cases: [(&str, &[Verdict], CircuitState); 5] = [
        ("four are too few", &[Failed; 4], CircuitState::Closed),
        ("five are enough", &[Failed; 5], CircuitState::Open),
        (
            "a good answer begins the count anew",
            &[Failed, Failed, Failed, Failed, Healthy, Failed, Failed],
            CircuitState::Closed,
        ),
        (
            "429 neither adds to the count nor ends it",
            &[Failed, Failed, Unknown, Failed, Failed, Unknown, Failed],
            CircuitState::Open,
        ),
        ("4xx never counts", &[Healthy; 50], CircuitState::Closed),
    ];
    for (story, verdicts, state) in cases {
        let mut breaker = Breaker::new(SETTINGS);
        for verdict in verdicts {
            call(&mut breaker, *verdict, 0).expect(story);
        }
        assert_eq!(breaker.state(), state, "{story}");
    }
}

#[test]
fn nothing_passes_for_a_minute_and_then_one_call_does() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(at(0)), Err(Duration::from_secs(60)));
    assert_eq!(breaker.admit(at(59)), Err(Duration::from_secs(1)));
    let (_probe, change) = breaker.admit(at(60)).expect("the minute is over");
    let change = change.expect("a change");
    assert_eq!(
        (change.from, change.to),
        (CircuitState::Open, CircuitState::HalfOpen)
    );
    assert_eq!(
        breaker.admit(at(60)),
        Err(WHILE_PROBING),
        "only one at a time"
    );
}

#[test]
fn the_probe_decides() {
    let mut breaker = opened();
    assert_eq!(
        call(&mut breaker, Verdict::Failed, 60),
        Ok(CircuitState::Open)
    );
    assert_eq!(
        breaker.admit(at(61)),
        Err(Duration::from_secs(59)),
        "another whole minute"
    );
    assert_eq!(
        call(&mut breaker, Verdict::Unknown, 120),
        Ok(CircuitState::HalfOpen),
        "a busy answer proves nothing"
    );
    assert_eq!(
        call(&mut breaker, Verdict::Healthy, 120),
        Ok(CircuitState::Closed)
    );
    for _ in 0..4 {
        let still = call(&mut breaker, Verdict::Failed, 121);
        assert_eq!(still, Ok(CircuitState::Closed), "the count began anew");
    }
}

#[test]
fn a_call_from_before_the_change_has_no_say() {
    let mut breaker = Breaker::new(SETTINGS);
    let (slow, _) = breaker.admit(at(0)).expect("closed");
    for _ in 0..5 {
        call(&mut breaker, Verdict::Failed, 1).expect("closed");
    }
    assert_eq!(breaker.report(slow, Verdict::Healthy, at(2)), None);
    assert_eq!(breaker.state(), CircuitState::Open);
    let (_probe, _) = breaker.admit(at(61)).expect("half open");
    assert_eq!(breaker.report(slow, Verdict::Failed, at(61)), None);
    assert_eq!(breaker.state(), CircuitState::HalfOpen);
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(at(-3600)), Err(Duration::from_secs(60)));
    assert!(breaker.admit(at(-3540)).is_ok(), "a minute of the new time");
}
