//! A prediction beside the run that it is of: by how much is it off?

use std::collections::BTreeMap;

use gameday_report::record::{Event, HistogramSeries, Record, StepState};
use serde::Serialize;

use super::{
    Prediction,
    figure::{Figure, quantile},
    known::seconds,
};

/// A step's figure, by the step's name in the record.
const STEPS: [(&str, &str); 5] = [
    ("provision", "provision.time"),
    ("readiness", "readiness.time"),
    ("connect", "connect.time"),
    ("break", "failover.time"),
    ("heal", "failback.time"),
];
const REGISTRY: &str = "replication.registry.p50";
const SHADOW: &str = "replication.shadow.p50";

/// One figure, as predicted and as measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Checked {
    pub(crate) name: &'static str,
    pub(crate) step: usize,
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) measured: f64,
    /// Predicted by measured: 1 is right.
    pub(crate) ratio: f64,
}

impl Checked {
    /// Whether the prediction is off by no more than that part of what was measured.
    pub(crate) fn is_within(&self, tolerance: f64) -> bool {
        (self.ratio - 1.0).abs() <= tolerance
    }
}

/// Every figure of the prediction that the run measured. Steps that reached their limits, or failed, measured nothing.
pub(crate) fn check(prediction: &Prediction, record: &Record) -> Vec<Checked> {
    let measured = measured(record);
    let found = prediction.figures.iter().filter_map(|figure| {
        // What is of all steps has none of its own in the record.
        let place = if [REGISTRY, SHADOW].contains(&figure.name) { 0 } else { figure.step };
        let measured = *measured.get(&(figure.name, place)).filter(|measured| **measured > 0.0)?;
        Some(Checked {
            name: figure.name,
            step: figure.step,
            p10: figure.p10,
            p50: figure.p50,
            p90: figure.p90,
            measured,
            ratio: figure.p50 / measured,
        })
    });
    found.collect()
}

fn measured(record: &Record) -> BTreeMap<(&'static str, usize), f64> {
    let (mut began, mut all) = (BTreeMap::new(), BTreeMap::new());
    let mut registry_s = Vec::new();
    for entry in &record.events {
        match &entry.event {
            Event::Step { index, state: StepState::Began, .. } => {
                began.insert(*index, entry.at_us);
            }
            Event::Step { index, name, state: StepState::Completed, .. } => {
                let figure = STEPS.iter().find(|(step, _)| step == name);
                if let (Some((_, figure)), Some(began_us)) = (figure, began.remove(index)) {
                    // 0 is the deployment, so that a step's index is its number.
                    all.insert((*figure, *index as usize), seconds(entry.at_us.saturating_sub(began_us)));
                }
            }
            Event::Connectable { provisioned_us, .. } => {
                registry_s.push(seconds(entry.at_us.saturating_sub(*provisioned_us)));
            }
            _ => {}
        }
    }
    if let Some(Figure::Measured(values)) = Figure::measured(registry_s) {
        all.insert((REGISTRY, 0), quantile(&values, 0.5));
    }
    let shadow = record.histograms.get("replication.shadow").and_then(HistogramSeries::merged);
    if let Some(shadow) = shadow {
        all.insert((SHADOW, 0), seconds(shadow.value_at_quantile(0.5)));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        plan::Aim,
        predict::{
            Known,
            known::{record, step},
        },
        scenario::Scenario,
    };

    #[test]
    fn a_prediction_is_held_against_what_completed() {
        let text = "title = \"t\"\nproves = \"p\"\n[fleet]\ndevices = 10\nstrategy = { cname = { every = \"5s\" } }\n\
             [[step]]\nprovision = { via = \"api\" }\n[[step]]\nconnect = { rate_per_s = 5 }\n[[step]]\nhold = { for = \"1s\" }\n";
        let scenario = Scenario::parse(text, "f.toml", &[]).unwrap();
        let prediction =
            Prediction::of(&scenario, Aim::twin(&scenario.twin), Known::assumed(), 5, 1).unwrap();
        let events = [
            (0, step(1, "provision", "began")),
            (3_000, json!({"event": "connectable", "device": "a", "provisioned_us": 1, "resolution_us": 1})),
            (4_000, step(1, "provision", "timed-out")),
            (4_000, step(2, "connect", "began")),
            (8_000, step(2, "connect", "completed")),
        ];
        let checked = check(&prediction, &record(&events));
        let names: Vec<&str> = checked.iter().map(|row| row.name).collect();
        assert_eq!(names, [REGISTRY, "connect.time"], "a step that timed out measured nothing");
        let connect = &checked[1];
        // Nine fifths of a second, and the run took four.
        assert!(
            (0.44..0.5).contains(&connect.ratio) && !connect.is_within(0.5) && connect.is_within(0.6),
            "{connect:?}"
        );
    }
}
