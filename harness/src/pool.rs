//! Pools: fleets that stay. Devices are made once, by the API, by bulk registration or with an authority of their own, and are
//! there for many game days. What is known of them is in a folder:
//!
//! | In `fleets/<name>/` | |
//! |---|---|
//! | `fleet.json` | what the fleet is, see [`manifest`] |
//! | `shards/000001/` | a thousand devices: keys, CSRs, certificates, states, see [`shard`] |
//! | `authority/` | of just-in-time registration: the fleet's own CA |
//! | `bulk/` | what bulk registration was given and what it answered |
//!
//! Folders have mode 0700 and files 0600. 100,000 devices are 300 files: a file for each key would be 300,000, of which each
//! takes a block of the disk and a call to copy, list and delete.

mod authority;
mod bulk;
mod by_api;
mod compare;
mod cores;
mod create;
mod delete;
mod fill;
mod keys;
mod lock;
mod look;
mod manifest;
mod policy;
mod progress;
mod shard;
#[cfg(test)]
pub(crate) mod site;
mod states;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

pub(crate) use bulk::Delivery;
pub(crate) use compare::{Comparison, Which, compare, things_of_both};
pub(crate) use create::{Creation, Given};
pub(crate) use delete::{Deletion, Doomed, SETTLE, doomed};
pub(crate) use fill::fill;
pub(crate) use lock::Lock;
pub(crate) use look::{Found, Known, look, search};
pub(crate) use manifest::{Home, Making, Manifest, Method, valid_name};
pub(crate) use progress::Progress;
pub(crate) use shard::{Shard, create_folder, write_file};
pub(crate) use states::State;

use crate::identity::{Identity, KeyKind};

const MANIFEST: &str = "fleet.json";

/// A pool on disk.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    pub(crate) manifest: Manifest,
}

/// How many devices are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    /// With a key and a CSR.
    pub(crate) keys: u32,
    /// With a certificate.
    pub(crate) certificates: u32,
    /// With all that they are to have.
    pub(crate) made: u32,
}

impl Pool {
    /// The fleet of that name, if there is one.
    pub(crate) fn open(fleets: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        let path = fleets.join(name);
        match fs::read(path.join(MANIFEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                let manifest = text.context("it cannot be read").and_then(|text| Manifest::parse(&text));
                let manifest = manifest.with_context(|| format!("{}", path.join(MANIFEST).display()))?;
                Ok(Some(Self { path, manifest }))
            }
        }
    }

    /// The same to change it: it is read when nobody else changes it any more.
    pub(crate) fn open_to_change(fleets: &Path, name: &str) -> anyhow::Result<Option<(Self, Lock)>> {
        let path = fleets.join(name);
        if !path.join(MANIFEST).exists() {
            return Ok(None);
        }
        let lock = Lock::hold(&path)?;
        Ok(Self::open(fleets, name)?.map(|pool| (pool, lock)))
    }

    /// The place of a fleet, for this process alone, whether there is a fleet or one is to be begun.
    pub(crate) fn claim(fleets: &Path, name: &str) -> anyhow::Result<Lock> {
        Self::sweep(fleets, name)?;
        let path = fleets.join(name);
        create_folder(&path)?;
        Lock::hold(&path)
    }

    /// A new fleet, without devices as yet. Its place has to be claimed.
    pub(crate) fn begin(fleets: &Path, name: &str, key: KeyKind) -> anyhow::Result<Self> {
        let path = fleets.join(name);
        create_folder(&path)?;
        let pool = Self { path, manifest: Manifest::new(name, key) };
        pool.save()?;
        Ok(pool)
    }

