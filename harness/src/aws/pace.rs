//! Pacing: calls of one operation in one Region are spread below its quota, so that AWS has nothing to throttle and
//! production in the same account keeps a share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// The share of a quota that the harness takes.
const SHARE: f64 = 0.8;

/// AWS's default quotas of the operations that a fleet multiplies, calls per second.
const QUOTAS_PER_S: [(&str, f64); 14] = [
    ("CreateThing", 100.0),
    ("CreateCertificateFromCsr", 15.0),
    ("AttachPolicy", 15.0),
    ("AttachThingPrincipal", 100.0),
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
];

/// What looking whether a device is ready calls once in each Region.
pub(crate) const READINESS_CALLS: [&str; 5] = [
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
    next: Arc<Mutex<BTreeMap<(String, &'static str), Instant>>>,
}

impl Pace {
    pub(crate) fn new(scale: f64) -> Self {
        Self { scale, next: Arc::default() }
    }

    /// Calls per second that the harness makes of an operation at most; `None` is as many as it likes.
    pub(crate) fn rate_per_s(&self, operation: &str) -> Option<f64> {
        QUOTAS_PER_S.iter().find(|(name, _)| *name == operation).map(|(_, quota)| quota * self.scale * SHARE)
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

    /// When a call that asks now may be made; it has its place then.
    fn turn(&self, region: &str, operation: &'static str, now: Instant) -> Option<Instant> {
        let rate = self.rate_per_s(operation)?;
        let mut next = self.next.lock();
        let slot = next.entry((region.to_owned(), operation)).or_insert(now);
        let turn = (*slot).max(now);
        *slot = turn + Duration::from_secs_f64(1.0 / rate);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
