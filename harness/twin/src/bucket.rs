//! The token bucket that counts every rate of the twin: pure, the time comes in.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket without refill is looked at again after this.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// A token bucket. It may be overdrawn, for what is counted after the fact; without a rate it grants everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// Infinite: no limit.
    rate_per_s: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket that holds one second's worth.
    pub(crate) fn new(rate_per_s: f64, now: Instant) -> Self {
        Self::with_burst(rate_per_s, rate_per_s, now)
    }

    /// A full bucket that holds `burst`.
    pub(crate) fn with_burst(rate_per_s: f64, burst: f64, now: Instant) -> Self {
        let burst = holds(rate_per_s, burst);
        Self { rate_per_s, burst, tokens: burst, filled: now }
    }

    /// Another rate from now on; what is in the bucket stays, as far as it fits.
    pub(crate) fn set_rate(&mut self, rate_per_s: f64, burst: f64, now: Instant) {
        self.fill(now);
        self.rate_per_s = rate_per_s;
        self.burst = holds(rate_per_s, burst);
        self.tokens = self.tokens.min(self.burst);
    }

    /// What it fills by.
    pub(crate) fn rate_per_s(&self) -> f64 {
        self.rate_per_s
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_up_to(1, now) == 1
    }

    /// Takes as many of `wanted` as there are.
    pub(crate) fn take_up_to(&mut self, wanted: usize, now: Instant) -> usize {
        if self.is_unlimited() {
            return wanted;
        }
        self.fill(now);
        let granted = (0..wanted).take_while(|n| self.tokens >= (*n + 1) as f64).count();
        self.tokens -= granted as f64;
        granted
    }

    /// Counts `amount`, also beyond what there is.
    pub(crate) fn spend(&mut self, amount: usize, now: Instant) {
        if !self.is_unlimited() {
            self.fill(now);
            self.tokens -= amount as f64;
        }
    }

    /// When there will be `level` again; `None` if there is now.
    pub(crate) fn waits_until(&self, level: f64) -> Option<Instant> {
        let missing = level - self.tokens;
        (missing > 0.0 && !self.is_unlimited()).then(|| {
            let wait = Duration::try_from_secs_f64(missing / self.rate_per_s).unwrap_or(WAIT_MAX);
            self.filled + wait.min(WAIT_MAX)
        })
    }

    /// Whether nothing was taken for so long that it is full: a bucket like a new one.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }

    fn is_unlimited(&self) -> bool {
        self.rate_per_s.is_infinite()
    }

    fn fill(&mut self, now: Instant) {
        let elapsed_s = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        if elapsed_s > 0.0 {
            self.tokens = (self.tokens + elapsed_s * self.rate_per_s).min(self.burst);
        }
    }
}

/// A bucket that fills holds at least one: a rate below one a second grants one now and then.
fn holds(rate_per_s: f64, burst: f64) -> f64 {
    if rate_per_s > 0.0 { burst.max(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_grants_its_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new(100.0, now);
        let mut granted = |at| (0..500).filter(|_| bucket.take(at)).count();
        assert_eq!(granted(now), 100);
        assert_eq!(granted(now + Duration::from_millis(500)), 50);
    }

    #[test]
    fn an_overdrawn_bucket_says_when_it_is_even() {
        let now = Instant::now();
        let mut bucket = Bucket::new(1_000.0, now);
        bucket.spend(3_000, now);
        let even = bucket.waits_until(0.0).unwrap();
        assert_eq!(even.duration_since(now).as_secs(), 2);
        bucket.spend(0, even);
        assert_eq!(bucket.waits_until(0.0), None);
    }

    #[test]
    fn a_bucket_without_rate_grants_everything() {
        let now = Instant::now();
        let mut bucket = Bucket::new(f64::INFINITY, now);
        bucket.spend(1_000_000, now);
        assert_eq!((bucket.take_up_to(5_000, now), bucket.waits_until(0.0)), (5_000, None));
        bucket.set_rate(2.0, 2.0, now);
        assert_eq!(bucket.take_up_to(5, now), 2);
    }

    proptest! {
        /// Over any time a bucket grants no more than its burst and its rate times that time.
        #[test]
        fn never_more_than_rate_and_burst(
            rate in 1u32..200,
            burst in 1u32..400,
            steps in prop::collection::vec((0u64..400, 0usize..50), 1..60),
        ) {
            let began = Instant::now();
            let mut bucket = Bucket::with_burst(f64::from(rate), f64::from(burst), began);
            let (mut now, mut granted) = (began, 0);
            for (pause_ms, wanted) in steps {
                now += Duration::from_millis(pause_ms);
                granted += bucket.take_up_to(wanted, now);
                let bound = f64::from(burst) + f64::from(rate) * now.duration_since(began).as_secs_f64();
                prop_assert!(granted as f64 <= bound + 1e-6);
            }
        }
    }
}
