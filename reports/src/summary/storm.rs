//! The storm of a failover: the whole fleet asks to be let in at once, and the Region takes so many CONNECTs a second.

use serde::{Deserialize, Serialize};

use crate::record::{Backoff, Quota};

/// How the secondary took the fleet, beside what its CONNECT quota allows at best. Of several breaks, the worst.
///
/// All times count from the moment in which the first device could send its CONNECT. A device is in when its CONNACK came.
/// The bound is a full bucket that is asked without a pause: as many devices as it holds at once, the others at its rate.
/// Nothing can be above it, whatever devices do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// The quota, and where its number is from.
    pub quota: Quota,
    /// What its bucket holds: what the record says, else one second's worth.
    pub burst: f64,
    /// How devices that are refused wait; absent in a record that does not say.
    pub backoff: Option<Backoff>,
    /// When it began, since the run began.
    pub began_ms: f64,
    /// The same since the fault.
    pub after_fault_ms: f64,
    /// The same since the answer named the secondary; absent when that was not seen, or later.
    pub after_answer_ms: Option<f64>,
    /// Devices that were let in.
    pub devices: u64,
    /// Devices that had to come and did not.
    pub missing: u64,
    /// How long until a share of the fleet was in, beside the bound; absent are those that were never reached.
    pub shares: Vec<StormShare>,
    /// The mean over the fleet of how long each device waited to be let in; with missing devices, at the least.
    pub wait_mean_ms: f64,
    /// The same by the bound.
    pub wait_mean_bound_ms: f64,
    /// The one by the other; absent when the whole fleet fits into the bucket.
    pub ratio: Option<f64>,
    /// Devices that were in, by milliseconds; at most 200 points.
    pub connected: Vec<(f64, u64)>,
    /// Attempts of devices in the secondary that failed, by how; most first.
    pub refusals: Vec<Refusal>,
    /// Of these, CONNECTs that were throttled.
    pub throttled: u64,
    /// CONNECTs that were throttled of the device that met with it most often.
    pub throttled_device_max: u64,
}

/// When a share of the fleet was in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StormShare {
    /// Of the fleet.
    pub percent: f64,
    /// So many devices.
    pub devices: u64,
    /// When the last of them was in.
    pub took_ms: f64,
    /// When the bound has them in.
    pub bound_ms: f64,
}

/// How attempts failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For a reader.
    pub how: String,
    /// How often.
    pub attempts: u64,
}
