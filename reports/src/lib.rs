//! The run record of a game day: its types, its verdict, its report.
//!
//! The harness *writes* a run folder with [`record`]; this crate *reads* it back and says what it means.
//! Data flows one way: `record` (what happened) -> `judge` (what it means: [`summary::Summary`]) -> `render`
//! (HTML, JSON, JUnit). Nothing here talks to AWS or to a clock, so the same folder gives the same bytes for ever.
//!
//! ```text
//! runs/<scenario>/<UTC time>-<id>/
//!   scenario.toml      the scenario with every default filled in
//!   plan.json          what was going to be created, called, broken and undone
//!   quota.json, .csv   what that asks of each quota, beside the quotas when the run began
//!   undo.ndjson        the undo journal: a line before each change, a line after its cure
//!   events.ndjson      what happened, one line an event
//!   acts.ndjson        what people did: notes, and what ended the run; also after it
//!   ledger.ndjson      every shadow write: when it was meant, sent, acknowledged, seen in the secondary
//!   histograms/*.hlog  latencies, HdrHistogram V2 interval logs in microseconds
//!   summary.json       the verdict (recomputed by `gameday report`)
//!   junit.xml          the same for CI (recomputed)
//!   report.html        the same for people (recomputed)
//!   log.txt            the program's own log
//! ```

mod judge;
mod junit;
mod nearest;
mod objective;
pub mod record;
mod render;
#[cfg(test)]
#[allow(dead_code, reason = "each of its users needs another part")]
mod sample;
pub mod summary;
pub mod units;
mod verdict;

pub use judge::{
    CLOCK_STEP_MAX_MS, CPU_FULL_SECONDS_MAX_PERCENT, DESCRIPTORS_MAX_PERCENT, LATE_SENDS_MAX_PERCENT,
    TIMER_DELAY_P99_MAX_MS, judge,
};
pub use junit::junit;
pub use nearest::nearest;
pub use objective::{
    Comparison, METRICS, Metric, Objective, ObjectiveError, Op, Shape, Statistic, Target, Unit,
};
pub use render::{Curve, STYLE, chart_page, render};
pub use summary::Summary;
pub use verdict::{ExitCode, Verdict};

use record::{Folder, RecordError};

/// Reads a run folder, judges it, and writes `summary.json`, `junit.xml` and `report.html` into it.
///
/// A file is written beside its place and moved there, so that a reader never sees half of one.
pub fn write_results(folder: &Folder) -> Result<Summary, RecordError> {
    let record = folder.read()?;
    let summary = judge(&record);
    let path = folder.summary();
    let mut json = serde_json::to_string_pretty(&summary)
        .map_err(|source| RecordError::Json { path: path.clone(), source })?;
    json.push('\n');
    replace(&path, &json)?;
    replace(&folder.junit(), &junit(&summary))?;
    replace(&folder.report(), &render(&record, &summary))?;
    Ok(summary)
}

fn replace(path: &std::path::Path, text: &str) -> Result<(), RecordError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text).map_err(|e| RecordError::io("write", &beside, e))?;
    std::fs::rename(&beside, path).map_err(|e| RecordError::io("write", path, e))
}

#[cfg(test)]
mod tests;
