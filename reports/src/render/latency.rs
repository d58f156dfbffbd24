//! Latencies: replication lag, and how long acknowledgements took.

use super::chart::{Ink, Kind, Lines, Series};
use super::html::{empty, figure, legend, section};
use super::journey::{numbers, spreads};
use super::{bands, clock, seconds};
use crate::summary::{Latency, LatencyPoint, Summary};

/// Shorter than this, nothing measured is a quiet moment and not a gap.
const GAP_MIN_MS: f64 = 5_000.0;

/// How far the secondary was behind.
pub(super) fn replication(summary: &Summary) -> String {
    let named = [
        ("replication.shadow", "Shadow documents", Ink::Secondary),
        ("replication.registry", "Registry: a new device can connect", Ink::Secondary),
    ];
    let lead = "From the primary’s acknowledgement to the moment it is there in the secondary.";
    section("replication", "Replication lag", lead, &body(summary, &named))
}

/// How long the load's own acknowledgements took.
pub(super) fn acks(summary: &Summary) -> String {
    let named =
        [("publish.ack", "Telemetry publishes", Ink::Primary), ("shadow.ack", "Shadow writes", Ink::Primary)];
    if named.iter().all(|(metric, ..)| !summary.latencies.contains_key(*metric)) {
        return String::new();
    }
    let lead =
        "From the intended time of a send to its acknowledgement, so that waiting to be sent counts too.";
    section("acknowledgements", "Acknowledgements", lead, &body(summary, &named))
}

fn body(summary: &Summary, named: &[(&str, &str, Ink)]) -> String {
    let measured: Vec<_> = named
        .iter()
        .filter_map(|(metric, name, ink)| Some((*name, *ink, summary.latencies.get(*metric)?)))
        .collect();
    if measured.is_empty() {
        return empty("There are no samples.");
    }
    let rows: Vec<_> = measured.iter().map(|(name, _, latency)| numbers(name, &latency.total)).collect();
    let charts = measured.iter().map(|(name, ink, latency)| over_time(summary, name, *ink, latency));
    spreads(&rows) + &charts.collect::<String>()
}

fn over_time(summary: &Summary, name: &str, ink: Ink, latency: &Latency) -> String {
    let mut series = lines(latency, ink, Kind::Faint, |point| point.p99_ms);
    series.extend(lines(latency, ink, Kind::Line, |point| point.p50_ms));
    let lines = Lines {
        about: format!("{name} over time: 99th percentile and median of each interval."),
        series,
        bands: bands(summary),
        marks: Vec::new(),
        target: None,
        from_s: 0.0,
        to_s: summary.duration_ms / 1e3,
        whole: false,
        x_text: clock,
        y_text: seconds,
    };
    let class = ink.name();
    let keys = legend(&[(class, "p50"), (&format!("{class} soft"), "p99")]);
    figure(&format!("{name}, over time"), &keys, &lines.html())
}

/// One line for each stretch without a gap: where nothing was measured, nothing is drawn.
fn lines(latency: &Latency, ink: Ink, kind: Kind, value: fn(&LatencyPoint) -> f64) -> Vec<Series> {
    let mut stretches: Vec<Series> = Vec::new();
    let mut end_ms = f64::NEG_INFINITY;
    for point in &latency.over_time {
        let gap_ms = (point.duration_ms * 3.0).max(GAP_MIN_MS);
        if point.at_ms - end_ms > gap_ms {
            // From its beginning, so that a lone interval is a line too.
            stretches.push(Series { points: vec![(point.at_ms / 1e3, value(point) / 1e3)], ink, kind });
        }
        end_ms = point.at_ms + point.duration_ms;
        if let Some(last) = stretches.last_mut() {
            last.points.push((f64::midpoint(point.at_ms, end_ms) / 1e3, value(point) / 1e3));
        }
    }
    stretches
}
