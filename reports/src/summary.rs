//! What a record means: the types of `summary.json`. Field names are stable; units come last in a name.
//!
//! `summary.schema.json` beside this crate is the published schema. Lists are bounded, so that a summary stays small
//! whatever the size of the fleet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{ActKind, EndReason, NotReady, Observation, PreflightCheck, RunInfo, StepState};
use crate::verdict::{ExitCode, Verdict};

mod fleet;
mod journey;
mod storm;
mod straggler;

pub use fleet::{ApiRow, FleetPoint, HarnessHealth, Left, Sweep, Undo};
pub use journey::{Bin, DeviceStages, Distribution, StageSpread, StrategyRow, Waterfall};

pub use storm::{Refusal, Storm, StormShare};
pub use straggler::{Cause, CauseRow, Straggler, Stragglers};

/// The version of the summary's format.
pub const SUMMARY_FORMAT: u32 = 1;

/// The verdict of a run and the numbers that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The version of this format.
    pub format: u32,
    /// Who ran what, against what.
    pub run: RunInfo,
    /// When the record begins.
    pub began: Option<Timestamp>,
    /// How long the record is.
    pub duration_ms: f64,
    /// Why the run ended; absent when the record breaks off.
    pub ended: Option<EndReason>,
    /// All verdicts in one.
    pub verdict: Verdict,
    /// The number that the process ends with.
    pub exit_code: u8,
    /// Its name.
    pub exit: ExitCode,
    /// The verdict in one sentence.
    pub reason: String,
    /// A row an objective.
    pub objectives: Vec<ObjectiveRow>,
    /// A row a check: faults that were seen to act, the run's end, the harness, the undo.
    pub checks: Vec<CheckRow>,
    /// A row a fault, each time that it was applied.
    pub faults: Vec<FaultRow>,
    /// A row a step of the scenario.
    pub steps: Vec<StepRow>,
    /// What ended the run before its last step; absent when nothing did.
    pub stopping: Option<StoppingRow>,
    /// What people did, the first of it when it was much.
    pub acts: Vec<ActRow>,
    /// What was looked at before anything was changed; none for a record of old.
    #[serde(default)]
    pub preflight: Vec<PreflightCheck>,
    /// A row each time that devices were looked at in both Regions.
    pub readiness: Vec<ReadinessRow>,
    /// What became of the devices.
    pub devices: Devices,
    /// From the fault to the secondary.
    pub failover: Waterfall,
    /// Devices that were late there, by what held them up.
    pub stragglers: Stragglers,
    /// How the secondary took them, beside what its CONNECT quota allows; absent when nobody failed over, or nothing says
    /// what the quota was.
    pub storm: Option<Storm>,
    /// From the cure to the primary.
    pub failback: Waterfall,
    /// Per device that failed back, from its last acknowledged publish to the first in the primary.
    pub failback_outage: Option<Distribution>,
    /// A row a strategy, in the order of the scenario; none for a record of old.
    pub strategies: Vec<StrategyRow>,
    /// Latencies by metric.
    pub latencies: BTreeMap<String, Latency>,
    /// Who saw what arrived in the secondary; absent when no shadow was written.
    pub observation: Option<Observation>,
    /// What became of the shadow writes.
    pub ledger: Ledger,
    /// What the secondary did not have when the primary was lost; absent when there was no fault.
    pub rpo: Option<Rpo>,
    /// The fleet over time.
    pub fleet: Vec<FleetPoint>,
    /// A row an API operation, most calls first.
    pub api: Vec<ApiRow>,
    /// Attempts that AWS throttled.
    pub api_throttled: u64,
    /// What was changed, and the proof that it was undone.
    pub undo: Undo,
    /// The harness itself.
    pub harness: HarnessHealth,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Summary {
    /// Where it was rehearsed, when that was not AWS.
    pub fn place(&self) -> Option<&'static str> {
        self.run.is_on_twin().then_some("Rehearsed on the twin (one machine), not on AWS")
    }
}

/// An objective and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveRow {
    /// The metric, with its statistic.
    pub metric: String,
    /// The condition as the scenario says it.
    pub condition: String,
    /// The measured value for a reader.
    pub measured: String,
    /// The measured value: milliseconds, a count or a percentage; absent when nothing was measured.
    pub value: Option<f64>,
    /// `ms`, `count` or `percent`.
    pub value_unit: String,
    /// The target, in the same unit.
    pub target: Option<f64>,
    /// How many samples it rests on.
    pub samples: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub why: String,
}

/// A check of the run itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// Its name, for example `fault:primary-region-dark`.
    pub name: String,
    /// What it checks, for a reader.
    pub label: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub why: String,
}

/// A fault, once applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRow {
    /// Its name in the catalogue.
    pub fault: String,
    /// Its name for a reader.
    pub label: String,
    /// When it was applied, since the run began.
    pub applied_ms: f64,
    /// When it was seen to act.
    pub proved_ms: Option<f64>,
    /// When it was cured.
    pub cured_ms: Option<f64>,
    /// When the cure was read back.
    pub cure_proved_ms: Option<f64>,
    /// The evidence that it acted.
    pub evidence: Option<String>,
    /// Its colour, that of its kind, as `#rrggbb`.
    #[serde(default)]
    pub colour: Option<String>,
    /// Whether the health check of the primary noticed while it was in place. Faults of one break share what it saw.
    #[serde(default)]
    pub noticed: Noticed,
    /// From the fault to the moment in which the health check called the primary unhealthy.
    #[serde(default)]
    pub noticed_ms: Option<f64>,
    /// What the secondary did not have when the fault was cured; absent when it was not cured, or nothing was written.
    #[serde(default)]
    pub debt: Option<Debt>,
}

