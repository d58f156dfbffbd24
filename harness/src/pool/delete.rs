//! Deleting a fleet: in both Regions all that was made for it, and nothing else, and then its folder with the keys.
//!
//! Certificates that somebody attached to a device are detached from it and stay; a policy that somebody uses elsewhere stays, and
//! is named. What cannot be deleted is named with the way to do it by hand, the folder stays, and the same command goes on.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use replicator::policy::certificate_arn;
use serde::Serialize;

use super::{
    Making, Method, Pool,
    create::Creation,
    look::look_at,
    states::{self, Fact, State, States},
};
use crate::{
    aws::{Missing, RegionClients},
    journal::{delete_certificate, delete_shadows, delete_thing},
};

/// Devices that are deleted at once.
const PARALLEL: usize = 32;
/// How often a deletion that failed, or did not last, is tried, with this pause between.
const PASSES_MAX: u32 = 5;
const SETTLE: Duration = Duration::from_secs(2);
/// Failures that are named one by one. All are counted.
const TOLD_MAX: usize = 20;
/// Certificates that AWS lets go in a second, its default.
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
        seconds_at_least: counts.certificates / CERTIFICATES_PER_S,
    })
}

/// Deleting what a fleet has in AWS.
#[derive(Debug)]
pub(crate) struct Deletion<'a, 'b> {
    pub(crate) creation: &'a mut Creation<'b>,
}

impl Deletion<'_, '_> {
    /// Deletes; the answer is what is left, each with what to do by hand.
    pub(crate) async fn run(&mut self) -> anyhow::Result<Vec<String>> {
        Box::pin(super::bulk::end(self.creation)).await?;
        let creation = &*self.creation;
        let (pool, making) = (&*creation.pool, creation.making()?.clone());
        let devices = pool.manifest.devices;
        creation.progress.begin("deleted", 0, devices);
        let failed = Mutex::new(Vec::new());
        for shard in pool.shards()? {
            let known = states::read(&shard.states())?;
            let book = Mutex::new(States::open(&shard.states())?);
            let numbers = shard.first..shard.first + shard.devices()?;
            stream::iter(numbers)
                .for_each_concurrent(PARALLEL, async |number| {
                    if creation.stop.is_cancelled() {
                        return;
                    }
                    let mut deleted = self.device(&making, number, known.get(&number)).await;
                    // The replicator deletes at the same time, under the same quotas.
                    for _ in 1..PASSES_MAX {
                        if deleted.is_ok() || creation.stop.is_cancelled() {
                            break;
                        }
                        tokio::time::sleep(SETTLE).await;
                        deleted = self.device(&making, number, known.get(&number)).await;
                    }
                    let deleted = deleted.and_then(|()| book.lock().add(&Fact::Deleted { device: number }));
                    match deleted {
                        Ok(()) => creation.progress.step(),
                        Err(error) => failed.lock().push(format!("{}: {error:#}", pool.device(number))),
                    }
                })
                .await;
            book.lock().sync()?;
        }
        let mut left = failed.into_inner();
        if creation.stop.is_cancelled() {
            return Ok(left);
        }
        left.extend(self.found_again(&making).await?);
        let more = left.len().saturating_sub(TOLD_MAX);
        left.truncate(TOLD_MAX);
        if more > 0 {
            left.push(format!("and {more} more devices"));
        }
        for clients in [&creation.aws.primary, &creation.aws.secondary] {
            left.extend(policy(clients, &making).await.err().map(|error| format!("{error:#}")));
            left.extend(ca(clients, &making).await.err().map(|error| format!("{error:#}")));
        }
        Ok(left)
    }

    /// A device, in both Regions. First the primary, so that nobody brings it to the secondary again. A thing of its name that is
    /// somebody else's is left alone.
    async fn device(&self, making: &Making, number: u32, state: Option<&State>) -> anyhow::Result<()> {
        let Creation { aws, pool, home, .. } = &*self.creation;
        let (name, policy) = (pool.device(number), &making.recipe.policy);
        let id = state.and_then(State::certificate).map(|certificate| certificate.id.as_str());
        let is_ours = |arn: &str| id.is_some_and(|id| arn.ends_with(id));
        // Looked at before anything goes: a thing may be known by its certificate alone, whose copy goes with it.
        let mut there = [false, false];
        for (clients, is_there) in [&aws.primary, &aws.secondary].into_iter().zip(&mut there) {
            *is_there = self.is_there(clients, making, number, state).await?;
        }
        let mut is_deleted = false;
        for (clients, is_there) in [&aws.primary, &aws.secondary].into_iter().zip(there) {
            if is_there {
                delete_shadows(clients, &name).await?;
                is_deleted |= delete_thing(aws, clients, &name, policy, &is_ours).await?;
            }
        }
        // One that was issued and is attached to no thing; with it goes its copy.
        if let (Some(id), false) = (id, is_deleted) {
            let arn = certificate_arn(&home.primary, &home.account, id);
            delete_certificate(aws, &aws.primary, &arn, policy).await?;
        }
        Ok(())
    }

