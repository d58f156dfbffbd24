//! The way of the devices to the other Region: waterfall, how many were back by when, the spread, the slowest.

use super::chart::{Bars, Cascade, Ink, Kind, Lines, Series};
use super::head::nearly_all;
use super::html::{Column, empty, esc, figure, legend, section, table, together};
use super::seconds;
use crate::summary::{Distribution, Summary, Waterfall};
use crate::units::{count, duration_ms, number, percent, plural};

struct Way<'a> {
    waterfall: &'a Waterfall,
    ink: Ink,
    class: &'static str,
    origin: &'static str,
    region: &'a str,
    target_ms: Option<f64>,
    /// Whether its devices have several strategies.
    is_mixed: bool,
}

fn target(summary: &Summary, metric: &str) -> Option<f64> {
    summary
        .objectives
        .iter()
        .find(|row| row.metric == metric && row.value_unit == "ms")
        .and_then(|row| row.target)
}

/// From the fault to the secondary.
pub(super) fn failover(summary: &Summary) -> String {
    let way = Way {
        waterfall: &summary.failover,
        ink: Ink::Secondary,
        class: "secondary",
        origin: "fault",
        region: &summary.run.secondary,
        target_ms: target(summary, "failover.outage.p99"),
        is_mixed: summary.strategies.len() > 1,
    };
    section("failover", "Failover", &lead(&way), &body(&way))
}

/// From the cure to the primary.
pub(super) fn failback(summary: &Summary) -> String {
    let way = Way {
        waterfall: &summary.failback,
        ink: Ink::Primary,
        class: "primary",
        origin: "cure",
        region: &summary.run.primary,
        target_ms: target(summary, "failback.time.p99"),
        is_mixed: summary.strategies.len() > 1,
    };
    let mut lead = lead(&way);
    if let Some(outage) = &summary.failback_outage {
        lead.push_str(&format!(
            " While it moved, a device was without an acknowledged publish for {} (p50) to {} (p99).",
            together(outage.p50_ms),
            together(outage.p99_ms),
        ));
    }
    let staying = summary.devices.fleet.saturating_sub(summary.devices.expected_back);
    if staying > 0 {
        let stay = if staying == 1 { "stays" } else { "stay" };
        lead.push_str(&format!(
            " {} {stay} in {} by strategy and {} not expected back.",
            plural(staying, "device"),
            esc(&summary.run.secondary),
            if staying == 1 { "is" } else { "are" },
        ));
    }
    section("failback", "Failback", &lead, &body(&way))
}

fn lead(way: &Way<'_>) -> String {
    let Some(total) = &way.waterfall.total else { return String::new() };
    let mut text = format!(
        "{} came to <b class=\"{}\">{}</b>; {} {} there {} after the {}.",
        plural(way.waterfall.devices, "device"),
        way.class,
        esc(way.region),
        nearly_all(way.waterfall.devices),
        if way.waterfall.devices < 100 { "was" } else { "were" },
        together(total.p99_ms),
        way.origin,
    );
    let set = way.waterfall.set_by.as_ref();
    let stage = set.and_then(|set| way.waterfall.stages.iter().find(|stage| stage.stage == *set));
    if let (Some(stage), Some(share)) = (stage, way.waterfall.set_by_percent) {
        text.push_str(&format!(
            " The largest part of that, {} for the device at the 99th percentile, was <b>{}</b>.",
            percent(share.round()),
            esc(&sentence_case(&stage.label)),
        ));
    }
    if way.is_mixed {
        text.push_str(" The devices have several strategies, and a strategy has not all of these stages.");
    }
    text
}

/// A label in the middle of a sentence; names such as DNS and TLS stay as they are.
fn sentence_case(label: &str) -> String {
    let mut letters = label.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => label.to_owned(),
    }
}

fn body(way: &Way<'_>) -> String {
    if way.waterfall.total.is_none() {
        let missing = match way.waterfall.missing {
            0 => String::new(),
            some => format!(" {} should have.", plural(some, "device")),
        };
        return empty(&format!("No device was seen to come to {}.{missing}", way.region));
    }
    let missing = match (way.waterfall.missing, way.waterfall.missing_at_least_ms) {
        (0, _) => String::new(),
        (some, at_least) => format!(
            "<p class=\"alert\"><b>{}</b> did not come{}. They count as slower than all that did.</p>\n",
            plural(some, "device"),
            at_least.map(|ms| format!(" and were away for {} or more", duration_ms(ms))).unwrap_or_default(),
        ),
    };
    [missing, cascade(way), curve(way), spread(way), slowest(way)].concat()
}

