//! Prediction: what a scenario would take, with a fleet of any size, without making it. Days are played over virtual time against
//! the plan's calls and quotas, with times and costs from recorded runs; what is drawn by chance differs from day to day, and the
//! range of a figure is that of the days.
//!
//! - Quotas are token buckets, work is a queue in front of processors, and both are exact for what queues in order.
//! - A storm is a simulation of its attempts. Beyond a thousand devices each that is played stands for several, and takes as many
//!   tokens: a million devices take seconds.
//! - What the model leaves out is said: faults that it does not know, and steps that would reach their limits.

mod backlog;
mod check;
mod detection;
mod figure;
mod gate;
mod known;
mod play;
mod provision;
mod show;
mod storm;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use gameday_report::record::Record;
use serde::Serialize;

pub(crate) use check::{Checked, check};
pub(crate) use known::Known;
pub(crate) use show::{page, show, show_checked};

use crate::{
    aws::Pace,
    plan::{Aim, Plan},
    scenario::Scenario,
};
use backlog::Backlog;
use figure::quantile;
use play::{Key, Played, Stage};

/// Points of a storm's curve.
const CURVE_POINTS: usize = 200;

/// A prediction. The same scenario, aim, runs and seed give the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Prediction {
    pub(crate) title: String,
    pub(crate) devices: u32,
    pub(crate) aim: Aim,
    /// Days that were played.
    pub(crate) days: u32,
    pub(crate) seed: u64,
    pub(crate) figures: Vec<Predicted>,
    /// What sets the pace of provisioning, and devices a second.
    pub(crate) tightest: Option<(String, f64)>,
    /// Of the day in the middle: devices that were made and are not in the secondary yet.
    pub(crate) devices_behind: Backlog,
    /// And shadow writes that are not.
    pub(crate) writes_behind: Backlog,
    /// Of the last failover of that day: seconds since the step began, and devices that were in the secondary.
    pub(crate) failover: Vec<(f64, f64)>,
    pub(crate) known: Known,
    pub(crate) notes: Vec<String>,
}

/// One figure, over all days. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Predicted {
    pub(crate) name: &'static str,
    /// The step that it is of, from 1 on.
    pub(crate) step: usize,
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
}

impl Prediction {
    /// Plays so many days.
    ///
    /// # Errors
    /// The scenario has no plan.
    pub(crate) fn of(
        scenario: &Scenario,
        aim: Aim,
        known: Known,
        days: u32,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let plan = Plan::of(scenario, aim)?;
        let (pace, quotas) = (Pace::new(plan.aim.quota_scale), plan.aim.quotas());
        let stage = Stage { scenario, plan: &plan, known: &known, pace, quotas };
        let (tightest, mut played) = (stage.tightest(), Vec::new());
        for day in 0..days {
            played.push(stage.play(seed.wrapping_add(u64::from(day))));
        }
        let notes = notes(scenario, &played);
        let figures = figures(&played);
        played.sort_by(|a, b| a.lasted_s.total_cmp(&b.lasted_s));
        let middle =
            played.into_iter().nth(days as usize / 2).context("at least one day has to be played")?;
        let every = middle.storm.len().div_ceil(CURVE_POINTS).max(1);
        let last = middle.storm.last().copied();
        Ok(Self {
            title: plan.title.clone(),
            devices: plan.devices,
            aim: plan.aim.clone(),
            days,
            seed,
            figures,
            tightest,
            devices_behind: middle.devices_behind,
            writes_behind: middle.writes_behind,
            failover: middle.storm.into_iter().step_by(every).chain(last).collect(),
            known,
            notes,
        })
    }

    /// The same with what these runs measured.
    pub(crate) fn from_runs(
        scenario: &Scenario,
        aim: Aim,
        runs: &[Record],
        days: u32,
        seed: u64,
    ) -> anyhow::Result<Self> {
        Self::of(scenario, aim, Known::assumed().learn(runs), days, seed)
    }

    /// A figure of a step.
    #[cfg(test)]
    fn figure(&self, name: &str, step: usize) -> Option<&Predicted> {
        self.figures.iter().find(|figure| figure.name == name && figure.step == step)
    }
}

fn figures(played: &[Played]) -> Vec<Predicted> {
    let mut all: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for (key, value) in played.iter().flat_map(|day| &day.figures) {
        all.entry(*key).or_default().push(*value);
    }
    let mut figures: Vec<Predicted> = all
        .into_iter()
        .map(|((name, step), mut values)| {
            values.sort_by(f64::total_cmp);
            let [p10, p50, p90] = [0.1, 0.5, 0.9].map(|share| quantile(&values, share));
            Predicted { name, step, p10, p50, p90 }
        })
        .collect();
    figures.sort_by_key(|figure| figure.step);
    figures
}

