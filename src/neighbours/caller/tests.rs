use std::time::Duration;

use backon::BackoffBuilder as _;

use super::RetrySettings;

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
