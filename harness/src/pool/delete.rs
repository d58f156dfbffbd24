//! Deleting a fleet: in both Regions all that was made for it, and nothing else, and then its folder with the keys. That nothing is
//! left is said when every thing and every certificate was looked for in both Regions after the last was deleted.
//!
//! Certificates that somebody attached to a device are detached from it and stay; a policy that somebody uses elsewhere stays, and
//! is named. What cannot be deleted is named with the way to do it by hand, the folder stays, and the same command goes on.

mod device;

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde::Serialize;

use self::device::Device;
use super::{
    Making, Pool, authority,
    create::Creation,
    states::{self, Fact, State, States},
};
use crate::aws::{Missing, RegionClients};

/// Devices that are deleted at once.
const PARALLEL: usize = 32;
/// How often a deletion that failed, or did not last, is tried, with this pause between.
const PASSES_MAX: u32 = 5;
const SETTLE: Duration = Duration::from_secs(2);
/// What is left of devices is named up to this. All of it is counted.
const TOLD_MAX: usize = 20;
/// Certificates that AWS lets go in a second, its default; as many it lets be looked for.
const CERTIFICATES_PER_S: u32 = 8;

/// What a deletion would delete.
#[derive(Debug, Serialize)]
pub(crate) struct Doomed {
    pub(crate) fleet: String,
    /// Where; none: nothing was ever made of it.
    pub(crate) home: Option<String>,
    pub(crate) things: u32,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) certificates: u32,
    /// The policy, if it is the fleet's own.
    pub(crate) policy: Option<String>,
    /// The Regions that know the fleet's CA.
    pub(crate) authorities: Vec<String>,
    /// A bulk registration that is to be stopped.
    pub(crate) bulk_registration: bool,
    /// The folder, with all keys.
    pub(crate) folder: PathBuf,
    /// At AWS's default quotas.
    pub(crate) seconds_at_least: u32,
}

/// Says what a deletion would delete. Nothing is called.
pub(crate) fn doomed(pool: &Pool) -> anyhow::Result<Doomed> {
    let (manifest, counts) = (&pool.manifest, pool.counts()?);
    let making = manifest.making.as_ref();
    Ok(Doomed {
        fleet: manifest.name.clone(),
        home: making.map(|making| making.home.to_string()),
        things: if making.is_some() { manifest.devices } else { 0 },
        first: manifest.device(1),
        last: manifest.device(manifest.devices),
        certificates: counts.certificates,
        policy: making.filter(|making| making.policy_is_ours).map(|making| making.recipe.policy.clone()),
        authorities: making.map(|making| making.authorities.keys().cloned().collect()).unwrap_or_default(),
        bulk_registration: making.is_some_and(|making| making.task.is_some()),
        folder: pool.path().to_owned(),
        // Each is deleted, and then looked for.
        seconds_at_least: 2 * (counts.certificates / CERTIFICATES_PER_S),
    })
}

/// Deleting what a fleet has in AWS.
#[derive(Debug)]
pub(crate) struct Deletion<'a, 'b> {
    creation: &'a mut Creation<'b>,
    /// The pause before what failed, or did not last, is tried again.
    settle: Duration,
}

/// A device of which something is left, or may be.
struct Suspect<'a> {
    device: Device<'a>,
    /// What was found of it.
    left: Vec<String>,
    /// Why it could not be deleted.
    failure: Option<anyhow::Error>,
}

impl<'a, 'b> Deletion<'a, 'b> {
    pub(crate) fn new(creation: &'a mut Creation<'b>) -> Self {
        Self { creation, settle: SETTLE }
    }

    #[cfg(test)]
    pub(super) fn without_pauses(creation: &'a mut Creation<'b>) -> Self {
        Self { creation, settle: Duration::from_millis(10) }
    }

