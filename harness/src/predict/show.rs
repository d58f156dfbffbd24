//! A prediction for people: a table for a terminal, and a page with the backlog over time.

use std::fmt::Write as _;

use gameday_report::{Curve, chart_page};

use super::{Checked, Predicted, Prediction, figure::Figure};
use crate::plan::number;

const NAME: usize = 30;
const CELL: usize = 10;

/// The table.
pub(crate) fn show(prediction: &Prediction) -> String {
    let mut text = String::new();
    let aim = &prediction.aim;
    let target = if aim.target == "aws" { "AWS" } else { "the twin" };
    let _ = writeln!(text, "{}", prediction.title);
    let _ = writeln!(
        text,
        "{} devices, {} -> {} on {target}; {} days played, seed {}",
        number(f64::from(prediction.devices)),
        aim.primary,
        aim.secondary,
        prediction.days,
        prediction.seed
    );
    let runs = &prediction.known.runs;
    let _ = match runs.as_slice() {
        [] => writeln!(text, "times and costs are assumed: --from RUN takes them from a recorded run"),
        runs => writeln!(text, "times and costs as measured by {}", runs.join(", ")),
    };
    head("predicted", &["p10", "p50", "p90"], &mut text);
    for figure in &prediction.figures {
        let cells = [figure.p10, figure.p50, figure.p90].map(|value| written(figure.name, value));
        line(figure.name, figure.step, &cells, &mut text);
    }
    if let Some((what, per_s)) = &prediction.tightest {
        let _ = writeln!(
            text,
            "\nThe quota that sets the pace of provisioning: {what}, {} devices a second",
            number(*per_s)
        );
    }
    if runs.is_empty() {
        let _ = writeln!(text, "\nAssumed:");
        for (name, figure) in assumed(prediction) {
            if let Figure::Assumed { least, most, source } = figure {
                let _ = writeln!(text, "    {name:<14} {least} to {most}: {source}");
            }
        }
    }
    for note in &prediction.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn assumed(prediction: &Prediction) -> [(&'static str, &Figure); 8] {
    let known = &prediction.known;
    [
        ("registry_s", &known.registry_s),
        ("shadow_s", &known.shadow_s),
        ("connect_s", &known.connect_s),
        ("answer_s", &known.answer_s),
        ("strike_s", &known.strike_s),
        ("make_cpu_s", &known.make_cpu_s),
        ("connect_cpu_s", &known.connect_cpu_s),
        ("shadow_per_s", &known.shadow_per_s),
    ]
}

/// What was predicted beside what was measured.
pub(crate) fn show_checked(checked: &[Checked], tolerance: f64) -> String {
    let mut text = String::new();
    head("predicted beside measured", &["p10", "p50", "p90", "measured", "ratio"], &mut text);
    for row in checked {
        let mut cells =
            [row.p10, row.p50, row.p90, row.measured].map(|value| written(row.name, value)).to_vec();
        cells.push(format!("{:.3}", row.ratio));
        line(row.name, row.step, &cells, &mut text);
        if !row.is_within(tolerance) {
            text.truncate(text.trim_end().len());
            let _ = writeln!(text, "  off by more than {:.0}%", tolerance * 100.0);
        }
    }
    text
}

fn head(title: &str, heads: &[&str], text: &mut String) {
    let _ = write!(text, "\n{title:<NAME$} {:>4}", "step");
    for head in heads {
        let _ = write!(text, " {head:>CELL$}");
    }
    text.push('\n');
}

fn line(name: &str, step: usize, cells: &[String], text: &mut String) {
    let _ = write!(text, "{:<NAME$} {step:>4}", format!("  {name}"));
    for cell in cells {
        let _ = write!(text, " {cell:>CELL$}");
    }
    text.push('\n');
}

/// Counts as counts, all others as times.
fn written(name: &str, value: f64) -> String {
    let is_count = matches!(name.rsplit('.').next(), Some("peak" | "throttled"));
    if is_count { number(value) } else { gameday_report::units::duration(value * 1e6) }
}

/// The page: the table, and what waits over time.
pub(crate) fn page(prediction: &Prediction) -> String {
    let curve = |title: &str, about: &str, points: &[(f64, f64)]| Curve {
        title: title.to_owned(),
        about: about.to_owned(),
        points: points.to_vec(),
    };
    let curves = [
        curve(
            "Devices on their way to the secondary",
            "Devices that were made and that the secondary does not let in yet, over time since the first step",
            &prediction.devices_behind.points,
        ),
        curve(
            "Shadow writes on their way to the secondary",
            "Shadow writes that are not in the secondary yet, over time since the first step",
            &prediction.writes_behind.points,
        ),
        curve(
            "The failover",
            "Devices that are in the secondary, over time since the step began",
            &prediction.failover,
        ),
    ];
    let row = |figure: &Predicted| {
        let cells = [figure.p10, figure.p50, figure.p90].map(|value| written(figure.name, value));
        [figure.name.to_owned(), figure.step.to_string()].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = prediction.figures.iter().map(row).collect();
    let devices = number(f64::from(prediction.devices));
    let lead = format!(
        "Predicted for {devices} devices: {} days played over virtual time, seed {}; curves are those of the day in the middle.",
        prediction.days, prediction.seed
    );
    chart_page(&prediction.title, &lead, &rows, &curves)
}
