//! When the fleet notices that it is to go elsewhere: the health check's turn, and each strategy's own way to see it.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    plan::CHECKERS,
    scenario::{Backoff, HealthCheck, Strategy},
};

/// Of sixteen checkers: a check is unhealthy once this many say so, for it is healthy while more than 18 % say that it is.
const UNHEALTHY_MIN: f64 = 14.0;
const HEALTHY_MIN: f64 = 3.0;
/// AWS IoT takes one CONNECT a second of a client id: who probed waits before it comes home.
const CLIENT_ID_PAUSE_S: f64 = 1.1;

/// Which way a check turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Unhealthy,
    Healthy,
}

/// From the moment at which its endpoint changes to the check's turn. Checkers are spread evenly over the interval, and each
/// wants so many results in a row.
pub(super) fn turned_s(check: &HealthCheck, turn: Turn, rng: &mut ChaCha8Rng) -> f64 {
    let needed = match turn {
        Turn::Unhealthy => UNHEALTHY_MIN,
        Turn::Healthy => HEALTHY_MIN,
    };
    let interval_s = check.interval.as_secs_f64();
    // Somewhere between two checkers it changed.
    let first: f64 = rng.random();
    interval_s * (f64::from(check.failures.saturating_sub(1)) + (needed - 1.0 + first) / CHECKERS)
}

/// The first question, of those that come a period apart, from that moment on.
pub(super) fn asked_s(last_s: f64, period_s: f64, from_s: f64) -> f64 {
    if last_s >= from_s {
        return last_s;
    }
    last_s + ((from_s - last_s) / period_s).ceil() * period_s
}

/// How devices of a strategy see that they are to leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Guide {
    /// The answer of the fleet's name, asked for this often, never before its TTL has run out.
    Name { period_s: f64 },
    /// Attempts that fail, and probes to come home if they do.
    Endpoints { failures: u32, home: Option<(f64, u32)> },
}

impl Guide {
    pub(super) fn of(strategy: &Strategy, ttl_s: f64) -> Self {
        let name = |every: f64| Self::Name { period_s: every.max(ttl_s) };
        match strategy {
            Strategy::Cname(cname) => name(cname.every.as_secs_f64()),
            Strategy::Sticky(sticky) => match sticky.every {
                Some(every) => name(every.as_secs_f64()),
                None => Self::Endpoints { failures: sticky.failures.unwrap_or(1), home: None },
            },
            Strategy::DualEndpoint(dual) => Self::Endpoints {
                failures: dual.failures,
                home: Some((dual.probe.as_secs_f64(), dual.successes)),
            },
        }
    }
}

/// How long a device that lost its connection tries the endpoint that is gone, which refuses at once.
pub(super) fn given_up_s(failures: u32, backoff: &Backoff, rng: &mut ChaCha8Rng) -> f64 {
    (0..=failures).map(|failures| backoff.wait(rng, failures).as_secs_f64()).sum()
}

/// How long a device probes an endpoint that is back, until it is sure.
pub(super) fn probed_s((every_s, successes): (f64, u32), rng: &mut ChaCha8Rng) -> f64 {
    let first: f64 = rng.random();
    every_s * (first + f64::from(successes.saturating_sub(1))) + CLIENT_ID_PAUSE_S
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_check_turns_with_its_fourteenth_checker_and_back_with_its_third() {
        let (check, mut rng) = (HealthCheck::default(), ChaCha8Rng::seed_from_u64(1));
        for _ in 0..100 {
            let down = turned_s(&check, Turn::Unhealthy, &mut rng);
            assert!((28.125..=28.75).contains(&down), "{down}");
            let up = turned_s(&check, Turn::Healthy, &mut rng);
            assert!((21.25..=21.875).contains(&up), "{up}");
        }
    }

    #[test]
    fn questions_keep_their_period() {
        for (last, from, asked) in [(3.0, 3.0, 3.0), (3.0, 3.1, 13.0), (3.0, 44.0, 53.0), (50.0, 44.0, 50.0)]
        {
            assert!((asked_s(last, 10.0, from) - asked).abs() < 1e-9, "{last} {from}");
        }
    }

    #[test]
    fn who_knows_both_endpoints_tries_and_probes() {
        let (backoff, mut rng) = (Backoff::default(), ChaCha8Rng::seed_from_u64(1));
        let given_up = given_up_s(2, &backoff, &mut rng);
        assert!((1.5..=3.5).contains(&given_up), "{given_up}");
        let probed = probed_s((10.0, 3), &mut rng);
        assert!((21.1..=31.1).contains(&probed), "{probed}");
    }
}
