//! Why to believe it: the steps and faults with their proof, the undo, the API calls, the harness itself.

use super::html::{Column, empty, esc, section, table};
use crate::record::{ActKind, StepState};
use crate::summary::{ActRow, Debt, FaultRow, Left, Noticed, Summary, Sweep};
use crate::units::{bytes, clock, count, duration_ms, number, percent, plural};

/// Steps and faults.
pub(super) fn run(summary: &Summary) -> String {
    let rows: Vec<_> = summary
        .steps
        .iter()
        .map(|step| {
            let state = match step.state {
                StepState::Completed => "completed",
                StepState::Began => "did not end",
                StepState::TimedOut => "reached its limit",
                StepState::Failed => "failed",
                StepState::Stopped => "stopped",
            };
            let took = step.ended_ms.map_or("–".into(), |ended| duration_ms(ended - step.began_ms));
            vec![clock(step.began_ms / 1e3), esc(&step.label), took, state.to_owned()]
        })
        .collect();
    let columns = [Column::Number("at"), Column::Text("Step"), Column::Number("took"), Column::Text("end")];
    let steps = if rows.is_empty() { empty("No step began.") } else { table(&columns, &rows) };
    let faults = if summary.faults.is_empty() {
        empty("No fault was applied.")
    } else {
        let columns = [
            Column::Text("Fault"),
            Column::Number("applied"),
            Column::Number("seen to act"),
            Column::Text("health check noticed"),
            Column::Number("cured"),
            Column::Number("cure read back"),
            Column::Text("debt at the cure"),
        ];
        table(&columns, &summary.faults.iter().map(fault).collect::<Vec<_>>())
    };
    let acts = if summary.acts.is_empty() { String::new() } else { acts(summary) };
    let body = format!("{}{steps}<h3>Faults</h3>\n{faults}{acts}", stopping(summary));
    section("run", "The run", "Times are minutes and seconds since the run began.", &body)
}

/// What ended the run, and when.
fn stopping(summary: &Summary) -> String {
    let Some(stopping) = &summary.stopping else { return String::new() };
    let at = clock(stopping.at_ms / 1e3);
    format!("<p class=\"alert\"><b>Told to end at {at}.</b> {}</p>\n", esc(&stopping.detail))
}

/// What people did; the numbers are those on the charts.
fn acts(summary: &Summary) -> String {
    let row = |(number, row): (usize, &ActRow)| {
        let what = match row.act {
            ActKind::Note => "note",
            ActKind::Abort => "abort",
            ActKind::Signal => "signal",
        };
        vec![
            (number + 1).to_string(),
            clock(row.at_ms / 1e3),
            format!("<span class=\"nb\">{}</span>", row.wall.strftime("%H:%M:%S UTC")),
            what.to_owned(),
            esc(&row.text),
            esc(row.by.as_deref().unwrap_or("–")),
        ]
    };
    let columns = [
        Column::Number("#"),
        Column::Number("at"),
        Column::Text("by the clock"),
        Column::Text("what"),
        Column::Text("said"),
        Column::Text("who"),
    ];
    let rows: Vec<_> = summary.acts.iter().enumerate().map(row).collect();
    format!("<h3>What people did</h3>\n{}", table(&columns, &rows))
}

fn fault(fault: &FaultRow) -> Vec<String> {
    let moment = |ms: Option<f64>| ms.map_or("<b class=\"warn\">never</b>".to_owned(), |ms| clock(ms / 1e3));
    let evidence = fault.evidence.as_ref().map(|text| format!("<br><small>{}</small>", esc(text)));
    vec![
        format!("{}{}{}", swatch(fault), esc(&fault.label), evidence.unwrap_or_default()),
        clock(fault.applied_ms / 1e3),
        moment(fault.proved_ms),
        noticed(fault),
        moment(fault.cured_ms),
        moment(fault.cure_proved_ms),
        fault.debt.map_or_else(|| "–".to_owned(), debt),
    ]
}

