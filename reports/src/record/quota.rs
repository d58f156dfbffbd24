//! What limits the fleet from outside, and what the fleet does about it.

use serde::{Deserialize, Serialize};

/// A quota of a Region, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// The Region.
    pub region: String,
    /// Service Quotas' code of the service, for example `iotcore`.
    pub service: String,
    /// AWS's code of the quota, for example [`Quota::CONNECTS`].
    pub code: String,
    /// Its name.
    pub name: String,
    /// What applies: for a rate, per second.
    pub value: f64,
    /// What its bucket holds, where that is known. AWS publishes none for CONNECT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<f64>,
    /// Where the number is from, for a reader.
    pub source: String,
}

impl Quota {
    /// Connect requests per second of the account.
    pub const CONNECTS: &'static str = "L-AEA1E176";
}

/// How long a device waits after an attempt that failed: a time drawn between the least and a limit that doubles with each
/// failure in a row, up to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The least.
    pub min_ms: u64,
    /// Where the limit stops to grow.
    pub max_ms: u64,
}
