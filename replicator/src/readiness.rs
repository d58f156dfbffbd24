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
//!
//! What could not be looked at, or not in time, is unknown, and an unknown device is not ready. Of each
//! Region a device with one certificate and no group costs one call of `DescribeThing`,
//! `ListThingPrincipals`, `DescribeCertificate`, `ListAttachedPolicies` and `ListThingGroupsForThing`.

mod authorities;
mod groups;
mod sample;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::future::{Either, select};
use serde::Serialize;

use self::groups::Groups;
use self::sample::Sample;
use crate::compare::{self, Difference};
use crate::look::Regions;
use crate::model::DescribedThing;
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::ports::{Clock, Region};
use crate::rules::is_own;
use crate::sync::WORKERS_MAX;

/// How many devices that are not ready are told one by one. All are counted.
pub const TOLD_MAX: usize = 1_000;

/// Which devices are looked at, or drawn from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Which {
    /// All things of the primary.
    #[default]
    All,
    /// What a query of the fleet index finds there.
    Query(String),
    /// The things of these names.
    Named(Vec<String>),
}

/// What is swept.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The devices.
    pub which: Which,
    /// How many devices, drawn with the seed; none: all.
    pub sample: Option<usize>,
    /// The seed: the same one draws the same devices of the same fleet.
    pub seed: u64,
    /// How many are looked at once, 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// Whether certificates and policies are looked at; in just-in-time mode devices bring their own, and
    /// their authorities are looked at.
    pub identities: bool,
    /// How many are looked at in a second at the most; none: as many as the services let.
    pub rate_per_s: Option<f64>,
    /// When it has to be over, by the clock; what was not looked at until then is unknown.
    pub deadline_ms: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            which: Which::All,
            sample: None,
            seed: 0,
            workers: crate::sync::WORKERS,
            identities: true,
            rate_per_s: None,
            deadline_ms: None,
        }
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

impl Device {
    fn unknown(thing: String, why: String) -> Self {
        Self { thing, standing: Standing::Unknown, reasons: Vec::new(), failure: Some(why) }
    }

    /// Why it is not ready, or could not be looked at.
    pub fn why(&self) -> String {
        let mut why: Vec<_> = self.reasons.iter().map(ToString::to_string).collect();
        why.extend(self.failure.clone());
        why.join("; ")
    }
}

/// What a sample was drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Draw {
    /// How many were asked for; of a smaller fleet all are looked at.
    pub size: usize,
    /// The seed.
    pub seed: u64,
}

/// A sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many devices there are to choose from.
    pub fleet: u64,
    /// The sample; none: all were looked at.
    pub sample: Option<Draw>,
    /// How many stand in each way.
    pub totals: BTreeMap<Standing, u64>,
    /// What keeps out all devices of an authority, in just-in-time mode.
    pub authorities: Vec<Difference>,
    /// Why those could not be compared.
    pub authorities_unknown: Option<String>,
    /// The first of those that are not ready or could not be looked at.
    pub devices: Vec<Device>,
    /// Why there may be more devices: the list was not read to its end.
    pub unlisted: Option<String>,
    /// The first of those that have no active certificate in the primary.
    pub without_certificate: Vec<String>,
}

impl Report {
    /// Whether every device that was to be looked at would be let in. A sweep of no device is not ready.
    pub fn is_ready(&self) -> bool {
        let none = |standing| self.of(standing) == 0;
        let let_in = self.authorities.is_empty() && self.authorities_unknown.is_none();
        let is_whole = !self.totals.is_empty() && self.unlisted.is_none();
        is_whole && let_in && none(Standing::NotReady) && none(Standing::Unknown)
    }

    /// How many stand in that way.
    pub fn of(&self, standing: Standing) -> u64 {
        self.totals.get(&standing).copied().unwrap_or_default()
    }

    fn count(&mut self, device: Device) {
        *self.totals.entry(device.standing).or_default() += 1;
        let told = matches!(device.standing, Standing::NotReady | Standing::Unknown);
        if told && self.devices.len() < TOLD_MAX {
            self.devices.push(device);
        } else if device.standing == Standing::NoCertificate && self.without_certificate.len() < TOLD_MAX {
            self.without_certificate.push(device.thing);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.authorities {
            writeln!(f, "not ready: {difference}")?;
        }
        if let Some(why) = &self.authorities_unknown {
            writeln!(f, "the authorities could not be compared: {why}")?;
        }
        for device in &self.devices {
            writeln!(f, "{:?} {}: {}", device.standing, device.thing, device.why())?;
        }
        if let Some(why) = &self.unlisted {
            writeln!(f, "not all devices were listed: {why}")?;
        }
        let totals: Vec<_> =
            self.totals.iter().map(|(standing, count)| format!("{standing:?}: {count}")).collect();
        write!(f, "of {} devices", self.fleet)?;
        if let Some(Draw { size, seed }) = self.sample {
            write!(f, ", a sample of {size} by seed {seed}")?;
        }
        writeln!(f, ": {}", if totals.is_empty() { "none looked at".to_owned() } else { totals.join(", ") })
    }
}

/// Sweeps. Only options that make no sense are an error: what cannot be looked at is in the report.
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
    let pace = options.rate_per_s.map_or_else(Pace::default, Pace::at_most);
    let (groups, report) = (Groups::default(), Mutex::default());
    let sweep = Sweep { regions, options, pace, groups, report };
    if !options.identities {
        sweep.authorities().await;
    }
    let mut sample = options.sample.map(|size| Sample::new(size, options.seed));
    sweep.report().sample = options.sample.map(|size| Draw { size, seed: options.seed });
    let mut from = None::<String>;
    loop {
        let (devices, next) = match sweep.page(from.as_deref()).await {
            Ok(page) => page,
            Err(failure) => {
                sweep.report().unlisted = Some(failure.to_string());
                break;
            }
        };
        sweep.report().fleet += devices.len() as u64;
        match &mut sample {
            Some(sample) => devices.into_iter().for_each(|device| sample.offer(device)),
            None => sweep.look_at(devices).await,
        }
        on_progress(&sweep.report());
        from = next;
        if from.is_none() {
            break;
        }
    }
    if let Some(sample) = sample {
        sweep.look_at(sample.drawn()).await;
    }
    let mut report = sweep.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.devices.sort_by(|a, b| a.thing.cmp(&b.thing));
    report.without_certificate.sort();
    on_progress(&report);
    Ok(report)
}