/// Whether the health check noticed a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noticed {
    /// The record does not say what the checkers saw.
    #[default]
    Unknown,
    /// It called the primary unhealthy.
    Yes,
    /// It did not, as long as the fault was in place.
    No,
    /// The primary was unhealthy before.
    Before,
}

/// Writes that the primary had acknowledged when a fault was cured and the secondary did not have. Some are always under way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Debt {
    /// How many; one that a later write of its device has overtaken is not owed.
    pub writes: u64,
    /// Of how many devices.
    pub devices: u64,
    /// How old the oldest was.
    pub oldest_ms: f64,
    /// From the cure until the last of them had come; absent: not all came.
    pub drained_ms: Option<f64>,
}

/// A step of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// What it does, for a reader.
    pub label: String,
    /// When it began, since the run began.
    pub began_ms: f64,
    /// When it ended.
    pub ended_ms: Option<f64>,
    /// Where it stands.
    pub state: StepState,
    /// Why, when it was not completed.
    pub detail: Option<String>,
}

/// What ended a run before its last step, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoppingRow {
    /// When, since the run began.
    pub at_ms: f64,
    /// Who or what.
    pub reason: EndReason,
    /// Which condition and its value, or which signal.
    pub detail: String,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActRow {
    /// When, since the run began, by the clock of the machine on which it was done.
    pub at_ms: f64,
    /// The same moment on that clock.
    pub wall: Timestamp,
    /// What.
    pub act: ActKind,
    /// What was said with it.
    pub text: String,
    /// Who, if they said so.
    pub by: Option<String>,
}

/// How the devices stood when they were looked at: would the secondary let them in?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadinessRow {
    /// When the look ended, since the run began.
    pub at_ms: f64,
    /// Devices that there were to choose from.
    pub fleet: u64,
    /// How many were drawn; absent when all were looked at.
    pub sample: Option<u64>,
    /// The secondary would have let them in.
    pub ready: u64,
    /// It would not.
    pub not_ready: u64,
    /// They could not be looked at.
    pub unknown: u64,
    /// The first 20 of those that are not ready or unknown.
    pub devices: Vec<NotReady>,
}

/// What became of the devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Devices in the fleet.
    pub fleet: u64,
    /// Devices that were connected at some time.
    pub connected: u64,
    /// Devices that were connected before the first fault.
    pub connected_before_fault: u64,
    /// Devices that were seen to be connectable in the secondary; absent when it was not looked at.
    pub connectable: Option<u64>,
    /// Devices that failed over.
    pub failed_over: u64,
    /// Devices whose strategy brings them home by itself.
    pub expected_back: u64,
    /// Of these, devices that failed back.
    pub failed_back: u64,
    /// Devices that never had an acknowledged publish again.
    pub stranded: u64,
    /// The first 20 of them.
    pub stranded_names: Vec<String>,
}

/// The spread of one latency, and how it went over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Where the numbers come from.
    pub source: String,
    /// All values.
    pub total: Distribution,
    /// At most 240 intervals.
    pub over_time: Vec<LatencyPoint>,
}

/// A latency in one interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyPoint {
    /// Where the interval begins, since the run began.
    pub at_ms: f64,
    /// How long it is.
    pub duration_ms: f64,
    /// Values in it.
    pub samples: u64,
    /// Their median.
    pub p50_ms: f64,
    /// 99 of 100 are at or below it.
    pub p99_ms: f64,
}

/// What became of the shadow writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Writes that were intended.
    pub writes: u64,
    /// Acknowledged by the primary.
    pub acked_primary: u64,
    /// Acknowledged by the secondary.
    pub acked_secondary: u64,
    /// Seen in the secondary.
    pub visible: u64,
    /// Superseded before they were seen.
    pub stale: u64,
    /// Acknowledged and never seen, nor a later one.
    pub lost: u64,
    /// Sent and neither acknowledged nor seen.
    pub unknown: u64,
    /// Refused.
    pub rejected: u64,
    /// Never sent.
    pub unsent: u64,
    /// Acknowledged by the primary, of devices that nobody observes in the secondary.
    pub unobserved: u64,
    /// Devices with a lost write.
    pub devices_with_losses: u64,
    /// The 20 devices that lost most.
    pub losses: Vec<Loss>,
}

impl Ledger {
    /// Writes that were sent and never acknowledged, whether they were seen or not.
    pub fn unacknowledged(&self) -> u64 {
        let settled = [self.acked_primary, self.acked_secondary, self.rejected, self.unsent];
        self.writes.saturating_sub(settled.iter().sum())
    }
}

/// What one device lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The device.
    pub device: String,
    /// Its lost writes.
    pub lost: u64,
    /// Its writes that were acknowledged.
    pub acked: u64,
}

/// What the secondary did not have when the primary was lost. Of several breaks, the worst of each number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rpo {
    /// Writes that the primary had acknowledged before the fault.
    pub acked: u64,
    /// Of these, writes that were still on their way at the fault.
    pub in_flight: u64,
    /// Of these, writes that the secondary did not get before the cure.
    pub missing: u64,
    /// Devices with such a write.
    pub devices: u64,
    /// The age of the oldest at the fault.
    pub age_ms: f64,
}
