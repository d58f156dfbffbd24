//! Devices that were late at a failover, and what held each of them up.

use serde::{Deserialize, Serialize};

/// The stragglers of a failover.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stragglers {
    /// How many there are: devices that did not come, and those that took half as long again as the median device of their
    /// strategy, or longer.
    pub devices: u64,
    /// A row a cause, most devices first; they add up to all of them.
    pub causes: Vec<CauseRow>,
    /// The first 20, slowest first; those that did not come before all others.
    pub slowest: Vec<Straggler>,
}

/// How many devices a cause held up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseRow {
    /// The cause.
    pub cause: Cause,
    /// It for a reader.
    pub label: String,
    /// Devices.
    pub devices: u64,
}

/// A device that was late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Straggler {
    /// The device.
    pub device: String,
    /// The name of its strategy; empty for a record of old.
    pub strategy: String,
    /// How long it took from the fault; absent when it did not come.
    pub took_ms: Option<f64>,
    /// What held it up.
    pub cause: Cause,
    /// The evidence, in one sentence.
    pub evidence: String,
}

/// What held a device up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its resolver gave it the old answer longer than others got it.
    StaleDns,
    /// Its connection was dead and it did not know.
    HalfOpenSocket,
    /// The secondary took no CONNECT of it then.
    ThrottledConnect,
    /// The secondary does not know its certificate, or it is not active there.
    CertificateMissing,
    /// The secondary knows it and does not let it do what it has to.
    PolicyMissing,
    /// It waited, or tried what was lost, by its own decision.
    ClientBackOff,
    /// The record does not say.
    Unknown,
}

impl Cause {
    /// For a reader.
    pub const fn label(self) -> &'static str {
        match self {
            Self::StaleDns => "Stale DNS answer",
            Self::HalfOpenSocket => "Half-open connection",
            Self::ThrottledConnect => "CONNECT throttled",
            Self::CertificateMissing => "Certificate missing in the secondary",
            Self::PolicyMissing => "Policy missing in the secondary",
            Self::ClientBackOff => "Client back-off",
            Self::Unknown => "Unknown",
        }
    }
}
