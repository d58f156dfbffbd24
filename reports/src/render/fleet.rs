//! The fleet: how ready it was, and over time who was connected where and what was acknowledged.

use super::chart::{Ink, Kind, Lines, Series};
use super::html::{Column, empty, esc, figure, legend, section, table};
use super::{bands, clock, ink_of, regions};
use crate::record::{EndReason, NotReady};
use crate::summary::{FleetPoint, ReadinessRow, Summary};
use crate::units::{self, number};

/// Would the secondary have let the devices in? Nothing in a run that did not look.
pub(super) fn readiness(summary: &Summary) -> String {
    if summary.readiness.is_empty() {
        return String::new();
    }
    let lead = "Thing, ACTIVE certificate, policies and groups of each device, compared in both Regions.";
    let number = |count: u64, class| match count {
        0 => units::count(0),
        some => format!("<b class=\"{class}\">{}</b>", units::count(some)),
    };
    let row = |row: &ReadinessRow| {
        let drawn =
            row.sample.map_or_else(|| "all".to_owned(), |size| format!("a sample of {}", units::count(size)));
        vec![
            clock(row.at_ms / 1e3),
            format!("{drawn} of {}", units::count(row.fleet)),
            units::count(row.ready),
            number(row.not_ready, "bad"),
            number(row.unknown, "warn"),
        ]
    };
    let columns = [
        Column::Number("at"),
        Column::Text("Devices"),
        Column::Number("ready"),
        Column::Number("not ready"),
        Column::Number("unknown"),
    ];
    let mut body = table(&columns, &summary.readiness.iter().map(row).collect::<Vec<_>>());
    let named: Vec<_> = summary.readiness.iter().flat_map(|row| &row.devices).collect();
    if !named.is_empty() {
        let row =
            |device: &&NotReady| vec![format!("<code>{}</code>", esc(&device.device)), esc(&device.why)];
        let columns = [Column::Text("Device"), Column::Text("why it was not seen to be ready")];
        body.push_str(&table(&columns, &named.iter().map(row).collect::<Vec<_>>()));
    }
    section("readiness", "Ready to fail over?", lead, &body)
}

/// Connections and throughput.
pub(super) fn fleet(summary: &Summary) -> String {
    let lead = if summary.acts.is_empty() {
        "Second by second, by Region. The shaded time is the fault’s."
    } else {
        "Second by second, by Region. The shaded time is the fault’s; a number is something that people did (The run)."
    };
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
        // A device does not notice at once that a Region is dark: until its keep-alive fails it believes what it knew.
        figure(
            "Devices that believe they are connected",
            &regions(summary),
            &lines(summary, "Devices that believe they are connected, by Region over time.", connected),
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

/// When people did something, with its number in the list of what they did, and when the run was told to end.
fn acts(summary: &Summary) -> Vec<(f64, String)> {
    let within = summary.acts.iter().enumerate().filter(|(_, act)| act.at_ms <= summary.duration_ms);
    let acts = within.map(|(number, act)| (act.at_ms / 1e3, (number + 1).to_string()));
    // A person's act is the reason, and has its number.
    let condition = summary.stopping.iter().filter(|row| row.reason == EndReason::StopCondition);
    acts.chain(condition.map(|row| (row.at_ms / 1e3, "stop".to_owned()))).collect()
}

fn lines(summary: &Summary, about: &str, series: Vec<Series>) -> String {
    Lines {
        about: about.to_owned(),
        series,
        bands: bands(summary),
        marks: acts(summary),
        target: None,
        from_s: 0.0,
        to_s: summary.duration_ms / 1e3,
        whole: true,
        x_text: clock,
        y_text: number,
    }
    .html()
}
