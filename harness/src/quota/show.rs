//! A quota report as a person reads it, by phase. The same text in a pipe, without bold.

use std::fmt::Write as _;

use gameday_report::{
    record::{QuotaReport, QuotaRow, QuotaStorm, QuotaVerdict},
    units::duration_ms,
};

use super::more;
use crate::plan::{number, span};

/// Rows that are ok and shown in each phase: up to so many with the others, and so many at the least.
const GOOD_ROWS_MAX: usize = 8;
const GOOD_ROWS_MIN: usize = 2;

/// The whole text.
pub(crate) fn show(report: &QuotaReport, bold: bool) -> String {
    let title = |text: &str| if bold { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() };
    let mut text = String::new();
    let _ = writeln!(text, "{}", title(&report.title));
    let _ = writeln!(
        text,
        "{} devices, {} -> {}, beside {}",
        number(report.devices as f64),
        report.primary,
        report.secondary,
        report.source
    );
    for rows in report.rows.chunk_by(|a, b| a.phase == b.phase) {
        phase(rows, &mut text);
    }
    for storm in &report.storms {
        storm_line(storm, &mut text);
    }
    if !report.requests.is_empty() {
        let _ = writeln!(text, "\n{}", title("What to ask AWS for"));
        for request in &report.requests {
            let _ = writeln!(
                text,
                "  {} ({} {}), {}",
                request.name, request.service, request.code, request.region
            );
            let _ = writeln!(text, "    {}", request.reason);
            if let Some(command) = more::command(request) {
                let _ = writeln!(text, "    {command}");
            }
        }
    }
    text.push('\n');
    for note in &report.notes {
        let _ = writeln!(text, "{note}");
    }
    let _ = writeln!(text, "{}", title(&conclusion(report)));
    text
}

/// The rows of one phase: all that are not ok, and the first of those that are.
fn phase(rows: &[QuotaRow], text: &mut String) {
    let Some(first) = rows.first() else { return };
    let _ = writeln!(
        text,
        "\n{:<30} {:<14} {:>10} {:>10} {:>10} {:>10} {:>6}  VERDICT",
        first.phase.to_uppercase(),
        "REGION",
        "SUSTAINED",
        "PEAK",
        "QUOTA",
        "ELSEWHERE",
        "TAKEN"
    );
    // What the rehearsal alone calls is only said where it is too much.
    let is_wrong = |row: &QuotaRow| match row.verdict {
        QuotaVerdict::Exceeded => true,
        QuotaVerdict::Unknown | QuotaVerdict::Tight => first.phase != super::GAME_DAY,
        QuotaVerdict::Ok | QuotaVerdict::Unlimited => false,
    };
    let (wrong, good): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_wrong(row));
    let shown = good.len().min(GOOD_ROWS_MAX.saturating_sub(wrong.len()).max(GOOD_ROWS_MIN));
    wrong.iter().chain(&good[..shown]).for_each(|row| line(row, text));
    if good.len() > shown {
        let _ = writeln!(text, "  {} more; --csv has all", good.len() - shown);
    }
}

fn line(row: &QuotaRow, text: &mut String) {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let peak = if row.is_count { format!("{} all", number(row.peak)) } else { number(row.peak) };
    let share = row.share.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0));
    let what = if row.unit == "at a time" { format!("{} (at a time)", row.what) } else { row.what.clone() };
    let why = if row.why.is_empty() { String::new() } else { format!(": {}", row.why) };
    let _ = writeln!(
        text,
        "  {what:<28} {:<14} {:>10} {peak:>10} {:>10} {:>10} {share:>6}  {}{why}",
        row.region,
        value(row.sustained),
        value(row.quota.as_ref().map(|quota| quota.value)),
        value(row.quota_elsewhere),
        row.verdict.name(),
    );
}

fn storm_line(storm: &QuotaStorm, text: &mut String) {
    let _ = write!(
        text,
        "\nReconnect storm, {}: {} devices come to {} at {} CONNECTs a second",
        storm.phase,
        number(storm.devices as f64),
        storm.region,
        number(storm.offered_per_s),
    );
    let _ = match (storm.quota_per_s, storm.time_least_s, storm.time_most_s) {
        (Some(quota), Some(least_s), Some(most_s)) => writeln!(
            text,
            ", and it takes {}.\n  The last one is in after {} to {}: at the least by the quota alone, at the most with {} CONNECTs a \
             second of health checks and a last wait of back-off ({} to {}).",
            number(quota),
            span(least_s),
            span(most_s),
            number(storm.others_per_s),
            duration_ms(storm.backoff.min_ms as f64),
            duration_ms(storm.backoff.max_ms as f64),
        ),
        (Some(quota), Some(least_s), None) => writeln!(
            text,
            ", and it takes {}, which health checks use up.\n  The last one is in after {} at the least.",
            number(quota),
            span(least_s)
        ),
        _ => writeln!(text, "; how many it takes is not known."),
    };
}

/// The last line: the verdict, and the row that decides it.
fn conclusion(report: &QuotaReport) -> String {
    let mut text = match report.verdict {
        QuotaVerdict::Exceeded => "EXCEEDED: ".to_owned(),
        QuotaVerdict::Unknown => "UNKNOWN: ".to_owned(),
        QuotaVerdict::Tight => "TIGHT: ".to_owned(),
        QuotaVerdict::Ok | QuotaVerdict::Unlimited => "OK: ".to_owned(),
    };
    if report.verdict == QuotaVerdict::Unknown {
        let unknown = report.rows.iter().find(|row| row.verdict == QuotaVerdict::Unknown);
        if let Some(row) = unknown {
            let _ = write!(text, "of {} in {} ({}) it cannot be said; ", row.what, row.region, row.phase);
        }
    }
    match report.tightest_row() {
        Some(row) => {
            let _ = write!(
                text,
                "the tightest is {} in {}, {}: {} of {}, {:.0}%",
                row.what,
                row.region,
                row.phase,
                number(row.peak),
                row.quota.as_ref().map_or_else(|| "-".to_owned(), |quota| number(quota.value)),
                row.share.unwrap_or(0.0) * 100.0,
            );
        }
        None => text.push_str("nothing is asked for that has a quota"),
    }
    text
}