/// What a reader should know, each thing once.
fn notes(scenario: &Scenario, played: &[Played]) -> Vec<String> {
    let mut notes: BTreeSet<String> = played.iter().flat_map(|day| day.notes.clone()).collect();
    if scenario.load.ramp.is_some() {
        notes.insert("rates are taken as they are after the ramp".to_owned());
    }
    notes.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = r#"
title = "t"
proves = "p"
[fleet]
devices = 500
strategy = { cname = { every = "5s" } }
[load]
shadow = { every = "10s" }
[dns]
ttl = "10s"
[twin]
quota_scale = 10
[[step]]
provision = { via = "api", at_most = "24h" }
[[step]]
readiness = { at_most = "24h" }
[[step]]
connect = { rate_per_s = 100, at_most = "24h" }
[[step]]
break = { faults = ["primary-region-dark"], until = "failed-over", at_most = "24h" }
[[step]]
heal = { until = "failed-back", at_most = "24h" }
"#;

    fn predicted(devices: u32, aim: Option<Aim>, days: u32) -> Prediction {
        let mut scenario = Scenario::parse(DAY, "f.toml", &[]).unwrap();
        scenario.fleet.devices = devices;
        let aim = aim.unwrap_or_else(|| Aim::twin(&scenario.twin));
        Prediction::of(&scenario, aim, Known::assumed(), days, 1).unwrap()
    }

    fn p50(prediction: &Prediction, name: &str, step: usize) -> f64 {
        prediction.figure(name, step).unwrap_or_else(|| panic!("{name}: {:?}", prediction.figures)).p50
    }

    #[test]
    fn a_day_takes_what_its_quotas_and_periods_make_it() {
        let prediction = predicted(500, None, 9);
        // 80 devices a second, and the way to the secondary.
        let provision = p50(&prediction, "provision.time", 1);
        assert!((9.0..15.0).contains(&provision), "{provision}");
        assert_eq!(prediction.tightest.as_ref().map(|(_, per_s)| *per_s), Some(80.0));
        assert!((p50(&prediction, "readiness.time", 2) - 6.25).abs() < 1e-6);
        assert!((4.9..5.5).contains(&p50(&prediction, "connect.time", 3)));
        // 28.4 s until the check turns, and up to 10 until the last asks.
        let failover = p50(&prediction, "failover.time", 4);
        assert!((33.0..41.0).contains(&failover), "{failover}");
        let failback = p50(&prediction, "failback.time", 5);
        assert!((26.0..34.0).contains(&failback), "{failback}");
        assert_eq!(prediction.failover.last().map(|(_, devices)| *devices), Some(500.0));
        assert_eq!(predicted(500, None, 9), prediction, "the same seed gives the same");
        for figure in &prediction.figures {
            assert!(figure.p10 <= figure.p50 && figure.p50 <= figure.p90, "{figure:?}");
        }
    }

    #[test]
    fn a_million_devices_are_predicted_by_aws_s_quotas() {
        let began = std::time::Instant::now();
        let prediction = predicted(1_000_000, Some(Aim::aws("us-east-1", "us-west-2")), 3);
        // Eight a second.
        let provision = p50(&prediction, "provision.time", 1);
        assert!((provision / 125_000.0 - 1.0).abs() < 0.02, "{provision}");
        // 500 CONNECTs a second, less those of the health checks, once the check has turned.
        let failover = p50(&prediction, "failover.time", 4);
        assert!((2_000.0..2_300.0).contains(&failover), "{failover}");
        assert!(prediction.notes.iter().any(|note| note.contains("its limit")), "{:?}", prediction.notes);
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    #[test]
    fn a_fault_that_the_model_does_not_know_is_said() {
        let text = DAY.replace(r#"["primary-region-dark"], until = "failed-over""#, r#"["dns-stale"]"#);
        let text = text.replace(r#"{ until = "failed-back", at_most = "24h" }"#, "{}");
        let scenario = Scenario::parse(&text, "f.toml", &[]).unwrap();
        let aim = Aim::twin(&scenario.twin);
        let prediction = Prediction::of(&scenario, aim, Known::assumed(), 3, 1).unwrap();
        assert!(prediction.notes.iter().any(|note| note.contains("dns-stale")), "{:?}", prediction.notes);
        assert_eq!(prediction.figure("failover.time", 4), None);
    }
}
