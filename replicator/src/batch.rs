//! One batch of stream records: in order within a device, many devices at once. A batch is of one stream; the
//! other one's may be applied at the same time, also of the same device ([`crate::tables`]).
//!
//! What it guarantees: every record is applied, or named in the answer so that the mapping delivers
//! it again, or has a row in the error table.
//!
//! A record that is to be tried again holds back the later ones of its device. The others of the batch
//! are applied, but the mapping reads no further in that part of the stream until it is done. So what
//! fails for [`HAND_OVER_S`] is left to its row and to the repair.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::crowd::Crowd;
use crate::metrics::Metrics;
use crate::outcome::Outcome;
use crate::policy::Policies;
use crate::ports::{Clock, World};
use crate::record::{self, Reading, Record};
use crate::settle::{DEADLINE_MARGIN_MS, Settlement, age_ms, note_nameless, settle};

/// How many devices are worked on at once, at the most: enough for shadows. For what is made of devices the
/// control plane's default quotas, about ten calls a second each, are the limit, and the crowd gets smaller.
pub const DEVICES_AT_ONCE_MAX: usize = 16;

/// How long a record has a row in the error table, which the repair applies again each minute, before that has
/// to do. What may pass, passes sooner as a rule; what does not must not hold up a part of the fleet.
pub const HAND_OVER_S: u64 = 600;

/// The answer to a mapping with `ReportBatchItemFailures`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Response {
    /// The records to deliver again.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<ItemFailure>,
    /// What the batch was like.
    #[serde(skip)]
    pub metrics: Metrics,
}

/// A record to deliver again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ItemFailure {
    /// Its sequence number.
    #[serde(rename = "itemIdentifier")]
    pub sequence: String,
}

/// Applies a batch. `deadline_ms` is the wall time at which the function is ended.
///
/// Fails only if a record without a name could not even be written to the error table; then the
/// whole batch is delivered again.
pub async fn apply<W: World>(
    world: &W,
    policies: &Policies,
    crowd: &Crowd,
    records: &[Value],
    deadline_ms: u64,
) -> Outcome<Response> {
    let mut response = Response::default();
    let mut devices: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for (index, raw) in records.iter().enumerate() {
        match record::read(raw, world.secondary_region()) {
            Reading::Skip => response.metrics.skipped += 1,
            Reading::Heartbeat(stream) => response.metrics.beat(stream),
            Reading::Event(record) => devices.entry(record.device.clone()).or_default().push(record),
            Reading::Nameless => {
                note_nameless(world.errors(), world.clock().now_ms(), raw, index).await?;
                response.metrics.error_rows += 1;
            }
        }
    }
    let devices = devices.into_values().map(|records| device(world, policies, records, deadline_ms));
    for device in crowd.work(world.clock(), devices, |device| device.failures.is_empty()).await {
        response.failures.extend(device.failures);
        response.metrics.add(device.metrics);
    }
    response.failures.sort();
    Ok(response)
}

async fn device<W: World>(
    world: &W,
    policies: &Policies,
    records: Vec<Record>,
    deadline_ms: u64,
) -> Response {
    let mut records = records.into_iter();
    let mut response = Response::default();
    for record in records.by_ref() {
        let too_late = world.clock().now_ms().saturating_add(DEADLINE_MARGIN_MS) > deadline_ms;
        let done = !too_late
            && match settle(world, policies, &record).await {
                Settlement::Done => true,
                Settlement::Noted => {
                    response.metrics.error_rows += 1;
                    true
                }
                Settlement::Again { noted_ms, .. } => {
                    let failing_ms =
                        noted_ms.map_or(0, |noted_ms| world.clock().now_ms().saturating_sub(noted_ms));
                    let is_left = failing_ms > HAND_OVER_S * 1_000;
                    response.metrics.error_rows += usize::from(is_left);
                    is_left
                }
            };
        if !done {
            response.failures.push(ItemFailure { sequence: record.sequence });
            break;
        }
        response.metrics.settled(age_ms(world, &record));
    }
    response.failures.extend(records.map(|record| ItemFailure { sequence: record.sequence }));
    response.metrics.again = response.failures.len();
    response
}

#[cfg(test)]
pub(crate) mod tests;
