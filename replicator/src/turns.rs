//! Turns: calls of one operation are spread so that few of them are throttled, and none of its quota is left unused.
//!
//! A function knows neither the account's quotas nor how many of its instances share them. Calls are not held back until
//! one is throttled. From then on the operation's rate falls to what went through lately when tries are throttled, at most
//! once a second, and grows by a part each second. It swings about the instance's share of the quota, by less than what a
//! second of the quota makes up for; with back-off alone, most tries are throttled, and still everybody may be asleep while
//! the quota fills up.
//!
//! Tries that an SDK makes again on its own have no turn; they count as all others do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The rate of an operation after its first throttled try.
const RATE_PER_S_FIRST: f64 = 50.0;

/// No operation is called less often than this.
const RATE_PER_S_MIN: f64 = 0.2;

/// Above this there is nothing to be spread.
const RATE_PER_S_MAX: f64 = 1_000.0;

/// What throttled tries leave of the rate at the most, and at the least.
const THROTTLED: (f64, f64) = (0.9, 0.5);

/// And of what went through since the last sign.
const WENT: f64 = 0.95;

/// Throttled tries closer to each other than this are one sign.
const SIGN: Duration = Duration::from_secs(1);

/// By what part of itself a rate grows in a second.
const GROWTH_PER_S: f64 = 0.05;

/// And by how much beyond that, so that instances which share a quota come to about the same rate.
const GROWTH_PER_S_PER_S: f64 = 0.05;

/// Time without answers says nothing of what is beyond this.
const GROWTH_MAX: Duration = Duration::from_secs(2);

/// No turn is further away: whoever waits holds a key meanwhile. If that is too soon, the call is throttled, its event is
/// tried again later, and the [crowd](crate::crowd) gets smaller.
pub const TURN_MS_MAX: u64 = 2_500;

/// The turns of one Region, shared by all that call it.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<BTreeMap<&'static str, Slot>>>);

/// One operation.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// None as long as nothing is throttled.
    rate_per_s: Option<f64>,
    next: Instant,
    /// When the last try was answered.
    answered: Instant,
    /// The last sign.
    sign: Instant,
    /// What went through since then.
    went: u32,
}

impl Turns {
    /// Waits for the turn of a call of that operation, by AWS's name for it.
    pub async fn take(&self, operation: &'static str) {
        let wait = self.wait(operation, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long a call that asks now has to wait; that is its place then.
    fn wait(&self, operation: &'static str, now: Instant) -> Duration {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(operation).or_insert_with(|| Slot::new(now));
        let turn = slot.next.clamp(now, now + Duration::from_millis(TURN_MS_MAX));
        slot.next = turn + slot.rate_per_s.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate));
        turn.duration_since(now)
    }

    /// A try of that operation was answered. One that takes no turns has no rate.
    pub fn answered(&self, operation: &str, is_throttled: bool) {
        self.answered_at(operation, is_throttled, Instant::now());
    }

    fn answered_at(&self, operation: &str, is_throttled: bool, now: Instant) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(operation) {
            slot.grow(now);
            if is_throttled { slot.throttle(now) } else { slot.went += 1 }
        }
    }
}

impl Slot {
    fn new(now: Instant) -> Self {
        Self { rate_per_s: None, next: now, answered: now, sign: now, went: 0 }
    }

    fn grow(&mut self, now: Instant) {
        let since_s = now.duration_since(self.answered).min(GROWTH_MAX).as_secs_f64();
        self.answered = now;
        let grown = |rate: f64| rate + (rate * GROWTH_PER_S + GROWTH_PER_S_PER_S) * since_s;
        self.rate_per_s = self.rate_per_s.map(grown).filter(|rate| *rate <= RATE_PER_S_MAX);
    }