    /// All fleets of a folder, by name.
    pub(crate) fn list(fleets: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = match fs::read_dir(fleets) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("{} cannot be read", fleets.display()))?,
        };
        let mut pools = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("{} cannot be read", fleets.display()))?;
            // Whatever else is in the folder is no fleet.
            if let Some(name) = entry.file_name().to_str().filter(|name| valid_name(name).is_ok())
                && entry.path().is_dir()
            {
                pools.extend(Self::open(fleets, name)?);
            }
        }
        pools.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        Ok(pools)
    }

    /// Writes down what the fleet is.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        shard::replace_file(&self.path.join(MANIFEST), &serde_json::to_vec_pretty(&self.manifest)?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn shards_path(&self) -> PathBuf {
        self.path.join("shards")
    }

    /// Its shards, by their first device.
    pub(crate) fn shards(&self) -> anyhow::Result<Vec<Shard>> {
        Shard::list(&self.shards_path())
    }

    /// A device's name; numbers count from 1.
    pub(crate) fn device(&self, number: u32) -> String {
        self.manifest.device(number)
    }

    /// How far its devices are.
    pub(crate) fn counts(&self) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        for shard in self.shards()? {
            counts.keys += shard.devices()?;
            for state in states::read(&shard.states())?.values() {
                counts.certificates += u32::from(state.certificate().is_some());
                counts.made += u32::from(matches!(state, State::Made(_)));
            }
        }
        Ok(counts)
    }

    /// Numbers of the devices in such a state, in order.
    fn those(&self, is_wanted: fn(&State) -> bool) -> anyhow::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for shard in self.shards()? {
            let states = states::read(&shard.states())?;
            let is_wanted = |number: &u32| is_wanted(states.get(number).unwrap_or(&State::New));
            numbers.extend((shard.first..shard.first + shard.devices()?).filter(is_wanted));
        }
        Ok(numbers)
    }

    /// The first of the first `count` devices that is not made.
    pub(crate) fn first_not_made(&self, count: u32) -> anyhow::Result<Option<u32>> {
        let mut next = 1;
        for shard in self.shards()?.into_iter().take_while(|shard| shard.first <= count) {
            let states = states::read(&shard.states())?;
            while next <= count && matches!(states.get(&next), Some(State::Made(_))) {
                next += 1;
            }
        }
        Ok((next <= count).then_some(next))
    }

    /// Numbers, certificates' ids and identities of the first devices, which have to be made.
    pub(crate) fn identities(&self, count: u32) -> anyhow::Result<Vec<(u32, String, Identity)>> {
        let mut found = Vec::new();
        for shard in self.shards()?.into_iter().take_while(|shard| shard.first <= count) {
            let mut states = states::read(&shard.states())?;
            for (number, key_der) in (shard.first..=count).zip(shard.keys()?) {
                let Some(State::Made(certificate)) = states.remove(&number) else {
                    bail!("{} is not made", self.device(number));
                };
                found.push((number, certificate.id, Identity { certificate_pem: certificate.pem, key_der }));
            }
        }
        Ok(found)
    }

    /// The identity of a device, if it has a certificate.
    pub(crate) fn identity(&self, number: u32) -> anyhow::Result<Option<Identity>> {
        let Some(shard) = self.shards()?.into_iter().rev().find(|shard| shard.first <= number) else {
            return Ok(None);
        };
        let mut states = states::read(&shard.states())?;
        let Some(certificate) = states.remove(&number).and_then(|state| state.certificate().cloned()) else {
            return Ok(None);
        };
        let key_der = shard.keys()?.into_iter().nth((number - shard.first) as usize);
        let key_der = key_der.context("a device without a key")?;
        Ok(Some(Identity { certificate_pem: certificate.pem, key_der }))
    }

    /// Takes the folder away, with every key in it. First it is renamed: what is left of it if this is cut short is no fleet, and
    /// [`Pool::sweep`] finds it.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        let (fleets, name) = (self.path.parent().unwrap_or(Path::new("")), &self.manifest.name);
        Self::sweep(fleets, name)?;
        fs::rename(&self.path, aside(fleets, name))
            .with_context(|| format!("{} cannot be removed", self.path.display()))?;
        Self::sweep(fleets, name).map(drop)
    }

    /// Takes away what a removal that was cut short has left; the answer is whether there was any.
    pub(crate) fn sweep(fleets: &Path, name: &str) -> anyhow::Result<bool> {
        let aside = aside(fleets, name);
        let is_there = aside.exists();
        if is_there {
            fs::remove_dir_all(&aside).with_context(|| format!("{} cannot be removed", aside.display()))?;
        }
        Ok(is_there)
    }
}

