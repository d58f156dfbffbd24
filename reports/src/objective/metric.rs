//! What a scenario can set an objective for: one table, for parsing, for errors and for the documentation.

use serde::{Deserialize, Serialize};

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time. Measured in microseconds.
    Duration,
    /// A number of things.
    Count,
    /// A share, in percent.
    Share,
    /// A number of devices; a share of the fleet when the target is a percentage.
    Devices,
}

impl Unit {
    /// What a target of this unit looks like.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Duration => "a duration such as 250ms, 90s or 5m",
            Self::Count => "a plain number such as 0",
            Self::Share => "a percentage such as 5%",
            Self::Devices => "a number such as 500 or a percentage of the fleet such as 99.9%",
        }
    }
}

/// Whether a metric is one number or one number a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One number a run.
    Scalar,
    /// One number a sample; an objective needs a statistic.
    Distribution,
}

/// Which number of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The median.
    P50,
    /// 90 of 100 samples are at or below it.
    P90,
    /// 95 of 100.
    P95,
    /// 99 of 100.
    P99,
    /// 999 of 1000.
    P999,
    /// The largest sample.
    Max,
}

impl Statistic {
    /// Every statistic.
    pub const ALL: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::P999, Self::Max];

    /// Its name, as in an objective.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
        }
    }

    /// The share of samples at or below it.
    pub const fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
            Self::Max => 1.0,
        }
    }
}

/// A metric: what it is called, what it is measured in, what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as in an objective.
    pub name: &'static str,
    /// One number, or one a sample.
    pub shape: Shape,
    /// Its unit.
    pub unit: Unit,
    /// What it means, for a reader.
    pub meaning: &'static str,
}

impl Metric {
    /// The metric of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.name == name)
    }
}

const fn spread(name: &'static str, meaning: &'static str) -> Metric {
    Metric { name, shape: Shape::Distribution, unit: Unit::Duration, meaning }
}

const fn scalar(name: &'static str, unit: Unit, meaning: &'static str) -> Metric {
    Metric { name, shape: Shape::Scalar, unit, meaning }
}

/// Every metric.
pub const METRICS: &[Metric] = &[
    spread(
        "failover.outage",
        "Per device: from the fault to the first acknowledged publish in the secondary Region. A device that left the primary and did not fail over counts as longer than the fault lasted.",
    ),
    scalar(
        "failover.detection",
        Unit::Duration,
        "From the fault to the health check calling the primary unhealthy. The longest, if there were several breaks.",
    ),
    scalar(
        "failover.answer",
        Unit::Duration,
        "From the fault to the authoritative DNS answer naming the secondary. The longest, if there were several breaks.",
    ),
    scalar(
        "failover.storm.ratio",
        Unit::Count,
        "How long a device waited in the mean to be let in by the secondary, from the first CONNECT of a failover to its own CONNACK, as a multiple of what the secondary's CONNECT quota makes it at the least: 1 is the bound, 1.1 is 10% more. The worst, if there were several breaks.",
    ),
    scalar(
        "failover.storm.time",
        Unit::Duration,
        "From the first CONNECT of a failover in the secondary to the CONNACK of the last device.",
    ),
    spread(
        "failback.time",
        "Per device: from the cure to the first acknowledged publish in the primary Region. A device that stayed in the secondary counts as longer than the record lasts, unless its strategy is to stay.",
    ),
    spread(
        "failback.outage",
        "Per device that failed back: from the moment it left the secondary to its first acknowledged publish in the primary Region.",
    ),
    spread(
        "replication.shadow",
        "From the primary's acknowledgement of a shadow write to the moment it is visible in the secondary.",
    ),
    spread(
        "replication.registry",
        "From the last call of a device's provisioning to the moment it can connect in the secondary: thing, ACTIVE certificate, policy, attachments.",
    ),
    spread("publish.ack", "From the intended time of a telemetry publish to its acknowledgement."),
    spread("shadow.ack", "From the intended time of a shadow write to its acknowledgement."),
    scalar(
        "writes.lost",
        Unit::Count,
        "Shadow writes that were acknowledged, while neither they nor a later write of the device was ever seen in the secondary.",
    ),
    scalar(
        "writes.stale",
        Unit::Count,
        "Shadow writes that were acknowledged and never seen in the secondary, while a later write of the device was.",
    ),
    scalar("writes.unknown", Unit::Count, "Shadow writes that were sent and neither acknowledged nor seen."),
    scalar("writes.rejected", Unit::Count, "Shadow writes that the Region refused."),
    scalar("writes.unsent", Unit::Count, "Shadow writes that were due while the device had no connection."),
    scalar("writes.visible", Unit::Count, "Shadow writes that were seen in the secondary."),
    scalar(
        "devices.connectable",
        Unit::Devices,
        "Devices that were seen to be connectable in the secondary.",
    ),
    scalar(
        "devices.not_ready",
        Unit::Devices,
        "Devices that the secondary would not have let in when they were looked at: thing, ACTIVE certificate, policies or groups were not as in the primary. Of several looks the worst; a percentage is of the devices that were looked at.",
    ),
    scalar("devices.failed_over", Unit::Devices, "Devices that failed over."),
    scalar(
        "devices.failed_back",
        Unit::Devices,
        "Devices that failed back, of those whose strategy brings them home by itself. A device that is to stay in the secondary is not counted, and a percentage is of the others.",
    ),
    scalar(
        "devices.stranded",
        Unit::Devices,
        "Devices that were connected before the fault and never had an acknowledged publish again.",
    ),
    scalar(
        "rpo.seconds",
        Unit::Duration,
        "Age, at the fault, of the oldest write that the primary had acknowledged and the secondary did not get before the cure.",
    ),
    scalar(
        "rpo.writes",
        Unit::Count,
        "Writes that the primary had acknowledged before the fault and the secondary did not get before the cure.",
    ),
    scalar("rpo.devices", Unit::Devices, "Devices with such a write."),
    scalar("api.throttled", Unit::Count, "AWS API attempts that were throttled."),
    scalar(
        "connects.throttled",
        Unit::Count,
        "CONNECTs of devices that the secondary throttled while a fault was in place.",
    ),
    scalar("sends.unsent", Unit::Count, "Sends of any kind that were intended and could not be made."),
];
