//! Pacing: calls of one operation in one Region are kept to a share of its quota from the first one on, so that AWS has nothing to
//! throttle and production in the same account keeps the rest.
//!
//! The quotas are AWS's defaults, or what Service Quotas says of the account. Production may use them up all the same: then the
//! replicator's [`Rate`](replicator::rate), the one controller of everything here that calls an API, learns what is left.

use std::{collections::BTreeMap, sync::Arc};

use gameday_twin::{QuotaBook, SELECT_REGIONS};
use parking_lot::Mutex;
use replicator::turns::Turns;

use super::{RegionClients, quotas::applied_quotas};

/// The share of a quota that the harness takes, unless it is told another.
const SHARE: f64 = 0.8;
/// Service Quotas' code of AWS IoT's data plane, under which it has those of the registry, too; and that of its other part.
const SERVICES: [&str; 2] = ["iotcore", "iot"];

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
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    share: f64,
    /// Quotas as Service Quotas says them, by Region and operation.
    known: BTreeMap<(String, &'static str), f64>,
    /// By Region.
    turns: BTreeMap<String, Turns>,
}

impl Pace {
    pub(crate) fn new(scale: f64) -> Self {
        let state = State { share: SHARE, known: BTreeMap::new(), turns: BTreeMap::new() };
        Self { scale, state: Arc::new(Mutex::new(state)) }
    }

    /// From now on the harness takes this share of every quota.
    pub(crate) fn take_share(&self, share: f64) {
        self.state.lock().share = share;
    }

    /// Reads from Service Quotas what applies in a Region.
    ///
    /// # Errors
    /// It does not answer. AWS's defaults apply then.
    pub(crate) async fn read_quotas(&self, clients: &RegionClients) -> anyhow::Result<()> {
        // The codes of operations, as AWS has them everywhere.
        let region = clients.region.clone();
        let book = QuotaBook::new(1.0, &[], std::slice::from_ref(&region));
        for service in SERVICES {
            let applied = applied_quotas(clients, service).await?;
            let mut state = self.state.lock();
            for (operation, _) in QUOTAS_PER_S {
                let quota =
                    book.of_calls(&region, "iot", operation).and_then(|quota| applied.get(quota.code));
                if let Some(quota) = quota {
                    state.known.insert((region.clone(), operation), quota.value);
                }
            }
        }
        Ok(())
    }

    /// Calls per second that the harness makes of an operation at most; `None` is as many as it likes. Where Regions differ it is
    /// the least.
    pub(crate) fn rate_per_s(&self, operation: &str) -> Option<f64> {
        let (name, default) = QUOTAS_PER_S.iter().find(|(name, _)| *name == operation)?;
        let state = self.state.lock();
        let known = state.known.iter().filter(|((_, known), _)| known == name).map(|(_, quota)| *quota);
        Some(known.reduce(f64::min).unwrap_or(default * self.scale) * state.share)
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
        let Some((turns, per_s)) = self.turns(region, operation) else { return };
        turns.take_below(operation, per_s).await;
    }

    /// An attempt was throttled.
    pub(crate) fn throttled(&self, region: &str, operation: &str) {
        self.answered(region, operation, true);
    }

    /// An attempt was answered, and not throttled.
    pub(crate) fn went(&self, region: &str, operation: &str) {
        self.answered(region, operation, false);
    }

    fn answered(&self, region: &str, operation: &str, is_throttled: bool) {
        let turns = self.state.lock().turns.get(region).cloned();
        if let Some(turns) = turns {
            turns.answered(operation, is_throttled);
        }
    }

    /// The turns of a Region, and what an operation's are bound by; none of one that is not paced.
    fn turns(&self, region: &str, operation: &'static str) -> Option<(Turns, f64)> {
        let (name, default) = QUOTAS_PER_S.iter().find(|(name, _)| *name == operation)?;
        let mut state = self.state.lock();
        let known = state.known.get(&(region.to_owned(), *name)).copied();
        let per_s = known.unwrap_or(default * self.scale) * state.share;
        // A known Region is asked for again and again: no name is made for it.
        let turns = match state.turns.get(region) {
            Some(turns) => turns.clone(),
            None => state.turns.entry(region.to_owned()).or_default().clone(),
        };
        Some((turns, per_s))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use gameday_twin::{Twin, TwinConfig};

    use super::*;
    use crate::{aws::Aws, pool::site::Site};

    #[test]
    fn a_share_of_the_quota_is_taken() {
        let pace = Pace::new(1.0);
        assert!((pace.readiness_per_s() - 8.0).abs() < 1e-9, "of DescribeCertificate 10 a second");
        for (region, per_s) in [("us-east-1", 3_200.0), ("eu-north-1", 320.0)] {
            assert!((pace.shadows_per_s(region) - per_s).abs() < 1e-9, "{region}");
        }
        assert!(pace.turns("us-east-1", "ListTopicRules").is_none(), "what is not multiplied is not paced");
        pace.take_share(1.0);
        assert_eq!(pace.turns("us-east-1", "CreateThing").map(|(_, per_s)| per_s), Some(100.0));
        pace.state.lock().known.insert(("us-east-1".to_owned(), "CreateThing"), 7.0);
        assert_eq!(pace.turns("us-east-1", "CreateThing").map(|(_, per_s)| per_s), Some(7.0));
        assert_eq!(pace.turns("us-west-2", "CreateThing").map(|(_, per_s)| per_s), Some(100.0));
        assert_eq!(pace.rate_per_s("CreateThing"), Some(7.0), "where Regions differ the least");
    }

    #[tokio::test]
    async fn calls_are_spread_and_each_region_has_its_own_turns() {
        let (pace, began) = (Pace::new(1.0), Instant::now());
        for _ in 0..40 {
            pace.take("us-east-1", "CreateThing").await;
        }
        let took_ms = began.elapsed().as_millis();
        assert!((350..2_000).contains(&took_ms), "40 at 80 a second: {took_ms} ms");
        let began = Instant::now();
        pace.take("us-west-2", "CreateThing").await;
        assert!(began.elapsed().as_millis() < 10);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_service_quotas_says_is_the_pace_and_a_throttle_slows_it() {
        let twin = Twin::start(TwinConfig { quota_scale: 3.0, ..TwinConfig::default() }).await.unwrap();
        let aws = Aws::connect(&twin.endpoints()).await;
        // As on AWS, where nobody says by what the defaults are multiplied.
        let pace = Pace::new(1.0);
        pace.read_quotas(&aws.primary).await.unwrap();
        for (operation, quota) in
            [("CreateThing", 300.0), ("SearchIndex", 45.0), ("DescribeCertificate", 30.0)]
        {
            let (_, per_s) = pace.turns(&aws.primary.region, operation).unwrap();
            assert!((per_s - quota * SHARE).abs() < 1e-9, "{operation}: {per_s}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_something_is_not_there_is_no_sign_and_a_throttle_is() {
        let site = Site::start().await;
        let (pace, region) = (&site.aws.pace, site.aws.primary.region.clone());
        pace.take(&region, "DescribeThing").await;
        let (turns, most) = pace.turns(&region, "DescribeThing").unwrap();
        let look = async || site.has_thing(&site.aws.primary, "nothing").await;
        for _ in 0..10 {
            assert!(!look().await);
        }
        assert_eq!(turns.per_s("DescribeThing"), Some(most));
        {
            let _throttled = site.throttle("DescribeThing");
            look().await;
        }
        assert!(turns.per_s("DescribeThing").is_some_and(|per_s| per_s < most / 1.9), "{turns:?}");
    }
}
