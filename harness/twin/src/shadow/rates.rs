//! Shadow requests of each thing, counted apart: AWS's limit of a thing covers all its shadows.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{bucket::Bucket, quota::Limit};

/// Things that are counted at a time before those that rest are forgotten.
const SWEEP_THINGS: usize = 4_096;

/// The buckets of the things that asked lately.
#[derive(Debug, Default)]
pub(crate) struct ThingRates {
    buckets: BTreeMap<String, Bucket>,
    /// Things after which is swept next.
    sweep_at: usize,
}

impl ThingRates {
    /// Takes one request of `thing`; `false` if it made too many.
    pub(crate) fn take(&mut self, thing: &str, limit: &Limit, now: Instant) -> bool {
        if let Some(bucket) = self.buckets.get_mut(thing) {
            return limit.take_of(bucket, now);
        }
        self.sweep(now);
        let mut bucket = limit.bucket(now);
        let granted = limit.take_of(&mut bucket, now);
        self.buckets.insert(thing.to_owned(), bucket);
        granted
    }

    /// Forgets full buckets, each time that the things have doubled: what a sweep costs is spread over what filled it.
    fn sweep(&mut self, now: Instant) {
        if self.buckets.len() >= self.sweep_at.max(SWEEP_THINGS) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = self.buckets.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quota::{DataPlane, Quotas};

    #[test]
    fn a_thing_has_twenty_a_second_and_rests_leave_nothing() {
        let plane = DataPlane::of(&Quotas::new(1.0, true, &["us-east-1".to_owned()]), "us-east-1");
        let (limit, now) = (&plane.thing_shadow_requests, Instant::now());
        let mut rates = ThingRates::default();
        let granted = |rates: &mut ThingRates, thing: &str, now| {
            (0..50).filter(|_| rates.take(thing, limit, now)).count()
        };
        assert_eq!(granted(&mut rates, "a", now), 20);
        assert_eq!(granted(&mut rates, "b", now), 20, "another thing has its own");
        assert_eq!(limit.refused(), 60);
        for n in 2..SWEEP_THINGS {
            rates.take(&n.to_string(), limit, now);
        }
        rates.take("late", limit, now + Duration::from_secs(2));
        assert_eq!(rates.buckets.len(), 1, "those that rest are forgotten");
    }
}
