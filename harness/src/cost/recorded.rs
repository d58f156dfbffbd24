//! What a recorded run used: its steps with the time that each took, and the calls that its harness counted. What devices, rules
//! and the replicator did follows from these times, as in a plan.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use gameday_report::record::{ApiCalls, Entry, Event, Folder, StepState};

use super::usage::Usage;
use crate::{
    plan::{Aim, Caller, Plan, Quantity},
    scenario::Scenario,
};

/// A run folder, read.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) scenario: Scenario,
    /// The plan as it came to pass.
    pub(crate) plan: Plan,
    pub(crate) usage: Usage,
}

impl Recorded {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let record = Folder::open(path)?.read()?;
        let name = path.join("scenario.toml");
        let scenario = Scenario::parse(&record.scenario, &name.display().to_string(), &[])
            .with_context(|| format!("{}: the scenario of the run is not known", path.display()))?;
        let mut times = times(&record.events);
        // What was waited for until it was steady is part of the step that then broke something.
        if record.events.iter().any(|entry| matches!(entry.event, Event::Steady(_))) {
            times.insert(scenario.step.len() + 1, 0.0);
        }
        let plan = Plan::timed(&scenario, Aim::twin(&scenario.twin), &times)?;
        let others: Vec<Quantity> = plan
            .quantities
            .iter()
            .filter(|quantity| quantity.caller != Caller::Harness || !quantity.is_call())
            .cloned()
            .collect();
        let mut usage = Usage::of_run(&others, plan.sizes);
        for entry in &record.events {
            if let Event::Api(calls) = &entry.event {
                usage.counted(calls);
            }
        }
        Ok(Self { scenario, plan, usage })
    }
}

/// Seconds that each step took, by its place in the plan. What did not end is not there: it keeps its bounds.
fn times(events: &[Entry]) -> BTreeMap<usize, f64> {
    let (mut began, mut took) = (BTreeMap::new(), BTreeMap::new());
    for entry in events {
        let Event::Step { index, state, .. } = &entry.event else { continue };
        // 0 is the deployment, which is no step of the plan.
        let Some(place) = (*index as usize).checked_sub(1) else { continue };
        if *state == StepState::Began {
            began.insert(place, entry.at_us);
        } else if let Some(at_us) = began.remove(&place) {
            #[expect(clippy::cast_precision_loss, reason = "days in microseconds are exact")]
            let s = entry.at_us.saturating_sub(at_us) as f64 / 1e6;
            took.insert(place, s);
        }
    }
    took
}

impl Usage {
    /// Calls that the harness counted, each attempt once.
    fn counted(&mut self, calls: &ApiCalls) {
        #[expect(clippy::cast_precision_loss, reason = "no run makes so many calls")]
        let attempts = (calls.ok + calls.throttled + calls.failed) as f64;
        self.call(&calls.service, &calls.operation, attempts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_time_is_from_its_beginning_to_its_end() {
        let entry = |at_us: u64, index: u32, state: &str| -> Entry {
            serde_json::from_value(serde_json::json!({
                "at_us": at_us, "wall": "2026-01-01T00:00:00Z", "event": "step", "index": index, "name": "n",
                "label": "l", "state": state,
            }))
            .unwrap()
        };
        let events = [
            entry(0, 0, "began"),
            entry(1_000_000, 0, "completed"),
            entry(1_000_000, 1, "began"),
            entry(3_500_000, 1, "timed-out"),
            entry(4_000_000, 2, "began"),
        ];
        assert_eq!(times(&events), BTreeMap::from([(0, 2.5)]), "one that did not end has no time");
    }
}
