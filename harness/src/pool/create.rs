//! Making a fleet, or going on with one: every call looks at what is on disk and does what lacks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::{Home, Making, Manifest, Method, Pool, Progress, authority, bulk, by_api, delete, policy};
use crate::{
    aws::{Aws, Missing},
    fleet::Recipe,
    identity::KeyKind,
    names::FLEET_ATTRIBUTE,
    output::Output,
};

/// What a person asked for. What is not said stays as it is, or is the default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) devices: Option<u32>,
    pub(crate) key: Option<KeyKind>,
    pub(crate) by: Option<Method>,
    pub(crate) policy: Option<String>,
    pub(crate) thing_type: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Making a fleet.
#[derive(Debug)]
pub(crate) struct Creation<'a> {
    pub(crate) pool: &'a mut Pool,
    pub(crate) aws: &'a Aws,
    pub(crate) home: Home,
    pub(crate) delivery: bulk::Delivery,
    pub(crate) output: Arc<Output>,
    pub(crate) progress: Progress,
    /// The pause before a deletion that failed, or did not last, is tried again.
    pub(crate) settle: Duration,
    pub(crate) stop: CancellationToken,
}

/// Devices that could not be made, and why.
pub(crate) type Failed = BTreeMap<u32, String>;

impl Given {
    /// What contradicts the fleet as it is.
    pub(crate) fn contradiction(&self, pool: &Pool) -> Option<String> {
        let manifest = &pool.manifest;
        if self.devices.is_some_and(|devices| devices < manifest.devices) {
            return Some(format!(
                "fleet {} has {} devices: it can grow, and it can be deleted",
                manifest.name, manifest.devices
            ));
        }
        if self.key.is_some_and(|key| key != manifest.key) {
            return Some(format!("fleet {} has keys of another kind", manifest.name));
        }
        let Some(making) = &manifest.making else { return None };
        let (recipe, attributes) = (&making.recipe, self.attributes(manifest));
        let just_in_time = |by| by == Method::JustInTime;
        let differs = [
            ("--by", self.by.is_some_and(|by| just_in_time(by) != just_in_time(making.by))),
            // Else two would make the same devices.
            ("--by", making.task.is_some() && self.by.is_some_and(|by| by != Method::Bulk)),
            ("--policy", self.policy.as_ref().is_some_and(|policy| *policy != recipe.policy)),
            ("--type", self.thing_type.is_some() && self.thing_type != recipe.thing_type),
            ("--group", !self.groups.is_empty() && self.groups != recipe.groups),
            ("--attribute", !self.attributes.is_empty() && attributes != recipe.attributes),
        ];
        let (option, _) = differs.into_iter().find(|(_, differs)| *differs)?;
        Some(format!("{option}: fleet {} was begun with another; it stays what it is", manifest.name))
    }

    /// What was asked for, and what says whose the device is: nothing is deleted that is not the fleet's.
    fn attributes(&self, manifest: &Manifest) -> BTreeMap<String, String> {
        let ours = (FLEET_ATTRIBUTE.to_owned(), manifest.mark());
        self.attributes.clone().into_iter().chain([ours]).collect()
    }

    /// How a new fleet is made.
    fn making(&self, manifest: &Manifest, home: &Home) -> Making {
        let by = self.by.unwrap_or(Method::Api);
        let policy = self.policy.clone().unwrap_or_else(|| match by {
            Method::JustInTime => replicator::jitr::POLICY_NAME.to_owned(),
            Method::Api | Method::Bulk => format!("gameday-fleet-{}", manifest.name),
        });
        Making {
            by,
            recipe: Recipe {
                policy,
                thing_type: self.thing_type.clone(),
                groups: self.groups.clone(),
                attributes: match by {
                    // Whoever registers a device by itself gives it none.
                    Method::JustInTime => BTreeMap::new(),
                    Method::Api | Method::Bulk => self.attributes(manifest),
                },
            },
            policy_is_ours: false,
            policy_is_made: false,
            home: home.clone(),
            authorities: BTreeMap::new(),
            task: None,
        }
    }
}

