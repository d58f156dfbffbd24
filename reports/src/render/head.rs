//! The first screen: did we make it, how long were devices away, what was lost. And every objective.

use super::html::{esc, section, together};
use crate::objective::{Objective, Op};
use crate::record::EndReason;
use crate::summary::{ObjectiveRow, Summary};
use crate::units::{count, duration_ms, plural};
use crate::verdict::{ExitCode, Verdict};

/// The verdict as a title.
pub(super) fn verdict_title(summary: &Summary) -> &'static str {
    match summary.exit {
        ExitCode::Pass => "Objectives met",
        ExitCode::Missed => "Objectives missed",
        ExitCode::Inconclusive => "Inconclusive",
        ExitCode::StopCondition => "Ended by a stop condition",
        ExitCode::Operator => "Stopped by the operator",
        ExitCode::Refused => "Refused before anything was changed",
        ExitCode::UndoIncomplete => "Undo incomplete",
        ExitCode::Error | ExitCode::Usage => "Ended by an error",
    }
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Unknown => "unknown",
        Verdict::Fail => "fail",
    }
}

/// A verdict as a mark: a shape and a word, so that it does not hang on colour.
pub(super) fn mark(verdict: Verdict) -> String {
    let sign = match verdict {
        Verdict::Pass => "✓",
        Verdict::Unknown => "?",
        Verdict::Fail => "✕",
    };
    format!(
        "<span class=\"mark {}\"><span aria-hidden=\"true\">{sign}</span> {}</span>",
        class(verdict),
        verdict.word()
    )
}

/// The first screen.
pub(super) fn head(summary: &Summary) -> String {
    let run = &summary.run;
    let day =
        summary.began.map(|began| began.strftime("%-d %B %Y, %H:%M UTC").to_string()).unwrap_or_default();
    let reason = if summary.verdict == Verdict::Pass {
        String::new()
    } else {
        format!("<p class=\"reason\">{}</p>\n", esc(&summary.reason))
    };
    format!(
        "<header>\n<p class=\"brand\"><b>gameday</b><span>{scenario}</span><span>{day}</span><span>run <code>{id}</code></span></p>\n\
         <div class=\"verdict {class}\">\n<p class=\"badge\">{mark}{place}</p>\n<h1>{title}</h1>\n\
         <p class=\"what\">{what}</p>\n<p class=\"story\">{story}</p>\n{reason}</div>\n{tiles}</header>\n",
        scenario = esc(&run.scenario),
        day = esc(&day),
        id = esc(&run.run),
        class = class(summary.verdict),
        mark = mark(summary.verdict),
        place = place(summary),
        title = verdict_title(summary),
        what = esc(&run.title),
        story = story(summary),
        tiles = tiles(summary),
    )
}

/// Where it was rehearsed, so that nobody takes a twin for AWS.
fn place(summary: &Summary) -> String {
    summary.place().map_or_else(String::new, |place| format!("<span class=\"place\">{place}</span>"))
}

/// What happened, in two or three sentences.
fn story(summary: &Summary) -> String {
    let run = &summary.run;
    let (primary, secondary) = (esc(&run.primary), esc(&run.secondary));
    let mut text = match &summary.failover.total {
        Some(total) => {
            let mut text = format!(
                "When <b class=\"primary\">{primary}</b> was lost, half of the devices were publishing in \
                 <b class=\"secondary\">{secondary}</b> after {}",
                together(total.p50_ms),
            );
            if let (Some(p99_ms), false) = (summary.failover.p99_ms, summary.failover.p99_is_at_least) {
                let devices = summary.failover.devices + summary.failover.missing;
                let which = nearly_all(devices);
                text.push_str(&format!(", and {which} after <b>{}</b>", together(p99_ms)));
            }
            text + "."
        }
        None if summary.faults.is_empty() => "No fault was applied.".to_owned(),
        None => format!("No device was seen to fail over to <b class=\"secondary\">{secondary}</b>."),
    };
    let completed = summary.ended == Some(EndReason::Completed);
    if summary.failover.missing > 0 {
        let devices = plural(summary.failover.missing, "device");
        text.push_str(&if completed {
            format!(" <b class=\"bad\">{devices}</b> did not fail over.")
        } else {
            format!(" {devices} had not failed over when the record ended.")
        });
    }
    let ledger = &summary.ledger;
    if ledger.lost > 0 {
        let lost = plural(ledger.lost, "acknowledged write");
        let devices = plural(ledger.devices_with_losses, "device");
        let were = if ledger.lost == 1 { "was" } else { "were" };
        text.push_str(&if completed {
            format!(" <b class=\"bad\">{lost}</b> of {devices} {were} lost.")
        } else {
            format!(" {lost} of {devices} {were} not in the secondary when the record ended.")
        });
    } else if ledger.acked_primary > 0 {
        let acked = plural(ledger.acked_primary + ledger.acked_secondary, "acknowledged write");
        text.push_str(&format!(" Of {acked}, <b>none was lost</b>"));
        match summary.rpo.as_ref().map_or(0, |rpo| rpo.missing) {
            0 => text.push('.'),
            1 => text.push_str("; one was missing in the secondary until the fault was cured."),
            some => text.push_str(&format!(
                "; {} were missing in the secondary until the fault was cured.",
                count(some)
            )),
        }
    }
    if let some @ 1.. = ledger.unacknowledged() {
        let were = if some == 1 { "was" } else { "were" };
        text.push_str(&format!(" {} more {were} sent and never acknowledged.", count(some)));
    }
    text
}