/// The colour of a fault's kind. A record is not trusted: nothing but a colour comes through.
fn swatch(fault: &FaultRow) -> String {
    let is_colour = |colour: &&String| {
        let hex = colour.strip_prefix('#').unwrap_or_default();
        hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let colour = fault.colour.as_ref().filter(is_colour);
    colour.map_or_else(String::new, |colour| format!("<b style=\"color:{colour}\">■</b> "))
}

fn noticed(fault: &FaultRow) -> String {
    match (fault.noticed, fault.noticed_ms) {
        (Noticed::Yes, Some(after)) => format!("after {}", duration_ms(after)),
        (Noticed::Yes, None) => "yes".to_owned(),
        (Noticed::No, _) => "no".to_owned(),
        (Noticed::Before, _) => "was unhealthy before".to_owned(),
        (Noticed::Unknown, _) => "–".to_owned(),
    }
}

fn debt(debt: Debt) -> String {
    if debt.writes == 0 {
        return "none".to_owned();
    }
    let writes = format!(
        "{} of {}, the oldest {} old",
        plural(debt.writes, "write"),
        plural(debt.devices, "device"),
        duration_ms(debt.oldest_ms)
    );
    match debt.drained_ms {
        Some(drained) => format!("{writes}; paid {} later", duration_ms(drained)),
        None => format!("{writes}; <b class=\"warn\">not all came</b>"),
    }
}

/// What was changed, and the proof that it was undone.
pub(super) fn undo(summary: &Summary) -> String {
    let undo = &summary.undo;
    let left = if undo.left == 0 {
        "left 0".to_owned()
    } else {
        format!("<b class=\"bad\">left {}</b>", count(undo.left))
    };
    let lead = format!("Created {}, undone {}, {left}.", count(undo.created), count(undo.undone));
    let mut body = String::new();
    for fault in &undo.faults_left {
        body.push_str(&format!("<p class=\"alert\"><b>A fault is still in place.</b> {}</p>\n", esc(fault)));
    }
    if !undo.left_items.is_empty() {
        let items: String = undo.left_items.iter().map(item).collect();
        body.push_str(&format!("<h3>To undo by hand</h3>\n<ol class=\"manual\">\n{items}</ol>\n"));
        let more = undo.left.saturating_sub(undo.left_items.len() as u64);
        if more > 0 {
            body.push_str(&format!(
                "<p>And {} more in <code>undo.ndjson</code>.</p>\n",
                plural(more, "change")
            ));
        }
    }
    if undo.sweeps.is_empty() {
        body.push_str(&empty("Nobody looked again for what may be left."));
    } else {
        let columns =
            [Column::Text("A last look at"), Column::Text("kinds"), Column::Text("found of this run")];
        body.push_str(&table(&columns, &undo.sweeps.iter().map(sweep).collect::<Vec<_>>()));
    }
    section("undo", "What was changed, and undone", &lead, &body)
}

fn item(left: &Left) -> String {
    let error = left.error.as_ref().map(|error| format!("<br><small class=\"bad\">{}</small>", esc(error)));
    format!(
        "<li>{} <code>{}</code> in {}{}<pre>{}</pre></li>\n",
        esc(&left.kind),
        esc(&left.name),
        esc(&left.region),
        error.unwrap_or_default(),
        esc(&left.manual),
    )
}

fn sweep(sweep: &Sweep) -> Vec<String> {
    let found = if sweep.leftovers == 0 {
        "nothing".to_owned()
    } else {
        let names = sweep
            .leftover_items
            .iter()
            .map(|item| format!("{} <code>{}</code>", esc(&item.kind), esc(&item.name)));
        let names = names.collect::<Vec<_>>().join(", ");
        format!("<b class=\"bad\">{}</b>: {names}", count(sweep.leftovers))
    };
    vec![format!("<span class=\"nb\">{}</span>", esc(&sweep.region)), esc(&sweep.kinds.join(", ")), found]
}

/// API calls and throttles.
pub(super) fn api(summary: &Summary) -> String {
    let lead = format!("{} throttled. Each attempt counts.", plural(summary.api_throttled, "attempt"));
    if summary.api.is_empty() {
        return section("api", "AWS API calls", "", &empty("The record has no API calls."));
    }
    let rows: Vec<_> = summary
        .api
        .iter()
        .map(|row| {
            let all = (row.ok + row.throttled + row.failed).max(1);
            vec![
                format!("<code>{}:{}</code>", esc(&row.service), esc(&row.operation)),
                format!("<span class=\"nb\">{}</span>", esc(&row.region)),
                esc(&row.caller),
                count(row.ok),
                count(row.throttled),
                percent(row.throttled as f64 / all as f64 * 100.0),
                count(row.failed),
            ]
        })
        .collect();
    let columns = [
        Column::Text("Operation"),
        Column::Text("Region"),
        Column::Text("caller"),
        Column::Number("ok"),
        Column::Number("throttled"),
        Column::Extra("share"),
        Column::Number("failed"),
    ];
    section("api", "AWS API calls", &lead, &table(&columns, &rows))
}

/// The harness itself.
pub(super) fn harness(summary: &Summary) -> String {
    let health = &summary.harness;
    let lead = "A harness that is itself too slow measures itself. This is how it did.";
    if health.samples == 0 {
        return section("harness", "The harness itself", lead, &empty("The harness was not watched."));
    }
    let rounded = |percent: f64| format!("{}%", number(percent.round()));
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let limit = health.cpu_limit_percent.map(rounded);
    let late = health.late_sends as f64 / health.intended_sends.max(1) as f64 * 100.0;
    let rows = [
        ("Timer delay, p99 of seconds", duration_ms(health.timer_delay_p99_ms)),
        ("Timer delay, longest", duration_ms(health.timer_delay_max_ms)),
        ("Sends intended", count(health.intended_sends)),
        ("Sends late", format!("{} ({})", count(health.late_sends), percent(late))),
        ("Sends not made", count(health.unsent_sends)),
        (
            "CPU, median and largest",
            format!(
                "{} and {}{}",
                rounded(health.cpu_percent_p50),
                rounded(health.cpu_percent_max),
                of(limit)
            ),
        ),
        (
            "CPU of the machine, largest",
            health.machine_cpu_percent_max.map_or("not known".to_owned(), rounded),
        ),
        ("Seconds in which it used its processors up", percent(health.cpu_full_seconds_percent)),
        ("Steps of the wall clock, largest", duration_ms(health.clock_step_max_ms)),
        ("Memory, largest", bytes(health.rss_bytes_max)),
        (
            "File descriptors, most",
            format!(
                "{}{}",
                count(u64::from(health.descriptors_max)),
                of(health.descriptors_limit.map(count))
            ),
        ),
        ("TCP sockets of the machine, most", count(u64::from(health.sockets_max))),
    ];
    let row = |(name, value): &(&str, String)| vec![(*name).to_owned(), value.clone()];
    let table =
        table(&[Column::Text("Measure"), Column::Number("value")], &rows.iter().map(row).collect::<Vec<_>>());
    section("harness", "The harness itself", lead, &table)
}
