//! `gameday plan`.

use std::{io::IsTerminal, path::PathBuf};

use clap::Args;
use gameday_report::ExitCode;

use super::usage;
use crate::{
    output::{data, to_stderr},
    plan::{self, Aim, Plan},
    scenario::Scenario,
};

/// Arguments of `gameday plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday plan scenarios/region-failover.toml
  gameday plan scenarios/region-failover.toml --set fleet.devices=5000 --json
  gameday plan scenarios/region-failover.toml --target aws --primary eu-west-1 --secondary eu-central-1

Nothing is called: the plan follows from the scenario alone. A run writes the same plan to plan.json
in its folder.")]
pub(super) struct PlanCommand {
    /// The scenario file.
    scenario: PathBuf,
    /// `twin` or the address of one: quotas as the scenario's [twin] says. `aws`: AWS's default quotas.
    #[arg(long, default_value = "twin", value_parser = super::run::plan_target)]
    target: String,
    /// AWS only: the Region in which devices live.
    #[arg(long, value_name = "REGION")]
    primary: Option<String>,
    /// AWS only: the Region that is kept ready.
    #[arg(long, value_name = "REGION")]
    secondary: Option<String>,
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    limits: super::limits::Limits,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let scenario = Scenario::load(&self.scenario, &self.set)?;
        let plan = Plan::of(&scenario, self.aim(&scenario)?)?;
        if self.json {
            data(&plan.json()?);
        } else {
            data(plan::show(&plan, std::io::stdout().is_terminal()).trim_end());
        }
        if let Err(why) = self.limits.check(&plan) {
            to_stderr(&format!("refused, nothing was changed: {why}"));
            return Ok(ExitCode::Refused);
        }
        Ok(ExitCode::Pass)
    }

    fn aim(&self, scenario: &Scenario) -> anyhow::Result<Aim> {
        aim(&self.target, self.primary.as_deref(), self.secondary.as_deref(), scenario)
    }
}

/// What a scenario is planned for.
pub(super) fn aim(
    target: &str,
    primary: Option<&str>,
    secondary: Option<&str>,
    scenario: &Scenario,
) -> anyhow::Result<Aim> {
    match (target, primary, secondary) {
        ("aws", Some(primary), Some(secondary)) if primary == secondary => {
            Err(usage("--primary and --secondary are the same Region").into())
        }
        ("aws", Some(primary), Some(secondary)) => Ok(Aim::aws(primary, secondary)),
        ("aws", ..) => Err(usage("AWS needs --primary REGION and --secondary REGION").into()),
        (_, None, None) => Ok(Aim::twin(&scenario.twin)),
        _ => Err(usage("--primary and --secondary are for AWS: a twin says itself which it has").into()),
    }
}
