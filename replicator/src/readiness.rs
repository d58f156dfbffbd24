//! Would each device be let in by the secondary today?
//!
//! A device is let in if its thing is there, with an active certificate that is attached to it, and
//! with policies that say the same as in the primary after their Region was rewritten; groups count, as
//! policies are attached to them, too. A fleet that was swept is known to be ready before it has to be.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt;
use serde::Serialize;

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
    /// Whether certificates are looked at; in just-in-time mode devices bring their own.
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
    /// The first of those that are not ready or could not be looked at.
    pub devices: Vec<Device>,
}

impl Report {
    /// Whether every device that was looked at would be let in. A sweep of no device is not ready.
    pub fn is_ready(&self) -> bool {
        let count = |standing| self.totals.get(&standing).copied().unwrap_or_default();
        !self.totals.is_empty() && count(Standing::NotReady) == 0 && count(Standing::Unknown) == 0
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
    let (pace, report) = (Pace::default(), Mutex::new(Report::default()));
    let mut sample = options.sample.map(|size| Sample { size, seed: options.seed, drawn: BTreeMap::new() });
    let mut from = None::<String>;
    loop {
        let list = async || regions.primary.things(options.query.as_deref(), from.as_deref()).await;
        let page = pace.patient(regions.clock, list).await?;
        let devices: Vec<_> = page.items.into_iter().filter(|listed| !is_own(&listed.thing.name)).collect();
        report.lock().unwrap_or_else(PoisonError::into_inner).fleet += devices.len() as u64;
        match &mut sample {
            Some(sample) => devices.into_iter().for_each(|device| sample.offer(device)),
            None => look_at(regions, &pace, options, devices, &report).await,
        }
        on_progress(&report.lock().unwrap_or_else(PoisonError::into_inner));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    if let Some(sample) = sample {
        look_at(regions, &pace, options, sample.drawn.into_values().collect(), &report).await;
    }
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.devices.sort_by(|a, b| a.thing.cmp(&b.thing));
    on_progress(&report);
    Ok(report)
}

async fn look_at<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    pace: &Pace,
    options: &Options,
    devices: Vec<DescribedThing>,
    report: &Mutex<Report>,
) {
    futures::stream::iter(devices)
        .map(async |listed| {
            let looked =
                pace.patient(regions.clock, async || one(regions, &listed, options.identities).await).await;
            let thing = listed.thing.name;
            looked.unwrap_or_else(|failure| Device {
                thing,
                standing: Standing::Unknown,
                reasons: Vec::new(),
                failure: Some(failure.to_string()),
            })
        })
        .buffer_unordered(options.workers)
        .for_each(async |device| report.lock().unwrap_or_else(PoisonError::into_inner).count(device))
        .await;
}

async fn one<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    listed: &DescribedThing,
    identities: bool,
) -> Outcome<Device> {
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
        if identities {
            reasons.extend(regions.compare_group_policies(&group).await?);
        }
    }
    // What it has in the secondary alone does not keep it out.
    reasons.retain(|reason| !matches!(reason, Difference::AttachedOnlyThere(_)));
    let standing = match () {
        () if !reasons.is_empty() => Standing::NotReady,
        () if !has_certificate => Standing::NoCertificate,
        () => Standing::Ready,
    };
    Ok(Device { thing, standing, reasons, failure: None })
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
