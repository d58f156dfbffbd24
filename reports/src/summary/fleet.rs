//! The fleet over time, the calls that were made, what was undone, and how the harness itself did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Leftover;

/// The fleet in one interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetPoint {
    /// The end of the interval, since the run began.
    pub at_ms: f64,
    /// Devices connected, by Region.
    pub connected: BTreeMap<String, u32>,
    /// Publishes and shadow writes acknowledged a second, by Region.
    pub acked_per_s: BTreeMap<String, f64>,
    /// Sends that could not be made, a second.
    pub unsent_per_s: f64,
    /// Attempts to connect that failed, a second.
    pub connects_failed_per_s: f64,
}

/// How the calls of one API operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRow {
    /// Who called.
    pub caller: String,
    /// The Region, or `global`.
    pub region: String,
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Attempts that succeeded.
    pub ok: u64,
    /// Attempts that AWS throttled.
    pub throttled: u64,
    /// Attempts that failed otherwise, or whose end is not known.
    pub failed: u64,
}

/// What was changed, and the proof that it was undone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Changes in the journal.
    pub created: u64,
    /// Changes that were undone.
    pub undone: u64,
    /// Changes whose undo was tried and failed.
    pub failed: u64,
    /// Changes that are not undone, the failed ones included.
    pub left: u64,
    /// The first 20 of them, with the exact manual undo.
    pub left_items: Vec<Left>,
    /// Faults that could not be cured, or were not.
    pub faults_left: Vec<String>,
    /// What a last look at each Region found.
    pub sweeps: Vec<Sweep>,
    /// Whether all is as it was before.
    pub complete: bool,
    /// Whether anything was looked at again afterwards.
    pub proved: bool,
}

/// A change that is not undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The Region, or `global`.
    pub region: String,
    /// What was changed.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// A command that a person can run.
    pub manual: String,
    /// Why the undo failed; absent when it was not tried.
    pub error: Option<String>,
}

/// What a last look at a Region found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The Region, or `global`.
    pub region: String,
    /// Which kinds were listed.
    pub kinds: Vec<String>,
    /// How many things of this run were still there.
    pub leftovers: u64,
    /// The first 20 of them.
    pub leftover_items: Vec<Leftover>,
}

/// The harness itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HarnessHealth {
    /// Seconds in which it was looked at.
    pub samples: u64,
    /// Largest CPU, in percent of one core.
    pub cpu_percent_max: f64,
    /// Median CPU, in percent of one core.
    pub cpu_percent_p50: f64,
    /// The processors that it may use, in percent of one; none: not known.
    pub cpu_limit_percent: Option<f64>,
    /// Of the seconds, those in which it used them up; in percent.
    pub cpu_full_seconds_percent: f64,
    /// Largest CPU of the whole machine, in percent of one core; none: not known.
    pub machine_cpu_percent_max: Option<f64>,
    /// 99 of 100 seconds had no longer timer delay.
    pub timer_delay_p99_ms: f64,
    /// The longest timer delay.
    pub timer_delay_max_ms: f64,
    /// Sends that were due.
    pub intended_sends: u64,
    /// Sends made later than the scenario tolerates.
    pub late_sends: u64,
    /// Sends that could not be made.
    pub unsent_sends: u64,
    /// Largest resident memory.
    pub rss_bytes_max: u64,
    /// Most open file descriptors.
    pub descriptors_max: u32,
    /// How many it may open; none: not known.
    pub descriptors_limit: Option<u64>,
    /// Most TCP sockets of its network.
    pub sockets_max: u32,
    /// The largest step of the wall clock against the run's own, ahead or back.
    pub clock_step_max_ms: f64,
}