impl Creation<'_> {
    /// Makes what lacks, where the fleet is. What could not be made is in the answer; it may be tried again at any time.
    pub(crate) async fn run(&mut self, given: &Given) -> anyhow::Result<Failed> {
        if self.pool.manifest.making.is_none() {
            self.begin(given).await?;
        }
        if let (Some(by), Some(making)) = (given.by, &mut self.pool.manifest.making) {
            making.by = by;
        }
        self.pool.save()?;
        policy::make(self).await?;
        let mut failed = Box::pin(delete::finish(self)).await?;
        failed.extend(match self.making()?.by {
            Method::Api => Box::pin(by_api::make(self)).await?,
            Method::Bulk => Box::pin(bulk::make(self)).await?,
            Method::JustInTime => Box::pin(authority::make(self)).await?,
        });
        Ok(failed)
    }

    /// Settles how the fleet is made. What it needs of others has to be there; it gets a policy of its own if none is named.
    async fn begin(&mut self, given: &Given) -> anyhow::Result<()> {
        let mut making = given.making(&self.pool.manifest, &self.home);
        let (iot, region) = (&self.aws.primary.iot, &self.aws.primary.region);
        if let Some(name) = &making.recipe.thing_type {
            let found = iot.describe_thing_type().thing_type_name(name).send().await.missing_ok()?;
            found.with_context(|| {
                format!("there is no thing type {name}: aws iot create-thing-type --region {region} --thing-type-name {name}")
            })?;
        }
        for name in &making.recipe.groups {
            let found = iot.describe_thing_group().thing_group_name(name).send().await.missing_ok()?;
            found.with_context(|| {
                format!("there is no group {name}: aws iot create-thing-group --region {region} --thing-group-name {name}")
            })?;
        }
        if making.by != Method::JustInTime {
            let policy = making.recipe.policy.clone();
            let found = iot.get_policy().policy_name(&policy).send().await.missing_ok()?;
            if found.is_none() && given.policy.is_some() {
                bail!("there is no policy {policy} in {region}; without --policy one is made");
            }
            making.policy_is_ours = found.is_none();
        }
        // Written down before the policy is made, so that it is deleted with the fleet whatever happens.
        self.pool.manifest.making = Some(making);
        self.pool.save()
    }

    pub(super) fn making(&self) -> anyhow::Result<&Making> {
        self.pool.manifest.making.as_ref().context("the fleet is not begun")
    }

    pub(super) fn making_mut(&mut self) -> anyhow::Result<&mut Making> {
        self.pool.manifest.making.as_mut().context("the fleet is not begun")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::site::{NOTHING, Site};

    fn home() -> Home {
        Home { site: "aws".into(), account: "1".into(), primary: "a".into(), secondary: "b".into() }
    }

    #[test]
    fn what_is_not_said_is_the_default_and_a_fleet_has_its_own_policy() {
        let manifest = Manifest::new("lamps", KeyKind::P256);
        let making = Given::default().making(&manifest, &home());
        assert_eq!((making.by, making.recipe.policy.as_str()), (Method::Api, "gameday-fleet-lamps"));
        let given = Given { by: Some(Method::JustInTime), ..Given::default() };
        assert_eq!(given.making(&manifest, &home()).recipe.policy, "gameday-jitr");
    }

    #[test]
    fn a_second_call_may_say_the_same_or_nothing_and_may_let_it_grow() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 10;
        let first = Given {
            thing_type: Some("lamp".into()),
            attributes: [("site".to_owned(), "b".to_owned())].into(),
            ..Given::default()
        };
        let mut making = first.making(&pool.manifest, &home());
        pool.manifest.making = Some(making.clone());
        assert_eq!(first.contradiction(&pool), None);
        assert_eq!(Given::default().contradiction(&pool), None);
        assert_eq!(Given { devices: Some(11), ..first.clone() }.contradiction(&pool), None);
        assert_eq!(Given { by: Some(Method::Bulk), ..first.clone() }.contradiction(&pool), None);
        for (wrong, said) in [
            (Given { devices: Some(9), ..Given::default() }, "10 devices"),
            (Given { key: Some(KeyKind::Rsa2048), ..Given::default() }, "keys"),
            (Given { by: Some(Method::JustInTime), ..Given::default() }, "--by"),
            (Given { policy: Some("other".into()), ..Given::default() }, "--policy"),
            (Given { thing_type: Some("other".into()), ..Given::default() }, "--type"),
            (Given { groups: vec!["g".into()], ..Given::default() }, "--group"),
            (
                Given { attributes: [("a".to_owned(), "b".to_owned())].into(), ..Given::default() },
                "--attribute",
            ),
        ] {
            let found = wrong.contradiction(&pool);
            assert!(found.as_ref().is_some_and(|why| why.contains(said)), "{said}: {found:?}");
        }
        making.by = Method::JustInTime;
        pool.manifest.making = Some(making);
        assert!(Given { by: Some(Method::Api), ..Given::default() }.contradiction(&pool).is_some());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_fleet_of_the_same_name_takes_no_thing_of_another() {
        let site = Site::start().await;
        let mut first = site.pool("lamps", 1);
        site.creation(&mut first).run(&Given::default()).await.unwrap();
        // Made in another folder, or by somebody else.
        let mut second = site.pool_in("elsewhere", "lamps", 1);
        for by in [Method::Api, Method::Bulk] {
            let given = Given { by: Some(by), ..Given::default() };
            let failed = site.creation(&mut second).run(&given).await.unwrap();
            assert_eq!(failed.len(), 1, "{by:?}: {failed:?}");
        }
        assert_eq!(site.delete(&mut second).await, NOTHING);
        assert!(site.has_thing(&site.aws.primary, "lamps-00001").await, "it is the first fleet's");
        assert_eq!(site.delete(&mut first).await, NOTHING);
        assert!(!site.has_thing(&site.aws.primary, "lamps-00001").await);
    }
}
