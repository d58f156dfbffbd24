//! The Region syncers: bring what is in the primary to the secondary without waiting for events.
//!
//! Two ways, one walk: into the event table, so that the replicator applies it ([`Table`]), or
//! straight to the secondary ([`Direct`]). Both send the same events, so nothing that a syncer does
//! undoes anything newer: see [`events`]. The walk goes through types, groups (parents first) and
//! things with their identities, memberships and shadows; a repair goes on through certificates and
//! policies that nothing uses, and through what the secondary has and the primary has not.
//!
//! It is resumable: after each page its place is remembered, and a run that is ended begins there.

pub mod events;
mod orphans;
mod registry;
mod report;
mod row;
mod sink;
mod things;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::look::Regions;
use crate::outcome::{Failure, Outcome};
use crate::ports::{Clock, Region};
use crate::progress::Progress;

pub(crate) use registry::by_depth;
pub use report::{Counts, Kind, PROBLEMS_MAX, Problem, Report};
pub(crate) use sink::shadows;
pub use sink::{Direct, Sent, Sink, Table};
use walk::{Flow, Walk};

/// How many workers there may be; the guide's limit.
pub const WORKERS_MAX: usize = 50;

/// How many there are if nobody says.
pub const WORKERS: usize = 10;

/// What is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What differs in the secondary, in any field.
    #[default]
    Smart,
    /// Everything.
    All,
    /// What differs, also of what no thing uses; and what is only in the secondary is found.
    Repair,
}

/// What becomes of what is only in the secondary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orphans {
    /// It is said and stays.
    #[default]
    Say,
    /// What the replicator brought goes, as the primary has it no more; the rest is said.
    RemoveReplicated,
    /// It goes, whoever made it.
    Remove,
}

/// How a walk is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What is sent.
    pub mode: Mode,
    /// A query of the fleet index; without one all things are listed.
    pub query: Option<String>,
    /// How much is worked on at once, 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// What becomes of what is only in the secondary. Only a repair without a query looks for it.
    pub orphans: Orphans,
    /// Whether certificates and policies are brought; not in just-in-time mode.
    pub identities: bool,
    /// The time at which it stops and remembers its place.
    pub deadline_ms: Option<u64>,
    /// The name under which its place is remembered.
    pub name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            query: None,
            workers: WORKERS,
            orphans: Orphans::default(),
            identities: true,
            deadline_ms: None,
            name: "sync".to_owned(),
        }
    }
}

/// The parts of a walk, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Types,
    Policies,
    Groups,
    Things,
    Certificates,
    OrphanThings,
    OrphanShadows,
    OrphanCertificates,
    OrphanPolicies,
    OrphanGroups,
    OrphanTypes,
}

impl Phase {
    fn all(options: &Options) -> Vec<Self> {
        let whole = options.mode == Mode::Repair && options.query.is_none();
        let mut phases = vec![Self::Types];
        // A device brings its policies; one that changed has to be sent itself, and so does one that
        // nothing has.
        if options.identities && (whole || options.mode == Mode::All) {
            phases.push(Self::Policies);
        }
        phases.extend([Self::Groups, Self::Things]);
        if whole {
            if options.identities {
                phases.push(Self::Certificates);
            }
            phases.extend([Self::OrphanThings, Self::OrphanShadows]);
            if options.identities {
                phases.extend([Self::OrphanCertificates, Self::OrphanPolicies]);
            }
            phases.extend([Self::OrphanGroups, Self::OrphanTypes]);
        }
        phases
    }
}

/// Where a walk is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Checkpoint {
    /// The walk's own options: another walk's place is none.
    mode: Mode,
    query: Option<String>,
    phase: Phase,
    from: Option<String>,
    report: Report,
}

/// Walks. The report says everything that went wrong with single items; an error is returned only if
/// the walk as a whole could not go on: a list failed, or its place could not be remembered.
pub async fn run<P, S, C, K, G>(
    regions: &Regions<'_, P, S, C>,
    sink: &K,
    progress: &G,
    options: &Options,
    on_progress: &(dyn Fn(&Report) + Sync),
) -> Outcome<Report>
where
    P: Region,
    S: Region,
    C: Clock,
    K: Sink,
    G: Progress,
{
    if !(1..=WORKERS_MAX).contains(&options.workers) {
        return Err(Failure::permanent("sync", format!("workers have to be 1 to {WORKERS_MAX}")));
    }
    let began = resume(progress, options).await?;
    let phases = Phase::all(options);
    let (at, mut from, report) = match began {
        Some(found) => (phases.iter().position(|p| *p == found.phase), found.from, found.report),
        None => (None, None, Report::default()),
    };
    let mut resumed = from.is_some();
    let walk = Walk::new(regions, sink, options, report);
    for phase in phases.iter().skip(at.unwrap_or_default()) {
        let mut start = from.take();
        loop {
            let save = async |from: Option<String>| {
                let report = walk.report();
                on_progress(&report);
                let (mode, query) = (options.mode, options.query.clone());
                let place = Checkpoint { mode, query, phase: *phase, from, report };
                let place = serde_json::to_value(&place).map_err(|why| Failure::permanent("sync", why))?;
                progress.put(&options.name, &place).await
            };
            save(start.clone()).await?;
            let ended = match phase {
                Phase::Types => walk.types(start.clone(), &save).await,
                Phase::Groups => walk.groups(start.clone(), &save).await,
                Phase::Things => walk.things(start.clone(), &save).await,
                Phase::Certificates => walk.certificates(start.clone(), &save).await,
                Phase::Policies => walk.policies(start.clone(), &save).await,
                Phase::OrphanThings => walk.orphan_things(start.clone(), &save).await,
                Phase::OrphanShadows => walk.orphan_shadows(start.clone(), &save).await,
                Phase::OrphanCertificates => walk.orphan_certificates(start.clone(), &save).await,
                Phase::OrphanPolicies => walk.orphan_policies(start.clone(), &save).await,
                Phase::OrphanGroups => walk.orphan_groups(start.clone(), &save).await,
                Phase::OrphanTypes => walk.orphan_types(start.clone(), &save).await,
            };
            match ended {
                Ok(Flow::Done) => break,
                Ok(Flow::Late) => return Ok(walk.report()),
                // A page's name does not live for ever: the phase begins anew, once.
                Err(failure) if resumed && !failure.is_transient() => (resumed, start) = (false, None),
                Err(failure) => return Err(failure),
            }
        }
        resumed = false;
    }
    progress.clear(&options.name).await?;
    let mut report = walk.report();
    report.finished = true;
    on_progress(&report);
    Ok(report)
}

async fn resume<G: Progress>(progress: &G, options: &Options) -> Outcome<Option<Checkpoint>> {
    let Some(place) = progress.get(&options.name).await? else { return Ok(None) };
    // What cannot be read was written by another version: the walk begins at the beginning.
    let place = serde_json::from_value::<Checkpoint>(place).ok();
    Ok(place.filter(|place| place.mode == options.mode && place.query == options.query))
}