    /// Deletes; the answer is what is left, each with what to do by hand.
    pub(crate) async fn run(&mut self) -> anyhow::Result<Vec<String>> {
        Box::pin(super::bulk::end(self.creation)).await?;
        // Before the devices: one that connects again would register again.
        let (closed, mut left) = authority::close(self.creation).await?;
        let failed = self.delete().await?;
        left.extend(self.look_after(failed).await?);
        if self.creation.stop.is_cancelled() {
            return Ok(left);
        }
        let more = left.len().saturating_sub(TOLD_MAX);
        left.truncate(TOLD_MAX);
        if more > 0 {
            left.push(format!("and {more} more"));
        }
        let making = self.creation.making()?.clone();
        for clients in [&self.creation.aws.primary, &self.creation.aws.secondary] {
            left.extend(policy(clients, &making).await.err().map(|error| format!("{error:#}")));
        }
        left.extend(authority::delete(self.creation, closed).await?);
        Ok(left)
    }

    /// Deletes every device that was not deleted before; the answer is those that could not be.
    async fn delete(&self) -> anyhow::Result<Vec<Suspect<'_>>> {
        let creation = &*self.creation;
        let (pool, making) = (&*creation.pool, creation.making()?);
        creation.progress.begin("deleted", 0, pool.manifest.devices);
        let failed = Mutex::new(Vec::new());
        for shard in pool.shards()? {
            let known = states::read(&shard.states())?;
            let book = Mutex::new(States::open(&shard.states())?);
            stream::iter(shard.first..shard.first + shard.devices()?)
                .for_each_concurrent(PARALLEL, async |number| {
                    let state = known.get(&number);
                    if creation.stop.is_cancelled() {
                        return;
                    }
                    if !matches!(state, Some(State::Deleted(_))) {
                        let device = Device::new(creation, making, number, state);
                        let deleted = self.patiently(&device).await;
                        let deleted =
                            deleted.and_then(|()| book.lock().add(&Fact::Deleted { device: number }));
                        if let Err(error) = deleted {
                            failed.lock().push(Suspect { device, left: Vec::new(), failure: Some(error) });
                            return;
                        }
                    }
                    creation.progress.step();
                })
                .await;
            book.lock().sync()?;
        }
        Ok(failed.into_inner())
    }

    /// The replicator deletes at the same time, under the same quotas.
    async fn patiently(&self, device: &Device<'_>) -> anyhow::Result<()> {
        let mut deleted = device.delete().await;
        for _ in 1..PASSES_MAX {
            if deleted.is_ok() || self.creation.stop.is_cancelled() {
                break;
            }
            tokio::time::sleep(self.settle).await;
            deleted = device.delete().await;
        }
        deleted
    }

    /// Looks for every thing and certificate in both Regions when all were deleted: what the replicator had under way may have come
    /// after that. What is there is deleted again; the answer is what is left in the end, or may be.
    async fn look_after(&self, failed: Vec<Suspect<'_>>) -> anyhow::Result<Vec<String>> {
        let creation = &*self.creation;
        let (pool, making, stop) = (&*creation.pool, creation.making()?, &creation.stop);
        creation.progress.begin("looked for", 0, pool.manifest.devices);
        let is_suspect: BTreeSet<u32> = failed.iter().map(|suspect| suspect.device.number).collect();
        let suspects = Mutex::new(failed);
        for shard in pool.shards()? {
            let known = states::read(&shard.states())?;
            stream::iter(shard.first..shard.first + shard.devices()?)
                .for_each_concurrent(PARALLEL, async |number| {
                    if stop.is_cancelled() {
                        return;
                    }
                    if !is_suspect.contains(&number) {
                        let device = Device::new(creation, making, number, known.get(&number));
                        let left = device.left().await;
                        if !left.is_empty() {
                            suspects.lock().push(Suspect { device, left, failure: None });
                        }
                    }
                    creation.progress.step();
                })
                .await;
        }
        let mut suspects = suspects.into_inner();
        for _ in 1..PASSES_MAX {
            if suspects.is_empty() || stop.is_cancelled() {
                break;
            }
            tokio::time::sleep(self.settle).await;
            let again = stream::iter(suspects).map(async |Suspect { device, .. }| {
                let failure = device.delete().await.err();
                let left = device.left().await;
                (failure.is_some() || !left.is_empty()).then_some(Suspect { device, left, failure })
            });
            suspects = again.buffer_unordered(PARALLEL).filter_map(async |suspect| suspect).collect().await;
        }
        suspects.sort_by_key(|suspect| suspect.device.number);
        let tell = |Suspect { device, left, failure }: Suspect<'_>| {
            left.into_iter().chain(failure.map(|why| format!("{}: {why:#}", device.name)))
        };
        Ok(suspects.into_iter().flat_map(tell).collect())
    }
}