/// What a fleet's folder is called while it is taken away: no fleet has such a name.
fn aside(fleets: &Path, name: &str) -> PathBuf {
    fleets.join(format!(".{name}.deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_found_again_and_has_one_keeper_at_a_time() {
        let fleets = tempfile::tempdir().unwrap();
        assert!(Pool::open(fleets.path(), "lamps").unwrap().is_none());
        assert_eq!(Pool::list(&fleets.path().join("nothing")).unwrap().len(), 0);
        let pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        let found = Pool::open(fleets.path(), "lamps").unwrap().unwrap();
        assert_eq!(found.manifest, pool.manifest);
        let (_, held) = Pool::open_to_change(fleets.path(), "lamps").unwrap().unwrap();
        let error = Pool::open_to_change(fleets.path(), "lamps").unwrap_err();
        assert!(error.to_string().contains("another gameday"), "{error}");
        drop(held);
        Pool::open_to_change(fleets.path(), "lamps").unwrap().unwrap();
        assert_eq!(Pool::list(fleets.path()).unwrap().len(), 1);
        found.remove().unwrap();
        assert!(Pool::open(fleets.path(), "lamps").unwrap().is_none());
        assert!(Pool::open_to_change(fleets.path(), "lamps").unwrap().is_none());
        assert_eq!(fs::read_dir(fleets.path()).unwrap().count(), 0, "nothing is left, and nothing was made");
    }

    #[test]
    fn of_two_that_begin_a_fleet_at_once_one_gives_way_before_it_writes() {
        let fleets = tempfile::tempdir().unwrap();
        let _held = Pool::claim(fleets.path(), "lamps").unwrap();
        assert!(Pool::claim(fleets.path(), "lamps").unwrap_err().to_string().contains("another gameday"));
        let pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        assert!(Pool::claim(fleets.path(), "lamps").is_err());
        assert_eq!(Pool::open(fleets.path(), "lamps").unwrap().unwrap().manifest, pool.manifest);
    }

    #[test]
    fn what_is_no_fleet_is_passed_over_and_a_broken_one_is_named() {
        let fleets = tempfile::tempdir().unwrap();
        Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        fs::write(fleets.path().join("notes"), "mine").unwrap();
        fs::create_dir(fleets.path().join("empty")).unwrap();
        assert_eq!(Pool::list(fleets.path()).unwrap().len(), 1);
        let broken = fleets.path().join("broken");
        fs::create_dir_all(broken.join(MANIFEST)).unwrap();
        let error = format!("{:#}", Pool::list(fleets.path()).unwrap_err());
        assert!(error.contains("broken/fleet.json: it cannot be read"), "{error}");
    }

    #[test]
    fn a_removal_that_was_cut_short_is_no_fleet_and_is_finished() {
        let fleets = tempfile::tempdir().unwrap();
        let pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        fs::rename(pool.path(), aside(fleets.path(), "lamps")).unwrap();
        assert!(Pool::list(fleets.path()).unwrap().is_empty());
        assert!(Pool::sweep(fleets.path(), "lamps").unwrap());
        assert_eq!(fs::read_dir(fleets.path()).unwrap().count(), 0);
        assert!(!Pool::sweep(fleets.path(), "lamps").unwrap());
        // The place is taken again: what is left goes before.
        fs::create_dir(aside(fleets.path(), "lamps")).unwrap();
        Pool::claim(fleets.path(), "lamps").unwrap();
        assert!(!aside(fleets.path(), "lamps").exists());
    }

    #[test]
    fn a_gap_among_the_first_devices_is_found() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        for devices in [2, 4] {
            pool.manifest.devices = devices;
            fill(&pool, &Progress::silent(), &stop).unwrap();
        }
        let made = |device: u32| {
            let shard = pool.shards().unwrap().into_iter().rev().find(|shard| shard.first <= device).unwrap();
            let mut states = states::States::open(&shard.states()).unwrap();
            let (certificate_id, certificate_pem) = (device.to_string(), "p".into());
            states.add(&states::Fact::Issued { device, certificate_id, certificate_pem }).unwrap();
            states.add(&states::Fact::Made { device }).unwrap();
        };
        [1, 2, 4].into_iter().for_each(made);
        assert_eq!(pool.counts().unwrap().made, 3, "enough for three");
        assert_eq!(pool.first_not_made(2).unwrap(), None);
        assert_eq!(pool.first_not_made(3).unwrap(), Some(3));
        assert!(pool.identities(3).is_err());
        made(3);
        assert_eq!(pool.first_not_made(4).unwrap(), None);
        assert_eq!(pool.identities(4).unwrap().len(), 4);
        assert_eq!(pool.first_not_made(5).unwrap(), Some(5), "there is no fifth");
    }

    #[test]
    fn identities_read_back_across_shards() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        pool.manifest.devices = 3;
        fill(&pool, &Progress::silent(), &stop).unwrap();
        pool.manifest.devices = 5;
        fill(&pool, &Progress::silent(), &stop).unwrap();
        assert_eq!(pool.shards().unwrap().len(), 2, "what is there is not written again");
        assert_eq!(pool.counts().unwrap(), Counts { keys: 5, certificates: 0, made: 0 });
        assert!(pool.identity(4).unwrap().is_none(), "no certificate");
        let shard = pool.shards().unwrap().remove(1);
        let fact =
            states::Fact::Issued { device: 5, certificate_id: "i".into(), certificate_pem: "p".into() };
        states::States::open(&shard.states()).unwrap().add(&fact).unwrap();
        assert_eq!(pool.identity(5).unwrap().unwrap().key_der, shard.keys().unwrap()[1]);
        assert_eq!(pool.counts().unwrap(), Counts { keys: 5, certificates: 1, made: 0 });
        assert!(pool.identity(6).unwrap().is_none() && pool.identity(0).unwrap().is_none());
    }
}
