//! The short summary at the end of a run: the verdict, each objective, and where the report is.

use gameday_report::{
    Summary, Verdict,
    record::{EndReason, Folder},
    units,
};

use crate::output::{data, to_stderr};

/// Prints the summary; as JSON when asked to.
pub(super) fn shout(summary: &Summary, folder: &Folder, json: bool, failed: bool) {
    if json {
        data(&serde_json::to_string(summary).unwrap_or_default());
        return;
    }
    to_stderr("");
    data(&format!("{}  {}", word(summary.verdict), summary.reason));
    for row in &summary.objectives {
        data(&format!(
            "  {} {:<28} {:<10} measured {}",
            mark(row.verdict),
            row.metric,
            row.condition,
            if row.measured.is_empty() { &row.why } else { &row.measured }
        ));
    }
    for row in summary.checks.iter().filter(|row| row.verdict != Verdict::Pass) {
        data(&format!("  {} {}: {}", mark(row.verdict), row.label, row.why));
    }
    let devices = &summary.devices;
    let staying = match devices.fleet.saturating_sub(devices.expected_back) {
        0 => String::new(),
        staying => format!(" of {}, {staying} are to stay", devices.expected_back),
    };
    data(&format!(
        "  {} of {} devices failed over, {} failed back{staying}; {}",
        devices.failed_over,
        devices.fleet,
        devices.failed_back,
        writes(summary)
    ));
    if let Some(place) = summary.place() {
        data(&format!("  {place}"));
    }
    data(&format!(
        "  took {}, exit {}{}",
        units::duration_ms(summary.duration_ms),
        summary.exit_code,
        if failed { ", see log.txt" } else { "" }
    ));
    data(&format!("  report: {}", folder.report().display()));
}

/// Says what still stands, and how it is undone by hand: the last that is seen of a run.
pub(super) fn left(left: &[(String, String)]) {
    if left.is_empty() {
        return;
    }
    to_stderr("");
    to_stderr(&format!("NOT UNDONE: {}", units::plural(left.len() as u64, "change")));
    for (what, manual) in left {
        to_stderr(&format!("  {what}:\n    {manual}"));
    }
}

/// What became of the writes. Those of a run that was ended early did not have their time to arrive.
fn writes(summary: &Summary) -> String {
    let ledger = &summary.ledger;
    if summary.ended == Some(EndReason::Completed) {
        return format!(
            "{} lost, {} unknown",
            units::plural(ledger.lost, "write"),
            units::count(ledger.unknown)
        );
    }
    format!(
        "writes lost: –, {} undecided, {} unknown",
        units::count(ledger.lost),
        units::count(ledger.unknown)
    )
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "ok  ",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "??  ",
    }
}
