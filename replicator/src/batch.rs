//! One batch of stream records: in order within a device, many devices at once.
//!
//! What it guarantees: every record is applied, or named in the answer so that the mapping delivers
//! it again, or has a row in the error table. A record that is to be tried again holds back the
//! later ones of its device and of no other.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde::Serialize;
use serde_json::Value;
use tracing::{info, warn};

use crate::event::Event;
use crate::outcome::{Failure, Outcome};
use crate::policy::Policies;
use crate::ports::{Clock, ErrorRow, Errors, World};
use crate::record::{self, Reading, Record};
use crate::shadow::Applied;
use crate::{registry, shadow};

/// How many devices are worked on at once. Above this the control plane's default quotas, about ten
/// calls a second each, are the limit and not this function.
pub const DEVICES_AT_ONCE_MAX: usize = 16;

/// How old a record must be before a failure that may pass gets a row, and before success looks for
/// a row to clear: younger ones are in their first tries, and the usual event costs no extra call.
pub const RETRY_ROW_AGE_S: u64 = 20;

/// How long before the function's deadline no further record is begun. One record takes the waits
/// for a principal and some calls; what is not begun is delivered again.
pub const DEADLINE_MARGIN_MS: u64 = 10_000;

/// The answer to a mapping with `ReportBatchItemFailures`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Response {
    /// The records to deliver again.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<ItemFailure>,
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
    records: &[Value],
    deadline_ms: u64,
) -> Outcome<Response> {
    let mut devices: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for (index, raw) in records.iter().enumerate() {
        match record::read(raw, world.secondary_region()) {
            Reading::Skip => {}
            Reading::Event(record) => devices.entry(record.device.clone()).or_default().push(record),
            Reading::Nameless => nameless(world, raw, index).await?,
        }
    }
    let failures: Vec<Vec<ItemFailure>> = futures::stream::iter(devices.into_values())
        .map(|records| device(world, policies, records, deadline_ms))
        .buffer_unordered(DEVICES_AT_ONCE_MAX)
        .collect()
        .await;
    let mut failures = failures.concat();
    failures.sort();
    Ok(Response { failures })
}

async fn device<W: World>(
    world: &W,
    policies: &Policies,
    records: Vec<Record>,
    deadline_ms: u64,
) -> Vec<ItemFailure> {
    let mut records = records.into_iter();
    let mut failures = Vec::new();
    for record in records.by_ref() {
        let too_late = world.clock().now_ms().saturating_add(DEADLINE_MARGIN_MS) > deadline_ms;
        if too_late || !settle(world, policies, &record).await {
            failures.push(ItemFailure { sequence: record.sequence });
            break;
        }
    }
    failures.extend(records.map(|record| ItemFailure { sequence: record.sequence }));
    failures
}

/// Applies one record and says whether it is done: applied, superseded or in the error table.
async fn settle<W: World>(world: &W, policies: &Policies, record: &Record) -> bool {
    let (device, event) = (record.device.as_str(), record.event.as_str());
    let age_ms = world.clock().now_ms().saturating_sub(record.created_ms);
    let old = age_ms > RETRY_ROW_AGE_S * 1_000;
    let remarks = match one(world, policies, record).await {
        Ok((applied, remarks)) => {
            info!(device, event, age_ms, applied = ?applied, "applied");
            remarks
        }
        Err(failure) if failure.is_transient() => {
            warn!(device, event, age_ms, step = failure.step, why = failure.why, "to be tried again");
            if old && let Err(failure) = put_row(world, record, &failure).await {
                warn!(device, event, step = failure.step, why = failure.why, "no error row");
            }
            return false;
        }
        Err(failure) => vec![failure],
    };
    let rows = if remarks.is_empty() {
        if old { world.errors().clear(device, event).await } else { Ok(()) }
    } else {
        put_rows(world, record, &remarks).await
    };
    if let Err(failure) = &rows {
        warn!(device, event, step = failure.step, why = failure.why, "the error table is out of reach");
    }
    rows.is_ok()
}

async fn one<W: World>(
    world: &W,
    policies: &Policies,
    record: &Record,
) -> Outcome<(Applied, registry::Remarks)> {
    let row = record.row.as_ref().map_err(|why| Failure::permanent("decode", why))?;
    match Event::read(row).map_err(|why| Failure::permanent("read event", why))? {
        Event::Thing(event) => registry::apply(world, policies, &event).await,
        Event::Shadow(event) => Ok((shadow::apply(world, &event).await?, Vec::new())),
    }
}

/// One row for all remarks of an event: its key is the event's.
async fn put_rows<W: World>(world: &W, record: &Record, remarks: &[Failure]) -> Outcome<()> {
    let join = |part: fn(&Failure) -> &str| remarks.iter().map(part).collect::<Vec<_>>().join("; ");
    let (what, why) = (join(|failure| failure.step), join(|failure| &failure.why));
    warn!(device = record.device, event = record.event, what, why, "not applied in full");
    let (device, event) = (record.device.clone(), record.event.clone());
    let seen_ms = world.clock().now_ms();
    world.errors().record(&ErrorRow { device, event, what, why, seen_ms }).await
}

async fn put_row<W: World>(world: &W, record: &Record, failure: &Failure) -> Outcome<()> {
    put_rows(world, record, std::slice::from_ref(failure)).await
}

async fn nameless<W: World>(world: &W, raw: &Value, index: usize) -> Outcome<()> {
    let event = raw["eventID"].as_str().map_or_else(|| format!("record#{index}"), str::to_owned);
    warn!(event, "a record without keys or sequence number");
    let row = ErrorRow {
        device: "-".to_owned(),
        event,
        what: "read record".to_owned(),
        why: "it has no keys or no sequence number".to_owned(),
        seen_ms: world.clock().now_ms(),
    };
    world.errors().record(&row).await
}

#[cfg(test)]
mod tests;
