//! `gameday cost`.

use std::path::PathBuf;

use clap::Args;
use gameday_report::ExitCode;
use serde_json::json;

use super::usage;
use crate::{
    cost::{Bill, Dispatch, Moment, Month, Prices, Recorded, examples, notes, show, show_examples},
    output::data,
    plan::{Aim, Plan},
    scenario::Scenario,
};

/// Arguments of `gameday cost`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday cost scenarios/region-failover.toml
  gameday cost scenarios/region-failover.toml --set fleet.devices=10000 --dispatch workflow
  gameday cost runs/region-failover/latest
  gameday cost --examples

What a game day costs, were it run on AWS, and what the replicator costs a month while the fleet of
the scenario does what its load says. Offline: the prices are those of a file, with their dates.")]
pub(super) struct Cost {
    /// A scenario file, or a run folder: then the run costs what its record says.
    #[arg(value_name = "SCENARIO|RUN")]
    scenario: Option<PathBuf>,
    /// How events come to be applied.
    #[arg(long, value_enum, default_value = "direct")]
    dispatch: Dispatch,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The two examples of the archived solution's guide, line by line, and their fleets under this replicator.
    #[arg(long, conflicts_with = "scenario")]
    examples: bool,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

impl Cost {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let prices = Prices::read()?;
        if self.examples {
            let examples = examples(&prices)?;
            if self.json {
                data(&serde_json::to_string_pretty(&json!({"examples": examples}))?);
            } else {
                data(show_examples(&examples).trim_end());
            }
            return Ok(ExitCode::Pass);
        }
        let Some(path) = &self.scenario else {
            return Err(usage("give a scenario file, or --examples").into());
        };
        let (scenario, plan, run, what) = if path.is_dir() {
            if !self.set.is_empty() {
                return Err(usage("--set is for a scenario: a run folder has the one that was run").into());
            }
            let Recorded { scenario, plan, usage } = Recorded::read(path)?;
            (scenario, plan, Bill::of(&usage, &prices, Moment::Newest)?, "The run as it was recorded")
        } else {
            let scenario = Scenario::load(path, &self.set)?;
            let plan = Plan::of(&scenario, Aim::twin(&scenario.twin))?;
            let run = plan.cost.clone();
            (scenario, plan, run, "A run")
        };
        let month = Month::of(&scenario, &plan);
        let bill = Bill::of(&month.usage(self.dispatch), &prices, Moment::Newest)?;
        if self.json {
            let all = json!({
                "title": plan.title, "devices": plan.devices, "run": run,
                "month": {"dispatch": self.dispatch, "assumed": month, "bill": bill},
            });
            data(&serde_json::to_string_pretty(&all)?);
            return Ok(ExitCode::Pass);
        }
        let mut text = format!("{}\n{} devices\n\n", plan.title, plan.devices);
        show(&format!("{what}, were it on AWS"), &run, &mut text);
        text.push('\n');
        let dispatch = match self.dispatch {
            Dispatch::Direct => "direct",
            Dispatch::Workflow => "workflow",
        };
        show(&format!("A month of the replicator, {dispatch}, with this fleet made once"), &bill, &mut text);
        notes(&bill, &mut text);
        data(text.trim_end());
        Ok(ExitCode::Pass)
    }
}
