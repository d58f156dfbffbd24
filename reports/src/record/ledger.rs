//! The ledger of shadow writes: the RPO is counted here, write by write.

use serde::{Deserialize, Serialize};

/// One shadow write of one device, as far as it came. One line of `ledger.ndjson`.
///
/// A write is *acknowledged* when the device received `update/accepted`; it is *visible* when the secondary's shadow
/// document was seen to carry its sequence number. Sequence numbers of a device rise by one from 1, over all Regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The device.
    pub device: String,
    /// Its number among the device's writes.
    pub seq: u64,
    /// The Region that it was sent to. `None`: the device had no connection and it was never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// When the schedule meant it to be sent.
    pub intended_us: u64,
    /// When it was handed to the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_us: Option<u64>,
    /// When the Region acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_us: Option<u64>,
    /// When it was first seen in the secondary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_us: Option<u64>,
    /// The code of a refusal (`update/rejected`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u16>,
    /// Nobody looked for it in the secondary: of this device nothing is observed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unobserved: bool,
}

/// What became of a write, judged at the end of the run when everything had its time to converge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteFate {
    /// Acknowledged and seen in the secondary.
    Visible,
    /// Acknowledged, never seen itself, but a later write of the device was: superseded, nothing is missing.
    Stale,
    /// Acknowledged, and neither it nor a later write of the device was ever seen in the secondary.
    Lost,
    /// Sent and neither acknowledged nor seen: it may or may not have happened.
    Unknown,
    /// Refused by the Region: it certainly did not happen.
    Rejected,
    /// Never sent: the device had no connection when it was due.
    Unsent,
    /// Acknowledged by the primary, and nobody looked for it: not counted as anything else.
    Unobserved,
}
