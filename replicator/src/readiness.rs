//! Would each device be let in by the secondary today?
//!
//! A device is let in if its thing is there, with an active certificate that is attached to it, and
//! with policies that say the same as in the primary after their Region was rewritten; groups count, as
//! policies are attached to them, too, and to the groups above them. A fleet that was swept is known to be
//! ready before it has to be.
//!
//! In just-in-time mode a device brings its certificate, and its policy is made when it first connects:
//! neither can be looked at before. The authorities that let it in are, and such a device has a standing
//! of its own.

mod authorities;
mod groups;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use serde::Serialize;

use self::groups::Groups;
use crate::compare::{self, Difference};
use crate::look::Regions;
use crate::model::{DescribedThing, Status};
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::ports::{Clock, Region};
use crate::rules::is_own;
use crate::sync::WORKERS_MAX;

/// How many devices that are not ready are told one by one. All are counted.
pub const TOLD_MAX: usize = 1_000;

/// What is swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A query of the fleet index; without one all things.
    pub query: Option<String>,
    /// How many devices, drawn with the seed; none: all.
    pub sample: Option<usize>,
    /// The seed: the same one draws the same devices of the same fleet.
    pub seed: u64,
    /// How many are looked at once, 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// Whether certificates and policies are looked at; in just-in-time mode devices bring their own, and
    /// their authorities are looked at.
    pub identities: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { query: None, sample: None, seed: 0, workers: crate::sync::WORKERS, identities: true }
    }
}

/// How a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It would be let in.
    Ready,
    /// Its thing and groups are as they should be. Its certificate and policy were not looked at: in
    /// just-in-time mode it brings them.
    BringsIdentity,
    /// It would be let in, or not, as in the primary: it has no active certificate there.
    NoCertificate,
    /// It would not be let in as it is in the primary.
    NotReady,
    /// It could not be looked at.
    Unknown,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its thing.
    pub thing: String,
    /// How it stands.
    pub standing: Standing,
    /// Why it is not ready.
    pub reasons: Vec<Difference>,
    /// Why it could not be looked at.
    pub failure: Option<String>,
}

/// A sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many devices there are to choose from.
    pub fleet: u64,
    /// How many stand in each way.
    pub totals: BTreeMap<Standing, u64>,
    /// What keeps out all devices of an authority, in just-in-time mode.
    pub authorities: Vec<Difference>,
    /// The first of those that are not ready or could not be looked at.
    pub devices: Vec<Device>,
}

impl Report {
    /// Whether every device that was looked at would be let in. A sweep of no device is not ready.
    pub fn is_ready(&self) -> bool {
        let count = |standing| self.totals.get(&standing).copied().unwrap_or_default();
        let found = !self.totals.is_empty() && self.authorities.is_empty();
        found && count(Standing::NotReady) == 0 && count(Standing::Unknown) == 0
    }