/// The devices below the 99th percentile, as a reader would count them: of few there is no 99 in 100.
pub(super) fn nearly_all(devices: u64) -> String {
    if devices < 100 { format!("the slowest of {devices}") } else { "99 of 100".to_owned() }
}

struct Tile {
    label: &'static str,
    value: String,
    note: String,
    bad: bool,
}

/// The objective that stands behind a tile, to show its target.
fn objective<'a>(summary: &'a Summary, metric: &str) -> Option<&'a ObjectiveRow> {
    summary.objectives.iter().find(|row| row.metric == metric)
}

fn tiles(summary: &Summary) -> String {
    let none = || "–".to_owned();
    let target = |metric: &str, other: &str| {
        objective(summary, metric).map_or(other.to_owned(), |row| format!("objective {}", condition(row)))
    };
    let missed = |metric: &str| objective(summary, metric).is_some_and(|row| row.verdict == Verdict::Fail);
    let (devices, ledger) = (&summary.devices, &summary.ledger);
    let more = if summary.failover.p99_is_at_least { "&gt; " } else { "" };
    let completed = summary.ended == Some(EndReason::Completed);
    let judged = ledger.acked_primary + ledger.acked_secondary > 0;
    let acked = count(ledger.acked_primary + ledger.acked_secondary);
    let stranded = match devices.stranded {
        0 => "none stranded".to_owned(),
        some => format!("{} stranded", count(some)),
    };
    let rpo = summary.rpo.as_ref().filter(|rpo| rpo.acked > 0);
    let tiles = [
        Tile {
            label: "Recovery time, p99",
            value: summary.failover.p99_ms.map_or_else(none, |ms| format!("{more}{}", duration_ms(ms))),
            note: target("failover.outage.p99", "fault to first publish in the secondary"),
            bad: missed("failover.outage.p99"),
        },
        Tile {
            label: "Devices failed over",
            value: if summary.faults.is_empty() {
                none()
            } else {
                format!("{} <small>of {}</small>", count(devices.failed_over), count(devices.fleet))
            },
            note: stranded,
            bad: devices.stranded > 0 && completed,
        },
        Tile {
            label: "Writes lost",
            value: if judged && completed { count(ledger.lost) } else { none() },
            note: match (judged, completed) {
                (true, true) => format!("of {acked} acknowledged"),
                (true, false) => format!("{} undecided of {acked} acknowledged", count(ledger.lost)),
                (false, _) => "no writes".into(),
            },
            bad: ledger.lost > 0 && completed,
        },
        Tile {
            label: "Recovery point",
            value: rpo.map_or_else(none, |rpo| duration_ms(rpo.age_ms)),
            note: rpo.map_or("not measured".into(), |rpo| match rpo.missing {
                0 => "nothing missing in the secondary".to_owned(),
                some => format!("{} of {} missing", plural(some, "write"), plural(rpo.devices, "device")),
            }),
            bad: missed("rpo.seconds") || missed("rpo.writes") || missed("rpo.devices"),
        },
    ];
    let tile = |tile: &Tile| {
        let class = if tile.bad { " class=\"bad\"" } else { "" };
        format!(
            "<div><dt>{}</dt><dd{class}>{}</dd><dd class=\"note\">{}</dd></div>\n",
            tile.label,
            tile.value,
            esc(&tile.note)
        )
    };
    format!("<dl class=\"tiles\">\n{}</dl>\n", tiles.iter().map(tile).collect::<String>())
}

/// A condition with the signs and units that a reader knows.
fn condition(row: &ObjectiveRow) -> String {
    let Ok(objective) = Objective::parse(&row.metric, &row.condition) else { return row.condition.clone() };
    let sign = match objective.op {
        Op::AtMost => "≤",
        Op::AtLeast => "≥",
        Op::Equal => "=",
        Op::Below => "<",
        Op::Above => ">",
    };
    // Not broken over two lines.
    format!("{sign} {}", objective.target).replace(' ', "\u{a0}")
}

/// A row an objective, and the checks that are not in order.
pub(super) fn objectives(summary: &Summary) -> String {
    let mut rows = String::new();
    for row in &summary.objectives {
        rows.push_str(&format!(
            "<li><div class=\"name\"><b>{}</b><span>{}</span></div><div class=\"measured {}\">{}</div>\
             <div class=\"goal\">{}</div><div class=\"judged\">{}</div></li>\n",
            esc(&row.metric),
            esc(&row.why),
            class(row.verdict),
            esc(&row.measured),
            esc(&condition(row)),
            mark(row.verdict),
        ));
    }
    let checks = summary.checks.iter().map(|row| {
        format!(
            "<li>{}<div><b>{}</b><span>{}</span></div></li>\n",
            mark(row.verdict),
            esc(&row.label),
            esc(&row.why)
        )
    });
    let list = if rows.is_empty() {
        super::html::empty("The scenario sets no objective.")
    } else {
        format!(
            "<ol class=\"objectives\">\n<li class=\"heads\" aria-hidden=\"true\"><div>Objective</div><div>Measured</div>\
             <div>Target</div><div>Verdict</div></li>\n{rows}</ol>\n"
        )
    };
    let checks = format!(
        "<h3>Can this result be trusted?</h3>\n<ul class=\"checks\">\n{}</ul>\n",
        checks.collect::<String>()
    );
    section("objectives", "Objectives", &esc(&summary.run.proves), &(list + &checks))
}