/// A device to look at, with what a list said of it.
#[derive(Debug)]
struct Candidate {
    name: String,
    listed: Option<DescribedThing>,
}

struct Sweep<'a, P, S, C> {
    regions: &'a Regions<'a, P, S, C>,
    options: &'a Options,
    pace: Pace,
    groups: Groups,
    report: Mutex<Report>,
}

impl<P: Region, S: Region, C: Clock> Sweep<'_, P, S, C> {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares what lets devices in that bring their certificates.
    async fn authorities(&self) {
        let compared = self.within(authorities::compare(self.regions, &self.pace)).await;
        let mut report = self.report();
        match compared {
            Ok(found) => report.authorities = found,
            Err(failure) => report.authorities_unknown = Some(failure.to_string()),
        }
    }

    /// Some of the devices, and from where there are more.
    async fn page(&self, from: Option<&str>) -> Outcome<(Vec<Candidate>, Option<String>)> {
        let query = match &self.options.which {
            Which::Named(names) => {
                let named = names.iter().map(|name| Candidate { name: name.clone(), listed: None });
                return Ok((named.collect(), None));
            }
            Which::Query(query) => Some(query.as_str()),
            Which::All => None,
        };
        let list = async || self.regions.primary.things(query, from).await;
        let page = self.within(self.pace.patient(self.regions.clock, list)).await?;
        let listed = page.items.into_iter().filter(|listed| !is_own(&listed.thing.name));
        let listed = listed.map(|listed| Candidate { name: listed.thing.name.clone(), listed: Some(listed) });
        Ok((listed.collect(), page.next))
    }

    async fn look_at(&self, devices: Vec<Candidate>) {
        futures::stream::iter(devices)
            .map(async |device| {
                let look = async || self.one(&device).await;
                let looked = self.within(self.pace.patient(self.regions.clock, look)).await;
                looked.unwrap_or_else(|failure| Device::unknown(device.name.clone(), failure.to_string()))
            })
            .buffer_unordered(self.options.workers)
            .for_each(async |device| self.report().count(device))
            .await;
    }

    /// Works until the time is up.
    async fn within<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let Some(deadline_ms) = self.options.deadline_ms else { return work.await };
        let is_up = || Failure::transient("sweep", "the time was up");
        let left_ms = deadline_ms.saturating_sub(self.regions.clock.now_ms());
        if left_ms == 0 {
            return Err(is_up());
        }
        match select(pin!(work), pin!(self.regions.clock.sleep_ms(left_ms))).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(is_up()),
        }
    }

    async fn one(&self, device: &Candidate) -> Outcome<Device> {
        let (regions, thing) = (self.regions, device.name.clone());
        let here = match &device.listed {
            Some(listed) => Some(listed.thing.clone()),
            None => regions.primary.thing(&thing).await?.map(|described| described.thing),
        };
        let Some(here) = here else {
            return Ok(Device::unknown(thing, "the primary has no such thing".to_owned()));
        };
        let there = regions.secondary.thing(&thing).await?;
        let mut reasons = compare::thing(&here, there.as_ref().map(|there| &there.thing));
        let mut has_certificate = true;
        if self.options.identities {
            let found = regions.compare_identity(&thing).await?;
            has_certificate = found.has_active;
            reasons.extend(found.differences);
        }
        let (groups, there) =
            futures::join!(regions.primary.thing_groups(&thing), regions.secondary.thing_groups(&thing));
        let others = |mut groups: Vec<String>| {
            groups.retain(|name| !is_own(name));
            groups
        };
        let (groups, there) = (others(groups?), others(there?));
        reasons.extend(compare::groups(&groups, &there));
        for group in &groups {
            reasons.extend(self.groups.compare(regions, group, self.options.identities).await?);
        }
        // What it has in the secondary alone does not keep it out.
        reasons.retain(|reason| !matches!(reason, Difference::AttachedOnlyThere(_)));
        let standing = match () {
            () if !reasons.is_empty() => Standing::NotReady,
            () if !self.options.identities => Standing::BringsIdentity,
            () if !has_certificate => Standing::NoCertificate,
            () => Standing::Ready,
        };
        Ok(Device { thing, standing, reasons, failure: None })
    }
}

#[cfg(test)]
mod tests;