fn cascade(way: &Way<'_>) -> String {
    let stages =
        way.waterfall.stages.iter().zip(way.waterfall.p99_device.iter().flat_map(|device| &device.stages_ms));
    let said: Vec<String> = stages
        .map(|(stage, took)| format!("{} {}", sentence_case(&stage.label), duration_ms(*took)))
        .collect();
    let about =
        format!("Stages from the {} of the device at the 99th percentile: {}.", way.origin, said.join(", "));
    let keys = legend(&[(way.class, "p99 device"), (&format!("{} soft", way.class), "median device")]);
    let svg = Cascade { about, waterfall: way.waterfall, ink: way.ink }.html();
    let rows = way.waterfall.stages.iter().map(|stage| {
        let numbers = [stage.p50_ms, stage.p95_ms, stage.p99_ms, stage.max_ms].map(duration_ms);
        std::iter::once(esc(&stage.label)).chain(numbers).collect()
    });
    let columns = [
        Column::Text("Stage, over all devices"),
        Column::Number("p50"),
        Column::Number("p95"),
        Column::Number("p99"),
        Column::Number("max"),
    ];
    let table = table(&columns, &rows.collect::<Vec<_>>());
    let details = format!("<details><summary>Each stage over all devices</summary>\n{table}</details>\n");
    figure(&format!("Where the time went, from the {}", way.origin), &keys, &svg) + &details
}

fn curve(way: &Way<'_>) -> String {
    let total = way.waterfall.devices + way.waterfall.missing;
    let last = way.waterfall.returned.last().map_or(1.0, |point| point.0 / 1e3);
    let to_s = (last * 1.06).max(way.target_ms.unwrap_or(0.0) / 1e3 * 1.04);
    let mut points = vec![(0.0, 0.0)];
    if let Some(first) = &way.waterfall.total {
        points.push((first.min_ms / 1e3, 0.0));
    }
    points.extend(way.waterfall.returned.iter().map(|(ms, devices)| (ms / 1e3, *devices as f64)));
    points.push((to_s, way.waterfall.devices as f64));
    let moments = [(way.waterfall.answer_ms, "DNS answer"), (way.target_ms, "objective")];
    let marks = moments.into_iter().filter_map(|(ms, label)| Some((ms? / 1e3, label.to_owned()))).collect();
    let lines = Lines {
        about: format!("Devices publishing in {} by the time since the {}.", way.region, way.origin),
        series: vec![Series { points, ink: way.ink, kind: Kind::Area }],
        bands: Vec::new(),
        marks,
        target: (way.waterfall.missing > 0).then_some(total as f64),
        from_s: 0.0,
        to_s,
        whole: true,
        x_text: seconds,
        y_text: number,
    };
    figure(&format!("Devices back, by the time since the {}", way.origin), "", &lines.html())
}

fn spread(way: &Way<'_>) -> String {
    let Some(total) = &way.waterfall.total else { return String::new() };
    // Labels of marks that lie near each other would overlap: p50 and p99, and the rest is in the table.
    let mut marks = vec![(total.p50_ms, "p50".to_owned())];
    if total.p99_ms - total.p50_ms > (total.max_ms - total.min_ms) * 0.12 {
        marks.push((total.p99_ms, "p99".to_owned()));
    }
    let about = format!(
        "How long devices took from the {}: median {}, 99th percentile {}, longest {}.",
        way.origin,
        duration_ms(total.p50_ms),
        duration_ms(total.p99_ms),
        duration_ms(total.max_ms)
    );
    let bars = Bars { about, bins: &way.waterfall.bins, ink: way.ink, marks };
    let mut rows = vec![numbers(&format!("From the {}", way.origin), total)];
    rows.extend(
        way.waterfall.silence.as_ref().map(|silence| numbers("From its last acknowledged publish", silence)),
    );
    figure(&format!("How long devices took from the {}", way.origin), "", &bars.html()) + &spreads(&rows)
}

/// The row of a spread.
pub(super) fn numbers(name: &str, spread: &Distribution) -> Vec<String> {
    let values = [spread.p50_ms, spread.p90_ms, spread.p95_ms, spread.p99_ms, spread.p999_ms, spread.max_ms];
    let cells = [esc(name), count(spread.samples)].into_iter();
    cells.chain(values.map(duration_ms)).collect()
}

/// A table of spreads.
pub(super) fn spreads(rows: &[Vec<String>]) -> String {
    let columns = [
        Column::Text(""),
        Column::Extra("samples"),
        Column::Number("p50"),
        Column::Extra("p90"),
        Column::Extra("p95"),
        Column::Number("p99"),
        Column::Extra("p99.9"),
        Column::Number("max"),
    ];
    table(&columns, rows)
}

fn slowest(way: &Way<'_>) -> String {
    let rows: Vec<Vec<String>> = way
        .waterfall
        .slowest
        .iter()
        .map(|device| {
            let longest =
                device.stages_ms.iter().zip(&way.waterfall.stages).max_by(|a, b| a.0.total_cmp(b.0));
            let longest =
                longest.map(|(took, stage)| format!("{} <i>{}</i>", esc(&stage.label), duration_ms(*took)));
            let strategy = match device.strategy.as_str() {
                _ if !way.is_mixed => String::new(),
                name => format!(" <small class=\"nb\">{}</small>", esc(name)),
            };
            vec![
                format!("<code>{}</code>{strategy}", esc(&device.device)),
                duration_ms(device.total_ms),
                count(u64::from(device.attempts)),
                longest.unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        Column::Text("Device"),
        Column::Number("took"),
        Column::Number("attempts"),
        Column::Text("longest stage"),
    ];
    format!("<details><summary>The slowest devices</summary>\n{}</details>\n", table(&columns, &rows))
}
