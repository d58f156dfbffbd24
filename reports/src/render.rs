//! The report: one HTML file that needs nothing else, for a phone, a desk and paper, in light and dark.
//!
//! The verdict comes first: did we make it, how long were devices away, what was lost. Everything below is evidence.
//! The same record gives the same bytes: no time of generation, ordered maps. Text from a record is always escaped.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a report is built once; one plain way to build text matters more than an allocation"
)]

mod chart;
mod fleet;
mod head;
mod html;
mod journey;
mod latency;
mod prediction;
mod preflight;
mod quotas;
mod storm;
mod stragglers;
mod strategies;
mod trust;
mod words;
mod writes;

use chart::{Band, Ink};
use html::esc;

use crate::record::Record;
use crate::summary::Summary;
use crate::units;

pub use prediction::{Curve, chart_page};

/// The style of the report, for pages that look like it.
pub const STYLE: &str = include_str!("render/report.css");

/// The report of a record as one HTML file.
pub fn render(record: &Record, summary: &Summary) -> String {
    let sections = [
        head::head(summary),
        head::objectives(summary),
        fleet::readiness(summary),
        journey::failover(summary),
        storm::storm(summary),
        quotas::quotas(record.quotas.as_ref()),
        stragglers::stragglers(summary),
        journey::failback(summary),
        strategies::strategies(summary),
        latency::replication(summary),
        writes::writes(summary),
        fleet::fleet(summary),
        latency::acks(summary),
        preflight::preflight(summary),
        trust::run(summary),
        trust::undo(summary),
        trust::api(summary),
        trust::harness(summary),
        words::method(record, summary),
        words::glossary(),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · {} · gameday</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        esc(head::verdict_title(summary)),
        esc(&summary.run.title),
        sections.concat(),
    )
}

/// When faults were in place, for shading: overlapping faults are one band.
fn bands(summary: &Summary) -> Vec<Band> {
    let end = summary.duration_ms;
    let mut spans: Vec<(f64, f64)> =
        summary.faults.iter().map(|fault| (fault.applied_ms, fault.cured_ms.unwrap_or(end))).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut bands: Vec<Band> = Vec::new();
    for (from, to) in spans {
        match bands.last_mut() {
            Some(last) if from / 1e3 <= last.to => last.to = last.to.max(to / 1e3),
            _ => bands.push(Band { from: from / 1e3, to: to / 1e3, label: "fault in place".to_owned() }),
        }
    }
    bands
}

/// Seconds on an axis that counts from the run's beginning.
fn clock(seconds: f64) -> String {
    units::clock(seconds)
}

/// Seconds on an axis that counts from a fault or a cure.
fn seconds(seconds: f64) -> String {
    units::duration(seconds * 1e6)
}

/// Each Region has one colour all over the report.
fn ink_of(summary: &Summary, region: &str) -> Ink {
    if region == summary.run.primary {
        Ink::Primary
    } else if region == summary.run.secondary {
        Ink::Secondary
    } else {
        Ink::Muted
    }
}

/// The legend of the two Regions.
fn regions(summary: &Summary) -> String {
    html::legend(&[("primary", &summary.run.primary), ("secondary", &summary.run.secondary)])
}

#[cfg(test)]
mod tests;
