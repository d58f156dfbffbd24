//! The fleet over time: who was connected where, and what was acknowledged.

use super::chart::{Ink, Kind, Lines, Series};
use super::html::{empty, figure, legend, section};
use super::{bands, clock, ink_of, regions};
use crate::summary::{FleetPoint, Summary};
use crate::units::number;

/// Connections and throughput.
pub(super) fn fleet(summary: &Summary) -> String {
    let lead = "Second by second, by Region. The shaded time is the fault’s.";
    if summary.fleet.is_empty() {
        return section("fleet", "The fleet over time", lead, &empty("The record has no samples."));
    }
    let connected = by_region(summary, |point, region| point.connected.get(region).copied().map(f64::from));
    let acked = by_region(summary, |point, region| point.acked_per_s.get(region).copied());
    let trouble = |value: fn(&FleetPoint) -> f64, ink, kind| {
        let points = summary.fleet.iter().map(|point| (point.at_ms / 1e3, value(point))).collect();
        Series { points, ink, kind }
    };
    let trouble = vec![
        trouble(|point| point.unsent_per_s, Ink::Bad, Kind::Area),
        trouble(|point| point.connects_failed_per_s, Ink::Muted, Kind::Line),
    ];
    let charts = [
        figure(
            "Devices connected",
            &regions(summary),
            &lines(summary, "Devices connected by Region over time.", connected),
        ),
        figure(
            "Acknowledged a second",
            &regions(summary),
            &lines(summary, "Publishes and shadow writes acknowledged a second, by Region over time.", acked),
        ),
        figure(
            "What could not be done, a second",
            &legend(&[("bad", "sends not made"), ("muted", "connects failed")]),
            &lines(
                summary,
                "Sends that could not be made and connects that failed, a second over time.",
                trouble,
            ),
        ),
    ];
    section("fleet", "The fleet over time", lead, &charts.concat())
}

fn by_region(summary: &Summary, value: impl Fn(&FleetPoint, &str) -> Option<f64>) -> Vec<Series> {
    let series = |region: &String| Series {
        points: summary
            .fleet
            .iter()
            .map(|point| (point.at_ms / 1e3, value(point, region).unwrap_or(0.0)))
            .collect(),
        ink: ink_of(summary, region),
        kind: Kind::Area,
    };
    [&summary.run.primary, &summary.run.secondary].map(series).into()
}

fn lines(summary: &Summary, about: &str, series: Vec<Series>) -> String {
    Lines {
        about: about.to_owned(),
        series,
        bands: bands(summary),
        marks: Vec::new(),
        target: None,
        from_s: 0.0,
        to_s: summary.duration_ms / 1e3,
        whole: true,
        x_text: clock,
        y_text: number,
    }
    .html()
}