    /// Whether a device's thing is there, and is the fleet's.
    async fn is_there(
        &self,
        clients: &RegionClients,
        making: &Making,
        number: u32,
        state: Option<&State>,
    ) -> anyhow::Result<bool> {
        let Creation { aws, pool, .. } = &*self.creation;
        let name = pool.device(number);
        let Some(thing) = look_at(aws, clients, &name).await? else { return Ok(false) };
        if making.by != Method::JustInTime {
            return Ok(thing.is_of(&pool.manifest.name) || matches!(state, Some(State::Made(_))));
        }
        // A device that registered itself has nothing but its certificate to be known by.
        aws.pace.take(&clients.region, "ListThingPrincipals").await;
        let principals = clients.iot.list_thing_principals().thing_name(&name).send().await.missing_ok()?;
        let id = state.and_then(State::certificate).map(|certificate| certificate.id.as_str());
        let principals = principals.and_then(|principals| principals.principals).unwrap_or_default();
        Ok(id.is_some_and(|id| principals.iter().any(|arn| arn.ends_with(id))))
    }

    /// Things that are there though they were deleted, after they were deleted again: what the replicator had under way may have
    /// come after their deletion.
    async fn found_again(&self, making: &Making) -> anyhow::Result<Vec<String>> {
        let all = 1..=self.creation.pool.manifest.devices;
        let mut found = self.found(all.collect()).await?;
        for _ in 1..PASSES_MAX {
            if found.is_empty() {
                break;
            }
            tokio::time::sleep(SETTLE).await;
            let mut numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
            numbers.dedup();
            for number in &numbers {
                self.device(making, *number, None).await?;
            }
            found = self.found(numbers).await?;
        }
        let by_hand = |(number, region): (u32, String)| {
            let name = self.creation.pool.device(number);
            format!(
                "thing {name} in {region}; by hand: aws iot delete-thing --region {region} --thing-name {name}"
            )
        };
        Ok(found.into_iter().map(by_hand).collect())
    }

    /// Those of the devices whose things are there, and where, in order.
    async fn found(&self, numbers: Vec<u32>) -> anyhow::Result<Vec<(u32, String)>> {
        let (aws, pool) = (self.creation.aws, &self.creation.pool);
        let regions = [&aws.primary, &aws.secondary];
        let looks = numbers.into_iter().flat_map(|number| regions.map(|clients| (number, clients)));
        let looked = stream::iter(looks).map(async |(number, clients)| {
            let thing = look_at(aws, clients, &pool.device(number)).await;
            let thing =
                thing.with_context(|| format!("what is left in {} cannot be said", clients.region))?;
            let is_left = thing.is_some_and(|thing| thing.is_of(&pool.manifest.name));
            anyhow::Ok(is_left.then(|| (number, clients.region.clone())))
        });
        let looked: Vec<_> = looked.buffered(PARALLEL).try_collect().await?;
        Ok(looked.into_iter().flatten().collect())
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

/// The fleet's CA.
async fn ca(clients: &RegionClients, making: &Making) -> anyhow::Result<()> {
    let region = &clients.region;
    let Some(id) = making.authorities.get(region).filter(|_| making.by == Method::JustInTime) else {
        return Ok(());
    };
    let by_hand = || {
        format!(
            "CA {id} in {region}; by hand: aws iot update-ca-certificate --region {region} --certificate-id {id} \
             --new-status INACTIVE, aws iot delete-ca-certificate --region {region} --certificate-id {id}"
        )
    };
    let inactive = aws_sdk_iot::types::CaCertificateStatus::Inactive;
    let update = clients.iot.update_ca_certificate().certificate_id(id).new_status(inactive).send().await;
    update.missing_ok().with_context(by_hand)?;
    clients.iot.delete_ca_certificate().certificate_id(id).send().await.missing_ok().with_context(by_hand)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyKind;

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