    fn count(&mut self, device: Device) {
        *self.totals.entry(device.standing).or_default() += 1;
        let told = matches!(device.standing, Standing::NotReady | Standing::Unknown);
        if told && self.devices.len() < TOLD_MAX {
            self.devices.push(device);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.authorities {
            writeln!(f, "not ready: {difference}")?;
        }
        for Device { thing, standing, reasons, failure } in &self.devices {
            let mut why: Vec<_> = reasons.iter().map(ToString::to_string).collect();
            why.extend(failure.clone());
            writeln!(f, "{standing:?} {thing}: {}", why.join("; "))?;
        }
        let totals: Vec<_> =
            self.totals.iter().map(|(standing, count)| format!("{standing:?}: {count}")).collect();
        writeln!(f, "of {} devices: {}", self.fleet, totals.join(", "))
    }
}

/// Sweeps.
pub async fn sweep<P, S, C>(
    regions: &Regions<'_, P, S, C>,
    options: &Options,
    on_progress: &(dyn Fn(&Report) + Sync),
) -> Outcome<Report>
where
    P: Region,
    S: Region,
    C: Clock,
{
    if !(1..=WORKERS_MAX).contains(&options.workers) {
        return Err(Failure::permanent("sweep", format!("workers have to be 1 to {WORKERS_MAX}")));
    }
    let pace = Pace::default();
    let authorities = match options.identities {
        true => Vec::new(),
        false => authorities::compare(regions, &pace).await?,
    };
    let report = Mutex::new(Report { authorities, ..Report::default() });
    let sweep = Sweep { regions, options, pace, groups: Groups::default(), report };
    let mut sample = options.sample.map(|size| Sample { size, seed: options.seed, drawn: BTreeMap::new() });
    let mut from = None::<String>;
    loop {
        let list = async || regions.primary.things(options.query.as_deref(), from.as_deref()).await;
        let page = sweep.pace.patient(regions.clock, list).await?;
        let devices: Vec<_> = page.items.into_iter().filter(|listed| !is_own(&listed.thing.name)).collect();
        sweep.report.lock().unwrap_or_else(PoisonError::into_inner).fleet += devices.len() as u64;
        match &mut sample {
            Some(sample) => devices.into_iter().for_each(|device| sample.offer(device)),
            None => sweep.look_at(devices).await,
        }
        on_progress(&sweep.report.lock().unwrap_or_else(PoisonError::into_inner));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    if let Some(sample) = sample {
        sweep.look_at(sample.drawn.into_values().collect()).await;
    }
    let mut report = sweep.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.devices.sort_by(|a, b| a.thing.cmp(&b.thing));
    on_progress(&report);
    Ok(report)
}

struct Sweep<'a, P, S, C> {
    regions: &'a Regions<'a, P, S, C>,
    options: &'a Options,
    pace: Pace,
    groups: Groups,
    report: Mutex<Report>,
}

impl<P: Region, S: Region, C: Clock> Sweep<'_, P, S, C> {
    async fn look_at(&self, devices: Vec<DescribedThing>) {
        futures::stream::iter(devices)
            .map(async |listed| {
                let looked = self.pace.patient(self.regions.clock, async || self.one(&listed).await).await;
                let thing = listed.thing.name;
                looked.unwrap_or_else(|failure| Device {
                    thing,
                    standing: Standing::Unknown,
                    reasons: Vec::new(),
                    failure: Some(failure.to_string()),
                })
            })
            .buffer_unordered(self.options.workers)
            .for_each(async |device| {
                self.report.lock().unwrap_or_else(PoisonError::into_inner).count(device);
            })
            .await;
    }

    async fn one(&self, listed: &DescribedThing) -> Outcome<Device> {
        let (regions, identities) = (self.regions, self.options.identities);
        let thing = listed.thing.name.clone();
        let there = regions.secondary.thing(&thing).await?;
        let mut reasons = compare::thing(&listed.thing, there.as_ref().map(|there| &there.thing));
        let mut has_certificate = true;
        if identities {
            let found = regions.compare_identity(&thing).await?;
            has_certificate = has_active(regions, &thing).await?;
            reasons.extend(found);
        }
        for difference in regions.compare_groups(&thing).await? {
            reasons.push(difference);
        }
        for group in regions.primary.thing_groups(&thing).await? {
            reasons.extend(self.groups.compare(regions, &group, identities).await?);
        }
        // What it has in the secondary alone does not keep it out.
        reasons.retain(|reason| !matches!(reason, Difference::AttachedOnlyThere(_)));
        let standing = match () {
            () if !reasons.is_empty() => Standing::NotReady,
            () if !identities => Standing::BringsIdentity,
            () if !has_certificate => Standing::NoCertificate,
            () => Standing::Ready,
        };
        Ok(Device { thing, standing, reasons, failure: None })
    }
}

async fn has_active<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    thing: &str,
) -> Outcome<bool> {
    for id in crate::look::Principals::of(regions.primary.thing_principals(thing).await?).certificates {
        if regions.primary.certificate(&id).await?.is_some_and(|there| there.status == Status::Active) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A sample of a list whose length is not known: those with the smallest hashes, so that neither the
/// order of the list nor its pages matter.
struct Sample {
    size: usize,
    seed: u64,
    drawn: BTreeMap<(u64, String), DescribedThing>,
}

impl Sample {
    fn offer(&mut self, device: DescribedThing) {
        let hash = hash(self.seed, &device.thing.name);
        self.drawn.insert((hash, device.thing.name.clone()), device);
        if self.drawn.len() > self.size {
            self.drawn.pop_last();
        }
    }
}

/// FNV-1a over the name and the seed, mixed as in splitmix64.
fn hash(seed: u64, name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut z =
        name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
