//! How long a device waits before it tries again.

use std::time::Duration;

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// Longer waits are a slip of the pen.
const MAX_MOST: Span = Span::seconds(3_600);
/// Without a pause a fleet would be a flood.
const MIN_LEAST: Span = Span::milliseconds(50);

/// Back-off after an attempt that failed: a time drawn between `min` and a limit that doubles with each failure in a row, up
/// to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The least.
    pub min: Span,
    /// Where the limit stops to grow.
    pub max: Span,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { min: Span::milliseconds(500), max: Span::seconds(8) }
    }
}

impl Backoff {
    /// How long to wait after so many failures in a row.
    pub(crate) fn wait(&self, rng: &mut impl Rng, failures: u32) -> Duration {
        let doublings = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let limit = self.min.saturating_mul(doublings).min(*self.max);
        rng.random_range(*self.min..=limit.max(*self.min))
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if self.min < MIN_LEAST || self.min > self.max {
            return Err((
                "fleet.backoff.min".to_owned(),
                format!("must be {MIN_LEAST} to fleet.backoff.max"),
            ));
        }
        if self.max > MAX_MOST {
            return Err(("fleet.backoff.max".to_owned(), format!("must be at most {MAX_MOST}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn waits(backoff: Backoff, failures: u32) -> (u128, u128) {
        let of = |seed| backoff.wait(&mut ChaCha8Rng::seed_from_u64(seed), failures).as_millis();
        let waits: Vec<u128> = (0..200).map(of).collect();
        (*waits.iter().min().unwrap(), *waits.iter().max().unwrap())
    }

    #[test]
    fn a_wait_grows_with_failures_and_differs_between_devices() {
        let usual = Backoff::default();
        assert_eq!(waits(usual, 0), (500, 500));
        let (least, most) = waits(usual, 1);
        assert!(least < 520 && (950..=1_000).contains(&most), "{least} to {most}");
        assert!((3_600..=4_000).contains(&waits(usual, 3).1));
        for failures in [10, 31, 32, u32::MAX] {
            let (least, most) = waits(usual, failures);
            assert!(least >= 500 && (7_000..=8_000).contains(&most), "it has an end: {least} to {most}");
        }
        let steady = Backoff { min: Span::seconds(2), max: Span::seconds(2) };
        assert_eq!(waits(steady, 5), (2_000, 2_000));
    }

    #[test]
    fn limits_that_cannot_be_are_pointed_at() {
        let checked = |min_ms, max_ms| {
            Backoff { min: Span::milliseconds(min_ms), max: Span::milliseconds(max_ms) }.check()
        };
        assert_eq!(checked(50, 3_600_000), Ok(()));
        assert_eq!(checked(49, 100).unwrap_err().0, "fleet.backoff.min");
        assert_eq!(checked(200, 100).unwrap_err().0, "fleet.backoff.min");
        assert_eq!(checked(200, 3_600_001).unwrap_err().0, "fleet.backoff.max");
    }
}
