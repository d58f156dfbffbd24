//! One rate for many workers: it falls when calls are throttled and comes back when they are not.
//!
//! Nobody has to know the account's quotas. The rate begins unlimited; a throttled call puts a
//! distance between the beginnings of pieces of work, and doubles it if it was not enough. Failures
//! that come together count once: fifty workers that are throttled at once are one sign, not fifty.
//! Whoever knows better, and wants to leave others their share, says how fast it may be at the most.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::outcome::Outcome;
use crate::ports::Clock;

/// How often one piece of work is tried while its failures may pass.
pub const TRIES_MAX: u32 = 6;

/// The distance after the first sign of throttling: 50 pieces of work a second.
pub const DISTANCE_US_FIRST: u64 = 20_000;

/// The distance that throttling puts there at the most.
pub const DISTANCE_US_MAX: u64 = 5_000_000;

/// Below this there is no distance any more.
pub const DISTANCE_US_MIN: u64 = 500;

/// Signs closer to each other than this are one.
pub const SIGN_MS: u64 = 1_000;

/// What a success takes off the distance: one part in so many.
const RECOVERY_PARTS: u64 = 32;

/// The rate.
#[derive(Debug, Default)]
pub struct Pace {
    /// There is no less distance than this.
    least_us: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    distance_us: u64,
    next_us: u64,
    sign_ms: Option<u64>,
    slowed: u64,
}

impl Pace {
    /// So many pieces of work a second, or fewer.
    pub fn at_most(per_s: f64) -> Self {
        let least_us = Duration::try_from_secs_f64(1.0 / per_s).unwrap_or(Duration::MAX).as_micros();
        let least_us = u64::try_from(least_us).unwrap_or(u64::MAX);
        Self { least_us, state: Mutex::default() }
    }

    /// The turn of a piece of work that asks now: how long it has to wait.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_us = now_ms.saturating_mul(1_000);
        let turn_us = state.next_us.max(now_us);
        state.next_us = turn_us.saturating_add(state.distance_us.max(self.least_us));
        (turn_us - now_us).div_ceil(1_000)
    }

    /// A call was throttled, or did not come through.
    pub fn throttled(&self, now_ms: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sign_ms.is_some_and(|sign_ms| now_ms.saturating_sub(sign_ms) < SIGN_MS) {
            return;
        }
        state.sign_ms = Some(now_ms);
        state.slowed += 1;
        let before_us = state.distance_us.max(self.least_us);
        // Whoever asked for less than the slowest pace gets no more for being throttled.
        let most_us = self.least_us.max(DISTANCE_US_MAX);
        state.distance_us = before_us.saturating_mul(2).clamp(DISTANCE_US_FIRST, most_us);
    }

    /// A piece of work was done.
    pub fn went(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let distance_us = state.distance_us - state.distance_us.div_ceil(RECOVERY_PARTS);
        state.distance_us = if distance_us < DISTANCE_US_MIN { 0 } else { distance_us };
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
                    self.went();
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner).slowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_until_something_is_throttled() {
        let pace = Pace::default();
        assert_eq!((0..100).map(|_| pace.wait_ms(1)).max(), Some(0));
        pace.throttled(1);
        assert_eq!((0..4).map(|_| pace.wait_ms(10)).collect::<Vec<_>>(), [0, 20, 40, 60]);
    }

    #[test]
    fn signs_that_come_together_are_one_and_later_ones_double() {
        let pace = Pace::default();
        for _ in 0..50 {
            pace.throttled(1_000);
        }
        assert_eq!(pace.slowed(), 1);
        pace.throttled(1_000 + SIGN_MS);
        pace.wait_ms(5_000);
        assert_eq!(pace.wait_ms(5_000), 40);
        (0..100).for_each(|n| pace.throttled(10_000 * n));
        pace.wait_ms(10_000_000);
        assert_eq!(pace.wait_ms(10_000_000), DISTANCE_US_MAX / 1_000);
    }

    #[test]
    fn it_is_never_faster_than_it_may_be() {
        let pace = Pace::at_most(10.0);
        assert_eq!((0..3).map(|_| pace.wait_ms(0)).collect::<Vec<_>>(), [0, 100, 200]);
        pace.throttled(300);
        assert_eq!((0..3).map(|_| pace.wait_ms(300)).collect::<Vec<_>>(), [0, 200, 400]);
        (0..200).for_each(|_| pace.went());
        pace.wait_ms(2_000);
        assert_eq!(pace.wait_ms(2_000), 100);
    }

    #[test]
    fn it_may_be_slower_than_throttling_makes_it() {
        let pace = Pace::at_most(0.1);
        assert_eq!((0..3).map(|_| pace.wait_ms(0)).collect::<Vec<_>>(), [0, 10_000, 20_000]);
        pace.throttled(30_000);
        assert_eq!((0..3).map(|_| pace.wait_ms(30_000)).collect::<Vec<_>>(), [0, 10_000, 20_000]);
        (0..1_000).for_each(|_| pace.went());
        pace.wait_ms(60_000);
        assert_eq!(pace.wait_ms(60_000), 10_000);
        // None a second: the first, and then no other in any time.
        let pace = Pace::at_most(0.0);
        pace.throttled(0);
        assert_eq!((pace.wait_ms(0), pace.wait_ms(0)), (0, u64::MAX.div_ceil(1_000)));
    }

    #[test]
    fn the_rate_comes_back() {
        let pace = Pace::default();
        pace.throttled(0);
        (0..200).for_each(|_| pace.went());
        pace.wait_ms(50);
        assert_eq!(pace.wait_ms(50), 0);
    }

    #[test]
    fn it_settles_near_what_is_allowed() {
        // A service that allows ten a second, over two hundred virtual seconds.
        let (pace, mut now_ms, mut done) = (Pace::default(), 0_u64, 0_u64);
        let (mut tokens, mut last_ms) = (10.0_f64, 0_u64);
        while now_ms < 200_000 {
            now_ms += pace.wait_ms(now_ms).max(1);
            tokens = (tokens + (now_ms - last_ms) as f64 / 100.0).min(10.0);
            last_ms = now_ms;
            if tokens >= 1.0 {
                tokens -= 1.0;
                done += 1;
                pace.went();
            } else {
                pace.throttled(now_ms);
            }
        }
        assert!((1_000..=2_010).contains(&done), "{done} of 2,000");
    }
}
