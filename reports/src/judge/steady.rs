//! What was there before anything was broken: pre-flight, and the steady state.

use crate::record::{Event, PreflightCheck, Record, Steady};
use crate::summary::{CheckRow, ObjectiveRow};
use crate::units;
use crate::verdict::Verdict;

use super::checks::row;

/// Whether it was steady before the first fault. Nothing when nobody looked: the run has no break, or ended before it.
pub(crate) fn check(record: &Record) -> Option<CheckRow> {
    let steady = record.events.iter().find_map(|entry| match &entry.event {
        Event::Steady(steady) => Some(steady),
        _ => None,
    })?;
    let Steady { held, for_us, hypotheses, broken } = steady;
    let (verdict, why) = if *held {
        let time = units::duration(*for_us as f64);
        (Verdict::Pass, format!("It had been steady for {time}: {}.", hypotheses.join(", ")))
    } else {
        (Verdict::Unknown, format!("Nothing was broken, because it was not steady: {}.", broken.join("; ")))
    };
    Some(row("steady", "It was steady before anything was broken", verdict, why))
}

/// What an objective is worth in a run in which nothing was broken because it was not steady: nothing can be said.
pub(crate) fn of_no_day(row: &mut ObjectiveRow) {
    if row.verdict != Verdict::Unknown {
        row.verdict = Verdict::Unknown;
        "It was not steady, and nothing was broken.".clone_into(&mut row.why);
    }
}

/// What pre-flight saw.
pub(crate) fn preflight(record: &Record) -> Vec<PreflightCheck> {
    let looks = record.events.iter().filter_map(|entry| match &entry.event {
        Event::Preflight(preflight) => Some(&preflight.checks),
        _ => None,
    });
    looks.flatten().cloned().collect()
}
