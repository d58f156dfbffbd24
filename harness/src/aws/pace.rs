//! Pacing: calls of one operation in one Region are spread below its quota, so that AWS has nothing to throttle and
//! production in the same account keeps a share.
//!
//! An account may have smaller quotas than AWS's defaults, or production may use them up: each sign of throttling halves the
//! operation's rate, and answers that are none bring it back, never above its share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gameday_twin::SELECT_REGIONS;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// The share of a quota that the harness takes.
const SHARE: f64 = 0.8;
/// Throttles that come together are one sign.
const SIGN: Duration = Duration::from_secs(1);
/// What signs leave of a rate at the least.
const SLOWED_MIN: f64 = 1.0 / 64.0;
/// What an answer gives back: after a sign, fifty of them restore the rate.
const RECOVERY: f64 = 0.01;

/// AWS's default quotas of the operations that a fleet multiplies, calls per second.
const QUOTAS_PER_S: [(&str, f64); 19] = [
    ("CreateThing", 100.0),
    ("CreateCertificateFromCsr", 15.0),
    ("AttachPolicy", 15.0),
    ("AttachThingPrincipal", 100.0),
    ("AddThingToThingGroup", 100.0),
    ("DescribeThing", 350.0),
    ("ListThingPrincipals", 20.0),
    ("DescribeCertificate", 10.0),
    ("ListAttachedPolicies", 15.0),
    ("ListThingGroupsForThing", 50.0),
    ("DetachThingPrincipal", 100.0),
    ("DetachPolicy", 15.0),
    ("UpdateCertificate", 10.0),
    ("DeleteCertificate", 10.0),
    ("DeleteThing", 100.0),
    ("ListPrincipalThings", 10.0),
    ("ListNamedShadowsForThing", 100.0),
    // The quota of all calls of shadows together, see [`Pace::shadows_per_s`].
    ("GetThingShadow", 4_000.0),
    ("SearchIndex", 15.0),
];

/// What looking whether a device is ready calls once in each Region.
const READINESS_CALLS: [&str; 5] = [
    "DescribeThing",
    "ListThingPrincipals",
    "DescribeCertificate",
    "ListAttachedPolicies",
    "ListThingGroupsForThing",
];

/// When each operation may be called next.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    scale: f64,
    slots: Arc<Mutex<BTreeMap<(String, &'static str), Slot>>>,
}

/// An operation in a Region.
#[derive(Debug, Clone, Copy)]
struct Slot {
    next: Instant,
    /// What signs of throttling left of its rate: 1 is all.
    slowed: f64,
    sign: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(scale: f64) -> Self {
        Self { scale, slots: Arc::default() }
    }

    /// Calls per second that the harness makes of an operation at most; `None` is as many as it likes.
    pub(crate) fn rate_per_s(&self, operation: &str) -> Option<f64> {
        QUOTAS_PER_S.iter().find(|(name, _)| *name == operation).map(|(_, quota)| quota * self.scale * SHARE)
    }

    /// Calls of shadows in a second that the harness makes in a Region at the most.
    pub(crate) fn shadows_per_s(&self, region: &str) -> f64 {
        let per_s = self.rate_per_s("GetThingShadow").unwrap_or(f64::MAX);
        if SELECT_REGIONS.contains(&region) { per_s / 10.0 } else { per_s }
    }

    /// Devices that are looked at in a second at the most, by the tightest quota.
    pub(crate) fn readiness_per_s(&self) -> f64 {
        READINESS_CALLS.iter().filter_map(|operation| self.rate_per_s(operation)).fold(f64::MAX, f64::min)
    }

    /// Waits for this call's turn.
    pub(crate) async fn take(&self, region: &str, operation: &'static str) {
        if let Some(turn) = self.turn(region, operation, Instant::now()) {
            sleep_until(turn).await;
        }
    }

    /// An attempt was throttled.
    pub(crate) fn throttled(&self, region: &str, operation: &str) {
        self.sign(region, operation, Instant::now());
    }

    /// An attempt was answered, and not throttled.
    pub(crate) fn went(&self, region: &str, operation: &str) {
        self.change(region, operation, |slot| slot.slowed = (slot.slowed + RECOVERY).min(1.0));
    }

