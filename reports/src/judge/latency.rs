//! Latencies: from the histogram logs, and where there is none, from the events and the ledger.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::record::{Event, HistogramSeries, Interval, Record, new_histogram};
use crate::summary::{Latency, LatencyPoint};

use super::spread::{histogram_at, histogram_distribution, ms};

const POINTS_MAX: usize = 240;
const SECOND_US: u64 = 1_000_000;

/// A latency and the histogram that objectives are judged by.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) merged: Histogram<u64>,
    pub(crate) latency: Latency,
}

/// Every latency that has a value, by metric.
pub(crate) fn latencies(record: &Record) -> BTreeMap<String, Measured> {
    let mut latencies = BTreeMap::new();
    for (metric, series) in &record.histograms {
        if let Some(measured) = measured(series, "histogram log") {
            latencies.insert(metric.clone(), measured);
        }
    }
    for (metric, values, source) in [
        ("replication.registry", registry_lags(record), "events"),
        ("replication.shadow", shadow_lags(record), "ledger"),
    ] {
        if !record.histograms.contains_key(metric)
            && let Some(measured) = measured(&series(values), source)
        {
            latencies.insert(metric.to_owned(), measured);
        }
    }
    latencies
}

/// When a device was seen to be connectable in the secondary, and how long that took.
fn registry_lags(record: &Record) -> Vec<(u64, u64)> {
    let lag = |at_us: u64, event: &Event| match event {
        Event::Connectable { provisioned_us, .. } => Some((at_us, at_us.saturating_sub(*provisioned_us))),
        _ => None,
    };
    record.events.iter().filter_map(|entry| lag(entry.at_us, &entry.event)).collect()
}

/// When a write of the primary was seen in the secondary, and how long after its acknowledgement.
fn shadow_lags(record: &Record) -> Vec<(u64, u64)> {
    let primary = record.ledger.iter().filter(|write| write.region.as_ref() == Some(&record.info.primary));
    primary
        .filter_map(|write| Some((write.visible_us?, write.visible_us?.saturating_sub(write.acked_us?))))
        .collect()
}

/// Single values as a log of one-second intervals.
fn series(mut values: Vec<(u64, u64)>) -> HistogramSeries {
    values.sort_unstable();
    let mut series = HistogramSeries::default();
    for (at_us, value_us) in values {
        let start_us = at_us / SECOND_US * SECOND_US;
        if series.intervals.last().is_none_or(|last| last.start_us != start_us) {
            let Ok(histogram) = new_histogram() else { continue };
            series.intervals.push(Interval { start_us, duration_us: SECOND_US, histogram });
        }
        if let Some(last) = series.intervals.last_mut() {
            last.histogram.saturating_record(value_us);
        }
    }
    series
}

fn measured(series: &HistogramSeries, source: &str) -> Option<Measured> {
    let merged = series.merged()?;
    let group = series.intervals.len().div_ceil(POINTS_MAX).max(1);
    let over_time = series.intervals.chunks(group).filter_map(point).collect();
    let latency = Latency { source: source.to_owned(), total: histogram_distribution(&merged), over_time };
    Some(Measured { merged, latency })
}

fn point(chunk: &[Interval]) -> Option<LatencyPoint> {
    let merged = crate::record::merge(chunk.iter().map(|interval| &interval.histogram))?;
    let (first, last) = (chunk.first()?, chunk.last()?);
    Some(LatencyPoint {
        at_ms: ms(first.start_us),
        duration_ms: ms((last.start_us + last.duration_us).saturating_sub(first.start_us)),
        samples: merged.len(),
        p50_ms: ms(histogram_at(&merged, 0.5)),
        p99_ms: ms(histogram_at(&merged, 0.99)),
    })
}
