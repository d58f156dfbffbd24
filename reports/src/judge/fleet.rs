//! The fleet over time, how ready it was, and the API calls.

use std::collections::BTreeMap;

use crate::record::{Event, Record, Sample};
use crate::summary::{ApiRow, FleetPoint, ReadinessRow};

use super::spread::ms;

/// More points than a chart has room for would only make the summary large.
const POINTS_MAX: usize = 600;

/// Devices that were not ready, by name.
const NOT_READY_LISTED: usize = 20;

/// How the devices stood, each time that they were looked at.
pub(crate) fn readiness(record: &Record) -> Vec<ReadinessRow> {
    let looks = record.events.iter().filter_map(|entry| match &entry.event {
        Event::Readiness(look) => Some((entry.at_us, look)),
        _ => None,
    });
    looks
        .map(|(at_us, look)| ReadinessRow {
            at_ms: ms(at_us),
            fleet: look.fleet,
            sample: look.sample,
            ready: look.ready,
            not_ready: look.not_ready,
            unknown: look.unknown,
            devices: look.devices.iter().take(NOT_READY_LISTED).cloned().collect(),
        })
        .collect()
}

/// The samples, summed up to at most [`POINTS_MAX`] points.
pub(crate) fn fleet(record: &Record) -> Vec<FleetPoint> {
    let samples: Vec<(u64, &Sample)> = record
        .events
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Sample(sample) => Some((entry.at_us, sample)),
            _ => None,
        })
        .collect();
    let group = samples.len().div_ceil(POINTS_MAX).max(1);
    let mut before_us = samples.first().map_or(0, |(at_us, _)| at_us.saturating_sub(1_000_000));
    let mut points = Vec::new();
    for chunk in samples.chunks(group) {
        if let Some((at_us, last)) = chunk.last() {
            points.push(point(chunk, *at_us, at_us.saturating_sub(before_us), last));
            before_us = *at_us;
        }
    }
    points
}

fn point(chunk: &[(u64, &Sample)], at_us: u64, lasted_us: u64, last: &Sample) -> FleetPoint {
    let seconds = (lasted_us as f64 / 1e6).max(1e-3);
    let rate = |count: u64| (count as f64 / seconds * 10.0).round() / 10.0;
    let mut acked: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut unsent, mut connects_failed) = (0, 0);
    for (_, sample) in chunk {
        for (region, count) in sample.telemetry_acked.iter().chain(&sample.shadow_acked) {
            *acked.entry(region).or_default() += u64::from(*count);
        }
        unsent += u64::from(sample.unsent);
        connects_failed += u64::from(sample.connects_failed);
    }
    FleetPoint {
        at_ms: ms(at_us),
        connected: last.connected.clone(),
        acked_per_s: acked.into_iter().map(|(region, count)| (region.to_owned(), rate(count))).collect(),
        unsent_per_s: rate(unsent),
        connects_failed_per_s: rate(connects_failed),
    }
}

/// The API calls, one row an operation and Region; `None` when the record does not say.
pub(crate) fn api(record: &Record) -> Option<Vec<ApiRow>> {
    let mut rows: BTreeMap<[&str; 4], ApiRow> = BTreeMap::new();
    let mut said = false;
    for entry in &record.events {
        let Event::Api(calls) = &entry.event else { continue };
        said = true;
        let key = [&*calls.caller, &*calls.region, &*calls.service, &*calls.operation];
        let row = rows.entry(key).or_insert_with(|| ApiRow {
            caller: calls.caller.clone(),
            region: calls.region.clone(),
            service: calls.service.clone(),
            operation: calls.operation.clone(),
            ok: 0,
            throttled: 0,
            failed: 0,
        });
        row.ok += calls.ok;
        row.throttled += calls.throttled;
        row.failed += calls.failed;
    }
    let mut rows: Vec<ApiRow> = rows.into_values().collect();
    // The sort is stable, so that equal rows stay in the order of their names.
    rows.sort_by_key(|row| std::cmp::Reverse(row.ok + row.throttled + row.failed));
    said.then_some(rows)
}