    /// When a call that asks now may be made; it has its place then.
    fn turn(&self, region: &str, operation: &'static str, now: Instant) -> Option<Instant> {
        let rate = self.rate_per_s(operation)?;
        let mut slots = self.slots.lock();
        let slot = slots.entry((region.to_owned(), operation)).or_insert(Slot {
            next: now,
            slowed: 1.0,
            sign: None,
        });
        let turn = slot.next.max(now);
        slot.next = turn + Duration::from_secs_f64(1.0 / (rate * slot.slowed));
        Some(turn)
    }

    fn sign(&self, region: &str, operation: &str, now: Instant) {
        self.change(region, operation, |slot| {
            if slot.sign.is_none_or(|last| now.saturating_duration_since(last) >= SIGN) {
                slot.sign = Some(now);
                slot.slowed = (slot.slowed / 2.0).max(SLOWED_MIN);
            }
        });
    }

    /// Changes an operation that was called at this pace before.
    fn change(&self, region: &str, operation: &str, change: impl FnOnce(&mut Slot)) {
        let Some((operation, _)) = QUOTAS_PER_S.iter().find(|(name, _)| *name == operation) else { return };
        if let Some(slot) = self.slots.lock().get_mut(&(region.to_owned(), *operation)) {
            change(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::site::Site;

    #[test]
    fn calls_are_spread_below_the_quota() {
        let (pace, began) = (Pace::new(1.0), Instant::now());
        let turn = |region| pace.turn(region, "CreateThing", began).unwrap().duration_since(began);
        let last = (0..81).map(|_| turn("us-east-1")).max().unwrap();
        assert_eq!(last.as_millis(), 1_000, "80 of 100 a second");
        assert_eq!(turn("us-west-2").as_millis(), 0, "the other Region has its own");
        assert_eq!(
            pace.turn("us-east-1", "ListTopicRules", began),
            None,
            "what is not multiplied is not paced"
        );
        assert!((pace.readiness_per_s() - 8.0).abs() < 1e-9, "of DescribeCertificate 10 a second");
        for (region, per_s) in [("us-east-1", 3_200.0), ("eu-north-1", 320.0)] {
            assert!((pace.shadows_per_s(region) - per_s).abs() < 1e-9, "{region}");
        }
    }

    #[test]
    fn signs_that_come_together_halve_the_rate_once_and_answers_restore_it() {
        let (pace, began) = (Pace::new(1.0), Instant::now());
        // How far the turn that was just taken puts off the next one.
        let distance_ms = |at: Instant| {
            let turn = pace.turn("us-east-1", "CreateThing", at).unwrap();
            let next = pace.turn("us-east-1", "CreateThing", at).unwrap();
            (next - turn).as_secs_f64() * 1_000.0
        };
        let is = |at: Instant, ms: f64| {
            let found = distance_ms(at);
            assert!((found - ms).abs() < 0.1, "{found} ms, not {ms}");
        };
        is(began, 12.5);
        (0..20).for_each(|_| pace.sign("us-east-1", "CreateThing", began + SIGN));
        is(began + SIGN, 25.0);
        pace.sign("us-east-1", "CreateThing", began + SIGN * 2);
        is(began + SIGN * 2, 50.0);
        (0..100).for_each(|_| pace.went("us-east-1", "CreateThing"));
        is(began + SIGN * 3, 12.5);
        (0..100).for_each(|n| pace.sign("us-east-1", "CreateThing", began + SIGN * (4 + n)));
        is(began + SIGN * 200, 12.5 * 64.0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_something_is_not_there_restores_the_rate_and_a_throttle_does_not() {
        let site = Site::start().await;
        let (pace, region) = (&site.aws.pace, &site.aws.primary.region);
        pace.take(region, "DescribeThing").await;
        let slowed = || pace.slots.lock()[&(region.clone(), "DescribeThing")].slowed;
        pace.throttled(region, "DescribeThing");
        assert!((slowed() - 0.5).abs() < 1e-9, "{}", slowed());
        let look = async || site.has_thing(&site.aws.primary, "nothing").await;
        for _ in 0..10 {
            assert!(!look().await);
        }
        assert!((slowed() - 0.6).abs() < 1e-9, "{}", slowed());
        {
            let _throttled = site.throttle("DescribeThing");
            look().await;
        }
        assert!(slowed() < 0.6 + 1e-9, "{}", slowed());
        for _ in 0..100 {
            look().await;
        }
        assert!((slowed() - 1.0).abs() < 1e-9, "{}", slowed());
    }
}
