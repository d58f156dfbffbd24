//! The strategies of a mixed fleet beside each other: who was there first, who came home, and where the time went.

use super::chart::{Cascade, Ink, Kind, Lines, Series};
use super::html::{Column, empty, esc, figure, legend, section, table, together};
use super::seconds;
use crate::summary::{StrategyRow, Summary, Waterfall};
use crate::units::{count, duration_ms, plural};

/// One strategy and its colour.
struct Lane<'a> {
    row: &'a StrategyRow,
    ink: Ink,
}

/// One direction of all of them.
struct Way {
    of: fn(&StrategyRow) -> &Waterfall,
    origin: &'static str,
    title: &'static str,
}

const OVER: Way =
    Way { of: |row| &row.failover, origin: "fault", title: "Failed over, by the time since the fault" };
const BACK: Way =
    Way { of: |row| &row.failback, origin: "cure", title: "Failed back, by the time since the cure" };

/// Nothing in a fleet of one strategy: the sections above are about it.
pub(super) fn strategies(summary: &Summary) -> String {
    if summary.strategies.len() < 2 {
        return String::new();
    }
    let inks = Ink::STRATEGIES.into_iter().cycle();
    let lanes: Vec<Lane<'_>> =
        summary.strategies.iter().zip(inks).map(|(row, ink)| Lane { row, ink }).collect();
    let way = |way: &Way, rows: String| curves(summary, &lanes, way) + &rows + &cascades(&lanes, way);
    let body = if lanes.iter().any(|lane| OVER.is_seen(lane)) {
        way(&OVER, failovers(&lanes)) + &way(&BACK, failbacks(&lanes))
    } else {
        empty("No device failed over.")
    };
    section("strategies", "Strategies compared", &lead(summary, &lanes), &body)
}

impl Way {
    /// Whether a device of this strategy went this way.
    fn is_seen(&self, lane: &Lane<'_>) -> bool {
        (self.of)(lane.row).total.is_some()
    }
}

