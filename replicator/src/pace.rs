//! One rate for many workers: the [`Rate`] of pieces of work, each some calls, and the patience with which they are tried.
//!
//! Nobody has to know the account's quotas. Whoever knows better, and wants to leave others their share, says how fast it may
//! be at the most.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::outcome::Outcome;
use crate::ports::Clock;
use crate::rate::Rate;

/// How often one piece of work is tried while its failures may pass.
pub const TRIES_MAX: u32 = 6;

/// The rate.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Rate>);

impl Pace {
    /// So many pieces of work a second, or fewer.
    pub fn at_most(per_s: f64) -> Self {
        Self(Mutex::new(Rate::at_most(per_s)))
    }

    /// The turn of a piece of work that asks now: how long it has to wait.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        let now = Duration::from_millis(now_ms);
        let wait = self.rate().turn(now).saturating_sub(now);
        u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    /// A call was throttled, or did not come through.
    pub fn throttled(&self, now_ms: u64) {
        self.rate().answered(Duration::from_millis(now_ms), true);
    }

    /// A piece of work was done.
    pub fn went(&self, now_ms: u64) {
        self.rate().answered(Duration::from_millis(now_ms), false);
    }

    /// Works at this pace, until it works or a failure will not pass.
    pub async fn patient<C: Clock, T>(&self, clock: &C, work: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        let mut tries = 0;
        loop {
            let wait_ms = self.wait_ms(clock.now_ms());
            if wait_ms > 0 {
                clock.sleep_ms(wait_ms).await;
            }
            tries += 1;
            match work().await {
                Ok(done) => {
                    self.went(clock.now_ms());
                    return Ok(done);
                }
                Err(failure) if failure.is_transient() && tries < TRIES_MAX => {
                    self.throttled(clock.now_ms());
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// How often the rate was taken down.
    pub fn slowed(&self) -> u64 {
        self.rate().signs()
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_until_something_is_throttled_and_then_little() {
        let pace = Pace::default();
        assert_eq!((0..100).map(|_| pace.wait_ms(1)).max(), Some(0));
        pace.throttled(1);
        assert_eq!(pace.slowed(), 1);
        let waits: Vec<u64> = (0..4).map(|_| pace.wait_ms(1)).collect();
        assert!(waits.is_sorted() && (100..=400).contains(&waits[3]), "{waits:?}");
    }

    #[test]
    fn it_is_never_faster_than_it_may_be() {
        let pace = Pace::at_most(10.0);
        let waits = |now_ms| (0..3).map(|_| pace.wait_ms(now_ms)).collect::<Vec<_>>();
        assert_eq!(waits(10_000), [0, 0, 100], "it may have been late by a tenth of a second");
        pace.throttled(10_300);
        assert!(waits(10_300)[2] >= 300, "slower than that after a sign");
        (0..2_000).for_each(|n| {
            pace.wait_ms(12_000 + n * 100);
            pace.went(12_000 + n * 100);
        });
        let begun = pace.wait_ms(212_000);
        assert_eq!(pace.wait_ms(212_000) - begun, 100, "and never faster");
    }

    #[test]
    fn it_may_be_slower_than_throttling_makes_it() {
        let pace = Pace::at_most(0.1);
        let waits = |now_ms| (0..3).map(|_| pace.wait_ms(now_ms)).collect::<Vec<_>>();
        assert_eq!(waits(0), [0, 10_000, 20_000]);
        pace.throttled(30_000);
        assert_eq!(waits(40_000), [0, 9_900, 19_900]);
        // None a second: the first, and then no other in any time.
        let pace = Pace::at_most(0.0);
        pace.throttled(0);
        pace.wait_ms(0);
        assert!(pace.wait_ms(0) > u64::from(u32::MAX));
    }
}