/// The fleet's own policy, unless somebody else has come to use it.
async fn policy(clients: &RegionClients, making: &Making) -> anyhow::Result<()> {
    if !making.policy_is_ours {
        return Ok(());
    }
    let (name, region) = (&making.recipe.policy, &clients.region);
    let by_hand = || {
        format!(
            "policy {name} in {region}; by hand: aws iot list-targets-for-policy --region {region} --policy-name {name}, \
             detach each, aws iot delete-policy --region {region} --policy-name {name}"
        )
    };
    let targets = clients.iot.list_targets_for_policy().policy_name(name).send().await.missing_ok();
    let targets = targets.with_context(by_hand)?;
    let used = targets.map_or(0, |targets| targets.targets().len());
    if used > 0 {
        return Err(anyhow!("it is attached to something that is not the fleet's")).with_context(by_hand);
    }
    clients.iot.delete_policy().policy_name(name).send().await.missing_ok().with_context(by_hand)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::KeyKind,
        pool::{
            Given, Method,
            site::{NOTHING, Site},
        },
    };

    /// Everything of a twin's Regions that a fleet could have left.
    async fn rest(site: &Site) -> Vec<String> {
        let mut rest = Vec::new();
        for clients in [&site.aws.primary, &site.aws.secondary] {
            let things = clients.iot.list_things().send().await.unwrap();
            rest.extend(things.things().iter().map(|thing| thing.thing_name().unwrap().to_owned()));
            rest.extend(site.certificates(clients).await);
        }
        rest
    }

    async fn made(site: &Site, name: &str, devices: u32) -> Pool {
        let mut pool = site.pool(name, devices);
        assert!(site.creation(&mut pool).run(&Given::default()).await.unwrap().is_empty());
        pool
    }

    fn pem(pool: &Pool, number: u32) -> String {
        pool.identity(number).unwrap().unwrap().certificate_pem
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_thing_that_somebody_put_in_the_place_of_a_device_stays() {
        let site = Site::start().await;
        let mut pool = made(&site, "lamps", 2).await;
        let iot = &site.aws.primary.iot;
        let list = iot.list_thing_principals().thing_name("lamps-00002").send().await.unwrap();
        let ours = &list.principals()[0];
        iot.detach_thing_principal().thing_name("lamps-00002").principal(ours).send().await.unwrap();
        iot.delete_thing().thing_name("lamps-00002").send().await.unwrap();
        iot.create_thing().thing_name("lamps-00002").send().await.unwrap();
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert_eq!(rest(&site).await, ["lamps-00002"], "it alone: the device's certificate is gone");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_goes_in_the_primary_whatever_its_copy_had() {
        let site = Site::start().await;
        let mut pool = made(&site, "lamps", 1).await;
        site.copy("lamps-00001", Some(&pool.manifest.mark()), &pem(&pool, 1)).await;
        let iot = &site.aws.primary.iot;
        let list = iot.list_thing_principals().thing_name("lamps-00001").send().await.unwrap();
        let ours = &list.principals()[0];
        iot.detach_thing_principal().thing_name("lamps-00001").principal(ours).send().await.unwrap();
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert_eq!(rest(&site).await, NOTHING);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_comes_back_after_its_deletion_is_found_by_the_certificate_and_deleted_again() {
        let site = Site::start().await;
        let mut pool = made(&site, "lamps", 3).await;
        let (mark, pems) = (pool.manifest.mark(), [1, 2, 3].map(|number| pem(&pool, number)));
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        // The replicator brings a thing, a certificate alone, and one without the mark to the secondary.
        site.copy("lamps-00001", Some(&mark), &pems[0]).await;
        site.copy_certificate(&pems[1]).await;
        site.copy("lamps-00003", None, &pems[2]).await;
        assert_eq!(rest(&site).await.len(), 5);
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert_eq!(rest(&site).await, NOTHING);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_deleted_or_looked_for_is_named() {
        let site = Site::start().await;
        let mut pool = made(&site, "lamps", 1).await;
        let id = pool.identities(1).unwrap().remove(0).1;
        site.copy("lamps-00001", Some(&pool.manifest.mark()), &pem(&pool, 1)).await;
        let refused =
            site.fail("DeleteThing", Some(&site.aws.secondary.region), gameday_twin::Moment::Before);
        let left = site.delete(&mut pool).await;
        assert!(
            left[0].starts_with("thing lamps-00001 in us-west-2; by hand: aws iot delete-thing"),
            "{left:?}"
        );
        assert!(left[1].contains("not today"), "{left:?}");
        drop(refused);
        let refused = site.refuse("DescribeCertificate");
        let left = site.delete(&mut pool).await;
        assert!(left[0].contains("lamps-00001 in us-east-1, perhaps"), "{left:?}");
        drop(refused);
        let refused = site.refuse("DeleteCertificate");
        site.copy_certificate(&pool_pem(&pool)).await;
        let left = site.delete(&mut pool).await;
        assert!(
            left[0].starts_with(&format!("certificate {id} of lamps-00001 in us-west-2; by hand")),
            "{left:?}"
        );
        drop(refused);
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert_eq!(rest(&site).await, NOTHING);
    }

    /// The PEM of the first device, deleted or not.
    fn pool_pem(pool: &Pool) -> String {
        let states = states::read(&pool.shards().unwrap()[0].states()).unwrap();
        states[&1].last_certificate().unwrap().pem.clone()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_device_that_registered_itself_goes_and_registers_no_more() {
        let site = Site::start().await;
        let mut pool = site.pool("cars", 1);
        let given = Given { by: Some(Method::JustInTime), ..Given::default() };
        site.creation(&mut pool).run(&given).await.unwrap();
        // As the function does in either Region, without a mark; in the secondary the thing resists once.
        site.copy("cars-00001", None, &pem(&pool, 1)).await;
        let refused =
            site.fail("DeleteThing", Some(&site.aws.secondary.region), gameday_twin::Moment::Before);
        let (site, pool) = (&site, &mut pool);
        let release = async {
            let authorities = async || site.aws.primary.iot.list_ca_certificates().send().await.unwrap();
            while site.certificates(&site.aws.secondary).await.len() == 1 {
                tokio::task::yield_now().await;
            }
            let inactive = aws_sdk_iot::types::CaCertificateStatus::Inactive;
            assert_eq!(authorities().await.certificates()[0].status(), Some(&inactive), "it is closed first");
            drop(refused);
        };
        let (left, ()) = futures::join!(site.delete(pool), release);
        assert_eq!(left, NOTHING);
        assert_eq!(rest(site).await, NOTHING);
    }

    #[test]
    fn a_fleet_of_keys_alone_has_nothing_in_aws() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 3;
        let doomed = doomed(&pool).unwrap();
        assert_eq!((doomed.things, doomed.certificates, doomed.policy, doomed.home), (0, 0, None, None));
        assert_eq!((doomed.first.as_str(), doomed.last.as_str()), ("lamps-00001", "lamps-00003"));
    }
}
