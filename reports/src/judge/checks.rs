//! The checks of the run itself: can its numbers be trusted, and is the world as it was before?

use crate::record::{EndReason, StepState};
use crate::summary::{CheckRow, HarnessHealth, StepRow, Undo};
use crate::units;
use crate::verdict::Verdict;

use super::spread::ms;
use super::timeline::{Timeline, Window};

pub(crate) fn row(name: &str, label: &str, verdict: Verdict, why: String) -> CheckRow {
    CheckRow { name: name.to_owned(), label: label.to_owned(), verdict, why }
}

/// Every check of a run.
pub(crate) fn checks(
    timeline: &Timeline,
    steady: Option<CheckRow>,
    objectives: usize,
    harness: &HarnessHealth,
    undo: &Undo,
) -> Vec<CheckRow> {
    let mut rows = vec![run(timeline)];
    rows.extend(steady);
    if objectives == 0 {
        rows.push(row(
            "objectives",
            "Something is judged",
            Verdict::Unknown,
            "The scenario sets no objective.".into(),
        ));
    }
    rows.extend(timeline.steps.iter().enumerate().filter_map(|(index, each)| step(index, each)));
    rows.extend(timeline.windows.iter().map(fault));
    rows.extend(super::harness::checks(harness));
    rows.push(self::undo(undo));
    rows
}

fn run(timeline: &Timeline) -> CheckRow {
    let (verdict, why) = match &timeline.end {
        Some((EndReason::Completed, _)) => (Verdict::Pass, "Every step was gone through.".to_owned()),
        Some((reason, detail)) => {
            let what = match reason {
                EndReason::Completed => "It was completed",
                EndReason::Operator => "An operator stopped the run",
                EndReason::StopCondition => "A stop condition ended the run",
                EndReason::Refused => "Pre-flight refused the run; nothing was changed",
                EndReason::Error => "An error ended the run",
                EndReason::NotSteady => "It was not steady, and nothing was broken",
            };
            let detail = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            (Verdict::Unknown, format!("{what}{detail}."))
        }
        None => {
            (Verdict::Unknown, "The record breaks off: the run was killed, or is still going.".to_owned())
        }
    };
    row("run", "The run was completed", verdict, why)
}

/// A step that did not do what it set out to do.
fn step(index: usize, step: &StepRow) -> Option<CheckRow> {
    let what = match step.state {
        StepState::Completed => return None,
        StepState::Began => "did not end",
        StepState::TimedOut => "reached its limit first",
        StepState::Failed => "failed",
        StepState::Stopped => "was stopped",
    };
    let detail = step.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let why = format!("The step {what}{detail}.");
    Some(row(&format!("step:{index}"), &step.label, Verdict::Unknown, why))
}

fn fault(window: &Window) -> CheckRow {
    let name = format!("fault:{}", window.fault);
    let (verdict, why) = match window.proved_us {
        Some(at_us) => {
            let after = units::duration_ms(ms(at_us.saturating_sub(window.applied_us)));
            let evidence = window.evidence.as_deref().unwrap_or_default();
            (Verdict::Pass, format!("Seen to act {after} after it was applied: {evidence}"))
        }
        None => (Verdict::Unknown, format!("The fault {:?} was not seen to act.", window.fault)),
    };
    row(&name, &format!("{} took effect", window.label), verdict, why)
}

fn undo(undo: &Undo) -> CheckRow {
    let numbers = format!(
        "{} made, {} undone, {} left",
        units::plural(undo.created, "change"),
        units::count(undo.undone),
        units::count(undo.left),
    );
    let leftovers: u64 = undo.sweeps.iter().map(|sweep| sweep.leftovers).sum();
    let why = match (undo.complete, undo.proved, undo.faults_left.first()) {
        (true, true, _) => format!("{numbers}; a last look at the Regions found nothing of this run."),
        (true, false, _) => {
            format!("{numbers}; the record does not show a last look at both Regions and at what is global.")
        }
        (false, _, Some(fault)) => format!("{numbers}. A fault is still in place: {fault}."),
        (false, _, None) => {
            format!("{numbers}; a last look found {} of this run.", units::plural(leftovers, "leftover"))
        }
    };
    let verdict = match (undo.complete, undo.proved) {
        (true, true) => Verdict::Pass,
        (true, false) => Verdict::Unknown,
        (false, _) => Verdict::Fail,
    };
    row("undo", "Everything was undone", verdict, why)
}
