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
mod look;
mod manifest;
mod progress;
mod shard;
mod states;
mod stop;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

pub(crate) use bulk::Delivery;
pub(crate) use compare::{Comparison, Which, compare};
pub(crate) use create::{Creation, Given};
pub(crate) use delete::{Deletion, Doomed, doomed};
pub(crate) use fill::fill;
pub(crate) use look::{Found, Known, look, search};
pub(crate) use manifest::{Home, Making, Manifest, Method, valid_name};
pub(crate) use progress::Progress;
pub(crate) use shard::{Shard, create_folder, write_file};
pub(crate) use states::State;
pub(crate) use stop::stop_on_signal;

use crate::identity::{Identity, KeyKind};

const MANIFEST: &str = "fleet.json";
const LOCK: &str = "lock";

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

/// While it is held nobody else changes the fleet. It ends with this process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Pool {
    /// The fleet of that name, if there is one.
    pub(crate) fn open(fleets: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        let path = fleets.join(name);
        match fs::read(path.join(MANIFEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                let manifest = Manifest::parse(&text.context("it cannot be read")?);
                let manifest = manifest.with_context(|| format!("{}", path.join(MANIFEST).display()))?;
                Ok(Some(Self { path, manifest }))
            }
        }
    }

    /// A new fleet, without devices as yet.
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
            if let Some(name) = entry?.file_name().to_str() {
                pools.extend(Self::open(fleets, name)?);
            }
        }
        pools.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
        Ok(pools)
    }

    /// Keeps others from changing the fleet meanwhile.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.path.join(LOCK);
        let file =
            shard::open_to_append(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("another gameday is working on fleet {}", self.manifest.name)
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
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
                counts.certificates += 1;
                counts.made += u32::from(matches!(state, State::Made(_)));
            }
        }
        Ok(counts)
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

    /// Takes the folder away, with every key in it.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.path).with_context(|| format!("{} cannot be removed", self.path.display()))
    }
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
        let held = pool.lock().unwrap();
        assert!(found.lock().unwrap_err().to_string().contains("another gameday"));
        drop(held);
        found.lock().unwrap();
        assert_eq!(Pool::list(fleets.path()).unwrap().len(), 1);
        found.remove().unwrap();
        assert!(Pool::open(fleets.path(), "lamps").unwrap().is_none());
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
