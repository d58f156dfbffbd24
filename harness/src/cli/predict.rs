//! `gameday predict`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use gameday_report::{
    ExitCode,
    record::{Folder, Record},
};
use serde_json::json;

use super::usage;
use crate::{
    output::{data, to_stderr},
    plan::Aim,
    predict::{self, Prediction},
    runs,
    scenario::Scenario,
};

/// Days that are played unless it is told otherwise.
const DAYS: u32 = 40;
/// More say nothing new.
const DAYS_MAX: i64 = 10_000;
/// Devices of a prediction at the most.
const DEVICES_MAX: i64 = 100_000_000;

/// Arguments of `gameday predict`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday predict scenarios/region-failover.toml --devices 1000000 --target aws --primary us-east-1 --secondary us-west-2
  gameday predict scenarios/predicted.toml --devices 10000 --from latest --page prediction.html
  gameday predict --check runs/predicted/latest --from RUN

Nothing is called. Days are played over virtual time, by the plan's calls and quotas; times and costs are those of the runs that
--from names, or assumed, with their sources, and then the range is wide. With --check the scenario is that of a recorded run, and
the prediction is held against it: exit 10 if a figure is off by more than --within, 11 if there is nothing to compare.")]
pub(super) struct Predict {
    /// The scenario file.
    #[arg(required_unless_present = "check", conflicts_with = "check")]
    scenario: Option<PathBuf>,
    /// How many devices, instead of the scenario's; more than a run could have.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=DEVICES_MAX), conflicts_with = "check")]
    devices: Option<u32>,
    /// A run that measured times and costs: its folder, its id, or `latest`. May be given more than once.
    #[arg(long, value_name = "RUN")]
    from: Vec<String>,
    /// Hold the prediction against this run. Do not learn from the same.
    #[arg(long, value_name = "RUN")]
    check: Option<String>,
    /// By how much a figure may be off.
    #[arg(long, value_name = "SHARE", default_value = "15%", value_parser = within)]
    within: f64,
    /// Where run folders are.
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// `twin` or the address of one: quotas as the scenario's [twin] says. `aws`: AWS's default quotas.
    #[arg(long, default_value = "twin", value_parser = super::run::plan_target, conflicts_with = "check")]
    target: String,
    /// AWS only: the Region in which devices live.
    #[arg(long, value_name = "REGION")]
    primary: Option<String>,
    /// AWS only: the Region that is kept ready.
    #[arg(long, value_name = "REGION")]
    secondary: Option<String>,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "check")]
    set: Vec<String>,
    /// Days that are played: the range is theirs.
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..=DAYS_MAX))]
    days: u32,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a page with the backlog over time to this file.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

impl Predict {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let runs = self.from.iter().map(|run| self.read(run)).collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(run) = &self.check {
            return self.check(&self.read(run)?, &runs);
        }
        let path = self.scenario.as_deref().ok_or_else(|| usage("give a scenario file, or --check RUN"))?;
        let mut scenario = Scenario::load(path, &self.set)?;
        // A run has a limit of devices that a prediction does not have.
        scenario.fleet.devices = self.devices.unwrap_or(scenario.fleet.devices);
        let prediction = Prediction::from_runs(&scenario, self.aim(&scenario)?, &runs, self.days, self.seed)?;
        if self.json {
            data(&serde_json::to_string_pretty(&prediction)?);
        } else {
            data(predict::show(&prediction).trim_end());
        }
        self.draw(&prediction)?;
        Ok(ExitCode::Pass)
    }

    /// Holds what is predicted from other runs against that one.
    fn check(&self, run: &Record, others: &[Record]) -> anyhow::Result<ExitCode> {
        if others.iter().any(|other| other.info.run == run.info.run) {
            return Err(usage("a run that is checked is not learned from: give --from another").into());
        }
        let scenario = Scenario::parse(&run.scenario, "scenario.toml of the run", &[])
            .context("the scenario of the run is not known")?;
        let aim = Aim::twin(&scenario.twin);
        let prediction = Prediction::from_runs(&scenario, aim, others, self.days, self.seed)?;
        let checked = predict::check(&prediction, run);
        self.draw(&prediction)?;
        if self.json {
            let all = json!({"run": run.info.run, "within": self.within, "checked": checked, "prediction": prediction});
            data(&serde_json::to_string_pretty(&all)?);
        } else {
            let text = predict::show(&prediction) + &predict::show_checked(&checked, self.within);
            data(text.trim_end());
        }
        if checked.is_empty() {
            to_stderr("the run measured nothing of what was predicted: no step of it completed");
            return Ok(ExitCode::Inconclusive);
        }
        let is_right = checked.iter().all(|row| row.is_within(self.within));
        Ok(if is_right { ExitCode::Pass } else { ExitCode::Missed })
    }

    fn read(&self, run: &str) -> anyhow::Result<Record> {
        let folder: Folder = runs::find(&self.out, run)?;
        folder.read().with_context(|| format!("run {run}"))
    }

    fn draw(&self, prediction: &Prediction) -> anyhow::Result<()> {
        let Some(path) = self.page.as_deref() else { return Ok(()) };
        write(path, &predict::page(prediction))
    }

    fn aim(&self, scenario: &Scenario) -> anyhow::Result<Aim> {
        super::plan::aim(&self.target, self.primary.as_deref(), self.secondary.as_deref(), scenario)
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("--page {}", path.display()))
}

fn within(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent.is_finite() => Ok(percent / 100.0),
        _ => Err("a share, as 15%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_in_percent() {
        assert_eq!(within("15%"), Ok(0.15));
        for wrong in ["0%", "15", "-3%", "x%", "inf%"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }
}
