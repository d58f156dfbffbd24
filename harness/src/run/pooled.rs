//! A fleet that stays, as a run takes it: its devices play, and are neither made nor deleted.

use std::path::Path;

use anyhow::{Context, bail};
use gameday_twin::Endpoints;
use replicator::policy::certificate_arn;

use crate::{
    fleet::{Made, Recipe},
    pool::{Home, Lock, Making, Method, Pool},
};

/// The fleet, which nobody else changes meanwhile.
#[derive(Debug)]
pub(super) struct Pooled {
    pub(super) pool: Pool,
    _lock: Lock,
}

impl Pooled {
    pub(super) fn open(fleets: &Path, name: &str) -> anyhow::Result<Self> {
        let opened = Pool::open_to_change(fleets, name)?;
        let (pool, lock) = opened.with_context(|| {
            format!("there is no fleet {name} in {}: gameday fleet create {name} makes one", fleets.display())
        })?;
        Ok(Self { pool, _lock: lock })
    }

    /// That the fleet is where the run is, and that the devices that the run takes can play.
    pub(super) fn check(&self, endpoints: &Endpoints, devices: u32) -> anyhow::Result<()> {
        let (name, here) = (&self.pool.manifest.name, Home::of_twin(endpoints));
        let there = &self.making()?.home;
        if *there != here {
            bail!("fleet {name} is in {there}, and this is {here}");
        }
        self.can_play(devices)
    }

    fn can_play(&self, devices: u32) -> anyhow::Result<()> {
        let name = &self.pool.manifest.name;
        if self.making()?.by == Method::JustInTime {
            bail!(
                "fleet {name} is of just-in-time registration, and no run takes such a fleet: a device that has not connected \
                 yet has no thing, and the policy of all of them is not made for the topics of a run"
            );
        }
        if let Some(device) = self.pool.first_not_made(devices)? {
            bail!(
                "the scenario wants the first {devices} devices of fleet {name}, and {} is not made: \
                 gameday fleet create {name} --devices {devices} makes what lacks",
                self.pool.device(device)
            );
        }
        Ok(())
    }

    /// The names of the first devices.
    pub(super) fn names(&self, count: u32) -> Vec<String> {
        (1..=count).map(|number| self.pool.device(number)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Given, site::Site};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_fleet_that_cannot_play_is_refused_with_the_reason() {
        let site = Site::start().await;
        let refused = |pool: &Pool, devices| {
            let fleets = pool.path().parent().unwrap();
            let pooled = Pooled::open(fleets, &pool.manifest.name).unwrap();
            pooled.check(&site.endpoints(), devices).err().map(|error| format!("{error:#}"))
        };
        let mut lamps = site.pool("lamps", 3);
        assert!(refused(&lamps, 1).unwrap().contains("keys only"));
        let making = |by| Given { by: Some(by), ..Given::default() };
        site.creation(&mut lamps).run(&making(Method::Api)).await.unwrap();
        assert_eq!(refused(&lamps, 3), None);
        assert!(refused(&lamps, 4).unwrap().contains("lamps-00004 is not made"));
        let mut cars = site.pool("cars", 1);
        site.creation(&mut cars).run(&making(Method::JustInTime)).await.unwrap();
        assert!(refused(&cars, 1).unwrap().contains("just-in-time"));
    }
}
