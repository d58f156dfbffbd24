//! The periodic walk that repairs whatever events missed.
//!
//! It is a repair into the event table ([`crate::sync`]): what differs is sent again, and what the
//! replicator brought and the primary has no more is sent as gone. It ends before the function's
//! deadline and goes on there at the next run; a fleet of any size is walked in the end.
//!
//! Each run sends heartbeats, too, one in each stream: rows that ask for nothing. The stream of a fleet in
//! which nothing happens is silent otherwise, and so is one that nobody reads any more.

use serde_json::{Map, Value, json};
use tracing::{info, warn};

use crate::look::Regions;
use crate::outcome::Outcome;
use crate::ports::{Clock, Documents, Region, State};
use crate::progress::Progress;
use crate::sync::{self, Mode, Options, Orphans, Report, Table};
use crate::tables::Stream;

/// How long before the function's deadline nothing more is begun: one item and the remembered place.
pub const DEADLINE_MARGIN_MS: u64 = 15_000;

/// How much is looked at once. The fleet's own calls share the quotas.
pub const WORKERS: usize = 4;

/// The name of its place in the progress table.
pub const PROGRESS: &str = "reconcile";

/// The kind of a heartbeat's row.
pub const HEARTBEAT: &str = "HEARTBEAT";

/// The column of a heartbeat that names its stream.
pub const STREAM: &str = "stream";

/// The row of a heartbeat. No thing has its key.
pub fn heartbeat(stream: Stream, now_ms: u64) -> Map<String, Value> {
    let row = json!({"device": "reconcile#", "event": "heartbeat", "eventType": HEARTBEAT, "at_ms": now_ms,
        STREAM: stream.name()});
    row.as_object().cloned().unwrap_or_default()
}

/// One run. `deadline_ms` is the wall time at which the function is ended.
pub async fn run<P, S, C, D, M, G>(
    regions: &Regions<'_, P, S, C>,
    documents: &D,
    state: &M,
    progress: &G,
    identities: bool,
    deadline_ms: u64,
) -> Outcome<Report>
where
    P: Region,
    S: Region,
    C: Clock,
    D: Documents,
    M: State,
    G: Progress,
{
    let sink = Table { documents, state: Some(state), clock: regions.clock, origin: &regions.names.primary };
    let options = Options {
        mode: Mode::Repair,
        workers: WORKERS,
        orphans: Orphans::RemoveReplicated,
        identities,
        deadline_ms: Some(deadline_ms.saturating_sub(DEADLINE_MARGIN_MS)),
        name: PROGRESS.to_owned(),
        ..Options::default()
    };
    let report = sync::run(regions, &sink, progress, &options, &|_| {}).await?;
    for (kind, counts) in &report.counts {
        let sync::Counts { synced, existing, errors, orphans, removed } = counts;
        info!(?kind, synced, existing, errors, orphans, removed, "walked");
    }
    for sync::Problem { kind, name, step, why } in report.problems.iter().chain(&report.orphans) {
        warn!(?kind, name, step, why, "not repaired");
    }
    info!(finished = report.finished, slowed = report.slowed, "reconciled");
    Ok(report)
}
