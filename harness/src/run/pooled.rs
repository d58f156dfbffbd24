//! A fleet that stays, as a run takes it: its devices play, and are neither made nor deleted.

use std::path::Path;

use anyhow::{Context, bail};
use gameday_twin::Endpoints;
use replicator::policy::certificate_arn;

use crate::{
    fleet::{Made, Recipe},
    pool::{Home, Lock, Making, Pool},
};

/// The fleet, which nobody else changes meanwhile.
#[derive(Debug)]
pub(super) struct Pooled {
    pub(super) pool: Pool,
    _lock: Lock,
}

impl Pooled {
    pub(super) fn open(fleets: &Path, name: &str) -> anyhow::Result<Self> {
        let pool = Pool::open(fleets, name)?;
        let pool = pool.with_context(|| {
            format!("there is no fleet {name} in {}: gameday fleet create {name} makes one", fleets.display())
        })?;
        let lock = pool.lock()?;
        Ok(Self { pool, _lock: lock })
    }

    /// That the fleet is where the run is, with devices enough.
    pub(super) fn check(&self, endpoints: &Endpoints, devices: u32) -> anyhow::Result<()> {
        let (name, here) = (&self.pool.manifest.name, Home::of_twin(endpoints));
        let there = &self.making()?.home;
        if *there != here {
            bail!("fleet {name} is in {there}, and this is {here}");
        }
        let made = self.pool.counts()?.made;
        if made < devices {
            bail!("fleet {name} has {made} devices that are made, and the scenario wants {devices}");
        }
        Ok(())
    }

    pub(super) fn recipe(&self) -> anyhow::Result<&Recipe> {
        Ok(&self.making()?.recipe)
    }

    fn making(&self) -> anyhow::Result<&Making> {
        let making = self.pool.manifest.making.as_ref();
        making.with_context(|| format!("fleet {} has keys only", self.pool.manifest.name))
    }

    /// The first devices, with their identities.
    pub(super) fn devices(&self, count: u32, now_us: u64) -> anyhow::Result<Vec<Made>> {
        let home = &self.making()?.home;
        let identities = self.pool.identities(count)?;
        let devices = identities.into_iter().map(|(number, id, identity)| Made {
            // In a run numbers count from 0.
            number: number - 1,
            name: self.pool.device(number),
            certificate_arn: certificate_arn(&home.primary, &home.account, &id),
            identity,
            provisioned_us: now_us,
        });
        Ok(devices.collect())
    }
}
