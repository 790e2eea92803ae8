//! The limits of calls, neighbour by neighbour: time, number, failures.

use std::time::Duration;

use super::breaker::BreakerSettings;
use crate::config::Env;

/// The limits of one kind of call.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls under way at the same time, per process.
    pub parallel: usize,
    /// When it is left alone.
    pub breaker: BreakerSettings,
}

/// The limits of all calls.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// `NEIGHBOUR_CONNECT_TIMEOUT_SECONDS`.
    pub connect: Duration,
    /// `NEIGHBOUR_READ_TIMEOUT_SECONDS`: the longest silence of a neighbour that is read from.
    pub read: Duration,
    /// `NOTIFICATION_TIMEOUT_SECONDS`.
    pub notification: Duration,
    /// `MONITOR_MAX_PARALLEL`.
    pub monitor: Limits,
    /// `SMS_MAX_PARALLEL`: the agent holds a database connection for every text it sends, and has
    /// fifteen (`upstreams.md` §2.1).
    pub sms_sends: Limits,
    /// `SMS_READ_MAX_PARALLEL`.
    pub sms_reads: Limits,
    /// `NOTIFICATION_MAX_PARALLEL`.
    pub notifications: Limits,
    /// `MODEL_MAX_PARALLEL`.
    pub model: Limits,
}

impl CallLimits {
    /// Reads the variables; `CIRCUIT_BREAKER_…_<NAME>` goes before the one for all.
    pub fn read(env: &Env) -> Self {
        let breaker = |name: &str, failures: u32| {
            let own = format!("CIRCUIT_BREAKER_FAILURE_THRESHOLD_{name}");
            let all = "CIRCUIT_BREAKER_FAILURE_THRESHOLD";
            let failures = env.number_of(&[&own, all], failures);
            if failures == 0 {
                env.fault(all, "must be at least 1, for every neighbour");
            }
            let own = format!("CIRCUIT_BREAKER_TIMEOUT_SECONDS_{name}");
            let all = env.seconds("CIRCUIT_BREAKER_TIMEOUT_SECONDS", 60.0);
            let open_for = env.seconds(&own, all.as_secs_f64());
            // Asked for even where the own one is set, so that the example file names it.
            env.optional("CIRCUIT_BREAKER_FAILURE_THRESHOLD");
            BreakerSettings { failures, open_for }
        };
        let parallel = |name: &str, default: usize| {
            let parallel = env.number(name, default);
            if parallel == 0 {
                env.fault(name, "must be at least 1");
            }
            parallel
        };
        let agent = breaker("SMS_AGENT", 3);
        Self {
            connect: env.seconds("NEIGHBOUR_CONNECT_TIMEOUT_SECONDS", 2.0),
            read: env.seconds("NEIGHBOUR_READ_TIMEOUT_SECONDS", 10.0),
            notification: env.seconds("NOTIFICATION_TIMEOUT_SECONDS", 10.0),
            monitor: Limits {
                parallel: parallel("MONITOR_MAX_PARALLEL", 50),
                breaker: breaker("COLLECTIONS_MONITOR", 5),
            },
            sms_sends: Limits {
                parallel: parallel("SMS_MAX_PARALLEL", 10),
                breaker: agent,
            },
            sms_reads: Limits {
                parallel: parallel("SMS_READ_MAX_PARALLEL", 20),
                breaker: agent,
            },
            notifications: Limits {
                parallel: parallel("NOTIFICATION_MAX_PARALLEL", 20),
                breaker: breaker("NOTIFICATION_SERVICE", 5),
            },
            model: Limits {
                parallel: parallel("MODEL_MAX_PARALLEL", 200),
                breaker: breaker("OPENAI", 5),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(pairs: &[(&str, &str)]) -> [u32; 3] {
        let limits = CallLimits::read(&Env::from_pairs(pairs));
        [limits.monitor, limits.sms_sends, limits.model].map(|l| l.breaker.failures)
    }

    #[test]
    fn a_neighbours_own_setting_goes_before_the_one_for_all() {
        let all = ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "7");
        let own = ("CIRCUIT_BREAKER_FAILURE_THRESHOLD_OPENAI", "9");
        assert_eq!(failures(&[]), [5, 3, 5], "the contract's");
        assert_eq!(failures(&[all]), [7, 7, 7]);
        assert_eq!(failures(&[all, own]), [7, 7, 9]);
        let env = Env::from_pairs(&[("CIRCUIT_BREAKER_TIMEOUT_SECONDS_SMS_AGENT", "1.5")]);
        let limits = CallLimits::read(&env);
        let open_for = |limits: Limits| limits.breaker.open_for;
        assert_eq!(open_for(limits.sms_reads), Duration::from_millis(1500));
        assert_eq!(open_for(limits.monitor), Duration::from_secs(60));
    }

    #[test]
    fn nothing_at_all_is_no_limit() {
        let env = Env::from_pairs(&[
            ("SMS_MAX_PARALLEL", "0"),
            ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "0"),
        ]);
        let _ = CallLimits::read(&env);
        let faults = env.finish().expect_err("two faults").to_string();
        assert!(faults.contains("SMS_MAX_PARALLEL"), "{faults}");
        assert!(
            faults.contains("CIRCUIT_BREAKER_FAILURE_THRESHOLD"),
            "{faults}"
        );
    }
}