    fn throttle(&mut self, now: Instant) {
        let since = now.duration_since(self.sign);
        self.rate_per_s = match self.rate_per_s {
            None => Some(RATE_PER_S_FIRST),
            Some(_) if since < SIGN => return,
            Some(rate) => {
                let went_per_s = f64::from(self.went) / since.as_secs_f64();
                let (most, least) = (rate * THROTTLED.0, rate * THROTTLED.1);
                Some((went_per_s * WENT).clamp(least, most).max(RATE_PER_S_MIN))
            }
        };
        (self.sign, self.went) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    const OPERATION: &str = "DescribeCertificate";

    #[test]
    fn nothing_waits_until_something_is_throttled() {
        let (turns, now) = (Turns::default(), Instant::now());
        let wait_ms = |operation| turns.wait(operation, now).as_millis();
        assert_eq!((0..1_000).map(|_| wait_ms(OPERATION)).max(), Some(0));
        turns.answered(OPERATION, true);
        assert_eq!((0..4).map(|_| wait_ms(OPERATION)).collect::<Vec<_>>(), [0, 20, 40, 60]);
        assert_eq!((0..4).map(|_| wait_ms("AttachPolicy")).max(), Some(0), "another has its own");
        turns.answered("ListThings", true);
        assert_eq!(wait_ms("ListThings"), 0, "it took no turn");
    }

    #[test]
    fn a_turn_is_never_far_away_and_a_rate_comes_back() {
        let (turns, now) = (Turns::default(), Instant::now());
        turns.wait(OPERATION, now);
        (0..60).for_each(|s| turns.answered_at(OPERATION, true, now + SIGN * s));
        let now = now + SIGN * 60;
        let waits: Vec<_> = (0..5).map(|_| turns.wait(OPERATION, now).as_millis()).collect();
        assert_eq!(waits, [0, 2_500, 2_500, 2_500, 2_500]);
        (0..300).for_each(|s| turns.answered_at(OPERATION, false, now + SIGN * s));
        let later = now + SIGN * 300;
        assert_eq!((0..100).map(|_| turns.wait(OPERATION, later).as_millis()).max(), Some(0));
    }

    /// What instances make of a quota that they share in two minutes: the share of it that they used, and the tries for each
    /// call that went through. Each instance has calls to make at any time, and as many at once; a throttled try is made
    /// again after a back-off.
    fn shared(quota_per_s: f64, instances: usize, at_once: usize) -> (f64, f64) {
        const LATENCY: Duration = Duration::from_millis(20);
        const SETTLED: Duration = Duration::from_secs(20);
        const END: Duration = Duration::from_mins(2);
        let (began, mut random) = (Instant::now(), 88_172_645_463_325_252_u64);
        let turns: Vec<Turns> = (0..instances).map(|_| Turns::default()).collect();
        let turn = |at: Duration, instance: usize| at + turns[instance].wait(OPERATION, began + at);
        let mut drawn = |below_ms: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            Duration::from_micros(random % (below_ms * 1_000))
        };
        let mut tries: BinaryHeap<Reverse<(Duration, usize, u32)>> = BinaryHeap::new();
        for instance in (0..instances).flat_map(|instance| std::iter::repeat_n(instance, at_once)) {
            tries.push(Reverse((turn(drawn(500), instance), instance, 0)));
        }
        let (mut tokens, mut filled, mut went, mut tried) = (quota_per_s, Duration::ZERO, 0, 0);
        while let Some(Reverse((at, instance, failures))) = tries.pop() {
            if at > END {
                break;
            }
            tokens = (at.saturating_sub(filled).as_secs_f64() * quota_per_s + tokens).min(quota_per_s);
            filled = at;
            let is_throttled = tokens < 1.0;
            turns[instance].answered_at(OPERATION, is_throttled, began + at);
            let counts = u32::from(at > SETTLED);
            tried += counts;
            let (next, failures) = if is_throttled {
                (at + LATENCY + drawn((250 << failures.min(2)).min(1_000)), failures + 1)
            } else {
                tokens -= 1.0;
                went += counts;
                (turn(at + LATENCY, instance), 0)
            };
            tries.push(Reverse((next, instance, failures)));
        }
        let could = quota_per_s * END.saturating_sub(SETTLED).as_secs_f64();
        (f64::from(went) / could, f64::from(tried) / f64::from(went))
    }

    #[test]
    fn a_quota_is_used_whatever_it_is_and_whoever_shares_it() {
        for (quota_per_s, instances, at_once) in
            [(10.0, 1, 8), (10.0, 8, 2), (200.0, 1, 16), (200.0, 5, 8), (200.0, 16, 16), (2_000.0, 8, 16)]
        {
            let (used, tries) = shared(quota_per_s, instances, at_once);
            let what =
                format!("{quota_per_s} a second, {instances} with {at_once} at once: {used:.3}, {tries:.2}");
            assert!(used > 0.97 && tries < 2.0, "{what}");
        }
    }
}
