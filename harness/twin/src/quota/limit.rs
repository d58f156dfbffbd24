//! One quota as it is enforced: its value, which may be set while the twin runs, and for a rate the bucket that counts it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::bucket::Bucket;

/// One limit in one Region. Shared by what enforces it and by what sets it.
#[derive(Debug)]
pub(crate) struct Limit {
    /// The bits of an `f64`.
    applied: AtomicU64,
    enforced: bool,
    /// What the bucket holds, in seconds of the rate.
    burst_s: f64,
    bucket: Mutex<Bucket>,
    refused: AtomicU64,
}

impl Limit {
    pub(super) fn new(applied: f64, burst_s: f64, enforced: bool) -> Self {
        let limit = Self {
            applied: AtomicU64::new(applied.to_bits()),
            enforced,
            burst_s,
            bucket: Mutex::new(Bucket::new(f64::INFINITY, Instant::now())),
            refused: AtomicU64::new(0),
        };
        limit.set(applied);
        limit
    }

    /// What is enforced now; infinite while quotas are off.
    pub(crate) fn value(&self) -> f64 {
        if self.enforced { self.applied() } else { f64::INFINITY }
    }

    /// The same as a number of things, rounded down.
    pub(crate) fn count(&self) -> usize {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates at both ends"
        )]
        let count = self.value() as usize;
        count
    }

    /// What applies now, enforced or not.
    pub(super) fn applied(&self) -> f64 {
        f64::from_bits(self.applied.load(Relaxed))
    }

    /// Whether `count` is more than what applies; counted as refused if it is.
    pub(crate) fn is_below(&self, count: usize) -> bool {
        let below = count as f64 > self.value();
        if below {
            self.refused.fetch_add(1, Relaxed);
        }
        below
    }

    /// What applies from now on.
    pub(super) fn set(&self, applied: f64) {
        self.applied.store(applied.to_bits(), Relaxed);
        let rate_per_s = self.value();
        self.bucket.lock().set_rate(rate_per_s, rate_per_s * self.burst_s, Instant::now());
    }

    /// Takes one of the rate, if there is one.
    pub(crate) fn take(&self, now: Instant) -> bool {
        self.take_up_to(1, now) == 1
    }

    /// Takes as many of `wanted` as the rate has.
    pub(crate) fn take_up_to(&self, wanted: usize, now: Instant) -> usize {
        let granted = self.bucket.lock().take_up_to(wanted, now);
        if granted < wanted {
            self.refused.fetch_add((wanted - granted) as u64, Relaxed);
        }
        granted
    }

    /// Counts `amount` of the rate, also beyond what there is.
    pub(crate) fn spend(&self, amount: usize, now: Instant) {
        self.bucket.lock().spend(amount, now);
    }

    /// A bucket of its own at this rate, for what has the quota on its own: a connection, a thing.
    pub(crate) fn bucket(&self, now: Instant) -> Bucket {
        Bucket::with_burst(self.value(), self.value() * self.burst_s, now)
    }

    /// Takes one of a bucket of its own, which follows the quota where it was set anew.
    pub(crate) fn take_of(&self, bucket: &mut Bucket, now: Instant) -> bool {
        let rate_per_s = self.value();
        if bucket.rate_per_s().to_bits() != rate_per_s.to_bits() {
            bucket.set_rate(rate_per_s, rate_per_s * self.burst_s, now);
        }
        let granted = bucket.take(now);
        if !granted {
            self.note_refused();
        }
        granted
    }

    /// Notes that something was refused by a bucket of its own.
    pub(crate) fn note_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// How often it refused something.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}
