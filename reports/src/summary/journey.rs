//! How devices came to the other Region: spreads, stages, and the slowest devices by name.

use serde::{Deserialize, Serialize};

/// The spread of a number of durations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many there are.
    pub samples: u64,
    /// The smallest.
    pub min_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 90 of 100 are at or below it.
    pub p90_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1000.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

/// The way of the devices to the other Region, cut into stages that follow each other without a gap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Waterfall {
    /// Devices that came.
    pub devices: u64,
    /// Devices that had to and did not.
    pub missing: u64,
    /// How long those were away at least.
    pub missing_at_least_ms: Option<f64>,
    /// The 99th percentile over the devices that came and those that did not.
    pub p99_ms: Option<f64>,
    /// It falls on a device that did not come: the true value is this or more.
    pub p99_is_at_least: bool,
    /// From the origin (the fault, the cure) to the health check's change.
    pub health_ms: Option<f64>,
    /// From the origin to the change of the authoritative answer.
    pub answer_ms: Option<f64>,
    /// From the origin to the first acknowledged publish.
    pub total: Option<Distribution>,
    /// From a device's last acknowledged publish to its first in the other Region.
    pub silence: Option<Distribution>,
    /// The stages, in order.
    pub stages: Vec<StageSpread>,
    /// The stage that set the time: the longest of the device at the 99th percentile.
    pub set_by: Option<String>,
    /// That stage's share of the device's time, in percent.
    pub set_by_percent: Option<f64>,
    /// The device in the middle.
    pub median_device: Option<DeviceStages>,
    /// The device at the 99th percentile.
    pub p99_device: Option<DeviceStages>,
    /// The 10 slowest devices, slowest first.
    pub slowest: Vec<DeviceStages>,
    /// How many devices took how long.
    pub bins: Vec<Bin>,
    /// How many devices had come by when, as `[ms, devices]`; at most 200 points.
    pub returned: Vec<(f64, u64)>,
}

/// The spread of one stage over the devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSpread {
    /// Its name.
    pub stage: String,
    /// Its name for a reader.
    pub label: String,
    /// The median.
    pub p50_ms: f64,
    /// 95 of 100 are at or below it.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

/// One device's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceStages {
    /// The device.
    pub device: String,
    /// The name of its strategy; empty for a record of old.
    pub strategy: String,
    /// All of it.
    pub total_ms: f64,
    /// Attempts to connect until it was back.
    pub attempts: u32,
    /// Its stages, in the order of [`Waterfall::stages`].
    pub stages_ms: Vec<f64>,
}

/// How many devices took between `from_ms` and `to_ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// From (included).
    pub from_ms: f64,
    /// To (not included).
    pub to_ms: f64,
    /// Devices.
    pub devices: u64,
}

/// What became of the devices of one strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyRow {
    /// Its name.
    pub name: String,
    /// It with its settings.
    pub label: String,
    /// How many devices have it.
    pub devices: u64,
    /// Whether its devices come home by themselves. Of those that do not, none is missed in `failback`.
    pub fails_back: bool,
    /// Devices that were connected before the first fault.
    pub connected_before_fault: u64,
    /// Devices that failed over.
    pub failed_over: u64,
    /// Devices that failed back.
    pub failed_back: u64,
    /// Devices that never had an acknowledged publish again.
    pub stranded: u64,
    /// From the fault to the secondary.
    pub failover: Waterfall,
    /// From the cure to the primary.
    pub failback: Waterfall,
    /// Per device that failed back, from the moment it left the secondary to its first acknowledged publish in the primary.
    pub failback_outage: Option<Distribution>,
}
