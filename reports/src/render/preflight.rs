//! What was looked at before anything was changed, in a few lines: only what is not in order is named one by one.

use super::html::{esc, section};
use crate::record::{PreflightCheck, PreflightOutcome};
use crate::summary::Summary;
use crate::units::plural;

/// The section. Nothing for a record of old.
pub(super) fn preflight(summary: &Summary) -> String {
    if summary.preflight.is_empty() {
        return String::new();
    }
    let (passed, other): (Vec<_>, Vec<_>) =
        summary.preflight.iter().partition(|check| check.outcome == PreflightOutcome::Passed);
    let rows: String = other.into_iter().map(row).collect();
    let names: Vec<&str> = passed.iter().map(|check| check.label.as_str()).collect();
    let well = format!(
        "<li><span class=\"mark pass\"><span aria-hidden=\"true\">✓</span> passed</span><div><b>{}</b><span>{}</span></div></li>\n",
        plural(passed.len() as u64, "check"),
        esc(&names.join(", ")),
    );
    let body = format!("<ul class=\"checks\">\n{rows}{well}</ul>\n");
    section("preflight", "Before anything was changed", "What was looked at, and what was seen.", &body)
}

fn row(check: &PreflightCheck) -> String {
    let (class, sign) = match check.outcome {
        PreflightOutcome::Passed => ("pass", "✓"),
        PreflightOutcome::Warned | PreflightOutcome::Unknown => ("unknown", "?"),
        PreflightOutcome::Refused => ("fail", "✕"),
    };
    let ignored = if check.ignored { " An operator said to go on." } else { "" };
    format!(
        "<li><span class=\"mark {class}\"><span aria-hidden=\"true\">{sign}</span> {}</span><div><b>{}</b><span>{}{ignored}</span></div></li>\n",
        check.outcome.word(),
        esc(&check.label),
        esc(&check.why),
    )
}