fn lead(summary: &Summary, lanes: &[Lane<'_>]) -> String {
    let mut half: Vec<(f64, &StrategyRow)> =
        lanes.iter().filter_map(|lane| Some((lane.row.failover.total.as_ref()?.p50_ms, lane.row))).collect();
    half.sort_by(|a, b| a.0.total_cmp(&b.0));
    let name = |row: &StrategyRow| format!("<b>{}</b>", esc(&row.name));
    let mut text =
        "The same fault at the same time, and devices that look for their Region in different ways."
            .to_owned();
    if let [(first_ms, first), .., (last_ms, last)] = half.as_slice() {
        text.push_str(&format!(
            " Half of the {} devices were in <b class=\"secondary\">{}</b> after {}, half of the {} devices after {}.",
            name(first),
            esc(&summary.run.secondary),
            together(*first_ms),
            name(last),
            together(*last_ms),
        ));
    }
    let stays = |row: &&StrategyRow| !row.fails_back && row.failed_over > 0;
    for row in lanes.iter().map(|lane| lane.row).filter(stays) {
        let they = if row.devices == 1 { "stays" } else { "stay" };
        text.push_str(&format!(
            " {} of {} {they} there until somebody moves them: that is their strategy, and nobody counts them as missing.",
            plural(row.devices, "device"),
            name(row),
        ));
    }
    text
}

/// Which part of a strategy's devices was there by when. Nothing where none of any came.
fn curves(summary: &Summary, lanes: &[Lane<'_>], way: &Way) -> String {
    let lanes: Vec<&Lane<'_>> = lanes.iter().filter(|lane| way.is_seen(lane)).collect();
    if lanes.is_empty() {
        return String::new();
    }
    let last = |lane: &&Lane<'_>| (way.of)(lane.row).returned.last().map_or(1.0, |point| point.0 / 1e3);
    let to_s = lanes.iter().map(last).fold(1.0, f64::max) * 1.06;
    let series = lanes.iter().map(|lane| {
        let waterfall = (way.of)(lane.row);
        let all = (waterfall.devices + waterfall.missing).max(1) as f64;
        let share = |devices: u64| devices as f64 / all * 100.0;
        let mut points = vec![(0.0, 0.0)];
        points.extend(waterfall.total.as_ref().map(|total| (total.min_ms / 1e3, 0.0)));
        points.extend(waterfall.returned.iter().map(|(ms, devices)| (ms / 1e3, share(*devices))));
        points.push((to_s, share(waterfall.devices)));
        Series { points, ink: lane.ink, kind: Kind::Line }
    });
    let answer_ms =
        if way.origin == "fault" { summary.failover.answer_ms } else { summary.failback.answer_ms };
    let said = lanes.iter().filter_map(|lane| {
        let total = (way.of)(lane.row).total.as_ref()?;
        Some(format!(
            "{} half after {}, all after {}",
            lane.row.name,
            duration_ms(total.p50_ms),
            duration_ms(total.max_ms)
        ))
    });
    let lines = Lines {
        about: format!(
            "{}, in percent of the devices of each strategy: {}.",
            way.title,
            said.collect::<Vec<_>>().join("; ")
        ),
        series: series.collect(),
        bands: Vec::new(),
        marks: answer_ms.map(|ms| (ms / 1e3, "DNS answer".to_owned())).into_iter().collect(),
        target: None,
        from_s: 0.0,
        to_s,
        whole: true,
        x_text: seconds,
        y_text: |percent| format!("{percent:.0}%"),
    };
    let keys: Vec<(&str, &str)> =
        lanes.iter().map(|lane| (lane.ink.name(), lane.row.name.as_str())).collect();
    figure(way.title, &legend(&keys), &lines.html())
}

/// A strategy as the first cell of a row.
fn named(lane: &Lane<'_>) -> String {
    let settings = lane.row.label.split_once(", ").map_or("", |(_, settings)| settings);
    format!(
        "<span class=\"key {}\"><b>{}</b></span><br><small>{}</small>",
        lane.ink.name(),
        esc(&lane.row.name),
        esc(settings)
    )
}

/// The 99th percentile, over those that did not come too.
fn p99(waterfall: &Waterfall) -> String {
    let more = if waterfall.p99_is_at_least { "&gt; " } else { "" };
    waterfall.p99_ms.map_or("–".to_owned(), |ms| format!("{more}{}", duration_ms(ms)))
}

fn longest(waterfall: &Waterfall) -> String {
    let stage = waterfall.stages.iter().find(|stage| waterfall.set_by.as_ref() == Some(&stage.stage));
    stage.map_or("–".to_owned(), |stage| esc(&stage.label))
}

/// So many of so many, loud when some are missing.
fn came(came: u64, of: u64, missing: u64) -> String {
    let text = format!("{} of {}", count(came), count(of));
    if missing > 0 { format!("<b class=\"bad\">{text}</b>") } else { text }
}

fn failovers(lanes: &[Lane<'_>]) -> String {
    let row = |lane: &Lane<'_>| {
        let (row, waterfall) = (lane.row, &lane.row.failover);
        let of = |pick: fn(&crate::summary::Distribution) -> f64| {
            waterfall.total.as_ref().map_or("–".to_owned(), |total| duration_ms(pick(total)))
        };
        vec![
            named(lane),
            came(row.failed_over, row.devices, waterfall.missing),
            of(|total| total.p50_ms),
            p99(waterfall),
            of(|total| total.max_ms),
            longest(waterfall),
        ]
    };
    let columns = [
        Column::Text("Failover"),
        Column::Number("devices"),
        Column::Number("p50"),
        Column::Number("p99"),
        Column::Extra("max"),
        Column::Text("set by"),
    ];
    table(&columns, &lanes.iter().map(row).collect::<Vec<_>>())
}

fn failbacks(lanes: &[Lane<'_>]) -> String {
    let row = |lane: &Lane<'_>| {
        let (row, waterfall) = (lane.row, &lane.row.failback);
        let total = waterfall.total.as_ref().map(|total| duration_ms(total.p50_ms));
        let outage = row.failback_outage.as_ref().map(|outage| duration_ms(outage.p99_ms));
        let none = || "–".to_owned();
        if !row.fails_back {
            return vec![named(lane), "stay".to_owned(), none(), none(), none(), none()];
        }
        vec![
            named(lane),
            came(row.failed_back, row.devices, waterfall.missing),
            total.unwrap_or_else(none),
            p99(waterfall),
            outage.unwrap_or_else(none),
            longest(waterfall),
        ]
    };
    let columns = [
        Column::Text("Failback"),
        Column::Number("devices"),
        Column::Number("p50"),
        Column::Number("p99"),
        Column::Number("outage p99"),
        Column::Text("set by"),
    ];
    table(&columns, &lanes.iter().map(row).collect::<Vec<_>>())
}

/// Where the time of each strategy went.
fn cascades(lanes: &[Lane<'_>], way: &Way) -> String {
    let cascade = |lane: &Lane<'_>| {
        let waterfall = (way.of)(lane.row);
        let stages =
            waterfall.stages.iter().zip(waterfall.p99_device.iter().flat_map(|device| &device.stages_ms));
        let said: Vec<String> =
            stages.map(|(stage, took)| format!("{} {}", stage.label, duration_ms(*took))).collect();
        let about = format!(
            "Stages from the {} of the {} device at the 99th percentile: {}.",
            way.origin,
            lane.row.name,
            said.join(", ")
        );
        let soft = format!("{} soft", lane.ink.name());
        let keys = legend(&[(lane.ink.name(), "p99 device"), (&soft, "median device")]);
        let title = format!("{}, from the {}", lane.row.name, way.origin);
        figure(&title, &keys, &Cascade { about, waterfall, ink: lane.ink }.html())
    };
    let figures: String = lanes.iter().filter(|lane| way.is_seen(lane)).map(cascade).collect();
    if figures.is_empty() {
        return figures;
    }
    format!("<details><summary>Where the time went, strategy by strategy</summary>\n{figures}</details>\n")
}
