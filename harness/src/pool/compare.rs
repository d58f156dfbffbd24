//! Is a fleet the same in both Regions? Things with type and attributes, certificates with their status, policies with their
//! documents, groups: field by field, as the replicator's own library compares them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use replicator::{
    aws::{AwsRegion, Both, SystemClock},
    compare::{self, Difference},
    look::Regions,
    outcome::Outcome,
    pace::Pace,
    ports::{Groups, Things},
    rules::is_own,
};
use serde::Serialize;

/// Devices that are compared at once.
const PARALLEL: usize = 32;
/// Devices that are told one by one. All are counted.
const TOLD_MAX: usize = 1_000;

/// Which devices.
#[derive(Debug, Clone)]
pub(crate) enum Which {
    /// Those with these names, wherever they are.
    Named(Vec<String>),
    /// Those that a query of the fleet index finds in either Region; without one all.
    Found(Option<String>),
}

/// A device that is not the same in both Regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    pub(crate) thing: String,
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

/// What is wrong with a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding", content = "why")]
pub(crate) enum Finding {
    /// It differs in these ways.
    Differs(Vec<Difference>),
    /// It is in neither Region.
    Absent,
    /// It is in the secondary and not in the primary.
    OnlyInSecondary,
    /// It could not be compared.
    Unknown(String),
}

/// A comparison.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Comparison {
    pub(crate) devices: u64,
    pub(crate) same: u64,
    pub(crate) differ: u64,
    pub(crate) unknown: u64,
    /// The first that are not the same, by name.
    pub(crate) told: Vec<Compared>,
}

impl Comparison {
    fn count(&mut self, thing: String, finding: Option<Finding>) {
        self.devices += 1;
        let Some(finding) = finding else {
            self.same += 1;
            return;
        };
        match finding {
            Finding::Unknown(_) => self.unknown += 1,
            _ => self.differ += 1,
        }
        if self.told.len() < TOLD_MAX {
            self.told.push(Compared { thing, finding });
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Differs(differences) => {
                let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
                f.write_str(&all.join("; "))
            }
            Self::Absent => f.write_str("in neither Region"),
            Self::OnlyInSecondary => f.write_str("only in the secondary"),
            Self::Unknown(why) => write!(f, "could not be compared: {why}"),
        }
    }
}

type Compares<'a> = Regions<'a, AwsRegion, AwsRegion, SystemClock>;

/// Compares. `identities` is whether certificates and policies are compared, too: devices of just-in-time registration bring
/// theirs when they come. No more than `per_s_max` devices are compared in a second.
pub(crate) async fn compare(
    both: &Both,
    which: Which,
    identities: bool,
    per_s_max: f64,
    on_progress: &(dyn Fn(&Comparison) + Sync),
) -> anyhow::Result<Comparison> {
    let (regions, pace) = (both.regions(), Pace::at_most(per_s_max));
    let names = match which {
        Which::Named(names) => names,
        Which::Found(query) => things_of_both(both, &pace, query.as_deref()).await?,
    };
    let comparing = Comparing { regions, identities, pace, groups: Mutex::default() };
    let comparison = Mutex::new(Comparison::default());
    stream::iter(names)
        .for_each_concurrent(PARALLEL, async |name| {
            let patient = comparing.pace.patient(&both.clock, async || comparing.device(&name).await);
            let finding = patient.await.unwrap_or_else(|failure| Some(Finding::Unknown(failure.to_string())));
            let mut comparison = comparison.lock();
            comparison.count(name, finding);
            on_progress(&comparison);
        })
        .await;
    let mut comparison = comparison.into_inner();
    comparison.told.sort_by(|a, b| a.thing.cmp(&b.thing));
    Ok(comparison)
}

/// Names of the things that a query of the fleet index finds in either Region, without one of all, in order.
pub(crate) async fn things_of_both(
    both: &Both,
    pace: &Pace,
    query: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for region in [&both.primary, &both.secondary] {
        names.extend(list(both, region, pace, query).await?);
    }
    Ok(names.into_iter().collect())
}

/// Names of a Region's things, but for the replicator's own equipment.
async fn list(
    both: &Both,
    region: &AwsRegion,
    pace: &Pace,
    query: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let (mut names, mut from) = (Vec::new(), None::<String>);
    loop {
        let page = pace.patient(&both.clock, async || region.things(query, from.as_deref()).await).await;
        let page =
            page.map_err(|failure| anyhow!("things of {} cannot be listed: {failure}", region.name()))?;
        names.extend(page.items.into_iter().map(|found| found.thing.name).filter(|name| !is_own(name)));
        from = page.next;
        if from.is_none() {
            return Ok(names);
        }
    }
}

struct Comparing<'a> {
    regions: Compares<'a>,
    identities: bool,
    pace: Pace,
    /// What is wrong with the policies of a group: a fleet shares few groups.
    groups: Mutex<BTreeMap<String, Vec<Difference>>>,
}

impl Comparing<'_> {
    async fn device(&self, name: &str) -> Outcome<Option<Finding>> {
        let regions = &self.regions;
        let (here, there) = futures::join!(regions.primary.thing(name), regions.secondary.thing(name));
        let (here, there) = match (here?, there?) {
            (None, None) => return Ok(Some(Finding::Absent)),
            (None, Some(_)) => return Ok(Some(Finding::OnlyInSecondary)),
            (Some(here), there) => (here, there),
        };
        let mut found = compare::thing(&here.thing, there.as_ref().map(|there| &there.thing));
        if there.is_some() {
            if self.identities {
                found.extend(regions.compare_identity(name).await?.differences);
            }
            found.extend(regions.compare_groups(name).await?);
            if self.identities {
                for group in regions.primary.thing_groups(name).await? {
                    found.extend(self.group(group).await?);
                }
            }
        }
        Ok((!found.is_empty()).then_some(Finding::Differs(found)))
    }

    async fn group(&self, name: String) -> Outcome<Vec<Difference>> {
        if let Some(known) = self.groups.lock().get(&name) {
            return Ok(known.clone());
        }
        let found = self.regions.compare_group_policies(&name).await?;
        self.groups.lock().insert(name, found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_and_what_is_not_known_is_not_the_same() {
        let mut comparison = Comparison::default();
        comparison.count("a".into(), None);
        comparison.count("b".into(), Some(Finding::Absent));
        comparison.count("c".into(), Some(Finding::Unknown("throttled".into())));
        let Comparison { devices, same, differ, unknown, .. } = comparison;
        assert_eq!((devices, same, differ, unknown), (3, 1, 1, 1));
        (0..TOLD_MAX).for_each(|n| comparison.count(n.to_string(), Some(Finding::OnlyInSecondary)));
        assert_eq!((comparison.told.len(), comparison.differ), (TOLD_MAX, 1 + TOLD_MAX as u64));
    }

    #[test]
    fn findings_read_as_sentences_and_as_json() {
        let differs = Finding::Differs(vec![Difference::TypeDiffers, Difference::NotInGroup("g".into())]);
        assert_eq!(differs.to_string(), "another type; not in group g");
        let compared = Compared { thing: "a".into(), finding: differs };
        let expected = serde_json::json!({"thing": "a", "finding": "differs",
            "why": [{"what": "type_differs"}, {"what": "not_in_group", "name": "g"}]});
        assert_eq!(serde_json::to_value(&compared).unwrap(), expected);
    }
}
