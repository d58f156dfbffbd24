//! Deleting a fleet: in both Regions all that was made for it, and nothing else, and then its folder with the keys. That nothing is
//! left is said when every thing and every certificate was looked for in both Regions after the last was deleted.
//!
//! Certificates that somebody attached to a device are detached from it and stay; a policy that somebody uses elsewhere stays, and
//! is named. What cannot be deleted is named with the way to do it by hand, the folder stays, and the same command goes on: that a
//! device goes, and what it is known by, is on disk before the first of it goes.

mod device;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use serde::Serialize;

use self::device::Device;
use super::{
    Pool, Shard, authority,
    create::{Creation, Failed},
    policy,
    states::{self, State, States},
};

/// Devices that are deleted at once.
const PARALLEL: usize = 32;
/// How often a deletion that failed, or did not last, is tried, with this pause between.
const PASSES_MAX: u32 = 5;
pub(crate) const SETTLE: Duration = Duration::from_secs(2);
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
}

/// A device of which something is left, or may be.
struct Suspect<'a> {
    device: Device<'a>,
    /// What was found of it.
    left: Vec<String>,
    /// Why it could not be deleted.
    failure: Option<anyhow::Error>,
}

impl Suspect<'_> {
    fn book(&self) -> Arc<Mutex<States>> {
        self.device.book.clone()
    }
}

impl<'a, 'b> Deletion<'a, 'b> {
    pub(crate) fn new(creation: &'a mut Creation<'b>) -> Self {
        Self { creation }
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
            left.extend(policy::delete(clients, &making).await.err().map(|error| format!("{error:#}")));
        }
        left.extend(authority::delete(self.creation, closed).await?);
        Ok(left)
    }

    /// Deletes every device that was not deleted before; the answer is those that could not be.
    async fn delete(&self) -> anyhow::Result<Vec<Suspect<'_>>> {
        self.creation.progress.begin("deleted", 0, self.creation.pool.manifest.devices);
        delete_those(self.creation, |state| !matches!(state, State::Deleted(_))).await
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
            let devices = shard.first..shard.first + shard.devices()?;
            // Two that are open would not know of each other's facts.
            let suspect = suspects
                .lock()
                .iter()
                .find(|suspect| devices.contains(&suspect.device.number))
                .map(Suspect::book);
            let book = suspect.map_or_else(|| open(&shard), Ok)?;
            stream::iter(devices)
                .for_each_concurrent(PARALLEL, async |number| {
                    if stop.is_cancelled() {
                        return;
                    }
                    if !is_suspect.contains(&number) {
                        let state = known.get(&number).cloned().unwrap_or_default();
                        let device = Device::new(creation, making, book.clone(), number, state);
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
            tokio::time::sleep(creation.settle).await;
            let again = stream::iter(suspects).map(async |Suspect { device, .. }| {
                let mut failure = device.delete().await.err();
                let left = device.left().await;
                if failure.is_none() && left.is_empty() {
                    failure = device.write_deleted().err();
                }
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

fn open(shard: &Shard) -> anyhow::Result<Arc<Mutex<States>>> {
    Ok(Arc::new(Mutex::new(States::open(&shard.states())?)))
}

/// Deletes every device in such a state; the answer is those that could not be.
async fn delete_those<'a>(
    creation: &'a Creation<'_>,
    is_wanted: fn(&State) -> bool,
) -> anyhow::Result<Vec<Suspect<'a>>> {
    let (pool, making) = (&*creation.pool, creation.making()?);
    let failed = Mutex::new(Vec::new());
    for shard in pool.shards()? {
        let known = states::read(&shard.states())?;
        let book = open(&shard)?;
        stream::iter(shard.first..shard.first + shard.devices()?)
            .for_each_concurrent(PARALLEL, async |number| {
                let state = known.get(&number).cloned().unwrap_or_default();
                if creation.stop.is_cancelled() {
                    return;
                }
                if is_wanted(&state) {
                    let device = Device::new(creation, making, book.clone(), number, state);
                    let deleted = patiently(creation, &device).await;
                    if let Err(error) = deleted.and_then(|()| device.write_deleted()) {
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
async fn patiently(creation: &Creation<'_>, device: &Device<'_>) -> anyhow::Result<()> {
    let mut deleted = device.delete().await;
    for _ in 1..PASSES_MAX {
        if deleted.is_ok() || creation.stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(creation.settle).await;
        deleted = device.delete().await;
    }
    deleted
}

/// Ends the deletions that were begun, so that those devices can be made again; the answer is those that could not be deleted.
pub(super) async fn finish(creation: &Creation<'_>) -> anyhow::Result<Failed> {
    let is_going: fn(&State) -> bool = |state| matches!(state, State::Going(_));
    let count = creation.pool.those(is_going)?.len();
    if count == 0 {
        return Ok(Failed::new());
    }
    creation.output.line(&format!("{count} devices go that a deletion had begun with, and are made again"));
    let failed = delete_those(creation, is_going).await?;
    let why = |Suspect { device, failure, .. }: Suspect<'_>| {
        let why = failure.map(|failure| format!("{failure:#}")).unwrap_or_default();
        (device.number, format!("its deletion was begun and cannot be ended: {why}"))
    };
    Ok(failed.into_iter().map(why).collect())
}

#[cfg(test)]
mod tests;
